"""How others plan sharded circuits, as the experiment renders it, beside their own code."""

import random

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("tqdm")
pytest.importorskip("flagquantum")

from experiments.sharded import methods
from quilt_func.sharded.planning import Demand


def theirs(n_qubits, n_bits, gates):
    """Swaps of FlagQuantum's plan: its gates in its own order, wires by farthest use."""
    ir = pytest.importorskip("flagquantum.core.ir")
    layout = pytest.importorskip("flagquantum.runtime.executors.statevector.layout")
    rows = {1: "x", 2: "swap"}
    instructions = tuple(ir.Instruction(rows[len(wires)], wires) for wires in gates)
    given = ir.CircuitIR(n_qubits, instructions)
    ordered = layout.schedule_statevector_dependency_dag(given, world_size=2**n_bits)
    plan = layout.plan_persistent_statevector_layout(ordered, world_size=2**n_bits)
    return plan.layout_swap_count


@pytest.mark.parametrize("seed", range(20))
def test_farthest_use_is_flagquantums(seed):
    rng = random.Random(seed)
    n_qubits, n_bits = rng.randint(4, 12), rng.randint(1, 2)
    gates = [tuple(rng.sample(range(n_qubits), rng.randint(1, 2))) for _ in range(60)]
    found = methods.farthest_use(n_qubits, n_bits, tuple(Demand(wires, ()) for wires in gates))
    assert found.n_exchanges == theirs(n_qubits, n_bits, gates)
