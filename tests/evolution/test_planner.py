"""Plans: every gate once and in order, no product that only moves, nothing planned twice."""

import tracemalloc
import weakref

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles.compare import assert_close
from torch.func import grad, hessian, jacrev, vjp, vmap

import quilt_func as qf
from quilt_func._amplitudes import products
from quilt_func.evolution import kept, partitioning, planner, reference, reversible_run
from quilt_func.evolution.constants import Constants
from quilt_func.evolution.steps import (
    Applied,
    Block,
    DiagonalPhases,
    Permutation,
    block,
    block_recipe,
    diagonal_phases,
    permutation,
)
from quilt_func.evolution.steps.block import Blocks
from quilt_func.evolution.steps.diagonal_phases import Phases
from quilt_func.evolution.steps.factoring import layered
from quilt_func.testing import strategies as qst

F64 = torch.float64


def plan_of(circuit, keys=None, from_zero=True):
    acting = tuple(op.structure for op in circuit.ops if op.wires)
    keys = tuple(keys or [()] * len(acting))
    return planner.plan(circuit.n_qubits, acting, keys, from_zero)


def applied(circuit, keys=None):
    ops = [op for op in circuit.ops if op.wires]
    keys = keys or [()] * len(ops)
    return [
        Applied(i, slot, op.gate, wires, keys[i] if op.leaves else ())
        for i, op in enumerate(ops)
        for slot, wires in enumerate(op.wires)
    ]


@given(data=st.data())
def test_every_gate_once_and_in_order(data):
    circuit = data.draw(qst.circuits(max_qubits=10, max_ops=20))
    n_ops = sum(1 for op in circuit.ops if op.wires)
    keys = data.draw(st.lists(st.sampled_from([(), (0,), (1, 0)]), min_size=n_ops, max_size=n_ops))
    gates = applied(circuit, keys)
    with pytest.MonkeyPatch.context() as patch:  # wires as the circuit has them
        patch.setattr(partitioning, "with_orders", lambda n_qubits, parts: parts)
        parts = partitioning.partition(circuit.n_qubits, gates)
    order = [gate for part in parts for gate in part.gates]
    assert sorted(map(gates.index, order)) == list(range(len(gates)))
    for wire in range(circuit.n_qubits):
        on_wire = [gates.index(gate) for gate in order if wire in gate.wires]
        assert on_wire == sorted(on_wire)
    for kind, wires, members in parts:
        assert all(set(gate.wires) <= set(wires) for gate in members)
        assert len({gate.key for gate in members if not gate.is_constant}) <= 1
        assert all(kind.fits(gate.gate) for gate in members)


@given(data=st.data())
def test_layers_keep_the_order_on_every_wire(data):
    circuit = data.draw(qst.circuits(max_qubits=4, max_ops=12))
    gates, wires = applied(circuit), tuple(range(circuit.n_qubits))
    order = [gate for layer in layered(gates, wires) for gate in layer.gates]
    for wire in wires:
        assert [g for g in order if wire in g.wires] == [g for g in gates if wire in g.wires]


MOVING = [qf.x, qf.y, qf.z, qf.s, qf.tdg, qf.cx, qf.cz, qf.swap, qf.iswap, qf.ccx, qf.ccz, qf.cswap]


@given(circuit=qst.circuits(min_qubits=4, max_qubits=7, rows=MOVING, derived=False))
def test_gates_with_one_entry_per_row_multiply_nothing(circuit):
    for segment in plan_of(circuit, from_zero=False).segments:
        for stack in (one.stack for one in segment.recipes if isinstance(one, Blocks)):
            has_runs = stack.locals.size > 0  # one-wire gates that come first
            assert stack.rows.shape[1] <= 1 + has_runs
            assert len(stack.constants) == 1


def layers(theta, n):
    return qf.circuit(n, qf.ansatz.hardware_efficient(theta))


def test_a_structure_is_planned_once():
    theta = torch.rand((2, 7, 2), generator=torch.Generator().manual_seed(0))
    layers(theta, 7)()
    before = planner.plan.cache_info().misses
    layers(theta + 1, 7)()
    assert planner.plan.cache_info().misses == before


def test_planning_holds_nothing_of_the_states_size():
    circuit = layers(torch.zeros(2, 24, 2), 24)
    tracemalloc.start()
    plan_of(circuit)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**24, "bytes; a state of 24 qubits has 2**27"


