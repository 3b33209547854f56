"""Fisher information: the definition, published values, closed forms, bounds, invariances."""

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from oracles.compare import assert_close, assert_close_fd, central_difference, to_numpy
from systems import beam_splitter
from torch.func import grad, hessian, jacrev, jvp, vmap
from torch.utils import _pytree as pytree

import quilt_func as qf
from quilt_func.testing import strategies as qst
from quilt_func.testing.tolerances import tolerance

F32, F64 = torch.float32, torch.float64
BOUNDS = {"n_gates": 2**10, "scale": 64.0}


def flat(tree):
    return torch.cat([leaf.reshape(-1) for leaf in pytree.tree_leaves(tree)])


def at(tree, index):
    return pytree.tree_map(lambda leaf: leaf[index], tree)


def state(params):
    """Shared and derived angles, several kinds of gates, a phase that depends on a parameter."""
    a, b = params["a"], params["b"]
    return qf.circuit(
        3,
        qf.h(range(3)),
        qf.ry(a[0], range(3)),
        qf.crx(a * b, [(0, 1), (2, 0)]),
        beam_splitter(b.square(), 1, 2),
        qf.u(a[1].sin(), b, a.sum(), 2),
        qf.p(a[0], 1),
    )()


def params_of(seed=0, dtype=F64, batch=()):
    u = (3 * qf.uniforms((*batch, 3), seed, dtype=F64) - 1).to(dtype)
    return {"a": u[..., :2], "b": u[..., 2]}


def by_vector(fn, params):
    """A function of one vector, and that vector."""
    leaves, spec = pytree.tree_flatten(params)
    sizes, shapes = [leaf.numel() for leaf in leaves], [leaf.shape for leaf in leaves]

    def function(v):
        parts = zip(v.split(sizes), shapes, strict=True)
        return fn(pytree.tree_unflatten([p.reshape(s) for p, s in parts], spec))

    return function, flat(params)


def check_definition(metric, fn, params):
    """The definition on dense vectors, with tangents by central differences."""
    function, point = by_vector(fn, params)
    tangents = to_numpy(central_difference(function, point)).T
    psi = to_numpy(fn(params))
    overlaps = tangents.conj() @ psi
    expected = 4 * (tangents.conj() @ tangents.T - np.outer(overlaps, overlaps.conj())).real
    assert_close_fd(metric(fn, params), expected, scale=64.0)


def check_fidelity(metric, fn, params):
    """The fidelity of neighbours is 1 - δᵀFδ/4, to second order."""
    function, point = by_vector(fn, params)
    there = function(point)
    curvature = hessian(lambda v: qf.fidelity(there, function(v)))(point)
    assert_close(metric(fn, params), -2 * curvature, **BOUNDS)


def check_phase(metric, fn, params):
    """A global phase of any kind changes nothing."""

    def turned(p):
        angle = flat(p).square().sum()
        return torch.complex(angle.cos(), angle.sin()) * fn(p)

    assert_close(metric(turned, params), metric(fn, params), **BOUNDS)


def check_coordinates(metric, fn, params):
    """In other coordinates F becomes JᵀFJ."""
    function, point = by_vector(fn, params)
    mix = torch.eye(len(point), dtype=F64) + 0.3 * qf.uniforms((len(point),) * 2, 5, dtype=F64)
    moved = metric(lambda v: function(mix @ v), torch.linalg.solve(mix, point))
    assert_close(moved, mix.mT @ metric(function, point) @ mix, **BOUNDS)


LAWS = [check_definition, check_fidelity, check_phase, check_coordinates]
each_law = pytest.mark.parametrize("law", LAWS)


@each_law
@pytest.mark.parametrize("seed", range(3))
def test_laws(law, seed):
    law(qf.qfi, state, params_of(seed))


def without_projection(fn, params):
    tangents = flat_rows(qf.jacobian_state(fn, params))
    return 4 * (tangents.conj() @ tangents.mT).real


