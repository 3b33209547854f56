"""Densities: against dense numpy, against states, and what is measured on them."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles.densities import dense_run, random_density
from torch.func import grad, hessian, vmap

import quilt_func as qf
from quilt_func import densities, noise
from quilt_func.testing import fd_tolerance, strategies, tolerance

F64, C128 = torch.float64, torch.complex128
SMALL = [row for row in noise.CHANNELS if row.joint is None and row.n_params == 1]


@st.composite
def noisy_circuits(draw):
    """Gates of every kind with channels among them."""
    n = draw(st.integers(2, 4))
    base = draw(strategies.circuits(min_qubits=n, max_qubits=n, max_ops=6))
    ops = list(base.ops)
    for _ in range(draw(st.integers(1, 5))):
        row = draw(st.sampled_from(SMALL))
        wires = draw(strategies.wires(n, size=row.n_wires))
        ops.insert(draw(st.integers(0, len(ops))), row(draw(st.floats(0, 1)), *wires))
    return qf.circuit(n, ops)


@given(noisy_circuits())
def test_random_circuits_against_dense_matrices(circuit):
    rho = random_density(circuit.n_qubits)
    found = qf.run_density(circuit, rho)
    assert found.dtype == C128
    bound = tolerance(F64, 16 * len(circuit.ops), 4.0)
    assert np.abs(found.numpy() - dense_run(circuit, rho.numpy())).max() < bound


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_without_channels_it_is_the_state(n):
    theta = 3 * qf.uniforms((2, n), 0, dtype=F64)
    chain = [(i, i + 1) for i in range(n - 1)]
    circuit = qf.circuit(n, [(qf.rx(t, range(n)), qf.cx(chain), qf.s(range(n))) for t in theta])
    state, rho = circuit(), qf.run_density(circuit)
    assert (rho - state.outer(state.conj())).abs().max() < tolerance(F64, 64)
    zero = qf.zero_state(n, dtype=C128)
    assert (rho - qf.run_density(circuit, zero.outer(zero))).abs().max() < tolerance(F64, 64)


def noisy_layers(n, params, p):
    chain = [(i, i + 1) for i in range(n - 1)]
    return qf.circuit(
        n,
        [
            (
                qf.ry(t[0], range(n)), qf.rz(t[1], range(n)), noise.depolarizing(p[0], range(n)),
                qf.cx(chain), noise.two_qubit_depolarizing(p[1], chain),
                noise.amplitude_damping(p[2], range(n)),
            )
            for t in params.unbind(0)
        ],
    )  # fmt: skip


def energy(n):
    words = {("ZZ", (i, i + 1)): 1.0 for i in range(n - 1)} | {("X", (i,)): 0.7 for i in range(n)}
    observable = qf.pauli_sum(words, n_qubits=n)
    return lambda q, p: qf.expval(qf.run_density(noisy_layers(n, q, p)), observable)


@pytest.mark.parametrize("n", [2, 4])
def test_derivatives(n):
    """Gradients and Hessians in angles and strengths, fused and plain, against differences."""
    f = energy(n)
    q = 3 * qf.uniforms((2, 2, n), 0, dtype=F64)
    p = torch.tensor([0.02, 0.05, 0.1], dtype=F64)
    h = torch.finfo(F64).eps ** (1 / 3)
    slopes, curvature = grad(f, 1)(q, p), hessian(f, 1)(q, p)
    along = grad(f, 0)(q, p)
    for i, e in enumerate(torch.eye(3, dtype=F64)):
        ends = [f(q, p + sign * h * e) for sign in (1, -1)]
        assert abs(slopes[i] - (ends[0] - ends[1]) / (2 * h)) < fd_tolerance(F64, 256.0)
        ends = [grad(f, 1)(q, p + sign * h * e) for sign in (1, -1)]
        excess = curvature[i] - (ends[0] - ends[1]) / (2 * h)
        assert excess.abs().max() < fd_tolerance(F64, 4096.0)
    shift = torch.zeros_like(q)
    shift[1, 0, 1] = math.pi / 2
    ends = [f(q + shift, p), f(q - shift, p)]
    assert abs(along[1, 0, 1] - (ends[0] - ends[1]) / 2) < tolerance(F64, 256, 8.0)


def test_slopes_at_no_noise_are_finite_and_right():
    f = energy(3)
    q = 3 * qf.uniforms((2, 2, 3), 0, dtype=F64)
    zero, h = torch.zeros(3, dtype=F64), torch.finfo(F64).eps ** (1 / 3)
    found = grad(f, 1)(q, zero)
    for i, e in enumerate(torch.eye(3, dtype=F64)):
        expected = (4 * f(q, h * e) - f(q, 2 * h * e) - 3 * f(q, zero)) / (2 * h)  # on one side
        assert abs(found[i] - expected) < fd_tolerance(F64, 4096.0)


def test_transforms_nest():
    f = energy(4)
    qs = 3 * qf.uniforms((3, 2, 2, 4), 1, dtype=F64)
    p = torch.tensor([0.02, 0.05, 0.1], dtype=F64)
    mapped = vmap(grad(f, (0, 1)), (0, None))(qs, p)
    looped = [grad(f, (0, 1))(q, p) for q in qs]
    for found, alone in zip(mapped, zip(*looped, strict=True), strict=True):
        assert (found - torch.stack(alone)).abs().max() < tolerance(F64, 1024, 8.0)
    ps = torch.stack([p, 2 * p, 0 * p])
    swept = vmap(grad(f, 1), (None, 0))(qs[0], ps)
    alone = torch.stack([grad(f, 1)(qs[0], one) for one in ps])
    assert (swept - alone).abs().max() < tolerance(F64, 1024, 8.0)


def test_single_precision_stays():
    q, p = torch.rand(1, 2, 3), torch.tensor([0.1, 0.1, 0.1])
    rho = qf.run_density(noisy_layers(3, q, p))
    assert rho.dtype == torch.complex64
    assert grad(energy(3), 1)(q, p).dtype == torch.float32


def test_gradients_of_the_matrix_before():
    """`tr(O Φ(ρ))` is linear in ρ."""
    circuit = noisy_layers(2, torch.ones(1, 2, 2, dtype=F64), torch.full((3,), 0.1, dtype=F64))
    z = qf.pauli_sum({"ZI": 1.0})
    a, b = random_density(2, 1), random_density(2, 2)

    def value(t):
        return qf.expval(qf.run_density(circuit, a + t * (b - a)), z)

    t = torch.tensor(0.3, dtype=F64)
    expected = qf.expval(qf.run_density(circuit, b), z) - qf.expval(qf.run_density(circuit, a), z)
    assert abs(grad(value)(t) - expected) < tolerance(F64, 256, 4.0)


OBSERVABLES = {
    "words": qf.pauli_sum({"XYZ": 0.5, "ZIY": -0.3, "YYI": 0.2, "III": 0.1, "IZZ": 1.0}),
    "diagonal": qf.diagonal(torch.arange(8.0, dtype=F64)),
    "hermitian": qf.hermitian(random_density(3, 5) * 4),
}


def dense(observable):
    return vmap(observable.apply, 1, 1)(torch.eye(8, dtype=C128))


@pytest.mark.parametrize("name", OBSERVABLES)
def test_measured_as_matrices_are(name):
    observable, rho = OBSERVABLES[name], random_density(3)
    matrix = dense(observable)
    mean = (matrix @ rho).diagonal().sum().real
    bound = tolerance(F64, 64, 64.0)
    assert abs(qf.expval(rho, observable) - mean) < bound
    square = (matrix @ matrix @ rho).diagonal().sum().real
    assert abs(qf.variance(rho, observable) - (square - mean**2)) < bound
    other = dense(OBSERVABLES["words"])
    both = (matrix @ other @ rho).diagonal().sum().real
    expected = both - mean * (other @ rho).diagonal().sum().real
    assert abs(qf.covariance(rho, observable, OBSERVABLES["words"]) - expected) < bound
    found = qf.expval(rho, [observable, OBSERVABLES["words"]])
    assert found.shape == (2,)
    assert abs(found[0] - mean) < bound


def test_of_a_pure_state_all_is_as_of_the_state():
    state = qf.random_state(qf.uniforms((2, 8), 3, dtype=F64))
    rho, words = state.outer(state.conj()), OBSERVABLES["words"]
    pairs = [
        (qf.expval(rho, words), qf.expval(state, words)),
        (qf.variance(rho, words), qf.variance(state, words)),
        (qf.probs(rho), qf.probs(state)),
        (qf.marginal(rho, [2, 0]), qf.marginal(state, [2, 0])),
        (qf.reduced_density(rho, [2, 0]), qf.reduced_density(state, [2, 0])),
        (qf.fidelity(rho, state), torch.ones((), dtype=F64)),
    ]
    for found, expected in pairs:
        assert (found - expected).abs().max() < tolerance(F64, 64, 4.0)
    u = qf.uniforms(50, 0)
    assert torch.equal(qf.sample(rho, u), qf.sample(state, u))


@pytest.mark.parametrize("wires", [[0], [2, 0], [1, 2], [0, 1, 2]])
def test_partial_traces(wires):
    rho = random_density(3)
    split = rho.numpy().reshape((2,) * 6)
    letters = "abc"
    ends = "".join(letters[w].upper() if w in wires else letters[w] for w in range(3))
    out = "".join(letters[w] for w in wires) + "".join(letters[w].upper() for w in wires)
    expected = np.einsum(f"abc{ends}->{out}", split).reshape((2 ** len(wires),) * 2)
    found = qf.reduced_density(rho, wires).numpy()
    assert np.abs(found - expected).max() < tolerance(F64, 8)


def test_distances_of_diagonal_matrices():
    """Of commuting matrices all is classical."""
    a, b = torch.tensor([[0.5, 0.3, 0.2, 0.0], [0.1, 0.2, 0.3, 0.4]], dtype=F64)
    one, other = (v.double().to(C128).diag() for v in (a, b))
    bound = torch.finfo(F64).eps ** 0.5  # of a singular matrix' root

    def near(x, y):
        return abs(float(x) - float(y)) < 4 * bound

    assert near(qf.trace_distance(one, other), (a - b).abs().sum() / 2)
    assert near(qf.fidelity(one, other), (a * b).sqrt().sum() ** 2)
    assert near(qf.mutual_information(one, [0], [1]), mutual(a.reshape(2, 2)))
    assert near(qf.mutual_information(qf.ghz_state(3), [0], [1, 2]), 2 * math.log(2))


def mutual(table):
    return sum(torch.special.entr(t.sum(i)).sum() for i, t in ((0, table), (1, table))) - (
        torch.special.entr(table).sum()
    )


def test_fidelity_of_mixed_states_and_its_gradient():
    """Against scipy's way, eigenvalues of the product; the slope against differences."""
    a, b = random_density(2, 1, rank=6), random_density(2, 2, rank=6)
    roots = np.sqrt(np.linalg.eigvals(a.numpy() @ b.numpy()).real)
    assert abs(float(qf.fidelity(a, b)) - roots.sum() ** 2) < tolerance(F64, 256, 16.0)
    direction = random_density(2, 3, rank=6) - a

    def value(t):
        return qf.fidelity(a + t * direction, b)

    t, h = torch.tensor(0.1, dtype=F64), torch.finfo(F64).eps ** (1 / 3)
    assert abs(grad(value)(t) - (value(t + h) - value(t - h)) / (2 * h)) < fd_tolerance(F64, 64.0)
    slope = grad(grad(value))(t)
    expected = (grad(value)(t + h) - grad(value)(t - h)) / (2 * h)
    assert abs(slope - expected) < fd_tolerance(F64, 512.0)


