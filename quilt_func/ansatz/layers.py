"""Layers of trainable gates, uniform starts for their angles, and what templates check."""

import math
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from quilt_func._checks import (
    COMPLEX_OF,
    check_count,
    check_is,
    check_tensor,
    check_wires,
    message,
    short_dtype_or_kind,
)
from quilt_func.gates import cx, rxx, ry, ryy, rz, rzz, u
from quilt_func.ops import Gate, Op
from quilt_func.typing import WireSet

Entangler = str | Iterable[tuple[int, int]]
"""One of "chain", "ring", "pairs", "all", or pairs of wires; see `entangler_pairs`."""

LAYERS_REMEDY = (
    "Layers are its first axis and wires its second; map over an ensemble with `torch.func.vmap`."
)
SAMPLE_REMEDY = "Give one sample; map over a batch with `torch.func.vmap`."


def entangler_pairs(n_qubits: int, entangler: Entangler) -> tuple[WireSet, ...]:
    """Pairs of wires that a layer entangles, in the order in which gates act.

    - `"chain"`: neighbours, (0, 1), (1, 2), ...;
    - `"ring"`: a chain closed by (n - 1, 0); two wires make a chain;
    - `"pairs"`: (0, 1), (2, 3), ..., which commute, then (1, 2), (3, 4), ...;
    - `"all"`: every pair, (0, 1), (0, 2), ..., (n - 2, n - 1).

    Args:
        n_qubits: Number of wires.
        entangler: One of these names, or pairs of your own, which are checked and kept in order.

    Returns:
        Tuples of two wires in `range(n_qubits)`.

    Raises:
        TypeError: If `n_qubits` is not an int, or your pairs are not tuples of two ints.
        ValueError: If the name is unknown, or your pairs repeat a wire or are out of range.

    Transforms:
        None: it has no tensor argument.

    Examples:
        >>> entangler_pairs(4, "ring")
        ((0, 1), (1, 2), (2, 3), (3, 0))
        >>> entangler_pairs(5, "pairs")
        ((0, 1), (2, 3), (1, 2), (3, 4))
    """
    check_count("entangler_pairs", "n_qubits", n_qubits)
    return pairs_of("entangler_pairs", n_qubits, entangler)


def hardware_efficient(
    params: Tensor, entangler: Entangler = "chain", gate: Gate = cx
) -> tuple[Op, ...]:
    """Layers of RY and RZ on every wire, then one fixed gate on pairs of wires.

    Args:
        params (real, (n_layers, n_qubits, 2)): Angles of RY and of RZ, in radians.
        entangler: Which pairs are entangled: a name or pairs, as in `entangler_pairs`.
        gate: Gate of two wires without angles, such as `cx` or `cz`.

    Returns:
        Three ops a layer on wires `range(n_qubits)`; two if there are no pairs.

    Raises:
        TypeError: If `params` is not a real tensor, or `gate` not a gate.
        ValueError: If a shape, the entangler or the gate does not fit.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in `params`.

    Examples:
        >>> from quilt_func import cz
        >>> hardware_efficient(torch.zeros(1, 3, 2), "ring", cz)
        (<ry on (0,), (1,), (2,)>, <rz on (0,), (1,), (2,)>, <cz on (0, 1), (1, 2), (2, 0)>)

    References:
        Kandala et al. (2017), Nature 549, 242.
    """
    form = ("n_layers", "n_qubits", 2)
    check_argument("hardware_efficient", "params", params, form, LAYERS_REMEDY)
    check_gate("hardware_efficient", gate, n_wires=2, n_params=0)
    wires = range(params.shape[1])
    pairs = pairs_of("hardware_efficient", len(wires), entangler)
    entangle = (gate(pairs),) if pairs else ()
    ops: list[Op] = []
    for theta, phi in zip(*params.unbind(-1), strict=True):
        ops += [ry(theta, wires), rz(phi, wires), *entangle]
    return tuple(ops)


def init_hardware_efficient(u: Tensor, *, low: float = 0.0, high: float = 2 * math.pi) -> Tensor:
    """Parameters of `hardware_efficient`: angles uniform in [low, high).

    Args:
        u (real, (n_layers, n_qubits, 2)): Uniform numbers in [0, 1), from `uniforms`.
        low: Smallest angle; `low=-0.1, high=0.1` starts next to the bare entanglers.
        high: Upper end, excluded but for rounding.

    Returns:
        (real, (n_layers, n_qubits, 2)): Angles in radians, of the dtype and device of `u`.

    Raises:
        TypeError: If `u` is not a real tensor.
        ValueError: If its shape does not fit.

    Transforms:
        vmap (an ensemble), grad, jvp.

    Examples:
        >>> from quilt_func import uniforms
        >>> params = init_hardware_efficient(uniforms((2, 3, 2), 0), low=-0.1, high=0.1)
        >>> params.shape, bool((params.abs() <= 0.1).all())
        (torch.Size([2, 3, 2]), True)
    """
    return angles_of("init_hardware_efficient", u, ("n_layers", "n_qubits", 2), low, high)


