"""A mesh of all processes, and the ranks that a mesh is."""

import atexit
import os
import time
from datetime import timedelta
from typing import Any

import torch
from torch import distributed
from torch.distributed.device_mesh import DeviceMesh

from quilt_func._checks import check_is, check_number, kind_error, message
from quilt_func._collectives import Ranks

_START = (
    "Start the program by `torchrun --nproc-per-node=4 program.py`, or a function by "
    "`sharded.spawn(4, fn)`."
)
_LARGER = (
    "Start as many, or give a dimension of a larger mesh, "
    '`init_device_mesh("cpu", (3, 4), mesh_dim_names=("data", "state"))["state"]`.'
)

_LETTING_GO = 0.1
"""Seconds for gloo's threads to let go of tensors: Python must still run then, or all aborts."""


def mesh(device_type: str | None = None, *, timeout: float = 600.0) -> DeviceMesh:
    """A mesh of one dimension, named "state", that all processes form.

    If they are in no process group yet, they join one, as `torchrun` or another launcher tells
    them by the environment: gloo for tensors on CPUs, NCCL for those on GPUs. It is left when the
    program ends, if it has not been before.

    Args:
        device_type: "cpu" or "cuda"; default: "cuda" where there is one. Each process of a machine
            has a GPU of its own.
        timeout: Seconds after which a call that waits for another rank raises. It counts for a
            group that is joined here.

    Returns:
        The mesh.

    Raises:
        RuntimeError: If there is neither a process group nor a launcher's environment.
        ValueError: If the number of processes is no power of two, the machine has no such device,
            or `timeout` is out of range.
        TypeError: If an argument is of another kind.

    Transforms:
        None: it says where tensors are, and is the same for all of their values.

    Examples:
        >>> from quilt_func.sharded import mesh, spawn
        >>> def size():
        ...     return mesh("cpu").size()
        >>> spawn(2, size, start="fork")
        [2, 2]
    """
    kind = _device_type(device_type)
    check_number("mesh", "timeout", timeout, low=1e-3)
    if not distributed.is_initialized():
        _join(timedelta(seconds=timeout))
    size = distributed.get_world_size()
    if size & (size - 1):
        raise ValueError(
            message("mesh", "device_type", device_type, "be of 2**r ranks", f"{size}", _LARGER)
        )
    if kind == "cuda":
        _take_gpu(device_type)
    group: Any = distributed.group.WORLD
    return DeviceMesh.from_group(group, kind, mesh_dim_names=("state",))


def ranks_of(mesh: DeviceMesh, function: str = "ranks_of") -> Ranks:
    """The processes of a mesh, as those that share a state.

    Args:
        mesh: A mesh of one dimension, such as `mesh()`, or as the named dimension of a larger one,
            `larger["state"]`.
        function: Name of the caller, for errors.

    Returns:
        How many they are, which of them this one is, and their process group.

    Raises:
        TypeError: If it is no mesh.
        ValueError: If the mesh has several dimensions, its size is no power of two, or this
            process is not in it.

    Transforms:
        None: it says where tensors are, and is the same for all of their values.

    Examples:
        >>> from quilt_func.sharded import mesh, ranks_of, spawn
        >>> def number():
        ...     ranks = ranks_of(mesh("cpu"))
        ...     return ranks.n, ranks.rank
        >>> spawn(2, number, start="fork")
        [(2, 0), (2, 1)]
    """
    remedy = "Write `mesh=sharded.mesh()`."
    check_is(function, "mesh", mesh, DeviceMesh, "be a `DeviceMesh`", remedy)
    if mesh.ndim != 1:
        names = mesh.mesh_dim_names
        remedy = f'Choose one: `mesh["{names[-1]}"]`.' if names else "Name them, and choose one."
        got = f"{mesh.ndim}"
        raise ValueError(message(function, "mesh", mesh, "have 1 dimension", got, remedy))
    if mesh.size() & (mesh.size() - 1):
        got = f"{mesh.size()}"
        raise ValueError(message(function, "mesh", mesh, "be of 2**r ranks", got, _LARGER))
    if mesh.get_coordinate() is None:
        need, got = "hold this process", f"rank {distributed.get_rank()}, which is outside"
        remedy = "Call it on the processes of the mesh only."
        raise ValueError(message(function, "mesh", mesh, need, got, remedy))
    return Ranks(mesh.size(), mesh.get_local_rank(), mesh.get_group())


def backend() -> str:
    """What sends tensors: gloo those on CPUs, NCCL those on GPUs, if there are any."""
    return "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"


def _device_type(given: str | None) -> str:
    if given is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    if not isinstance(given, str):
        raise kind_error("mesh", "device_type", given, "be a string", 'Write "cpu" or "cuda".')
    need, remedy = "be 'cpu' or 'cuda'", "Leave it out for what there is."
    if given not in ("cpu", "cuda"):
        raise ValueError(message("mesh", "device_type", given, need, repr(given), remedy))
    if given == "cuda" and not torch.cuda.is_available():
        need, got = "be of this machine", "no CUDA device"
        raise ValueError(message("mesh", "device_type", given, need, got, remedy))
    return given


def _join(timeout: timedelta) -> None:
    """Join the process group that the environment tells of."""
    library: Any = distributed
    try:
        store, rank, size = next(library.rendezvous("env://", timeout=timeout))
    except ValueError as error:
        if "environment variable" not in str(error):
            raise
        raise RuntimeError(
            f"mesh(): this process must be one of several that were started together, but the "
            f"environment has no RANK or WORLD_SIZE. {_START}"
        ) from None
    # torchrun keeps the addresses of a try that failed for the next one
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    own = library.PrefixStore(f"attempt {attempt}", store)
    distributed.init_process_group(
        backend(), store=own, rank=rank, world_size=size, timeout=timeout
    )
    atexit.register(leave)


def leave() -> None:
    """Leave the process group, which must not outlive the program, if there is one."""
    if distributed.is_initialized():
        distributed.destroy_process_group()
        time.sleep(_LETTING_GO)


def _take_gpu(given: str | None) -> None:
    """Work on the GPU of this process's number on its machine, unless it has chosen another."""
    number = distributed.get_node_local_rank(distributed.get_rank())
    if torch.cuda.current_device() != 0:
        return
    if number >= torch.cuda.device_count():
        need, got = "have a GPU for each process", f"{torch.cuda.device_count()}"
        remedy = 'Start fewer processes, or write `mesh("cpu")`.'
        raise ValueError(message("mesh", "device_type", given, need, got, remedy))
    torch.cuda.set_device(number)
