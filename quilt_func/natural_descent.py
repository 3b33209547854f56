"""Descent in the geometry of states: the natural gradient, and imaginary time.

>>> from quilt_func import circuit, expval, optim, pauli_sum, ry
>>> def state(theta):
...     return circuit(1, ry(theta, 0))()
>>> opt = optim.chain(natural_gradient(state, damping=0.0), optim.sgd(0.1))
>>> theta = torch.tensor(0.5)
>>> grads = torch.func.grad(lambda t: expval(state(t), pauli_sum({"Z": 1.0})))(theta)
>>> opt.update(grads, opt.init(theta), theta)[0] / grads  # the metric is 1/4
tensor(-0.4000)
"""

import itertools
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.func import grad, vmap

from quilt_func._checks import (
    check_chunk_size,
    check_count,
    check_function,
    check_is,
    check_number,
    describe,
    message,
)
from quilt_func._model_checks import StateFn, check_observable, returning_state
from quilt_func._parameter_trees import flatten, flatten_like, join, outline, ravel
from quilt_func._torch import matmul, own_precision, tree_leaves, tree_map
from quilt_func.fisher import classical_fisher, fubini_study, qfi_blocks, qfi_diagonal, qfi_vp
from quilt_func.optim import GradientTransformation
from quilt_func.typing import ObservableLike, PyTree

ModelFn = Callable[..., Tensor]
Geometry = Callable[[Callable[[StateFn], PyTree]], PyTree]
"""What gives the mean over data of a function of `state_fn`; without data its value."""


def natural_gradient(
    state_fn: ModelFn,
    damping: float = 1e-3,
    *,
    data: PyTree = None,
    metric: str = "full",
    blocks: Sequence[Sequence[int]] | None = None,
    cg_steps: int = 20,
    chunk_size: int | None = None,
) -> GradientTransformation:
    r"""Turn gradients into $(g + λ)^{-1} ∇L$, with $g$ the Fubini-Study metric of a state.

    A step along it is steepest descent in the space of states, whatever the parameters are.
    Chain it with an optimiser: `optim.chain(natural_gradient(state_fn), optim.sgd(0.1))`.

    The metric of a model with data is the mean of its samples' metrics: give samples as `data`, and
    a function of parameters and one sample.

    Cost of an update: `"full"`, `"blocks"` and `"diagonal"` take one forward-mode run per
    parameter, in one call, and the first two solve linear systems; `"cg"` takes one forward-mode
    and one reverse-mode run per step of conjugate gradients, and holds no matrix. All of that for
    each sample, in one call or `chunk_size` samples at once.

    Args:
        state_fn: Function from parameters, and one sample if there are data, to a normalised
            state, (complex, (2**n_qubits,)).
        damping: Number $λ \ge 0$ that is added to the metric's diagonal. At 0 the inverse is the
            pseudo-inverse: no step along directions that move the state by less than rounding.
            Larger ones make shorter and safer steps; 1e-3 to 1e-1 is common.
        data: Tree of tensors whose first axis is samples.
        metric: "full"; "blocks", of one leaf each unless `blocks` tells; "diagonal"; or "cg", the
            full one by products.
        blocks: Sets of places that share a block of `metric="blocks"`, in traversal order of the
            leaves: `[range(0, 4), range(4, 8)]` for two layers of four angles. All places once.
        cg_steps: Number of steps of conjugate gradients; as many as parameters solve exactly.
        chunk_size: Number of samples at once, which bounds memory; default: all.

    Returns:
        Pair `(init, update)`; `update` needs `params`.

    Raises:
        TypeError: If an argument is of the wrong kind; from `update`, without `params`, or if
            `state_fn` does not return a complex tensor.
        ValueError: If a number is out of range, `metric` unknown, `blocks` given for another
            metric, or `data` without samples; from `update`, if `state_fn` returns a batch of
            states instead of one, or `blocks` are not all places once.

    Transforms:
        vmap (over parameters and gradients), grad, jvp.

    Examples:
        >>> from quilt_func import circuit, ry
        >>> opt = natural_gradient(lambda p: circuit(1, ry(p, 0))(), damping=0.25)
        >>> theta = torch.tensor(0.5)
        >>> opt.update(torch.tensor(1.0), opt.init(theta), theta)[0]
        tensor(2.)
        >>> xs = torch.tensor([1.0, 3.0])  # metrics 1/4 and 9/4
        >>> opt = natural_gradient(lambda p, x: circuit(1, ry(p * x, 0))(), data=xs, damping=0.0)
        >>> opt.update(torch.tensor(1.0), opt.init(theta), theta)[0]
        tensor(0.8000)

    References:
        Amari (1998), Neural Computation 10, 251; Stokes, Izaac, Killoran and Carleo (2020),
        Quantum 4, 269, also for blocks.
    """
    name = "natural_gradient"
    check_number(name, "damping", damping)
    check_count(name, "cg_steps", cg_steps, minimum=1)
    if metric not in _SOLVERS:
        need, remedy = f"be one of {', '.join(map(repr, _SOLVERS))}", "Choose one of these."
        raise ValueError(message(name, "metric", metric, need, repr(metric), remedy))
    if blocks is not None and metric != "blocks":
        need, got = 'be left out of another metric than "blocks"', repr(metric)
        raise ValueError(message(name, "blocks", blocks, need, got, 'Give `metric="blocks"`.'))
    mean = _mean_over(name, state_fn, data, chunk_size, partial(returning_state, name))
    further: dict[str, dict[str, Any]] = {"blocks": {"blocks": blocks}, "cg": {"n_steps": cg_steps}}
    options = {"damping": damping, **further.get(metric, {})}
    return _preconditioned(partial(_SOLVERS[metric], mean, **options))