def strongly_entangling(params: Tensor, gate: Gate = cx) -> tuple[Op, ...]:
    r"""Layers of any rotation on every wire, then a ring of gates between ever farther wires.

    Layer $l$, from 0, entangles the pairs $(i, (i + r) \bmod n)$ with $r = l \bmod (n - 1) + 1$.
    The rotations are `u(θ, φ, λ)`, which is RZ(φ) RY(θ) RZ(λ) with RZ(λ) acting first, up to a
    global phase. PennyLane's `StronglyEntanglingLayers` orders its weights (φ, θ, ω) with
    RZ(φ) acting first: its `weights` are `params = weights[..., [1, 2, 0]]` here.

    Args:
        params (real, (n_layers, n_qubits, 3)): Angles θ, φ, λ of `u`, in radians.
        gate: Gate of two wires without angles, such as `cx` or `cz`.

    Returns:
        Two ops a layer on wires `range(n_qubits)`; one if there is a single wire.

    Raises:
        TypeError: If `params` is not a real tensor, or `gate` not a gate.
        ValueError: If a shape or the gate does not fit.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in `params`.

    Examples:
        >>> [op.wires for op in strongly_entangling(torch.zeros(2, 3, 3))[1::2]]
        [((0, 1), (1, 2), (2, 0)), ((0, 2), (1, 0), (2, 1))]

    References:
        Schuld, Bocharov, Svore and Wiebe (2020), Phys. Rev. A 101, 032308.
    """
    form = ("n_layers", "n_qubits", 3)
    check_argument("strongly_entangling", "params", params, form, LAYERS_REMEDY)
    check_gate("strongly_entangling", gate, n_wires=2, n_params=0)
    n_qubits = params.shape[1]
    ops: list[Op] = []
    for i, angles in enumerate(zip(*params.unbind(-1), strict=True)):
        ops.append(u(*angles, range(n_qubits)))
        if n_qubits > 1:
            reach = i % (n_qubits - 1) + 1
            ops.append(gate([(wire, (wire + reach) % n_qubits) for wire in range(n_qubits)]))
    return tuple(ops)


def init_strongly_entangling(u: Tensor, *, low: float = 0.0, high: float = 2 * math.pi) -> Tensor:
    """Parameters of `strongly_entangling`: angles uniform in [low, high).

    Args:
        u (real, (n_layers, n_qubits, 3)): Uniform numbers in [0, 1), from `uniforms`.
        low: Smallest angle; `low=-0.1, high=0.1` starts next to the bare entanglers.
        high: Upper end, excluded but for rounding.

    Returns:
        (real, (n_layers, n_qubits, 3)): Angles in radians, of the dtype and device of `u`.

    Raises:
        TypeError: If `u` is not a real tensor.
        ValueError: If its shape does not fit.

    Transforms:
        vmap (an ensemble), grad, jvp.

    Examples:
        >>> from quilt_func import uniforms
        >>> init_strongly_entangling(uniforms((2, 4, 3), 0)).shape
        torch.Size([2, 4, 3])
    """
    return angles_of("init_strongly_entangling", u, ("n_layers", "n_qubits", 3), low, high)


def brickwork(params: Tensor) -> tuple[Op, ...]:
    r"""Layers of two-wire bricks on the pairs (0, 1), (2, 3), ..., then on (1, 2), (3, 4), ...

    A brick is `u` on each of its wires, then $\exp(-i (a XX + b YY + c ZZ) / 2)$. With the next
    brick's `u`s it makes any gate of two wires, so that the layers are general brickwork but for
    rotations of the last outputs. At angles of zero every brick is the identity.

    Args:
        params (real, (n_layers, n_qubits - 1, 9)): Angles of the bricks in the order of
            `entangler_pairs(n_qubits, "pairs")`: θ, φ, λ of the first wire, θ, φ, λ of the second,
            then a, b, c; in radians.

    Returns:
        Four ops for the even and four for the odd pairs of a layer, on wires `range(n_qubits)`.

    Raises:
        TypeError: If `params` is not a real tensor.
        ValueError: If its shape does not fit.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in `params`.

    Examples:
        >>> [op.gate.name for op in brickwork(torch.zeros(1, 3, 9))]
        ['u', 'rxx', 'ryy', 'rzz', 'u', 'rxx', 'ryy', 'rzz']

    References:
        Vatan and Williams (2004), Phys. Rev. A 69, 032315 (the brick); Brandão, Harrow and
        Horodecki (2016), Commun. Math. Phys. 346, 397 (random bricks).
    """
    form = ("n_layers", "n_qubits - 1", 9)
    check_argument("brickwork", "params", params, form, LAYERS_REMEDY)
    n_odd = params.shape[1] // 2
    even, odd = params.split([params.shape[1] - n_odd, n_odd], 1)
    layers = zip(even, odd, strict=True)
    return tuple(op for layer in layers for first in (0, 1) for op in _bricks(layer[first], first))