def saved_bytes(depth):
    """Bytes that reverse mode holds between the way out and the way back."""
    theta = torch.zeros((depth, 8, 2), requires_grad=True)
    sizes = {}

    def pack(tensor):
        sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        layers(theta, 8)().real.sum()
    return sum(sizes.values()) - theta.untyped_storage().nbytes()


def test_no_state_is_held_for_the_depth():
    """What one segment has built may be, if there is but one."""
    assert saved_bytes(64) == 8 * 2**8 < saved_bytes(4) < 64 * planner.SEGMENT


@pytest.mark.parametrize(("n", "depth", "is_kept"), [(6, 2, True), (6, 64, False), (16, 2, False)])
def test_states_are_kept_if_they_fit_a_cache(n, depth, is_kept, monkeypatch):
    kept, pull = [], reversible_run.Run.pull

    def watched(run, *args):
        kept.append(sum(state.nbytes for state in run.states.values()))
        return pull(run, *args)

    monkeypatch.setattr(reversible_run.Run, "pull", watched)
    theta = 6 * qf.uniforms((depth, n, 2), 0)
    words = qf.pauli_sum({"Z" * n: 1.0})
    got = grad(lambda t: qf.expval(layers(t, n)(), words))(theta)
    assert bool(kept[0]) == is_kept
    assert kept[0] <= reversible_run.KEPT
    monkeypatch.setattr(reversible_run, "KEPT", 0 if is_kept else 2**30)
    assert_close(
        grad(lambda t: qf.expval(layers(t, n)(), words))(theta), got, n_gates=2 * depth * n
    )
    assert not kept[1] or not is_kept


def test_several_stacks_and_phases_of_one_segment():
    """Each finds its own among all that was built, on the way out, back and along tangents."""
    pairs = [(i, j) for j in range(7) for i in range(j)]
    theta = 6 * qf.uniforms((3, 2), 5, dtype=F64)

    def circuit(theta):
        return qf.circuit(
            7, qf.h(range(7)), [(qf.rzz(a, pairs), qf.rx(b, range(7))) for a, b in theta]
        )

    (segment,) = plan_of(circuit(theta)).segments
    assert {type(recipe) for recipe in segment.recipes} == {Blocks, Phases}
    assert len(segment.recipes) > 3

    def energy(run):
        words = qf.pauli_sum({"XZIYIZI": 1.0, "ZZIIIIX": -0.5})
        return lambda theta: qf.expval(run(circuit(theta)), words)

    fast = energy(lambda c: c(dtype=torch.complex128))
    expected = energy(lambda c: reference.run(c.ops, qf.zero_state(7, dtype=torch.complex128)))
    for transform in (lambda f: f, grad, hessian):
        assert_close(transform(fast)(theta), transform(expected)(theta), n_gates=256, scale=8.0)


def test_a_tape_serves_every_pull():
    """One run, pulled several times, alone and by a batch."""
    theta = 6 * qf.uniforms((2, 6, 2), 0, dtype=F64)
    value, pull = vjp(lambda t: layers(t, 6)(dtype=torch.complex128), theta)
    first, second, both = (pull(c * value.conj())[0] for c in (1.0, 2.0j, 1.0 + 2.0j))
    assert_close(first + second, both, n_gates=64)
    rows = jacrev(lambda t: qf.probs(layers(t, 6)(dtype=torch.complex128))[:3])(theta)
    each = [
        grad(lambda t, i=i: qf.probs(layers(t, 6)(dtype=torch.complex128))[i])(theta)
        for i in range(3)
    ]
    assert_close(rows, torch.stack(each), n_gates=64)


@pytest.fixture
def batches(monkeypatch):
    """Batch sizes of all block matrices that are built."""
    found = []

    def recorded(*args):
        built = build(*args)
        found.append(built.shape[0])
        return built

    build = Blocks.build
    monkeypatch.setattr(Blocks, "build", recorded)
    return found


