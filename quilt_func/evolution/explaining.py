"""What a run costs, told as a table: one line per step of its plan."""

from collections.abc import Sequence
from typing import NamedTuple

from quilt_func._amplitudes import is_window
from quilt_func.evolution.planner import CHECKPOINTS, Plan, cut, plan
from quilt_func.evolution.signature import joined_keys
from quilt_func.evolution.steps import OPERATOR, BatchKey, WireOrder
from quilt_func.ops import Op, Structure


class Cost(NamedTuple):
    """What a run costs.

    Attributes:
        n_gates: Number of gates.
        n_steps: Number of steps that they are fused to.
        passes: How often the state is gone through.
        operations: Real operations.
        kept: States before steps that cannot be undone, which a gradient keeps.
    """

    n_gates: int
    n_steps: int
    passes: int
    operations: int
    kept: int


def cost_of(
    n_qubits: int, ops: Sequence[Op], *, from_zero: bool, mapped: Sequence[bool] | None = None
) -> Cost:
    """The cost of a run from |0...0⟩, or from any other state.

    Args:
        n_qubits: Number of qubits.
        ops: Ops in order.
        from_zero: Whether it starts from |0...0⟩.
        mapped: Whether the parameters of each op are mapped over; default: none are.
    """
    return _cost(n_qubits, ops, _plan(n_qubits, ops, from_zero, mapped))


def cost_on_paper(n_qubits: int, ops: Sequence[Op], *, from_zero: bool) -> Cost:
    """The same without a plan, whose tables are as large as a state's square root, or larger."""
    structures, keys = _acting(n_qubits, ops)
    _, parts = cut(n_qubits, structures, keys, from_zero)
    prices = [kind.price(n_qubits, wires, len(gates)) for kind, wires, gates in parts]
    passes = sum(price.passes for price in prices)
    work = 2**n_qubits * sum(price.operations for price in prices)
    n_irreversible = sum(part.kind is OPERATOR for part in parts)
    stride = -(-n_irreversible // CHECKPOINTS) or 1
    return Cost(sum(map(len, ops)), len(parts), passes, work, -(-n_irreversible // stride))


def explain_ops(n_qubits: int, ops: Sequence[Op], itemsize: int) -> str:
    """List the steps of a run from |0...0⟩ with the cost of each: passes and arithmetic.

    Args:
        n_qubits: Number of qubits.
        ops: Ops in order.
        itemsize: Bytes of an amplitude.
    """
    found = _plan(n_qubits, ops, True)
    cost = _cost(n_qubits, ops, found)
    size, mib = 2**n_qubits, 2**n_qubits * itemsize / 2**20
    lines = [
        f"{cost.n_gates} gates on {n_qubits} qubits: {cost.n_steps} steps in "
        f"{len(found.segments)} segments",
        "   step  kind      wires                 gates  state moved       arithmetic",
    ]
    if found.prefix is not None:
        lines.append(f"{'':7}  product   {_range(range(n_qubits))}")
    order: tuple[int, ...] = tuple(range(n_qubits))
    for number, step in enumerate(found.steps, 1):
        if isinstance(step, WireOrder):
            order = tuple(order[place] for place in step.order)
        wires = sorted(order[place] for place in step.wires)
        price = step.price(n_qubits)
        moved = f"{price.passes} x {2 * mib:.3g} MiB"
        lines.append(
            f"{number:7}  {step.name:8}  {_range(wires):20}  {step.n_gates:5}  "
            f"{moved:16}  {size * price.operations / 1e6:.3g} Mflop"
        )
    work = f"{cost.operations / 1e6:.3g} Mflop"
    lines.append(f"  total  {cost.passes} passes over a state of {mib:.3g} MiB, {work}")
    if found.irreversible:  # what a gradient keeps because of them
        memory = f"{cost.kept * mib:.3g} MiB"
        lines.append(f"   kept  {cost.kept} states before steps that cannot be undone, {memory}")
    return "\n".join(lines)


def _plan(
    n_qubits: int, ops: Sequence[Op], from_zero: bool, mapped: Sequence[bool] | None = None
) -> Plan:
    acting, keys = _acting(n_qubits, ops, mapped)
    return plan(n_qubits, acting, keys, from_zero=from_zero)


def _acting(
    n_qubits: int, ops: Sequence[Op], mapped: Sequence[bool] | None = None
) -> tuple[tuple[Structure, ...], tuple[BatchKey, ...]]:
    """Structures of the ops that act on some wires, and their batch keys."""
    flags = mapped or [False] * len(ops)
    pairs = [(op.structure, flag) for op, flag in zip(ops, flags, strict=True) if op.wires]
    acting = tuple(structure for structure, _ in pairs)
    return acting, joined_keys(n_qubits, acting, tuple((0,) if flag else () for _, flag in pairs))


def _cost(n_qubits: int, ops: Sequence[Op], found: Plan) -> Cost:
    prices = [step.price(n_qubits) for step in found.steps]
    passes = sum(price.passes for price in prices)
    work = 2**n_qubits * sum(price.operations for price in prices)
    kept = len(found.checkpoints) if found.irreversible else 0
    return Cost(sum(map(len, ops)), len(found.steps), passes, work, kept)


def _range(wires: Sequence[int]) -> str:
    if is_window(tuple(wires)) and len(wires) > 1:
        return f"{wires[0]}-{wires[-1]}"
    return ", ".join(map(str, wires))
