"""Every public function with arguments to try its transforms at, and the table of what holds.

    python tests/transforms/support.py        # writes docs/_static/transforms.json

Functions whose docstring says `Transforms: None` are left out. All numbers are float64.
"""

import functools
import inspect
import json
import re
from pathlib import Path
from unittest.mock import patch

import torch
from torch.func import grad

import quilt_func as qf
from quilt_func.sharded import moving, running
from quilt_func.testing.transforms import TRANSFORM_LAWS, transform_table

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "docs" / "_static" / "transforms.json"
F64 = torch.float64


def u(*shape, seed=0):
    """Generic numbers in [0.1, 0.9)."""
    return 0.1 + 0.8 * qf.uniforms(shape, seed, dtype=F64)


def psi(n=2, seed=1):
    return qf.random_state(qf.uniforms((2, 2**n), seed, dtype=F64))


def hermitian_matrix(n=1, seed=2):
    re, im = 2 * qf.uniforms((2, 2**n, 2**n), seed, dtype=F64) - 1
    return torch.complex(re + re.mT, im - im.mT)


ORDER = u(2, 4).tolist()


def words(values):
    return qf.pauli_sum(["XZ", "YI", "ZZ"], values)


def sum_of(values):
    return qf.pauli_sum(["XI", "YZ", "ZX"], values)


def diagonal_words(values):
    return qf.pauli_sum(["ZZ", "IZ"], values)


def of_parts(n, parts):
    """The state that ops make."""
    return qf.circuit(n, qf.h(range(n)), parts)()


def through(fn, n):
    """An ansatz, seen by its state."""
    return lambda *args: of_parts(n, fn(*args))


def state_of(p):
    return of_parts(2, [qf.ry(p, [0, 1]), qf.cx(0, 1), qf.rz(p.flip(0), [0, 1])])


WORDS = qf.pauli_sum({"ZX": 1.0, "XI": 0.5})


def energy(p):
    return qf.expval(state_of(p), WORDS)


@qf.gate(n_wires=1)
def turned(theta):
    c, s = (theta / 2).cos(), (theta / 2).sin()
    return torch.stack([torch.stack([c, -s]), torch.stack([s, c])])


def two_probs(p):
    return qf.probs(state_of(p))


def chosen(index, theta):
    """The state that gates make which numbers choose."""
    gates = [qf.id, qf.rx, qf.rzz, (qf.ry, 1), qf.cx, qf.cp]
    return of_parts(2, qf.choice(gates, index, theta, [(0, 1), (1, 0), (0, 1)]))


def mixed(mixer, start):
    """Layers of optimisation by another mixer, from another start."""
    cost = qf.pauli_sum({"ZZ": 0.7, "IZ": -0.4})
    return lambda p: qf.circuit(2, qf.ansatz.qaoa(p, cost, mixer, start))()


def warm(solution, p):
    cost = qf.pauli_sum({"ZZ": 0.7, "IZ": -0.4})
    return qf.circuit(2, qf.ansatz.qaoa(p, cost, *qf.ansatz.warm_start(solution, 0.05)))()


def evolved(c, t):
    return of_parts(2, qf.ansatz.pauli_evolution(words(c), t, 4))


def all_gates(theta, phi, lam):
    """Each row of the table, and what is made of rows."""
    angles = (theta, phi, lam)
    ops = [row(*angles[: row.n_params], *range(row.n_wires)) for row in qf.GATES]
    return of_parts(4, ops)


@qf.noise.channel(n_wires=1)
def forgetful(p):
    """Forgets the phase."""
    zero, keep, half = torch.zeros_like(p), (1 - p).sqrt(), p.sqrt()
    rows = [[keep, zero, zero, keep], [half, zero, zero, zero], [zero, zero, zero, half]]
    return torch.stack([torch.stack(row) for row in rows]).unflatten(-1, (2, 2))


def of_noise(n, *parts):
    """A density matrix after parts that have leaves."""
    return qf.run_density(qf.circuit(n, qf.h(range(n)), *parts))


def noisy(theta, p):
    noise = qf.noise
    return qf.circuit(
        2, qf.ry(theta, range(2)), noise.depolarizing(p[0], range(2)), qf.cx(0, 1),
        noise.two_qubit_depolarizing(p[1], 0, 1), noise.amplitude_damping(p[2], 1),
    )  # fmt: skip


def measured(theta, p, coefficients, state):
    """All that takes a density matrix where it takes a state."""
    rho, fixed = qf.run_density(noisy(theta, p)), qf.pauli_sum({"XY": 0.5, "ZI": 1.0})
    values = qf.expval(rho, [words(coefficients), fixed, qf.diagonal(qf.probs(rho))])
    numbers = qf.variance(rho, fixed), qf.covariance(rho, fixed, words(coefficients))
    part = qf.reduced_density(rho, [1])
    return values, numbers, qf.marginal(rho, [1]), part, qf.fidelity(state, rho), qf.purity(rho)


def by_model(rule):
    model = qf.noise.noise_model(rule)
    return of_noise(2, qf.noise.with_noise(qf.circuit(2, qf.ry(0.4, 0), qf.cx(0, 1)), model))


def read_by_model(rule, confusion):
    """Probabilities of what is read, by a model of rules and of the measurement."""
    model = qf.noise.noise_model(rule, readout=confusion)
    circuit = qf.noise.with_noise(qf.circuit(2, qf.ry(0.4, 0), qf.cx(0, 1)), model)
    return qf.noise.readout(qf.probs(qf.run_density(circuit)), model.readout)


