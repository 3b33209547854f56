r"""Optimisers as pairs of pure functions: `init(params)` and `update(grads, state, params)`.

`update` returns `(updates, state)`, and the updates are added: `apply_updates(params, updates)`.
Parameters are any pytree of float32 or float64 tensors. Nothing is changed in place and states
hold only tensors, so a training step vmaps over an ensemble and differentiates as it stands:

    >>> opt = chain(clip_by_global_norm(1.0), adam(0.1))
    >>> def step(params, state):
    ...     grads = torch.func.grad(lambda p: (p["x"] ** 2).sum())(params)
    ...     updates, state = opt.update(grads, state, params)
    ...     return apply_updates(params, updates), state
    >>> ensemble = {"x": torch.tensor([[1.0], [-2.0], [3.0]])}
    >>> torch.func.vmap(step)(ensemble, torch.func.vmap(opt.init)(ensemble))[0]["x"].T
    tensor([[ 0.9000, -1.9000,  2.9000]])

Three ideas make all of it: a stateless map of the gradients, a recurrence that keeps running
averages of them, and `chain`. The `(init, update)` form is that of optax; hyper-parameters and
their defaults are those of `torch.optim`.
"""

import math
from collections.abc import Callable
from itertools import starmap
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

from quilt_func._checks import (
    a_kind,
    check_count,
    check_is,
    check_number,
    common_dtype_and_device,
    kind_error,
    message,
    shape_error,
)
from quilt_func._parameter_trees import check_real, flatten, flatten_like, outline
from quilt_func._torch import tree_leaves, tree_map, tree_unflatten
from quilt_func.typing import PyTree, Schedule

Scalar: TypeAlias = Tensor | float
Leafwise: TypeAlias = Callable[..., tuple[Tensor, ...]]


class GradientTransformation(NamedTuple):
    """A pair of pure functions from gradients to updates.

    Attributes:
        init: `init(params) -> state`; a pytree of tensors.
        update: `update(grads, state, params=None) -> (updates, state)`; `updates` is a tree like
            `grads`, and `params` are read by weight decay alone.

    Examples:
        >>> params = {"x": torch.tensor(1.0)}
        >>> descent = sgd(0.1)
        >>> updates, state = descent.update({"x": torch.tensor(2.0)}, descent.init(params))
        >>> apply_updates(params, updates)
        {'x': tensor(0.8000)}
    """

    init: Callable[[PyTree], PyTree]
    update: Callable[..., tuple[PyTree, PyTree]]


class RecurrenceState(NamedTuple):
    """State of a transformation that keeps running averages.

    Attributes:
        step (real, ()): Number of steps taken.
        averages: Trees like the parameters.

    Examples:
        >>> _, state, _ = adam(0.1).init({"x": torch.tensor(1.0)})
        >>> state.step, state.averages
        (tensor(0.), ({'x': tensor(0.)}, {'x': tensor(0.)}))
    """

    step: Tensor
    averages: tuple[PyTree, ...]


def apply_updates(params: PyTree, updates: PyTree) -> PyTree:
    """Add updates to parameters.

    Equal to `tree_map(torch.add, params, updates)`, after a check that the trees match.

    Args:
        params: Tree of real tensors.
        updates: Tree of the structure, shapes and dtype of `params`.

    Returns:
        New parameters, a tree like `params`.

    Raises:
        TypeError: If a leaf is not a float32 or float64 tensor, or precisions or devices differ.
        ValueError: If the structures or shapes differ.

    Transforms:
        vmap, grad, jvp, hessian.

    Examples:
        >>> apply_updates({"x": torch.tensor(1.0)}, {"x": torch.tensor(-0.25)})
        {'x': tensor(0.7500)}
    """
    leaves, structure = flatten("apply_updates", "params", params)
    others = flatten_like("apply_updates", "params", params, "updates", updates)
    return tree_unflatten(map(torch.add, leaves, others), structure)


