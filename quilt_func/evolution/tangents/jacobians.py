"""What is built and its Jacobian: pushforward along many tangents, pullback to the angles.

A block's matrix `M(θ)` has the tangent `Ṁ = Σ_j ∂_j M t_j` along a direction `t` of its angles. A
gradient `G` by `M`, with the tangent `Ġ`, gives angle `j` the gradient `Re tr(∂_j M† G)`, whose
tangent is `Re tr(∂_j M† Ġ) + Σ_k Re tr(∂_j ∂_k M† G) t_k`. Two classes compute all this.

`Slopes` is for rotations, whose derivative is half of the rotation by π more: a block is built once
as it is, and once with the derivative of each of its few angles. The number of directions does not
matter, as they enter small matrix products only. `Duals` is for all else: one copy for each
direction, in torch's forward mode.

References:
    Crooks (2019), arXiv:1905.13311, for derivatives of gates as gates of other angles.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from quilt_func._torch import push_forward
from quilt_func.evolution.constants import Constants
from quilt_func.evolution.steps import Params
from quilt_func.evolution.steps.block_recipe import Stack
from quilt_func.evolution.steps.entry_table import OfTable

FEW = 16
"""A block of at most so many slopes is built by them, however few directions there are."""


class Leaf(NamedTuple):
    """A parameter of an op.

    Attributes:
        value: `(m, batch, *event)`.
        tangent: `(m, batch, n_directions, *event)`, or None for zero.
        place: Its number among the leaves; None if it is a number, not a leaf.
        is_wanted: Whether its gradient is.
    """

    value: Tensor
    tangent: Tensor | None = None
    place: int | None = None
    is_wanted: bool = False


Leaves: TypeAlias = Mapping[int, Sequence[Leaf]]
"""Of some ops, their parameters."""


Build: TypeAlias = Callable[..., Tensor]
"""Builds `(batch, *shape)` of some ops' parameters and constants; see `block_build.blocks`."""


class Pushforward:
    """What a recipe builds, its tangents, and the way back to the leaves.

    As it stands it is of leaves that do not move, and whose gradients nobody asks for.

    Attributes:
        value: `(batch, *shape)`.
        tangent: `(batch, n_directions, *shape)`, or None for zero.
        is_wanted: Whether the gradient of any leaf is.
    """

    value: Tensor
    tangent: Tensor | None = None

    def __init__(self, leaves: Leaves) -> None:
        self.leaves = [leaf for own in leaves.values() for leaf in own]
        self.counts = {op: len(own) for op, own in leaves.items()}
        self.is_wanted = any(leaf.is_wanted for leaf in self.leaves)

    def params(self, values: Iterable[Tensor]) -> Params:
        """Parameters of each op, of one value for each leaf."""
        remaining = iter(values)
        return {op: [next(remaining) for _ in range(n)] for op, n in self.counts.items()}

    def copied(self, copies: int) -> list[Tensor]:
        """Values of the leaves `(m, batch * copies, *event)`, ready for autograd."""
        each = (leaf.value.repeat_interleave(copies, 1).detach() for leaf in self.leaves)
        return [values.requires_grad_(self.is_wanted) for values in each]

    def pull(self, by: Tensor) -> Iterator[tuple[int, Tensor]]:
        """The vjp: gradients of leaves and their tangents, by those of the value.

        Args:
            by: `(batch, 1 + n_directions, *shape)`.

        Yields:
            The place of a leaf, and `(m, batch, 1 + n_directions, *event)`.
        """
        found = self._pulled(by) if self.is_wanted else []
        for leaf, jet in zip(self.leaves, found, strict=self.is_wanted):
            if leaf.is_wanted and leaf.place is not None and jet is not None:
                yield leaf.place, jet

    def _pulled(self, by: Tensor) -> Sequence[Tensor | None]:
        raise NotImplementedError


def pushforward(
    build: Build, recipe: OfTable | None, leaves: Leaves, n_directions: int, constants: Constants
) -> Pushforward:
    """Build a tensor and its tangents: by slopes if it has few of them, else by duals."""
    fixed = Pushforward(leaves)
    if not fixed.is_wanted and all(leaf.tangent is None for leaf in fixed.leaves):
        fixed.value = build(fixed.params(leaf.value for leaf in fixed.leaves), constants)
        return fixed
    if recipe is not None and not recipe.table.rows and has_few_slopes(recipe, n_directions):
        return Slopes(build, recipe, leaves, constants)
    return Duals(build, leaves, n_directions, constants)


def has_few_slopes(recipe: OfTable, n_directions: int) -> bool:
    """Tell whether slopes cost less than directions; of a product state each is a whole state."""
    n_slopes = recipe.angles.shape[1]
    return n_slopes < 2 * n_directions or (isinstance(recipe, Stack) and n_slopes <= FEW)


