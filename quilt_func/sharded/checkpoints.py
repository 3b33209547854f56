"""Sharded states in files: each rank writes its own amplitudes, and any number of ranks reads them.

A checkpoint is a numbered folder. It is written under another name and then renamed, so that what
has a number is whole; the ones before are removed only then.

References:
    Distributed checkpoints: https://docs.pytorch.org/docs/stable/distributed.checkpoint.html.
"""

import json
import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh

from quilt_func._checks import a_kind, describe, is_hidden, kind_error, message, qubits
from quilt_func._collectives import Ranks
from quilt_func.sharded.agreeing import by_first
from quilt_func.sharded.layouts import Layout, ShardedState, check_sharded
from quilt_func.sharded.processes import ranks_of

PathLike = str | os.PathLike[str]

_FORMAT, _VERSION = "quilt_func sharded state", 1
_FACTS = "state.json"
"""The file of what is no tensor: the layout, and the user's own values."""
_MORE = "more."


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
    facts = {name: value for name, value in more.items() if name not in tensors}
    _check_values(state, more)
    folder = checked_path("save_state", directory)
    complex_of = [name for name, value in tensors.items() if value.is_complex()]
    written = json.dumps(
        {
            "format": _FORMAT,
            "version": _VERSION,
            "order": state.layout.order,
            "complex": complex_of,
            "more": facts,
        }
    )
    values = {"amplitudes": _as_global(_real(state.local), ranks)}
    values |= {f"{_MORE}{name}": _real(value) for name, value in tensors.items()}
    number = by_first(ranks, partial(_begin, folder))
    _library().save(
        values,
        checkpoint_id=_part(folder, number),
        process_group=ranks.group,
        no_dist=ranks.group is None,
    )
    by_first(ranks, partial(_finish, folder, number, written))


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
    number, facts = by_first(ranks, partial(_facts, function, folder))
    order = tuple(facts["order"])
    if ranks.n_bits >= len(order):
        need = f"be of fewer than {2 ** len(order)} ranks for {qubits(len(order))}"
        remedy = "Start fewer processes."
        raise ValueError(message(function, "mesh", ranks.n, need, f"{ranks.n}", remedy))
    values = _read(folder / str(number), ranks, device)
    local = torch.view_as_complex(_local(values.pop("amplitudes")))
    more: dict[str, Any] = {key.removeprefix(_MORE): value for key, value in values.items()}
    more |= {name: torch.view_as_complex(more[name]) for name in facts["complex"]}
    return ShardedState(local, Layout(order, ranks)), more | facts["more"]


# --- what is checked ---


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


# --- folders, which the first rank names ---


def has_state(folder: Path) -> bool:
    """Whether there is a whole checkpoint."""
    return bool(_numbers(folder))


def _numbers(folder: Path) -> list[int]:
    """Numbers of the whole checkpoints, the last one last."""
    if not folder.is_dir():
        return []
    return sorted(int(entry.name) for entry in folder.iterdir() if entry.name.isdecimal())


def _part(folder: Path, number: int) -> Path:
    return folder / f"{number}.part"


def _begin(folder: Path) -> int:
    """Make a folder for a checkpoint, and name its number."""
    number = max(_numbers(folder), default=0) + 1
    part = _part(folder, number)
    if part.exists():  # of a run that was ended within it
        shutil.rmtree(part)
    part.mkdir(parents=True)
    return number


def _finish(folder: Path, number: int, facts: str) -> None:
    """Let a checkpoint count, and remove those before."""
    part = _part(folder, number)
    with (part / _FACTS).open("w", encoding="utf8") as file:
        file.write(facts)
        file.flush()
        os.fsync(file.fileno())
    part.rename(folder / str(number))
    for before in _numbers(folder)[:-1]:
        shutil.rmtree(folder / str(before))


def _facts(function: str, folder: Path) -> tuple[int, dict[str, Any]]:
    """The number of the last checkpoint, and what it holds besides tensors."""
    numbers = _numbers(folder)
    if not numbers:
        raise FileNotFoundError(
            f"{function}(directory={str(folder)!r}): there is no whole checkpoint in it. Save one "
            "by `save_state(state, directory)`."
        )
    file = folder / str(numbers[-1]) / _FACTS
    facts = json.loads(file.read_text("utf8")) if file.is_file() else {}
    if facts.get("format") != _FORMAT or facts["version"] > _VERSION:
        need = f"hold checkpoints of `save_state`, of version {_VERSION} at most"
        got = f"another kind in {file.parent.name!r}"
        remedy = "Name another directory, or upgrade quilt_func."
        raise ValueError(message(function, "directory", str(folder), need, got, remedy))
    return numbers[-1], facts


# --- tensors ---


def _library() -> Any:
    """`torch.distributed.checkpoint`, whose import takes half as long as torch's."""
    from torch.distributed import checkpoint

    return checkpoint


def _real(tensor: Tensor) -> Tensor:
    """A tensor's values as numbers that are real."""
    plain = tensor.detach().resolve_conj()
    return torch.view_as_real(plain) if plain.is_complex() else plain


def _as_global(local: Tensor, ranks: Ranks) -> Tensor:
    """A rank's part of a tensor as a view of the whole, of which each rank files its own."""
    from torch.distributed.tensor import DTensor, Shard

    if ranks.group is None:
        return local
    mesh = DeviceMesh.from_group(ranks.group, local.device.type)
    return DTensor.from_local(local.contiguous(), mesh, [Shard(0)], run_check=False)


def _local(tensor: Tensor) -> Tensor:
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor


def _read(place: Path, ranks: Ranks, device: str) -> dict[str, Tensor]:
    """All tensors of a checkpoint: of the amplitudes this rank's, wherever they were."""
    library = _library()
    entries = library.FileSystemReader(place).read_metadata().state_dict_metadata
    values = {}
    for name, entry in entries.items():
        size, dtype = tuple(entry.size), entry.properties.dtype
        if name == "amplitudes":
            size = (size[0] // ranks.n, 2)
            values[name] = _as_global(torch.empty(size, dtype=dtype, device=device), ranks)
        else:
            values[name] = torch.empty(size, dtype=dtype, device=device)
    library.load(
        values, checkpoint_id=place, process_group=ranks.group, no_dist=ranks.group is None
    )
    return values
