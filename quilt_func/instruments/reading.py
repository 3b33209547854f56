"""What is read of branches: probabilities, means over outcomes, and values under a condition."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.func import vmap

from quilt_func._checks import check_function, check_is, common_dtype_and_device, is_density
from quilt_func._density_measurement import expectation, populations
from quilt_func._model_checks import check_observable
from quilt_func._torch import tree_leaves
from quilt_func.instruments.branch_walk import norms
from quilt_func.instruments.conditions import Bits, keys_and_condition, truth_of
from quilt_func.instruments.running import Branches
from quilt_func.typing import ObservableLike


class Conditioned(NamedTuple):
    """A mean among the outcomes that meet a condition.

    Attributes:
        value (real, ()): The mean; NaN where there is no such outcome.
        probability (real, ()): That the condition is met.

    Examples:
        >>> from quilt_func import circuit, h, instruments, measure, pauli_sum, run_branches
        >>> branches = run_branches(circuit(1, h(0), measure(0, "m")))
        >>> instruments.conditional_expval(branches, pauli_sum({"Z": 1.0}), "m", 1)
        Conditioned(value=tensor(-1.), probability=tensor(0.5000))
    """

    value: Tensor
    probability: Tensor


def branch_probabilities(branches: Branches) -> Tensor:
    """Probability of each branch; after `postselect`, that of the branch and of what was kept.

    Args:
        branches: From `run_branches` or `run_density_branches`.

    Returns:
        (real, (n_branches,)): Squared norms, or traces.

    Raises:
        TypeError: If `branches` is of another kind.

    Transforms:
        vmap, grad, jvp, hessian.

    Examples:
        >>> from quilt_func import circuit, measure, run_branches, ry
        >>> branches = run_branches(circuit(1, ry(0.5, 0), measure(0, "m")))
        >>> branch_probabilities(branches)
        tensor([0.9388, 0.0612])
    """
    _check("branch_probabilities", branches)
    if branches.states.ndim == 2:
        return norms(branches.states)
    found: Tensor = vmap(populations)(branches.states).sum(-1)
    return found


def branch_expval(branches: Branches, observable: ObservableLike) -> Tensor:
    """Expectation value of each branch times its probability: their sum is the mean.

    Args:
        branches: From `run_branches` or `run_density_branches`.
        observable: A Pauli sum, Hermitian or diagonal observable.

    Returns:
        (real, (n_branches,)): `probability * value` of each branch.

    Raises:
        TypeError: If `branches` or `observable` is of another kind, or dtypes or devices differ.
        ValueError: If the observable acts on another number of qubits.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in the states and in the observable's leaves.

    Examples:
        >>> from quilt_func import circuit, measure, pauli_sum, run_branches, ry
        >>> branches = run_branches(circuit(1, ry(0.5, 0), measure(0, "m")))
        >>> branch_expval(branches, pauli_sum({"Z": 1.0})).sum()
        tensor(0.8776)

    References:
        Nielsen and Chuang (2010), section 2.2.5.
    """
    _check("branch_expval", branches)
    return _values("branch_expval", branches, observable)


def branch_mean(branches: Branches, fn: Callable[[Tensor, Bits], Tensor]) -> Tensor:
    """Sum over branches of a function of the state and of the bits.

    It is the mean over outcomes if the function is one of the state as `expval` is: a squared norm
    goes through it as a factor. Multiply by any function of the bits.

    Args:
        branches: From `run_branches` or `run_density_branches`.
        fn: Function of a branch's state (complex, (2**n,)) and bits (int64, (n_wires,) by key).

    Returns:
        The sum, of the shape that `fn` returns.

    Raises:
        TypeError: If `branches` is of another kind, or `fn` can't be called.

    Transforms:
        vmap, grad, jvp, hessian.

    Examples:
        >>> from quilt_func import circuit, expval, h, measure, pauli_sum, run_branches
        >>> branches, z = run_branches(circuit(1, h(0), measure(0, "m"))), pauli_sum({"Z": 1.0})
        >>> branch_mean(branches, lambda state, bits: expval(state, z) * (1 - 2 * bits["m"][0]))
        tensor(1.0000)
    """
    _check("branch_mean", branches)
    check_function("branch_mean", "fn", fn)
    found: Tensor = vmap(fn)(branches.states, branches.bits).sum(0)
    return found


def conditional_expval(
    branches: Branches,
    observable: ObservableLike,
    key: str | Sequence[str] | None = None,
    value: int | Sequence[int] | Callable[[Tensor], Tensor] = 1,
) -> Conditioned:
    """Expectation value among the outcomes that meet a condition, and how likely that is.

    Args:
        branches: From `run_branches` or `run_density_branches`.
        observable: A Pauli sum, Hermitian or diagonal observable.
        key: Key of a measurement, or several; default: all branches, such as after `postselect`.
        value: What the bits must be, as `conditional` takes it.

    Returns:
        The value, a ratio taken here, and the probability. Where that is 0 the value is NaN, with
        derivatives of 0.

    Raises:
        TypeError: If `branches` or `observable` is of another kind, or dtypes or devices differ.
        ValueError: If the observable acts on another number of qubits, nothing was measured under
            the key, or `value` is not one of its bits.

    Transforms:
        vmap, grad, jvp, hessian.

    Examples:
        >>> import torch
        >>> from torch.func import grad
        >>> from quilt_func import circuit, cx, h, pauli_sum, postselect, run_branches, rx
        >>> def value(x):
        ...     c = circuit(2, h(0), cx(0, 1), rx(x, 1), postselect(1, 1))
        ...     return conditional_expval(run_branches(c), pauli_sum({"ZI": 1.0})).value
        >>> grad(value)(torch.tensor(0.512))  # of -cos(x)
        tensor(0.4899)

    References:
        Nielsen and Chuang (2010), section 2.2.3.
    """
    function = "conditional_expval"
    _check(function, branches)
    values = _values(function, branches, observable)
    probabilities = branch_probabilities(branches)
    if key is not None:
        keys, condition = keys_and_condition(function, key, value)
        holds = truth_of(function, branches.bits, keys, condition)
        values, probabilities = (torch.where(holds, one, 0.0) for one in (values, probabilities))
    probability = probabilities.sum()
    is_possible = probability > 0
    ratio = values.sum() / torch.where(is_possible, probability, 1.0)
    return Conditioned(torch.where(is_possible, ratio, torch.nan), probability)


def _values(function: str, branches: Branches, given: ObservableLike) -> Tensor:
    """`probability * value` of each branch."""
    states = branches.states
    observable = check_observable(function, given, states.shape[-1].bit_length() - 1)
    leaves = (leaf for leaf in tree_leaves(observable) if isinstance(leaf, Tensor))
    common_dtype_and_device(function, (states, *leaves))

    def one(state: Tensor) -> Tensor:
        return (
            expectation(state, observable) if is_density(state) else observable.expectation(state)
        )

    found: Tensor = vmap(one)(states)
    return found


def _check(function: str, branches: object) -> None:
    remedy = "Make them with `run_branches(circuit)`."
    check_is(function, "branches", branches, Branches, "be branches", remedy)