def _bricks(theta: Tensor, first: int) -> tuple[Op, ...]:
    """Bricks side by side, the first of them on the wires `first` and `first + 1`."""
    wires = range(first, first + 2 * theta.shape[0])
    if not wires:
        return ()
    local, canonical = theta.split([6, 3], -1)
    a, b, c = canonical.unbind(-1)
    pairs = list(zip(wires[::2], wires[1::2], strict=True))
    rotations = u(*local.reshape(-1, 3).unbind(-1), wires)
    return rotations, rxx(a, pairs), ryy(b, pairs), rzz(c, pairs)


def init_brickwork(u: Tensor, *, low: float = 0.0, high: float = 2 * math.pi) -> Tensor:
    """Parameters of `brickwork`: angles uniform in [low, high).

    Args:
        u (real, (n_layers, n_qubits - 1, 9)): Uniform numbers in [0, 1), from `uniforms`.
        low: Smallest angle; `low=-0.1, high=0.1` starts next to the identity.
        high: Upper end, excluded but for rounding.

    Returns:
        (real, (n_layers, n_qubits - 1, 9)): Angles in radians, of the dtype and device of `u`.

    Raises:
        TypeError: If `u` is not a real tensor.
        ValueError: If its shape does not fit.

    Transforms:
        vmap (an ensemble), grad, jvp.

    Examples:
        >>> from quilt_func import uniforms
        >>> init_brickwork(uniforms((2, 3, 9), 0)).shape
        torch.Size([2, 3, 9])
    """
    return angles_of("init_brickwork", u, ("n_layers", "n_qubits - 1", 9), low, high)


def angles_of(function: str, u: Any, form: tuple[Any, ...], low: float, high: float) -> Tensor:
    """Uniform numbers of a form, checked, as angles."""
    check_argument(function, "u", u, form, "Draw it with `uniforms(shape, seed)`.")
    angles: Tensor = low + (high - low) * u
    return angles


@lru_cache(maxsize=1024)
def _named_pairs(n: int) -> dict[str, tuple[WireSet, ...]]:
    chain = tuple((i, i + 1) for i in range(n - 1))
    return {
        "chain": chain,
        "ring": chain + (((n - 1, 0),) if n > 2 else ()),
        "pairs": chain[::2] + chain[1::2],
        "all": tuple((i, j) for i in range(n) for j in range(i + 1, n)),
    }


def pairs_of(function: str, n: int, entangler: Any) -> tuple[WireSet, ...]:
    """The pairs of a name, or the checked pairs of a list."""
    named = _named_pairs(n)
    if isinstance(entangler, str):
        if entangler not in named:
            need, got = f"be one of {', '.join(map(repr, named))}", repr(entangler)
            remedy = "Or give pairs of wires: `[(0, 1), (1, 2)]`."
            raise ValueError(message(function, "entangler", entangler, need, got, remedy))
        return named[entangler]
    given = tuple(entangler) if isinstance(entangler, Iterable) else (entangler,)
    for pair in given:
        if not isinstance(pair, tuple) or len(pair) != 2:
            need, remedy = "be a name or pairs of wires", "Write `[(0, 1), (1, 2)]`, with tuples."
            raise TypeError(message(function, "entangler", entangler, need, repr(pair), remedy))
    return tuple(check_wires(function, pair, n, "entangler") for pair in given)


def check_gate(function: str, gate: Any, n_wires: int, n_params: int) -> None:
    """Check that a value is a gate of so many wires and angles."""
    need = f"be a gate of {n_wires} wire(s) and {n_params} angle(s)"
    remedy = f"Give one such as `{'cz' if n_wires == 2 else 'rx'}`, without calling it."
    check_is(function, "gate", gate, Gate, need, remedy)
    if (gate.n_wires, gate.n_params, gate.param_shape) != (n_wires, n_params, ()):
        got = f"one of {gate.n_wires} wire(s) and {gate.n_params} angle(s)"
        raise ValueError(message(function, "gate", gate, need, got, remedy))


def check_argument(
    function: str,
    argument: str,
    given: Any,
    form: tuple[Any, ...],
    remedy: str,
    dtypes: Collection[torch.dtype] = COMPLEX_OF,
) -> None:
    """Check a real tensor's dtype and the form of its shape."""
    fix = "Convert it with `torch.as_tensor(..., dtype=torch.float32)`."
    got = short_dtype_or_kind
    check_tensor(function, argument, given, dtypes, form, remedy, got=got, dtype_remedy=fix)
