"""How a circuit with channels is run."""

from typing import NamedTuple

import torch
from torch import Tensor

from quilt_func._checks import COMPLEX_OF, common_dtype_and_device
from quilt_func.circuits import Circuit, check_circuit, default_kind
from quilt_func.evolution import cost_of, explain_ops
from quilt_func.gates import linear_gate, unitary_gate
from quilt_func.instruments import (
    Measurement,
    Postselection,
    bits_of,
    check_keys,
    innermost,
)
from quilt_func.noise.branching import check_kraus, check_no_instruments, draws_of
from quilt_func.noise.channels import Channel
from quilt_func.noise.conditioned import without_conditions
from quilt_func.noise.density import doubled
from quilt_func.ops import Gate, Op
from quilt_func.typing import WireSet

STATES_A_DRAW = 5
"""States that reverse mode holds for each branch that depends on the state, as measured: the one
before, its parts for the reduced density matrix, and what the operator's step keeps."""


def explain_density(circuit: Circuit) -> str:
    """Tell how `run_density` runs a circuit: its steps, and what each costs.

    Args:
        circuit: Gates and channels.

    Returns:
        A table, for printing, as of `explain`, of the density matrix as a state of twice as many
        wires: a gate counts for rows and for columns.

    Raises:
        TypeError: If `circuit` is not a circuit.

    Transforms:
        None: it describes a structure.

    Examples:
        >>> from quilt_func import circuit, cx, h, noise
        >>> print(explain_density(circuit(2, h(0), cx(0, 1), noise.bit_flip(0.1, 0))))
        5 gates on 4 qubits: 1 steps in 1 segments
           step  kind      wires                 gates  state moved       arithmetic
                 product   0-3
              1  operator  0-3                       3  1 x 0.000244 MiB  0.00205 Mflop
          total  1 passes over a state of 0.000122 MiB, 0.00205 Mflop
           kept  1 states before steps that cannot be undone, 0.000122 MiB
    """
    check_circuit("explain_density", "circuit", circuit)
    check_no_instruments("explain_density", circuit)
    itemsize = _itemsize("explain_density", circuit)
    return explain_ops(2 * circuit.n_qubits, doubled(circuit.ops), itemsize)


def explain_trajectory(circuit: Circuit) -> str:
    """Tell how `run_trajectory` runs a circuit: which channels wait for the state, and the cost.

    Mixtures of unitaries take their branches first, by their numbers alone. Other channels, and
    instruments, need the state, so that the circuit is run in *stretches*, each up to a wire set of
    such a one.

    Args:
        circuit: Gates, channels whose Kraus operators are known, and instruments.

    Returns:
        A table, for printing: draws of each channel, the cost of each stretch, and the states that
        a gradient keeps.

    Raises:
        TypeError: If `circuit` is not a circuit, or a channel has no Kraus operators.
        ValueError: If an outcome is read before it is measured.

    Transforms:
        None: it describes a structure.

    Examples:
        >>> from quilt_func import circuit, cx, ry, noise
        >>> wires = range(6)
        >>> gates = ry(0.3, wires), cx([(0, 1), (2, 3), (4, 5)])
        >>> flips, damping = noise.bit_flip(0.1, wires), noise.amplitude_damping(0.2, [0, 5])
        >>> print(explain_trajectory(circuit(6, gates, flips, damping, gates)))
        8 draws in 3 stretches
          draws  channel            takes its branch
              6  bit_flip           first
              2  amplitude_damping  by the state
        stretch  gates  steps  passes  arithmetic       up to
              1     15      2       2  0.0102 Mflop     amplitude_damping on (0,)
              2      1      1       1  0.00102 Mflop    amplitude_damping on (5,)
              3     10      2       2  0.0102 Mflop     the end
          total  5 passes over a state of 0.000488 MiB, 0.0215 Mflop
           kept  about 11 states, 0.00537 MiB
    """
    check_circuit("explain_trajectory", "circuit", circuit)
    check_keys("explain_trajectory", circuit)
    size = 2**circuit.n_qubits * _itemsize("explain_trajectory", circuit) / 2**20
    parts, draws = _stretches(circuit), _draws(circuit)
    costs = [
        cost_of(circuit.n_qubits, part.ops, from_zero=not number)
        for number, part in enumerate(parts)
    ]
    width = max([len("channel"), *map(len, draws)])
    n_draws = sum(count for count, _ in draws.values())
    lines = [
        f"{n_draws} draws in {len(parts)} stretches",
        f"  draws  {'channel':{width}}  takes its branch",
    ]
    for name, (count, when) in draws.items():
        lines.append(f"{count:7}  {name:{width}}  {when}")
    lines.append("stretch  gates  steps  passes  arithmetic       up to")
    for number, (part, cost) in enumerate(zip(parts, costs, strict=True), 1):
        work = f"{cost.operations / 1e6:.3g} Mflop"
        lines.append(
            f"{number:7}  {cost.n_gates:5}  {cost.n_steps:5}  {cost.passes:6}  {work:15}  "
            f"{part.end}"
        )
    passes, work = sum(c.passes for c in costs), f"{sum(c.operations for c in costs) / 1e6:.3g}"
    lines.append(f"  total  {passes} passes over a state of {size:.3g} MiB, {work} Mflop")
    n_waiting = len(parts) - 1
    kept = 1 + STATES_A_DRAW * n_waiting if n_waiting else 1 + costs[0].kept
    about = "about " if n_waiting else ""
    lines.append(f"   kept  {about}{kept} states, {kept * size:.3g} MiB")
    return "\n".join(lines)


