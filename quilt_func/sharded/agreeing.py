"""What the first rank does or decides for all, who then go on alike."""

from collections.abc import Callable
from typing import Any

from torch import distributed

from quilt_func._collectives import Ranks


def by_first(ranks: Ranks, fn: Callable[[], Any]) -> Any:
    """Call a function on the first rank; its value, or its error, on every one.

    An error on one rank alone would leave the others waiting.

    Args:
        ranks: The processes.
        fn: Function that returns what can be pickled.

    Raises:
        Exception: What the function raised.
    """
    found: list[Any] = [None]
    if ranks.rank == 0:
        try:
            found = [(fn(), None)]
        except Exception as error:  # of whatever kind: each rank raises it
            found = [(None, error)]
    if ranks.n > 1:
        distributed.broadcast_object_list(found, group=ranks.group, group_src=0)
    value, failure = found[0]
    if failure is not None:
        raise failure
    return value