def all_channels(strengths):
    """Each channel of the table once."""
    ops = [
        row(*strengths[: row.n_params] + 0.1 * row.name.startswith("thermal"), *range(row.n_wires))
        for row in qf.noise.CHANNELS
    ]
    return of_noise(2, ops)


def folded(fold, theta):
    """A circuit, or the state after it is folded."""
    circuit = qf.circuit(2, qf.ry(theta, range(2)), qf.cx(0, 1), qf.rx(theta.flip(0), range(2)))
    return circuit if fold is None else fold(circuit, 1.8)()


def mitigated(values, errors):
    """A value and its error by each curve that is linear in values."""
    return [qf.noise.extrapolate([1, 2, 5], values, errors, method=m) for m in STRAIGHT]


def without_decay(rate, asymptote):
    """The value at 0 of what is nearly a decay, to an asymptote that is known, and is not."""
    values = 0.2 + (-rate * torch.tensor([1.0, 2.0, 4.0]).to(rate)).exp()
    by = functools.partial(qf.noise.extrapolate, [1, 2, 5], values, method="exponential")
    return by().value, by(asymptote=asymptote).value


STRAIGHT = ("linear", "richardson")


def without_noise(theta, p):
    model = qf.noise.noise_model(qf.noise.rule(qf.noise.depolarizing, p))

    def value(circuit):
        rho = qf.run_density(qf.noise.with_noise(circuit, model))
        return qf.expval(rho, qf.pauli_sum({"Z": 1.0}))

    circuit = qf.circuit(1, qf.ry(theta, 0), qf.rx(0.3, 0))
    return qf.noise.zero_noise(value, circuit, method="richardson").value


def dynamic(theta, table, *last):
    """A circuit with all instruments but postselection."""
    return qf.circuit(
        2, qf.ry(theta, range(2)), qf.measure(0, "m"), qf.conditional("m", qf.rx(theta[0], 1), 1),
        qf.reset(0), qf.instruments.lookup("m", qf.ry, table, 0), qf.cx(0, 1),
        qf.measure([1, 0], "k"), qf.conditional("k", qf.h(0), (1, 0)), *last,
    )  # fmt: skip


def branched(theta, table):
    return qf.run_branches(dynamic(theta, table))


def flipped(theta, p):
    return qf.circuit(
        2, qf.ry(theta, range(2)), qf.noise.bit_flip(p[0], range(2)), qf.cx(0, 1),
        qf.noise.pauli_errors(["XY"])(p[1], 0, 1),
    )  # fmt: skip


def updated(transform):
    """Two steps of an optimiser."""

    def update(params, gradients):
        state = transform.init(params)
        for _ in range(2):
            updates, state = transform.update(gradients, state, params)
            params = qf.optim.apply_updates(params, updates)
        return params

    return update


def trained(optimiser, params, loss=energy, u=None):
    """Parameters and losses of two steps."""
    return qf.optim.minimise(loss, params, optimiser, 2, u=u)[:2]


def raveled(tree):
    vector, unravel = qf.optim.ravel(tree)
    return vector, unravel(vector.sin())


def joined(v, w):
    parts = qf.optim.constant_schedule(v), qf.optim.linear_schedule(w, v, 4)
    return qf.optim.joined_schedule(parts, [1])


def scheduled(schedule):
    return lambda *values: schedule(*values)(values[0].new_tensor(2.0))


def like(number, values):
    """Constants in the precision of a tensor, complex if they are; made anew, under any mode."""
    kind = torch.tensor(values).is_complex()
    return torch.tensor(values, dtype=number.dtype.to_complex() if kind else number.dtype)


def by_shadow(c):
    bases, bits = (torch.tensor(values) for values in SHADOW)
    return qf.shots.shadow_estimate(qf.shots.Shadow(bases, bits), words(c), n_groups=3)


def encoded(p, x):
    """A state of two qubits, of parameters and a sample."""
    return state_of(p * x)


def shifted(p, v):
    """A gradient by shifts of what is measured with uniform numbers."""

    def measured(circuit, numbers):
        return qf.estimate(circuit(), WORDS, numbers)

    return qf.shots.shift_gradient(measured, p, v, lambda q: qf.circuit(2, qf.ry(q, [0, 1])))


def by_directions(p, v, w):
    def measured(q, numbers):
        return energy(q) * (1 + numbers.sum())

    return qf.shots.spsa_gradient(measured, p, v, w)


def weighted(state, v):
    """A mean with the probabilities of samples, whose derivatives are in the weights alone."""
    found, p = qf.shots.sample_with_weights(state, v), qf.probs(state)
    own = (p / p.sum()).detach().gather(0, found.indices)
    return (own * found.weights * (found.indices + 1)).sum()


MATRIX = torch.linalg.qr(hermitian_matrix())[0]
STEP = (u(3), u(3, seed=1) - 0.5)
GRAPH = [(0, 1), (1, 2)]
MIXED = qf.reduced_density(psi(4, 4), [2, 0])
OPERATORS = torch.stack([hermitian_matrix(), hermitian_matrix(seed=3)])
MATRIX_OF_4 = hermitian_matrix(2)
CONFUSION = torch.tensor([[0.9, 0.2], [0.1, 0.8]], dtype=F64)
BRICKS = (1, 1, 9)
START = u(2, 4, seed=1).tolist()
SHOTS, FIXED = u(9, seed=4).tolist(), psi().tolist()
SHADOW = [one.tolist() for one in qf.shots.shadow(psi(), u(9, 3, seed=4))]
STATES = qf.shots.clifford_shadow(psi(), u(4, 5, seed=4)).states.tolist()


