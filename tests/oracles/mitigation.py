"""Mitigation in dense numpy that shares no code with the library, and what its functions must do.

Each `check_...` takes the function that it is about, so that mistakes can be planted in its place.
Of the library's objects the oracle reads names, wires and parameter values.

References:
    Nielsen and Chuang (2010), section 8.3; Temme, Bravyi and Gambetta (2017), arXiv:1612.02058.
"""

import math
from itertools import product

import numpy as np
import torch
from torch.func import grad, hessian, jacfwd, vmap

import quilt_func as qf
from oracles import dense
from quilt_func import noise
from quilt_func.testing import tolerance

F64, C128 = torch.float64, torch.complex128


def all_words(k):
    return ["".join(letters) for letters in product("IXYZ", repeat=k)]


def probabilities(name, k, *strengths):
    """Probability of each Pauli word of a channel, by its name; that of no error last."""
    words = all_words(k)[1:]
    if name in ("depolarizing", "two_qubit_depolarizing"):
        found = {word: strengths[0] / len(words) for word in words}
    elif name == "pauli_channel":
        found = dict(zip("XYZ", strengths, strict=True))
    elif name.startswith("pauli_errors["):
        found = dict(zip(name[13:-1].split(","), strengths, strict=True))
    else:
        letter = {"bit_flip": "X", "phase_flip": "Z", "bit_phase_flip": "Y"}[name]
        found = {letter: strengths[0]}
    return {**found, "I" * k: 1 - sum(found.values())}


def operators(name, k, *strengths):
    """Kraus operators of a channel, by its name."""
    if name == "amplitude_damping":
        (gamma,) = strengths
        lower = np.array([[0, math.sqrt(gamma)], [0, 0]], dtype=complex)
        return [np.diag([1, math.sqrt(1 - gamma)]).astype(complex), lower]
    found = probabilities(name, k, *strengths)
    return [math.sqrt(p) * dense.word_matrix(word) for word, p in found.items() if p]


def strengths_at(op, slot):
    return [p if isinstance(p, float) else float(p.detach()[slot]) for p in op.params]


def density(circuit):
    """`Σ K ρ K†`, one gate or channel after the other, from |0...0⟩."""
    n = circuit.n_qubits
    state = dense.zero_state(n)
    rho = np.outer(state, state)
    for op in circuit.ops:
        if not isinstance(op.gate, noise.Channel):
            whole = dense.circuit_matrix(n, [op])
            rho = whole @ rho @ whole.conj().T
            continue
        for slot, wires in enumerate(op.wires):
            found = operators(op.gate.name, len(wires), *strengths_at(op, slot))
            embedded = [dense.embed(one, wires, n) for one in found]
            rho = sum(one @ rho @ one.conj().T for one in embedded)
    return rho


def without_noise(circuit):
    ops = (op for op in circuit.ops if not isinstance(op.gate, noise.Channel))
    return qf.circuit(circuit.n_qubits, ops)


def off(found, expected):
    """The largest difference between a tensor and an array."""
    return float(np.abs(found.detach().resolve_conj().numpy() - expected).max())


# folding


def check_folding(fold, circuit, scale):
    """The same unitary, and as many gates as the nearest step of two allows."""
    folded = fold(circuit, scale)
    n = circuit.n_qubits
    bound = tolerance(F64, 16 * folded.n_gates, 4.0)
    expected = dense.circuit_matrix(n, circuit.ops)
    assert off(folded.unitary(dtype=None if folded.leaves else C128), expected) < bound
    assert abs(folded.n_gates - scale * circuit.n_gates) <= 1
    assert (folded.n_gates - circuit.n_gates) % 2 == 0


def check_noise_scales(fold, scale, p=0.03):
    """On one wire depolarizing noise shrinks every mean by `1 - 4p/3` a gate, whatever it is."""
    circuit = qf.circuit(
        1, qf.rx(0.4, 0), qf.t(0), [qf.ry(-0.7, 0), qf.s(0)], qf.u(0.1, 0.2, 0.3, 0)
    )
    model = noise.noise_model(noise.rule(noise.depolarizing, p))
    noisy = noise.with_noise(fold(circuit, scale), model)
    n_channels = sum(len(op) for op in noisy.ops if isinstance(op.gate, noise.Channel))
    assert abs(n_channels - scale * circuit.n_gates) <= 1
    rho = qf.run_density(noisy, dtype=C128)
    state = dense.run(circuit.ops, dense.zero_state(1))
    shrunk = (1 - 4 * p / 3) ** n_channels
    expected = shrunk * np.outer(state, state.conj()) + (1 - shrunk) * np.eye(2) / 2
    assert off(rho, expected) < tolerance(F64, 64)


# extrapolation


def polynomial_weights(scales, degree):
    """Weights of values in the value at 0 of their polynomial of least squares."""
    vandermonde = np.vander(np.array(scales, float), degree + 1)
    return np.linalg.pinv(vandermonde)[-1]


