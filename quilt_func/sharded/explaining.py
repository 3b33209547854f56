"""What a run over ranks sends and holds, without any ranks: a plan on paper."""

from collections.abc import Iterator
from typing import NamedTuple

from quilt_func._checks import (
    COMPLEX_OF,
    check_count,
    check_number,
    common_dtype_and_device,
    message,
)
from quilt_func._collectives import Ranks
from quilt_func.circuits import Circuit, check_circuit
from quilt_func.evolution import Cost, cost_on_paper
from quilt_func.ops import Op
from quilt_func.sharded.localising import Application, applications, placed, split_leading
from quilt_func.sharded.planning import Schedule, schedule
from quilt_func.sharded.relabelling import relabelled
from quilt_func.sharded.running import check_enough
from quilt_func.typing import WireSet

BUFFERS = 2
"""States of a rank that a run holds: steps go from one to the other, and so do exchanges."""


class StageCost(NamedTuple):
    """An exchange, and the gates up to the next one.

    Attributes:
        incoming: Wires that become local.
        outgoing: Wires that become bits of the rank's number instead.
        sent: Bytes that each rank sends for it.
        cost: What its gates cost each rank.

    Examples:
        >>> from quilt_func import circuit, h, sharded
        >>> found = sharded.plan_sharded(circuit(4, 3 * [h(range(4))]), n_ranks=2)
        >>> found.stages[0].incoming, found.stages[0].sent, found.stages[0].cost.n_gates
        ((), 0, 12)
    """

    incoming: WireSet
    outgoing: WireSet
    sent: int
    cost: Cost


class ShardedPlan(NamedTuple):
    """What a run over ranks sends and holds.

    Attributes:
        n_qubits: Number of wires.
        n_ranks: Number of processes.
        shard: Bytes of each rank's part of the state.
        start: Order of the wires at the start; the first ones are the bits of the rank's number.
        stages: Stages; the first has no exchange.
        order: Order of the wires in the end.

    Examples:
        >>> from quilt_func import circuit, cx, h, sharded
        >>> ring = cx([(0, 1), (1, 2), (2, 3), (3, 0)])
        >>> found = sharded.plan_sharded(circuit(4, 3 * [h(range(4)), ring]), n_ranks=2)
        >>> found.n_exchanges, found.sent, found.memory
        (3, 96, 128)
        >>> found.stages[1].incoming, found.stages[1].outgoing, found.stages[1].cost.n_gates
        ((0,), (3,), 5)
    """

    n_qubits: int
    n_ranks: int
    shard: int
    start: WireSet
    stages: tuple[StageCost, ...]
    order: WireSet

    @property
    def n_exchanges(self) -> int:
        """Number of exchanges."""
        return sum(bool(stage.incoming) for stage in self.stages)

    @property
    def sent(self) -> int:
        """Bytes that each rank sends."""
        return sum(stage.sent for stage in self.stages)

    @property
    def memory(self) -> int:
        """Bytes of states that each rank holds in a run without gradients."""
        return BUFFERS * self.shard

    def seconds(self, bandwidth: float, latency: float = 0.0) -> float:
        """How long the exchanges take, one after the other and beside no arithmetic.

        Args:
            bandwidth: Bytes that each rank sends in a second, to all others together.
            latency: Seconds before the first byte of an exchange.
        """
        return self.n_exchanges * latency + self.sent / bandwidth


def plan_sharded(circuit: Circuit, n_ranks: int) -> ShardedPlan:
    """Find how a circuit is run from |0...0⟩ over ranks, without any: a plan on paper.

    Args:
        circuit: Circuit of gates. Its tensors say the precision alone; without any it is single.
        n_ranks: Number of processes, a power of two.

    Returns:
        The exchanges and what lies between, as `run_sharded` has them.

    Raises:
        TypeError: If `circuit` is no circuit, has channels or instruments, or `n_ranks` is no int.
        ValueError: If `n_ranks` is no power of two, there is no wire left for a rank, or a gate
            moves more wires than a rank has.

    Transforms:
        None: it reads structure only.

    Examples:
        >>> from quilt_func import circuit, cx, h, sharded
        >>> layers = h(range(40)), cx([(wire, wire + 1) for wire in range(39)])
        >>> found = sharded.plan_sharded(circuit(40, 6 * [layers]), n_ranks=1024)
        >>> found.n_exchanges, found.shard // 2**30, round(found.seconds(bandwidth=100e9), 3)
        (1, 8, 0.086)
    """
    return planned("plan_sharded", circuit, n_ranks)