def test_shared_weights_stay_one_matrix(batches):
    theta, xs = torch.zeros(2, 7, 2), torch.zeros(5, 7)

    def model(theta, x):
        encoded = qf.circuit(7, qf.ry(x, range(7)), layers(theta, 7))
        return qf.expval(encoded(), qf.pauli_sum({"Z" * 7: 1.0}))

    grad(lambda t: vmap(model, (None, 0))(t, xs).sum())(theta)
    assert set(batches) == {1}
    batches.clear()
    vmap(grad(model), (0, None))(theta.expand(3, -1, -1, -1), xs[0])
    assert set(batches) <= {1, 3}, "1 is for blocks without parameters"
    assert 3 in batches


def test_explain_counts_what_runs():
    circuit = layers(torch.zeros(3, 9, 2), 9)
    text = qf.explain(circuit)
    steps = [step for s in plan_of(circuit).segments for step in s.steps]
    first, *_, last = text.splitlines()
    assert first == f"{circuit.n_gates} gates on 9 qubits: {len(steps)} steps in 1 segments"
    assert f"{len(steps)} passes over a state of 0.00391 MiB" in last


def deviation(monkeypatch_target, name, broken, monkeypatch, make=layers):
    """How far value and gradient stray from the reference with one part broken."""
    theta = 6 * qf.uniforms((3, 7, 2) if make is layers else (3, 3), 3, dtype=F64)
    other = qf.random_state(qf.uniforms((2, 2**7), 4, dtype=F64))

    def value(run):
        return lambda t: qf.fidelity(other, run(make(t, 7)))

    expected = value(lambda c: reference.run(c.ops, qf.zero_state(7, dtype=torch.complex128)))
    monkeypatch.setattr(monkeypatch_target, name, broken)
    planner.plan.cache_clear()
    try:
        ours = value(lambda c: c())
        slope = (grad(ours)(theta) - grad(expected)(theta)).abs().max()
        return float((ours(theta) - expected(theta)).abs()), float(slope)
    finally:
        monkeypatch.undo()
        planner.plan.cache_clear()


def test_planted_mistakes_show(monkeypatch):
    def reversed_factors(gates, wires, **options):
        return ordered_factors(gates, wires, **options)[::-1]

    def transposed(matrices, wires, state, out):
        sweep_apply(matrices.mT, wires, state, out)

    def swapped(a, b, wires):
        return sweep_outer(b, a, wires)

    ordered_factors, sweep_apply = block_recipe.factors, products.apply_block
    sweep_outer = products.outer_product
    wrong = 1e-3
    assert max(deviation(block, "WIDTH", 3, monkeypatch)) < wrong, "unharmed"
    assert deviation(block_recipe, "factors", reversed_factors, monkeypatch)[0] > wrong
    assert deviation(block, "apply_block", transposed, monkeypatch)[0] > wrong
    assert deviation(block, "outer_product", swapped, monkeypatch)[1] > wrong


def test_planted_mistakes_in_permutations_and_phases_show(monkeypatch):
    def there(map_, is_back, device):
        return index(map_, not is_back, device)

    def conjugated(recipe, values, constants):
        return factors(recipe, values, constants).conj()

    def halved(recipe, by_exponent, constants):
        return by_coefficients(recipe, by_exponent, constants) / 2

    index, factors, by_coefficients = permutation.index, Phases.factors, Phases.by_coefficients
    wrong = 1e-3
    for room, name, broken, part in [
        (permutation, "index", there, 0),
        (Phases, "factors", conjugated, 0),
        (Phases, "by_coefficients", halved, 1),
    ]:
        assert deviation(room, name, broken, monkeypatch, make=crossed)[part] > wrong


