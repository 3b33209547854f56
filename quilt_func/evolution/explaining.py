"""What a run costs, told as a table: one line per step of its plan."""

from collections.abc import Sequence

from quilt_func.evolution.planner import Block, Move, Plan, Shift, Step, plan
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
    n_segments = len(plan.segments)
    steps = [(s, step) for s in plan.segments for step in s.steps]
    lines = [
        f"{n_gates} gates on {plan.n_qubits} qubits: {len(steps)} steps in {n_segments} segments",
        "   step  kind     wires                 gates  state moved       arithmetic",
    ]
    if plan.prefix is not None:
        lines.append(f"{'':7}  product  {_range(range(plan.n_qubits))}")
    work = 0
    for number, (_, step) in enumerate(steps, 1):
        flops = size * _products(step)
        work += flops
        moved = f"{_passes(step)} x {2 * size * itemsize / 2**20:.3g} MiB"
        lines.append(
            f"{number:7}  {_KINDS[type(step)]:7}  {_range(step.wires):20}  {step.n_gates:5}  "
            f"{moved:16}  {flops / 1e6:.3g} Mflop"
        )
    passes = sum(_passes(step) for _, step in steps)
    lines.append(
        f"  total  {passes} passes over a state of {size * itemsize / 2**20:.3g} MiB, "
        f"{work / 1e6:.3g} Mflop"
    )
    return "\n".join(lines)


_KINDS = {Block: "block", Move: "move", Shift: "phases"}


def _products(step: Step) -> int:
    """Real operations per amplitude; a cosine and a sine count as 16."""
    return 8 * 2 ** len(step.wires) if isinstance(step, Block) else 22 * isinstance(step, Shift)


def _passes(step: Step) -> int:
    """Passes over the state: a block's wires that are apart are brought together and back."""
    wires = step.wires
    is_apart = isinstance(step, Block) and wires[-1] - wires[0] != len(wires) - 1
    return 3 if is_apart else 1


def _range(wires: Sequence[int]) -> str:
    if wires[-1] - wires[0] == len(wires) - 1 and len(wires) > 1:
        return f"{wires[0]}-{wires[-1]}"
    return ", ".join(map(str, wires))
