"""`spawn`: a function and a number of ranks in; what it returns on each of them out."""

import multiprocessing
import pickle
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch

from quilt_func._checks import check_count, check_function, check_number, describe, message
from quilt_func.sharded.serving import Call, serve

Start = Literal["spawn", "forkserver", "fork"]

_GRACE = 1.0
"""Seconds in which other ranks may tell why one has failed: it may miss one that died."""
_STARTS = ("spawn", "forkserver", "fork")
_RESUME = "A run that keeps checkpoints goes on from the last when it is started again."
_FORK = (
    'Write it in a file that can be imported, or give `start="fork"`, which needs Linux, and a '
    "program that has not used a GPU."
)


class RankError(RuntimeError):
    """A function raised on a rank, or the rank's process died; the others were ended.

    Attributes:
        rank: Number of the rank.

    Examples:
        >>> from quilt_func.sharded import RankError, spawn
        >>> try:
        ...     spawn(2, int, "x", start="fork")
        ... except RankError as error:
        ...     print(str(error).splitlines()[0])
        spawn(fn=<class 'int'>): rank ... raised ValueError: invalid literal for int() ...
    """

    def __init__(self, text: str, rank: int = -1) -> None:
        super().__init__(text)
        self.rank = rank


class _Rank(NamedTuple):
    """A process, and what it sends its answer by."""

    process: BaseProcess
    pipe: connection.Connection


def spawn(
    n: int,
    fn: Callable[..., Any],
    *args: Any,
    timeout: float = 600.0,
    start: Start = "spawn",
    threads: int = 1,
) -> list[Any]:
    """Run a function on `n` ranks, which are processes of this machine, and list what it returns.

    Each process joins a group, so that `mesh()` and all of `torch.distributed` are ready within
    the function, and leaves it in the end. Processes end with this one, however it ends; if one
    fails, the others are ended at once.

    Args:
        n: How many; a state can be split over a power of two.
        fn: The function. New processes import it by its name, so that it must be in a module, and
            a script's own start must be under `if __name__ == "__main__":`.
        *args: Arguments, the same for all ranks. What they hold is copied by pickle.
        timeout: Seconds after which a call that waits for another rank raises.
        start: "spawn" starts new processes, which takes as long as `import torch`. "forkserver"
            forks them from one that has torch imported, so that all calls but the first start at
            once. "fork" forks this one: functions need no name, and may be of a notebook's cell,
            but it needs Linux, one thread, and a process that has not used a GPU.
        threads: Threads of torch in each process.

    Returns:
        What the function returned, rank by rank, copied by pickle: tensors without their graph.

    Raises:
        RankError: If the function raises on a rank, with its traceback, or if a process dies.
        TypeError: If an argument is of another kind, or can't be pickled.
        ValueError: If a number is out of range, or a way to start is not known or not possible.

    Transforms:
        None: use them in the function.

    Examples:
        >>> import torch
        >>> from torch import distributed
        >>> from quilt_func.sharded import spawn
        >>> def total(x):
        ...     distributed.all_reduce(x)
        ...     return x
        >>> spawn(2, total, torch.ones(3), start="fork")
        [tensor([2., 2., 2.]), tensor([2., 2., 2.])]
    """
    check_count("spawn", "n", n, 1)
    check_function("spawn", "fn", fn)
    check_number("spawn", "timeout", timeout, low=1e-3)
    check_count("spawn", "threads", threads, 1)
    _check_start(start, threads)
    work = (fn, args) if start == "fork" else _pickled(fn, args)
    with tempfile.TemporaryDirectory(prefix="ranks-") as folder:
        call = Call(work, n, str(Path(folder) / "store"), timeout, threads)
        with _started(start, call) as ranks:
            return _answers(fn, ranks)


def _check_start(start: object, threads: int) -> None:
    ways = [way for way in _STARTS if way in multiprocessing.get_all_start_methods()]
    remedy = f"Choose from {ways}."
    if start not in ways:
        need = "be a way to start processes"
        raise ValueError(message("spawn", "start", start, need, describe(start), remedy))
    if start == "fork" and torch.cuda.is_initialized():
        need, got = "be another once a GPU is in use", "'fork'"
        raise ValueError(message("spawn", "start", start, need, got, 'Write `start="spawn"`.'))
    if start == "fork" and threads > 1:  # those of this process don't survive a fork
        need, remedy = "be 1 after a fork", 'Leave it at 1, or write `start="spawn"`.'
        raise ValueError(message("spawn", "threads", threads, need, f"{threads}", remedy))


