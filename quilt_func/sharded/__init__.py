"""States that are split over the processes of `torch.distributed`."""

from quilt_func._collectives import Ranks
from quilt_func.sharded.checkpoints import load_state, save_state
from quilt_func.sharded.costs import mean_cost
from quilt_func.sharded.explaining import ShardedPlan, StageCost, plan_sharded
from quilt_func.sharded.explaining import explain_sharded as explain_sharded
from quilt_func.sharded.layouts import Layout, ShardedState
from quilt_func.sharded.measuring import marginal, norm, overlap, reduced_density
from quilt_func.sharded.mixed import ShardedDensity, density_marginal, run_sharded_density
from quilt_func.sharded.moving import gather, reordered, shard
from quilt_func.sharded.observing import density_expval, expval, variance
from quilt_func.sharded.processes import mesh, ranks_of
from quilt_func.sharded.running import run_sharded
from quilt_func.sharded.sampling import sample
from quilt_func.sharded.spawning import RankError, spawn
from quilt_func.sharded.stages import run_in_stages
from quilt_func.sharded.training import minimise_in_stages

__all__ = [
    "Layout",
    "RankError",
    "Ranks",
    "ShardedDensity",
    "ShardedPlan",
    "ShardedState",
    "StageCost",
    "density_expval",
    "density_marginal",
    "expval",
    "gather",
    "load_state",
    "marginal",
    "mean_cost",
    "mesh",
    "minimise_in_stages",
    "norm",
    "overlap",
    "plan_sharded",
    "ranks_of",
    "reduced_density",
    "reordered",
    "run_in_stages",
    "run_sharded",
    "run_sharded_density",
    "sample",
    "save_state",
    "shard",
    "spawn",
    "variance",
]
