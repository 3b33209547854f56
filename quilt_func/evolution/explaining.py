"""What a run costs, told as a table: one line per step of its plan."""

from collections.abc import Sequence

from quilt_func._amplitudes import is_window
from quilt_func.evolution.planner import Plan, plan
from quilt_func.evolution.reversible_run import CHECKPOINTS
from quilt_func.ops import Op


def explain_ops(n_qubits: int, ops: Sequence[Op], itemsize: int) -> str:
    """List the steps of a run from |0...0⟩ with the cost of each.

    Args:
        n_qubits: Number of qubits.
        ops: Ops of unitary gates.
        itemsize: Bytes of an amplitude.
    """
    acting = tuple(op.structure for op in ops if op.wires)
    found = plan(n_qubits, acting, ((),) * len(acting), from_zero=True)
    return explain_plan(found, sum(map(len, ops)), itemsize)


def explain_plan(plan: Plan, n_gates: int, itemsize: int) -> str:
    """List a plan's steps with the cost of each: passes over the state and arithmetic."""
    size = 2**plan.n_qubits
    steps = [step for segment in plan.segments for step in segment.steps]
    lines = [
        f"{n_gates} gates on {plan.n_qubits} qubits: {len(steps)} steps in "
        f"{len(plan.segments)} segments",
        "   step  kind      wires                 gates  state moved       arithmetic",
    ]
    if plan.prefix is not None:
        lines.append(f"{'':7}  product   {_range(range(plan.n_qubits))}")
    for number, step in enumerate(steps, 1):
        price = step.price(plan.n_qubits)
        moved = f"{price.passes} x {2 * size * itemsize / 2**20:.3g} MiB"
        lines.append(
            f"{number:7}  {step.name:8}  {_range(step.wires):20}  {step.n_gates:5}  "
            f"{moved:16}  {size * price.operations / 1e6:.3g} Mflop"
        )
    prices = [step.price(plan.n_qubits) for step in steps]
    work = size * sum(price.operations for price in prices)
    lines.append(
        f"  total  {sum(price.passes for price in prices)} passes over a state of "
        f"{size * itemsize / 2**20:.3g} MiB, {work / 1e6:.3g} Mflop"
    )
    if plan.irreversible:
        lines.append(f"   kept  {_kept(plan, size * itemsize)}")
    return "\n".join(lines)


def _kept(plan: Plan, n_bytes: int) -> str:
    """What a gradient keeps because of steps that cannot be undone."""
    n_fronts = len(plan.irreversible)
    stride = -(-n_fronts // CHECKPOINTS)
    n_states = -(-n_fronts // stride)
    memory = f"{n_states * n_bytes / 2**20:.3g} MiB"
    return f"{n_states} states before steps that cannot be undone, {memory}"


def _range(wires: Sequence[int]) -> str:
    if is_window(tuple(wires)) and len(wires) > 1:
        return f"{wires[0]}-{wires[-1]}"
    return ", ".join(map(str, wires))
