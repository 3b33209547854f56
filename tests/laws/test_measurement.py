"""Measurements: against the dense oracle, sampling by given uniforms, statistics of samples."""

import math
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import dense
from oracles.compare import assert_close
from torch.autograd import forward_ad
from torch.func import grad, jvp, vmap

import quilt_func as qf
from quilt_func import _sampling
from quilt_func.testing import observable_laws
from quilt_func.testing import strategies as qst

F32, F64 = torch.float32, torch.float64
each_real = pytest.mark.parametrize("real", [F32, F64], ids=str)
Z = qf.pauli_sum({"Z": 1.0})


def random_hermitian(n, dtype=torch.complex128):
    u = qf.uniforms((2, 2**n, 2**n), n, dtype=dtype.to_real()) - 0.5
    matrix = torch.complex(*u)
    return (matrix + matrix.mH).resolve_conj()


OBSERVABLES = {
    "words": qf.pauli_sum({"XYZ": 0.5, "YYI": -0.25, "ZIX": 1.0, "III": 0.1}),
    "words, double": qf.pauli_sum(["XY", "YX", "XY"], torch.tensor([0.3, -1.0, 0.5], dtype=F64)),
    "words, single": qf.pauli_sum(["ZZ", "YI"], torch.tensor([0.3, -1.0])),
    "one word of Y": qf.pauli_sum({"YYY": 1.0}),
    "long words": qf.pauli_sum({"XIYIZIX": 1.0, "ZZZZZZZ": -0.5, "IYYIIXI": 0.25}),
    "diagonal": qf.diagonal(torch.linspace(-1, 1, 8, dtype=F64)),
    "diagonal, single": qf.diagonal(torch.linspace(-1, 1, 4)),
    "hermitian": qf.hermitian(random_hermitian(2)),
    "hermitian, single": qf.hermitian(random_hermitian(3, torch.complex64)),
    "no qubits": qf.pauli_sum({"": 2.0}),
}


@pytest.mark.parametrize("observable", OBSERVABLES.values(), ids=OBSERVABLES)
def test_laws_of_observables(observable):
    observable_laws(observable)()


@given(data=st.data())
def test_dense_and_diagonal_observables(data):
    n = data.draw(st.integers(1, 4))
    state = data.draw(qst.states(n))
    matrix, values = random_hermitian(n), data.draw(qst.uniforms(2**n))
    bounds = {"n_gates": 4**n, "scale": 4.0}
    expected = dense.expectation(state, matrix.numpy())
    assert_close(qf.expval(state, qf.hermitian(matrix)), expected, **bounds)
    expected = dense.expectation(state, np.diag(values.numpy()))
    assert_close(qf.expval(state, qf.diagonal(values)), expected, **bounds)
    expected = dense.variance(state, matrix.numpy())
    assert_close(qf.variance(state, qf.hermitian(matrix)), expected, n_gates=4**n, scale=16.0)


def test_variance_does_not_cancel():
    """A shift by 1e4 changes no variance; ⟨O²⟩ - ⟨O⟩² would lose it in single precision."""
    state = qf.circuit(1, qf.ry(0.3, 0))()
    shifted = qf.pauli_sum({"Z": 1.0, "I": 1e4})
    bounds = {"n_gates": 64, "scale": 1e4}
    assert_close(qf.variance(state, shifted), math.sin(0.3) ** 2, **bounds)
    assert float(qf.variance(qf.zero_state(1), shifted)) >= 0


@each_real
@given(data=st.data())
def test_probabilities_and_marginals(real, data):
    n = data.draw(st.integers(1, 6))
    state = data.draw(qst.states(n, dtype=real.to_complex()))
    wires = data.draw(qst.wires(n, size=data.draw(st.integers(0, n))))
    p = qf.probs(state)
    assert p.dtype == real
    assert_close(p, np.abs(state.numpy()) ** 2, n_gates=4)
    assert_close(qf.marginal(state, wires), dense.marginal(state, wires), n_gates=2**n)