@pytest.mark.parametrize("n", [6, 9])
@given(data=st.data())
def test_nested_maps_over_any_mixture(n, data):
    """State, angles and coefficients, each batched over neither, one or both of two levels."""
    u = data.draw(qst.uniforms(40))
    over = [data.draw(st.sampled_from([(), (0,), (1,), (0, 1)])) for _ in range(3)]
    shapes = {(): (), (0,): (2,), (1,): (3,), (0, 1): (2, 3)}
    sizes = [torch.Size(shapes[levels]).numel() for levels in over]
    angle, start, weight = (
        (6 * part).reshape(shapes[levels])
        for part, levels in zip(u[: sum(sizes)].split(sizes), over, strict=True)
    )

    def value(run, angle, start, weight):
        state = qf.circuit(n, qf.ry(start, range(n)))(dtype=torch.complex128)
        made = qf.circuit(
            n, qf.cx([(i, i + 1) for i in range(n - 1)]), qf.rx(angle, range(0, n, 2)),
            qf.crz(angle, n - 1, 0), qf.ry(0.3, 1),
        )  # fmt: skip
        observable = qf.pauli_sum(
            ["ZZ" + "I" * (n - 2), "X" + "I" * (n - 2) + "Y"], torch.stack([weight, 2 * weight])
        )
        return qf.expval(run(made, state), observable)

    def mapped(run):
        def one(*args):
            return grad(lambda *a: value(run, *a), (0, 1, 2))(*args)

        inner = vmap(one, tuple(0 if 1 in levels else None for levels in over))
        outer = vmap(inner, tuple(0 if 0 in levels else None for levels in over))
        if not any(1 in levels for levels in over):
            inner, outer = one, vmap(one, tuple(0 if 0 in levels else None for levels in over))
        return outer if any(0 in levels for levels in over) else inner

    ours = mapped(lambda c, s: c(s))(angle, start, weight)
    wanted = mapped(lambda c, s: reference.run(c.ops, s))(angle, start, weight)
    for got, expected in zip(ours, wanted, strict=True):
        assert_close(got, expected, n_gates=256, scale=64.0)


AFFINE = [qf.x, qf.cx, qf.swap, qf.gates.id]
DIAGONAL = [qf.rz, qf.p, qf.rzz, qf.crz, qf.cp, qf.s, qf.cz, qf.t, qf.ccz]


@given(circuit=qst.circuits(min_qubits=1, max_qubits=7, rows=AFFINE, derived=False))
def test_a_run_of_affine_gates_is_one_permutation(circuit):
    n = circuit.n_qubits
    step = permutation.composed(tuple(range(n)), applied(circuit))
    state = qf.random_state(qf.uniforms((2, 2**n), 5, dtype=F64))
    moved = reference.run(circuit.ops, state)
    assert torch.equal(state[permutation.index(step.map, False, state.device)], moved)
    assert torch.equal(moved[permutation.index(step.map, True, state.device)], state)


@given(circuit=qst.circuits(min_qubits=1, max_qubits=6, rows=DIAGONAL, derived=False))
def test_a_run_of_diagonal_gates_is_one_phase_per_amplitude(circuit):
    ops = [op for op in circuit.ops if op.wires]
    structures = tuple(op.structure for op in ops)
    gates = applied(circuit)
    if not any(op.params for op in ops):
        return
    recipe = diagonal_phases.phases(structures, circuit.n_qubits, gates)
    used = {
        i: [torch.as_tensor(op.params[0], dtype=F64).expand(len(op.wires))]
        for i, op in enumerate(ops)
        if op.params
    }
    constants = Constants(torch.complex128, torch.device("cpu"))
    values = recipe.build(used, constants)
    plus = torch.full((2**circuit.n_qubits,), 1.0, dtype=torch.complex128)
    assert_close(
        recipe.factors(values, constants)[0],
        reference.run(ops, plus),
        n_gates=len(gates),
        scale=8.0,
    )