def pure_and_mixed(seed, n, dtype):
    """Pure states as matrices, mixtures of two, and mixtures with white noise."""
    states = [qf.random_state(u) for u in qf.uniforms((4, 2, 2**n), seed, dtype=dtype)]
    pure = [torch.outer(state, state.conj()) for state in states]
    white = torch.eye(2**n).to(pure[0]) / 2**n
    return [*pure[:2], 0.6 * pure[0] + 0.4 * pure[1], 0.5 * pure[2] + 0.5 * white]


def uhlmann(a, b):
    """The fidelity by singular values, with what is rounding in double precision left out."""

    def root(rho):
        values, vectors = np.linalg.eigh(rho.to(C128).numpy())
        kept = np.where(values > tolerance(F64, 64) + rounding(rho.dtype), values, 0)
        return vectors * np.sqrt(kept) @ vectors.conj().T

    return np.linalg.svd(root(a) @ root(b), compute_uv=False).sum() ** 2


def rounding(dtype):
    return 4 * torch.finfo(dtype).eps


@pytest.mark.parametrize("dtype", [torch.float32, F64], ids=str)
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_fidelity_of_matrices_of_every_rank(n, dtype):
    """Zero eigenvalues come as rounding, whose root is not to count."""
    for seed in range(10):
        matrices = pure_and_mixed(seed, n, dtype)
        for i, a in enumerate(matrices):
            for b in matrices[i:]:
                both = qf.fidelity(a, b), qf.fidelity(b, a)
                bound = tolerance(dtype, 256, 16.0)
                assert abs(float(both[0]) - uhlmann(a, b)) < bound
                assert abs(float(both[0] - both[1])) < bound