@given(data=st.data())
def test_samples_invert_the_distribution(data):
    n = data.draw(st.integers(1, 6))
    state = data.draw(qst.states(n))
    u = data.draw(qst.uniforms(7))
    found = qf.sample(state, u)
    assert (found.dtype, found.shape) == (torch.int64, u.shape)
    cumulative = np.concatenate([[0.0], np.cumsum(np.abs(state.numpy()) ** 2)])
    cumulative /= cumulative[-1]
    slack = 2.0**n * torch.finfo(F64).eps
    for number, index in zip(u.tolist(), found.tolist(), strict=True):
        assert cumulative[index] - slack <= number <= cumulative[index + 1] + slack
        assert cumulative[index + 1] > cumulative[index]


@given(bits=st.text("01", min_size=1, max_size=6), u=qst.uniforms(9))
def test_a_basis_state_gives_only_itself(bits, u):
    found = qf.sample(qf.basis_state(bits), u)
    assert set(found.tolist()) == {int(bits, 2)}


def test_extreme_uniforms_stay_in_range():
    u = torch.tensor([0.0, 1.0 - torch.finfo(F32).eps / 2], dtype=F32)
    for bits in ("00", "01", "10", "11"):
        assert qf.sample(qf.basis_state(bits), u).tolist() == [int(bits, 2)] * 2
    assert qf.sample(qf.ghz_state(3), u).tolist() == [0, 7]


@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3)], ids=str)
def test_samples_have_the_shape_of_the_uniforms(shape):
    assert qf.sample(qf.ghz_state(2), qf.uniforms(shape, 0)).shape == shape


def test_sampling_maps_and_replays():
    states = torch.stack([qf.ghz_state(2), qf.w_state(2), qf.zero_state(2)])
    u = qf.uniforms((3, 8), 1)
    loop = torch.stack([qf.sample(s, v) for s, v in zip(states, u, strict=True)])
    assert torch.equal(vmap(qf.sample)(states, u), loop)
    shared = torch.stack([qf.sample(states[0], v) for v in u])
    assert torch.equal(vmap(qf.sample, (None, 0))(states[0], u), shared)
    assert torch.equal(qf.sample(states[0], u), shared)
    one = torch.stack([qf.sample(s, u[0]) for s in states])
    assert torch.equal(vmap(qf.sample, (0, None))(states, u[0]), one)


MANY = _sampling._MANY_SHOTS
EPS, TINY = torch.finfo(F64).eps, math.ulp(0.0)
LAST = [1.0 - torch.finfo(real).eps / 2 for real in (F32, F64)]
PROBABILITIES = {
    "random": qf.uniforms(256, 7, dtype=F64),
    "one": torch.ones(1, dtype=F64),
    "equal": torch.ones(128, dtype=F64),
    "the first alone": torch.eye(64, dtype=F64)[0],
    "one in the middle": torch.eye(64, dtype=F64)[37],
    "the last alone": torch.eye(64, dtype=F64)[63],
    "runs of zeros": torch.eye(64, dtype=F64)[[0, 31, 32]].sum(0),
    "halved each time": torch.exp2(-torch.arange(1024, dtype=F64)),
    "doubled each time": torch.exp2(torch.arange(1024, dtype=F64) - 1023),
    "too small to add": torch.tensor([1.0, EPS / 8, EPS / 8, 0.0], dtype=F64).repeat(16),
    "smallest first": torch.tensor([TINY, 8 * TINY, 0.0, 1.0], dtype=F64),
    "not a number": torch.tensor([1.0, math.nan], dtype=F64).repeat(4),
    "nothing": torch.zeros(32, dtype=F64),
}


def intervals(state):
    """The ends of the intervals of a state, as `sample` is said to add them up."""
    return np.cumsum(qf.probs(state).to(F64).numpy())


def edges(state):
    """Uniform numbers at, before and after the ends of all intervals, and at both ends of all."""
    with np.errstate(invalid="ignore"):
        ends = intervals(state) / intervals(state)[-1]
    around = [np.nextafter(ends, 0.0), ends, np.nextafter(ends, 1.0), [0.0, TINY, *LAST]]
    return torch.from_numpy(np.concatenate(around))


