"""Trees of parameters in files of `safetensors`: the tensors bit for bit, the tree as JSON.

Loading reads data; it imports nothing and calls nothing that a file names.

References:
    The format: https://huggingface.co/docs/safetensors.
"""

import json
import os
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor

from quilt_func._checks import a_kind, describe, is_hidden, kind_error, message
from quilt_func.typing import Device, PyTree

__all__ = ["load_parameters", "save_parameters"]

_MARK, _VERSION = "quilt_func", 1
"""The field of a file's header that holds the tree, and the version of its form."""
_DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64,
        torch.complex128, torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32,
        torch.int64,
    )
}  # fmt: skip
_PathLike = str | os.PathLike[str]


def save_parameters(path: _PathLike, tree: PyTree) -> None:
    """Write a tree of parameters to a file, which replaces another of that name at once.

    Tensors keep their dtype, every bit of their values, and the name of their device; not their
    gradient, nor whether they require one.

    Args:
        path: Name of the file, such as `"params.safetensors"`.
        tree: Dicts of string or int keys, lists and tuples, nested, of tensors, Python numbers,
            strings, bools and None.

    Returns:
        Nothing.

    Raises:
        TypeError: If a part is of another kind, or a tensor is hidden behind a transform.
        ImportError: If `safetensors` is not installed; it is in the extra `files`.

    Transforms:
        None: a file has no derivative.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "params.safetensors"
        ...     save_parameters(path, {"theta": torch.tensor([0.1, 0.2]), "steps": 3})
        ...     load_parameters(path)
        {'theta': tensor([0.1000, 0.2000]), 'steps': 3}
    """
    file, tensors = _path("save_parameters", path), list[Tensor]()
    tree_text = json.dumps({"version": _VERSION, "tree": _written(tree, tensors)})
    named = {str(place): _plain(tensor) for place, tensor in enumerate(tensors)}
    data = _safetensors("save_parameters", "torch").save(named, {_MARK: tree_text})
    part = file.with_name(f"{file.name}.part")
    part.write_bytes(data)
    part.replace(file)


def load_parameters(path: _PathLike, *, device: Device = None) -> PyTree:
    """Read a tree of parameters that `save_parameters` wrote.

    Args:
        path: Name of the file.
        device: Where the tensors shall be; default: where they were.

    Returns:
        The tree; its tensors require no gradient.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged or of another kind, or a device is not there.
        ImportError: If `safetensors` is not installed; it is in the extra `files`.

    Transforms:
        None: a file has no derivative.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "params.safetensors"
        ...     save_parameters(path, (torch.ones(2, dtype=torch.complex128), [None, 0.5]))
        ...     load_parameters(path)
        (tensor([1.+0.j, 1.+0.j], dtype=torch.complex128), [None, 0.5])
    """
    file = _path("load_parameters", path)
    if not file.is_file():
        raise FileNotFoundError(f"load_parameters(path={str(path)!r}): there is no such file.")
    library = _safetensors("load_parameters")
    try:
        with library.safe_open(file, framework="pt") as opened:
            header = json.loads((opened.metadata() or {})[_MARK])
            tensors = [opened.get_tensor(str(i)) for i in range(len(opened.keys()))]
        if header["version"] > _VERSION:
            _refuse(path, f"version {header['version']}, newer than {_VERSION}")
        return _read(header["tree"], tensors, device)
    except library.SafetensorError as error:
        _refuse(path, f"no file of safetensors: {str(error).rstrip('.')}")
    except (KeyError, IndexError, TypeError, json.JSONDecodeError, RecursionError) as error:
        _refuse(path, f"a file without a tree that can be read ({type(error).__name__})")


def _refuse(path: _PathLike, got: str) -> NoReturn:
    need, remedy = "be a file of `save_parameters`", "Save it again."
    raise ValueError(message("load_parameters", "path", str(path), need, got, remedy)) from None


