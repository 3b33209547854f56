"""A gate where some of its standing wires have known bits: a smaller gate on its other wires.

Which bits those are depends on the rank. Whatever a plan looks at does not: all blocks of a gate
have the same number of wires and the same tags, so that every rank plans the same steps.
"""

from dataclasses import replace
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any

import numpy as np
from torch import Tensor

from quilt_func.evolution import affine
from quilt_func.ops import Gate, Matrix
from quilt_func.typing import WireSet


@lru_cache(maxsize=4096)
def restricted(base: Gate, fixed: WireSet, bits: tuple[int, ...]) -> Gate:
    """The block of a gate in which some of its wires have given bits.

    Args:
        base: A gate that is block-diagonal in the bits of these wires.
        fixed: Positions of the wires among the gate's own, ascending.
        bits: The bit of each.

    Returns:
        A gate on the other wires, or, if there are none, a multiple of the identity on one wire.

    Examples:
        >>> from quilt_func import crx, cz
        >>> restricted(cz, (0,), (1,)).matrix.real.tolist()
        [[1.0, 0.0], [0.0, -1.0]]
        >>> restricted(crx, (0,), (0,)).generator.real.tolist()
        [[0.0, 0.0], [0.0, 0.0]]
    """
    values = product((0, 1), repeat=len(fixed))
    blocks = {one: _block(base, fixed, one) for one in values}
    return replace(blocks[bits], tags=_common_tags(base, tuple(blocks.values())))


def _block(base: Gate, fixed: WireSet, bits: tuple[int, ...]) -> Gate:
    chosen = dict(zip(fixed, bits, strict=True))
    at: tuple[Any, ...] = tuple(chosen.get(i, slice(None)) for i in range(base.n_wires))
    n_left = base.n_wires - len(fixed)

    def of_tensors(*params: Tensor) -> Tensor:
        whole = base.matrices(*params)
        shape = whole.shape[:-2]
        split = whole.reshape(*shape, *(2,) * (2 * base.n_wires))
        part = split[(..., *at, *at)]
        block = part.reshape(*shape, 2**n_left, 2**n_left)
        if n_left:
            return block
        identity: Tensor = block.new_zeros(2, 2)
        identity.fill_diagonal_(1)
        return block * identity

    def of_array(whole: Matrix) -> Matrix:
        part = np.asarray(whole).reshape((2,) * (2 * base.n_wires))[(*at, *at)]
        block: Matrix = part.reshape(2**n_left, 2**n_left)
        return block if n_left else block * np.eye(2)

    return Gate(
        f"{base.name}|{''.join(map(str, bits))}",
        max(n_left, 1),
        base.n_params,
        of_tensors if callable(base.matrix) else of_array(base.matrix),
        generator=None if base.generator is None else of_array(base.generator),
        tags=base.tags,
        param_shape=base.param_shape,
        param_names=base.param_names,
    )


def _common_tags(base: Gate, blocks: tuple[Gate, ...]) -> frozenset[str]:
    """What all blocks are: not each is an affine map of basis states if the gate permutes them."""
    tags = set(base.tags) - {"clifford"}
    if len(blocks) == prod((2,) * base.n_wires):
        tags.add("diagonal")
    if any(affine(block) is None for block in blocks):
        tags.discard("permutation")
    return frozenset(tags)