def assert_samples_are_searched(state, u):
    """Many shots and few give what a search by numpy gives, to the letter."""
    ends, last = intervals(state), len(state) - 1
    positions = u.to(F64).numpy() * ends[-1]
    expected = np.searchsorted(ends, positions, side="right").clip(max=last)
    many = u.repeat(-(-MANY // len(u)))
    with mock.patch.object(_sampling, "_FEW_THREADS", torch.get_num_threads()):
        found = qf.sample(state, many)
    assert found.dtype == torch.int64
    assert found.tolist() == np.resize(expected, len(many)).tolist()
    assert qf.sample(state, u).tolist() == expected.tolist()


@each_real
@pytest.mark.parametrize("p", PROBABILITIES.values(), ids=PROBABILITIES)
def test_many_shots_are_searched_to_the_letter(p, real):
    state = torch.complex(p.sqrt(), torch.zeros_like(p)).to(real.to_complex())
    u = torch.cat([edges(state), qf.uniforms(500, 8, dtype=F64)])
    assert_samples_are_searched(state, u)
    assert_samples_are_searched(state, u.to(F32))


@each_real
@given(data=st.data())
def test_many_shots_invert_the_distribution(data, real):
    state = data.draw(qst.states(data.draw(st.integers(0, 6)), dtype=real.to_complex()))
    kept = data.draw(st.lists(st.booleans(), min_size=len(state), max_size=len(state)))
    state = state * torch.tensor(kept)
    assert_samples_are_searched(state, torch.cat([edges(state), data.draw(qst.uniforms(7))]))


def left(cumulative, positions):
    return torch.searchsorted(cumulative, positions).clamp(max=len(cumulative) - 1)


def single(cumulative, positions):
    return _sampling._search(cumulative.to(F32), positions.to(F32))


def even(cumulative, positions):
    return _sampling._search(cumulative, positions) // 2 * 2


def unclamped(cumulative, positions):
    return torch.searchsorted(cumulative, positions, right=True)


@pytest.mark.parametrize("mistake", [left, single, even, unclamped])
def test_the_law_of_many_shots_sees_mistakes(mistake):
    state = qf.random_state(qf.uniforms((2, 256), 9, dtype=F64))
    state[17] = 0.0
    u = torch.cat([edges(state), torch.ones(1, dtype=F64)])
    assert_samples_are_searched(state, u)
    with mock.patch.object(_sampling, "_halve", mistake), pytest.raises(AssertionError):
        assert_samples_are_searched(state, u)


def test_many_shots_map_and_replay():
    states = torch.stack([qf.ghz_state(3), qf.w_state(3), qf.zero_state(3)])
    u = qf.uniforms((3, MANY), 3)
    loop = torch.stack([qf.sample(s, v) for s, v in zip(states, u, strict=True)])
    assert torch.equal(vmap(qf.sample)(states, u), loop)
    assert torch.equal(qf.jit(qf.sample)(states[1], u[1]), loop[1])
    assert torch.equal(qf.sample(states[1], u), vmap(qf.sample, (None, 0))(states[1], u))
    one = torch.stack([qf.sample(s, u[0]) for s in states])
    assert torch.equal(vmap(qf.sample, (0, None))(states, u[0]), one)


def test_shots_are_searched_where_they_are_few_or_threads_are_many():
    cumulative, shots = torch.ones(8, dtype=F64), torch.zeros(MANY, dtype=F64)
    with mock.patch.object(_sampling, "_FEW_THREADS", torch.get_num_threads()):
        assert _sampling._has_many_shots(shots, cumulative)
        assert not _sampling._has_many_shots(shots[1:], cumulative)
        assert not _sampling._has_many_shots(shots, torch.ones(129 * MANY, dtype=F64))
        assert not _sampling._has_many_shots(shots.to("meta"), cumulative.to("meta"))
    with mock.patch.object(_sampling, "_FEW_THREADS", torch.get_num_threads() - 1):
        assert not _sampling._has_many_shots(shots, cumulative)


def test_frequencies_are_the_probabilities():
    shots, state = 1 << 14, qf.random_state(qf.uniforms((2, 8), 4, dtype=F64))
    p = qf.probs(state)
    found = torch.bincount(qf.sample(state, qf.uniforms(shots, 5, dtype=F64)), minlength=8) / shots
    error = 5 * (p * (1 - p) / shots).sqrt()
    assert bool(((found - p).abs() <= error).all())


def test_large_single_precision_states_are_sampled_in_double():
    """A float32 cumulative sum would misplace one in twenty of these cells' middles."""
    state = qf.random_state(qf.uniforms((2, 2**18), 6))
    p = (state.real.square() + state.imag.square()).double().numpy()
    cumulative = np.cumsum(p)
    cells = np.argsort(p)[len(p) // 10 :: 97]
    middles = (cumulative[cells] - p[cells] / 2) / cumulative[-1]
    found = qf.sample(state, torch.from_numpy(middles))
    assert found.tolist() == cells.tolist()


REFUSED = {
    "grad": lambda f, t: grad(f)(t),
    "vmap(grad)": lambda f, t: vmap(grad(f))(t[None]),
    "grad(vmap)": lambda f, t: grad(lambda s: vmap(f)(s[None]).sum())(t),
    "jvp": lambda f, t: jvp(f, (t,), (t,)),
    "backward": lambda f, t: f(t.clone().requires_grad_()),
}


@pytest.mark.parametrize("transform", REFUSED.values(), ids=REFUSED)
def test_sampling_refuses_gradients(transform):
    u = qf.uniforms(8, 0)

    def f(theta):
        return qf.expval_from_samples(qf.sample(qf.circuit(1, qf.ry(theta, 0))(), u), Z)

    with pytest.raises(TypeError, match="samples have no gradient"):
        transform(f, torch.tensor(0.3))


def test_sampling_refuses_dual_numbers():
    with forward_ad.dual_level():
        theta = forward_ad.make_dual(torch.tensor(0.3), torch.tensor(1.0))
        state = qf.circuit(1, qf.ry(theta, 0))()
        with pytest.raises(TypeError, match="samples have no gradient"):
            qf.sample(state, qf.uniforms(8, 0))


def test_sampling_a_detached_state_inside_a_gradient():
    def f(theta):
        state = qf.circuit(1, qf.ry(theta, 0))()
        with torch.no_grad():
            shots = qf.sample(state.detach(), qf.uniforms(8, 0))
        return qf.expval(state, Z) + 0 * shots.sum()

    assert_close(grad(f)(torch.tensor(0.3)), -math.sin(0.3), n_gates=8)


@given(data=st.data())
def test_bits_and_counts(data):
    n = data.draw(st.integers(1, 8))
    indices = data.draw(st.lists(st.integers(0, 2**n - 1), max_size=9))
    found = torch.tensor(indices, dtype=torch.int64)
    assert qf.to_bits(found, n).tolist() == [list(dense.bits(i, n)) for i in indices]
    table = qf.counts(found, n)
    assert sum(table.values()) == len(indices)
    assert list(table.values()) == sorted(table.values(), reverse=True)
    assert all(indices.count(int(bits, 2)) == number for bits, number in table.items())
    many = vmap(lambda i: qf.to_bits(i, n))(found) if indices else qf.to_bits(found, n)
    assert torch.equal(many, qf.to_bits(found, n))


@given(data=st.data())
def test_mean_over_samples(data):
    n = data.draw(st.integers(1, 4))
    words = data.draw(qst.pauli_sums(n, letters="IZ"))
    indices = data.draw(st.lists(st.integers(0, 2**n - 1), min_size=1, max_size=9))
    matrix = dense.sum_matrix(words.words, words.coefficients.tolist())
    expected = np.diag(matrix).real[indices].mean()
    found = torch.tensor(indices)
    bounds = {"n_gates": 64, "scale": float(len(words))}
    assert_close(qf.expval_from_samples(found, words), expected, **bounds)
    values = qf.diagonal(torch.from_numpy(np.diag(matrix).real.copy()))
    assert_close(qf.expval_from_samples(found, values), expected, **bounds)
    by_words = grad(lambda o: qf.expval_from_samples(found, o))(words).coefficients
    signs = [np.diag(dense.word_matrix(word)).real[indices].mean() for word in words.words]
    assert_close(by_words, np.array(signs), n_gates=64)


def test_sample_mean_approaches_the_expectation():
    state = qf.circuit(2, qf.ry(0.7, 0), qf.cx(0, 1), qf.ry(0.4, 1))(dtype=torch.complex128)
    energy = qf.pauli_sum({"ZI": 1.0, "ZZ": 0.5})
    shots = 1 << 14
    mean = qf.expval_from_samples(qf.sample(state, qf.uniforms(shots, 3, dtype=F64)), energy)
    error = 5 * float(qf.variance(state, energy)) ** 0.5 / math.sqrt(shots)
    assert abs(float(mean) - float(qf.expval(state, energy))) <= error


def test_a_uniform_of_one_is_the_last_index():
    assert qf.sample(qf.ghz_state(3), torch.tensor(1.0)).item() == 7
