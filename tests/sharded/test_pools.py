"""The pools that other tests run on: their ranks answer, fail and die as they should."""

import os
import signal
import time

import pytest
import torch
import torch.distributed as dist
from rank_pools import RankError


def total(x):
    x = x.clone()
    dist.all_reduce(x)
    return dist.get_rank(), x


def fail_on_one():
    if dist.get_rank() == 1:
        raise ValueError("planted")
    dist.barrier()


def die_on_one():
    if dist.get_rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    dist.barrier()


@pytest.mark.parametrize("n", [1, 2, 4, 8])
def test_answers_come_in_the_order_of_ranks(pool, n):
    for k in range(3):
        answers = pool(n).run(total, torch.full((2,), 1j + k))
        assert [rank for rank, _ in answers] == list(range(n))
        assert all(torch.equal(x, n * torch.full((2,), 1j + k)) for _, x in answers)


def test_each_rank_may_have_its_own_arguments(pool):
    answers = pool(2).each(total, [(torch.ones(1),), (2 * torch.ones(1),)])
    assert [x.item() for _, x in answers] == [3, 3]


@pytest.mark.parametrize(("fn", "text"), [(fail_on_one, "planted"), (die_on_one, "died")])
def test_an_error_comes_back_at_once_and_the_pool_starts_anew(pool, fn, text):
    pids, begun = pool(2).pids(), time.monotonic()
    with pytest.raises(RankError, match=text):
        pool(2).run(fn)
    assert time.monotonic() - begun < 10
    assert not set(pids) & set(pool(2).pids())
    assert [rank for rank, _ in pool(2).run(total, torch.ones(1))] == [0, 1]


def test_a_rank_that_takes_too_long_is_ended(pool):
    with pytest.raises(RankError, match="no answer in time"):
        pool(1).run(time.sleep, 60, timeout=0.2)