def flat_rows(jacobian):
    return torch.cat(
        [leaf.reshape(leaf.shape[0], -1) for leaf in pytree.tree_leaves(jacobian)], 1
    ).mT


def projection_unconjugated(fn, params):
    tangents, psi = flat_rows(qf.jacobian_state(fn, params)), fn(params)
    overlaps = tangents @ psi
    gram = tangents.conj() @ tangents.mT
    return 4 * (gram - torch.outer(overlaps, overlaps.conj())).real


def quarter(fn, params):
    return qf.fubini_study(fn, params)


def unmixed(fn, params):
    return torch.diag(qf.qfi(fn, params).diag())


MUTANTS = {
    without_projection: [check_definition, check_fidelity, check_phase],
    projection_unconjugated: [check_definition, check_fidelity, check_phase],
    quarter: [check_definition, check_fidelity],
    unmixed: [check_definition, check_fidelity, check_coordinates],
}


@pytest.mark.parametrize(
    ("mutant", "law"), [(m, law) for m, laws in MUTANTS.items() for law in laws]
)
def test_mutants_die(mutant, law):
    with pytest.raises(AssertionError):
        law(mutant, state, params_of())


def max_cut(x):
    """The ansatz of qiskit-algorithms' `test_qfi_maxcut`; its CX, RZ(2x), CX is RZZ(2x)."""
    edges = [(2, 1), (3, 0), (2, 0), (1, 0)]
    return qf.circuit(4, qf.h(range(4)), qf.rzz(2 * x[0], edges), qf.rx(2 * x[1], range(4)))()


def test_published_values():
    """qiskit-algorithms, test/gradients/test_qfi.py, which gives three decimals."""
    found = qf.qfi(max_cut, torch.tensor([0.4, 0.69], dtype=F64))
    assert np.array_equal(to_numpy(found).round(3), [[16.0, -5.551], [-5.551, 18.497]])

    def two(p):
        return qf.circuit(1, qf.h(0), qf.rz(p[0], 0), qf.rx(p[1], 0))()

    found = qf.qfi(two, torch.tensor([math.pi / 4, 0.1], dtype=F64))
    assert_close(found, np.diag([1.0, 0.5]), **BOUNDS)


@given(data=st.data())
def test_one_angle_is_the_generators_variance(data):
    """For exp(-iθP/2)|ψ⟩ the information is the variance of P, whatever θ."""
    n = data.draw(st.integers(1, 4))
    word = data.draw(qst.pauli_words(n))
    psi, theta = data.draw(qst.states(n)), data.draw(qst.angles())
    found = qf.qfi(lambda t: qf.circuit(n, qf.pauli_rot(t, word, *range(n)))(psi), theta)
    assert_close(found, qf.variance(psi, qf.pauli_sum({word: 1.0})).reshape(1, 1), **BOUNDS)


def test_many_copies_and_entangled_copies():
    """Turned apart, n spins have information n; a GHZ state has n²: Heisenberg's limit."""
    for n in range(1, 6):
        theta = torch.tensor(0.4, dtype=F64)
        apart = qf.qfi(lambda t, n=n: qf.circuit(n, qf.ry(t, range(n)))(), theta)
        ghz = qf.ghz_state(n, dtype=torch.complex128)
        joint = qf.qfi(lambda t, n=n, ghz=ghz: qf.circuit(n, qf.rz(t, range(n)))(ghz), theta)
        assert_close(apart, np.array([[float(n)]]), **BOUNDS)
        assert_close(joint, np.array([[float(n * n)]]), **BOUNDS)


