"""States that are split over the processes of `torch.distributed`."""

from quilt_func._collectives import Ranks
from quilt_func.sharded.layouts import Layout, ShardedState
from quilt_func.sharded.processes import mesh, ranks_of
from quilt_func.sharded.running import run_sharded
from quilt_func.sharded.spawning import RankError, spawn

__all__ = [
    "Layout", "RankError", "Ranks", "ShardedState", "mesh", "ranks_of", "run_sharded", "spawn",
]  # fmt: skip
