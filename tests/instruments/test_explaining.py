"""What `explain` tells of circuits with outcomes: it is what is run, and what is held."""

import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import quilt_func as qf
from quilt_func import instruments, noise
from quilt_func.evolution import signature
from quilt_func.instruments.branch_walk import BranchWalk
from quilt_func.noise import branching
from quilt_func.noise.density_walk import DensityWalk
from quilt_func.testing import strategies as qst

F64 = torch.float64


def watched(walk, monkeypatch):
    """Gates and branches of each run of a walk that has gates to run."""
    runs, right = [], walk.advanced

    def advanced(self):
        n_branches = 1 if self.states is None else len(self.states)
        if self.waiting:
            runs.append((sum(map(len, self.waiting)), n_branches))
        return right(self)

    monkeypatch.setattr(walk, "advanced", advanced)
    return runs


def rows_of(text):
    """Numbers of the stretches' lines."""
    lines = text.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("stretch")) + 1
    last = next(i for i, line in enumerate(lines) if line.startswith("  total"))
    return [[int(number) for number in line.split()[1:6]] for line in lines[first:last]]


@given(data=st.data(), postselects=st.booleans())
def test_stretches_and_branches_are_those_of_the_run(data, postselects):
    circuit = data.draw(qst.dynamic_circuits(min_qubits=2, postselects=postselects))
    if not instruments.has_instruments(circuit):
        return
    with pytest.MonkeyPatch.context() as monkeypatch:
        runs = watched(BranchWalk, monkeypatch)
        branches = qf.run_branches(circuit)
    text = qf.explain(circuit)
    assert [(gates, own) for gates, _, _, own, _ in rows_of(text)] == runs
    assert [held for *_, held in rows_of(text)] == [own * 2**circuit.n_qubits for _, own in runs]
    assert f"run_branches    {len(branches.states)} branches of {2**circuit.n_qubits} ampl" in text
    assert text.startswith(f"{len(branches.states)} branches on {circuit.n_qubits} qubits")
    size = branches.states.numel() * 8 / 2**20
    if not circuit.leaves:
        assert f"amplitudes, {size:.3g} MiB" in text
    told = re.search(r"run_density     (\d+) matrices", text)[1]
    with pytest.MonkeyPatch.context() as monkeypatch:
        lengths = held_by_densities(monkeypatch)
        qf.run_density(circuit)
    assert int(told) == max(lengths)


def held_by_densities(monkeypatch):
    lengths, right = [1], DensityWalk._write

    def write(self, key, n_bits):
        right(self, key, n_bits)
        lengths.append(len(self.states))

    monkeypatch.setattr(DensityWalk, "_write", write)
    return lengths


@given(data=st.data(), postselects=st.booleans())
def test_trajectories_are_run_as_they_are_told(data, postselects):
    circuit = data.draw(qst.dynamic_circuits(min_qubits=2, postselects=postselects))
    keys = [op.gate.writes for op in circuit.ops if op.gate.writes]
    channels = noise.amplitude_damping(0.1, [0, 1]), noise.bit_flip(0.1, [1, 0])
    acts = [qf.conditional(keys[-1:], op, 1) for op in channels] if keys else channels
    circuit = qf.circuit(circuit.n_qubits, circuit, acts)
    runs, right = [], branching.evolved

    def evolved(n, ops, *rest):
        runs.append(sum(map(len, ops)))
        return right(n, ops, *rest)

    u = qf.uniforms(noise.n_draws(circuit), 0, dtype=F64)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(branching, "evolved", evolved)
        qf.run_trajectory(circuit, u)
    text = noise.explain_trajectory(circuit)
    assert text.startswith(f"{len(u)} draws in {len(runs)} stretches")
    lines = text.split("up to\n")[1].splitlines()[: len(runs)]
    assert [int(line.split()[1]) for line in lines] == runs
    if keys:
        whole = qf.explain(circuit)
        assert whole.startswith(text)
        assert f"run_trajectory  {len(u)} uniform numbers, {len(runs)} stretches" in whole
        assert "run_branches    refuses channels" in whole


@pytest.mark.parametrize("n", [9, signature.WIDE])
def test_steps_are_those_of_the_plans(n, monkeypatch):
    """Gates that depend on a branch are planned apart, unless they take turns on wide states."""
    rounds = [
        (qf.conditional("m", qf.ry(0.3, range(n)), outcome), qf.rx(0.2, range(n)))
        for outcome in (1, 0, 1)
    ]
    circuit = qf.circuit(
        n, qf.ry(torch.tensor(0.3), range(n)), qf.cx([(i, i + 1) for i in range(n - 1)]),
        qf.measure(0, "m"), rounds, qf.reset(1), qf.conditional("m", qf.h(2), 1),
    )  # fmt: skip
    seen, made = [], signature.plan

    def plan(*args):
        seen.append(len(made(*args).steps))
        return made(*args)

    monkeypatch.setattr(signature, "plan", plan)
    qf.run_branches(circuit)
    assert [steps for _, steps, *_ in rows_of(qf.explain(circuit))] == seen


def test_what_has_no_kraus_operators_is_told_of_too():
    matrix = torch.eye(4, dtype=torch.complex64)
    circuit = qf.circuit(1, qf.measure(0, "m"), noise.superoperator(matrix, 0))
    assert qf.explain(circuit).splitlines() == [
        "run_branches    refuses channels",
        "run_trajectory  refuses what has no Kraus operators",
        "run_density     1 matrices of 4 entries, 3.05e-05 MiB",
    ]


def test_a_register_is_counted_as_long_as_it_is_read():
    rounds = [qf.h(0), qf.measure(0, "m"), qf.conditional("m", qf.rx(0.3, 1), 1)] * 10
    assert "run_density     2 matrices of 16" in qf.explain(qf.circuit(2, rounds))
    assert "run_branches    1024 branches of 4" in qf.explain(qf.circuit(2, rounds))
