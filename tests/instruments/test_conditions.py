"""What may be conditional: conditions, channels and resets, exactly and by every run."""

import itertools
import pickle

import numpy as np
import pytest
import torch
from oracles import dense, dynamic
from oracles.compare import assert_close, to_numpy
from torch.func import grad, hessian, vmap

import quilt_func as qf
from quilt_func import instruments, noise
from quilt_func.noise import branching
from quilt_func.testing import tolerance

F64 = torch.float64
Z = qf.pauli_sum({"Z": 1.0})
THETA, P = torch.tensor(0.9, dtype=F64), torch.tensor(0.3, dtype=F64)
KRAUS = torch.tensor([[[1, 0], [0, 0.6]], [[0, 0.8], [0, 0]]], dtype=torch.complex128)
CHANNELS = {
    "damping": lambda p: noise.amplitude_damping(p, [0, 1]),
    "mixture": lambda p: noise.depolarizing(p, [1, 0]),
    "two wires": lambda p: noise.two_qubit_depolarizing(p, 1, 0),
    "two strengths": lambda p: noise.generalized_amplitude_damping(p, 0.9, [0, 1]),
    "operators": lambda p: noise.kraus(KRAUS, [0, 1]),
    "unitaries of each": lambda p: noise.over_rotation_x(p, p, [0, 1]),
}
each_channel = pytest.mark.parametrize("channel", CHANNELS.values(), ids=CHANNELS)


def between(act):
    """Something under conditions, between gates that see what it did."""
    return qf.circuit(
        2, qf.ry(THETA, [0, 1]), qf.cx(0, 1), qf.measure(0, "a"), qf.h([0, 1]), qf.measure(1, "b"),
        qf.ry(THETA, [0, 1]), act, qf.rx(0.4, [0, 1]), qf.cx(1, 0),
    )  # fmt: skip


def conditional(channel, p=P):
    return between(
        qf.conditional("a", qf.conditional(["b", "a"], channel(p), table=[1, 1, 0, 0]), 1)
    )


def enumerated(channel):
    """The density matrix by plain enumeration of outcomes; only a density tells of a channel."""
    size = 4
    whole = conditional(channel)
    place = next(i for i, op in enumerate(whole.ops) if op.gate.name.startswith("conditional"))
    before, after = (qf.circuit(2, ops) for ops in (whole.ops[:place], whole.ops[place + 1 :]))
    total = np.zeros((size, size), dtype=complex)
    for bits, psi in dynamic.branches(before, np.eye(size)[0]):
        rho = np.outer(psi, psi.conj())
        if bits == {"a": [1], "b": [0]}:
            rho = to_numpy(qf.run_density(qf.circuit(2, channel(P)), torch.from_numpy(rho)))
        total += rho
    matrix = dense.circuit_matrix(2, after.ops)
    return matrix @ total @ matrix.conj().T


@each_channel
def test_a_channel_acts_on_the_outcomes_that_meet_both_conditions(channel):
    expected = enumerated(channel)
    circuit = conditional(channel)
    assert_close(qf.run_density(circuit), expected, n_gates=256)
    found = noise.run_density_branches(circuit)
    assert_close(found.states.sum(0), expected, n_gates=256)
    assert (found.states - qf.run_density(circuit) / 4).abs().max() > 0.05
    without = qf.run_density(between([]))
    assert np.abs(expected - to_numpy(without)).max() > 0.01


def patterns(circuit):
    """All runs of a circuit: states and probabilities for each choice of branches."""
    counts = []

    def count(first, probabilities):
        counts.extend([probabilities.shape[-1]] * len(probabilities))
        return torch.zeros(len(probabilities), dtype=torch.int64)

    branching.take_branches("run_pattern", circuit, count, None)
    assert len(counts) == noise.n_draws(circuit)
    for chosen in itertools.product(*map(range, counts)):

        def pick(first, probabilities, chosen=chosen):
            return torch.tensor(chosen[first : first + len(probabilities)])

        taken = branching.take_branches("run_pattern", circuit, pick, None)
        yield taken.state, branching.product_of(taken.probabilities)


