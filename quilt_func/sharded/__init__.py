"""States that are split over the processes of `torch.distributed`."""

from quilt_func._collectives import Ranks
from quilt_func.sharded.checkpoints import load_state, save_state
from quilt_func.sharded.explaining import ShardedPlan, StageCost, plan_sharded
from quilt_func.sharded.explaining import explain_sharded as explain_sharded
from quilt_func.sharded.layouts import Layout, ShardedState
from quilt_func.sharded.processes import mesh, ranks_of
from quilt_func.sharded.running import run_sharded
from quilt_func.sharded.spawning import RankError, spawn
from quilt_func.sharded.stages import run_in_stages
from quilt_func.sharded.training import minimise_in_stages

__all__ = [
    "Layout", "RankError", "Ranks", "ShardedPlan", "ShardedState", "StageCost", "load_state",
    "mesh", "minimise_in_stages", "plan_sharded", "ranks_of", "run_in_stages", "run_sharded",
    "save_state", "spawn",
]  # fmt: skip
