"""Meshes, ranks and `spawn`: processes start, answer, fail and end as they should."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import rank_functions
import torch
import torch.distributed as dist
from rank_functions import is_running, pids
from torch.distributed.device_mesh import init_device_mesh

from quilt_func import sharded
from quilt_func.sharded import RankError, spawn

HERE = Path(__file__).parent
linux = pytest.mark.skipif(sys.platform != "linux", reason="forks, and reads /proc")
gpus = pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")


def quickly(seconds=20.0):
    """Time for processes to start and end, none for one to wait for another in vain."""
    return time.monotonic() + seconds


@pytest.mark.parametrize("start", ["spawn", "forkserver", pytest.param("fork", marks=linux)])
def test_answers_come_rank_by_rank(start):
    threads = 1 if start == "fork" else 2
    answers = spawn(2, rank_functions.number, start=start, threads=threads)
    assert answers == [(0, 2, threads), (1, 2, threads)]


@linux
@pytest.mark.parametrize("n", [1, 2, 4])
def test_tensors_go_there_and_come_back(n):
    x = torch.randn(3, dtype=torch.complex128)
    answers = spawn(n, rank_functions.total, x, start="fork")
    assert all(torch.equal(found, sum([x] * n)) for found in answers)
    assert not x.is_shared()


@linux
def test_large_answers_do_not_wait_for_one_another():
    answers = spawn(2, lambda: torch.ones(2**20) * dist.get_rank(), start="fork")
    assert [found[-1].item() for found in answers] == [0, 1]


@linux
def test_an_error_names_its_rank_and_ends_the_others(tmp_path):
    limit = quickly()
    with pytest.raises(RankError, match="rank 1 raised ValueError: planted") as caught:
        spawn(2, rank_functions.fail_on_one, tmp_path, start="fork")
    assert time.monotonic() < limit
    assert caught.value.rank == 1
    assert isinstance(caught.value.__cause__, ValueError)
    assert 'raise ValueError("planted")' in str(caught.value), "the traceback"
    assert len(pids(tmp_path)) == 2
    assert not any(map(is_running, pids(tmp_path)))


@linux
@pytest.mark.parametrize(
    ("n", "how", "text"),
    [
        (2, signal.SIGKILL, "signal 9, SIGKILL"),
        (4, signal.SIGKILL, "signal 9, SIGKILL"),
        (2, signal.SIGTERM, "signal 15, SIGTERM"),
        (2, 0, "exit code 3"),
    ],
)
def test_a_rank_that_dies_within_a_collective_ends_the_run(tmp_path, n, how, text):
    limit = quickly()
    with pytest.raises(RankError, match=rf"rank 1 died \({text}") as caught:
        spawn(n, rank_functions.end_on_one, tmp_path, how, start="fork")
    assert time.monotonic() < limit
    assert "goes on from the last when it is started again" in str(caught.value)
    assert len(pids(tmp_path)) == n
    assert not any(map(is_running, pids(tmp_path)))


@linux
def test_a_rank_that_others_wait_for_in_vain_is_an_error():
    limit = quickly()
    with pytest.raises(RankError, match=r"rank 0 raised .*[Tt]im"):
        spawn(2, rank_functions.branch_on_one, start="fork", timeout=1.0)
    assert time.monotonic() < limit


@linux
def test_ranks_end_when_the_process_that_started_them_is_killed(tmp_path):
    code = f"import rank_functions as f; f.spawn_for_ever({str(tmp_path)!r}, 'fork')"
    path = os.pathsep.join([str(HERE), str(HERE.parents[1])])
    parent = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path})
    limit = quickly(60)
    while len(pids(tmp_path)) < 2:
        assert time.monotonic() < limit
        time.sleep(0.05)
    assert all(map(is_running, pids(tmp_path)))
    parent.kill()
    parent.wait()
    limit = quickly()
    while any(map(is_running, pids(tmp_path))):
        assert time.monotonic() < limit
        time.sleep(0.05)


NOTEBOOK = """
import torch
from torch import distributed
from quilt_func import sharded
w = torch.randn(300, 300, requires_grad=True)
(w @ w).sum().backward()  # on several threads
def slope(x):
    x = x.clone().requires_grad_()
    (x @ x).sum().backward()
    distributed.all_reduce(x.grad)
    return x.grad
