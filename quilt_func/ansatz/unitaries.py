"""Fixed unitaries as circuit parts: any gate of two wires, Fourier transforms, orders of wires."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor

from quilt_func._checks import check_count, check_is, check_wires, describe, message, shape_error
from quilt_func.ansatz.layers import check_argument
from quilt_func.circuits import circuit
from quilt_func.gates import cp, h, rxx, ryy, rzz, swap, u
from quilt_func.ops import Op
from quilt_func.typing import WireSet


def two_qubit_unitary(
    params: Tensor, pairs: Iterable[tuple[int, int]] = ((0, 1),)
) -> tuple[Op, ...]:
    r"""Any unitary of two wires, on one or many pairs: `u`s, a canonical gate, `u`s.

    By Cartan's decomposition every element of SU(4) is, up to a global phase,
    $(k_1 \otimes k_2) \exp(-\frac{i}{2} (a XX + b YY + c ZZ)) (k_3 \otimes k_4)$ with $k_i$ in
    SU(2). At angles of zero it is the identity.

    Args:
        params (real, (15,) or (n_pairs, 15)): Angles that all pairs share, or those of each: θ, φ,
            λ of the first wire and of the second, then a, b, c, then θ, φ, λ of both once more; in
            radians.
        pairs: Pairs of wires, which act in the order listed.

    Returns:
        Five ops for each run of pairs that have no wire in common.

    Raises:
        TypeError: If `params` is not a real tensor, or a pair not a tuple of ints.
        ValueError: If its shape does not fit, or a pair repeats a wire.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in `params`.

    Examples:
        >>> import torch
        >>> [op.gate.name for op in two_qubit_unitary(torch.zeros(15), [(0, 1), (2, 3)])]
        ['u', 'rxx', 'ryy', 'rzz', 'u']

    References:
        Khaneja and Glaser (2001), Chem. Phys. 267, 11; Vatan and Williams (2004), Phys. Rev. A 69,
        032315.
    """
    sets = _pairs("two_qubit_unitary", pairs)
    remedy = "Give 15 angles, or 15 for each pair; map over an ensemble with `torch.func.vmap`."
    check_argument("two_qubit_unitary", "params", params, (...,), remedy)
    if params.shape not in ((15,), (len(sets), 15)):
        need = f"have shape (15,) or ({len(sets)}, 15)"
        raise shape_error("two_qubit_unitary", "params", params, need, remedy)
    ops: list[Op] = []
    for first, last in _disjoint_runs(sets):
        ops += _block(params if params.ndim == 1 else params[first:last], sets[first:last])
    return tuple(ops)


def _block(params: Tensor, pairs: Sequence[WireSet]) -> tuple[Op, ...]:
    """Blocks on pairs that have no wire in common."""
    wires = [wire for pair in pairs for wire in pair]
    angles = params.expand(len(pairs), 15)
    before, canonical, after = angles.split([6, 3, 6], -1)
    a, b, c = canonical.unbind(-1)
    first, last = (u(*one.reshape(-1, 3).unbind(-1), wires) for one in (before, after))
    return first, rxx(a, pairs), ryy(b, pairs), rzz(c, pairs), last


def _disjoint_runs(pairs: Sequence[WireSet]) -> list[tuple[int, int]]:
    """Ranges of neighbours in a list that have no wire in common, as long as can be."""
    found, first, used = [], 0, set[int]()
    for i, pair in enumerate(pairs):
        if used & {*pair}:
            found.append((first, i))
            first, used = i, set()
        used |= {*pair}
    return [*found, (first, len(pairs))] if pairs else []


def _pairs(function: str, given: Any) -> list[WireSet]:
    """Check pairs of wires."""
    need, remedy = "be pairs of wires", "Write `[(0, 1)]` for one pair, with a tuple."
    check_is(function, "pairs", given, Iterable, need, remedy)
    pairs = list(given)
    for pair in pairs:
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise TypeError(message(function, "pairs", given, need, describe(pair), remedy))
    n = 1 + max((wire for pair in pairs for wire in pair if isinstance(wire, int)), default=1)
    return [check_wires(function, pair, n, "pairs") for pair in pairs]


def qft(n_qubits: int, *, swaps: bool = True) -> tuple[Op, ...]:
    r"""Quantum Fourier transform, $|j⟩ \mapsto 2^{-n/2} \sum_k e^{2πi jk / 2^n} |k⟩$.

    Numbers are read with wire 0 as their most significant bit, before and after.

    Args:
        n_qubits: Number of wires.
        swaps: Whether the last gates put the wires in order. Without them the result is read in
            reverse: its most significant bit is on the last wire.

    Returns:
        `h` and `cp` on wires `range(n_qubits)`, and an op of exchanges.

    Raises:
        TypeError: If `n_qubits` is not an int, or `swaps` not a bool.
        ValueError: If `n_qubits` is negative.

    Transforms:
        None: it has no tensor argument.

    Examples:
        >>> from quilt_func import circuit
        >>> circuit(3, qft(3)).gate_counts
        {'h': 3, 'cp': 3, 'swap': 1}

    References:
        Nielsen and Chuang (2010), section 5.1.
    """
    check_count("qft", "n_qubits", n_qubits)
    return _qft(n_qubits, swaps, "qft")


def inverse_qft(n_qubits: int, *, swaps: bool = True) -> tuple[Op, ...]:
    r"""Inverse of `qft`, $|k⟩ \mapsto 2^{-n/2} \sum_j e^{-2πi jk / 2^n} |j⟩$.

    Args:
        n_qubits: Number of wires.
        swaps: Whether the first gates put the wires in order; as in `qft`.

    Returns:
        The gates of `qft` in reverse.

    Raises:
        TypeError: If `n_qubits` is not an int, or `swaps` not a bool.
        ValueError: If `n_qubits` is negative.

    Transforms:
        None: it has no tensor argument.

    Examples:
        >>> from quilt_func import basis_state, circuit, probs
        >>> waves = circuit(2, qft(2))(basis_state("10"))
        >>> probs(circuit(2, inverse_qft(2))(waves)).round()
        tensor([0., 0., 1., 0.])

    References:
        Nielsen and Chuang (2010), section 5.1.
    """
    check_count("inverse_qft", "n_qubits", n_qubits)
    return circuit(n_qubits, _qft(n_qubits, swaps, "inverse_qft")).inverse().ops


def _qft(n: int, swaps: bool, function: str) -> tuple[Op, ...]:
    check_is(function, "swaps", swaps, bool, "be a bool", "Write True or False.")
    ops: list[Op] = []
    for wire in range(n):
        ops.append(h(wire))
        ops += [cp(math.pi / 2 ** (other - wire), other, wire) for other in range(wire + 1, n)]
    return (*ops, *(permute_wires(range(n)[::-1]) if swaps else ()))


def permute_wires(order: Iterable[int]) -> tuple[Op, ...]:
    """Exchange wires: wire `i` gets what was on wire `order[i]`, as axes in `torch.permute`.

    Args:
        order: Each of the wires `range(n)` once.

    Returns:
        One op of `swap`s, no more than are needed; none if every wire stays.

    Raises:
        TypeError: If a wire is not an int.
        ValueError: If a wire repeats, or is missing.

    Transforms:
        None: it has no tensor argument.

    Examples:
        >>> from quilt_func import basis_state, circuit
        >>> circuit(3, permute_wires([2, 0, 1]))(basis_state("100")).real
        tensor([0., 0., 1., 0., 0., 0., 0., 0.])

    References:
        Knuth (1997), The Art of Computer Programming 1, section 1.3.3, for cycles.
    """
    remedy = "Give each wire once: `[2, 0, 1]`."
    check_is("permute_wires", "order", order, Iterable, "be a sequence of wires", remedy)
    listed = tuple(order)
    wanted = check_wires("permute_wires", listed, len(listed), "order")
    content, pairs = list(range(len(wanted))), []
    for wire, source in enumerate(wanted):
        other = content.index(source)
        if other != wire:
            pairs.append((wire, other))
            content[wire], content[other] = content[other], content[wire]
    return (swap(pairs),) if pairs else ()
