"""Optimisers as chains; hyper-parameters and their defaults are those of `torch.optim`."""

import math
from typing import Any

import torch
from torch import Tensor

from quilt_func._checks import check_number, kind_error, message
from quilt_func._parameter_trees import flatten_like
from quilt_func._torch import tree_map
from quilt_func.optim.transformations import (
    GradientTransformation,
    Leafwise,
    chain,
    check_scalar,
    recurrence,
    scale,
    sqrt,
    stateless,
    times,
)
from quilt_func.typing import PyTree, Scalar, Schedule


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
        scale_by_learning_rate("sgd", learning_rate),
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
        scale_by_learning_rate("adam", learning_rate),
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
        scale_by_learning_rate("adamw", learning_rate),
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
        scale_by_learning_rate("rmsprop", learning_rate),
    )


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
            return m / c1 / (sqrt(v / c2) + eps), m, v

        return leafwise

    return recurrence(2, rule)


def _scale_by_rms(alpha: float, eps: float, centered: bool) -> GradientTransformation:
    """Divide gradients by their root mean square or, centered, their standard deviation."""
    check_number("rmsprop", "alpha", alpha, high=1.0)
    check_number("rmsprop", "eps", eps)

    def leafwise(g: Tensor, v: Tensor, *means: Tensor) -> tuple[Tensor, ...]:
        v = torch.lerp(v, g.square(), 1 - alpha)
        means = tuple(torch.lerp(mean, g, 1 - alpha) for mean in means)
        spread = v - means[0].square() if centered else v
        return g / (sqrt(spread) + eps), v, *means

    return recurrence(1 + bool(centered), lambda _: leafwise)


def _accumulate(function: str, momentum: float, nesterov: bool = False) -> GradientTransformation:
    """Sum gradients with decay `momentum`; 0 is the identity."""
    check_number(function, "momentum", momentum)

    def leafwise(g: Tensor, b: Tensor) -> tuple[Tensor, ...]:
        b = torch.add(g, b, alpha=momentum)
        return torch.add(g, b, alpha=momentum) if nesterov else b, b

    return recurrence(1, lambda _: leafwise) if momentum else chain()


def _add_decayed_weights(function: str, weight_decay: float) -> GradientTransformation:
    """Add `weight_decay * params` to the gradients; 0 is the identity."""
    check_number(function, "weight_decay", weight_decay)

    def decay(grads: PyTree, params: PyTree) -> PyTree:
        if params is None:
            need, remedy = "be given for weight decay", "Call `update(grads, state, params)`."
            raise TypeError(message("update", "params", params, need, "None", remedy))
        flatten_like("update", "grads", grads, "params", params)
        return tree_map(lambda g, p: torch.add(g, p, alpha=weight_decay), grads, params)

    return stateless(decay) if weight_decay else chain()


def scale_by_learning_rate(
    function: str, learning_rate: Scalar | Schedule
) -> GradientTransformation:
    """Multiply by minus the learning rate; a schedule is read at the number of steps before."""
    if not callable(learning_rate):
        check_scalar(function, "learning_rate", learning_rate)
        return scale(-learning_rate)

    def rule(step: Tensor) -> Leafwise:
        rate = learning_rate(step - 1)
        check_scalar("update", "learning_rate", rate, low=-math.inf)
        return lambda g: (times(g, -rate),)

    return recurrence(0, rule)
