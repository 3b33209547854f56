"""Derivatives from values: the runs of shift rules, and random directions."""

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.func import vjp, vmap

from quilt_func._checks import (
    COMPLEX_OF,
    check_function,
    check_is,
    check_tensor,
    describe,
    message,
    shape_error,
)
from quilt_func._parameter_trees import check_real, flatten, join, ravel
from quilt_func._shift_rules import Rule, shift_rule
from quilt_func._torch import tree_flatten, tree_unflatten
from quilt_func.circuits import Circuit
from quilt_func.typing import PyTree, Scalar


class ShiftedRuns(NamedTuple):
    """What a gradient by shift rules is made of.

    Attributes:
        angles (real, (n,)): All entries of angles that depend on the parameters.
        which (int64, (n_runs,)): The angle that each run shifts.
        shifts (real, (n_runs,)): By how much.
        weights (real, (n_runs,)): The coefficient of its value.
        circuit_at: From an angle and a shift to the circuit of a run.
        pull: From slopes `(n,)` by the angles to a tree of derivatives by the parameters.
    """

    angles: Tensor
    which: Tensor
    shifts: Tensor
    weights: Tensor
    circuit_at: Callable[[Tensor, Tensor], Circuit]
    pull: Callable[[Tensor], PyTree]


def shifted_runs(
    function: str, params: PyTree, circuit_fn: Callable[[PyTree], Circuit] | None
) -> ShiftedRuns:
    """The runs of a circuit of parameters, or of a circuit that is the parameters itself."""
    circuit, depends, pull = _traced(function, params, circuit_fn)
    rules = _rules(function, circuit, depends, "params" if circuit_fn is None else "circuit_fn")
    leaves, structure = tree_flatten(circuit)
    chosen = [place for place, is_chosen in enumerate(depends) if is_chosen]
    flat, sizes = join([leaves[i] for i in chosen]), [leaves[i].numel() for i in chosen]
    order = torch.arange(len(flat), device=flat.device)

    def with_angles(vector: Tensor, others: Iterable[Tensor]) -> Circuit:
        found = dict(zip(chosen, vector.split(sizes), strict=True))
        given = [found.get(place, leaf) for place, leaf in enumerate(others)]
        moved: Circuit = tree_unflatten(given, structure)
        return moved

    def circuit_at(index: Tensor, shift: Tensor) -> Circuit:
        return with_angles(flat + shift * (order == index), leaves)

    def pull_slopes(slopes: Tensor) -> PyTree:
        (found,) = pull(with_angles(slopes, map(torch.zeros_like, leaves)))
        return found

    return ShiftedRuns(flat, *_runs(rules, flat), circuit_at, pull_slopes)


def _traced(
    function: str, params: PyTree, circuit_fn: Callable[[PyTree], Circuit] | None
) -> tuple[Circuit, list[bool], Callable[[Circuit], Any]]:
    """The circuit, which of its leaves depend on the parameters, and the way back to those."""
    depends: list[bool] = []
    if circuit_fn is not None:
        check_function(function, "circuit_fn", circuit_fn)
        flatten(function, "params", params)
    else:
        _check_circuit(function, "params", params, "be a circuit, or come with `circuit_fn`")

    def build(given: PyTree) -> Circuit:
        circuit = given if circuit_fn is None else circuit_fn(given)
        _check_circuit(function, "circuit_fn", circuit, "return a circuit")
        # The innermost transform is the vjp below, so that this says what it differentiates.
        depends.extend(leaf.requires_grad for leaf in circuit.leaves)
        if not any(depends):
            argument, need = "params", "hold an angle that is a tensor"
            if circuit_fn is not None:
                argument, need = "circuit_fn", "return a circuit with an angle made of `params`"
            remedy = "Its gradient would be 0: give tensors as angles, not numbers."
            raise ValueError(message(function, argument, circuit, need, "none", remedy))
        return circuit

    circuit, pull = vjp(build, params)[:2]
    return circuit, depends, pull


def _check_circuit(function: str, argument: str, value: object, need: str) -> None:
    remedy = "Give a function from parameters to `circuit(...)`."
    check_is(function, argument, value, Circuit, need, remedy)


def _rules(function: str, circuit: Circuit, depends: list[bool], argument: str) -> list[Rule]:
    """One rule for each entry of each leaf that depends on the parameters."""
    rules: list[Rule] = []
    remaining = iter(depends)
    for op in circuit.ops:
        for position, param in enumerate(op.params):
            if type(param) is float or not next(remaining):
                continue
            rule = shift_rule(op.gate, position)
            if rule is None:
                need = "have gates exp(-i θ G / 2) where an angle depends on `params`"
                remedy = "This gate has no shift rule: use `torch.func.grad`."
                got = describe(op)
                raise ValueError(message(function, argument, circuit, need, got, remedy))
            rules += [rule] * param.numel()
    return rules


def _runs(rules: list[Rule], like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of each run: which angle is shifted, by how much, and the coefficient of its value."""
    rows = [(angle, *pair) for angle, rule in enumerate(rules) for pair in rule]
    which = torch.tensor([row[0] for row in rows], dtype=torch.int64, device=like.device)
    numbers = torch.tensor([row[1:] for row in rows], dtype=like.dtype, device=like.device)
    shifts, weights = numbers.reshape(-1, 2).unbind(1)
    return which, shifts, weights


def one_number(
    function: str,
    value: Any,
    argument: str = "fn",
    several: str = "Differentiate its entries one by one.",
) -> Tensor:
    """Check that an objective returned one real number; `several` is the remedy for more."""
    need, remedy = "return a real tensor", "Return an expectation value, say."
    check_tensor(function, argument, value, COMPLEX_OF, (...,), remedy, need=need, got=describe)
    found: Tensor = value
    if found.ndim:
        raise shape_error(function, argument, found, "return one number", several)
    return found


def signs_of(u: Tensor, like: Tensor) -> Tensor:
    """Signs of uniform numbers: -1 below a half."""
    return torch.where(u < 0.5, -1.0, 1.0).to(like.dtype)


def slope_along_signs(
    function: str, fn: Callable[[Any], Tensor], params: PyTree, u: Any, step: Scalar
) -> PyTree:
    """Mean over directions of random signs of the central difference along them."""
    flat, unravel = ravel(function, "params", params)
    rows = directions(function, u, flat, at_most=math.inf)

    def along(sign: Tensor) -> Tensor:
        up, down = (one_number(function, fn(unravel(flat + c * sign))) for c in (step, -step))
        return ((up - down) / (2 * step)).to(flat.dtype) * sign

    return unravel(vmap(along)(signs_of(rows, flat)).mean(0))


def directions(function: str, u: Any, flat: Tensor, at_most: float, argument: str = "u") -> Tensor:
    """Check uniform numbers `(n,)` or `(k, n)` for `n` parameters, and list them as `(k, n)`."""
    remedy = f"Draw them with `uniforms((k, {len(flat)}), seed)`."
    if argument != "u":
        remedy = f"Give k directions in {len(flat)} parameters, in the order of `ravel`."
    check_real(function, argument, u, remedy)
    rows: Tensor = u[None] if u.ndim == 1 else u
    if rows.ndim != 2 or rows.shape[1] != len(flat) or not 1 <= len(rows) <= at_most:
        bound = "" if at_most == math.inf else f", k <= {at_most}"
        need = f"have shape ({len(flat)},) or (k, {len(flat)}){bound}"
        raise shape_error(function, argument, u, need, remedy)
    return rows