@pytest.mark.parametrize("name", ["damping", "mixture", "operators"])
def test_trajectories_of_all_choices_sum_to_the_density(name):
    act = CHANNELS[name](P)
    circuit = qf.circuit(
        2, qf.ry(THETA, [0, 1]), qf.measure(0, "a"),
        qf.conditional("a", qf.Op(act.gate, act.wires[:1], tuple(p[:1] for p in act.params)), 1),
        qf.conditional("a", qf.reset(1), 1), qf.rx(0.4, [0, 1]),
    )  # fmt: skip
    total = sum(p * torch.outer(psi, psi.conj()) for psi, p in patterns(circuit))
    assert_close(total, qf.run_density(circuit), n_gates=256)


def flagged(theta, p):
    """Damped only where it was found in |1⟩: ⟨Z⟩ is cos(θ) + 2 p sin²(θ/2)."""
    return qf.circuit(
        1, qf.ry(theta, 0), qf.measure(0, "m"),
        qf.conditional("m", noise.amplitude_damping(p, 0), 1),
    )  # fmt: skip


def test_strengths_and_angles_have_the_derivatives_of_the_closed_form():
    def value(theta, p):
        return qf.expval(qf.run_density(flagged(theta, p)), Z)

    def exact(theta, p):
        return theta.cos() + 2 * p * (theta / 2).sin().square()

    bound = tolerance(F64, 64, 8.0)
    points = (THETA, P), (THETA, torch.zeros_like(P)), (torch.zeros_like(THETA), P)
    for point in points:
        assert abs(float(value(*point) - exact(*point))) < bound
        found, expected = (grad(fn, (0, 1))(*point) for fn in (value, exact))
        for one, other in zip(found, expected, strict=True):
            assert abs(float(one - other)) < bound
        second, closed = (hessian(fn, (0, 1))(*point) for fn in (value, exact))
        assert abs(float(second[0][1] - closed[0][1])) < bound


def test_means_over_trajectories_have_its_slopes():
    def sample(theta, p, u):
        run = qf.run_trajectory(flagged(theta, p), u)
        return run.weight * qf.expval(run.state, Z)

    u = qf.uniforms((20_000, 2), 0, dtype=F64)
    slopes = vmap(grad(sample, (0, 1)), (None, None, 0))(THETA, P, u)
    expected = -THETA.sin() * (1 - P), 2 * (THETA / 2).sin().square()
    for found, exact in zip(slopes, expected, strict=True):
        assert (found.mean() - exact).abs() < 5 * found.std() / len(found) ** 0.5


def test_an_active_reset_is_a_reset():
    """What was found in |1⟩ alone is reset; the rest is in |0⟩ already."""
    circuit = qf.circuit(
        1, qf.ry(THETA, 0), qf.measure(0, "m"), qf.conditional("m", qf.reset(0), 1)
    )
    assert noise.n_draws(circuit) == 2
    zero = torch.tensor([[1, 0], [0, 0]], dtype=torch.complex128)
    assert_close(qf.run_density(circuit), zero, n_gates=16)
    branches = qf.run_branches(circuit)
    assert_close(instruments.branch_probabilities(branches)[[1, 2]], torch.zeros(2), n_gates=1)
    runs = vmap(lambda u: qf.run_trajectory(circuit, u))(qf.uniforms((50, 2), 1, dtype=F64))
    assert_close(runs.state.abs()[:, 0], torch.ones(50, dtype=F64), n_gates=16)


def test_two_conditions_are_the_one_that_both_make():
    theta = torch.tensor([0.2, 1.1], dtype=F64)

    def circuit(act):
        return qf.circuit(2, qf.ry(theta, [0, 1]), qf.measure([0, 1], "a"), qf.h(0),
                          qf.measure(0, "b"), act)  # fmt: skip

    gate = qf.crx(theta[0], 0, 1)
    nested = circuit(qf.conditional("b", qf.conditional("a", gate, (1, 0)), 1))
    flat = circuit(qf.conditional(["a", "b"], gate, (1, 0, 1)))
    assert torch.equal(qf.run_branches(nested).states, qf.run_branches(flat).states)
    assert nested.ops[-1].gate.reads == ("a", "b")
    shared = circuit(qf.conditional("a", qf.conditional("a", gate, 1), 2))
    plain = circuit([])
    assert torch.equal(qf.run_branches(shared).states, qf.run_branches(plain).states)


