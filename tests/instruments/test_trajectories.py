"""One outcome by uniform numbers, with noise: against branches and density matrices."""

import math

import pytest
import torch
from noisy_samples import close
from oracles.compare import assert_close
from torch.func import grad, hessian, vmap

import quilt_func as qf
from quilt_func import instruments, noise
from quilt_func.testing import tolerance

F64 = torch.float64
SHOTS = 20_000
WORDS = qf.pauli_sum({"ZX": 1.0, "XI": 0.5, "IZ": -0.4})
POINT = torch.tensor(0.8, dtype=F64), torch.tensor(0.15, dtype=F64)


def noisy(theta, p):
    return qf.circuit(
        2, qf.ry(theta, range(2)), noise.amplitude_damping(p, 0), qf.cx(0, 1), qf.measure(0, "m"),
        noise.depolarizing(p, 1), qf.conditional("m", qf.rx(theta, 1), 1), qf.reset(0),
        instruments.lookup("m", qf.ry, torch.stack([theta, theta.square()]), 0),
        qf.measure([1, 0], "k"), qf.conditional(["m", "k"], qf.h(0), instruments.parity),
    )  # fmt: skip


def by_density(theta, p):
    return qf.expval(qf.run_density(noisy(theta, p)), WORDS)


def by_register(theta, p):
    """The same, with the bits: outcomes as values."""
    found = noise.run_density_branches(noisy(theta, p))
    return instruments.branch_mean(
        found, lambda rho, bits: qf.expval(rho, WORDS) * (1 + bits["k"][0])
    )


def sampled(theta, p, u):
    state, weight = qf.run_trajectory(noisy(theta, p), u)
    return weight * qf.expval(state, WORDS)


def sampled_with_bits(theta, p, u):
    run = qf.run_trajectory(noisy(theta, p), u)
    return run.weight * qf.expval(run.state, WORDS) * (1 + run.bits["k"][0])


@pytest.mark.parametrize(
    ("sample", "exact"), [(sampled, by_density), (sampled_with_bits, by_register)]
)
def test_means_and_their_slopes_are_the_densitys(sample, exact):
    u = qf.uniforms((SHOTS, noise.n_draws(noisy(*POINT))), 0, dtype=F64)
    close(vmap(sample, (None, None, 0))(*POINT, u), exact(*POINT))
    slopes = vmap(grad(sample, (0, 1)), (None, None, 0))(*POINT, u)
    for found, expected in zip(slopes, grad(exact, (0, 1))(*POINT), strict=True):
        close(found, expected)
    seconds = vmap(hessian(sample), (None, None, 0))(*POINT, u)
    close(seconds, hessian(exact)(*POINT))


def test_a_slope_without_the_weight_is_wrong():
    """Of outcomes' probabilities alone: measured, the value has no slope in any branch."""
    z = qf.pauli_sum({"Z": 1.0})

    def value(theta, u):
        return qf.run_trajectory(qf.circuit(1, qf.ry(theta, 0), qf.measure(0, "m")), u)

    u, theta = qf.uniforms((SHOTS, 1), 1, dtype=F64), POINT[0]
    frozen = vmap(grad(lambda t, u: qf.expval(value(t, u).state, z)), (None, 0))(theta, u)
    assert float(frozen.abs().max()) < tolerance(F64, 64)

    def weighted(t, u):
        state, weight = value(t, u)
        return weight * qf.expval(state, z)

    close(vmap(grad(weighted), (None, 0))(theta, u), -theta.sin())


def test_each_sample_is_a_branch():
    """Its state is the branch's, normalised, and numbers pick branches by their probabilities."""
    circuit = qf.circuit(
        2, qf.ry(POINT[0], range(2)), qf.cx(0, 1), qf.measure([1, 0], "m"),
        qf.conditional("m", qf.h(0), (1, 0)),
    )  # fmt: skip
    branches = qf.run_branches(circuit)
    probabilities = instruments.branch_probabilities(branches)
    sums = torch.cat([torch.zeros(1, dtype=F64), probabilities.cumsum(0)])
    u = ((sums[1:] + sums[:-1]) / 2)[:, None]
    runs = vmap(lambda one: qf.run_trajectory(circuit, one))(u)
    assert torch.equal(runs.bits["m"], branches.bits["m"])
    expected = branches.states / probabilities.sqrt()[:, None]
    assert_close(runs.state, expected, n_gates=64)


def test_postselection_by_trajectories_is_a_ratio_of_means():
    """With chance before it: a measurement, and an error."""
    z = qf.pauli_sum({"ZI": 1.0})

    def circuit(x):
        return qf.circuit(
            2, qf.ry(x, 0), qf.measure(0, "m"), noise.bit_flip(0.2, 0), qf.cx(0, 1), qf.rx(x, 1),
            qf.postselect(1, 1),
        )  # fmt: skip

    def both(x, u):
        run = qf.run_trajectory(circuit(x), u)
        return torch.stack([run.weight * qf.expval(run.state, z), run.weight])

    def exact(x):
        rho = qf.run_density(circuit(x))
        return torch.stack([qf.expval(rho, z), rho.diagonal().real.sum()])

    x = torch.tensor(0.512, dtype=F64)
    u = qf.uniforms((SHOTS, noise.n_draws(circuit(x))), 2, dtype=F64)
    close(vmap(both, (None, 0))(x, u), exact(x))
    slopes = vmap(torch.func.jacrev(both), (None, 0))(x, u)
    close(slopes, torch.func.jacrev(exact)(x))