def split(state):
    """A state on the one rank there is."""
    order = tuple(range(state.shape[0].bit_length() - 1))
    return qf.sharded.ShardedState(state, qf.sharded.Layout(order, qf.sharded.Ranks(1)))


def alone(call):
    """A call with a mesh of this process alone."""

    def one(*_):
        return qf.sharded.Ranks(1)

    with patch.object(moving, "ranks_of", one), patch.object(running, "ranks_of", one):
        return call()


def turned_both(t):
    return qf.ry(t, [0, 1]), qf.cx(0, 1), qf.rxx(t[:1], [(0, 1)])


def noisy_on_ranks(t, p):
    circuit = qf.circuit(
        2, turned_both(t), qf.noise.bit_flip(p[0], 0), qf.noise.depolarizing(p[1], 1)
    )
    return alone(lambda: qf.sharded.run_sharded_density(circuit, mesh=object()))


NOISE_OF_2 = u(2), 0.1 * u(2)

CASES = {
    "gates of the table": (all_gates, (u(), u(seed=1), u(seed=2))),
    "unitary": (lambda m: of_parts(2, qf.unitary(m, 1)), (MATRIX,)),
    "linear": (lambda m: of_parts(2, qf.linear(m, [1, 0])), (MATRIX,)),
    "pauli_rot": (lambda t: of_parts(3, qf.pauli_rot(t, "XZY", 2, 0, 1)), (u(),)),
    "controlled": (lambda t: of_parts(3, qf.controlled(qf.u, 1)(*t, 2, 0)), (tuple(u(3)),)),
    "inverse": (lambda t: of_parts(2, qf.inverse(qf.crz)(t, 1, 0)), (u(),)),
    "power": (lambda t: of_parts(2, qf.power(qf.rzz, -0.75)(t, 0, 1)), (u(),)),
    "gate": (lambda t: of_parts(2, turned(t, 1)), (u(),)),
    "choice": (chosen, (torch.tensor([3, 1, 5]), u(3))),
    "conjugate": (lambda t: of_parts(2, qf.conjugate(qf.crx)(t, 0, 1)), (u(),)),
    "Circuit.inverse": (
        lambda t, s: (qf.circuit(2, qf.ry(t, [0, 1]), qf.cx(0, 1)).inverse())(s),
        (u(2), psi()),
    ),
    "circuit": (lambda t, s: qf.circuit(2, qf.ry(t, [0, 1]), qf.cx(0, 1))(s), (u(2), psi())),
    "evolve": (lambda t, s: qf.evolve(2, [qf.ry(t, [0, 1]), qf.cx(0, 1)], s), (u(2), psi())),
    "product_state": (lambda a, b: qf.product_state([a, b]), (psi(1), psi(1, 3))),
    "random_state": (qf.random_state, (u(2, 4),)),
    "overlap": (qf.overlap, (psi(), psi(seed=3))),
    "fidelity": (qf.fidelity, (psi(), psi(seed=3))),
    "reduced_density": (lambda s: qf.reduced_density(s, [1]), (psi(),)),
    "trace_distance": (
        lambda s, t: qf.trace_distance(*(qf.reduced_density(one, [0, 1]) for one in (s, t))),
        (psi(4, 4), psi(4, 5)),
    ),
    "mutual_information": (
        lambda s: qf.mutual_information(qf.reduced_density(s, [0, 2]), [0], [1]),
        (psi(4),),
    ),
    "purity": (qf.purity, (qf.reduced_density(psi(), [0]),)),
    "entropy": (lambda s: qf.entropy(qf.reduced_density(s, [0])), (psi(),)),
    "pauli_sum": (lambda c, s: words(c).apply(s), (u(3), psi())),
    "numbers and powers of sums": (
        lambda c, k, s: (((k - words(c)) ** 3).apply(s), (1 + words(c)).apply(s)),
        (u(3), u(), psi()),
    ),
    "commutator": (
        lambda c, d, s: qf.commutator(words(c), sum_of(d)).apply(s),
        (u(3), u(3), psi()),
    ),
    "anticommutator": (
        lambda c, d, s: qf.anticommutator(words(c), sum_of(d)).apply(s),
        (u(3), u(3), psi()),
    ),
    "ground_state": (lambda c, v: qf.ground_state(sum_of(c), v).energy, (u(3), u(2, 4, seed=1))),
    "ground_state's state": (
        lambda c: qf.ground_state(sum_of(c), like(c, START)).state,
        (u(3),),
    ),
    "diagonal": (lambda v, s: qf.diagonal(v).apply(s), (u(4), psi())),
    "hermitian": (lambda m, s: qf.hermitian(m).apply(s), (hermitian_matrix(2), psi())),
    "expval": (lambda c, d, s: qf.expval(s, [words(c), qf.diagonal(d)]), (u(3), u(4), psi())),
    "variance": (lambda c, s: qf.variance(s, words(c)), (u(3), psi())),
    "covariance": (lambda c, d, s: qf.covariance(s, words(c), qf.diagonal(d)), (u(3), u(4), psi())),
    "probs": (qf.probs, (psi(),)),
    "marginal": (lambda s: qf.marginal(s, [1]), (psi(),)),
    "sample": (qf.sample, (psi(), u(5))),
    "expval_from_samples": (
        lambda c: qf.expval_from_samples(torch.tensor([0, 3, 1]), diagonal_words(c)),
        (u(2),),
    ),
    "to_bits": (lambda i: qf.to_bits(i, 2), (torch.tensor([2, 3]),)),
    "to_diagonal": (lambda c: qf.to_diagonal(diagonal_words(c)), (u(2),)),
    "from_diagonal": (lambda v: qf.from_diagonal(qf.diagonal(v)), (u(4),)),
    "parameter_shift": (
        lambda p: qf.parameter_shift(
            lambda c: qf.expval(c(), WORDS),
            p,
            lambda q: qf.circuit(2, qf.ry(q, [0, 1]), qf.cx(0, 1)),
        ),
        (u(2),),
    ),
    "spsa": (lambda p, v: qf.spsa(energy, p, v), (u(2), u(2, seed=3).round())),
    "hvp": (lambda p, v: qf.hvp(energy, p, v), (u(2), u(2, seed=3))),
    "hessian_spectrum": (lambda p, v: qf.hessian_spectrum(energy, p, v), (u(2), u(2, 2, seed=3))),
    "jacobian_state": (lambda p: qf.jacobian_state(state_of, p), (u(2),)),
    "qfi": (lambda p: qf.qfi(state_of, p), (u(2),)),
    "qfi_diagonal": (lambda p: qf.qfi_diagonal(state_of, p), (u(2),)),
    "qfi_blocks": (lambda p: qf.qfi_blocks(state_of, p), (u(2),)),
    "qfi_vp": (lambda p, v: qf.qfi_vp(state_of, p, v), (u(2), u(2, seed=3))),
    "fubini_study": (lambda p: qf.fubini_study(state_of, p), (u(2),)),
    "classical_fisher": (lambda p: qf.classical_fisher(two_probs, p), (u(2),)),
    "natural_gradient": (updated(qf.natural_gradient(state_of, damping=0.1)), (u(2), u(2, seed=3))),
    "natural_gradient with data": (
        lambda p, g, xs: updated(
            qf.natural_gradient(lambda q, x: state_of(q * x), damping=0.1, data=xs)
        )(p, g),
        (u(2), u(2, seed=3), u(2, seed=4)),
    ),
    "classical_natural_gradient": (
        updated(qf.classical_natural_gradient(two_probs, damping=0.1)),
        (u(2), u(2, seed=3)),
    ),
    "varqite": (lambda p: qf.varqite(state_of, WORDS, p, 0.1, 2, damping=0.1), (u(2),)),
    "from_qasm": (
        qf.from_qasm('include "stdgates.inc"; input float a; qubit q; rx(a / 2) q;'),
        (u(),),
    ),
    "register_bits": (
        lambda c: qf.register_bits("qubit q; bit c; bit d; c = measure q; d = !c;", {"c": c}),
        (torch.tensor([1]),),
    ),
    "learn.fidelity_gram": (
        lambda p, xs: qf.learn.fidelity_gram(encoded, p, xs, chunk_size=2),
        (u(2), u(3, 2, seed=1)),
    ),
    "learn.projected_gram": (
        lambda p, xs, g: qf.learn.projected_gram(encoded, p, xs, xs[:1], gamma=g, chunk_size=2),
        (u(2), u(2, 2, seed=1), u(seed=2)),
    ),
    "learn.centred": (qf.learn.centred, (u(2, 3), u(3, 3, seed=1))),
    "learn.alignment": (
        lambda k, y: qf.learn.alignment(k, y, centred=True),
        (u(3, 3), u(3, 2, seed=1)),
    ),
    "learn.repaired": (qf.learn.repaired, (u(3, 3) + torch.diag(torch.arange(3.0).to(F64) - 1),)),
    "learn.reuploaded": (
        lambda t, s, x: qf.learn.reuploaded({"theta": t, "scale": s}, x),
        (u(1, 2, 2), u(2, 3, seed=1), u(3, seed=2)),
    ),
    "learn.init_reuploaded": (lambda v: qf.learn.init_reuploaded(v, 3), (u(1, 2, 2),)),
    "optim.apply_updates": (qf.optim.apply_updates, STEP),
    "optim.sgd": (updated(qf.optim.sgd(0.1, momentum=0.9, nesterov=True, weight_decay=0.1)), STEP),
    "optim.adam": (updated(qf.optim.adam(0.1, weight_decay=0.1)), STEP),
    "optim.adamw": (updated(qf.optim.adamw(0.1)), STEP),
    "optim.rmsprop": (updated(qf.optim.rmsprop(0.1, momentum=0.5, centered=True)), STEP),
    "optim.chain": (
        updated(qf.optim.chain(qf.optim.clip_by_global_norm(0.2), qf.optim.sgd(0.1))),
        STEP,
    ),
    "optim.clip_by_global_norm": (updated(qf.optim.clip_by_global_norm(0.2)), STEP),
    "optim.clip_by_value": (updated(qf.optim.clip_by_value(0.2)), STEP),
    "optim.scale": (lambda f, *step: updated(qf.optim.scale(f))(*step), (u(), *STEP)),
    "optim.constant_schedule": (scheduled(qf.optim.constant_schedule), (u(),)),
    "optim.exponential_schedule": (
        scheduled(lambda v, r: qf.optim.exponential_schedule(v, 3, r)),
        (u(), u(seed=1)),
    ),
    "optim.cosine_schedule": (
        scheduled(lambda v, a: qf.optim.cosine_schedule(v, 5, a)),
        (u(), u(seed=1)),
    ),
    "optim.warmup_cosine_schedule": (
        scheduled(lambda v, p, e: qf.optim.warmup_cosine_schedule(v, p, 1, 5, e)),
        (u(), u(seed=1), u(seed=2)),
    ),
    "optim.linear_schedule": (
        scheduled(lambda v, w: qf.optim.linear_schedule(v, w, 5)),
        (u(), u(seed=1)),
    ),
    "optim.power_schedule": (scheduled(lambda v: qf.optim.power_schedule(v, 0.6)), (u(),)),
    "optim.piecewise_schedule": (
        scheduled(lambda v, f: qf.optim.piecewise_schedule(v, {1: f, 4: 0.1})),
        (u(), u(seed=1)),
    ),
    "optim.joined_schedule": (scheduled(joined), (u(), u(seed=1))),
    "optim.ravel": (lambda a, b: raveled({"a": a, "b": b}), (u(2), u(1, 2, seed=1))),
    "optim.lbfgs": (lambda p: trained(qf.optim.lbfgs(0.3, memory_size=2), p), (u(2),)),
    "optim.epochs": (
        lambda x: torch.stack(list(qf.optim.epochs(x, 2, like(x, ORDER)))),
        (u(4, seed=1),),
    ),
    "optim.minimise": (
        lambda p, b: qf.optim.minimise(
            lambda q, one: energy(q) + (one * q).sum(), p, qf.optim.sgd(0.3), 2, batches=b
        )[:2],
        (u(2), u(2, 2, seed=1)),
    ),
    "optim.with_line_search": (
        lambda p: trained(qf.optim.with_line_search(qf.optim.sgd(1.0), n_trials=3), p),
        (u(2),),
    ),
    "optim.rotosolve": (lambda p: trained(qf.optim.rotosolve(), p), (u(2),)),
    "rotosolve of several frequencies": (
        lambda p: trained(qf.optim.rotosolve((0.5, 1.0)), p, lambda q: energy(q) + energy(q / 2)),
        (u(2),),
    ),
    "optim.qnspsa": (
        lambda p, v: trained(qf.optim.qnspsa(state_of), p, u=v),
        (u(2), u(2, 3, 2, seed=3).round()),
    ),
    "optim.forward_gradient": (
        lambda p, v: qf.optim.forward_gradient(energy, p, v),
        (u(2), u(3, 2, seed=3) - 0.5),
    ),
    "optim.with_forward_gradient": (
        lambda p, v: trained(qf.optim.with_forward_gradient(qf.optim.sgd(0.3)), p, u=v),
        (u(2), u(2, 2, seed=3).round()),
    ),
    "optim.with_spsa": (
        lambda p, v: trained(qf.optim.with_spsa(qf.optim.sgd(0.3)), p, u=v),
        (u(2), u(2, 2, seed=3).round()),
    ),
    "ansatz.hardware_efficient": (through(qf.ansatz.hardware_efficient, 2), (u(1, 2, 2),)),
    "ansatz.strongly_entangling": (through(qf.ansatz.strongly_entangling, 2), (u(1, 2, 3),)),
    "ansatz.brickwork": (through(qf.ansatz.brickwork, 2), (u(*BRICKS),)),
    "ansatz.angle_encoding": (through(qf.ansatz.angle_encoding, 2), (u(2),)),
    "ansatz.amplitude_encoding": (qf.ansatz.amplitude_encoding, (u(4),)),
    "ansatz.iqp_encoding": (through(qf.ansatz.iqp_encoding, 2), (u(2),)),
    "ansatz.data_reuploading": (
        through(qf.ansatz.data_reuploading, 2),
        (u(2), qf.ansatz.init_data_reuploading(u(2, 2, 2))),
    ),
    "ansatz.qaoa": (
        lambda p, c: of_parts(2, qf.ansatz.qaoa(p, diagonal_words(c))),
        (u(1, 2), u(2)),
    ),
    "qaoa by exchanges": (mixed("xy", qf.x(0)), (u(1, 2),)),
    "qaoa by Grover": (mixed("grover", qf.ry(0.7, range(2))), (u(1, 2),)),
    "ansatz.warm_start": (warm, (u(2), u(1, 2, seed=1))),
    "ansatz.interpolate_qaoa": (qf.ansatz.interpolate_qaoa, (u(2, 2),)),
    "ansatz.pauli_evolution": (evolved, (u(3), u())),
    "ansatz.prepare_state": (through(qf.ansatz.prepare_state, 2), (psi(),)),
    "ansatz.two_qubit_unitary": (through(qf.ansatz.two_qubit_unitary, 2), (u(15),)),
    "ansatz.init_hardware_efficient": (qf.ansatz.init_hardware_efficient, (u(1, 2, 2),)),
    "ansatz.init_strongly_entangling": (qf.ansatz.init_strongly_entangling, (u(1, 2, 3),)),
    "ansatz.init_brickwork": (qf.ansatz.init_brickwork, (u(*BRICKS),)),
    "ansatz.init_data_reuploading": (qf.ansatz.init_data_reuploading, (u(2, 2, 2),)),
    "ansatz.init_qaoa": (qf.ansatz.init_qaoa, (u(1, 2),)),
    "chemistry.uccsd": (
        lambda t: qf.circuit(4, qf.x([0, 1]), qf.chemistry.uccsd(t, 2, 4))(),
        (u(3),),
    ),
    "bitstrings.mean_cost": (qf.bitstrings.mean_cost, (u(4), u(4, seed=1))),
    "bitstrings.cvar": (qf.bitstrings.cvar(0.4), (u(4) / u(4).sum(), u(4, seed=1))),
    "bitstrings.gibbs": (qf.bitstrings.gibbs(), (u(4), u(4, seed=1))),
    "diagnostics.gradient_variance": (
        lambda p: qf.diagnostics.gradient_variance(energy, p),
        (u(3, 2),),
    ),
    "diagnostics.gradient_snr": (
        lambda p, v: qf.diagnostics.gradient_snr(lambda q, w: grad(energy)(q) * (1 + w), p, v),
        (u(2), u(3, seed=1)),
    ),
    "diagnostics.expressibility": (
        qf.diagnostics.expressibility,
        (torch.stack([psi(), psi(seed=2)]), torch.stack([psi(seed=3), psi(seed=4)])),
    ),
    "diagnostics.meyer_wallach": (qf.diagnostics.meyer_wallach, (psi(),)),
    "diagnostics.entangling_capability": (
        qf.diagnostics.entangling_capability,
        (torch.stack([psi(), psi(seed=2)]),),
    ),
    "diagnostics.fourier_coefficients": (
        lambda p: qf.diagnostics.fourier_coefficients(lambda x: energy(p + x), 2),
        (u(2),),
    ),
    "diagnostics.effective_dimension": (
        lambda f: qf.diagnostics.effective_dimension(f @ f.mT + torch.eye(2).to(f), 100),
        (u(3, 2, 2),),
    ),
    "problems.ising": (lambda j, h: qf.problems.ising(2, {(0, 1): j}, {0: h}), (u(), u(seed=1))),
    "problems.from_qubo": (qf.problems.from_qubo, (u(2, 2), u(seed=1))),
    "problems.to_qubo": (lambda c: qf.problems.to_qubo(diagonal_words(c)), (u(2),)),
    "problems.maxcut": (lambda w: qf.problems.maxcut(3, GRAPH, w), (u(2),)),
    "problems.max_independent_set": (
        lambda w, p: qf.problems.max_independent_set(3, GRAPH, w, penalty=p),
        (u(3), u(seed=1)),
    ),
    "problems.max_clique": (
        lambda w, p: qf.problems.max_clique(3, GRAPH, w, penalty=p),
        (u(3), u(seed=1)),
    ),
    "problems.min_vertex_cover": (
        lambda w, p: qf.problems.min_vertex_cover(3, GRAPH, w, penalty=p),
        (u(3), u(seed=1)),
    ),
    "problems.number_partitioning": (qf.problems.number_partitioning, (u(3),)),
    "problems.heisenberg": (lambda j, h: qf.problems.heisenberg(2, tuple(j), h), (u(3), u(seed=1))),
    "run_density": (
        lambda t, p, r: qf.run_density(noisy(t, p), r),
        (u(2), 0.1 * u(3), MIXED),
    ),
    "measurements of a density": (measured, (u(2), 0.1 * u(3), u(3), psi())),
    "channels of the table": (all_channels, (0.2 * u(4),)),
    "noise.channel": (lambda p: of_noise(1, forgetful(p, 0)), (u(),)),
    "noise.kraus": (lambda k: of_noise(1, qf.noise.kraus(k, 0)), (OPERATORS,)),
    "noise.superoperator": (lambda m: of_noise(1, qf.noise.superoperator(m, 0)), (MATRIX_OF_4,)),
    "noise.pauli_errors": (
        lambda p, q: of_noise(2, qf.noise.pauli_errors(["XY", "ZI"])(p, q, 1, 0)),
        (0.1 * u(), 0.1 * u(seed=1)),
    ),
    "run_trajectory": (
        lambda t, p, d: qf.run_trajectory(noisy(t, p), d).state,  # a weight's slope is no value's
        (u(2), 0.1 * u(3), u(4, seed=6)),
    ),
    "run_trajectory with outcomes": (
        lambda t, a, d: qf.run_trajectory(dynamic(t, a), d).state,
        (u(2), u(2, seed=1), u(3, seed=6)),
    ),
    "run_density with outcomes": (
        lambda t, a, r: qf.run_density(dynamic(t, a, qf.noise.bit_flip(t[1], 0)), r),
        (0.1 * u(2), u(2, seed=1), MIXED),
    ),
    "noise.run_density_branches": (
        lambda t, a: qf.noise.run_density_branches(dynamic(t, a)).states,
        (u(2), u(2, seed=1)),
    ),
    "run_branches": (
        lambda t, a, s: qf.run_branches(dynamic(t, a), s).states,
        (u(2), u(2, seed=1), psi()),
    ),
    "conditional": (
        lambda t: (
            qf.run_branches(
                qf.circuit(1, qf.h(0), qf.measure(0, "m"), qf.conditional("m", turned(t, 0), 0))
            ).states
        ),
        (u(),),
    ),
    "instruments.lookup": (
        lambda a: (
            qf.run_branches(
                qf.circuit(
                    2,
                    qf.h([0, 1]),
                    qf.measure([0, 1], "m"),
                    qf.instruments.lookup("m", qf.rx, a, 1),
                )
            ).states
        ),
        (u(4),),
    ),
    "instruments.parity": (
        lambda bits: qf.instruments.parity(bits).long(),
        (torch.tensor([[0, 1], [1, 1]]),),
    ),
    "instruments.branch_probabilities": (
        lambda t, a: qf.instruments.branch_probabilities(branched(t, a)),
        (u(2), u(2, seed=1)),
    ),
    "instruments.branch_expval": (
        lambda t, a, c: qf.instruments.branch_expval(branched(t, a), words(c)),
        (u(2), u(2, seed=1), u(3)),
    ),
    "instruments.branch_mean": (
        lambda t, a: qf.instruments.branch_mean(
            branched(t, a), lambda state, bits: qf.expval(state, WORDS) * (1 + bits["k"][0])
        ),
        (u(2), u(2, seed=1)),
    ),
    "instruments.conditional_expval": (
        lambda t, a: qf.instruments.conditional_expval(branched(t, a), WORDS, "k", (0, 1)),
        (u(2), u(2, seed=1)),
    ),
    "noise.trajectory_mean": (qf.noise.trajectory_mean, (u(4), u(4, seed=1))),
    "noise.rule": (lambda p: by_model(qf.noise.rule(qf.noise.depolarizing, p)), (0.1 * u(),)),
    "noise.run_pattern": (
        lambda t, p, b: qf.noise.run_pattern(noisy(t, p), b)[::2],  # without the weight
        (u(2), 0.1 * u(3), torch.tensor([0, 1, 3, 2])),
    ),
    "noise.run_no_jump": (
        lambda t, p, s: tuple(qf.noise.run_no_jump(noisy(t, p), s)),
        (u(2), 0.1 * u(3), psi()),
    ),
    "noise.run_jumps": (
        lambda t, p, d: qf.noise.run_jumps(noisy(t, p), d).state,
        (u(2), 0.1 * u(3), u(4, seed=6)),
    ),
    "noise.noise_model": (
        lambda p, a: read_by_model(qf.noise.rule(qf.noise.bit_flip, p, gates=qf.cx), a),
        (0.1 * u(2), u(2, 2)),
    ),
    "noise.with_noise": (
        lambda p: by_model(qf.noise.rule(qf.noise.phase_damping, p, when="idle")),
        (0.1 * u(),),
    ),
    "noise.fold_global": (lambda t: folded(qf.noise.fold_global, t), (u(2),)),
    "noise.fold_gates": (lambda t: folded(qf.noise.fold_gates, t), (u(2),)),
    "noise.extrapolate": (mitigated, (u(3), u(3, seed=1))),
    "noise.extrapolate of a decay": (without_decay, (u(), 0.1 * u(seed=1))),
    "noise.zero_noise": (without_noise, (u(), 0.02 * u())),
    "noise.twirl": (
        lambda t, d: qf.noise.twirl(folded(None, t), d)(),
        (u(2), u(1, seed=6)),
    ),
    "noise.pauli_twirl": (qf.noise.pauli_twirl, (MATRIX_OF_4,)),
    "noise.cancel": (
        lambda t, p, d: qf.run_density(qf.noise.cancel(flipped(t, p), d).circuit),  # as above
        (u(2), 0.1 * u(2), u(3, seed=6)),
    ),
    "noise.cancellation_cost": (
        lambda p: qf.noise.cancellation_cost(flipped(p, p)),
        (0.1 * u(2),),
    ),
    "noise.readout": (qf.noise.readout, (u(4) / u(4).sum(), u(2, 2))),
    "noise.undo_readout": (qf.noise.undo_readout, (u(4) / u(4).sum(), CONFUSION)),
    "noise.sample_readout": (
        lambda i: qf.noise.sample_readout(i, torch.full((2, 2, 2), 0.5), torch.full((3, 2), 0.4)),
        (torch.tensor([2, 1, 3]),),
    ),
    "estimate": (lambda c: qf.estimate(like(c, FIXED), words(c), like(c, SHOTS)), (u(3),)),
    "estimate of a state": (lambda s: qf.estimate(s, WORDS, like(s.real, SHOTS)).mean, (psi(),)),
    "shots.estimate_jointly": (
        lambda c, d: qf.shots.estimate_jointly(
            like(c, FIXED), [words(c), diagonal_words(d)], like(c, SHOTS), commuting="general"
        ),
        (u(3), u(2)),
    ),
    "shots.sample_groups": (lambda s, v: qf.shots.sample_groups(s, WORDS, v), (psi(), u(8))),
    "shots.estimate_from_samples": (
        lambda c: qf.shots.estimate_from_samples(torch.arange(9) % 4, words(c)),
        (u(3),),
    ),
    "shots.expval_from_counts": (
        lambda c: qf.shots.expval_from_counts({"01": 3, "11": 2}, diagonal_words(c)),
        (u(2),),
    ),
    "shots.histogram": (lambda i: qf.shots.histogram(i, 2), (torch.tensor([2, 1, 2]),)),
    "shots.shadow": (qf.shots.shadow, (psi(), u(5, 3))),
    "shots.shadow_estimate": (by_shadow, (u(3),)),
    "shots.shadow_variance_bound": (lambda c: qf.shots.shadow_variance_bound(words(c)), (u(3),)),
    "shots.clifford_shadow": (lambda s, v: qf.shots.clifford_shadow(s, v).states, (psi(), u(4, 5))),
    "shots.clifford_shadow_estimate": (
        lambda c, d: qf.shots.clifford_shadow_estimate(
            qf.shots.CliffordShadow(like(c, STATES)), [words(c), qf.diagonal(d)]
        ),
        (u(3), u(4)),
    ),
    "shots.shift_gradient": (shifted, (u(2), u(4, 6))),
    "shots.spsa_gradient": (by_directions, (u(2), u(3, 2, seed=3).round(), u(3, 2, 1))),
    "shots.sample_with_weights": (lambda s: weighted(s, like(s.real, SHOTS)), (psi(),)),
    "jit": (qf.jit(lambda p: qf.expval(state_of(p), WORDS)), (u(2),)),
    "problems.transverse_field_ising": (
        lambda j, h: qf.problems.transverse_field_ising(2, j, h),
        (u(), u(seed=1)),
    ),
}


