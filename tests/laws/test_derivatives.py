"""Shift rules on circuits, SPSA, Hessian-vector products and spectra: against other derivatives."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from oracles.closed_forms import CLOSED_FORMS
from oracles.compare import assert_close, assert_close_fd, central_difference
from systems import MODELS, beam_splitter
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vmap
from torch.utils import _pytree as pytree

import quilt_func as qf
from quilt_func.testing import strategies as qst

F32, F64 = torch.float32, torch.float64
BOUNDS = {"n_gates": 2**10, "scale": 16.0}
Z = qf.pauli_sum({"Z": 1.0})


def flat(tree):
    leaves = pytree.tree_leaves(tree)
    return torch.cat([leaf.reshape(-1) for leaf in leaves])


def with_angles(circuit):
    """The real leaves of a circuit, and a function from such leaves to the circuit."""
    leaves, spec = pytree.tree_flatten(circuit)
    places = [i for i, leaf in enumerate(leaves) if not leaf.is_complex()]

    def build(angles):
        given = list(leaves)
        for place, angle in zip(places, angles, strict=True):
            given[place] = angle
        return pytree.tree_unflatten(given, spec)

    return [leaves[place].clone() for place in places], build  # jacfwd takes no shared memory


@given(data=st.data())
def test_shift_rules_agree_with_reverse_forward_and_differences(data):
    """On random circuits over the whole gate table, derived gates and given matrices included."""
    circuit = data.draw(qst.circuits(max_qubits=4, max_ops=6))
    angles, build = with_angles(circuit)
    assume(sum(angle.numel() for angle in angles))
    observable = data.draw(qst.pauli_sums(circuit.n_qubits, max_terms=3))

    def measured(c):
        return qf.expval(c(), observable)

    def objective(a):
        return measured(build(a))

    scale = 1 + sum(map(abs, observable.coefficients.tolist()))
    bounds = {"n_gates": 2**10, "scale": 16 * scale}
    found = flat(qf.parameter_shift(measured, angles, build))
    assert_close(found, flat(grad(objective)(angles)), **bounds)
    assert_close(found, flat(jacfwd(objective)(angles)), **bounds)
    point, sizes = flat(angles), [a.numel() for a in angles]
    shapes = [a.shape for a in angles]

    def unravel(v):
        return [p.reshape(s) for p, s in zip(v.split(sizes), shapes, strict=True)]

    difference = central_difference(lambda v: objective(unravel(v)), point)
    assert_close_fd(found, difference, scale=4 * scale)


@pytest.mark.parametrize("form", CLOSED_FORMS, ids=lambda form: form.name)
def test_closed_forms(form):
    theta = 6 * qf.uniforms(form.n_angles, 0, dtype=F64) - 3
    _, words = form.build(qf, theta)

    def measured(c):
        return qf.expval(c(), qf.pauli_sum(words))

    found = qf.parameter_shift(measured, theta, lambda t: form.build(qf, t)[0])
    assert_close(found, np.array(form.gradient(*theta.tolist())), **BOUNDS)


def tree_ansatz(params):
    """Shared and derived angles, a Python number, a constant matrix, gaps of several kinds."""
    a, b = params["a"], params["b"]
    return qf.circuit(
        3,
        qf.ry(a[0], range(3)),
        qf.crx(a * b["c"], [(0, 1), (2, 0)]),
        qf.rz(0.3, 1),
        beam_splitter(b["c"].square(), 1, 2),
        qf.unitary(torch.eye(2).to(a.dtype.to_complex()), 0),
        qf.u(a[1].sin(), b["c"], a.sum(), 2),
        qf.rx(torch.ones(2, dtype=a.dtype), [0, 1]),
    )


WORDS = qf.pauli_sum({"ZIX": 0.5, "YYI": -0.25, "IZI": 0.25})


def measured(circuit):
    return qf.expval(circuit(), WORDS)


def tree_params(seed=0, dtype=F64, batch=()):
    u = (3 * qf.uniforms((*batch, 3), seed, dtype=F64) - 1).to(dtype)
    return {"a": u[..., :2], "b": {"c": u[..., 2]}}


def by_shift(params):
    return qf.parameter_shift(measured, params, tree_ansatz)


def objective(params):
    return measured(tree_ansatz(params))


def test_trees_of_shared_and_derived_angles():
    params = tree_params()
    found = by_shift(params)
    assert pytree.tree_structure(found) == pytree.tree_structure(params)
    assert_close(flat(found), flat(grad(objective)(params)), **BOUNDS)


def test_a_circuit_gives_a_circuit_of_derivatives():
    circuit = qf.circuit(2, qf.ry(torch.tensor([0.2, 0.4]), [0, 1]), qf.cx(0, 1))

    def energy(c):
        return qf.expval(c(), qf.pauli_sum({"IZ": 1.0}))

    found = qf.parameter_shift(energy, circuit)
    assert qf.same_structure(found, circuit)
    assert_close(found.leaves[0], grad(energy)(circuit).leaves[0], **BOUNDS)


def count(function):
    calls = []

    def counted(circuit):
        calls.append(1)
        return function(circuit)

    return counted, calls


COSTS = {
    "two a Pauli rotation": (lambda t: qf.circuit(2, qf.ry(t, [0, 1])), 4),
    "two a phase": (lambda t: qf.circuit(2, qf.cp(t, 0, 1)), 2),
    "four a controlled rotation": (lambda t: qf.circuit(2, qf.crx(t, 0, 1)), 4),
    "twice the gaps": (lambda t: qf.circuit(2, beam_splitter(t, 0, 1)), 4),
    "none for constants": (lambda t: qf.circuit(2, qf.rx(t, 0), qf.rz(torch.ones(2), [0, 1])), 2),
    "none without wires": (lambda t: qf.circuit(1, qf.rx(t, [])), 0),
}


@pytest.mark.parametrize(("build", "runs"), COSTS.values(), ids=COSTS)
def test_number_of_runs(build, runs):
    theta = torch.tensor(0.3)
    fn, calls = count(lambda c: qf.expval(c(), qf.diagonal(torch.arange(2.0**c.n_qubits))))
    found = qf.parameter_shift(fn, theta, build, chunk_size=1)
    assert len(calls) == runs
    calls.clear()
    assert_close(qf.parameter_shift(fn, theta, build), found, **BOUNDS)
    assert len(calls) == min(runs, 1), "all in one vmapped call"


SHOTS = 2000


def sampled(circuit, u):
    return qf.expval_from_samples(qf.sample(circuit(), u), Z)


def test_sampled_objectives():
    """With fixed uniforms the estimate is that of two runs by hand, and replays."""
    theta, u = torch.tensor(0.7), qf.uniforms(SHOTS, 0)

    def build(t):
        return qf.circuit(1, qf.ry(t, 0))

    def estimate(t):
        return qf.parameter_shift(lambda c: sampled(c, u), t, build)

    by_hand = (sampled(build(theta + math.pi / 2), u) - sampled(build(theta - math.pi / 2), u)) / 2
    assert_close(estimate(theta), by_hand, n_gates=4)
    assert torch.equal(estimate(theta), estimate(theta))
    error = 5 * math.cos(0.7) / math.sqrt(2 * SHOTS)  # variance of each run: 1 - sin² = cos²
    many = vmap(lambda v: qf.parameter_shift(lambda c: sampled(c, v), theta, build))
    mean = many(qf.uniforms((20, SHOTS), 1)).mean()
    assert abs(float(mean) + math.sin(0.7)) <= error


def test_the_plain_gradient_of_samples_is_refused():
    with pytest.raises(TypeError, match="samples have no gradient"):
        grad(lambda t: sampled(qf.circuit(1, qf.ry(t, 0)), qf.uniforms(9, 0)))(torch.tensor(0.7))


def unravelled(params):
    leaves, spec = pytree.tree_flatten(params)
    sizes, shapes = [leaf.numel() for leaf in leaves], [leaf.shape for leaf in leaves]

    def unravel(v):
        parts = zip(v.split(sizes), shapes, strict=True)
        return pytree.tree_unflatten([p.reshape(s) for p, s in parts], spec)

    return flat(params), unravel


def test_transforms_of_shift_rules():
    params = tree_params()
    point, unravel = unravelled(params)

    def slope(v):
        return flat(by_shift(unravel(v)))

    expected = hessian(lambda v: objective(unravel(v)))(point)
    for jacobian in (jacrev, jacfwd):
        assert_close(jacobian(slope)(point), expected, **BOUNDS)
    batch = tree_params(batch=(3,))
    loop = [by_shift(tree_at(batch, i)) for i in range(3)]
    assert_close(flat(vmap(by_shift)(batch)), flat(stacked(loop)), **BOUNDS)
    tangent = tree_params(5)
    along = jvp(by_shift, (params,), (tangent,))[1]
    assert_close(flat(along), expected @ flat(tangent), **BOUNDS)


def tree_at(tree, index):
    return pytree.tree_map(lambda leaf: leaf[index], tree)


def stacked(trees):
    return pytree.tree_map(lambda *leaves: torch.stack(leaves), *trees)


def test_second_derivatives_by_shifts_alone():
    def build(theta):
        return qf.circuit(2, qf.ry(theta, [0, 1]), qf.cx(0, 1), qf.ry(theta, [1, 0]))

    theta = torch.tensor([0.3, -1.1], dtype=F64)

    def energy(c):
        return qf.expval(c(), qf.pauli_sum({"ZX": 1.0}))

    def row(index):
        def entry(c):
            return qf.parameter_shift(energy, c).leaves[index // 2][index % 2]

        return qf.parameter_shift(entry, build(theta))

    rows = torch.stack([torch.cat(row(i).leaves) for i in range(4)])
    circuit = build(theta)
    point = torch.cat(circuit.leaves)

    def of_angles(v):
        return energy(qf.circuit(2, qf.ry(v[:2], [0, 1]), qf.cx(0, 1), qf.ry(v[2:], [1, 0])))

    assert_close(rows, hessian(of_angles)(point), **BOUNDS)


@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
def test_dtypes_are_kept(dtype):
    params, u = tree_params(dtype=dtype), qf.uniforms((3, 3), 0, dtype=dtype)
    trees = [by_shift(params), qf.spsa(objective, params, u), qf.hvp(objective, params, params)]
    for tree in trees:
        assert {leaf.dtype for leaf in pytree.tree_leaves(tree)} == {dtype}
    assert qf.hessian_spectrum(objective, params, u).dtype == dtype


# --- SPSA ---


def every_sign(n):
    """Uniform numbers that give each direction once."""
    return torch.tensor(list(itertools.product([0.25, 0.75], repeat=n)), dtype=F64)


def check_unbiased(estimate):
    """Over all directions, the mean is exact for quadratic functions."""
    matrix = qf.uniforms((3, 3), 0, dtype=F64) - 0.5
    params = tree_params()

    def quadratic(p):
        v = flat(p)
        return v @ matrix @ v + v.sum()

    found = estimate(quadratic, params, every_sign(3))
    assert_close(flat(found), flat(grad(quadratic)(params)), **BOUNDS)


def test_spsa_is_unbiased_over_all_directions():
    check_unbiased(qf.spsa)
    check_unbiased(lambda f, p, u: qf.spsa(f, p, u, step=3.0))


def half_the_difference(fn, params, u):
    return pytree.tree_map(lambda leaf: leaf / 2, qf.spsa(fn, params, u))


def one_sided(fn, params, u):
    point, unravel = unravelled(params)
    signs = torch.where(u < 0.5, -1.0, 1.0).to(F64)
    rows = [(fn(unravel(point + 0.1 * s)) - fn(params)) / 0.1 * s for s in signs]
    rows[0] = 0 * rows[0]  # a direction is left out
    return unravel(torch.stack(rows).mean(0))


@pytest.mark.parametrize("mutant", [half_the_difference, one_sided])
def test_spsa_mutants_die(mutant):
    with pytest.raises(AssertionError):
        check_unbiased(mutant)


def test_spsa_takes_one_direction_samples_and_ensembles():
    params, u = tree_params(), qf.uniforms((4, 3), 0)
    one = [flat(qf.spsa(objective, params, row)) for row in u]
    assert_close(flat(qf.spsa(objective, params, u)), torch.stack(one).mean(0), **BOUNDS)
    mapped = vmap(lambda p, v: qf.spsa(objective, p, v))(tree_params(batch=(3,)), u[:3])
    loop = [qf.spsa(objective, tree_at(tree_params(batch=(3,)), i), u[i]) for i in range(3)]
    assert_close(flat(mapped), flat(stacked(loop)), **BOUNDS)
    shots = qf.uniforms(100, 1)
    estimate = qf.spsa(
        lambda t: sampled(qf.circuit(1, qf.ry(t, 0)), shots), torch.tensor(0.7), u[0, :1]
    )
    assert estimate.isfinite()


# --- Hessian-vector products and spectra ---


def test_products_take_parameters_that_share_memory():
    """Forward mode in torch refuses an expanded tensor."""
    p = torch.tensor(0.3, dtype=F64).expand(2)
    found = qf.hvp(lambda q: q.prod().sin(), p, torch.ones(2, dtype=F64))
    assert_close(found, hessian(lambda q: q.prod().sin())(p.clone()).sum(1), **BOUNDS)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_products_and_spectra_of_the_hessian(model):
    p, x, v = model.params(), model.x(), model.params(9)

    def energy(q):
        return model(q, x)

    matrix = hessian(energy)(p)
    scale = model.scale * model.frequency**2
    bounds = {"n_gates": 2**12, "scale": 4 * scale}
    assert_close(qf.hvp(energy, p, v), matrix @ v, **bounds)
    u = qf.uniforms((len(p), len(p)), 3, dtype=F64)
    assert_close(qf.hessian_spectrum(energy, p, u), torch.linalg.eigvalsh(matrix), **bounds)


SPECTRA = {
    "distinct": [-3.0, -1.0, 0.5, 2.0, 7.0],
    "repeated": [1.0, 1.0, 1.0, -2.0, -2.0],
    "all equal": [4.0] * 5,
    "zero": [0.0] * 5,
    "of many sizes": [1e-6, 1e-3, 1.0, 1e3, -1e3],
}


@pytest.mark.parametrize("values", SPECTRA.values(), ids=SPECTRA)
def test_known_spectra(values):
    """Multiplicities come from new directions where the first is exhausted."""
    basis = torch.linalg.qr(qf.uniforms((5, 5), 7, dtype=F64) - 0.5)[0]
    matrix = basis @ torch.diag(torch.tensor(values, dtype=F64)) @ basis.mT

    def quadratic(v):
        return v @ matrix @ v / 2

    u = qf.uniforms((5, 5), 8, dtype=F64)
    found = qf.hessian_spectrum(quadratic, torch.zeros(5, dtype=F64), u)
    assert_close(found, np.sort(values), n_gates=2**10, scale=1 + max(map(abs, values)))


def test_outermost_values_come_first():
    values = torch.cat([torch.linspace(-1, 1, 38, dtype=F64), torch.tensor([-9.0, 12.0]).to(F64)])
    found = qf.hessian_spectrum(
        lambda v: (values * v * v).sum() / 2,
        torch.zeros(40, dtype=F64),
        qf.uniforms((12, 40), 0, dtype=F64),
    )
    assert_close(found[[0, -1]], torch.tensor([-9.0, 12.0], dtype=F64), n_gates=2**12, scale=12.0)
    assert ((found > -9.1) & (found < 12.1)).all()


def test_spectra_of_an_ensemble():
    batch, u = tree_params(batch=(3,)), qf.uniforms((3, 3), 0, dtype=F64)

    def spectrum(p):
        return qf.hessian_spectrum(objective, p, u)

    loop = torch.stack([spectrum(tree_at(batch, i)) for i in range(3)])
    assert_close(vmap(spectrum)(batch), loop, **BOUNDS)
    v = tree_params(4)
    along = vmap(lambda p: qf.hvp(objective, p, v))(batch)
    loop = [qf.hvp(objective, tree_at(batch, i), v) for i in range(3)]
    assert_close(flat(along), flat(stacked(loop)), **BOUNDS)
