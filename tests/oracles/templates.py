"""What templates must do, by dense numpy that shares no code with the library.

Each `check_...` takes the function that it is about, so that mistakes can be planted in its place.

References:
    Nielsen and Chuang (2010), section 5.1; Suzuki (1991), J. Math. Phys. 32, 400; Egger et al.
    (2021), Quantum 5, 479; Zhou et al. (2020), Phys. Rev. X 10, 021067.
"""

import itertools
import math

import numpy as np
import torch
from torch.func import grad, jacrev, vmap

import quilt_func as qf
from oracles import dense
from oracles.compare import assert_close, central_difference
from quilt_func.testing.tolerances import fd_tolerance, tolerance

F64 = torch.float64
SKEW = qf.u(0.4, 0.9, -0.7, range(3))
"""So that no first gate is a mere phase."""
WORDS = qf.pauli_sum({"XYI": 1.0, "ZIX": 0.4, "IYZ": -0.7})


def matrix_of(n, parts):
    circuit = qf.circuit(n, parts)
    return circuit.unitary(dtype=None if circuit.leaves else torch.complex128)


def energy(n, *parts):
    word = qf.pauli_sum([word[:n] for word in WORDS.words], torch.tensor([1.0, 0.4, -0.7]).double())
    skew = qf.u(0.4, 0.9, -0.7, range(n))
    return qf.expval(qf.circuit(n, skew, parts)(), word)


# A gate chosen by a number

CANDIDATES = [
    qf.id, qf.rx, qf.rzz, qf.crx, (qf.ry, (1,)), (qf.cx, (1, 0)), qf.h, qf.cp, (qf.p, 1),
    qf.controlled(qf.s), qf.power(qf.rxx, 0.5),
]  # fmt: skip


def alone(entry, theta, wires):
    """The gate of an entry by itself, as a dense matrix on three wires."""
    gate, places = entry if isinstance(entry, tuple) else (entry, range(gate_wires(entry)))
    places = [places] if isinstance(places, int) else places
    named = {"cs": lambda: dense.control(dense.phase(math.pi / 2))}
    found = (
        named[gate.name]()
        if gate.name in named
        else dense.gate_matrix(gate.name, *([theta] if gate.n_params else []))
    )
    return dense.embed(found, [wires[place] for place in places], 3)


def gate_wires(gate):
    return gate.n_wires


def check_choice(choice):
    """The gate of each number and no other, on many sets, under vmap over numbers, with slopes."""
    thetas = [0.7, -2.3, 9.0]
    sets = [(0, 1), (2, 0)]
    for i, entry in enumerate(CANDIDATES):
        for theta in thetas:
            tensor = torch.tensor(theta, dtype=F64)
            for index in (i, torch.tensor(i)):
                got = matrix_of(3, choice(CANDIDATES, index, tensor, 2, 0))
                assert_close(got, alone(entry, theta, (2, 0)), n_gates=8)
    index, theta = torch.tensor([5, 2]), torch.tensor([0.3, 1.1], dtype=F64)
    expected = alone(CANDIDATES[2], 1.1, sets[1]) @ alone(CANDIDATES[5], 0.3, sets[0])
    assert_close(matrix_of(3, choice(CANDIDATES, index, theta, sets)), expected, n_gates=16)
    numbers = torch.arange(len(CANDIDATES))

    def value(i, t):
        return energy(3, choice(CANDIDATES, i, t, 0, 1))

    point = torch.tensor(0.7, dtype=F64)
    looped = torch.stack([value(i, point) for i in range(len(CANDIDATES))])
    assert_close(vmap(value, (0, None))(numbers, point), looped, n_gates=16, scale=3.0)
    slopes = vmap(grad(value, 1), (0, None))(numbers, point)
    by_hand = torch.stack(
        [central_difference(lambda t, i=i: value(i, t[0]), point[None])[0] for i in numbers]
    )
    deviation = (slopes - by_hand).abs().max()
    assert deviation < fd_tolerance(F64, 3.0), deviation


# Fixed unitaries


def check_qft(template, sign=1):
    """Columns are waves, by the definition."""
    for n in range(5):
        size = 2**n
        waves = np.outer(np.arange(size), np.arange(size)) * (2j * math.pi / size * sign)
        got = matrix_of(n, template(n))
        assert_close(got, np.exp(waves) / math.sqrt(size), n_gates=4 * n * n + 1)


def check_permutation(template):
    """Bits go where axes go."""
    for order in ([], [0], [1, 0], [2, 0, 1], [1, 2, 0], [3, 2, 0, 1], [0, 1, 2]):
        n = len(order)
        state = qf.random_state(qf.uniforms((2, 2**n), 1, dtype=F64))
        moved = state.reshape((2,) * n).permute(order).reshape(-1)
        assert_close(qf.circuit(n, template(order))(state), moved)