@given(data=st.data())
def test_forms_of_the_matrix_agree(data):
    """On random circuits: symmetric, positive, and equal in all its forms."""
    circuit = data.draw(qst.circuits(max_qubits=3, max_ops=5, derived=False))
    assume(circuit.leaves and sum(leaf.numel() for leaf in circuit.leaves))
    circuit = pytree.tree_map(torch.clone, circuit)

    def evolved(c):
        return c()

    matrix = qf.qfi(evolved, circuit)
    assert_close(matrix, matrix.mT, n_gates=1)
    values = torch.linalg.eigvalsh(matrix)
    assert values.min() >= -tolerance(F64, 2**10, 64.0)
    v = pytree.tree_map(lambda leaf: leaf.cos(), circuit)
    assert_close(flat(qf.qfi_vp(evolved, circuit, v)), matrix @ flat(v), **BOUNDS)
    assert_close(flat(qf.qfi_diagonal(evolved, circuit)), matrix.diag(), **BOUNDS)
    assert_close(4 * qf.fubini_study(evolved, circuit), matrix, **BOUNDS)
    by_leaf = torch.block_diag(*qf.qfi_blocks(evolved, circuit))
    assert_close(
        by_leaf,
        matrix * (torch.block_diag(*map(torch.ones_like, qf.qfi_blocks(evolved, circuit)))),
        **BOUNDS,
    )
    assert_close(qf.qfi(evolved, circuit, chunk_size=2), matrix, **BOUNDS)


def test_blocks_of_ones_own():
    matrix = qf.qfi(state, params_of())
    one, two = qf.qfi_blocks(state, params_of(), [[2, 0], [1]])
    assert_close(one, matrix[[2, 0]][:, [2, 0]], **BOUNDS)
    assert_close(two, matrix[1:2, 1:2], **BOUNDS)


def test_jacobians_of_states():
    params = params_of()
    found = qf.jacobian_state(state, params)
    assert found["a"].shape == (8, 2)
    assert found["b"].shape == (8,)
    function, point = by_vector(state, params)
    expected = central_difference(function, point)
    assert_close_fd(flat_rows(found).mT, expected, scale=16.0)
    by_parts = jacrev(lambda v: torch.view_as_real(function(v)))(point)
    assert_close(
        torch.view_as_real(flat_rows(found).mT.contiguous()), by_parts.movedim(1, 2), **BOUNDS
    )


# --- classical ---


@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
def test_outcomes_of_probability_0_are_left_out_up_to_rounding(dtype):
    """A turn and its inverse: the outcome 1 has a probability of some 1e-33."""
    for a in torch.linspace(0.1, 2.7, 8, dtype=dtype):

        def outcomes(t, a=a):
            turn = qf.ry(a, 0), qf.rz(a, 0), qf.rx(2 * a, 0)
            back = qf.rx(-2 * t, 0), qf.rz(-a, 0), qf.ry(-a, 0)
            return qf.probs(qf.circuit(1, turn, back)())

        assert qf.classical_fisher(outcomes, a) < tolerance(dtype, 8)


def outcome(params):
    return qf.probs(state(params))


@pytest.mark.parametrize("seed", range(3))
def test_measuring_loses_information(seed):
    """The quantum information bounds that of every measurement."""
    params = params_of(seed)
    quantum = qf.qfi(state, params)
    for fn in (outcome, lambda p: qf.marginal(state(p), [2, 0])):
        rest = quantum - qf.classical_fisher(fn, params)
        assert torch.linalg.eigvalsh(rest).min() >= -tolerance(F64, 2**10, 64.0)


def test_real_states_lose_nothing():
    theta = qf.uniforms((2, 3), 0, dtype=F64)

    def real(t):
        return qf.circuit(
            3, qf.ry(t[0], range(3)), qf.cx([(0, 1), (1, 2)]), qf.ry(t[1], range(3))
        )()

    found = qf.classical_fisher(lambda t: qf.probs(real(t)), theta)
    assert_close(found, qf.qfi(real, theta), **BOUNDS)


def check_fisher(fisher):
    """A coin has information 1/(p(1-p)); independent coins add up, and stay apart."""
    p = torch.tensor([0.3, 0.8], dtype=F64)

    def coins(p):
        one = torch.stack([1 - p, p])
        return torch.outer(one[:, 0], one[:, 1]).flatten()

    assert_close(fisher(coins, p), np.diag([1 / 0.21, 1 / 0.16]), **BOUNDS)


def test_coins():
    check_fisher(qf.classical_fisher)