def classical_natural_gradient(
    probs_fn: ModelFn,
    damping: float = 1e-3,
    *,
    data: PyTree = None,
    chunk_size: int | None = None,
) -> GradientTransformation:
    r"""Turn gradients into $(F + λ)^{-1} ∇L$, with $F$ the Fisher information of probabilities.

    A step along it is steepest descent in the space of what is measured; where `natural_gradient`
    looks at states. $F$ is at most 4 times the Fubini-Study metric, so that a rate of 1 here goes
    with one of 1/4 there.

    Args:
        probs_fn: Function from parameters, and one sample if there are data, to probabilities,
            (real, (n_outcomes,)).
        damping: Number $λ \ge 0$ that is added to the diagonal; the pseudo-inverse at 0.
        data: Tree of tensors whose first axis is samples: $F$ is the mean over them.
        chunk_size: Number of samples at once, which bounds memory; default: all.

    Returns:
        Pair `(init, update)`; `update` needs `params`.

    Raises:
        TypeError: If an argument is of the wrong kind; from `update`, without `params`.
        ValueError: If a number is out of range, or `data` without samples.

    Transforms:
        vmap (over parameters and gradients), grad, jvp.

    Examples:
        >>> from quilt_func import circuit, probs, ry
        >>> opt = classical_natural_gradient(lambda p: probs(circuit(1, ry(p, 0))()), damping=1.0)
        >>> theta = torch.tensor(0.5)
        >>> opt.update(torch.tensor(1.0), opt.init(theta), theta)[0]
        tensor(0.5000)

    References:
        Amari (1998), Neural Computation 10, 251.
    """
    name = "classical_natural_gradient"
    check_number(name, "damping", damping)
    check_function(name, "probs_fn", probs_fn)
    mean = _mean_over(name, probs_fn, data, chunk_size, lambda fn: fn)

    def solve(params: PyTree, slope: Tensor) -> Tensor:
        return _damped_solve(mean(lambda fn: classical_fisher(fn, params)), slope, damping)

    return _preconditioned(solve)


def _preconditioned(solve: Callable[[PyTree, Tensor], Tensor]) -> GradientTransformation:
    """A transformation of what solves for a step, from parameters and the flat gradient."""

    def init(params: PyTree) -> PyTree:
        flatten("init", "params", params)
        return ()

    def update(grads: PyTree, state: PyTree, params: PyTree = None) -> tuple[PyTree, PyTree]:
        if params is None:
            need, remedy = "be given for the metric", "Call `update(grads, state, params)`."
            raise TypeError(message("update", "params", params, need, "None", remedy))
        _, unravel = ravel("update", "grads", grads)
        flat = join(flatten_like("update", "params", params, "grads", grads))
        return unravel(solve(params, flat)), state

    return GradientTransformation(init, update)