try:
    sharded.spawn(2, slope, w.detach())
except TypeError as error:
    print(error)
found = sharded.spawn(2, slope, w.detach(), start="fork")
print(all(torch.allclose(each, 2 * w.grad) for each in found))
"""


@linux
def test_functions_of_a_notebook_are_forked():
    """After gradients on several threads of the process that forks."""
    env = {**os.environ, "OMP_NUM_THREADS": "2", "PYTHONPATH": str(HERE.parents[1])}
    run = subprocess.run(
        [sys.executable], input=NOTEBOOK, env=env, capture_output=True, text=True, timeout=60
    )
    refusal, verdict = run.stdout.splitlines()
    assert refusal.endswith(
        "must be a function that new processes can import, but got one of a notebook or a prompt. "
        'Write it in a file that can be imported, or give `start="fork"`, which needs Linux, and a '
        "program that has not used a GPU."
    )
    assert verdict == "True"


def refusal(fn):
    try:
        fn()
    except (TypeError, ValueError) as error:
        return str(error)
    return ""


def refusals_of_three():
    plane = init_device_mesh("cpu", (3, 1), mesh_dim_names=("data", "state"))
    calls = [
        lambda: sharded.mesh("cpu"),
        lambda: sharded.ranks_of(plane),
        lambda: sharded.ranks_of(plane["data"]),
    ]
    return [refusal(call) for call in calls], sharded.ranks_of(plane["state"]).n


@linux
def test_other_numbers_and_shapes_are_refused():
    (of_all, of_plane, of_row), n = spawn(3, refusals_of_three, start="fork")[0]
    assert "`device_type` must be of 2**r ranks, but got 3. Start as many, or give" in of_all
    assert '`mesh` must have 1 dimension, but got 2. Choose one: `mesh["state"]`.' in of_plane
    assert "`mesh` must be of 2**r ranks, but got 3." in of_row
    assert n == 1


def rows_of_a_plane():
    plane = init_device_mesh("cpu", (2, 2), mesh_dim_names=("data", "state"))
    ranks = sharded.ranks_of(plane["state"])
    x = torch.tensor(float(dist.get_rank()))
    dist.all_reduce(x, group=ranks.group)
    inside = plane["state"].mesh.tolist()
    return ranks.n, ranks.rank, inside, x.item()


@linux
def test_a_dimension_of_a_larger_mesh_is_ranks_of_its_own():
    answers = spawn(4, rows_of_a_plane, start="fork")
    assert answers == [(2, 0, [0, 1], 1), (2, 1, [0, 1], 1), (2, 0, [2, 3], 5), (2, 1, [2, 3], 5)]


def test_without_a_launcher_the_error_names_one(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(RuntimeError, match=r"`torchrun --nproc-per-node=4 program.py`, or .*spawn"):
        sharded.mesh("cpu")


def test_what_cannot_be_pickled_is_refused():
    with pytest.raises(TypeError, match=r"`fn` must be a function that new .* Write it in a"):
        spawn(1, lambda: 0)
    with pytest.raises(TypeError, match=r"`args` must be of kinds that can be pickled, but got an"):
        spawn(1, rank_functions.total, lambda: 0)


@linux
def test_answers_that_cannot_be_pickled_are_refused():
    with pytest.raises(RankError, match=r"rank 0 raised TypeError: .*: `fn` must return"):
        spawn(1, lambda: sharded.ranks_of(sharded.mesh("cpu")), start="fork")


def on_gpus():
    mesh = sharded.mesh("cuda")
    x = torch.full((2,), 1j, device="cuda")
    dist.all_reduce(x, group=sharded.ranks_of(mesh).group)
    return mesh.device_type, torch.cuda.current_device(), x.cpu()


@pytest.mark.cuda
@gpus
@pytest.mark.parametrize("start", ["spawn", "forkserver"])
def test_each_rank_has_a_gpu_of_its_own(start):
    for rank, (kind, device, x) in enumerate(spawn(2, on_gpus, start=start)):
        assert (kind, device) == ("cuda", rank)
        assert torch.equal(x, torch.full((2,), 2j))
