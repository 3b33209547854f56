r"""A gate chosen by a number: which gate acts is data, as its angle is.

Every gate of a list is a sum of waves in its angle, $\sum_f e^{-i θ ω_f / 2} P_f$: the frequencies
$ω_f$ are eigenvalues of its generator and $P_f$ the projectors on their eigenspaces; a constant
gate is one wave of frequency 0. So one table of matrices, read at an index, serves them all.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor

from quilt_func._checks import (
    COMPLEX_OF,
    a_kind,
    check_is,
    check_tensor,
    check_wires,
    describe,
    is_index,
    message,
)
from quilt_func._torch import constant, remembered
from quilt_func.gates import unitary_gate
from quilt_func.ops import Gate, Matrix, Op, make_op, parse_wires
from quilt_func.typing import WireSet

Candidates: TypeAlias = Sequence[Gate | tuple[Gate, tuple[int, ...]]]
"""Gates, or pairs of a gate and its places in a set of wires: `[ry, (ry, (1,)), (cx, (1, 0))]`."""

Placed: TypeAlias = tuple[tuple[Gate, WireSet], ...]

_INTS = (torch.int64, torch.int32)
_MAX_WIRES = 6
"""A wider choice's tables would outgrow a block."""


def choice(gates: Candidates, index: Tensor | int, theta: Tensor, *wires: Any) -> Op:
    r"""Apply the gate that a number chooses from a list, so that structures are data.

    With the index as a tensor, circuits of other gates differ in values alone: they map over a
    batch, and a hundred of them train at once. A gate of fewer wires than the widest acts on the
    first of a set, and leaves the others alone; `(gate, places)` puts it elsewhere, as `(ry, (1,))`
    on the second. Constant gates ignore the angle: their derivative is 0, as it should be. What
    acts is a matrix, so there is no rule of shifts for it and no text: `parameter_shift` and
    `to_qasm` want the gate itself.

    Args:
        gates: Unitary gates of at most one angle, which have a generator if they have an angle;
            or pairs of such a gate and its places in a set of wires.
        index (int64 or int32, () or (m,)): Which gate acts, from 0 up; or a Python int. What a
            tensor holds is not checked here: torch refuses numbers out of range where it reads
            them, on a CPU with an `IndexError`.
        theta (real, () or (m,)): Angle in radians of the gate that is chosen.
        *wires: As many ints as the widest gate has wires, or one iterable of wire sets.

    Returns:
        One op of matrices, as of `unitary`: unitary, differentiable in `theta`.

    Raises:
        TypeError: If the gates are no gates, `index` holds no ints, or `theta` is no real tensor.
        ValueError: If there are no gates, one has two angles, no generator or is not unitary, a
            Python index is out of range, or a shape does not fit.

    Transforms:
        vmap (over the index too), grad, jvp, hessian; differentiable in `theta`.

    Examples:
        >>> from torch.func import vmap
        >>> from quilt_func import circuit, expval, id, pauli_sum, rx, ry, rzz
        >>> def energy(index, theta):
        ...     op = choice([id, rx, ry, rzz], index, theta, 0, 1)
        ...     return expval(circuit(2, op)(), pauli_sum({"ZI": 1.0}))
        >>> index, theta = torch.tensor([0, 1, 2, 3]), torch.tensor(torch.pi / 3)
        >>> vmap(energy, (0, None))(index, theta)
        tensor([1.0000, 0.5000, 0.5000, 1.0000])

    References:
        Du et al. (2022), npj Quantum Inf. 8, 62, and Zhang et al. (2022), Quantum Sci. Technol. 7,
        045023, for structures of circuits that are searched among many.
    """
    placed = _placed(gates)
    n_wires = 1 + max(place for _, places in placed for place in places)
    sets = parse_wires(_form(n_wires), wires)
    chosen = _checked_index(index, len(placed), len(sets))
    check_tensor("choice", "theta", theta, COMPLEX_OF, (...,), "Write `torch.tensor(theta)`.")
    if theta.shape not in ((), (len(sets),)):
        need = f"have shape () or ({len(sets)},)"
        got = f"shape {tuple(theta.shape)} for {len(sets)} wire set(s)"
        remedy = "Give one angle per wire set, or one for all; map over a batch with `vmap`."
        raise ValueError(message("choice", "theta", theta, need, got, remedy))
    matrices = _chosen(placed, n_wires, chosen, theta)
    return make_op(unitary_gate(n_wires), (matrices.expand(len(sets), -1, -1),), sets)


def _chosen(placed: Placed, n_wires: int, index: Tensor | int, theta: Tensor) -> Tensor:
    """Matrices `(m or 1, K, K)` of the gates of an index, at an angle."""
    frequencies, parts = _tables(placed, n_wires, COMPLEX_OF[theta.dtype], theta.device)
    if isinstance(index, Tensor):
        own = parts.index_select(0, index.to(theta.device).reshape(-1))
    else:
        own = parts[index : index + 1]
    phases = theta.reshape(-1, 1) * frequencies
    waves = torch.complex(phases.cos(), -phases.sin())[..., None, None]
    found: Tensor = (waves * own).sum(1)
    return found


