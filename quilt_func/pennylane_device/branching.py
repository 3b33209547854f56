"""Measurements in the middle without a wire more for each: all branches at once, exactly.

A branch's state is not normalised, so that means over outcomes are sums over branches, divided by
the probability that postselection has left. Samples are drawn of branch and state together.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import vmap

from quilt_func.instruments import Branches
from quilt_func.pennylane_device.library import qml
from quilt_func.pennylane_device.observing import Plan
from quilt_func.pennylane_device.tracing import mark, values_of


class BranchPlan:
    """Measurements of a tape that measures in the middle, ready for branches.

    Attributes:
        is_plain: Whether it can be traced: not, since it is made anew for each tape.
        needs_phase: Whether the global phase shows: never.
    """

    is_plain, needs_phase = False, False

    def __init__(self, tape: Any, wires: Sequence[Any], keys: Mapping[Any, str], real: Any) -> None:
        self._real, self._keys = real, keys
        self._measures = [self._of(mp, wires) for mp in tape.measurements]

    def __call__(self, found: Branches) -> tuple[Tensor, ...]:
        """The value of each measurement."""
        weights = torch.view_as_real(found.states).square().sum((-2, -1))
        share = weights / weights.sum()
        return tuple(measure(found, share, weights.sum()) for measure in self._measures)

    def _of(self, mp: Any, wires: Sequence[Any]) -> Any:
        kind = type(mp).__name__
        if kind not in ("ExpectationMP", "VarianceMP", "ProbabilityMP"):
            raise qml.exceptions.DeviceError(
                f"quilt.qubit: {mp} is not supported with native measurements in the middle. "
                'Give `mcm_method="deferred"`.'
            )
        if mp.mv is not None:
            return self._outcomes(mp, kind)
        plan = Plan([mp if kind != "VarianceMP" else qml.expval(mp.obs)], wires, self._real)
        if kind == "VarianceMP":
            return self._variance(mp.obs, plan, wires)
        return lambda found, _, total: _sum(plan, found) / total

    def _variance(self, obs: Any, plan: Plan, wires: Sequence[Any]) -> Any:
        """By the mean of the square."""
        square = Plan([qml.expval(qml.simplify(obs @ obs))], wires, self._real)

        def measure(found: Branches, share: Tensor, total: Tensor) -> Tensor:
            del share
            mean = _sum(plan, found) / total
            return _sum(square, found) / total - mean * mean

        return measure

    def _outcomes(self, mp: Any, kind: str) -> Any:
        """Of what was found in the middle."""
        given = mp.mv if isinstance(mp.mv, list | tuple) else [mp.mv]
        numbers = [self._numbers(one) for one in given]
        if kind == "ProbabilityMP":
            return lambda found, share, _: _shares(
                [number(found) for number in numbers], share, [_size(one) for one in given]
            )
        table = torch.tensor([*map(float, values_of(given[0]))], dtype=self._real)

        def measure(found: Branches, share: Tensor, total: Tensor) -> Tensor:
            del total
            values = table.to(share.device)[numbers[0](found)]
            mean = (share * values).sum()
            return mean if kind == "ExpectationMP" else (share * (values - mean).square()).sum()

        return measure

    def _numbers(self, one: Any) -> Any:
        """The function of branches to the bits of a value, as a number."""
        keys = [self._keys[mark(measurement)] for measurement in one.measurements]

        def number(found: Branches) -> Tensor:
            bits = torch.cat([found.bits[key] for key in keys], -1)
            shifts = torch.arange(bits.shape[-1] - 1, -1, -1, device=bits.device)
            return (bits << shifts).sum(-1)

        return number


def _sum(plan: Plan, found: Branches) -> Tensor:
    (values,) = vmap(plan)(found.states)
    return values.sum(0)


def _size(one: Any) -> int:
    return int(2 ** len(one.measurements))


def _shares(numbers: Sequence[Tensor], share: Tensor, sizes: Sequence[int]) -> Tensor:
    """Probabilities of numbers side by side."""
    place = torch.zeros_like(numbers[0])
    for number, size in zip(numbers, sizes, strict=True):
        place = place * size + number
    return share @ torch.nn.functional.one_hot(place, int(np.prod(sizes))).to(share.dtype)
