r"""Minimise a cost over bit strings with a circuit, from many starts at once.

A circuit spreads probability over strings; an objective turns probabilities and costs into one
number that falls as cheap strings gain. Exactly, it sees the costs of all $2^n$ strings, and the
least of them could be read off; from samples, it asks for the costs of those that it met.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.func import grad_and_value, vmap

from quilt_func._checks import (
    COMPLEX_OF,
    check_chunk_size,
    check_count,
    check_is,
    check_number,
    check_positive,
    check_tensor,
    common_dtype_and_device,
    describe,
    message,
)
from quilt_func._parameter_trees import flatten, outline, ravel
from quilt_func._torch import matmul, tree_map
from quilt_func.circuits import circuit
from quilt_func.diagonals import Cost, checked_cost, to_diagonal, z_coefficients
from quilt_func.measurement import probs, sample
from quilt_func.observables import Diagonal
from quilt_func.optim import GradientTransformation, adam, apply_updates
from quilt_func.pauli import PauliSum, SumLike, as_sum
from quilt_func.states import uniforms
from quilt_func.typing import AnsatzFn, PyTree

Objective: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""From probabilities `(k,)` and costs `(k,)` to one number."""

Ask: TypeAlias = Callable[[Tensor], Tensor]

_Found: TypeAlias = tuple[Tensor, Tensor, tuple[Tensor, ...], Tensor, PyTree]
"""Of each start the string and its probability, the strings asked for; the trace, parameters."""


def mean_cost(probabilities: Tensor, costs: Tensor) -> Tensor:
    """Mean of the costs: the energy of a variational eigensolver.

    Args:
        probabilities (real, (k,)): Probabilities, which add up to 1.
        costs (real, (k,)): Costs.

    Returns:
        (real, ()): Mean.

    Raises:
        TypeError: If one is not a real tensor, or dtypes or devices differ.
        ValueError: If the shapes differ.

    Transforms:
        vmap, grad, jvp, hessian.

    Examples:
        >>> mean_cost(torch.tensor([0.25, 0.75]), torch.tensor([4.0, 8.0]))
        tensor(7.)

    References:
        Peruzzo et al. (2014), Nat. Commun. 5, 4213.
    """
    _check_outcomes("mean_cost", probabilities, costs)
    return matmul(probabilities, costs)


def _check_outcomes(function: str, probabilities: Any, costs: Any) -> None:
    """Check the probabilities of outcomes and their costs."""
    remedy = "Give one number for each outcome; map over many with `torch.func.vmap`."
    check_tensor(function, "probabilities", probabilities, COMPLEX_OF, ("k",), remedy)
    check_tensor(function, "costs", costs, COMPLEX_OF, tuple(probabilities.shape), remedy)
    common_dtype_and_device(function, (probabilities, costs))


def cvar(alpha: float = 0.25) -> Objective:
    """Mean of the cheapest share `alpha` of the outcomes, the conditional value at risk.

    Args:
        alpha: Share in (0, 1]; 1 is the mean of all.

    Returns:
        Objective, a function of probabilities and costs. Its derivatives jump where the share
        begins to take in another cost.

    Raises:
        TypeError: If `alpha` is no number; from the objective, if probabilities or costs are not
            real tensors of one precision.
        ValueError: If `alpha` is not in (0, 1]; from the objective, if shapes differ.

    Transforms:
        vmap, grad, jvp, hessian, of the objective.

    Examples:
        >>> cvar(0.5)(torch.tensor([0.25, 0.75]), torch.tensor([4.0, 8.0]))
        tensor(6.)

    References:
        Barkoutsos, Nannicini, Robert, Tavernelli and Woerner (2020), Quantum 4, 256.
    """
    check_number("cvar", "alpha", alpha)
    if not 0 < alpha <= 1:
        need, remedy = "be in (0, 1]", "Give the share of outcomes that count."
        raise ValueError(message("cvar", "alpha", alpha, need, describe(alpha), remedy))

    def objective(probabilities: Tensor, costs: Tensor) -> Tensor:
        _check_outcomes("cvar", probabilities, costs)
        ordered, order = costs.sort()
        p = probabilities[order]
        weights = torch.minimum(p, (alpha - (p.cumsum(0) - p)).clamp(min=0.0))
        return matmul(weights / alpha, ordered)

    return objective