def test_the_closed_form_of_a_postselected_bell_pair():
    """-cos x, and sin x, within four errors, where the other wire is measured first."""
    z, x = qf.pauli_sum({"ZI": 1.0}), torch.tensor(0.512, dtype=F64)

    def both(x, u):
        circuit = qf.circuit(
            2, qf.h(0), qf.cx(0, 1), qf.rx(x, 1), qf.measure(0, "m"), qf.postselect(1, 1)
        )
        run = qf.run_trajectory(circuit, u)
        return run.weight * qf.expval(run.state, z), run.weight

    u = qf.uniforms((SHOTS, 1), 3, dtype=F64)

    def ratio(x, u):
        value, weight = vmap(both, (None, 0))(x, u)
        return value.mean() / weight.mean()

    parts = u.unflatten(0, (20, -1))
    for fn, expected in ((ratio, -x.cos()), (grad(ratio), x.sin())):
        found = vmap(fn, (None, 0))(x, parts)
        error = found.std() / math.sqrt(len(found))
        assert abs(float(found.mean() - expected)) < 4 * float(error) + 1 / SHOTS


def test_what_cannot_be_is_a_state_of_zeros_of_weight_0():
    circuit = qf.circuit(1, qf.rx(torch.tensor(0.0, dtype=F64), 0), qf.postselect(0, 1))
    run = qf.run_trajectory(circuit, torch.zeros(0, dtype=F64))
    assert float(run.weight) == 0.0
    assert not run.state.any()

    def value(x):
        c = qf.circuit(1, qf.rx(x, 0), qf.postselect(0, 1), qf.measure(0, "m"))
        run = qf.run_trajectory(c, torch.zeros(1, dtype=F64))
        return run.weight * qf.expval(run.state, qf.pauli_sum({"Z": 1.0}))

    assert float(grad(value)(torch.tensor(0.0, dtype=F64))) == 0.0


def test_a_trajectory_is_a_pair_and_a_tree():
    circuit = qf.circuit(1, qf.h(0), qf.measure(0, "m"))
    run = qf.run_trajectory(circuit, qf.uniforms(1, 0))
    state, weight = run
    assert state is run.state
    assert weight is run.weight
    jitted = qf.jit(lambda u: qf.run_trajectory(circuit, u))(qf.uniforms(1, 0))
    assert torch.equal(jitted.bits["m"], run.bits["m"])
    assert torch.equal(jitted.state, run.state)


REFUSING = {
    "run_no_jump": noise.run_no_jump,
    "run_jumps": lambda c: noise.run_jumps(c, qf.uniforms(1, 0)),
    "run_pattern": lambda c: noise.run_pattern(c, torch.tensor([0])),
    "trajectory_patterns": lambda c: noise.trajectory_patterns(c, qf.uniforms((2, 1), 0)),
    "explain_density": noise.explain_density,
}


@pytest.mark.parametrize("name", REFUSING)
def test_what_knows_noise_alone_refuses_instruments_by_name(name):
    with pytest.raises(TypeError, match=rf"{name}\(.*the instrument measure\[m\]. Use `run_tra"):
        REFUSING[name](qf.circuit(1, qf.measure(0, "m")))


def test_noise_models_keep_the_order_of_outcomes():
    """A conditional gate on an idle wire stays behind what it reads, and has its gate's noise."""
    model = noise.noise_model(
        noise.rule(noise.bit_flip, 0.1, gates=qf.x), noise.rule(noise.phase_flip, 0.1, when="idle")
    )
    circuit = qf.circuit(2, qf.h([0, 0]), qf.measure(0, "m"), qf.conditional("m", qf.x(1), 1))
    with_noise = noise.with_noise(circuit, model)
    names = [op.gate.name for op in with_noise.ops]
    assert names.index("measure[m]") < names.index("conditional[x, m=1]") < names.index("bit_flip")
    assert names.count("bit_flip") == 1
    qf.run_density(with_noise)


def test_registers_are_summed_over_once_nothing_reads_them():
    """Ten rounds hold one bit, not ten: 2**10 matrices would be 2**10 times as long."""
    rounds = [qf.h(0), qf.measure(0, "m"), qf.conditional("m", qf.rx(0.3, 1), 1)] * 10
    circuit = qf.circuit(2, rounds)
    lengths = []

    def lower(ops):
        lengths.append(0 if walk.states is None else len(walk.states))
        return noise.density.doubled(ops)

    kind = torch.complex64, torch.device("cpu")
    walk = noise.density_walk.DensityWalk(2, None, *kind, lower)
    walk.mixture(circuit.ops)
    assert max(lengths) == 2
    assert not walk.bits
    rho = qf.run_density(circuit)
    assert abs(float(rho.diagonal().real.sum()) - 1) < tolerance(torch.float32, 64)
    assert noise.run_density_branches(circuit).states.shape == (2, 4, 4)