def varqite(
    state_fn: StateFn,
    observable: ObservableLike,
    params: PyTree,
    time: float,
    n_steps: int,
    *,
    damping: float = 1e-6,
) -> PyTree:
    r"""Parameters after imaginary time: the path that best follows $e^{-Hτ}|ψ⟩$, normalised.

    By McLachlan's principle $\dot θ = -\tfrac12 (g + λ)^{-1} ∇⟨H⟩$ with the Fubini-Study metric
    $g$: the natural gradient with a rate of 1/2. Integrated by Runge and Kutta's fourth-order
    method; where the ansatz can follow, the error is of the order of the step to the fourth.

    Cost of a step: four gradients and four metrics, one forward-mode run per parameter each.

    Args:
        state_fn: Function from parameters to a normalised state, (complex, (2**n_qubits,)).
        observable: Hamiltonian $H$: a Pauli sum, Hermitian or diagonal observable, or a dict that
            `pauli_sum` would take.
        params: Tree of real tensors to start from.
        time: Imaginary time τ > 0 in all, in the inverse units of $H$.
        n_steps: Number of steps, at least 1.
        damping: Number $λ \ge 0$ that is added to the metric's diagonal.

    Returns:
        Tree like `params` with leaves (real, `(n_steps + 1, *leaf.shape)`): the path, start
        included.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If a number is out of range, or the observable acts on other qubits.

    Transforms:
        vmap, grad, jvp.

    Examples:
        >>> from quilt_func import circuit, pauli_sum, ry
        >>> def state(theta):
        ...     return circuit(1, ry(theta, 0))()
        >>> path = varqite(state, pauli_sum({"Z": 1.0}), torch.tensor(0.1), time=3.0, n_steps=20)
        >>> path.shape, expval(state(path[-1]), pauli_sum({"Z": 1.0}))
        (torch.Size([21]), tensor(-0.9951))

    References:
        McArdle et al. (2019), npj Quantum Information 5, 75; Yuan, Endo, Zhao, Li and Benjamin
        (2019), Quantum 3, 191.
    """
    check_number("varqite", "time", time)
    check_number("varqite", "damping", damping)
    check_count("varqite", "n_steps", n_steps, minimum=1)
    flat, unravel = ravel("varqite", "params", params)
    checked = returning_state("varqite", state_fn)
    h = time / n_steps

    def energy(vector: Tensor) -> Tensor:
        state = checked(unravel(vector))
        n_qubits = state.shape[0].bit_length() - 1
        return check_observable("varqite", observable, n_qubits).expectation(state)

    def velocity(vector: Tensor) -> Tensor:
        slope = grad(energy)(vector)
        matrix = fubini_study(state_fn, unravel(vector))
        return -0.5 * _damped_solve(matrix, slope, damping)

    path = [flat]
    for _ in range(n_steps):
        start = path[-1]
        first = velocity(start)
        second = velocity(start + h / 2 * first)
        third = velocity(start + h / 2 * second)
        fourth = velocity(start + h * third)
        path.append(start + h / 6 * (first + 2 * second + 2 * third + fourth))
    return vmap(unravel)(torch.stack(path))


def _mean_over(
    function: str,
    model: ModelFn,
    data: PyTree,
    chunk_size: int | None,
    checked: Callable[[StateFn], StateFn],
) -> Geometry:
    """The mean over samples of a function of the model of one."""
    check_chunk_size(function, chunk_size)
    if data is None:
        alone = checked(model)
        return lambda found: found(alone)
    checked(model)
    _check_samples(function, data)

    def mean(found: Callable[[StateFn], PyTree]) -> PyTree:
        def of_one(x: PyTree) -> PyTree:
            return found(checked(lambda params: model(params, x)))

        each = vmap(of_one, chunk_size=chunk_size)(data)
        return tree_map(lambda leaf: leaf.mean(0), each)

    return mean


def _check_samples(function: str, data: PyTree) -> None:
    need, remedy = "be tensors whose first axis is samples", "Stack the samples: `torch.stack(xs)`."
    sizes = set()
    for leaf in tree_leaves(data) or [None]:
        check_is(function, "data", leaf, Tensor, need, remedy)
        sizes.add(leaf.shape[0] if leaf.ndim else 0)
    if len(sizes) != 1 or 0 in sizes:
        got = describe(outline(data))
        raise ValueError(message(function, "data", outline(data), need, got, remedy))