def check_line(extrapolate, scales, values, errors):
    """Value and error of numpy's weighted fit."""
    found = extrapolate(scales, values, errors, method="linear")
    y, sigma = values.numpy(), errors.numpy()
    (_, value), cov = np.polyfit(scales, y, 1, w=1 / sigma, cov="unscaled")
    size = 1 + abs(value) + np.abs(y).max()
    assert abs(float(found.value) - value) < tolerance(F64, 64, 64 * size)
    assert abs(float(found.error) - math.sqrt(cov[1, 1])) < tolerance(F64, 64, 64.0)


def check_richardson(extrapolate, scales, coefficients, errors):
    """Exact for polynomials that are no longer than scales; errors by Lagrange's weights."""
    at = torch.tensor(scales, dtype=F64)
    values = sum(c * at**power for power, c in enumerate(coefficients))
    found = extrapolate(scales, values, errors, method="richardson")
    weights = polynomial_weights(scales, len(scales) - 1)
    size = float((torch.tensor(np.abs(weights)) * values.abs()).sum()) + 1
    assert abs(float(found.value) - coefficients[0]) < tolerance(F64, 256, 16 * size)
    expected = math.sqrt(((weights * errors.numpy()) ** 2).sum())
    assert abs(float(found.error) - expected) < tolerance(F64, 256, 16 * size)


def decay_of_three(values):
    """The decay through values at scales 1, 3, 5, at 0, in closed form."""
    first, second = values[1] - values[0], values[2] - values[1]
    q = second / first  # exp(-2c)
    b = first / (q.sqrt() * (q - 1))
    return values[0] - b * q.sqrt() + b


def check_decay(extrapolate, values):
    """Value, gradient, Hessian and error of the decay through three values."""

    def value(y):
        return extrapolate([1, 3, 5], y, method="exponential").value

    # each order is as far off as values that are rounded make it
    orders = [lambda g: g, grad, hessian, lambda g: jacfwd(hessian(g))]
    sizes = [1 + float(f(decay_of_three)(values).abs().max()) for f in orders]
    for f, size in zip(orders[:3], sizes[1:], strict=True):
        deviation = (f(value)(values) - f(decay_of_three)(values)).abs().max()
        assert deviation < tolerance(F64, 256, 16 * size)
    errors = torch.tensor([0.01, 0.02, 0.015], dtype=F64)
    found = extrapolate([1, 3, 5], values, errors, method="exponential").error
    expected = (grad(decay_of_three)(values) * errors).square().sum().sqrt()
    assert abs(found - expected) < tolerance(F64, 256, 16 * sizes[2])


def check_zero_noise(zero_noise, scales, fold):
    """Depolarizing noise is a decay: a fit of one gives the value without noise, and its slopes."""
    model = noise.noise_model(noise.rule(noise.depolarizing, 0.01))
    z = qf.pauli_sum({"Z": 1.0})

    def ansatz(theta):
        return qf.circuit(1, qf.ry(theta, 0), qf.s(0), qf.rx(2 * theta, 0), qf.t(0), qf.h(0))

    def noisy(circuit):
        return qf.expval(qf.run_density(noise.with_noise(circuit, model)), z)

    def mitigated(theta):
        found = zero_noise(
            noisy, ansatz(theta), scales, fold=fold, method="exponential", asymptote=0.0
        )
        return found.value

    theta = torch.tensor(0.4, dtype=F64)
    for f in (lambda g: g, grad, hessian):
        expected = f(lambda t: qf.expval(ansatz(t)(), z))(theta)
        assert abs(f(mitigated)(theta) - expected) < tolerance(F64, 1024, 16.0)


# twirls


def every_index(n, size=16):
    """Uniform numbers for all ways to choose one of `size` for each of `n`."""
    middles = (torch.arange(size, dtype=F64) + 0.5) / size
    return torch.cartesian_prod(*[middles] * n).reshape(-1, n)


CLIFFORDS = (qf.cx, qf.cy, qf.cz, qf.swap, qf.iswap)


def check_twirl_keeps(twirl, gate):
    """All 16 twirls of a gate have its matrix, signs included; all letters come."""
    circuit = qf.circuit(3, gate(2, 0))
    expected = dense.circuit_matrix(3, circuit.ops)
    seen = set()
    for u in every_index(1):
        twirled = twirl(circuit, u)
        assert off(twirled.unitary(), expected) < tolerance(F64, 4)
        before = twirled.ops[0].params[0].numpy()
        seen |= {tuple(np.kron(*before).round().ravel())}
    assert len(seen) == 16