@pytest.mark.parametrize("dtype", [torch.float32, F64], ids=str)
def test_fidelity_of_pure_matrices_and_its_slope(dtype):
    """|⟨a|b⟩|² of vectors: no derivative is lost, though the matrices have one eigenvalue."""

    def circuit(x):
        return qf.circuit(4, qf.ry(x, range(4)), qf.cx(0, 1))

    def of_matrices(x):
        return qf.fidelity(qf.run_density(circuit(x)), qf.run_density(circuit(2 * x)))

    def of_vectors(x):
        return qf.fidelity(circuit(x)(), circuit(2 * x)())

    x = torch.tensor(0.3, dtype=dtype)
    bound = tolerance(dtype, 256, 16.0)
    for transform in (lambda f: f, grad):
        assert abs(transform(of_matrices)(x) - transform(of_vectors)(x)) < bound


@pytest.mark.parametrize("dtype", [torch.float32, F64], ids=str)
def test_zero_eigenvalues_stay_zero_in_gradients_of_entropy(dtype):
    """At strength 0 one eigenvalue is 0, up to rounding: the other's slope is 2/3."""
    for angle in torch.linspace(0.1, 0.9, 9, dtype=dtype):

        def value(p, angle=angle):
            turn = qf.ry(angle, 0), qf.rx(1.3 * angle, 0)
            return qf.entropy(qf.run_density(qf.circuit(1, *turn, noise.depolarizing(p, 0))))

        slope = grad(value)(torch.zeros((), dtype=dtype))
        assert abs(slope - 2 / 3) < tolerance(dtype, 64, 16.0)


