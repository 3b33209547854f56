"""Epochs of minibatches: samples in a new order for each pass, by uniform numbers."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from quilt_func._checks import check_count, check_is, check_tensor, describe, is_index, message
from quilt_func._parameter_trees import outline
from quilt_func._torch import tree_leaves, tree_map
from quilt_func.typing import PyTree


@dataclass(frozen=True, eq=False)
class Epochs:
    """Batches of several passes over data, each taken from it when it is asked for.

    Make one with `epochs`. It has a length, and may be indexed, sliced and gone through.

    Attributes:
        data: Tree of tensors with a first axis of samples.
        rows (int64, (n_steps, batch_size)): The samples of each batch.

    Examples:
        >>> found = Epochs(torch.arange(4.0), torch.tensor([[0, 2], [3, 1]]))
        >>> len(found), found[1], len(found[1:])
        (2, tensor([3., 1.]), 1)
    """

    data: PyTree
    rows: Tensor

    def __len__(self) -> int:
        """Number of batches."""
        return self.rows.shape[0]

    def __getitem__(self, place: int | slice) -> Any:
        """A batch, a tree like `data`; or some of them, as `Epochs`."""
        if isinstance(place, slice):
            return Epochs(self.data, self.rows[place])
        if not is_index(place) or not -len(self) <= place < len(self):
            raise IndexError(f"Epochs[{describe(place)}]: there are {len(self)} batches.")
        chosen = self.rows[place]
        return tree_map(lambda leaf: leaf[chosen], self.data)

    def __iter__(self) -> Iterator[PyTree]:
        """Go through the batches."""
        return (self[place] for place in range(len(self)))


def epochs(data: PyTree, batch_size: int, u: Tensor) -> Epochs:
    """Minibatches for `minimise`: passes over data, in an order that uniform numbers give.

    All batches are of one size, so that a step that is replayed need not be traced again: of each
    pass the last samples are left out, other ones each time, where batches do not divide them. A
    batch is taken when it is asked for, so memory is that of the order.

    Args:
        data: Tree of tensors with a first axis of `n` samples, such as `(xs, ys)`.
        batch_size: Number of samples of a batch, at most `n`.
        u (real, (n_epochs, n)): Uniform numbers in [0, 1), from `uniforms`, a row for each pass.

    Returns:
        Batches, `n_epochs * (n // batch_size)` of them, for `minimise(..., batches=...)`. A slice
        goes on where another run has stopped.

    Raises:
        TypeError: If `data` holds anything but tensors, `batch_size` is no int, or `u` not real.
        ValueError: If leaves differ in their first axis, `batch_size` is out of range, or `u` is
            not of this shape.

    Transforms:
        vmap, over `u` and data; grad, jvp, hessian, in the data.

    Examples:
        >>> from quilt_func import uniforms
        >>> from quilt_func.optim import minimise, sgd
        >>> xs = torch.arange(10.0)
        >>> batches = epochs((xs, 3 * xs), 4, uniforms((20, 10), 0))
        >>> def loss(slope, batch):
        ...     x, y = batch
        ...     return (slope * x - y).square().mean()
        >>> len(batches), minimise(loss, torch.tensor(0.0), sgd(0.01), 40, batches=batches).params
        (40, tensor(3.))
    """
    n = _n_samples(data)
    check_count("epochs", "batch_size", batch_size, minimum=1)
    if batch_size > n:
        need, remedy = f"be at most {n}, the number of samples", "Give a smaller one."
        raise ValueError(message("epochs", "batch_size", batch_size, need, f"{batch_size}", remedy))
    remedy = f"Draw them with `uniforms((n_epochs, {n}), seed)`."
    check_tensor("epochs", "u", u, (torch.float32, torch.float64), ("n_epochs", n), remedy)
    kept = n // batch_size * batch_size
    rows = u.argsort(1)[:, :kept].reshape(-1, batch_size)
    return Epochs(data, rows)


def _n_samples(data: PyTree) -> int:
    """Number of samples, after a check that all leaves have as many."""
    need, remedy = "be a tree of tensors with a first axis of samples", "Stack the samples."
    leaves = tree_leaves(data)
    for leaf in leaves or [None]:
        check_is("epochs", "data", leaf, Tensor, need, remedy)
    sizes = {leaf.shape[0] if leaf.ndim else 0 for leaf in leaves}
    if len(sizes) > 1 or 0 in sizes:
        got = describe(outline(data))
        raise ValueError(message("epochs", "data", outline(data), need, got, remedy))
    return int(sizes.pop())