def _pickled(fn: Callable[..., Any], args: tuple[Any, ...]) -> bytes:
    """A call as bytes; the tensors in it by value, so that the processes share no memory."""
    need = "be a function that new processes can import"
    if getattr(fn, "__module__", None) == "__main__" and not _is_file():
        got = "one of a notebook or a prompt"
        raise TypeError(message("spawn", "fn", fn, need, got, _FORK))
    try:
        pickle.dumps(fn)
    except Exception as error:  # of many kinds
        got = f"one that can't be pickled ({error})"
        raise TypeError(message("spawn", "fn", fn, need, got, _FORK)) from None
    try:
        return pickle.dumps((fn, args))
    except Exception as error:  # of many kinds
        need, got = "be of kinds that can be pickled", f"an error ({error})"
        remedy = "Give tensors, and make the rest of them in `fn`."
        raise TypeError(message("spawn", "args", args, need, got, remedy)) from None


def _is_file() -> bool:
    """Whether the program is a file, which new processes can read."""
    return Path(getattr(sys.modules["__main__"], "__file__", None) or "").is_file()


@contextmanager
def _started(start: Start, call: Call) -> Iterator[list[_Rank]]:
    """Processes at work, none of which is left in the end."""
    ranks: list[_Rank] = []
    try:
        for rank in range(call.n):
            ranks.append(_start(start, call, rank))
        yield ranks
        for each in ranks:
            each.pipe.send_bytes(b"")  # all have answered: they may part
        for each in ranks:
            each.process.join(_GRACE * 10)
    finally:
        for each in ranks:
            each.process.kill()
        for each in ranks:
            each.process.join()
            each.pipe.close()


def _start(start: Start, call: Call, rank: int) -> _Rank:
    context: Any = multiprocessing.get_context(start)
    if start == "forkserver":
        context.set_forkserver_preload(["torch", "torch.distributed", "quilt_func"])
    ours, theirs = context.Pipe()  # made one by one: a forked process has all that are open
    process = context.Process(target=serve, args=(theirs, rank, call), name=f"rank {rank}")
    with warnings.catch_warnings():  # of a fork beside threads, which the user has chosen
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    theirs.close()
    return _Rank(process, ours)


def _answers(fn: Callable[..., Any], ranks: list[_Rank]) -> list[Any]:
    """What each rank returned, or the first error, or rather the first death."""
    waiting: dict[Any, int] = {each.pipe: rank for rank, each in enumerate(ranks)}
    answers: dict[int, Any] = {}
    errors: list[tuple[bool, RankError]] = []
    deadline = None
    while waiting:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        ready = connection.wait(list(waiting), left)
        if not ready:
            break
        for pipe in ready:
            rank = waiting.pop(pipe)
            answers[rank], error = _answer(fn, rank, ranks[rank])
            errors += [error] if error else []
        if errors and deadline is None:
            deadline = time.monotonic() + _GRACE
        if any(is_death for is_death, _ in errors):
            break
    if errors:
        raise max(errors, key=lambda error: error[0])[1]
    return [answers[rank] for rank in range(len(ranks))]


def _answer(
    fn: Callable[..., Any], rank: int, of: _Rank
) -> tuple[Any, tuple[bool, RankError] | None]:
    """What a rank returned, or its error and whether it died."""
    where = f"spawn(fn={describe(fn)}): rank {rank}"
    try:
        value, text, cause = pickle.loads(of.pipe.recv_bytes())
    except (EOFError, ConnectionError):
        of.process.join()
        how = _death(of.process.exitcode)
        return None, (
            True,
            RankError(f"{where} died ({how}). The others were ended.{_hint(how)}", rank),
        )
    if not text:
        return value, None
    error = RankError(f"{where} raised {text}", rank)
    error.__cause__ = cause
    return None, (False, error)


def _death(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    return f"signal {-code}, {signal.Signals(-code).name}"


def _hint(how: str) -> str:
    if how == "exit code 1":
        guard = ' A script starts processes under `if __name__ == "__main__":` only.'
        return f"{guard} {_RESUME}"
    killed = " The system kills so where memory runs out." if "SIGKILL" in how else ""
    return f"{killed} {_RESUME}"
