"""Training that goes on from a file where it was ended."""

import io
import os
from collections.abc import Callable
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh

from quilt_func._checks import check_count, describe, message
from quilt_func._collectives import Ranks
from quilt_func._torch import tree_flatten, tree_leaves, tree_map, tree_unflatten
from quilt_func.optim import GradientTransformation, Method, Minimisation, minimise
from quilt_func.sharded.agreeing import by_first
from quilt_func.sharded.checkpoints import PathLike, checked_path
from quilt_func.sharded.processes import ranks_of
from quilt_func.typing import PyTree

_NAME = "minimise_in_stages"
_FILE = "training.pt"


def minimise_in_stages(
    loss: Callable[..., Tensor],
    params: PyTree,
    optimiser: GradientTransformation | Method,
    n_steps: int,
    *,
    directory: PathLike,
    every: int = 100,
    mesh: DeviceMesh | None = None,
    batches: PyTree = None,
    u: Tensor | None = None,
    **options: Any,
) -> Minimisation:
    """Train as `optim.minimise` does, and save parameters and the optimiser's state on the way.

    When training has been ended, for whatever reason, the same call goes on after the last step
    that was saved, and ends as the uninterrupted one, bit for bit; with more steps than before it
    goes on from the end. The first rank writes, and tells the others what it reads.

    Args:
        loss: Function from parameters, and a batch if there are batches, to a number, (real, ()),
            the same on all ranks.
        params: Tree of real tensors to start from, the same on all ranks.
        optimiser: As of `optim.minimise`.
        n_steps: Number of steps, those before an interruption included.
        directory: Name of a directory, for this training only.
        every: Number of steps from one checkpoint to the next.
        mesh: The ranks, from `mesh()`; None for a single process.
        batches: A tree of tensors with a first axis of `n_steps`.
        u (real, (n_steps, ...)): Uniform numbers in [0, 1), for a method that draws directions.
        **options: Other arguments of `optim.minimise`: `ensemble`, `jit`, `tolerance`, `patience`
            and `callback`.

    Returns:
        Parameters, the losses of all steps, and state.

    Raises:
        TypeError: As `optim.minimise`, or if batches are not tensors or parameters require grad.
        ValueError: As `optim.minimise`, or if the directory has checkpoints of parameters or of an
            optimiser of another form.
        OSError: If files can't be written.

    Transforms:
        None: what was saved has no gradient. Use `optim.minimise`.

    Examples:
        >>> import tempfile
        >>> from quilt_func import sharded
        >>> from quilt_func.optim import adam
        >>> def train(folder, n_steps):
        ...     return sharded.minimise_in_stages(
        ...         lambda x: x**2, torch.tensor(1.0), adam(0.1), n_steps, directory=folder, every=2
        ...     ).losses
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     print(train(folder, 2))
        ...     print(train(folder, 4))
        tensor([1.0000, 0.8100])
        tensor([1.0000, 0.8100, 0.6407, 0.4922])
    """
    check_count(_NAME, "n_steps", n_steps)
    check_count(_NAME, "every", every, 1)
    _check_tensors("params", params)
    _check_tensors("batches", batches)
    ranks = Ranks(1) if mesh is None else ranks_of(mesh, _NAME)
    file = checked_path(_NAME, directory) / _FILE
    begun = minimise(loss, params, optimiser, 0, **options)
    at, is_over = _resumed(file, begun, by_first(ranks, partial(_read, file)))
    while not is_over and (done := at.losses.shape[-1]) < n_steps:
        part = slice(done, min(done + every, n_steps))
        n_more = part.stop - part.start
        found = minimise(
            loss, at.params, optimiser, n_more, state=at.state, **options,
            batches=None if batches is None else tree_map(itemgetter(part), batches),
            u=None if u is None else u[part],
        )  # fmt: skip
        at = found._replace(losses=torch.cat([at.losses, found.losses], -1))
        is_over = found.losses.shape[-1] < n_more
        by_first(ranks, partial(_write, file, at, is_over))
    return at


def _check_tensors(argument: str, tree: PyTree) -> None:
    for leaf in tree_leaves(tree):
        if leaf is not None and (not isinstance(leaf, Tensor) or leaf.requires_grad):
            need, got = "be of tensors that require no grad", describe(leaf)
            remedy = "Stack batches, one for each step, or `detach` the tensors."
            raise TypeError(message(_NAME, argument, tree, need, got, remedy))


def _read(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None


def _write(file: Path, at: Minimisation, is_over: bool) -> None:
    """Write another file, and let it take the place of the one that is there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.part")
    with part.open("wb") as opened:
        torch.save({"leaves": tree_leaves(at), "is_over": is_over}, opened)
        opened.flush()
        os.fsync(opened.fileno())
    part.replace(file)


def _resumed(file: Path, begun: Minimisation, data: bytes | None) -> tuple[Minimisation, bool]:
    """What was saved, in the form of a start; or the start, if nothing was."""
    if data is None:
        return begun, False
    saved = torch.load(io.BytesIO(data), weights_only=True)
    leaves, form = tree_flatten(begun)
    if _forms(saved["leaves"], begun) != _forms(leaves, begun):
        need, got = "hold checkpoints of parameters and an optimiser of this form", "another"
        remedy = "Name another directory, or remove this one."
        raise ValueError(message(_NAME, "directory", str(file.parent), need, got, remedy))
    found = [new.to(old.device) for new, old in zip(saved["leaves"], leaves, strict=True)]
    return tree_unflatten(found, form), saved["is_over"]


def _forms(leaves: list[Tensor], like: Minimisation) -> list[Any]:
    """Shapes and dtypes of all leaves; of the losses, only what does not grow."""
    place = len(tree_leaves(like.params))
    forms = [(tuple(leaf.shape), leaf.dtype) for leaf in leaves]
    return [
        (shape[:-1], dtype) if number == place else (shape, dtype)
        for number, (shape, dtype) in enumerate(forms)
    ]
