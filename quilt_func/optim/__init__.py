r"""Optimisers as pairs of pure functions: `init(params)` and `update(grads, state, params)`.

`update` returns `(updates, state)`, and the updates are added: `apply_updates(params, updates)`.
Parameters are any pytree of float32 or float64 tensors. Nothing is changed in place and states
hold only tensors, so a training step vmaps over an ensemble and differentiates as it stands:

    >>> import torch
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

from quilt_func.optim.coordinates import rotosolve
from quilt_func.optim.methods import Method, SearchState, with_line_search
from quilt_func.optim.minibatches import Epochs, epochs
from quilt_func.optim.minimisation import Minimisation, Progress, minimise
from quilt_func.optim.optimisers import (
    adam,
    adamw,
    rmsprop,
    sgd,
)
from quilt_func.optim.quantum_spsa import MetricState, qnspsa
from quilt_func.optim.quasi_newton import CurvatureState, lbfgs
from quilt_func.optim.random_directions import (
    DirectionsState,
    forward_gradient,
    with_forward_gradient,
    with_spsa,
)
from quilt_func.optim.schedules import (
    constant_schedule,
    cosine_schedule,
    exponential_schedule,
    joined_schedule,
    linear_schedule,
    piecewise_schedule,
    power_schedule,
    warmup_cosine_schedule,
)
from quilt_func.optim.transformations import (
    GradientTransformation,
    RecurrenceState,
    apply_updates,
    chain,
    clip_by_global_norm,
    clip_by_value,
    ravel,
    scale,
)

__all__ = [
    "CurvatureState",
    "DirectionsState",
    "Epochs",
    "GradientTransformation",
    "Method",
    "MetricState",
    "Minimisation",
    "Progress",
    "RecurrenceState",
    "SearchState",
    "adam",
    "adamw",
    "apply_updates",
    "chain",
    "clip_by_global_norm",
    "clip_by_value",
    "constant_schedule",
    "cosine_schedule",
    "epochs",
    "exponential_schedule",
    "forward_gradient",
    "joined_schedule",
    "lbfgs",
    "linear_schedule",
    "minimise",
    "piecewise_schedule",
    "power_schedule",
    "qnspsa",
    "ravel",
    "rmsprop",
    "rotosolve",
    "scale",
    "sgd",
    "warmup_cosine_schedule",
    "with_forward_gradient",
    "with_line_search",
    "with_spsa",
]