ON_RANKS = {
    "sharded.shard": (lambda s: alone(lambda: qf.sharded.shard(s, None).local), (psi(),)),
    "sharded.gather": (lambda s: qf.sharded.gather(split(s)), (psi(),)),
    "sharded.reordered": (lambda s: qf.sharded.reordered(split(s), [1, 0]).local, (psi(),)),
    "sharded.run_sharded": (
        lambda t, s: qf.sharded.run_sharded(qf.circuit(2, turned_both(t)), split(s)).local,
        (u(2), psi()),
    ),
    "sharded.expval": (
        lambda s, c: qf.sharded.expval(split(s), [words(c), qf.diagonal(c.new_ones(4))]),
        (psi(), u(3)),
    ),
    "sharded.variance": (lambda s, c: qf.sharded.variance(split(s), words(c)), (psi(), u(3))),
    "sharded.norm": (lambda s: qf.sharded.norm(split(s)), (psi(),)),
    "sharded.overlap": (
        lambda a, b: qf.sharded.overlap(split(a), split(b)),
        (psi(), psi(seed=2)),
    ),
    "sharded.marginal": (lambda s: qf.sharded.marginal(split(s), [1]), (psi(),)),
    "sharded.reduced_density": (lambda s: qf.sharded.reduced_density(split(s), [1]), (psi(),)),
    "sharded.mean_cost": (
        lambda s, w: qf.sharded.mean_cost(split(s), lambda bits, v: (bits * v).sum(-1), w),
        (psi(), u(2)),
    ),
    "sharded.sample": (lambda s: qf.sharded.sample(split(s), like(s.real, SHOTS)), (psi(),)),
    "sharded.run_sharded_density": (lambda t, p: noisy_on_ranks(t, p).vector.local, NOISE_OF_2),
    "sharded.density_expval": (
        lambda t, p, c: qf.sharded.density_expval(noisy_on_ranks(t, p), words(c)),
        (*NOISE_OF_2, u(3)),
    ),
    "sharded.density_marginal": (
        lambda t, p: qf.sharded.density_marginal(noisy_on_ranks(t, p), [1]),
        NOISE_OF_2,
    ),
    "noise.sampled_circuit": (
        lambda t, p, d: qf.noise.sampled_circuit(flipped(t, p), d).circuit(),  # as above
        (u(2), 0.1 * u(2), u(3, seed=6)),
    ),
}
"""On one rank: laws in `tests/sharded` hold on several."""
CASES |= ON_RANKS


