"""Protocols with measurement in the middle: what they are for, exactly and with derivatives."""

import itertools
import math

import pytest
import torch
from oracles.compare import assert_close
from torch.func import grad, vmap

import quilt_func as qf
from quilt_func import instruments, noise
from quilt_func.instruments import parity
from quilt_func.testing import tolerance

F64 = torch.float64


def prepared(angles, wire):
    return qf.u(angles[0], angles[1], angles[2], wire)


def teleported(angles):
    """Wire 0 is teleported to wire 2."""
    return qf.circuit(
        3, prepared(angles, 0), qf.h(1), qf.cx(1, 2), qf.cx(0, 1), qf.h(0),
        qf.measure(0, "z"), qf.measure(1, "x"), qf.conditional("x", qf.x(2), 1),
        qf.conditional("z", qf.z(2), 1),
    )  # fmt: skip


def fidelities(angles):
    """Of each of the four branches with what was sent, and its probability."""
    branches = qf.run_branches(teleported(angles))
    psi = qf.circuit(1, prepared(angles, 0))()
    amplitudes = branches.states.reshape(4, 4, 2)
    overlaps = torch.view_as_real((amplitudes * psi.conj()).sum(-1)).square().sum((-2, -1))
    return overlaps / 0.25, instruments.branch_probabilities(branches)


def test_teleportation_has_fidelity_1_in_every_branch_for_every_input():
    angles = 6 * qf.uniforms((20, 3), 0, dtype=F64)
    found, probabilities = vmap(fidelities)(angles)
    assert_close(found, torch.ones(20, 4, dtype=F64), n_gates=64, scale=4.0)
    assert_close(probabilities, torch.full((20, 4), 0.25, dtype=F64), n_gates=64)
    slopes = vmap(grad(lambda a: fidelities(a)[0].square().sum()))(angles)
    assert_close(slopes, torch.zeros_like(slopes), n_gates=64, scale=16.0)


def test_teleported_values_have_the_slopes_of_what_was_sent():
    z = qf.pauli_sum({"IIZ": 1.0})

    def received(a):
        return instruments.branch_expval(qf.run_branches(teleported(a)), z).sum()

    angles = torch.tensor([0.7, 0.2, -0.4], dtype=F64)
    expected = torch.tensor([-math.sin(0.7), 0.0, 0.0], dtype=F64)
    assert_close(grad(received)(angles), expected, n_gates=64)
    by_density = grad(lambda a: qf.expval(qf.run_density(teleported(a)), z))(angles)
    assert_close(by_density, expected, n_gates=128)


def attempts(theta, rounds):
    """RX(theta) on an ancilla until it is read as 1: a later round runs only after failures."""
    ops = [qf.rx(theta, 0), qf.measure(0, "m")]
    for _ in range(rounds - 1):
        again = qf.conditional("m", qf.rx(theta, 0), 0)
        ops += [again, qf.measure(0, "m")]
    return qf.circuit(1, ops)


@pytest.mark.parametrize("rounds", [1, 2, 4])
def test_repeat_until_success_within_a_number_of_rounds(rounds):
    theta = torch.tensor(0.9, dtype=F64)

    def success(theta):
        """A success stays: wire 0 is 1, and no later round acts."""
        found = qf.run_branches(attempts(theta, rounds))
        return instruments.branch_mean(
            found, lambda s, b: torch.view_as_real(s).square().sum() * b["m"][0]
        )

    def by_density(theta):
        return qf.run_density(attempts(theta, rounds))[1, 1].real

    def expected(theta):
        return 1 - (theta / 2).cos() ** (2 * rounds)

    for fn in (success, by_density):
        assert_close(fn(theta), expected(theta), n_gates=64)
        assert_close(grad(fn)(theta), grad(expected)(theta), n_gates=64, scale=4.0)
        assert_close(grad(grad(fn))(theta), grad(grad(expected))(theta), n_gates=64, scale=16.0)


ENCODE = [qf.cx(0, 1), qf.cx(0, 2)]
SYNDROME = [qf.cx(0, 3), qf.cx(1, 3), qf.cx(1, 4), qf.cx(2, 4), qf.measure([3, 4], "s")]
DECODE = [qf.conditional("s", qf.x(wire), value) for wire, value in ((0, 2), (1, 3), (2, 1))]