def crossed(theta, n):
    """Diagonal gates between far wires, rotations and moves, again and again."""
    far = [(i, (i + n // 2) % n) for i in range(n)]
    return qf.circuit(
        n,
        qf.h(range(n)),
        *(
            (qf.rzz(t[0], far), qf.cp(t[1], far[:1]), qf.s(1), qf.rx(t[2], range(n)),
             qf.cx(far[::2]), qf.cx(0, 1))
            for t in theta
        ),
    )  # fmt: skip


@pytest.mark.parametrize("over", [(None, 0), (0, None), (0, 0)])
def test_permutations_and_phases_under_transforms(over):
    n = 7
    kinds = {type(s) for seg in plan_of(crossed(torch.zeros(2, 3), n)).segments for s in seg.steps}
    assert {Block, Permutation, DiagonalPhases} <= kinds
    theta = 6 * qf.uniforms((4, 2, 3), 7, dtype=F64)
    start = qf.random_state(qf.uniforms((2, 4, 2**n), 8, dtype=F64).movedim(1, 0)[0])
    starts = torch.stack([start, start.flip(0), 1j * start, start.roll(3)])
    observable = qf.pauli_sum({"XZIIIIY": 0.5, "ZZZZZZZ": 1.0, "IXIIIII": -0.3})

    def value(run, theta, state):
        return qf.expval(run(crossed(theta, n), state), observable)

    def mapped(run):
        first = [a if dim == 0 else a[0] for a, dim in zip((theta, starts), over, strict=True)]
        per_sample = vmap(grad(lambda t, s: value(run, t, s), (0, 1)), over)(*first)
        whole = grad(
            lambda t, s: vmap(lambda *a: value(run, *a), over)(t, s).square().sum(), (0, 1)
        )
        return *per_sample, *whole(*first)

    ours = mapped(lambda c, s: c(s))
    for got, expected in zip(ours, mapped(lambda c, s: reference.run(c.ops, s)), strict=True):
        assert_close(got, expected, n_gates=256, scale=16.0)


def test_gradients_of_each_data_set_by_shared_weights():
    """The outer map is over gradients, the inner one within: only the inner one is summed over."""
    theta = 6 * qf.uniforms((2, 7, 2), 11, dtype=F64)
    data = 6 * qf.uniforms((3, 5, 7), 12, dtype=F64)
    observable = qf.pauli_sum({"Z" * 7: 1.0, "X" + "I" * 6: 0.5})

    def loss(run, theta, xs):
        def model(x):
            return qf.expval(run(qf.circuit(7, qf.ry(x, range(7)), layers(theta, 7))), observable)

        return vmap(model)(xs).square().sum()

    def plain(circuit):
        return reference.run(circuit.ops, qf.zero_state(7, dtype=torch.complex128))

    ours = vmap(grad(lambda t, xs: loss(lambda c: c(), t, xs)), (None, 0))(theta, data)
    each = [grad(lambda t, xs=xs: loss(plain, t, xs))(theta) for xs in data]
    assert_close(ours, torch.stack(each), n_gates=256, scale=16.0)


def energy_of(n):
    words = qf.pauli_sum({"Z" * n: 1.0})
    return lambda theta: qf.expval(layers(theta, n)(), words)


@pytest.fixture
def runs(monkeypatch):
    """All runs that are kept, by weak references."""
    found, keep = [], kept.KeptRun.keep

    def watched(tape, run):
        found.append(weakref.ref(run))
        keep(tape, run)

    monkeypatch.setattr(kept.KeptRun, "keep", watched)
    return found


def test_a_kept_run_ends_with_its_backward(runs):
    """And not with the loss, which many a loop keeps; and no garbage collector is needed."""
    theta = (6 * qf.uniforms((2, 6, 2), 0)).requires_grad_()
    loss = energy_of(6)(theta)
    loss.backward(retain_graph=True)
    assert runs[0]() is not None
    loss.backward()
    assert runs[0]() is None


def test_a_run_that_nobody_walks_back_ends(runs):
    theta = (6 * qf.uniforms((2, 6, 2), 0)).requires_grad_()
    loss = energy_of(6)(theta)
    assert runs[0]() is not None
    del loss
    grad(energy_of(6))(theta.detach())
    assert [run() for run in runs] == [None, None]


def test_a_walk_back_finds_the_run(runs, monkeypatch):
    found, find = [], kept.KeptRun.find

    def watched(tape, *args):
        found.append(find(tape, *args) is runs[-1]())
        return find(tape, *args)

    monkeypatch.setattr(kept.KeptRun, "find", watched)
    theta = 6 * qf.uniforms((2, 6, 2), 0)
    grad(energy_of(6))(theta)
    vmap(grad(energy_of(6)))(torch.stack([theta, -theta]))
    grad(lambda t: vmap(energy_of(6))(torch.stack([t, -t])).sum())(theta)
    energy_of(6)(theta.clone().requires_grad_()).backward()
    assert found == [True] * 4


def test_the_callers_state_is_copied():
    """A pull gives the same after the caller has changed a state in place."""
    theta = 6 * qf.uniforms((2, 6, 2), 0, dtype=F64)
    state = qf.random_state(qf.uniforms((2, 64), 1, dtype=F64))
    out, pull = vjp(lambda t: layers(t, 6)(state), theta)
    before = pull(out.roll(1))[0]
    state *= 1j
    assert_close(pull(out.roll(1))[0], before, n_gates=1)
