"""Data, ensembles and training over processes equal those of one; programs run by `torchrun`."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from rank_pools import RankError
from torch.func import grad, vmap
from torch.nn.parallel import DistributedDataParallel

import quilt_func as qf
from quilt_func import noise, sharded
from quilt_func.optim import adam, lbfgs, with_line_search
from quilt_func.testing import tolerance

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / "docs" / "programs"


def program(name):
    spec = importlib.util.spec_from_file_location(name, PROGRAMS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def train():
    return program("data_parallel").train()[0]


def alone():
    """The same steps by hand, with the whole of each batch."""
    there = program("data_parallel")
    samples, targets = there.data().tensors
    params = qf.uniforms((2, there.N_QUBITS), 1)

    def loss(params, batch):
        found = vmap(there.model, (None, 0))(params, samples[batch])
        return ((found - targets[batch]) ** 2).mean()

    for epoch in range(there.N_EPOCHS):
        order = torch.randperm(len(samples), generator=torch.Generator().manual_seed(epoch))
        for batch in order.split(there.BATCH):
            params = params - 0.1 * grad(loss)(params, batch)
    return params


@pytest.mark.parametrize("n", [2, 4])
def test_data_parallel_training_is_that_of_one_process(pool, n):
    expected = alone()
    for found in pool(n).run(train):
        assert torch.allclose(found, expected, atol=tolerance(found.dtype, 1000))
    start = qf.uniforms(expected.shape, 1)
    assert (start - expected).norm() > 0.1, "something is learnt"


def train_apart():
    """A plant: gradients that are not averaged."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DistributedDataParallel, "require_backward_grad_sync", False, raising=False)
        there = program("data_parallel")
        patch.setattr(there, "DistributedDataParallel", lambda network: network)
        return there.train()[0]


def test_training_without_an_average_is_noticed(pool):
    for found in pool(2).run(train_apart):
        assert not torch.allclose(found, alone(), atol=tolerance(found.dtype, 1000))


def noisy(p):
    return qf.circuit(2, qf.ry(p[0], 0), qf.cx(0, 1), noise.bit_flip(p[1], [0, 1]))


def total(p, u):
    def value(u):
        state, weight = qf.run_trajectory(noisy(p), u)
        return weight * qf.expval(state, qf.pauli_sum({"IZ": 1.0}))

    return vmap(value)(u).sum()


POINT, DRAWS = torch.tensor([0.3, 0.2], dtype=torch.float64), (999, 2)


def mean_slope():
    """The mean slope over all trajectories, of which each rank takes its share."""
    u = qf.uniforms(DRAWS, 7, dtype=torch.float64)
    share = u.tensor_split(dist.get_world_size())[dist.get_rank()]
    slope = grad(total)(POINT, share)
    dist.all_reduce(slope)
    return slope / len(u)


@pytest.mark.parametrize("n", [2, 4])
def test_trajectories_over_ranks_are_those_of_one_process(pool, n):
    expected = grad(total)(POINT, qf.uniforms(DRAWS, 7, dtype=torch.float64)) / DRAWS[0]
    for found in pool(n).run(mean_slope):
        assert torch.allclose(found, expected, atol=tolerance(found.dtype, DRAWS[0]))
    exact = grad(
        lambda p: qf.expval(qf.run_density(noisy(p)), qf.pauli_sum({"IZ": 1.0}))
    )(POINT)  # fmt: skip
    assert (expected - exact).abs().max() < 0.2


PAIRS = [(0, 1), (1, 2)]
WORDS = qf.pauli_sum({"ZZI": 1.0, "XXX": 0.5})


def energy(p):
    return qf.expval(qf.circuit(3, qf.ry(p, range(3)), qf.cx(PAIRS))(), WORDS)


STARTS = qf.uniforms((6, 3), 3, dtype=torch.float64)


def seeds():
    """Each rank trains some members of an ensemble; all of them have the results."""
    own = STARTS[dist.get_rank() :: dist.get_world_size()]
    losses = qf.optim.minimise(energy, own, adam(0.1), 5, ensemble=True).losses
    found = [torch.empty_like(losses) for _ in range(dist.get_world_size())]
    dist.all_gather(found, losses)
    return torch.stack(found, 1).flatten(0, 1)


@pytest.mark.parametrize("n", [2])
def test_seeds_over_ranks_are_those_of_one_process(pool, n):
    expected = qf.optim.minimise(energy, STARTS, adam(0.1), 5, ensemble=True).losses
    for found in pool(n).run(seeds):
        assert torch.allclose(found, expected, atol=tolerance(found.dtype, 100))


# --- training that goes on ---

METHODS = {"adam": lambda: adam(0.1), "lbfgs": lambda: with_line_search(lbfgs())}


class EndedError(Exception):
    """Ends a training, as a kill would."""


