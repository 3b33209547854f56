"""Pools of ranks, started once for all tests that run on them."""

import pytest
import rank_pools


@pytest.fixture(scope="session")
def pool():
    """`pool(n).run(fn, *args)`: what a function of the module returns on each of n ranks."""
    yield rank_pools.pool
    rank_pools.close_all()