@pytest.mark.parametrize("least", [1e-14, 1e-12, 1e-10, 1e-6])
def test_fidelity_keeps_small_eigenvalues(least):
    """Of a matrix with itself it is 1, whose square would lose them."""
    states = torch.stack([qf.random_state(u) for u in qf.uniforms((4, 2, 4), 3, dtype=F64)])
    vectors = torch.linalg.qr(states)[0]
    rho = vectors * torch.tensor([0.6, 0.4 - least, least, 0.0], dtype=F64) @ vectors.mH
    assert abs(qf.fidelity(rho, rho) - 1) < tolerance(F64, 64, 4.0)


def test_a_root_of_rounding_is_noticed(monkeypatch):
    """A mutant: all eigenvalues above 0 count, and Newton's step changes the value."""
    own = densities.root

    def stepped(rho, _):
        found = own(rho, 0.0)
        values, vectors = torch.linalg.eigh(found)
        sums = values[:, None] + values
        rest = vectors.mH @ (rho - found @ found) @ vectors
        return found + vectors @ (rest / torch.where(sums == 0, 1.0, sums)) @ vectors.mH

    monkeypatch.setattr(densities, "root", stepped)
    with pytest.raises(AssertionError):
        test_fidelity_of_matrices_of_every_rank(4, torch.float32)


def test_a_state_is_refused_a_channel():
    circuit = qf.circuit(1, noise.bit_flip(0.1, 0))
    for call in (lambda: circuit(), lambda: qf.evolve(1, circuit.ops, qf.zero_state(1))):
        with pytest.raises(TypeError, match=r"bit_flip\(\): a channel .* `run_density\(circuit\)`"):
            call()


def test_channels_have_no_inverse_power_or_control():
    circuit = qf.circuit(2, noise.bit_flip(0.1, 0))
    with pytest.raises(ValueError, match="inverse"):
        circuit.inverse()
    for make in (lambda g: qf.power(g, 2), qf.controlled, qf.inverse, qf.conjugate):
        with pytest.raises(TypeError, match="but got a channel"):
            make(noise.bit_flip)
    with pytest.raises(TypeError, match="channel"):
        circuit.controlled(1)


def test_jit_replays_densities():
    f = energy(3)
    step = qf.jit(grad(f, (0, 1)))
    for seed in (0, 1):
        q = 3 * qf.uniforms((2, 2, 3), seed, dtype=F64)
        p = 0.1 * qf.uniforms(3, seed, dtype=F64)
        for found, expected in zip(step(q, p), grad(f, (0, 1))(q, p), strict=True):
            assert (found - expected).abs().max() < tolerance(F64, 256, 8.0)