def check_twirl_mean(twirl):
    """Damping between gate and letters becomes a Pauli channel, in the mean over all twirls."""
    gamma = 0.3
    rule = noise.rule(noise.amplitude_damping, gamma, gates=[qf.cx, qf.iswap])
    model = noise.noise_model(rule)
    circuit = qf.circuit(
        2,
        qf.ry(torch.tensor([0.7, 1.9], dtype=F64), range(2)),
        qf.cx(0, 1),
        qf.rx(0.4, 1),
        qf.iswap(1, 0),
    )

    def one(u):
        return qf.run_density(noise.with_noise(twirl(circuit, u), model))

    found = vmap(one)(every_index(2)).mean(0)
    kraus = operators("amplitude_damping", 1, gamma)
    p = [sum(abs(np.trace(dense.PAULI[a] @ k)) ** 2 for k in kraus) / 4 for a in "XYZ"]
    ideal = noise.rule(noise.pauli_channel, *map(float, p), gates=[qf.cx, qf.iswap])
    expected = density(noise.with_noise(circuit, noise.noise_model(ideal)))
    assert off(found, expected) < tolerance(F64, 64)
    untwirled = density(noise.with_noise(circuit, model))
    assert np.abs(untwirled - expected).max() > 0.01


# cancellation


def sign(a, b):
    """1 if two words commute, -1 if not."""
    a, b = dense.word_matrix(a), dense.word_matrix(b)
    return 1.0 if np.abs(a @ b - b @ a).max() < 1 else -1.0


def inverse_channel(name, k, *strengths):
    """Real numbers of words in the inverse of a Pauli channel, by a linear system."""
    words = all_words(k)
    table = np.array([[sign(a, b) for b in words] for a in words])
    own = probabilities(name, k, *strengths)
    p = np.array([own.get(word, 0.0) for word in words])
    return dict(zip(words, np.linalg.solve(table, 1 / (table @ p)), strict=True))


def branches(circuit, letters):
    """Uniform numbers that take each choice of words, and the probability of each choice.

    `letters` is the library's order of words, which says where in [0, 1) each of them is.
    """
    choices = []
    for op in circuit.ops:
        if isinstance(op.gate, noise.Channel):
            for slot, wires in enumerate(op.wires):
                k = len(wires)
                q = inverse_channel(op.gate.name, k, *strengths_at(op, slot))
                sizes = np.array([abs(q["".join(w)]) for w in product(letters, repeat=k)])
                shares = np.where(sizes > tolerance(F64, 64), sizes, 0.0) / sizes.sum()
                ends = np.cumsum(shares)
                choices.append([(e - s / 2, s) for e, s in zip(ends, shares, strict=True) if s])
    taken = list(product(*choices))
    u = torch.tensor([[one[0] for one in each] for each in taken], dtype=F64)
    chances = torch.tensor([math.prod(one[1] for one in each) for each in taken], dtype=F64)
    return u.reshape(len(taken), -1), chances


def noisy_pair(theta, p):
    """Pauli channels of every kind on two wires: 1,024 choices of words."""
    return qf.circuit(
        2, qf.ry(theta, 0), noise.depolarizing(p[0], 0), qf.cx(0, 1),
        noise.two_qubit_depolarizing(p[1], 1, 0), qf.rx(0.8 * theta, 1),
        noise.pauli_errors(["ZZ", "XI"])(p[2], 0.02, 0, 1), noise.bit_phase_flip(p[0], [1, 0]),
    )  # fmt: skip


PAIR = torch.tensor(0.7, dtype=F64), torch.tensor([0.05, 0.08, 0.03], dtype=F64)
WORDS = qf.pauli_sum({"ZX": 1.0, "YY": 0.5, "IZ": 0.7, "ZI": -0.4})


def check_cancelled(cancel):
    """Over all choices the mean of `weight * density` is the density without noise."""
    circuit = noisy_pair(*PAIR)
    u, chances = branches(circuit, noise.cancellation.LETTERS)

    def one(u):
        cancelled, weight = cancel(circuit, u)
        return weight * qf.run_density(cancelled)

    found = (chances[:, None, None] * vmap(one)(u)).sum(0)
    state = dense.run(without_noise(circuit).ops, dense.zero_state(2))
    assert off(found, np.outer(state, state.conj())) < tolerance(F64, len(chances), 4.0)


def check_cancelled_slopes(cancel):
    """So are derivatives: in angles those without noise, in strengths 0, to second order."""
    u, chances = branches(noisy_pair(*PAIR), noise.cancellation.LETTERS)

    def value(theta, p, u):
        cancelled, weight = cancel(noisy_pair(theta, p), u)
        return weight * qf.expval(qf.run_density(cancelled), WORDS)

    def mean(theta, p):
        return (chances * vmap(value, (None, None, 0))(theta, p, u)).sum()

    def ideal(theta):
        return qf.expval(without_noise(noisy_pair(theta, PAIR[1]))(), WORDS)

    bound = tolerance(F64, len(chances), 64.0)
    by_theta, by_p = grad(mean, (0, 1))(*PAIR)
    assert abs(by_theta - grad(ideal)(PAIR[0])) < bound
    assert by_p.abs().max() < bound
    (aa, ab), (_, bb) = hessian(mean, (0, 1))(*PAIR)
    assert abs(aa - hessian(ideal)(PAIR[0])) < 16 * bound
    assert max(ab.abs().max(), bb.abs().max()) < 256 * bound
