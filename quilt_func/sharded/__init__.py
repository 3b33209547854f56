"""States that are split over the processes of `torch.distributed`."""

from quilt_func._collectives import Ranks
from quilt_func.sharded.layouts import Layout, ShardedState

__all__ = ["Layout", "Ranks", "ShardedState"]
