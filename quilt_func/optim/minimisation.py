"""`minimise`: a loss, parameters and an optimiser in; trained parameters and the losses out."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.func import vmap

from quilt_func._checks import (
    check_count,
    check_function,
    check_is,
    check_iterable,
    check_number,
    describe,
    kind_error,
    message,
)
from quilt_func._parameter_trees import check_real, flatten, outline
from quilt_func._shifted_runs import one_number
from quilt_func._torch import is_within_transform, tree_leaves, tree_map
from quilt_func.optim.methods import LossFn, Method, as_method
from quilt_func.optim.transformations import GradientTransformation
from quilt_func.replay import jit as replayed
from quilt_func.typing import PyTree

_Step = tuple[PyTree, "Progress", Tensor]
Callback = Callable[[int, PyTree, Tensor], Any]
_STOP = "Look at `losses` afterwards, or train an ensemble by `ensemble=True` instead of `vmap`."


class Progress(NamedTuple):
    """Where a minimisation has come to, and so where another goes on.

    Attributes:
        step (real, ()): Number of steps taken.
        inner: State of the optimiser.
        least (real, ()): The least loss that counts for an early stop.
        stale (real, ()): Number of steps since.

    Examples:
        >>> from quilt_func.optim import sgd
        >>> minimise(lambda x: x**2, torch.tensor(1.0), sgd(0.1), 3).state.step
        tensor(3.)
    """

    step: Tensor
    inner: PyTree
    least: Tensor
    stale: Tensor


class Minimisation(NamedTuple):
    """What `minimise` found.

    Attributes:
        params: Parameters after the last step.
        losses (real, (n_steps,)): The loss before each step: the first is that of the parameters
            given; fewer than asked for after an early stop. Of an ensemble (n_members, n_steps).
        state: What `minimise(..., state=state)` goes on from.

    Examples:
        >>> from quilt_func.optim import sgd
        >>> minimise(lambda x: x**2, torch.tensor(1.0), sgd(0.25), 3).losses
        tensor([1.0000, 0.2500, 0.0625])
    """

    params: PyTree
    losses: Tensor
    state: Progress


def minimise(
    loss: Callable[..., Tensor],
    params: PyTree,
    optimiser: GradientTransformation | Method,
    n_steps: int,
    *,
    batches: PyTree | Iterable[Any] = None,
    u: Tensor | None = None,
    state: Progress | None = None,
    ensemble: bool = False,
    jit: bool = False,
    tolerance: float | None = None,
    patience: int = 1,
    callback: Callback | None = None,
) -> Minimisation:
    """Minimise a loss from start parameters: new parameters, the losses, and the state.

    It is a pure function, of nothing but its arguments: `vmap` maps it over an ensemble, over
    learning rates and over batches, and `grad` differentiates the outcome. A run that goes on from
    `state` equals the uninterrupted one, bit for bit.

    Memory: one step's, whatever their number. Steps are remembered only if the run itself is
    differentiated, by `torch.func` or because parameters, or what the loss closes over, require
    grad: `detach` these where that is not meant.

    Args:
        loss: Function from parameters, and a batch if there are batches, to a number, (real, ()).
        params: Tree of real tensors to start from.
        optimiser: Pair `(init, update)`, such as `adam(0.1)`, or a method that looks at the loss
            itself, such as `rotosolve()` or `with_line_search(lbfgs())`. Updates are added: what
            scales gradients without turning them round, such as `clip_by_global_norm`, climbs
            unless an optimiser follows it in a `chain`.
        n_steps: Number of steps.
        batches: What the loss takes beside parameters, step by step: a tree of tensors with a
            first axis of `n_steps`, or an iterator, or another iterable that is no list, tuple or
            dict, such as `epochs(data, batch_size, u)` or a `DataLoader`, of which the first
            `n_steps` are taken.
        u (real, (n_steps, ...)): Uniform numbers in [0, 1), from `uniforms`, for a method that
            draws directions.
        state: `state` of an earlier result, to go on from; `params` are then its `params`.
        ensemble: Whether parameters are an ensemble: every leaf has a first axis of members, which
            take the same batches. It is `vmap` of this function, but its steps can be replayed and
            called back from; `u` is (real, (n_steps, n_members, ...)), and an early stop waits for
            all members.
        jit: Whether steps are traced at the first and replayed, see `quilt_func.jit`; within a
            transform they are not.
        tolerance: A run ends early after `patience` steps in a row whose loss is not below the
            least before by more than this. It looks at every loss, which waits for a GPU.
        patience: Number of such steps, at least 1.
        callback: Function of the step's number from 0 on, of the parameters before it, and of
            their loss; if it returns True, the run ends with that step.

    Returns:
        Parameters, losses and state.

    Raises:
        TypeError: If an argument is of the wrong kind, or the loss does not return a real tensor.
        ValueError: If a number is out of range, the loss returns several numbers, batches or
            uniform numbers do not fit the number of steps, or an early stop or a callback is asked
            for within a transform.

    Transforms:
        vmap, grad, jvp, hessian, as far as the loss and the optimiser.

    Examples:
        >>> from torch.func import vmap
        >>> from quilt_func import circuit, expval, pauli_sum, rx, ry
        >>> from quilt_func.optim import adam
        >>> def energy(p):
        ...     return expval(circuit(1, ry(p[0], 0), rx(p[1], 0))(), pauli_sum({"Z": 1.0}))
        >>> starts = torch.tensor([[0.1, 0.2], [1.0, -0.5], [-2.0, 0.3]])
        >>> found = minimise(energy, starts, adam(0.1), 80, ensemble=True)
        >>> mapped = vmap(lambda p: minimise(energy, p, adam(0.1), 80))(starts)  # the same
        >>> bool((found.losses == mapped.losses).all())
        True
        >>> found.losses.shape, found.losses[:, -1].round(decimals=1)
        (torch.Size([3, 80]), tensor([-1., -1., -1.]))
    """
    method = as_method("minimise", optimiser)
    _check_run(loss, params, method, n_steps, u, ensemble)
    _check_stops(tolerance, patience, callback)
    given = _of_steps(batches, n_steps)

    _check_state(state)

    def step(params: PyTree, state: Progress, u: Any, data: tuple[Any, ...]) -> _Step:
        return _one_step(_checked(loss, data), method, tolerance, params, state, u)

    run: Callable[..., Any] = step
    if ensemble:
        run = vmap(step, (0, 0, None if u is None else 0, None))
    run = replayed(run) if jit else run
    begin = partial(_start, method)
    at = state or (vmap(begin) if ensemble else begin)(params)
    first = int(at.step.max()) if callback is not None else 0
    losses: list[Tensor] = []
    for index in range(n_steps):
        before = params
        params, at, value = run(params, at, None if u is None else u[index], next(given))
        losses.append(value)
        is_last = callback is not None and callback(first + index, before, value) is True
        if is_last or (tolerance is not None and bool((at.stale >= patience).all())):
            break
    history = torch.stack(losses, -1) if losses else at.least[..., None][..., :0]
    return Minimisation(params, history, at)


def _one_step(
    loss: LossFn,
    method: Method,
    tolerance: float | None,
    params: PyTree,
    state: Progress,
    u: Tensor | None,
) -> _Step:
    params, inner, value = method.step(loss, params, state.inner, u)
    least, stale = state.least, state.stale
    if tolerance is not None:
        has_fallen = value < least - tolerance
        least = torch.where(has_fallen, value.to(least.dtype), least)
        stale = torch.where(has_fallen, 0.0, stale + 1).to(stale.dtype)
    return params, Progress(state.step + 1, inner, least, stale), value


def _start(method: Method, params: PyTree) -> Progress:
    zero = flatten("minimise", "params", params)[0][0].detach().new_zeros(())
    return Progress(zero, method.init(params), zero + torch.inf, zero)


def _checked(loss: Callable[..., Tensor], batch: tuple[Any, ...]) -> LossFn:
    """The loss of parameters alone, with a check of what it returns."""
    several = "Take the mean over samples; map over an ensemble with `torch.func.vmap`."

    def checked(params: PyTree) -> Tensor:
        return one_number("minimise", loss(params, *batch), "loss", several)

    return checked


def _check_run(
    loss: Any, params: PyTree, method: Method, n_steps: Any, u: Any, ensemble: bool
) -> None:
    check_function("minimise", "loss", loss)
    leaves, _ = flatten("minimise", "params", params)
    check_count("minimise", "n_steps", n_steps)
    if ensemble:
        _check_members(params, leaves)
    if method.draws is None:
        if u is not None:
            need = "be left out: this optimiser draws nothing"
            remedy = "Give what the loss draws as `batches`."
            raise kind_error("minimise", "u", u, need, remedy)
        return
    one = tree_map(lambda leaf: leaf[0], params) if ensemble else params
    shape = (n_steps, *leaves[0].shape[:ensemble], *method.draws(one))
    remedy = f"Draw them with `uniforms({shape}, seed)`."
    if u is None:
        need = "be given: this optimiser draws directions"
        raise kind_error("minimise", "u", u, need, remedy)
    check_real("minimise", "u", u, remedy)
    if u.ndim < len(shape) or tuple(u.shape[: 1 + ensemble]) != shape[: 1 + ensemble]:
        need, got = f"have shape {shape}, one row a step", f"shape {tuple(u.shape)}"
        raise ValueError(message("minimise", "u", u, need, got, remedy))


def _check_members(params: PyTree, leaves: list[Tensor]) -> None:
    sizes = {leaf.shape[0] if leaf.ndim else 0 for leaf in leaves}
    if len(sizes) > 1 or not sizes.isdisjoint({0}):
        given, need = outline(params), "have a first axis of members throughout"
        remedy = "Stack them, `torch.stack`, or leave out `ensemble=True`."
        raise ValueError(message("minimise", "params", given, need, describe(given), remedy))


def _check_state(state: Any) -> None:
    if state is not None and not isinstance(state, Progress):
        need, remedy = "be the state of an earlier result", "Pass `minimise(...).state`."
        raise kind_error("minimise", "state", state, need, remedy)


def _check_stops(tolerance: Any, patience: Any, callback: Any) -> None:
    check_count("minimise", "patience", patience, minimum=1)
    if tolerance is not None:
        check_number("minimise", "tolerance", tolerance)
    if callback is not None:
        check_function("minimise", "callback", callback)
    asked = {"tolerance": tolerance, "callback": callback}
    for argument, value in asked.items():
        if value is not None and is_within_transform():
            need, got = "be left out within a transform", describe(value)
            raise ValueError(message("minimise", argument, value, need, got, _STOP))


def _of_steps(batches: Any, n_steps: int) -> Iterator[tuple[Any, ...]]:
    """The batch of each step, in a tuple that is empty if there is none."""
    if batches is None:
        return iter([()] * n_steps)
    leaves = tree_leaves(batches)
    if not any(leaf is batches for leaf in leaves) or isinstance(batches, Tensor):
        _check_stacked(batches, leaves, n_steps)
        return ((tree_map(lambda leaf, i=i: leaf[i], batches),) for i in range(n_steps))
    check_iterable("minimise", "batches", batches, "Give tensors whose first axis is steps.")
    return _taken(iter(batches), n_steps)


def _check_stacked(batches: Any, leaves: list[Any], n_steps: int) -> None:
    need = f"be tensors with a first axis of n_steps={n_steps}"
    remedy = "Stack one batch for each step, or give an iterator: `iter(batches)`."
    for leaf in leaves or [None]:
        check_is("minimise", "batches", leaf, Tensor, need, remedy)
        if not leaf.ndim or leaf.shape[0] != n_steps:
            got = f"{describe(outline(batches))}"
            raise ValueError(message("minimise", "batches", outline(batches), need, got, remedy))


def _taken(batches: Iterator[Any], n_steps: int) -> Iterator[tuple[Any, ...]]:
    for index in range(n_steps):
        try:
            yield (next(batches),)
        except StopIteration:
            need, got = f"last for n_steps={n_steps}", f"an end after {index}"
            remedy = "Go round with `itertools.cycle`, or ask for fewer steps."
            raise ValueError(message("minimise", "batches", batches, need, got, remedy)) from None