@pytest.mark.parametrize("power", [0.0, 0.5, 2.0])
def test_fisher_mutants_die(power):
    def mutant(fn, p):
        slopes = jacrev(fn)(p)
        return slopes.mT @ (slopes / fn(p)[:, None] ** power)

    with pytest.raises(AssertionError):
        check_fisher(mutant)


def test_impossible_outcomes_are_left_out():
    theta = torch.tensor([0.0, 0.3], dtype=F64)
    fn = lambda t: qf.probs(qf.circuit(2, qf.ry(t, [0, 1]))())  # noqa: E731
    found = qf.classical_fisher(fn, theta)
    assert_close(found, np.diag([0.0, 1.0]), **BOUNDS)
    assert jacrev(lambda t: qf.classical_fisher(fn, t))(theta).isfinite().all()


# --- transforms ---

FORMS = {
    "qfi": qf.qfi,
    "fubini_study": qf.fubini_study,
    "blocks": lambda f, p: torch.cat([block.flatten() for block in qf.qfi_blocks(f, p)]),
    "diagonal": lambda f, p: flat(qf.qfi_diagonal(f, p)),
    "product": lambda f, p: flat(qf.qfi_vp(f, p, pytree.tree_map(torch.ones_like, p))),
    "classical": lambda f, p: qf.classical_fisher(lambda q: qf.probs(f(q)), p),
    "jacobian": lambda f, p: torch.view_as_real(flat_rows(qf.jacobian_state(f, p)).contiguous()),
}
each_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


@each_form
def test_ensembles(form):
    batch = params_of(batch=(3,))
    loop = torch.stack([form(state, at(batch, i)) for i in range(3)])
    assert_close(vmap(lambda p: form(state, p))(batch), loop, **BOUNDS)


@each_form
def test_derivatives_of_the_metric(form):
    function, point = by_vector(lambda p: form(state, p).square().sum(), params_of())
    slope = central_difference(function, point)
    scale = 1 + float(slope.abs().max())
    assert_close_fd(grad(function)(point), slope, scale=256 * scale)
    along = vmap(lambda e: jvp(function, (point,), (e,))[1])(torch.eye(3, dtype=F64))
    assert_close(along, grad(function)(point), n_gates=2**10, scale=64 * scale)


@each_form
@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
def test_dtypes_are_kept(form, dtype):
    found = form(state, params_of(dtype=dtype))
    assert found.dtype == dtype
    assert_close(found, form(state, params_of()).to(dtype), **BOUNDS)


def test_larger_circuits_take_the_fast_route():
    """Seven wires in several blocks, against tangents by finite differences."""
    theta = 6 * qf.uniforms((2, 7, 2), 0, dtype=F64)
    check_definition(
        qf.qfi, lambda t: qf.circuit(7, qf.ansatz.hardware_efficient(t, "ring"))(), theta
    )


@pytest.mark.parametrize("chunk_size", [None, 1])
def test_metrics_map_where_torchs_rule_of_solve_does_not(chunk_size):
    """`vmap(vmap(jvp))` of `torch.linalg.solve` is wrong without a word, in torch 2.13."""

    @qf.gate(n_wires=1)
    def cayley(theta):
        one = torch.eye(2, dtype=theta.dtype, device=theta.device)
        turn = theta * torch.stack([-one[1], one[0]])
        return torch.linalg.solve(one + turn, one - turn)

    def state(p):
        return qf.circuit(1, cayley(p[0], 0), qf.rx(p[1], 0))()

    batch = torch.tensor([[0.1, 0.2], [0.3, 0.4]], dtype=torch.float64)
    mapped = vmap(lambda p: qf.qfi(state, p, chunk_size=chunk_size))(batch)
    looped = torch.stack([qf.qfi(state, p) for p in batch])
    bound = tolerance(torch.float64, n_gates=64)
    assert float((mapped - looped).abs().max()) < bound * float(looped.abs().max())
    assert float((looped[:, 0, 0] - 16 / (1 + batch[:, 0] ** 2) ** 2).abs().max()) < 16 * bound
