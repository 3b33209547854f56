"""What a run costs, told as a table: one line per step of its plan."""

from collections.abc import Sequence

from quilt_func._amplitudes import is_window
from quilt_func.evolution.planner import plan
from quilt_func.ops import Op


def explain_ops(n_qubits: int, ops: Sequence[Op], itemsize: int) -> str:
    """List the steps of a run from |0...0⟩ with the cost of each: passes and arithmetic.

    Args:
        n_qubits: Number of qubits.
        ops: Ops in order.
        itemsize: Bytes of an amplitude.
    """
    acting = tuple(op.structure for op in ops if op.wires)
    found = plan(n_qubits, acting, ((),) * len(acting), from_zero=True)
    size, mib = 2**n_qubits, 2**n_qubits * itemsize / 2**20
    lines = [
        f"{sum(map(len, ops))} gates on {n_qubits} qubits: {len(found.steps)} steps in "
        f"{len(found.segments)} segments",
        "   step  kind      wires                 gates  state moved       arithmetic",
    ]
    if found.prefix is not None:
        lines.append(f"{'':7}  product   {_range(range(n_qubits))}")
    prices = [step.price(n_qubits) for step in found.steps]
    for number, (step, price) in enumerate(zip(found.steps, prices, strict=True), 1):
        moved = f"{price.passes} x {2 * mib:.3g} MiB"
        lines.append(
            f"{number:7}  {step.name:8}  {_range(step.wires):20}  {step.n_gates:5}  "
            f"{moved:16}  {size * price.operations / 1e6:.3g} Mflop"
        )
    work = size * sum(price.operations for price in prices)
    passes = sum(price.passes for price in prices)
    lines.append(f"  total  {passes} passes over a state of {mib:.3g} MiB, {work / 1e6:.3g} Mflop")
    if found.irreversible:  # what a gradient keeps because of them
        n_states = len(found.checkpoints)
        memory = f"{n_states * mib:.3g} MiB"
        lines.append(f"   kept  {n_states} states before steps that cannot be undone, {memory}")
    return "\n".join(lines)


def _range(wires: Sequence[int]) -> str:
    if is_window(tuple(wires)) and len(wires) > 1:
        return f"{wires[0]}-{wires[-1]}"
    return ", ".join(map(str, wires))
