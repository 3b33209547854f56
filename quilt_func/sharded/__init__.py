"""States that are split over the processes of `torch.distributed`."""

from quilt_func._collectives import Ranks
from quilt_func.sharded.explaining import ShardedPlan, StageCost, explain_sharded, plan_sharded
from quilt_func.sharded.layouts import Layout, ShardedState
from quilt_func.sharded.running import run_sharded

__all__ = [
    "Layout",
    "Ranks",
    "ShardedPlan",
    "ShardedState",
    "StageCost",
    "explain_sharded",
    "plan_sharded",
    "run_sharded",
]