def gibbs(eta: float = 1.0) -> Objective:
    r"""Gibbs objective $-\ln \langle e^{-\eta C} \rangle / \eta$: the mean for small $\eta$.

    Args:
        eta: Positive inverse temperature, in reciprocal units of the cost. Keep it times the
            range of the costs below 80 in float32 and 700 in float64.

    Returns:
        Objective, a function of probabilities and costs, in units of the cost.

    Raises:
        TypeError: If `eta` is no number; from the objective, as for `cvar`.
        ValueError: If `eta` is not positive and finite; from the objective, as for `cvar`.

    Transforms:
        vmap, grad, jvp, hessian, of the objective.

    Examples:
        >>> gibbs(100.0)(torch.tensor([0.5, 0.5]), torch.tensor([0.0, 0.1]))
        tensor(0.0069)

    References:
        Li, Fan, Coram, Riley and Leichenauer (2020), Phys. Rev. Research 2, 023074.
    """
    check_number("gibbs", "eta", eta, low=-math.inf)
    check_positive("gibbs", "eta", eta, "Give the inverse of a typical difference of costs.")

    def objective(probabilities: Tensor, costs: Tensor) -> Tensor:
        _check_outcomes("gibbs", probabilities, costs)
        least = costs.amin(0, keepdim=True)
        # of a small eta, all means are nearly 1
        lost = (probabilities * (-eta * (costs - least)).expm1()).sum(0, keepdim=True)
        return (least - (lost / probabilities.sum(0, keepdim=True)).log1p() / eta)[0]

    return objective


@dataclass(frozen=True)
class Minimised:
    """What `minimise_bitstring` found.

    Attributes:
        bits: The most probable string of the start whose string is cheapest; of strings or starts
            that tie, the first.
        cost: Its cost.
        probability: Its probability; from samples, its share of the last samples.
        n_asked: Number of distinct strings whose cost was asked for, by all starts together;
            exactly, all of them.
        n_lowest: How many of these have the lowest cost of them: above 1, solutions tie.
        is_exact: Whether probabilities were exact, or estimated from samples.
        strings: The most probable string of each start.
        costs (real, (n_starts,)): Their costs.
        probabilities (real, (n_starts,)): Their probabilities.
        trace (real, (n_steps, n_starts)): Objective before every step; from samples, the mean of
            the two values that gave the step.
        asked: From samples: the strings' indices (int64) in the order in which each start first
            asked for them. Exact: empty.
        params: Stacked parameters after the last step.

    Examples:
        >>> from quilt_func import diagonal, ry, uniforms
        >>> problem = diagonal(torch.tensor([3.0, 1.0, 2.0, 4.0]))
        >>> angles = 6.28 * uniforms((8, 2), 0)
        >>> found = minimise_bitstring(problem, lambda theta: ry(theta, range(2)), angles)
        >>> found.bits, found.cost, found.n_asked, found.is_exact
        ('01', 1.0, 4, True)
    """

    bits: str
    cost: float
    probability: float
    n_asked: int
    n_lowest: int
    is_exact: bool
    strings: tuple[str, ...]
    costs: Tensor
    probabilities: Tensor
    trace: Tensor
    asked: tuple[Tensor, ...]
    params: PyTree


