"""Tensors as they come: views, lazy conjugates, expanded and shared ones; nothing is written to."""

import pytest
import torch
from oracles.compare import assert_close
from torch.func import grad, jvp, vmap

import quilt_func as qf
from quilt_func.evolution import reference

F64 = torch.float64
each_size = pytest.mark.parametrize("n", [1, 3, 6, 9])
BOUNDS = {"n_gates": 512, "scale": 4.0}


def random_states(m, n):
    return vmap(qf.random_state)(qf.uniforms((m, 2, 2**n), n, dtype=F64))


def circuit_of(theta, n):
    pairs = [(i, (i + n // 2 + 1) % n) for i in range(n) if n > 1 and (n // 2 + 1) % n]
    return qf.circuit(n, qf.rx(theta, range(n)), qf.cx(pairs), qf.rz(theta, range(n)), qf.t(0))


VIEWS = {
    "a row": lambda s: torch.stack([s, s])[1],
    "a column": lambda s: torch.stack([s, 2 * s], -1)[:, 0],
    "every second": lambda s: torch.stack([s, s], -1).reshape(-1)[::2],
    "with an offset": lambda s: torch.cat([s, s])[len(s) :],
    "conjugated lazily": lambda s: s.conj().resolve_conj().conj(),
    "conjugated twice": lambda s: torch.conj(torch.conj(s)),
    "expanded": lambda s: s[:1].expand(len(s)),
    "of real pairs": lambda s: torch.view_as_complex(torch.view_as_real(s)),
    "with a gradient": lambda s: s.clone().requires_grad_(),
}


@each_size
@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_states_of_any_layout(view, n):
    (state,) = random_states(1, n)
    given = view(state)
    circuit = circuit_of(torch.tensor(0.7, dtype=F64), n)
    plain = given.detach().resolve_conj().clone()
    assert_close(circuit(given), reference.run(circuit.ops, plain), **BOUNDS)
    energy = qf.pauli_sum({"Y" * n: 0.5, "Z" + "X" * (n - 1): 0.5})
    assert_close(qf.expval(given, energy), qf.expval(plain, energy), **BOUNDS)
    assert_close(energy.apply(given), energy.apply(plain), **BOUNDS)
    assert_close(qf.probs(given), qf.probs(plain), **BOUNDS)
    assert_close(qf.fidelity(given, plain), qf.fidelity(plain, plain), **BOUNDS)
    assert_close(qf.reduced_density(given, [0]), qf.reduced_density(plain, [0]), **BOUNDS)
    slope = grad(lambda s: qf.expval(circuit(s), energy))
    assert_close(slope(given.detach()).resolve_conj(), slope(plain).resolve_conj(), **BOUNDS)


READINGS = {
    "expval of words": lambda s, n: qf.expval(s, qf.pauli_sum({"Z" * n: 0.5, "Y" * n: 0.5})),
    "expval of two": lambda s, n: qf.expval(s, [diagonal(n), projector(n)]),
    "variance of words": lambda s, n: qf.variance(s, qf.pauli_sum({"Y" * n: 1.0})),
    "variance of a diagonal": lambda s, n: qf.variance(s, diagonal(n)),
    "covariance": lambda s, n: qf.covariance(s, diagonal(n), projector(n)),
    "image": lambda s, n: qf.pauli_sum({"Z" * n: 0.5, "Y" * n: 0.5}).apply(s).abs(),
    "probs": lambda s, n: qf.probs(s),
    "marginal": lambda s, n: qf.marginal(s, [n - 1]),
    "purity": lambda s, n: qf.purity(qf.reduced_density(s, [0]).conj()),
    "entropy": lambda s, n: qf.entropy(qf.reduced_density(s, [0]).conj()),
    "circuit": lambda s, n: qf.probs(circuit_of(torch.tensor(0.7, dtype=F64), n)(s)),
}


def diagonal(n):
    return qf.diagonal(torch.linspace(-1, 1, 2**n, dtype=F64))


def projector(n):
    return qf.hermitian(torch.full((2**n, 2**n), 0.5**n, dtype=torch.complex128))


@pytest.mark.parametrize("n", [3, 6])
@pytest.mark.parametrize("reading", READINGS.values(), ids=READINGS)
def test_conjugates_within_transforms(reading, n):
    states = random_states(2, n)
    expected = torch.stack([reading(state.conj().resolve_conj(), n) for state in states])
    assert_close(reading(states[0].conj(), n), expected[0], **BOUNDS)
    assert_close(vmap(lambda s: reading(s.conj(), n))(states), expected, **BOUNDS)
    tangent = states.flip(0)
    values, slopes = jvp(vmap(lambda s: reading(s.conj(), n)), (states,), (tangent,))
    assert_close(values, expected, **BOUNDS)
    pulled = vmap(grad(lambda s: reading(s.conj(), n).sum()))(states)
    paired = (pulled.resolve_conj().conj() * tangent).real.sum(-1)
    assert_close(paired, slopes.reshape(2, -1).sum(-1), **BOUNDS)


@each_size
def test_leaves_of_any_layout(n):
    table = qf.uniforms((n, 3), 0, dtype=F64)
    (state,) = random_states(1, n)
    for theta in (table[:, 1], table.flip(0)[:, 2], table[:1, 0].expand(n), table.mT[0]):
        expected = circuit_of(theta.clone(), n)(state)
        assert_close(circuit_of(theta, n)(state), expected, **BOUNDS)


@pytest.mark.parametrize("n", [2, 7])
def test_matrices_conjugated_lazily(n):
    (column,) = random_states(1, 2)
    matrix = torch.linalg.qr(torch.stack([column, column.flip(0), column.roll(1), column * 1j], 1))[
        0
    ]
    (state,) = random_states(1, n)
    for given in (matrix.mH, matrix.conj(), matrix.mT, matrix[None].mH):
        plain = given.resolve_conj().clone()
        circuit = qf.circuit(n, qf.h(range(n)), qf.unitary(given, 0, 1))
        expected = qf.circuit(n, qf.h(range(n)), qf.unitary(plain, 0, 1))
        assert_close(circuit(state), expected(state), **BOUNDS)
        assert_close(circuit.inverse()(state), expected.inverse()(state), **BOUNDS)


@each_size
def test_nothing_is_written_to(n):
    """Neither to arguments, nor by a later call to an earlier result."""
    first, second = random_states(2, n)
    theta = torch.tensor(0.7, dtype=F64)
    circuit = circuit_of(theta, n)
    kept = first.clone(), second.clone(), theta.clone()
    one = circuit(first)
    result = one.clone()
    circuit(second)
    slope = grad(lambda t: qf.probs(circuit_of(t, n)(first))[0])
    early = slope(theta)
    gradient = early.clone()
    slope(theta + 1)
    vmap(circuit)(torch.stack([first, second]))
    grad(lambda s: qf.probs(circuit(s))[0])(second)
    assert torch.equal(one, result)
    assert torch.equal(early, gradient)
    assert all(torch.equal(a, b) for a, b in zip((first, second, theta), kept, strict=True))


@each_size
def test_results_are_ones_own(n):
    """A result may be written to: no cache and no argument changes with it."""
    (state,) = random_states(1, n)
    circuit = circuit_of(torch.tensor(0.7, dtype=F64), n)
    for made in (
        lambda: circuit(state),
        circuit,
        lambda: circuit.unitary(),
        qf.circuit(n, qf.h(0)),
    ):
        kept = made().clone()
        made().zero_()
        assert torch.equal(made(), kept)


@each_size
def test_one_tensor_in_many_places(n):
    theta = torch.tensor(0.3, dtype=F64)

    def shared(t):
        circuit = qf.circuit(n, circuit_of(t, n), circuit_of(t, n), circuit_of(t, n).inverse())
        return qf.probs(circuit())[0]

    def apart(a, b, c):
        circuit = qf.circuit(n, circuit_of(a, n), circuit_of(b, n), circuit_of(c, n).inverse())
        return qf.probs(circuit())[0]

    parts = grad(apart, (0, 1, 2))(theta, theta.clone(), theta.clone())
    assert_close(grad(shared)(theta), sum(parts), n_gates=1024, scale=8.0 * n)
