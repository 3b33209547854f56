"""Training of an ensemble by `minimise`: batches, epochs, and an early end."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.func import vmap

from quilt_func._torch import tree_leaves, tree_map
from quilt_func.learn.options import stream
from quilt_func.optim import GradientTransformation, Method, Progress, minimise
from quilt_func.states import uniforms
from quilt_func.typing import PyTree

Data = tuple[Tensor, Tensor, Tensor]
"""Samples, targets and weights."""
SampleLoss = Callable[[PyTree, Tensor, Tensor], Tensor]


class Schedule(NamedTuple):
    """How long is trained, by what, on which order of batches.

    Attributes:
        optimiser: From `quilt_func.optim`.
        n_epochs: Number of epochs at most.
        batch_size: Number of samples of a batch; None for all.
        seed: Of the orders of samples, and of the optimiser's directions.
        done: Number of epochs before.
        tol: An epoch whose loss is not below the least before by more than this is stale; None for
            no early end.
        patience: Number of stale epochs in a row that end a run.
        jit: Whether steps are replayed.
    """

    optimiser: GradientTransformation | Method
    n_epochs: int
    batch_size: int | None
    seed: int
    done: int
    tol: float | None
    patience: int
    jit: bool


class Trained(NamedTuple):
    """Parameters of all members, the optimiser's state, and losses (n_members, n_epochs)."""

    params: PyTree
    state: Progress | None
    losses: Tensor
    held_out: Tensor


def train(
    loss: SampleLoss,
    params: PyTree,
    data: Data,
    schedule: Schedule,
    state: Progress | None = None,
    held_out: Data | None = None,
) -> Trained:
    """Train members, which have the first axis, by the weighted mean of the samples' losses.

    With data held out, each member's parameters are the best on these.
    """

    def mean_loss(member: PyTree, batch: Data) -> Tensor:
        xs, ys, weights = batch
        return (weights * vmap(loss, (None, 0, 0))(member, xs, ys)).mean()

    order = _Orders(data[0].shape[0], schedule)
    judge = None if held_out is None else lambda p: vmap(mean_loss, (0, None))(p, held_out)
    watch = _Watch(order.sizes, schedule, judge)
    found = minimise(
        mean_loss,
        params,
        schedule.optimiser,
        schedule.n_epochs * len(order.sizes),
        batches=order.batches(data),
        u=_directions(schedule, params, len(order.sizes)),
        state=state,
        ensemble=True,
        jit=schedule.jit,
        callback=watch,
    )
    losses = torch.stack(watch.losses, -1)
    if judge is None:
        return Trained(found.params, found.state, losses, losses[:, :0])
    watch.look(found.params, judge(found.params))
    return Trained(watch.best, None, losses, torch.stack(watch.seen, -1))


class _Orders:
    """Orders of samples, a new one for each epoch; all samples at once need none."""

    def __init__(self, n_samples: int, schedule: Schedule) -> None:
        self._n, self._schedule = n_samples, schedule
        size = min(schedule.batch_size or n_samples, n_samples)
        starts = range(0, n_samples, size)
        self.sizes = [min(size, n_samples - start) for start in starts]

    def batches(self, data: Data) -> Iterator[Data]:
        """Batches of all epochs."""
        schedule = self._schedule
        for epoch in range(schedule.done, schedule.done + schedule.n_epochs):
            if len(self.sizes) == 1:
                yield data
                continue
            u = uniforms(self._n, schedule.seed + epoch, dtype=torch.float64)
            for chosen in u.argsort(stable=True).to(data[0].device).split(self.sizes):
                xs, ys, weights = (one[chosen] for one in data)
                yield xs, ys, weights


class _Watch:
    """What is seen at the end of each epoch, and whether the run is to end there."""

    def __init__(
        self, sizes: list[int], schedule: Schedule, judge: Callable[[PyTree], Tensor] | None
    ) -> None:
        self._sizes, self._schedule, self._judge = sizes, schedule, judge
        self._epoch: list[Tensor] = []
        self.losses: list[Tensor] = []
        self.seen: list[Tensor] = []
        self.best: PyTree = None
        self._least = self._mark = self._stale = torch.zeros(())

    def __call__(self, index: int, params: PyTree, value: Tensor) -> bool:
        del index
        self._epoch.append(value)
        if len(self._epoch) < len(self._sizes):
            return False
        values = torch.stack(self._epoch, -1)
        shares = torch.tensor(self._sizes).to(values) / sum(self._sizes)
        self.losses.append((values * shares).sum(-1))
        self._epoch = []
        self.look(params, self.losses[-1] if self._judge is None else self._judge(params))
        return self._schedule.tol is not None and bool(
            (self._stale >= self._schedule.patience).all()
        )

    def look(self, params: PyTree, seen: Tensor) -> None:
        """Note the best parameters of each member, and how long ago its loss has fallen."""
        if not self.seen:
            self._least = self._mark = torch.full_like(seen, torch.inf)
            self._stale, self.best = torch.zeros_like(seen), params
        self.seen.append(seen)
        is_best, has_fallen = seen < self._least, seen < self._mark - (self._schedule.tol or 0.0)
        self._least = torch.where(is_best, seen, self._least)
        self._mark = torch.where(has_fallen, seen, self._mark)
        self._stale = torch.where(has_fallen, 0.0, self._stale + 1)
        if self._judge is not None:
            self.best = tree_map(lambda new, old: _chosen(is_best, new, old), params, self.best)


def _chosen(is_new: Tensor, new: Tensor, old: Tensor) -> Tensor:
    return torch.where(is_new.reshape(-1, *[1] * (new.ndim - 1)), new, old)


def _directions(schedule: Schedule, params: PyTree, n_batches: int) -> Any:
    """Uniform numbers for an optimiser that draws directions."""
    draws = getattr(schedule.optimiser, "draws", None)
    if draws is None:
        return None
    n_members = tree_leaves(params)[0].shape[0]
    shape = draws(tree_map(lambda leaf: leaf[0], params))
    first, last = schedule.done, schedule.done + schedule.n_epochs
    size = (n_batches, n_members, *shape)
    epochs = [uniforms(size, stream(schedule.seed + epoch, 4)) for epoch in range(first, last)]
    return torch.cat(epochs).to(tree_leaves(params)[0])