def training(folder, method, n_steps, ends_at=None, **options):
    def loss(p, target):
        return (energy(p) - target) ** 2

    def callback(step, params, value):
        if step == ends_at:
            raise EndedError

    return sharded.minimise_in_stages(
        loss, options.pop("params", STARTS[0]), METHODS[method](), n_steps, directory=folder,
        every=3, batches=torch.linspace(-1, 0, n_steps, dtype=torch.float64), callback=callback,
        **options,
    )  # fmt: skip


@pytest.mark.parametrize("options", [{}, {"ensemble": True, "params": STARTS}, {"jit": True}])
@pytest.mark.parametrize("method", METHODS)
def test_training_that_was_ended_goes_on_with_nothing_lost(tmp_path, method, options):
    if method == "lbfgs" and options.get("jit"):
        pytest.skip("one replay is enough")
    expected = training(tmp_path / "whole", method, 10, **options)
    for ends_at in (2, 7):
        with pytest.raises(EndedError):
            training(tmp_path / "cut", method, 10, ends_at=ends_at, **options)
    found = training(tmp_path / "cut", method, 10, **options)
    assert torch.equal(found.params, expected.params), "bit for bit"
    assert torch.equal(found.losses, expected.losses)
    again = training(tmp_path / "cut", method, 10, ends_at=0, **options)
    assert torch.equal(again.losses, expected.losses), "nothing is left to do"
    assert [path.name for path in (tmp_path / "cut").iterdir()] == ["training.pt"]


def test_training_in_stages_is_training(tmp_path):
    found = training(tmp_path, "adam", 10)
    expected = qf.optim.minimise(
        lambda p, target: (energy(p) - target) ** 2, STARTS[0], adam(0.1), 10,
        batches=torch.linspace(-1, 0, 10, dtype=torch.float64),
    )  # fmt: skip
    assert torch.equal(found.losses, expected.losses)
    assert torch.equal(found.params, expected.params)


def test_training_that_stops_early_stays_stopped(tmp_path):
    found = [
        sharded.minimise_in_stages(
            energy, STARTS[0], adam(0.0), 10, directory=tmp_path, every=4, tolerance=0.1, patience=2
        )
        for _ in range(2)
    ]
    assert len(found[0].losses) < 10
    assert torch.equal(found[0].losses, found[1].losses)


def test_training_of_another_form_is_refused(tmp_path):
    training(tmp_path, "adam", 3)
    with pytest.raises(ValueError, match="`directory` must hold checkpoints of parameters and an"):
        training(tmp_path, "lbfgs", 3)


def sharded_energy(p):
    circuit = qf.circuit(3, qf.ry(p, range(3)), qf.cx(PAIRS))
    state = sharded.run_sharded(circuit, mesh=sharded.mesh("cpu"))
    sign = 1.0 - 2 * dist.get_rank()
    own = sign * (state.local.abs() ** 2 * torch.tensor([1.0, 2, 3, 4])).sum()
    return qf._collectives.summed(state.layout.ranks, own)


def train_sharded(folder, dies_at=None):
    def callback(step, params, value):
        if step == dies_at and dist.get_rank() == 1:
            os._exit(3)

    mesh = sharded.mesh("cpu")
    found = sharded.minimise_in_stages(
        sharded_energy, STARTS[0], adam(0.1), 6, directory=folder, every=2, mesh=mesh,
        callback=callback,
    )  # fmt: skip
    return found.losses


def test_training_on_sharded_states_goes_on_after_a_death(pool, tmp_path):
    expected = pool(2).run(train_sharded, tmp_path / "whole")
    assert torch.equal(*expected)
    with pytest.raises(RankError, match="died"):
        pool(2).run(train_sharded, tmp_path / "cut", 3)
    found = pool(2).run(train_sharded, tmp_path / "cut")
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[1], expected[0])


# --- programs ---

KILLED_ONCE = """
import os, signal, sys
sys.path.insert(0, {programs!r})
import resumable_run
from quilt_func.sharded import checkpoints, stages

def save_and_die(*args, **kwargs):
    checkpoints.save_state(*args, **kwargs)
    print("saved", len(kwargs["done"]), flush=True)
    if os.environ["TORCHELASTIC_RESTART_COUNT"] == "0" and os.environ["RANK"] == "1":
        os.kill(os.getpid(), signal.SIGKILL)

stages.save_state = save_and_die
resumable_run.main({folder!r}, "cpu", seconds=0.0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="kills a process")
def test_torchrun_starts_a_killed_run_again_and_it_goes_on(tmp_path):
    script = tmp_path / "killed_once.py"
    folder = str(tmp_path / "checkpoints")
    script.write_text(KILLED_ONCE.format(programs=str(PROGRAMS), folder=folder))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    run = subprocess.run(
        [*torchrun, "--nproc-per-node=2", "--max-restarts=1", "--monitor-interval=0.1", script],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    state = program("resumable_run").far_apart()()
    assert f"probability of zeros: {state[0].abs() ** 2:.6f}" in run.stdout
    saved = [line for line in run.stdout.splitlines() if line.startswith("saved")]
    assert saved.count(saved[0]) <= 2, "what was saved is not done again: once by each rank"
