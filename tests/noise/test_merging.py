"""Gates and channels merged before a density is planned: fewer factors, the same map."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.func import grad, jvp, vmap

import quilt_func as qf
from quilt_func import noise
from quilt_func.noise import density, merging
from quilt_func.testing import tolerance

F64 = torch.float64
ONE = [row for row in noise.CHANNELS if row.n_wires == 1 and row.n_params == 1]
PAIRS = [(0, 1), (3, 2)]


@st.composite
def runs(draw):
    """Gates with channels on the same wires, one and two at a time, numbers and tensors."""
    ops = []
    for seed in range(draw(st.integers(1, 6))):
        u = 0.9 * qf.uniforms((4,), seed, dtype=F64)
        wires = draw(st.permutations(range(4)))[: draw(st.integers(1, 4))]
        strength = draw(st.sampled_from([0.3, u[0], u[: len(wires)]]))
        by_pair = draw(st.sampled_from([0.1, u[1], u[:2]]))
        ops += draw(
            st.sampled_from(
                [
                    [qf.rx(u[: len(wires)], wires), draw(st.sampled_from(ONE))(strength, wires)],
                    [draw(st.sampled_from(ONE))(strength, wires), qf.h(wires)],
                    [qf.cx(PAIRS), noise.two_qubit_depolarizing(by_pair, PAIRS)],
                    [qf.rzz(u[:2], PAIRS), noise.amplitude_damping(u, [0, 1, 3, 2])],
                    [qf.cy(PAIRS), noise.phase_damping(0.2, [0, 1, 2, 3])],
                    [qf.cz(PAIRS), noise.pauli_channel(u / 3, 0.2, u[3] / 3, [0, 1, 3, 2])],
                    [qf.cx([(0, 1), (1, 2)]), noise.phase_damping(0.2, [0, 1])],
                ]
            )
        )
    return qf.circuit(4, ops)


def unmerged(circuit, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(density, "merged", list)
        return run(circuit)


def run(circuit):
    zero = qf.zero_state(circuit.n_qubits, dtype=torch.complex128)
    return qf.run_density(circuit, zero.outer(zero))


@given(runs())
def test_merging_changes_nothing(circuit):
    with pytest.MonkeyPatch.context() as monkeypatch:
        apart = unmerged(circuit, monkeypatch)
    found = run(circuit)
    assert (found - apart).abs().max() < tolerance(F64, 8 * len(circuit.ops))


def names(*ops):
    return [op.gate.name for op in merging.merged(ops)]


def test_what_is_merged():
    p, on = torch.tensor(0.1), range(2)
    flips = noise.bit_flip(p, on)
    assert names(qf.ry(p, on), flips, qf.rz(p, on), flips) == ["ry+bit_flip+rz+bit_flip"]
    assert names(qf.ry(p, on), qf.rz(p, on)) == ["ry", "rz"]
    assert names(qf.cx(0, 1), flips) == ["cx+bit_flip*2"]
    assert names(qf.cx(0, 1), noise.bit_flip(p, [1, 0])) == ["cx", "bit_flip"]
    assert names(flips, qf.cx(0, 1)) == ["bit_flip", "cx"]
    assert names(qf.cx([(0, 1), (1, 2)]), noise.bit_flip(p, [0, 1, 1, 2])) == ["cx", "bit_flip"]
    assert names(qf.ry(p, on), qf.h(1), flips) == ["ry", "h", "bit_flip"]
    assert names(qf.ccx(0, 1, 2), noise.bit_flip(p, range(3))) == ["ccx", "bit_flip"]


def test_weights_stay_apart_from_data():
    theta, x = torch.tensor(0.3), torch.linspace(0, 1, 5)
    seen = []

    def value(x, p):
        ops = [
            qf.ry(x, 0), noise.bit_flip(p, 0), qf.rz(theta, 0), noise.bit_flip(p, 0)
        ]  # fmt: skip
        seen.append(names(*ops))
        return qf.expval(qf.run_density(qf.circuit(1, ops)), qf.pauli_sum({"Z": 1.0}))

    mapped = vmap(value, (0, None))(x, torch.tensor(0.1))
    assert seen.pop() == ["ry+bit_flip", "rz+bit_flip"]
    assert (mapped - x.cos() * 0.8**2).abs().max() < tolerance(torch.float32, 16)
    swept = vmap(value, (None, 0))(x[2], x / 2)
    assert seen.pop() == ["ry", "bit_flip", "rz", "bit_flip"]
    assert (swept - x[2].cos() * (1 - x) ** 2).abs().max() < tolerance(torch.float32, 16)


def test_strengths_of_a_merged_op_have_their_derivatives():
    """Bit flips and phase flips of different strengths behind a CZ, in closed form."""

    def value(p):
        circuit = qf.circuit(
            2, qf.h([0, 1]), qf.cz(0, 1), noise.phase_flip(p[:2], [0, 1]), noise.bit_flip(p[2], [0])
        )
        return qf.expval(qf.run_density(circuit), qf.pauli_sum({"XZ": 1.0, "ZX": 1.0}))

    p = torch.tensor([0.1, 0.2, 0.3], dtype=F64)
    first, last = 1 - 2 * p[0], (1 - 2 * p[1]) * (1 - 2 * p[2])
    assert abs(value(p) - (first + last)) < tolerance(F64, 32)
    exact = torch.stack([torch.tensor(-2.0, dtype=F64), -2 * (1 - 2 * p[2]), -2 * (1 - 2 * p[1])])
    assert (grad(value)(p) - exact).abs().max() < tolerance(F64, 32)
    ones = torch.ones_like(p)
    assert abs(jvp(value, (p,), (ones,))[1] - exact.sum()) < tolerance(F64, 32)


ORIGINAL = merging.composite
MUTANTS = {
    "the other order": lambda rows: ORIGINAL(rows[::-1]),
    "another channel": lambda rows: ORIGINAL((*rows[:-1], noise.phase_flip)),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_planted_mistakes_show(name, monkeypatch):
    circuit = qf.circuit(1, qf.h(0), noise.amplitude_damping(0.4, 0))
    apart = unmerged(circuit, monkeypatch)
    monkeypatch.setattr(merging, "composite", MUTANTS[name])
    assert (run(circuit) - apart).abs().max() > 1e-3
