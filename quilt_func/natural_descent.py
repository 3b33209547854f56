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

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.func import grad, vmap

from quilt_func._checks import check_count, check_number, message
from quilt_func._model_checks import StateFn, check_observable, returning_state
from quilt_func._parameter_trees import flatten, flatten_like, join, ravel
from quilt_func._torch import matmul, own_precision, tree_leaves
from quilt_func.fisher import fubini_study, qfi_blocks, qfi_diagonal, qfi_vp
from quilt_func.optim import GradientTransformation
from quilt_func.typing import Observable, PyTree

Solver = Callable[[StateFn, PyTree, Tensor, float], Tensor]


def natural_gradient(
    state_fn: StateFn, damping: float = 1e-3, *, metric: str = "full", cg_steps: int = 20
) -> GradientTransformation:
    r"""Turn gradients into $(g + λ)^{-1} ∇L$, with $g$ the Fubini-Study metric of a state.

    A step along it is steepest descent in the space of states, whatever the parameters are.
    Chain it with an optimiser: `optim.chain(natural_gradient(state_fn), optim.sgd(0.1))`.

    Cost of an update: `"full"`, `"blocks"` and `"diagonal"` take one forward-mode run per
    parameter, in one call, and the first two solve linear systems; `"cg"` takes one forward-mode
    and one reverse-mode run per step of conjugate gradients, and holds no matrix.

    Args:
        state_fn: Function from parameters to a normalised state, (complex, (2**n_qubits,)).
        damping: Number $λ \ge 0$ that is added to the metric's diagonal. At 0 the inverse is the
            pseudo-inverse: no step along directions that move the state by less than rounding.
            Larger ones make shorter and safer steps; 1e-3 to 1e-1 is common.
        metric: "full"; "blocks", of one leaf each; "diagonal"; or "cg", the full one by products.
        cg_steps: Number of steps of conjugate gradients; as many as parameters solve exactly.

    Returns:
        Pair `(init, update)`; `update` needs `params`.

    Raises:
        TypeError: If `damping` or `cg_steps` is of the wrong kind; from `update`, without
            `params`, or if `state_fn` does not return a complex tensor.
        ValueError: If `damping` is negative, `cg_steps` less than 1 or `metric` unknown; from
            `update`, if `state_fn` returns a batch of states instead of one.

    Transforms:
        vmap (over parameters and gradients), grad, jvp.

    Examples:
        >>> from quilt_func import circuit, ry
        >>> opt = natural_gradient(lambda p: circuit(1, ry(p, 0))(), damping=0.25)
        >>> theta = torch.tensor(0.5)
        >>> opt.update(torch.tensor(1.0), opt.init(theta), theta)[0]
        tensor(2.)

    References:
        Amari (1998), Neural Computation 10, 251; Stokes, Izaac, Killoran and Carleo (2020),
        Quantum 4, 269.
    """
    checked = returning_state("natural_gradient", state_fn)
    check_number("natural_gradient", "damping", damping)
    check_count("natural_gradient", "cg_steps", cg_steps, minimum=1)
    solvers: dict[str, Solver] = {
        "full": _solve_full,
        "blocks": _solve_blocks,
        "diagonal": _solve_diagonal,
        "cg": partial(_solve_by_products, n_steps=cg_steps),
    }
    if metric not in solvers:
        need, remedy = f"be one of {', '.join(map(repr, solvers))}", "Choose one of these."
        raise ValueError(message("natural_gradient", "metric", metric, need, repr(metric), remedy))

    def init(params: PyTree) -> PyTree:
        flatten("init", "params", params)
        return ()

    def update(grads: PyTree, state: PyTree, params: PyTree = None) -> tuple[PyTree, PyTree]:
        if params is None:
            need, remedy = "be given for the metric", "Call `update(grads, state, params)`."
            raise TypeError(message("update", "params", params, need, "None", remedy))
        _, unravel = ravel("update", "grads", grads)
        flat = join(flatten_like("update", "params", params, "grads", grads))
        return unravel(solvers[metric](checked, params, flat, damping)), state

    return GradientTransformation(init, update)


def varqite(
    state_fn: StateFn,
    observable: Observable,
    params: PyTree,
    time: float,
    n_steps: int,
    *,
    damping: float = 1e-6,
) -> PyTree:
    r"""Imaginary time: the parameters' path that follows $e^{-Hτ}|ψ⟩$, normalised, best.

    By McLachlan's principle $\dot θ = -\tfrac12 (g + λ)^{-1} ∇⟨H⟩$ with the Fubini-Study metric
    $g$: the natural gradient with a rate of 1/2. Integrated by Runge and Kutta's fourth-order
    method; where the ansatz can follow, the error is of the order of the step to the fourth.

    Cost of a step: four gradients and four metrics, one forward-mode run per parameter each.

    Args:
        state_fn: Function from parameters to a normalised state, (complex, (2**n_qubits,)).
        observable: Hamiltonian $H$: a Pauli sum, Hermitian or diagonal observable.
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
        return -0.5 * _solve_full(state_fn, unravel(vector), slope, damping)

    path = [flat]
    for _ in range(n_steps):
        start = path[-1]
        first = velocity(start)
        second = velocity(start + h / 2 * first)
        third = velocity(start + h / 2 * second)
        fourth = velocity(start + h * third)
        path.append(start + h / 6 * (first + 2 * second + 2 * third + fourth))
    return vmap(unravel)(torch.stack(path))


def _solve_full(state_fn: StateFn, params: PyTree, slope: Tensor, damping: float) -> Tensor:
    return _damped_solve(fubini_study(state_fn, params), slope, damping)


def _solve_blocks(state_fn: StateFn, params: PyTree, slope: Tensor, damping: float) -> Tensor:
    blocks = qfi_blocks(state_fn, params)
    parts = slope.split([len(block) for block in blocks])
    pairs = zip(blocks, parts, strict=True)
    return torch.cat([_damped_solve(block / 4, part, damping) for block, part in pairs])


def _damped_solve(matrix: Tensor, slope: Tensor, damping: float) -> Tensor:
    if not damping:
        tolerance = math.sqrt(torch.finfo(slope.dtype).eps)
        with own_precision(matrix.device):
            inverse: Tensor = torch.linalg.pinv(matrix, rtol=tolerance, hermitian=True)
        return matmul(inverse, slope)
    identity = torch.eye(len(slope), dtype=slope.dtype, device=slope.device)
    # rules of `torch.linalg.solve` are silently wrong under `vmap(hessian)` and `jacfwd(jacfwd)`
    return matmul(torch.linalg.inv(matrix + damping * identity), slope)


def _solve_diagonal(state_fn: StateFn, params: PyTree, slope: Tensor, damping: float) -> Tensor:
    diagonal = join(tree_leaves(qfi_diagonal(state_fn, params)))
    if damping:
        return slope / (diagonal / 4 + damping)
    is_felt = diagonal > math.sqrt(torch.finfo(slope.dtype).eps) * diagonal.amax()
    return torch.where(is_felt, slope / torch.where(is_felt, diagonal / 4, 1.0), 0.0)


def _solve_by_products(
    state_fn: StateFn, params: PyTree, slope: Tensor, damping: float, n_steps: int
) -> Tensor:
    _, unravel = ravel("update", "params", params)

    def product(vector: Tensor) -> Tensor:
        found = join(tree_leaves(qfi_vp(state_fn, params, unravel(vector))))
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