def angles_of_target(template, target, seed):
    """Gauss and Newton's least squares for the angles of a unitary, up to its phase."""

    def misfit(params):
        got = qf.circuit(2, template(params)).unitary()
        overlap = (got * target.conj()).sum()
        phase = overlap / overlap.abs()
        return torch.view_as_real(got - phase * target).reshape(-1)

    params = 2 * math.pi * qf.uniforms(15, seed, dtype=F64)
    damping = 1.0
    for _ in range(60):
        rest, slopes = misfit(params), jacrev(misfit)(params)
        metric = slopes.mT @ slopes + damping * torch.eye(15, dtype=F64)
        step = torch.linalg.solve(metric, slopes.mT @ rest)
        is_better = misfit(params - step).norm() < rest.norm()
        params, damping = (
            (params - step, max(1e-9, damping / 4)) if is_better else (params, damping * 4)
        )
        if misfit(params).norm() < tolerance(F64, 64):
            return True
    return False


def check_two_qubit_unitary(template, n_targets=2):
    """It reaches random unitaries of two wires to rounding, and acts on pairs in order."""
    for seed in range(n_targets):
        re, im = qf.uniforms((2, 4, 4), seed, dtype=F64) - 0.5
        target = torch.linalg.qr(torch.complex(re, im))[0]
        starts = (angles_of_target(template, target, 10 * seed + start) for start in range(6))
        assert any(starts), f"no angles for unitary {seed}"
    params = qf.uniforms((2, 15), 3, dtype=F64)
    blocks = [matrix_of(2, template(one)).numpy() for one in params]
    expected = dense.embed(blocks[1], (1, 2), 3) @ dense.embed(blocks[0], (0, 1), 3)
    assert_close(matrix_of(3, template(params, [(0, 1), (1, 2)])), expected, n_gates=40)
    identity = matrix_of(2, template(torch.zeros(15, dtype=F64)))
    assert_close(identity, np.eye(4), n_gates=8)


# States


def check_preparation(template):
    """The state with its phase, by a unitary, and the slope of the state in each amplitude."""
    rows = [
        [1, 0, 0, 0], [0, 0, 0, -2], [-1, 0, 0, 0], [1j, 0, 0, 0], [0.5, 0, 0, -0.5j],
        [1e-9, 1, 0, 1j], [-1e-9, 1, 0, 0], [0.3 - 0.2j, -0.7j, 0.1, 0.9], [0, 1, 0, 0],
    ]  # fmt: skip

    def state(a):
        return torch.view_as_real(qf.circuit(2, template(torch.view_as_complex(a)))())

    def plain(a):
        return a / a.square().sum().sqrt()

    for row in rows:
        given = torch.tensor(row, dtype=torch.complex128)
        assert_close(qf.circuit(2, template(given))(), given / given.norm(), n_gates=4)
        matrix = matrix_of(2, template(given)).numpy()
        assert_close(torch.from_numpy(matrix @ matrix.conj().T), np.eye(4) + 0j, n_gates=32)
        a = torch.view_as_real(given).clone()
        scale = 1 / float(given.abs().square().sum()) + 1
        assert_close(jacrev(state)(a), jacrev(plain)(a), n_gates=64, scale=scale)
    real = torch.tensor([0.6, -0.8], dtype=F64)
    assert_close(qf.circuit(1, template(real))(), real + 0j)


# Evolution

MIXED = qf.pauli_sum({"ZZI": 0.7, "IZZ": -0.4, "XII": 0.6, "IXI": 0.9, "IYX": 0.3, "III": 0.8})
COMMUTING = qf.pauli_sum({"XXI": 0.7, "IXX": -0.4, "ZZZ": 0.0, "XIX": 0.9, "III": 1.3})
FULL = qf.pauli_sum({"XXI": 0.7, "ZZI": 0.4, "YYI": -0.9, "IIZ": 0.2})
"""Words that commute with one another, although single letters do not."""


CROSSED = qf.pauli_sum({"ZII": 0.5, "XYI": 0.7, "IXY": -0.9})
"""Words of the same letters, last, that do not commute."""


def exponential(observable, t):
    matrix = dense.sum_matrix(observable.words, observable.coefficients)
    return dense.exponential(matrix, -1j * t)


def evolution_error(template, observable, order, n_steps, t=1.2):
    got = matrix_of(3, template(observable, t, order, n_steps=n_steps)).numpy()
    return np.abs(got - exponential(observable, t)).max()


def check_evolution(template):
    """Exact where words commute; else the error falls by the order, and slopes are the slopes."""
    for observable in (COMMUTING, FULL, qf.pauli_sum({"III": 0.4}), qf.pauli_sum({"XYZ": 2.0})):
        for order in (1, 2, 4):
            parts = template(observable, 1.7, order)
            assert_close(matrix_of(3, parts), exponential(observable, 1.7), n_gates=64)
    for observable, order in itertools.product((MIXED, CROSSED), (1, 2, 4)):
        coarse, fine = (evolution_error(template, observable, order, n) for n in (8, 16))
        slope = math.log2(coarse / fine)
        assert abs(slope - order) < 0.25, f"order {order}: the error falls as n**-{slope:.2f}"
    values = torch.tensor(MIXED.coefficients, dtype=F64)

    def value(c, t):
        return energy(3, template(qf.pauli_sum(MIXED.words, c), t, 4, n_steps=2))

    t = torch.tensor(0.8, dtype=F64)
    numbers = matrix_of(3, template(MIXED, 0.8, 4, n_steps=2))
    tensors = matrix_of(3, template(qf.pauli_sum(MIXED.words, values), t, 4, n_steps=2))
    assert_close(tensors, numbers, n_gates=512)
    by_hand = central_difference(lambda c: value(c, t), values)
    assert (grad(value)(values, t) - by_hand).abs().max() < fd_tolerance(F64, 8.0)


