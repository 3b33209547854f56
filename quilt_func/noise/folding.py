r"""Circuits that do the same with more gates, and so with more noise.

A gate `G` and `G G† G` are the same map. Where each gate comes with noise, the second has three
times as much. Folding makes any number of gates from that of the circuit on, in steps of two.

References:
    Giurgica-Tiron, Hindy, LaRose, Mari and Zeng (2020), arXiv:2005.10921, section II.
"""

from itertools import pairwise
from math import floor

from quilt_func._checks import check_number, message
from quilt_func.circuits import Circuit, check_circuit
from quilt_func.noise.channels import Channel
from quilt_func.noise.model import slots_of, without_overlap
from quilt_func.ops import Op


def fold_global(circuit: Circuit, scale: float) -> Circuit:
    """The circuit followed by its inverse and itself, so often that it has `scale` times the gates.

    What is left of a scale that is no odd integer is done by the last gates, which are undone and
    done again. The number of gates grows in steps of two; `folding_scale` tells what was reached.

    Args:
        circuit: Gates; noise is put on the result.
        scale: How many times as many gates, at least 1; a Python number.

    Returns:
        A circuit of the same unitary.

    Raises:
        TypeError: If `circuit` is not a circuit or holds a channel, or `scale` is no number.
        ValueError: If there is no gate, one is not known to be unitary, or `scale` is below 1.

    Transforms:
        vmap, grad, jvp, hessian, in the circuit's leaves.

    Examples:
        >>> from quilt_func import circuit, h, s
        >>> fold_global(circuit(1, h(0), s(0)), 3)
        Circuit(1 qubits, 6 gates)
        q0: ─H──S──S†──H──H──S─
        >>> fold_global(circuit(1, h(0), s(0)), 2)
        Circuit(1 qubits, 4 gates)
        q0: ─H──S──S†──S─

    References:
        Giurgica-Tiron et al. (2020), arXiv:2005.10921, section II.A.
    """
    times, rest = divmod(_n_folds("fold_global", circuit, scale), circuit.n_gates)
    there_and_back = (*_undone(circuit.ops), *circuit.ops)
    last = _last(circuit, rest)
    ops = (*circuit.ops, *there_and_back * times, *_undone(last), *last)
    return Circuit(circuit.n_qubits, ops)


def fold_gates(circuit: Circuit, scale: float) -> Circuit:
    """Each gate followed by its inverse and itself, so often that `scale` times as many come out.

    Of a scale that is no odd integer some gates do one more, spread evenly over the circuit. The
    number of gates grows in steps of two; `folding_scale` tells what was reached.

    Args:
        circuit: Gates; noise is put on the result.
        scale: How many times as many gates, at least 1; a Python number.

    Returns:
        A circuit of the same unitary.

    Raises:
        TypeError: If `circuit` is not a circuit or holds a channel, or `scale` is no number.
        ValueError: If there is no gate, one is not known to be unitary, or `scale` is below 1.

    Transforms:
        vmap, grad, jvp, hessian, in the circuit's leaves.

    Examples:
        >>> from quilt_func import circuit, h, s
        >>> fold_gates(circuit(1, h(0), s(0)), 3)
        Circuit(1 qubits, 6 gates)
        q0: ─H──H──H──S──S†──S─

    References:
        Giurgica-Tiron et al. (2020), arXiv:2005.10921, section II.B.
    """
    n_folds, n_gates = _n_folds("fold_gates", circuit, scale), circuit.n_gates
    ops: list[Op] = []
    first = 0
    for op in without_overlap(circuit.ops):
        bounds = [(first + slot) * n_folds // n_gates for slot in range(len(op) + 1)]
        folds = [high - low for low, high in pairwise(bounds)]
        for times in sorted(set(folds)):
            part = slots_of(op, [slot for slot, own in enumerate(folds) if own == times])
            ops += [part, *(part.inverse(), part) * times]
        first += len(op)
    return Circuit(circuit.n_qubits, tuple(ops))


def folding_scale(folded: Circuit, circuit: Circuit) -> float:
    """How many times as many gates one circuit has as another: the scale that folding reached.

    Args:
        folded: Circuit; its channels do not count.
        circuit: Circuit with a gate.

    Returns:
        The ratio.

    Raises:
        TypeError: If one is not a circuit.
        ValueError: If `circuit` has no gate.

    Transforms:
        None: it reads structures.

    Examples:
        >>> from quilt_func import circuit, h, s
        >>> plain = circuit(1, h(0), s(0), h(0))
        >>> [round(folding_scale(fold_global(plain, scale), plain), 4) for scale in (1.4, 2, 3)]
        [1.6667, 2.3333, 3.0]
    """
    check_circuit("folding_scale", "folded", folded)
    check_circuit("folding_scale", "circuit", circuit)
    return _n_gates(folded) / _some_gates("folding_scale", circuit)


def check_gates_only(function: str, circuit: object, first: str) -> Circuit:
    """Check that a circuit holds no channels; `first` is what to do before noise is put on it."""
    check_circuit(function, "circuit", circuit)
    assert isinstance(circuit, Circuit)
    for op in circuit.ops:
        if isinstance(op.gate, Channel):
            need, got = "hold gates only", f"the channel {op.gate.name}"
            remedy = f"{first} first, then put noise on with `with_noise`."
            raise TypeError(message(function, "circuit", op, need, got, remedy))
    return circuit


def _n_folds(function: str, circuit: Circuit, scale: float) -> int:
    """How many gates are to be undone and done again, after checks."""
    check_gates_only(function, circuit, "Fold")
    check_number(function, "scale", scale, 1.0)
    for op in circuit.ops:
        if op.gate.inverse is None:
            need, got = "hold unitary gates", f"{op.gate.name}, which is not known to be"
            remedy = "Fold the parts before and after it."
            raise ValueError(message(function, "circuit", op, need, got, remedy))
    return floor((scale - 1) * _some_gates(function, circuit) / 2 + 0.5)


def _some_gates(function: str, circuit: Circuit) -> int:
    found = _n_gates(circuit)
    if not found:
        need, remedy = "hold a gate", "Without gates there is nothing to fold."
        raise ValueError(message(function, "circuit", circuit, need, "none", remedy))
    return found


def _n_gates(circuit: Circuit) -> int:
    return sum(len(op) for op in circuit.ops if not isinstance(op.gate, Channel))


def _undone(ops: tuple[Op, ...]) -> tuple[Op, ...]:
    return tuple(op.inverse() for op in reversed(ops))


def _last(circuit: Circuit, n_gates: int) -> tuple[Op, ...]:
    """The ops of the last gates."""
    found: list[Op] = []
    for op in reversed(circuit.ops):
        kept = min(len(op), n_gates)
        found += [slots_of(op, range(len(op) - kept, len(op)))] if kept else []
        n_gates -= kept
    return tuple(reversed(found))
