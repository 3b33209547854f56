"""States that are split over the processes of `torch.distributed`."""

from quilt_func._collectives import Ranks
from quilt_func.sharded.explaining import ShardedPlan, StageCost, plan_sharded
from quilt_func.sharded.explaining import explain_sharded as explain_sharded
from quilt_func.sharded.layouts import Layout, ShardedState
from quilt_func.sharded.running import run_sharded

__all__ = [
    "Layout",
    "Ranks",
    "ShardedPlan",
    "ShardedState",
    "StageCost",
    "plan_sharded",
    "run_sharded",
]
