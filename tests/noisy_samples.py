"""Noisy circuits of an angle and a strength, and means over their samples."""

import math

import torch

import quilt_func as qf
from quilt_func import noise
from quilt_func.noise import n_draws, run_jumps, run_no_jump, run_trajectory

F64 = torch.float64
Z = qf.pauli_sum({"Z": 1.0})
SHOTS = 100_000


def damped(theta, gamma):
    return qf.circuit(1, qf.ry(theta, 0), noise.amplitude_damping(gamma, 0))


def mixed(theta, p):
    return qf.circuit(
        2, qf.ry(theta, 0), noise.depolarizing(p, 0), qf.cx(0, 1),
        noise.two_qubit_depolarizing(p, 0, 1), qf.rx(theta, 1), noise.phase_damping(2 * p, [0, 1]),
    )  # fmt: skip


def everything(theta, p):
    return qf.circuit(
        2, qf.ry(theta, range(2)), noise.amplitude_damping(p, range(2)), qf.cx(0, 1),
        noise.depolarizing(p, 1), noise.reset_channel(p, 0), qf.rx(theta, 1),
        noise.thermal_relaxation(p, 0.7, 0.9, 0.2, 1), noise.over_rotation_y(theta, p, 0),
    )  # fmt: skip


CASES = {"damped": (damped, Z), "mixed": (mixed, None), "everything": (everything, None)}
WORDS = qf.pauli_sum({"ZX": 1.0, "YY": 0.5, "IZ": 0.7, "ZI": -0.4})
POINT = torch.tensor(0.8, dtype=F64), torch.tensor(0.15, dtype=F64)


def samples(circuit_of, observable, point, seed=0, shots=SHOTS):
    """`weight * value` as a function of the point, for each of many uniform numbers."""
    u = qf.uniforms((shots, n_draws(circuit_of(*point))), seed, dtype=F64)

    def value(theta, p, u):
        state, weight = run_trajectory(circuit_of(theta, p), u)
        return weight * qf.expval(state, observable)

    return value, u


def close(found, expected):
    """Within five standard errors of the mean of samples."""
    error = found.std(0) / math.sqrt(len(found))
    deviation = (found.mean(0) - expected).abs()
    assert bool((deviation < 5 * error + 1e-12).all()), (found.mean(0), expected, error)


def estimate(circuit_of, observable):
    """`no-jump + weight * value` of one sample, as a function of the point and of numbers."""

    def value(theta, p, u):
        circuit = circuit_of(theta, p)
        none, some = run_no_jump(circuit), run_jumps(circuit, u)
        without = none.weight * qf.expval(none.state, observable)
        return without + some.weight * qf.expval(some.state, observable)

    return value


def numbers(circuit_of, point, seed=0, shots=SHOTS):
    return qf.uniforms((shots, n_draws(circuit_of(*point))), seed, dtype=F64)


def exact(circuit_of, observable):
    return lambda theta, p: qf.expval(qf.run_density(circuit_of(theta, p)), observable)