# Optimisation

COST = {"ZZII": 0.5, "IZZI": -0.75, "IIZZ": 1.0, "ZIIZ": 0.25, "IIIZ": 0.3}
PARAMS = torch.tensor([[0.4, -0.7], [0.9, 0.3]], dtype=F64)
SOLUTION = torch.tensor([0.0, 0.7, 1.0, 0.4], dtype=F64)


def layers(start, mix):
    """The state after two layers, of which the mixer is a matrix for each β."""
    cost = np.diag(dense.sum_matrix(list(COST), list(COST.values())))
    state = start
    for gamma, beta in PARAMS.tolist():
        state = mix(beta) @ (np.exp(-1j * gamma * cost) * state)
    return state


def exchange(beta, pairs):
    """Exchanges of pairs, one after another."""
    both = (dense.word_matrix("XX") + dense.word_matrix("YY")) / 2
    total = np.eye(16, dtype=complex)
    for pair in pairs:
        total = dense.embed(dense.exponential(both, -1j * beta), pair, 4) @ total
    return total


def check_qaoa(template, warm_start):
    """Each mixer against its exponential; the warm start is the mixer's own state."""
    cost = qf.pauli_sum(COST)

    def state(*args):
        return qf.circuit(4, template(PARAMS, cost, *args))()

    plus, zero = np.full(16, 0.25 + 0j), dense.zero_state(4)
    turns = sum(dense.word_matrix("I" * i + "X" + "I" * (3 - i)) for i in range(4))
    assert_close(state(), layers(plus, lambda b: dense.exponential(turns, -1j * b)), n_gates=64)
    ring = [(0, 1), (2, 3), (1, 2), (3, 0)]
    two = dense.embed(dense.PAULI["X"], (0,), 4) @ dense.embed(dense.PAULI["X"], (2,), 4) @ zero
    got = state("xy", qf.x([0, 2]))
    assert_close(got, layers(two, lambda b: exchange(b, ring)), n_gates=64)
    for parts, first in ((None, plus), (qf.ry(SOLUTION, range(4)), None)):
        first = qf.circuit(4, parts)().numpy() if first is None else first
        about = np.outer(first, first.conj())
        expected = layers(first, lambda b, a=about: dense.exponential(a, -1j * b))
        assert_close(state("grover", parts), expected, n_gates=64)
    warm = warm_start(SOLUTION, 0.2)
    theta = 2 * np.arcsin(np.sqrt(SOLUTION.numpy().clip(0.2, 0.8)))
    own = sum(
        dense.embed(np.sin(t) * dense.PAULI["X"] + np.cos(t) * dense.PAULI["Z"], (i,), 4)
        for i, t in enumerate(theta)
    )
    first = np.linalg.eigh(own)[1][:, -1]
    got = qf.circuit(4, warm.start)().numpy()
    assert_close(torch.tensor(abs(np.vdot(got, first))), np.array(1.0), dtype=F64, n_gates=16)
    expected = layers(got, lambda b: dense.exponential(own, -1j * b))
    assert_close(state(*warm), expected, n_gates=64)
    half = warm_start(torch.full((4,), 0.5, dtype=F64))
    same = abs(np.vdot(state().numpy(), state(*half).numpy()))
    assert_close(torch.tensor(same), np.array(1.0), dtype=F64, n_gates=64)


def check_starts(ramp, interpolate):
    """Ramps lead to the ground state as they get longer; curves over layers keep their shape."""
    cost = qf.pauli_sum(COST)
    least = min(np.diag(dense.sum_matrix(list(COST), list(COST.values()))).real)
    energies = [
        float(qf.expval(qf.circuit(4, qf.ansatz.qaoa(ramp(p, dtype=F64), cost))(), cost))
        for p in (2, 8, 64)
    ]
    assert energies == sorted(energies, reverse=True)
    assert energies[-1] - least < 0.05 * abs(least), (energies, least)
    params = qf.uniforms((3, 2), 2, dtype=F64)
    rows = params.tolist()
    expected = [
        [
            (i - 1) / 3 * (rows[i - 2][k] if i > 1 else 0)
            + (3 - i + 1) / 3 * (rows[i - 1][k] if i < 4 else 0)
            for k in (0, 1)
        ]
        for i in (1, 2, 3, 4)
    ]
    assert_close(interpolate(params), np.array(expected))
    line = torch.linspace(0.1, 0.9, 4, dtype=F64)[:, None].expand(4, 2)
    assert_close(interpolate(line)[[0, -1]], line[[0, -1]])