def _solve_full(mean: Geometry, params: PyTree, slope: Tensor, *, damping: float) -> Tensor:
    return _damped_solve(mean(lambda fn: fubini_study(fn, params)), slope, damping)


def _solve_blocks(
    mean: Geometry,
    params: PyTree,
    slope: Tensor,
    *,
    damping: float,
    blocks: Sequence[Sequence[int]] | None,
) -> Tensor:
    if blocks is not None:
        _check_blocks(blocks, len(slope))
    matrices = mean(lambda fn: qfi_blocks(fn, params, blocks))
    places = list(torch.arange(len(slope), device=slope.device).split([*map(len, matrices)]))
    if blocks is not None:
        places = [torch.tensor([*block], device=slope.device) for block in blocks]
    pairs = zip(matrices, places, strict=True)
    parts = [_damped_solve(matrix / 4, slope[place], damping) for matrix, place in pairs]
    return torch.cat(parts)[torch.cat(places).argsort()]


def _check_blocks(blocks: Sequence[Sequence[int]], n: int) -> None:
    need, remedy = f"hold each place of range({n}) once", "Leave no parameter out."
    try:
        is_complete = sorted(itertools.chain(*blocks)) == list(range(n))
    except TypeError:
        is_complete = False
    if not is_complete:
        got = describe(blocks)
        raise ValueError(message("natural_gradient", "blocks", blocks, need, got, remedy))


def _damped_solve(matrix: Tensor, slope: Tensor, damping: float) -> Tensor:
    if not damping:
        tolerance = math.sqrt(torch.finfo(slope.dtype).eps)
        with own_precision(matrix.device):
            inverse: Tensor = torch.linalg.pinv(matrix, rtol=tolerance, hermitian=True)
        return matmul(inverse, slope)
    identity = torch.eye(len(slope), dtype=slope.dtype, device=slope.device)
    # rules of `torch.linalg.solve` are silently wrong under `vmap(hessian)` and `jacfwd(jacfwd)`
    return matmul(torch.linalg.inv(matrix + damping * identity), slope)


def _solve_diagonal(mean: Geometry, params: PyTree, slope: Tensor, *, damping: float) -> Tensor:
    diagonal = join(tree_leaves(mean(lambda fn: qfi_diagonal(fn, params))))
    if damping:
        return slope / (diagonal / 4 + damping)
    is_felt = diagonal > math.sqrt(torch.finfo(slope.dtype).eps) * diagonal.amax()
    return torch.where(is_felt, slope / torch.where(is_felt, diagonal / 4, 1.0), 0.0)


def _solve_by_products(
    mean: Geometry, params: PyTree, slope: Tensor, *, damping: float, n_steps: int
) -> Tensor:
    _, unravel = ravel("update", "params", params)

    def product(vector: Tensor) -> Tensor:
        found = join(tree_leaves(mean(lambda fn: qfi_vp(fn, params, unravel(vector)))))
        return found / 4 + damping * vector

    return conjugate_gradients(product, slope, n_steps)


def conjugate_gradients(product: Callable[[Tensor], Tensor], right: Tensor, n_steps: int) -> Tensor:
    """Solve `product(x) = right` for a symmetric, positive product, in a fixed number of steps.

    Steps after the residual has vanished, but for rounding, change nothing.

    References:
        Hestenes and Stiefel (1952), J. Res. Natl. Bur. Stand. 49, 409.
    """
    found, residual, direction = torch.zeros_like(right), right, right
    size = right.square().sum()
    least = size * (4 * torch.finfo(right.dtype).eps) ** 2
    for _ in range(n_steps):
        image = product(direction)
        step = _ratio(size, matmul(direction, image))
        found, residual = found + step * direction, residual - step * image
        left = residual.square().sum()
        new_size = torch.where(left > least, left, 0.0)
        direction, size = residual + _ratio(new_size, size) * direction, new_size
    return found


def _ratio(a: Tensor, b: Tensor) -> Tensor:
    """The quotient, or 0 where the divisor is 0."""
    is_zero = b.abs() <= torch.finfo(b.dtype).tiny
    return torch.where(is_zero, 0.0, a / torch.where(is_zero, 1.0, b))


_SOLVERS: dict[str, Callable[..., Tensor]] = {
    "full": _solve_full,
    "blocks": _solve_blocks,
    "diagonal": _solve_diagonal,
    "cg": _solve_by_products,
}
