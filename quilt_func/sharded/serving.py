"""What a process does that `spawn` starts: it joins a group, calls a function, and answers."""

import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from datetime import timedelta
from multiprocessing import connection
from typing import Any, NamedTuple

import torch
from torch import distributed

from quilt_func._checks import a_kind, message
from quilt_func.sharded.processes import backend, leave


class Call(NamedTuple):
    """What a process is to do: a function and arguments, pickled unless it has them from a fork."""

    work: Any
    n: int
    store: str
    timeout: float
    threads: int


def serve(pipe: connection.Connection, rank: int, call: Call) -> None:
    """Join, call the function, answer, and leave when all have answered."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started us answers for it
    torch.set_num_threads(call.threads)
    pipe.send_bytes(_outcome(rank, call))
    pipe.recv_bytes()
    leave()


def _end_with_parent() -> None:
    """End with the process that started this one, even if that was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _outcome(rank: int, call: Call) -> bytes:
    """What the function returned, or the text of its error and the error itself, as bytes."""
    try:
        distributed.init_process_group(
            backend(),
            f"file://{call.store}",
            rank=rank,
            world_size=call.n,
            timeout=timedelta(seconds=call.timeout),
        )
        fn, args = pickle.loads(call.work) if isinstance(call.work, bytes) else call.work
        return _as_bytes(fn, fn(*args))
    except Exception as error:  # of whatever kind: the process that started us raises it
        text = f"{type(error).__name__}: {error}\n\n{traceback.format_exc()}"
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:  # not every error can be pickled
            return pickle.dumps((None, text, None))
        return pickle.dumps((None, text, error))


def _as_bytes(fn: Any, value: Any) -> bytes:
    try:
        return pickle.dumps((value, None, None))
    except Exception as error:  # of many kinds
        need, got = "return what can be pickled", f"{a_kind(value)} ({error})"
        remedy = "Return tensors or numbers, such as `state.local`."
        raise TypeError(message("spawn", "fn", fn, need, got, remedy)) from None
