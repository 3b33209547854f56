"""Ranks that stay: processes with a gloo group that run one function after another.

Starting processes costs seconds, in which a pool runs hundreds of examples of a law. A server
imports torch once, and each rank is forked from it.
"""

import importlib.util
import multiprocessing
import os
import pickle
import shutil
import sys
import tempfile
import threading
import time
import traceback
from datetime import timedelta
from functools import cache
from multiprocessing import connection
from pathlib import Path

import torch
import torch.distributed as dist

PRELOADED = ["pytest", "torch", "torch.distributed.checkpoint", "quilt_func.testing"]
"""What test modules import, which the ranks have from the server that they are forked from."""

GRACE = 1.0
"""Seconds in which the other ranks may answer after one has failed."""


class RankError(Exception):
    """A function raised on a rank, or its process died; the message has the traceback."""

    def __init__(self, rank, text, cause=None, died=False):
        super().__init__(f"rank {rank}: {text}")
        self.rank, self.cause, self.died = rank, cause, died


class Pool:
    """`n` processes in a gloo group, with one thread each, that run functions of test modules.

    After an error, or when it took too long, they are ended and started anew at the next run: a
    group in which one rank has sent less than the others is of no more use.
    """

    def __init__(self, n):
        self.n = n
        self.processes, self.pipes, self.folder = (), (), None

    def run(self, fn, *args, timeout=60.0):
        """What `fn(*args)` returns on each rank; `fn` is a function of a module, not a local one.

        The first error of a rank is raised as `RankError`.
        """
        self._start()
        path = getattr(sys.modules[fn.__module__], "__file__", None)
        job = path, fn.__module__, pickle.dumps((fn, args))
        try:
            for pipe in self.pipes:
                pipe.send_bytes(pickle.dumps(job))
            return self._answers(time.monotonic() + timeout)
        except BaseException:
            self.close()
            raise

    def each(self, fn, arguments, timeout=60.0):
        """As `run`, with arguments for each rank of its own."""
        return self.run(_own, fn, tuple(arguments), timeout=timeout)

    def pids(self):
        """The processes' ids."""
        self._start()
        return [process.pid for process in self.processes]

    def close(self):
        """End the processes."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.join()
        for pipe in self.pipes:
            pipe.close()
        if self.folder:
            shutil.rmtree(self.folder)
        self.processes, self.pipes, self.folder = (), (), None

    def _start(self):
        if self.processes:
            return
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        self.folder = tempfile.mkdtemp(prefix="ranks-")
        store = str(Path(self.folder) / "store")
        pairs = [context.Pipe() for _ in range(self.n)]
        self.pipes = tuple(ours for ours, _ in pairs)
        self.processes = tuple(
            context.Process(target=_serve, args=(theirs, rank, self.n, store), daemon=True)
            for rank, (_, theirs) in enumerate(pairs)
        )
        for process, (_, theirs) in zip(self.processes, pairs, strict=True):
            process.start()
            theirs.close()

    def _answers(self, deadline):
        waiting, answers, errors = dict(zip(self.pipes, range(self.n), strict=True)), {}, []
        while waiting:
            ready = connection.wait(list(waiting), max(0.0, deadline - time.monotonic()))
            if not ready and not errors:
                slow = sorted(waiting.values())
                raise RankError(slow[0], f"no answer in time from ranks {slow}")
            if not ready:
                break
            for pipe in ready:
                rank = waiting.pop(pipe)
                answers[rank], error = self._answer(pipe, rank)
                if error:
                    errors.append(error)
                    deadline = min(deadline, time.monotonic() + GRACE)
        if errors:  # others may fail for want of one that died
            raise max(errors, key=lambda error: error.died)
        return [answers[rank] for rank in range(self.n)]

    def _answer(self, pipe, rank):
        try:
            value, text, cause = pickle.loads(pipe.recv_bytes())
        except (EOFError, ConnectionError):
            process = self.processes[rank]
            process.join()
            return None, RankError(rank, f"died (exit code {process.exitcode})", died=True)
        return value, RankError(rank, text, cause) if text else None


@cache
def pool(n):
    """The pool of `n` ranks, the same for all tests of this process."""
    return Pool(n)


def close_all():
    """End the ranks of all pools."""
    for each in (pool(n) for n in (1, 2, 4, 8)):
        each.close()


def _own(fn, arguments):
    return fn(*arguments[dist.get_rank()])


def _serve(pipe, rank, n, store):
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    limit = timedelta(seconds=120)
    dist.init_process_group(
        "gloo", store=dist.FileStore(store, n), rank=rank, world_size=n, timeout=limit
    )
    while True:
        pipe.send_bytes(_outcome(pipe.recv_bytes()))


def _end_with_parent():
    multiprocessing.parent_process().join()
    os._exit(1)


def _outcome(job):
    """What the function returned, or the text of its error and the error itself."""
    try:
        path, name, call = pickle.loads(job)
        _module(path, name)
        fn, args = pickle.loads(call)
        return pickle.dumps((fn(*args), None, None))
    except Exception as error:  # of whatever kind: the test's process raises it
        text = traceback.format_exc()
        try:
            return pickle.dumps((None, text, error))
        except Exception:  # not every error can be pickled
            return pickle.dumps((None, text, None))


def _module(path, name):
    """Load a test's module from its file: pytest names it without a place on the import path."""
    if path is None or name in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(name, path)
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