class _Stretch(NamedTuple):
    """Ops that are run at once, and what they are run for."""

    ops: list[Op]
    end: str


def _stretches(circuit: Circuit) -> list[_Stretch]:
    """What `run_trajectory` runs between branches that depend on the state."""
    kind = default_kind("explain_trajectory", circuit.leaves, None, None)
    bits: dict[str, Tensor] = {}
    found: list[_Stretch] = []
    waiting: list[Op] = []
    given = torch.empty(0)  # in place of matrices
    for op in circuit.ops:
        acting, _ = without_conditions(op, bits, *kind)
        row = acting.gate
        bits |= bits_of(row)
        if isinstance(row, Channel) and row.mixture is not None:
            waiting.append(Op(unitary_gate(row.n_wires), op.wires, (given,)))
        elif isinstance(row, Channel | Measurement | Postselection):
            for wires in op.wires:
                found.append(_Stretch(waiting, f"{op.gate.name} on {wires}"))
                waiting = [_taken(row, wires, given)]
        else:
            waiting.append(acting)
    return [*found, _Stretch(waiting, "the end")]


def _taken(row: Gate, wires: WireSet, given: Tensor) -> Op:
    """What waits after a branch was taken: an operator, or projectors."""
    if isinstance(row, Channel):
        check_kraus("explain_trajectory", row)
        return Op(linear_gate(row.n_wires), (wires,), (given,))
    return Op(linear_gate(1), tuple((wire,) for wire in wires), (given,))


def _draws(circuit: Circuit) -> dict[str, tuple[int, str]]:
    """How many draws the channels and instruments of each name take, and when."""
    found: dict[str, tuple[int, str]] = {}
    for op in circuit.ops:
        own, row, name = draws_of(op), innermost(op.gate), op.gate.name
        if own or isinstance(row, Channel):
            is_mixture = isinstance(row, Channel) and row.mixture is not None
            before = found[name][0] if name in found else 0
            found[name] = before + own, "first" if is_mixture else "by the state"
    return found


def trajectory_cost(circuit: Circuit) -> tuple[int, int, int]:
    """Uniform numbers of a trajectory, its stretches, and the passes over its state."""
    parts = _stretches(circuit)
    passes = (
        cost_of(circuit.n_qubits, part.ops, from_zero=not number).passes
        for number, part in enumerate(parts)
    )
    return sum(map(draws_of, circuit.ops)), len(parts), sum(passes)


def _itemsize(function: str, circuit: Circuit) -> int:
    """Bytes of an amplitude."""
    kind = common_dtype_and_device(function, circuit.leaves)
    return 8 if kind is None else COMPLEX_OF[kind[0]].itemsize