def says_none(function):
    """Whether a docstring says that the function has no transforms."""
    return bool(re.search(r"Transforms:\n\s+None[.:]", inspect.getdoc(function) or ""))


def short(verdict):
    is_known = any(verdict in row.values() for row in KNOWN.values())
    return "fails" if is_known else verdict.split(":")[0]


def tables(names=(), left_out=()):
    """Verdicts by function and transform."""
    found = {}
    for name in names or CASES:
        fn, args = CASES[name]
        known = KNOWN.get(name, {}) | dict.fromkeys(left_out, "left out")
        held = [transform for transform in TRANSFORM_LAWS if transform not in known]
        table = transform_table(fn, args, only=held, scale=SCALES.get(name, 4.0)) | known
        found[name] = {transform: short(table[transform]) for transform in TRANSFORM_LAWS}
    return found


SLOW: dict[str, tuple[str, ...]] = {
    "learn.fidelity_gram": ("jit(hessian)", "jit(vmap(grad))"),
    "hessian_spectrum": ("jit(hessian)",),
    "hvp": ("jit(hessian)",),
    "qfi_vp": ("jit(hessian)",),
    "natural_gradient": ("jit(hessian)",),
    "natural_gradient with data": ("jit(hessian)", "jit(vmap(grad))"),
    "classical_natural_gradient": ("jit(hessian)", "backward through jit"),
    "qfi_blocks": ("jit(hessian)",),
    "optim.lbfgs": ("jit(hessian)", "jit(vmap(grad))", "backward through jit"),
    "optim.minimise": ("jit(hessian)", "jit(vmap(grad))"),
    "optim.with_line_search": ("jit(hessian)", "jit(vmap(grad))"),
    "optim.rotosolve": ("jit(hessian)", "jit(vmap(grad))", "backward through jit"),
    "rotosolve of several frequencies": ("jit(hessian)", "jit(vmap(grad))", "backward through jit"),
    "optim.with_forward_gradient": ("jit(hessian)", "jit(vmap(grad))", "backward through jit"),
    "optim.with_spsa": ("jit(hessian)", "jit(vmap(grad))", "backward through jit"),
    "optim.qnspsa": ("backward through jit",),
    "varqite": ("jit(hessian)", "jit(vmap(grad))", "backward through jit"),
    "noise.extrapolate of a decay": ("jit(hessian)", "jit(vmap(grad))"),
}
"""High derivatives, or many steps, whose traces take long: in the table, not in every test run."""

SCALES = {
    "diagnostics.gradient_snr": 64.0,
    "classical_fisher": 64.0,
    "noise.extrapolate": 64.0,
    "rotosolve of several frequencies": 64.0,
}
"""Sizes of third derivatives that are large: of quotients."""

KNOWN: dict[str, dict[str, str]] = {}
"""What does not hold, and why; a test shows that each still fails."""

if __name__ == "__main__":
    rows = [f" {json.dumps(name)}: {json.dumps(row)}" for name, row in tables().items()]
    TABLE.write_text("{\n" + ",\n".join(rows) + "\n}\n", "utf8")
