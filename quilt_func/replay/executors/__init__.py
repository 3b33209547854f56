"""What runs a draft: a room of one function each, the fastest that fits first."""

from quilt_func.replay.executors.choosing import Executor, choose

__all__ = ["Executor", "choose"]