def chain(*transforms: GradientTransformation) -> GradientTransformation:
    """Compose transformations: each one's updates are the next one's gradients.

    Args:
        transforms: Pairs `(init, update)`, first to last; none at all is the identity.

    Returns:
        Their composition; its state is the tuple of their states.

    Raises:
        TypeError: If an argument is not a `GradientTransformation`; from `update`, if the state
            was not made by this chain's `init`.

    Transforms:
        vmap, grad, jvp, hessian, as far as the parts.

    Examples:
        >>> opt = chain(scale(0.5), clip_by_value(1.0))
        >>> grads = torch.tensor([-1.0, 4.0])
        >>> opt.update(grads, opt.init(grads))
        (tensor([-0.5000,  1.0000]), ((), ()))
    """
    need, remedy = "hold GradientTransformations", "Call the factory first: `adam(1e-3)`."
    for part in transforms:
        check_is("chain", "transforms", part, GradientTransformation, need, remedy)

    def init(params: PyTree) -> PyTree:
        return tuple(part.init(params) for part in transforms)

    def update(grads: PyTree, state: PyTree, params: PyTree = None) -> tuple[PyTree, PyTree]:
        if type(state) is not tuple or len(state) != len(transforms):
            raise _state_error(f"be a tuple of {len(transforms)} states", state)
        states = []
        for part, part_state in zip(transforms, state, strict=True):
            grads, part_state = part.update(grads, part_state, params)
            states.append(part_state)
        return grads, tuple(states)

    return GradientTransformation(init, update)


def sgd(
    learning_rate: Scalar | Schedule = 1e-3,
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
) -> GradientTransformation:
    r"""Gradient descent, with momentum: $b \leftarrow \mu b + g$ and $\Delta = -\eta b$.

    Nesterov's form steps along $g + \mu b$ instead of $b$. Equal to `torch.optim.SGD`.

    Args:
        learning_rate (real, ()): Step size $\eta$: a number, a 0-d tensor or a schedule.
        momentum: Decay $\mu \ge 0$ of the sum of gradients.
        nesterov: Whether to look ahead; needs momentum.
        weight_decay: Coefficient $\ge 0$ of the parameters in the gradient; not decoupled.

    Returns:
        Pair `(init, update)`.

    Raises:
        TypeError: If a hyper-parameter is of the wrong kind.
        ValueError: If one is out of range, a learning rate not 0-d, or `nesterov` lacks momentum.

    Transforms:
        vmap (over parameters, gradients and learning rates), grad, jvp, hessian.

    Examples:
        >>> opt = sgd(0.1, momentum=0.9)
        >>> state = opt.init(torch.tensor([1.0]))
        >>> updates, state = opt.update(torch.tensor([1.0]), state)
        >>> opt.update(torch.tensor([1.0]), state)[0]
        tensor([-0.1900])

    References:
        Polyak (1964); Sutskever et al. (2013), On the importance of initialization and momentum.
    """
    if nesterov and not momentum:
        need, remedy = "be used with momentum", "Give `momentum=0.9`, say."
        raise ValueError(message("sgd", "nesterov", nesterov, need, "momentum=0", remedy))
    return chain(
        _add_decayed_weights("sgd", weight_decay),
        _accumulate("sgd", momentum, nesterov),
        _scale_by_learning_rate("sgd", learning_rate),
    )


