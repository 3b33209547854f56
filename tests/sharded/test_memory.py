"""What a rank holds: its share of a few states, and one more for words that flip sharded wires."""

import pytest
from on_ranks import Path, peak

N = 20
STATE = 8 * 2**N
"""Bytes of the whole state, in complex64."""
CHAIN = {"I" * i + "ZZ" + "I" * (N - 2 - i): -1.0 for i in range(N - 1)}
FIELD = {"I" * i + "X" + "I" * (N - 1 - i): -1.0 for i in range(N)}

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")


@pytest.mark.parametrize(("words", "n_more"), [(CHAIN, 0), (CHAIN | FIELD, 1)])
def test_a_gradient_takes_a_share_of_memory(pool, words, n_more):
    """Beside it: what is on its way, and what is sent for X on the wires of the rank's number."""
    whole = pool(1).run(peak, "whole", N, words)[0]
    for n_ranks in (2, 4):
        shard = STATE / n_ranks
        for part in pool(n_ranks).run(peak, "split", N, words):
            assert 2 * shard <= part <= whole / n_ranks + (n_more + 1.25) * shard
            assert n_ranks > 2 or part <= 0.6 * whole