@remembered(256)
def _tables(
    placed: Placed, n_wires: int, dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Half the frequencies `(n_waves,)`, and their parts `(n_gates, n_waves, K, K)`."""
    waves = [_waves(gate, places, n_wires) for gate, places in placed]
    found = sorted({frequency for parts in waves for frequency in parts})
    zero = np.zeros((2**n_wires, 2**n_wires), dtype=np.complex128)
    table = np.array([[parts.get(frequency, zero) for frequency in found] for parts in waves])
    halves = np.array(found) / 2
    return constant(halves, dtype.to_real(), device), constant(table, dtype, device)


def _waves(gate: Gate, places: WireSet, n_wires: int) -> dict[float, Matrix]:
    """The parts of a gate's matrix by their frequency, on a set of wires."""
    if not callable(gate.matrix):
        return {0.0: _on_places(gate.matrix, places, n_wires)}
    assert gate.generator is not None
    values, vectors = np.linalg.eigh(gate.generator)
    keys = np.round(values, _DIGITS) + 0.0
    return {
        float(key): _on_places(
            vectors[:, keys == key] @ vectors[:, keys == key].conj().T, places, n_wires
        )
        for key in np.unique(keys)
    }


_DIGITS = 12
"""Eigenvalues that agree in these decimals are one: far above rounding, far below real gaps."""


def _on_places(matrix: Matrix, places: WireSet, n_wires: int) -> Matrix:
    """A matrix on some wires of a set, as one on all of them."""
    rest = [wire for wire in range(n_wires) if wire not in places]
    wide = np.kron(matrix, np.eye(2 ** len(rest))).reshape((2,) * (2 * n_wires))
    order = np.argsort([*places, *rest])
    moved = wide.transpose([*order, *(order + n_wires)])
    return np.ascontiguousarray(moved.reshape(2**n_wires, 2**n_wires))


class _Asked(NamedTuple):
    """What an entry of the list stands for, before it is checked."""

    gate: Any
    places: Any


def _placed(gates: Any) -> Placed:
    """The checked gates of a list, each with its places."""
    need = "be a list of gates, or of pairs of a gate and its places"
    remedy = "Write `[rx, ry, (cx, (1, 0))]`."
    if not isinstance(gates, list | tuple):
        raise TypeError(message("choice", "gates", gates, need, a_kind(gates), remedy))
    if not gates:
        raise ValueError(message("choice", "gates", gates, need, "none", remedy))
    return tuple(_entry(gates, entry) for entry in gates)


def _entry(gates: Any, entry: Any) -> tuple[Gate, WireSet]:
    is_pair = isinstance(entry, tuple) and len(entry) == 2
    asked = _Asked(*entry) if is_pair else _Asked(entry, None)
    need, remedy = "hold gates, or pairs of a gate and its places", "Write `[rx, (cx, (1, 0))]`."
    check_is("choice", "gates", asked.gate, Gate, need, remedy)
    gate: Gate = asked.gate
    _check_candidate(gate)
    if asked.places is None:
        return gate, tuple(range(gate.n_wires))
    places = check_wires("choice", asked.places, _MAX_WIRES, "gates")
    if len(places) != gate.n_wires:
        need = f"give {gate.n_wires} place(s) to `{gate.name}`"
        remedy = "Give one for each of its wires."
        raise ValueError(message("choice", "gates", gates, need, f"{places}", remedy))
    return gate, places


def _check_candidate(gate: Gate) -> None:
    """Check that a gate is one whose matrix is a sum of waves in one angle."""
    got = remedy = ""
    if gate.refusal or "unitary" not in gate.tags:
        got, remedy = "one that is not unitary", "Apply it beside the choice."
    elif gate.n_params > 1 or gate.param_shape:
        got, remedy = f"one of {gate.n_params} parameter(s)", "Choose among `rx`, `ry` and `rz`."
        if gate.param_shape:
            got, remedy = "one of a matrix", "Choose the matrix itself, and apply it by `unitary`."
    elif gate.n_params and gate.generator is None:
        got, remedy = "one without a generator", "Give it one: `@gate(generator=G, ...)`."
    elif gate.n_wires > _MAX_WIRES:
        got, remedy = f"one of {gate.n_wires} wires", f"Choose among gates of {_MAX_WIRES} or less."
    if got:
        need = "hold unitary gates of at most one angle"
        raise ValueError(message("choice", "gates", gate, need, got, remedy))


def _checked_index(index: Any, n_gates: int, m: int) -> Tensor | int:
    """An index of a kind and a shape that fit."""
    remedy = f"Give ints from 0 to {n_gates - 1}."
    kind = "be an int or a tensor of ints"
    if isinstance(index, Tensor):
        check_tensor("choice", "index", index, _INTS, (...,), remedy, need=kind)
        if index.shape in ((), (m,)):
            return index
        need, got = f"have shape () or ({m},)", f"shape {tuple(index.shape)} for {m} wire set(s)"
        raise ValueError(message("choice", "index", index, need, got, remedy))
    if isinstance(index, bool) or not is_index(index):
        raise TypeError(message("choice", "index", index, kind, describe(index), remedy))
    number = int(index)
    if not 0 <= number < n_gates:
        need = f"be in range({n_gates})"
        raise ValueError(message("choice", "index", index, need, f"{number}", remedy))
    return number


@lru_cache
def _form(n_wires: int) -> Gate:
    """How it is called, for messages about wires."""
    names = ("gates", "index", "theta")
    return Gate(
        "choice", n_wires, len(names), np.eye(2**n_wires, dtype=np.complex128), param_names=names
    )
