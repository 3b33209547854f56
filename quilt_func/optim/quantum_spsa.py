"""The natural gradient from values alone: gradient and metric along random directions."""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.func import vmap

from quilt_func._checks import check_number, check_positive, shape_error
from quilt_func._model_checks import StateFn, returning_state
from quilt_func._parameter_trees import check_real, ravel
from quilt_func._shifted_runs import signs_of
from quilt_func._torch import is_differentiated, matmul, own_precision
from quilt_func.optim.methods import LossFn, Method
from quilt_func.optim.transformations import check_scalar, times
from quilt_func.states import fidelity
from quilt_func.typing import PyTree, Scalar, Schedule


class MetricState(NamedTuple):
    """What `qnspsa` remembers.

    Attributes:
        step (real, ()): Number of steps taken.
        metric (real, (n, n)): Mean of the metrics estimated so far, and of the identity.

    Examples:
        >>> from quilt_func import circuit, ry
        >>> from quilt_func.optim import qnspsa
        >>> qnspsa(lambda p: circuit(1, ry(p, 0))()).init(torch.tensor(0.1))
        MetricState(step=tensor(0.), metric=tensor([[1.]]))
    """

    step: Tensor
    metric: Tensor


def qnspsa(
    state_fn: StateFn,
    learning_rate: Scalar | Schedule = 1e-2,
    *,
    step: float = 1e-2,
    regularisation: float = 1e-3,
    max_rise: float | None = None,
) -> Method:
    r"""Quantum natural SPSA: steps $-η\,G^{-1} \hat g$, gradient and metric along random signs.

    With signs $a, b$ and the fidelity $F$ of the states at $θ$ and at others, a step's metric is
    $-\frac{δF}{8 c^2}(a b^T + b a^T)$, $δF = F(c(a+b)) - F(ca) - F(c(b-a)) + F(-ca)$: the
    Fubini-Study metric in the mean. $\bar g$ is the mean over all steps so far and the identity,
    and $G = (\sqrt{\bar g^2} + β) / (1 + β)$ is positive.

    Cost of a step, however many parameters there are: three values, one more with `max_rise`, and
    five states; and the eigenvectors of an `(n, n)` matrix.

    Args:
        state_fn: Function from parameters to a normalised state, (complex, (2**n_qubits,)).
        learning_rate (real, ()): Step size $η$: a number, a 0-d tensor or a schedule.
        step: Distance $c > 0$ in each parameter.
        regularisation: Number $β \ge 0$ that keeps $G$ from being singular.
        max_rise: A step that raises the loss by more is not taken; default: all are.

    Returns:
        A method for `minimise`, which takes uniform numbers, (real, `(n_steps, 3, n)`), or
        `(n_steps, k, 3, n)` for means of `k` estimates: for the gradient, $a$ and $b$.

    Raises:
        TypeError: If an argument is of the wrong kind, or it is differentiated through.
        ValueError: If a number is out of range, or the shape of `u` does not fit.

    Transforms:
        vmap (over parameters and uniform numbers).

    Examples:
        >>> from quilt_func import circuit, expval, pauli_sum, ry, uniforms
        >>> from quilt_func.optim import minimise
        >>> def state(p):
        ...     return circuit(2, ry(p, [0, 1]))()
        >>> energy = lambda p: expval(state(p), pauli_sum({"ZI": 1.0, "IZ": 1.0}))
        >>> u = uniforms((60, 3, 2), 0)
        >>> found = minimise(energy, torch.tensor([0.5, 0.8]), qnspsa(state, 0.05), 60, u=u)
        >>> found.losses[-1] < -1.9
        tensor(True)

    References:
        Gacon, Zoufal, Carleo and Woerner (2021), Quantum 5, 567.
    """
    checked = returning_state("qnspsa", state_fn)
    check_number("qnspsa", "step", step)
    check_positive("qnspsa", "step", step, "Give a distance between parameters.")
    check_number("qnspsa", "regularisation", regularisation)
    if max_rise is not None:
        check_number("qnspsa", "max_rise", max_rise)
    if not callable(learning_rate):
        check_scalar("qnspsa", "learning_rate", learning_rate)

    def init(params: PyTree) -> PyTree:
        flat, _ = ravel("init", "params", params)
        identity = torch.eye(len(flat), dtype=flat.dtype, device=flat.device)
        return MetricState(flat.new_zeros(()), identity)

    def one_step(
        loss: LossFn, params: PyTree, state: PyTree, u: Any
    ) -> tuple[PyTree, PyTree, Tensor]:
        flat, unravel = ravel("qnspsa", "params", params)
        if is_differentiated(flat):
            # eigenvectors of the first metrics, nearly the identity, have no derivative
            raise TypeError(
                "qnspsa(): steps have no gradient, but the parameters are being differentiated. "
                "Use `params.detach()`, or `natural_gradient` where the gradient is wanted."
            )
        signs = signs_of(_draws(u, len(flat)), flat)
        value = loss(params)
        slope, metric = _estimates(
            lambda p: loss(unravel(p)), lambda p: checked(unravel(p)), flat, signs, step
        )
        # the identity is the first of step + 1 matrices that the mean is over
        metric = torch.lerp(state.metric, metric, 1 / (state.step + 2))
        rate = learning_rate(state.step) if callable(learning_rate) else learning_rate
        moved = flat - times(_solved(metric, slope, regularisation), rate)
        if max_rise is not None:
            moved = torch.where(loss(unravel(moved)) <= value + max_rise, moved, flat)
        return unravel(moved), MetricState(state.step + 1, metric), value

    return Method(init, one_step, lambda params: (3, len(ravel("minimise", "params", params)[0])))


def _estimates(
    loss: LossFn, state_fn: StateFn, flat: Tensor, signs: Tensor, step: float
) -> tuple[Tensor, Tensor]:
    """Means of estimated gradients and metrics, for signs (k, 3, n)."""
    here = state_fn(flat)

    def estimated(rows: Tensor) -> tuple[Tensor, Tensor]:
        along, a, b = (row * step for row in rows.unbind())
        slope = (loss(flat + along) - loss(flat - along)) / (2 * along)
        moves = torch.stack([a + b, a, b - a, -a])
        near = vmap(lambda move: fidelity(here, state_fn(flat + move)))(moves)
        curvature = (near[0] - near[1] - near[2] + near[3]) / (8 * step**4)
        return slope.to(flat.dtype), -curvature * (torch.outer(a, b) + torch.outer(b, a))

    slopes, metrics = vmap(estimated)(signs)
    return slopes.mean(0), metrics.mean(0)


def _solved(metric: Tensor, slope: Tensor, regularisation: float) -> Tensor:
    """The solution of the positive system that a metric makes; pseudo-inverse at 0."""
    with own_precision(metric.device):
        values, vectors = torch.linalg.eigh(metric)
    size = (values.abs() + regularisation) / (1 + regularisation)
    least = size.amax() * torch.finfo(size.dtype).eps
    factors = torch.where(size > least, 1 / size.clamp(min=least), 0.0)
    return matmul(vectors, factors * matmul(vectors.mT, slope))


def _draws(u: Any, n: int) -> Tensor:
    remedy = f"Draw them with `uniforms((n_steps, 3, {n}), seed)`."
    check_real("qnspsa", "u", u, remedy)
    rows: Tensor = u[None] if u.ndim == 2 else u
    if rows.ndim != 3 or tuple(rows.shape[1:]) != (3, n) or not len(rows):
        need = f"have shape (3, {n}) or (k, 3, {n}) at each step"
        raise shape_error("qnspsa", "u", u, need, remedy)
    return rows