def planned(function: str, circuit: Circuit, n_ranks: int) -> ShardedPlan:
    """The same in the name of a function."""
    ranks = _checked(function, circuit, n_ranks)
    named = relabelled(circuit.n_qubits, applications(circuit.ops))
    leading, gates = split_leading(named.gates)
    demands = tuple(gate.demand for gate in gates)
    found = schedule(circuit.n_qubits, ranks.n_bits, demands, None)
    shard = 2 ** (circuit.n_qubits - ranks.n_bits) * _itemsize(function, circuit)
    stages = tuple(_stages(circuit, leading, gates, found, ranks, shard))
    order = named.by_wires(found.order)
    return ShardedPlan(circuit.n_qubits, n_ranks, shard, found.start, stages, order)


def _stages(
    circuit: Circuit,
    leading: list[Application],
    gates: list[Application],
    found: Schedule,
    ranks: Ranks,
    shard: int,
) -> Iterator[StageCost]:
    order, n_local = found.start, circuit.n_qubits - ranks.n_bits
    for number, stage in enumerate(found.stages):
        incoming: WireSet = ()
        outgoing: WireSet = ()
        if stage.exchange is not None:
            incoming = tuple(order[place] for place in stage.exchange.places)
            outgoing, order = stage.exchange.wires, stage.exchange.order
        before = () if number else leading
        own = [*before, *(gates[one] for one in stage.gates)]
        here = [g for g in own if g not in before or g.wires[0] in order[ranks.n_bits :]]
        ops: list[Op] = list(placed(circuit.ops, here, order, ranks))
        cost = cost_on_paper(n_local, ops, from_zero=not number)
        sent = shard - (shard >> len(incoming))
        yield StageCost(incoming, outgoing, sent, cost._replace(n_gates=len(own)))


def _checked(function: str, circuit: Circuit, n_ranks: int) -> Ranks:
    check_circuit(function, "circuit", circuit)
    refusal = next((op.gate.refusal for op in circuit.ops if op.gate.refusal), "")
    if refusal:
        raise TypeError(refusal)
    check_count(function, "n_ranks", n_ranks, 1)
    if n_ranks & (n_ranks - 1):
        need, remedy = "be a power of two", f"Take {1 << n_ranks.bit_length() - 1} ranks."
        raise ValueError(message(function, "n_ranks", n_ranks, need, f"{n_ranks}", remedy))
    ranks = Ranks(n_ranks)
    check_enough(function, circuit.n_qubits, ranks)
    return ranks


def _itemsize(function: str, circuit: Circuit) -> int:
    """Bytes of an amplitude."""
    kind = common_dtype_and_device(function, circuit.leaves)
    return 8 if kind is None else COMPLEX_OF[kind[0]].itemsize


def explain_sharded(circuit: Circuit, n_ranks: int, bandwidth: float, latency: float) -> str:
    """The table of a plan, as `explain` gives it."""
    found = planned("explain", circuit, n_ranks)
    check_number("explain", "bandwidth", bandwidth, 1.0)
    check_number("explain", "latency", latency)
    costs = [stage.cost for stage in found.stages]
    n_local = found.n_qubits - Ranks(n_ranks).n_bits
    width = max(9, *(len(_listed(s.incoming)) for s in found.stages))
    lines = [
        f"{sum(cost.n_gates for cost in costs)} gates on {found.n_qubits} qubits, {n_ranks} ranks "
        f"of {n_local} wires each: {found.n_exchanges} exchange(s)",
        f"  stage  gates  steps  passes  sent        {'wires in':{width}}  wires out",
    ]
    for number, (stage, cost) in enumerate(zip(found.stages, costs, strict=True), 1):
        line = (
            f"{number:7}  {cost.n_gates:5}  {cost.n_steps:5}  {cost.passes:6}  "
            f"{_size(stage.sent):10}  {_listed(stage.incoming):{width}}  {_listed(stage.outgoing)}"
        )
        lines.append(line.rstrip())
    passes, steps = sum(cost.passes for cost in costs), sum(cost.n_steps for cost in costs)
    return "\n".join([
        *lines,
        f"  total  {steps} steps, {passes} passes over {_size(found.shard)}; each rank sends "
        f"{_size(found.sent)}",
        f" memory  {_size(found.memory)} of each rank: {BUFFERS} states of {_size(found.shard)}",
        f"   time  {found.seconds(bandwidth, latency):.3g} s for exchanges, of "
        f"{bandwidth / 1e9:.3g} GB/s from each rank and {latency:.3g} s of latency",
    ])  # fmt: skip


def _listed(wires: WireSet) -> str:
    return ", ".join(map(str, wires))


def _size(n_bytes: int) -> str:
    """Bytes in the unit that suits them."""
    is_large = n_bytes >= 2**30
    return f"{n_bytes / (2**30 if is_large else 2**20):.3g} {'GiB' if is_large else 'MiB'}"