class Duals(Pushforward):
    """Copies in forward mode, one for each direction; before them one without, for gradients."""

    def __init__(
        self, build: Build, leaves: Leaves, n_directions: int, constants: Constants
    ) -> None:
        super().__init__(leaves)
        self.copies = n_directions + self.is_wanted
        self.sources = self.copied(self.copies)
        tangents = map(self._of_copies, self.leaves)
        with torch.inference_mode(False), torch.enable_grad():
            self.built, self.tangents_built = push_forward(
                lambda values: build(self.params(values), constants), self.sources, tangents
            )
        shape = -1, self.copies
        self.value = self.built.detach().unflatten(0, shape)[:, 0]
        if self.tangents_built is not None:
            self.tangent = self.tangents_built.detach().unflatten(0, shape)[:, -n_directions:]

    def _of_copies(self, leaf: Leaf) -> Tensor | None:
        """A leaf's tangents; of the copy without, if there is one, zero."""
        if leaf.tangent is None:
            return None
        parts = torch.zeros_like(leaf.tangent[:, :, :1]), leaf.tangent
        return torch.cat(parts, 2)[:, :, -self.copies :].flatten(1, 2).detach()

    def _pulled(self, by: Tensor) -> Sequence[Tensor | None]:
        first, pairs = by[:, :1], [(self.built, by)]
        if self.tangents_built is not None and self.tangents_built.requires_grad:
            rest = first.expand(-1, self.copies - 1, *first.shape[2:])
            pairs.append((self.tangents_built, torch.cat([torch.zeros_like(first), rest], 1)))
        outputs, gradients = zip(*pairs, strict=True)
        flat = [gradient.flatten(0, 1) for gradient in gradients]
        found = torch.autograd.grad(outputs, self.sources, flat, allow_unused=True)
        return [None if one is None else one.unflatten(1, (-1, self.copies)) for one in found]


class Slopes(Pushforward):
    """Blocks of rotations, and each block's derivatives by its own angles."""

    def __init__(self, build: Build, recipe: OfTable, leaves: Leaves, constants: Constants) -> None:
        super().__init__(leaves)
        self.places, self.shape = constants.index(recipe, "angles"), recipe.angles.shape
        derived, batch = constants.mask(recipe, "derived"), self.leaves[0].value.shape[1]
        self.sources = self.copied(derived.shape[1])
        derived = derived if batch == 1 else derived.repeat(1, batch)
        with torch.inference_mode(False), torch.enable_grad():
            self.built = build(self.params(self.sources), constants, derived)
        each = self.built.detach().unflatten(0, (batch, -1))
        self.value, self.slopes = each[:, 0], self._reals(each[:, 1:])
        self.along = self._along()
        if self.along is not None:
            flat = (self.along @ self.slopes).unflatten(-1, (-1, 2)).movedim(2, 1)
            tangent = torch.view_as_complex(flat.contiguous())
            self.tangent = tangent.reshape(*tangent.shape[:2], *self.value.shape[1:])

    def _along(self) -> Tensor | None:
        """Tangents of each block's angles, `(batch, n_blocks, n_directions, n_slopes)`."""
        tangents = [leaf.tangent for leaf in self.leaves]
        like = next((tangent for tangent in tangents if tangent is not None), None)
        if like is None:
            return None
        rows = [like.new_zeros(len(leaf.value), *like.shape[1:]) if t is None else t
                for leaf, t in zip(self.leaves, tangents, strict=True)]  # fmt: skip
        return self._of_blocks(torch.cat(rows)).mT.contiguous()

    def _pulled(self, by: Tensor) -> Sequence[Tensor | None]:
        every = by[:, :1].expand(-1, 1 + self.shape[1], *by.shape[2:]).flatten(0, 1)
        flat = torch.cat(torch.autograd.grad(self.built, self.sources, every))
        found = flat.unflatten(1, (-1, 1 + self.shape[1]))
        tangents = self._reals(by[:, 1:]) @ self.slopes.mT
        if self.along is not None:
            tangents = tangents + self.along @ self._of_blocks(found[..., 1:]).mT
        rows = tangents.permute(1, 3, 0, 2).flatten(0, 1)
        by_angle = rows.new_zeros(len(found) + 1, *rows.shape[1:])
        by_angle = by_angle.index_copy(0, self.places, rows)[: len(found)]
        jets: Tensor = torch.cat([found[..., :1], by_angle], -1)
        return list(jets.split([len(leaf.value) for leaf in self.leaves]))

    def _of_blocks(self, of_angles: Tensor) -> Tensor:
        """`(batch, n_blocks, n_slopes, n)` of `(n_angles, batch, n)`, zero beyond few angles."""
        padded = torch.cat([of_angles, torch.zeros_like(of_angles[:1])])
        split: Tensor = padded.index_select(0, self.places).unflatten(0, self.shape)
        return split.movedim(2, 0)

    def _reals(self, tensor: Tensor) -> Tensor:
        """`(batch, n_blocks, n, 2 * size)` of complex `(batch, n, [n_blocks,] *shape)`."""
        reals = torch.view_as_real(tensor.resolve_conj())
        return reals.reshape(*tensor.shape[:2], self.shape[0], -1).movedim(2, 1)