def adam(
    learning_rate: Scalar | Schedule = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> GradientTransformation:
    r"""Adam: steps $-\eta\,\hat m / (\sqrt{\hat v} + \epsilon)$ of nearly constant size.

    Here $m$ and $v$ are running averages of the gradient and of its square with decays
    $\beta_1, \beta_2$, and $\hat m = m / (1 - \beta_1^t)$, $\hat v = v / (1 - \beta_2^t)$.
    Equal to `torch.optim.Adam`; derivatives stay finite where a gradient has always been 0.

    Args:
        learning_rate (real, ()): Step size $\eta$: a number, a 0-d tensor or a schedule.
        betas: Decays $(\beta_1, \beta_2)$, each in [0, 1).
        eps: Floor $\epsilon \ge 0$ of the denominator.
        weight_decay: Coefficient $\ge 0$ of the parameters in the gradient; `adamw` decouples it.

    Returns:
        Pair `(init, update)`.

    Raises:
        TypeError: If a hyper-parameter is of the wrong kind.
        ValueError: If a hyper-parameter is out of range, or a learning rate not 0-d.

    Transforms:
        vmap (over parameters, gradients and learning rates), grad, jvp, hessian.

    Examples:
        >>> opt = adam(0.1)
        >>> grads = {"x": torch.tensor([3.0, -0.5, 0.0])}
        >>> opt.update(grads, opt.init(grads))[0]
        {'x': tensor([-0.1000,  0.1000, -0.0000])}

    References:
        Kingma and Ba (2015), Adam: a method for stochastic optimization, algorithm 1.
    """
    return chain(
        _add_decayed_weights("adam", weight_decay),
        _scale_by_adam("adam", betas, eps),
        _scale_by_learning_rate("adam", learning_rate),
    )


def adamw(
    learning_rate: Scalar | Schedule = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 1e-2,
) -> GradientTransformation:
    r"""Adam with decoupled weight decay: steps $-\eta (\hat m/(\sqrt{\hat v} + \epsilon) + w p)$.

    The decay $w p$ is added to Adam's direction and not to the gradient. Equal to
    `torch.optim.AdamW`.

    Args:
        learning_rate (real, ()): Step size $\eta$: a number, a 0-d tensor or a schedule.
        betas: Decays $(\beta_1, \beta_2)$, each in [0, 1).
        eps: Floor $\epsilon \ge 0$ of the denominator.
        weight_decay: Coefficient $w \ge 0$ of the parameters.

    Returns:
        Pair `(init, update)`; unless `weight_decay` is 0, `update` needs `params`.

    Raises:
        TypeError: If a hyper-parameter is of the wrong kind; from `update`, without `params`.
        ValueError: If a hyper-parameter is out of range, or a learning rate not 0-d.

    Transforms:
        vmap (over parameters, gradients and learning rates), grad, jvp, hessian.

    Examples:
        >>> opt, params = adamw(0.1, weight_decay=0.5), torch.tensor([2.0, -2.0])
        >>> opt.update(torch.tensor([1.0, 0.0]), opt.init(params), params)[0]
        tensor([-0.2000,  0.1000])

    References:
        Loshchilov and Hutter (2019), Decoupled weight decay regularization, algorithm 2.
    """
    return chain(
        _scale_by_adam("adamw", betas, eps),
        _add_decayed_weights("adamw", weight_decay),
        _scale_by_learning_rate("adamw", learning_rate),
    )


def rmsprop(
    learning_rate: Scalar | Schedule = 1e-2,
    alpha: float = 0.99,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    momentum: float = 0.0,
    centered: bool = False,
) -> GradientTransformation:
    r"""RMSprop: steps $-\eta\,g / (\sqrt v + \epsilon)$ with $v$ a running average of $g^2$.

    The centered form subtracts the square of the average gradient from $v$. Momentum acts on the
    scaled gradient. Equal to `torch.optim.RMSprop`.

    Args:
        learning_rate (real, ()): Step size $\eta$: a number, a 0-d tensor or a schedule.
        alpha: Decay of the averages, in [0, 1).
        eps: Floor $\epsilon \ge 0$ of the denominator.
        weight_decay: Coefficient $\ge 0$ of the parameters in the gradient; not decoupled.
        momentum: Decay $\ge 0$ of the sum of scaled gradients.
        centered: Whether to divide by the standard deviation instead of the root mean square.

    Returns:
        Pair `(init, update)`.

    Raises:
        TypeError: If a hyper-parameter is of the wrong kind.
        ValueError: If a hyper-parameter is out of range, or a learning rate not 0-d.

    Transforms:
        vmap (over parameters, gradients and learning rates), grad, jvp, hessian.

    Examples:
        >>> opt = rmsprop(0.01, alpha=0.75)
        >>> grads = torch.tensor([8.0, -0.125])
        >>> opt.update(grads, opt.init(grads))[0]
        tensor([-0.0200,  0.0200])

    References:
        Tieleman and Hinton (2012), lecture 6.5; Graves (2013), arXiv:1308.0850, section 4.2.
    """
    return chain(
        _add_decayed_weights("rmsprop", weight_decay),
        _scale_by_rms(alpha, eps, centered),
        _accumulate("rmsprop", momentum),
        _scale_by_learning_rate("rmsprop", learning_rate),
    )


def clip_by_global_norm(max_norm: float) -> GradientTransformation:
    r"""Shrink gradients $g$ by $\min(1, c / \lVert g \rVert)$, one norm for the whole tree.

    Args:
        max_norm: Largest Euclidean norm $c \ge 0$ of all leaves together.

    Returns:
        Pair `(init, update)`; under vmap every member has its own norm.

    Raises:
        TypeError: If `max_norm` is no number.
        ValueError: If `max_norm` is negative or not finite.

    Transforms:
        vmap, grad, jvp, hessian; finite where the gradients are 0.

    Examples:
        >>> grads = {"a": torch.tensor([3.0]), "b": torch.tensor(4.0)}
        >>> clip_by_global_norm(1.0).update(grads, ())[0]
        {'a': tensor([0.6000]), 'b': tensor(0.8000)}

    References:
        Pascanu, Mikolov and Bengio (2013), algorithm 1.
    """
    check_number("clip_by_global_norm", "max_norm", max_norm)

    def clip(grads: PyTree, _: PyTree) -> PyTree:
        norm = _sqrt(torch.stack([leaf.square().sum() for leaf in tree_leaves(grads)]).sum())
        factor = (max_norm / norm).clamp(max=1)
        return tree_map(lambda leaf: leaf * factor, grads)

    return _stateless(clip)


def clip_by_value(max_value: float) -> GradientTransformation:
    r"""Clamp every entry of the gradients to $[-c, c]$.

    Args:
        max_value: Largest absolute value $c \ge 0$.

    Returns:
        Pair `(init, update)`.

    Raises:
        TypeError: If `max_value` is no number.
        ValueError: If `max_value` is negative or not finite.

    Transforms:
        vmap, grad, jvp, hessian; the derivative is 0 where an entry is cut.

    Examples:
        >>> clip_by_value(1.0).update(torch.tensor([-3.0, 0.5]), ())[0]
        tensor([-1.0000,  0.5000])
    """
    check_number("clip_by_value", "max_value", max_value)
    return _stateless(lambda gs, _: tree_map(lambda g: g.clamp(-max_value, max_value), gs))


def scale(factor: Scalar) -> GradientTransformation:
    """Multiply gradients by a factor.

    Args:
        factor (real, ()): Number, or 0-d tensor of the gradients' dtype and device.

    Returns:
        Pair `(init, update)`.

    Raises:
        TypeError: If `factor` is not real; from `update`, if its dtype or device differs.
        ValueError: If `factor` is a tensor that is not 0-d, or a number that is not finite.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in the factor and the gradients.

    Examples:
        >>> scale(-0.5).update(torch.tensor([4.0]), ())[0]
        tensor([-2.])
    """
    _check_scalar("scale", "factor", factor, low=-math.inf)
    return _stateless(lambda grads, _: tree_map(lambda g: _times(g, factor), grads))


def constant_schedule(value: Scalar) -> Schedule:
    """Schedule with the same value at every step.

    Args:
        value (real, ()): Number or tensor.

    Returns:
        Function from steps (real, any shape) to values (real, same shape).

    Raises:
        TypeError: From the schedule, if the step is not a real tensor.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in the value.

    Examples:
        >>> constant_schedule(0.1)(torch.arange(3.0))
        tensor([0.1000, 0.1000, 0.1000])
    """

    def schedule(step: Tensor) -> Tensor:
        check_real("constant_schedule(...)", "step", step)
        return torch.zeros_like(step) + value

    return schedule


def exponential_schedule(init_value: Scalar, transition_steps: int, decay_rate: Scalar) -> Schedule:
    r"""Schedule $v\,r^{t/T}$: a factor `decay_rate` every `transition_steps` steps.

    With `transition_steps=1`, equal to `torch.optim.lr_scheduler.ExponentialLR`.

    Args:
        init_value (real, ()): Value $v$ at step 0.
        transition_steps: Number of steps $T \ge 1$ that one factor takes.
        decay_rate (real, ()): Factor $r > 0$.

    Returns:
        Function from steps (real, any shape) to values (real, same shape).

    Raises:
        TypeError: If `transition_steps` is not an int; from the schedule, if the step is not
            a real tensor.
        ValueError: If `transition_steps` is below 1.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in both values.

    Examples:
        >>> exponential_schedule(0.8, 10, 0.5)(torch.tensor([0.0, 10.0, 20.0]))
        tensor([0.8000, 0.4000, 0.2000])
    """
    check_count("exponential_schedule", "transition_steps", transition_steps, minimum=1)

    def schedule(step: Tensor) -> Tensor:
        check_real("exponential_schedule(...)", "step", step)
        return init_value * decay_rate ** (step / transition_steps)

    return schedule


def cosine_schedule(init_value: Scalar, decay_steps: int, alpha: Scalar = 0.0) -> Schedule:
    r"""Schedule $v (\alpha + (1 - \alpha) \tfrac12 (1 + \cos(\pi t / T)))$, constant after $T$.

    Up to step $T$, equal to `torch.optim.lr_scheduler.CosineAnnealingLR`.

    Args:
        init_value (real, ()): Value $v$ at step 0.
        decay_steps: Number of steps $T \ge 1$ to the end.
        alpha (real, ()): Final value as a fraction of `init_value`.

    Returns:
        Function from steps (real, any shape) to values (real, same shape).

    Raises:
        TypeError: If `decay_steps` is not an int; from the schedule, if the step is not
            a real tensor.
        ValueError: If `decay_steps` is below 1.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in both values.

    Examples:
        >>> cosine_schedule(1.0, 10)(torch.tensor([0.0, 5.0, 10.0, 15.0]))
        tensor([1.0000, 0.5000, 0.0000, 0.0000])

    References:
        Loshchilov and Hutter (2017), SGDR, equation 5.
    """
    check_count("cosine_schedule", "decay_steps", decay_steps, minimum=1)

    def schedule(step: Tensor) -> Tensor:
        check_real("cosine_schedule(...)", "step", step)
        progress = (step[..., None] / decay_steps).clamp(0, 1)
        fraction = alpha + (1 - alpha) * 0.5 * (1 + torch.cos(math.pi * progress))
        return (init_value * fraction)[..., 0]

    return schedule


def warmup_cosine_schedule(
    init_value: Scalar,
    peak_value: Scalar,
    warmup_steps: int,
    decay_steps: int,
    end_value: Scalar = 0.0,
) -> Schedule:
    r"""Schedule that rises linearly to a peak and falls along a cosine to its end.

    Args:
        init_value (real, ()): Value at step 0.
        peak_value (real, ()): Value at step `warmup_steps`.
        warmup_steps: Number of rising steps; 0 starts at the peak.
        decay_steps: Number of all steps, rising ones included; more than `warmup_steps`.
        end_value (real, ()): Value from step `decay_steps` on.

    Returns:
        Function from steps (real, any shape) to values (real, same shape).

    Raises:
        TypeError: If a number of steps is not an int; from the schedule, if the step is not
            a real tensor.
        ValueError: If `warmup_steps` is negative, or `decay_steps` does not exceed it.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in the three values.

    Examples:
        >>> warmup_cosine_schedule(0.0, 1.0, 10, 30)(torch.tensor([0.0, 5.0, 10.0, 20.0, 30.0]))
        tensor([0.0000, 0.5000, 1.0000, 0.5000, 0.0000])

    References:
        Goyal et al. (2017), arXiv:1706.02677, section 2.2; Loshchilov and Hutter (2017), SGDR.
    """
    name = "warmup_cosine_schedule"
    check_count(name, "warmup_steps", warmup_steps)
    check_count(name, "decay_steps", decay_steps, minimum=warmup_steps + 1)
    fall = cosine_schedule(1.0, decay_steps - warmup_steps)

    def schedule(step: Tensor) -> Tensor:
        check_real(f"{name}(...)", "step", step)
        rising = (step / max(warmup_steps, 1)).clamp(0, 1)
        rise = init_value + (peak_value - init_value) * rising
        descent = end_value + (peak_value - end_value) * fall(step - warmup_steps)
        return torch.where(step < warmup_steps, rise, descent)

    return schedule


def _stateless(transform: Callable[[PyTree, PyTree], PyTree]) -> GradientTransformation:
    """Make a transformation of a function from gradients and parameters to updates."""

    def init(params: PyTree) -> PyTree:
        flatten("init", "params", params)
        return ()

    def update(grads: PyTree, state: PyTree, params: PyTree = None) -> tuple[PyTree, PyTree]:
        flatten("update", "grads", grads)
        if type(state) is not tuple or state:
            raise _state_error("be the empty tuple", state)
        return transform(grads, params), state

    return GradientTransformation(init, update)


def _recurrence(n_averages: int, rule: Callable[[Tensor], Leafwise]) -> GradientTransformation:
    """Make a transformation of a rule for one leaf.

    `rule(step)`, with the number of steps including this one, gives a function that maps a
    gradient's leaf and its averages to the update's leaf and its new averages.
    """

    def init(params: PyTree) -> PyTree:
        leaves, _ = flatten("init", "params", params)
        averages = tuple(tree_map(torch.zeros_like, params) for _ in range(n_averages))
        return RecurrenceState(leaves[0].new_zeros(()), averages)

    def update(grads: PyTree, state: PyTree, params: PyTree = None) -> tuple[PyTree, PyTree]:
        del params
        leaves, structure = flatten("update", "grads", grads)
        if not isinstance(state, RecurrenceState) or len(state.averages) != n_averages:
            raise _state_error(f"be a RecurrenceState with {n_averages} averages", state)
        olds = (flatten_like("update", "grads", grads, "state", tree) for tree in state.averages)
        step = state.step + 1
        news = zip(*starmap(rule(step), zip(leaves, *olds, strict=True)), strict=True)
        updates, *averages = (tree_unflatten(column, structure) for column in news)
        return updates, RecurrenceState(step, tuple(averages))

    return GradientTransformation(init, update)


def _scale_by_adam(function: str, betas: Any, eps: float) -> GradientTransformation:
    """Divide the corrected average gradient by its corrected root mean square."""
    if not isinstance(betas, tuple | list) or len(betas) != 2:
        remedy = "Give `betas=(0.9, 0.999)`, say."
        raise kind_error(function, "betas", betas, "be a pair of numbers", remedy)
    for beta in betas:
        check_number(function, "betas", beta, high=1.0)
    check_number(function, "eps", eps)
    b1, b2 = betas
    log1, log2 = (math.log(beta) if beta else -math.inf for beta in betas)

    def rule(step: Tensor) -> Leafwise:
        # 1 - beta**step by expm1: the plain difference loses half of float32's digits.
        c1, c2 = -torch.expm1(step * log1), -torch.expm1(step * log2)

        def leafwise(g: Tensor, m: Tensor, v: Tensor) -> tuple[Tensor, ...]:
            m, v = torch.lerp(m, g, 1 - b1), torch.lerp(v, g.square(), 1 - b2)
            return m / c1 / (_sqrt(v / c2) + eps), m, v

        return leafwise

    return _recurrence(2, rule)


def _scale_by_rms(alpha: float, eps: float, centered: bool) -> GradientTransformation:
    """Divide gradients by their root mean square or, centered, their standard deviation."""
    check_number("rmsprop", "alpha", alpha, high=1.0)
    check_number("rmsprop", "eps", eps)

    def plain(g: Tensor, v: Tensor) -> tuple[Tensor, ...]:
        v = torch.lerp(v, g.square(), 1 - alpha)
        return g / (_sqrt(v) + eps), v

    def center(g: Tensor, v: Tensor, m: Tensor) -> tuple[Tensor, ...]:
        v, m = torch.lerp(v, g.square(), 1 - alpha), torch.lerp(m, g, 1 - alpha)
        return g / (_sqrt(v - m.square()) + eps), v, m

    return _recurrence(2, lambda _: center) if centered else _recurrence(1, lambda _: plain)


def _accumulate(function: str, momentum: float, nesterov: bool = False) -> GradientTransformation:
    """Sum gradients with decay `momentum`; 0 is the identity."""
    check_number(function, "momentum", momentum)

    def leafwise(g: Tensor, b: Tensor) -> tuple[Tensor, ...]:
        b = torch.add(g, b, alpha=momentum)
        return torch.add(g, b, alpha=momentum) if nesterov else b, b

    return _recurrence(1, lambda _: leafwise) if momentum else chain()


def _add_decayed_weights(function: str, weight_decay: float) -> GradientTransformation:
    """Add `weight_decay * params` to the gradients; 0 is the identity."""
    check_number(function, "weight_decay", weight_decay)

    def decay(grads: PyTree, params: PyTree) -> PyTree:
        if params is None:
            need, remedy = "be given for weight decay", "Call `update(grads, state, params)`."
            raise TypeError(message("update", "params", params, need, "None", remedy))
        flatten_like("update", "grads", grads, "params", params)
        return tree_map(lambda g, p: torch.add(g, p, alpha=weight_decay), grads, params)

    return _stateless(decay) if weight_decay else chain()


def _scale_by_learning_rate(
    function: str, learning_rate: Scalar | Schedule
) -> GradientTransformation:
    """Multiply by minus the learning rate; a schedule is read at the number of steps before."""
    if not callable(learning_rate):
        _check_scalar(function, "learning_rate", learning_rate)
        return scale(-learning_rate)

    def rule(step: Tensor) -> Leafwise:
        rate = learning_rate(step - 1)
        _check_scalar("update", "learning_rate", rate, low=-math.inf)
        return lambda g: (_times(g, -rate),)

    return _recurrence(0, rule)


def _sqrt(value: Tensor) -> Tensor:
    """Square root with derivative 0 at 0, where the true one is infinite and would give NaN."""
    return value.clamp(min=torch.finfo(value.dtype).tiny).sqrt()


def _times(leaf: Tensor, factor: Scalar) -> Tensor:
    """Multiply without promotion: a tensor factor must have the leaf's dtype and device."""
    if isinstance(factor, Tensor):
        common_dtype_and_device("update", (leaf, factor))
    return leaf * factor


def _state_error(need: str, state: PyTree) -> TypeError:
    """Error for a state that another optimiser made."""
    remedy = "Pass the state that this optimiser's `init` or last `update` returned."
    got = a_kind(state)
    return TypeError(message("update", "state", outline(state), need, got, remedy))


def _check_scalar(function: str, argument: str, value: object, low: float = 0.0) -> None:
    """Check that a value is a number from `low` on or a real 0-d tensor."""
    if not isinstance(value, Tensor):
        check_number(function, argument, value, low)
        return
    check_real(function, argument, value)
    if value.ndim:
        remedy = "Map a function of one value over many with `torch.func.vmap`."
        raise shape_error(function, argument, value, "be a number or a 0-d tensor", remedy)