def minimise_bitstring(
    problem: Diagonal | SumLike | Cost,
    ansatz: AnsatzFn,
    params: PyTree,
    *,
    n_qubits: int | None = None,
    objective: Objective = mean_cost,
    optimiser: GradientTransformation | None = None,
    n_steps: int = 50,
    shots: int | None = None,
    seed: int = 0,
    step: float = 0.1,
    chunk_size: int | None = None,
) -> Minimised:
    r"""Minimise a cost over bit strings: train a circuit, and take its most probable string.

    Exactly (`shots=None`), gradients are those of the objective of all $2^n$ probabilities. From
    samples, they are SPSA's: $[f(p + cΔ) - f(p - cΔ)] / (2c)\; Δ$ with random signs $Δ$ and
    `shots` samples a side, because samples have no gradient of their own.

    Args:
        problem: Diagonal observable, Pauli sum of I and Z, or a dict that `pauli_sum` would take;
            or a function from strings such as "010" to numbers, which is called once for each
            string that is asked for.
        ansatz: Function from one start's parameters to circuit parts.
        params (real, (n_starts, ...)): Tree of stacked parameters; all starts train at once.
        n_qubits: Length of the strings, where `problem` is a function.
        objective: `mean_cost`, `cvar(alpha)`, `gibbs(eta)`, or a function of probabilities and
            costs, both `(k,)`; samples come with probabilities of 1 / shots.
        optimiser: Default: `adam(0.1)`.
        n_steps: Number of steps.
        shots: Samples for one value of the objective; None is exact.
        seed: Of the uniform numbers that samples and signs are made of.
        step: SPSA's distance $c$, in radians.
        chunk_size: How many starts are simulated at a time; None is all.

    Returns:
        The best string and how it was found, a `Minimised`.

    Raises:
        TypeError: If an argument is of the wrong kind, or precisions or devices differ.
        ValueError: If parameters are not stacked, a cost or the objective is NaN or infinite, or a
            number is out of range.

    Transforms:
        None: call it outside of them. It uses vmap and grad itself.

    Examples:
        >>> from quilt_func import ansatz, uniforms
        >>> starts = 3 * uniforms((4, 1, 3, 2), 0)
        >>> def cost(bits):
        ...     return -int(bits, 2)
        >>> found = minimise_bitstring(
        ...     cost, ansatz.hardware_efficient, starts, n_qubits=3, shots=16, n_steps=40
        ... )
        >>> found.bits, found.is_exact
        ('111', False)

    References:
        Spall (1992), IEEE Transactions on Automatic Control 37, 332 (SPSA).
    """
    check_count("minimise_bitstring", "n_steps", n_steps, minimum=1)
    check_chunk_size("minimise_bitstring", chunk_size)
    if optimiser is not None:
        need, remedy = "be a gradient transformation", "Write `optim.adam(0.1)`."
        check_is("minimise_bitstring", "optimiser", optimiser, GradientTransformation, need, remedy)
    first = _stacked(params)
    ask, n = _asker(problem, n_qubits, first)

    def state(one: PyTree) -> Tensor:
        return circuit(n, ansatz(one))()

    descend = partial(_descend, params, optimiser or adam(0.1), n_steps, objective)
    if shots is None:
        table = ask(torch.arange(2**n, device=first.device))
        return _summary(n, ask, *_exact(state, objective, table, descend, chunk_size))
    check_count("minimise_bitstring", "shots", shots, minimum=1)
    check_positive("minimise_bitstring", "step", step, "Give a distance in radians.")
    start = tree_map(lambda leaf: leaf[0], params)
    flat, unravel = ravel("minimise_bitstring", "params", start)
    u = uniforms((n_steps + 1, len(first), 2 * shots + len(flat)), seed).to(first)
    draws, turns = u.split([2 * shots, len(flat)], -1)
    signs = torch.where(turns < 0.5, -1.0, 1.0).to(first)
    shifts = vmap(vmap(unravel))(step * signs)
    samples = vmap(vmap(lambda one, u: sample(state(one), u)), chunk_size=chunk_size)
    return _summary(n, ask, *_sampled(samples, objective, ask, descend, draws, shifts))


def _exact(
    state: Callable[[PyTree], Tensor],
    objective: Objective,
    table: Tensor,
    descend: Callable[..., Any],
    chunk_size: int | None,
) -> _Found:
    """Search by gradients of the objective of all probabilities."""
    value = grad_and_value(lambda one: objective(probs(state(one)), table))
    gradients = vmap(value, chunk_size=chunk_size)
    params, trace, _ = descend(lambda params, _: (*gradients(params), None))
    likeliest = vmap(lambda one: probs(state(one)).max(0), chunk_size=chunk_size)
    probabilities, indices = likeliest(params)
    return indices, probabilities, (), trace, params


def _sampled(
    samples: Callable[[PyTree, Tensor], Tensor],
    objective: Objective,
    ask: Ask,
    descend: Callable[..., Any],
    draws: Tensor,
    shifts: PyTree,
) -> _Found:
    """Search by SPSA; `derivatives.spsa` maps its function, but costs are asked for in Python."""
    shots = draws.shape[-1] // 2
    equal = draws.new_full((shots,), 1 / shots)
    values_of = vmap(vmap(objective, (None, 0)), (None, 0))

    def gradients(params: PyTree, number: int) -> tuple[PyTree, Tensor, Tensor]:
        shift = tree_map(lambda leaf: leaf[number], shifts)
        ends = tree_map(lambda p, s: torch.stack([p + s, p - s], 1), params, shift)
        indices = samples(ends, draws[number].unflatten(1, (2, -1)))
        values = values_of(equal, ask(indices))
        rises = values[:, 0] - values[:, 1]
        grads = vmap(lambda rise, one: tree_map(lambda s: rise / (2 * s), one))(rises, shift)
        return grads, values.mean(1), indices.flatten(1)

    params, trace, asked = descend(gradients)
    last = samples(tree_map(lambda leaf: leaf[:, None], params), draws[-1][:, None])[:, 0]
    modes = last.mode(1).values
    shares = (last == modes[:, None]).to(draws).mean(1)
    return modes, shares, tuple(map(_distinct, torch.cat([*asked, last], 1))), trace, params


