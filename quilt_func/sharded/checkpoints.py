"""Sharded states in files: each rank writes its own amplitudes, and any number of ranks reads them.

A checkpoint is a numbered folder. It is written under another name and then renamed, so that what
has a number is whole; the ones before are removed only then.
"""

import os
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh

from quilt_func._checks import a_kind, describe, is_hidden, kind_error, message, qubits
from quilt_func._collectives import Ranks
from quilt_func.sharded.agreeing import by_first
from quilt_func.sharded.checkpoint_folders import begin, finish, last_facts, part_of
from quilt_func.sharded.checkpoint_tensors import read_tensors, write_tensors
from quilt_func.sharded.layouts import Layout, ShardedState, check_sharded
from quilt_func.sharded.processes import ranks_of

PathLike = str | os.PathLike[str]


def save_state(state: ShardedState, directory: PathLike, **more: Any) -> None:
    """Write a sharded state to a directory, in place of the one that was there.

    Every rank calls it; each writes its own amplitudes. Whatever ends a rank meanwhile, the state
    before is there until the new one is whole.

    Args:
        state: The state.
        directory: Name of a directory that all ranks see; it is made if need be.
        **more: What belongs to the state and is the same on all ranks: tensors, numbers, strings,
            None, and lists and dicts of all but tensors.

    Returns:
        Nothing.

    Raises:
        TypeError: If `state` is no sharded state, is hidden behind a transform, or one of `more` is
            of another kind.
        OSError: If files can't be written.

    Transforms:
        None: a file has no derivative.

    Examples:
        >>> import tempfile
        >>> from quilt_func import circuit, h
        >>> from quilt_func.sharded import load_state, mesh, run_sharded, save_state, spawn
        >>> def there_and_back(folder):
        ...     state = run_sharded(circuit(2, h([0, 1])), mesh=mesh("cpu"))
        ...     save_state(state, folder, step=3)
        ...     state, more = load_state(folder, mesh("cpu"))
        ...     return state.local.real, more
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     print(spawn(2, there_and_back, folder, start="fork")[0])
        (tensor([0.5000, 0.5000]), {'step': 3})
    """
    check_sharded("save_state", state)
    ranks = state.layout.ranks
    tensors = {name: value for name, value in more.items() if isinstance(value, Tensor)}
    _check_values(state, more)
    folder = checked_path("save_state", directory)
    facts = {
        "order": state.layout.order,
        "complex": [name for name, value in tensors.items() if value.is_complex()],
        "more": {name: value for name, value in more.items() if name not in tensors},
    }
    number = by_first(ranks, partial(begin, folder))
    write_tensors(part_of(folder, number), state.local, tensors, ranks)
    by_first(ranks, partial(finish, folder, number, facts))


def load_state(directory: PathLike, mesh: DeviceMesh) -> tuple[ShardedState, dict[str, Any]]:
    """Read the sharded state that `save_state` wrote, on as many ranks as there are now.

    Read only files that you trust: they are torch's, which may name functions to call.

    Args:
        directory: Name of the directory.
        mesh: The ranks that shall share the state, from `mesh()`.

    Returns:
        The state, with its wires where they were, and what was saved as `more`.

    Raises:
        FileNotFoundError: If the directory has no whole checkpoint.
        TypeError: If an argument is of another kind.
        ValueError: If the files are of another kind or of a newer version, or there are too many
            ranks for the state.

    Transforms:
        None: a file has no derivative.

    Examples:
        >>> import tempfile
        >>> from quilt_func import circuit, x
        >>> from quilt_func.sharded import load_state, mesh, run_sharded, save_state, spawn
        >>> def save(folder):
        ...     save_state(run_sharded(circuit(2, x(0)), mesh=mesh("cpu")), folder)
        >>> def load(folder):
        ...     return load_state(folder, mesh("cpu"))[0].local.real
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = spawn(2, save, folder, start="fork")
        ...     spawn(1, load, folder, start="fork")
        [tensor([0., 0., 1., 0.])]
    """
    ranks = ranks_of(mesh, "load_state")
    folder = checked_path("load_state", directory)
    return last_state("load_state", folder, ranks, mesh.device_type)


def last_state(
    function: str, folder: Path, ranks: Ranks, device: str
) -> tuple[ShardedState, dict[str, Any]]:
    """What `load_state` returns.

    Args:
        function: Name of the caller, for errors.
        folder: The directory.
        ranks: The processes that shall share the state.
        device: Kind of device of its amplitudes.
    """
    number, facts = by_first(ranks, partial(last_facts, function, folder))
    order = tuple(facts["order"])
    if ranks.n_bits >= len(order):
        need = f"be of fewer than {2 ** len(order)} ranks for {qubits(len(order))}"
        remedy = "Start fewer processes."
        raise ValueError(message(function, "mesh", ranks.n, need, f"{ranks.n}", remedy))
    real, others = read_tensors(folder / str(number), ranks, device)
    others |= {name: torch.view_as_complex(others[name]) for name in facts["complex"]}
    return ShardedState(torch.view_as_complex(real), Layout(order, ranks)), others | facts["more"]


def checked_path(function: str, directory: Any) -> Path:
    """A directory, if it is the name of one."""
    if not isinstance(directory, (str, os.PathLike)):
        remedy = 'Write "checkpoints".'
        raise kind_error(function, "directory", directory, "be the name of a directory", remedy)
    return Path(directory)


def _check_values(state: ShardedState, more: dict[str, Any]) -> None:
    if is_hidden(state.local):
        need, got = "have amplitudes that can be read", describe(state.local)
        remedy = "Save it outside of `torch.func` transforms."
        raise TypeError(message("save_state", "state", state, need, got, remedy))
    for name, value in more.items():
        is_tensor = isinstance(value, Tensor) and not is_hidden(value)
        if not is_tensor and not _is_plain(value):
            need = "be a tensor that can be read, or of numbers, strings, None, lists and dicts"
            remedy = "Give each tensor a name of its own."
            raise TypeError(message("save_state", name, value, need, a_kind(value), remedy))


def _is_plain(value: Any) -> bool:
    """Whether a value is the same after it was JSON."""
    if type(value) is list:
        return all(map(_is_plain, value))
    if type(value) is dict:
        return all(type(key) is str and _is_plain(one) for key, one in value.items())
    return value is None or type(value) in (bool, int, float, str)