def test_a_key_that_only_the_inner_condition_reads_is_kept_and_checked():
    act = qf.conditional("b", qf.conditional("a", qf.x(0), 1), 1)
    with pytest.raises(ValueError, match="before any measurement of 'a'"):
        qf.run_density(qf.circuit(1, qf.measure(0, "b"), act))
    wide = qf.conditional("b", qf.conditional("a", qf.x(0), 2), 1)
    with pytest.raises(ValueError, match="below 2, but got 2"):
        qf.run_branches(qf.circuit(1, qf.measure(0, "a"), qf.measure(0, "b"), wide))


@each_channel
def test_branches_refuse_the_channel_by_its_name(channel):
    name = channel(P).gate.name.partition("[")[0]
    with pytest.raises(TypeError, match=rf"^{name}\(\): a channel makes a mixture"):
        qf.run_branches(conditional(channel))


def test_what_conditional_measurements_are_refused_for_can_be_said():
    """Copied under the condition, measured always: 0 where the first bit was 0."""
    with pytest.raises(TypeError, match=r"Copy the wire to one in \|0> by"):
        qf.conditional("a", qf.measure(1, "b"), 1)
    circuit = qf.circuit(
        3, qf.ry(THETA, [0, 1]), qf.measure(0, "a"), qf.conditional("a", qf.cx(1, 2), 1),
        qf.measure(2, "b"),
    )  # fmt: skip
    found = noise.run_density_branches(circuit)
    probabilities = instruments.branch_probabilities(found)
    up = (THETA / 2).sin().square()
    expected = torch.stack([1 - up, 0 * up, up * (1 - up), up * up])
    assert_close(probabilities, expected, n_gates=32)
    kept = found.states[0].unflatten(0, (2, 4)).unflatten(2, (2, 4))[0, :, 0]
    coherence = kept[0, 2]  # of wire 1, which was not measured there
    assert_close(coherence.real, (1 - up) * THETA.sin() / 2, n_gates=32)


DRAWN = qf.circuit(
    2, qf.measure([0, 1], "k"), qf.conditional("k", qf.conditional("k", qf.cx(0, 1), 2), 1),
    qf.conditional("k", qf.reset(0), (0, 1)), qf.conditional("k", noise.bit_flip(0.1, 1), 3),
    qf.conditional("k", instruments.lookup("k", qf.rx, torch.arange(4.0), 0), 0),
)  # fmt: skip


def test_they_are_drawn_mapped_repeated_and_pickled():
    text = DRAWN.draw(width=200)
    for label in ("⊕?k=2&k=1", "Reset?k=01", "BF?k=3(0.1)", "RX[k]?k=0"):
        assert label in text
    assert DRAWN.map_wires({0: 2}, 3).ops[2].wires == ((2,),)
    copied = pickle.loads(pickle.dumps(DRAWN.repeat(2)))
    assert qf.same_structure(copied, DRAWN.repeat(2))
    assert torch.equal(qf.run_density(copied), qf.run_density(DRAWN.repeat(2)))


@pytest.mark.parametrize("op", DRAWN.ops, ids=str)
def test_none_has_an_inverse_a_power_or_a_control(op):
    name = op.gate.name.partition("[")[0]
    with pytest.raises(ValueError, match=rf"^{name}\.inverse\(\): "):
        op.inverse()
    for change in (qf.inverse, qf.controlled, qf.conjugate, lambda row: qf.power(row, 2)):
        with pytest.raises(TypeError, match=rf"base=<instrument {name}.*must be a gate, but got"):
            change(op.gate)


def test_noise_models_see_through_conditions():
    model = noise.noise_model(noise.rule(noise.bit_flip, 0.1, gates=qf.x))
    act = qf.conditional("m", qf.conditional("m", qf.x(0), 1), 1)
    found = noise.with_noise(qf.circuit(1, qf.measure(0, "m"), act), model)
    assert [op.gate.name for op in found.ops][2:] == ["bit_flip"]


def test_strengths_are_mapped_over_and_replayed():
    strengths = torch.tensor([0.0, 0.3, 1.0], dtype=F64)

    def value(p):
        return qf.expval(qf.run_density(flagged(THETA, p)), Z)

    loop = torch.stack([grad(value)(p) for p in strengths])
    assert_close(vmap(grad(value))(strengths), loop, n_gates=64)
    assert_close(qf.jit(grad(value))(strengths[1]), loop[1], n_gates=64)
    u = qf.uniforms((5, 2), 2, dtype=F64)

    def run(u):
        return qf.run_trajectory(flagged(THETA, P), u).state

    assert_close(qf.jit(vmap(run))(u), torch.stack([run(one) for one in u]), n_gates=64)