def _descend(
    params: PyTree,
    optimiser: GradientTransformation,
    n_steps: int,
    objective: Objective,
    gradients: Callable[[PyTree, int], tuple[PyTree, Tensor, Tensor | None]],
) -> tuple[PyTree, Tensor, list[Tensor | None]]:
    """Parameters after the last step, values of all steps, and indices asked for."""
    opt_state, seen = vmap(optimiser.init)(params), []
    for number in range(n_steps):
        grads, *found = gradients(params, number)
        updates, opt_state = vmap(optimiser.update)(grads, opt_state, params)
        params = apply_updates(params, updates)
        seen.append(found)
    values, indices = zip(*seen, strict=True)
    trace = torch.stack(values)
    is_finite = trace.isfinite().all(1)
    if not bool(is_finite.all()):
        place = int(is_finite.logical_not().nonzero()[0])
        name = getattr(objective, "__qualname__", type(objective).__name__)
        need, got = "stay finite", f"NaN or infinity at step {place}"
        remedy = "Scale the costs, or give `gibbs` a smaller `eta`."
        raise ValueError(message("minimise_bitstring", "objective", name, need, got, remedy))
    return params, trace, list(indices)


def _distinct(indices: Tensor) -> Tensor:
    """Distinct entries, in the order in which they come first."""
    _, places = np.unique(indices.cpu().numpy(), return_index=True)
    return indices[torch.from_numpy(np.sort(places)).to(indices.device)]


def _summary(
    n: int,
    ask: Ask,
    found: Tensor,
    probabilities: Tensor,
    asked: tuple[Tensor, ...],
    trace: Tensor,
    params: PyTree,
) -> Minimised:
    costs = ask(found)
    best = int(costs.argmin())
    known = torch.cat(asked).unique() if asked else torch.arange(2**n, device=found.device)
    values = ask(known)
    strings = tuple(f"{index:0{n}b}" for index in found.tolist())
    return Minimised(
        bits=strings[best],
        cost=float(costs[best]),
        probability=float(probabilities[best]),
        n_asked=len(known),
        n_lowest=int((values == values.amin()).sum()),
        is_exact=not asked,
        strings=strings,
        costs=costs,
        probabilities=probabilities,
        trace=trace,
        asked=asked,
        params=params,
    )


def _asker(problem: Any, n_qubits: int | None, like: Tensor) -> tuple[Ask, int]:
    """From indices to costs, whatever the problem is given by; and the length of the strings."""
    problem = as_sum(problem, n_qubits)
    if isinstance(problem, PauliSum):
        z_coefficients("minimise_bitstring", "problem", problem, like.dtype)
        problem = to_diagonal(problem, dtype=like.dtype)
    if isinstance(problem, Diagonal):
        return _look_up(problem, n_qubits, like), problem.n_qubits
    need = "be an observable or a function of bit strings"
    remedy = "Make one with `cost_diagonal`, or give a function."
    check_is("minimise_bitstring", "problem", problem, Callable, need, remedy)
    if n_qubits is None:
        need, remedy = "be given with a function", "Give the length of the strings."
        raise TypeError(message("minimise_bitstring", "n_qubits", None, need, "None", remedy))
    check_count("minimise_bitstring", "n_qubits", n_qubits, minimum=1)
    known: dict[int, float] = {}

    def ask(indices: Tensor) -> Tensor:
        distinct, places = indices.unique(return_inverse=True)
        for index in distinct.tolist():
            if index not in known:
                string = f"{index:0{n_qubits}b}"
                cost = problem(string)
                known[index] = checked_cost("minimise_bitstring", string, cost, "problem")
        values = [known[index] for index in distinct.tolist()]
        return torch.tensor(values, dtype=like.dtype, device=like.device)[places]

    return ask, n_qubits


def _look_up(problem: Diagonal, n_qubits: int | None, like: Tensor) -> Ask:
    values, function = problem.values, "minimise_bitstring"
    common_dtype_and_device(function, (like, values))
    if n_qubits not in (None, problem.n_qubits):
        need, remedy = f"be {problem.n_qubits}, as in `problem`", "Leave it out."
        raise ValueError(message(function, "n_qubits", n_qubits, need, f"{n_qubits}", remedy))
    if not bool(values.isfinite().all()):
        place = int(values.isfinite().logical_not().nonzero()[0])
        need, got = "have finite costs", f"{float(values[place])} at index {place}"
        remedy = "Give a forbidden string a large cost instead."
        raise ValueError(message(function, "problem", problem, need, got, remedy))
    return lambda indices: values[indices]


def _stacked(params: PyTree) -> Tensor:
    """The first leaf of a tree whose leaves have the starts as their first axis."""
    leaves, _ = flatten("minimise_bitstring", "params", params)
    sizes = {leaf.shape[0] if leaf.ndim else 0 for leaf in leaves}
    if len(sizes) > 1 or 0 in sizes:
        need, got = "have the starts as first axis of every leaf", describe(outline(params))
        remedy = "Stack one tree for each start; `tensor[None]` makes one start."
        raise ValueError(message("minimise_bitstring", "params", params, need, got, remedy))
    return leaves[0]