def _path(function: str, path: Any) -> Path:
    if not isinstance(path, (str, os.PathLike)):
        remedy = 'Write "params.safetensors".'
        raise kind_error(function, "path", path, "be the name of a file", remedy)
    return Path(path)


def _safetensors(function: str, part: str = "") -> Any:
    try:
        return import_module(f"safetensors.{part}" if part else "safetensors")
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "safetensors":
            raise
        raise ImportError(
            f"{function}(): `safetensors` must be installed, but it is not. Install the extra with "
            "`pip install 'quilt-func[files]'`."
        ) from error


# --- writing ---


def _written(value: Any, tensors: list[Tensor]) -> Any:
    """A tree as JSON: `[kind, ...]` for each part; tensors are collected."""
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return ["float", value.hex()]
    if type(value) in (list, tuple):
        return [type(value).__name__, [_written(one, tensors) for one in value]]
    if type(value) is dict:
        pairs = [[_key(key), _written(one, tensors)] for key, one in value.items()]
        return ["dict", pairs]
    if isinstance(value, Tensor):
        return _tensor_written(value, tensors)
    remedy = "Make a dict, a list or a plain tuple of it; circuits and Pauli sums go to `to_json`."
    if isinstance(value, tuple):
        remedy = "Write `tuple(...)`, or a dict by `._asdict()`: a file names no classes."
    need = "hold dicts, lists, tuples, tensors, numbers, strings and None"
    raise kind_error("save_parameters", "tree", value, need, remedy)


def _key(key: Any) -> Any:
    if type(key) not in (str, int):
        need, remedy = "have strings or ints as keys", "Rename the keys."
        raise TypeError(message("save_parameters", "tree", key, need, a_kind(key), remedy))
    return key


def _tensor_written(tensor: Tensor, tensors: list[Tensor]) -> Any:
    name = str(tensor.dtype).removeprefix("torch.")
    if is_hidden(tensor) or tensor.layout != torch.strided or name not in _DTYPES:
        need, got = "hold dense tensors of numbers that can be read", describe(tensor)
        remedy = "Convert them, outside of `torch.func` transforms."
        raise TypeError(message("save_parameters", "tree", tensor, need, got, remedy))
    tensors.append(tensor)
    return ["tensor", len(tensors) - 1, name, list(tensor.shape), str(tensor.device)]


def _plain(tensor: Tensor) -> Tensor:
    """A copy that shares no memory: what the format takes. It has no complex128."""
    plain = tensor.detach().cpu().resolve_conj().resolve_neg()
    plain = torch.view_as_real(plain) if plain.is_complex() else plain
    return plain.clone(memory_format=torch.contiguous_format)


# --- reading ---


def _read(entry: Any, tensors: list[Tensor], device: Device) -> Any:
    if not isinstance(entry, list):
        return entry
    kind, *parts = entry
    if kind == "float":
        return float.fromhex(parts[0])
    if kind in ("list", "tuple"):
        members = [_read(one, tensors, device) for one in parts[0]]
        return members if kind == "list" else tuple(members)
    if kind == "dict":
        return {key: _read(one, tensors, device) for key, one in parts[0]}
    if kind != "tensor":
        raise KeyError(kind)
    place, name, shape, home = parts
    found = tensors[place]
    if _DTYPES[name].is_complex:
        found = torch.view_as_complex(found)
    if found.dtype != _DTYPES[name] or list(found.shape) != shape:
        raise TypeError("a tensor of another kind")
    return found.to(_there(home, device))


def _there(home: str, device: Device) -> torch.device:
    """The device that is asked for, or the one of the file, if the machine has it."""
    wanted = torch.device(home if device is None else device)
    try:
        torch.empty(0, device=wanted)
    except (RuntimeError, AssertionError, NotImplementedError):
        need, remedy = "be one of this machine's", 'Write `device="cpu"`.'
        text = message("load_parameters", "device", device, need, f"{wanted}", remedy)
        raise ValueError(text) from None
    return wanted