@pytest.mark.parametrize("wire", [None, 0, 1, 2])
def test_the_bit_flip_code_corrects_one_error(wire):
    theta = torch.tensor(0.8, dtype=F64)
    errors = [] if wire is None else [qf.x(wire)]
    circuit = qf.circuit(5, qf.ry(theta, 0), ENCODE, errors, SYNDROME, DECODE)
    encoded = qf.circuit(3, qf.ry(theta, 0), ENCODE)()
    branches = qf.run_branches(circuit)
    probabilities = instruments.branch_probabilities(branches)
    place = int(probabilities.argmax())
    assert branches.bits["s"][place].tolist() == {
        None: [0, 0], 0: [1, 0], 1: [1, 1], 2: [0, 1]
    }[wire]  # fmt: skip
    state = branches.states[place].reshape(8, 4)[:, place]
    assert_close(state.abs(), encoded.abs(), n_gates=64)
    assert_close(probabilities.sum(), torch.ones((), dtype=F64), n_gates=64)


def logical_error(p):
    """Probability that the majority is wrong after a round of correction."""
    circuit = qf.circuit(5, ENCODE, noise.bit_flip(p, [0, 1, 2]), SYNDROME, DECODE)
    return qf.marginal(qf.run_density(circuit), [0])[1]


def test_noise_below_the_code_is_squared():
    p = torch.tensor(0.1, dtype=F64)

    def expected(p):
        return 3 * p**2 * (1 - p) + p**3

    assert_close(logical_error(p), expected(p), n_gates=256)
    assert_close(grad(logical_error)(p), grad(expected)(p), n_gates=256, scale=8.0)
    assert_close(grad(logical_error)(0 * p), 0 * p, n_gates=256)


def test_a_lookup_decodes_as_conditions_do():
    """One table of angles for each wire, indexed by the syndrome."""
    turn = math.pi
    tables = torch.tensor([[0, 0, turn, 0], [0, 0, 0, turn], [0, turn, 0, 0]], dtype=F64)
    by_table = instruments.lookup("s", qf.rx, tables, [0, 1, 2])
    for errors in ([], [qf.x(0)], [qf.x(1)], [qf.x(2)], [qf.x([0, 2])]):
        one, other = (
            qf.run_branches(qf.circuit(5, qf.ry(0.3, 0), ENCODE, errors, SYNDROME, last))
            for last in (DECODE, by_table)
        )
        assert_close(one.states.abs(), other.states.abs().to(torch.float32), n_gates=64)


def test_a_parity_of_many_bits_fixes_a_ghz_state():
    """Measured in X on all wires but the last, an odd parity leaves a sign on that."""
    n = 4
    fixed = qf.circuit(
        n, qf.h(0), qf.cx([(0, i) for i in range(1, n)]), qf.h(range(n - 1)),
        qf.measure(range(n - 1), "x"), qf.conditional("x", qf.z(n - 1), parity), qf.h(n - 1),
    )  # fmt: skip
    branches = qf.run_branches(fixed, qf.zero_state(n, dtype=torch.complex128))
    last = qf.pauli_sum({("Z", (n - 1,)): 1.0}, n_qubits=n)
    values = instruments.branch_expval(branches, last)
    assert_close(values, instruments.branch_probabilities(branches), n_gates=64)
    assert abs(float(values.sum()) - 1) < tolerance(F64, 64)


def test_feed_forward_learns():
    """An angle for each outcome: the best is pi where the bit is 1."""
    z = qf.pauli_sum({"ZI": 1.0})

    def energy(table):
        circuit = qf.circuit(2, qf.ry(1.1, 0), qf.measure(0, "m"))
        circuit = qf.circuit(2, circuit, instruments.lookup("m", qf.rx, table, 0))
        return -instruments.branch_expval(qf.run_branches(circuit), z).sum()

    table = torch.tensor([0.4, 2.2], dtype=F64)
    for _ in range(200):
        table = table - 0.5 * grad(energy)(table)
    assert_close(table, torch.tensor([0.0, math.pi], dtype=F64), scale=1e6)


def test_outcomes_in_all_orders_are_told_apart():
    """Keys of several wires, read together: only one value of three bits meets the condition."""
    for bits in itertools.product((0, 1), repeat=3):
        flips = [qf.x(wire) for wire, bit in enumerate(bits) if bit]
        circuit = qf.circuit(
            4, flips, qf.measure([2, 0], "a"), qf.measure(1, "b"),
            qf.conditional(["b", "a"], qf.x(3), (0, 1, 1)),
        )  # fmt: skip
        found = qf.marginal(qf.run_density(circuit), [3])[1]
        assert float(found) == float(bits == (1, 0, 1))
