"""What tests let ranks do: functions that new processes can import."""

import os
import signal
import time
from pathlib import Path

import torch
import torch.distributed as dist

from quilt_func import sharded


def number():
    ranks = sharded.ranks_of(sharded.mesh("cpu"))
    return ranks.rank, ranks.n, torch.get_num_threads()


def total(x):
    x = x.clone()
    dist.all_reduce(x)
    return x


def note_pid(folder):
    """Tell who takes part, once all do."""
    (Path(folder) / f"{dist.get_rank()}").write_text(f"{os.getpid()}")
    dist.barrier()


def fail_on_one(folder):
    note_pid(folder)
    if dist.get_rank() == 1:
        raise ValueError("planted")
    dist.all_reduce(torch.ones(1))


def end_on_one(folder, how):
    """Rank 1 ends within a run of collectives, in which the others wait for it."""
    note_pid(folder)
    for step in range(10**6):
        if dist.get_rank() == 1 and step == 20:
            os.kill(os.getpid(), how) if how else os._exit(3)
        dist.all_reduce(torch.ones(1000))


def branch_on_one():
    """A branch on a rank's number, where all ranks must do the same."""
    if dist.get_rank() == 0:
        dist.all_reduce(torch.ones(1))
    else:
        time.sleep(60)


def spawn_for_ever(folder, start):
    sharded.spawn(2, end_on_one, folder, signal.SIGCONT, start=start)


def pids(folder):
    return [int(path.read_text()) for path in Path(folder).iterdir() if path.read_text()]


def is_running(pid):
    """Whether a process runs, which one that waits for its parent's notice does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
