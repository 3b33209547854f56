r"""Exact minimisation along one parameter at a time, of losses that are sums of waves in it.

An expectation value is $a_0 + \sum_ω a_ω \cos ωx + b_ω \sin ωx$ in each angle; with R frequencies
$ω$, known from the gates, 2 R + 1 values tell it everywhere.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.func import vmap

from quilt_func._checks import describe, is_number, kind_error, message
from quilt_func._parameter_trees import flatten, ravel
from quilt_func.optim.methods import LossFn, Method
from quilt_func.typing import PyTree

_NEWTON_STEPS = 12
"""From within a sixteenth of the shortest wave; half of them would do for a simple minimum."""


class Waves(NamedTuple):
    """How a sum of waves is found from its values, and where its minimum is looked for.

    Attributes:
        frequencies: R positive numbers, ascending.
        shifts: 2 R + 1 places, the first of them 0.
        inverse: From the values there to the coefficients, of 1, cosines and sines.
        starts: Places to search from.
    """

    frequencies: list[float]
    shifts: list[float]
    inverse: list[list[float]]
    starts: list[float]


def rotosolve(frequencies: Sequence[Any] = (1.0,)) -> Method:
    r"""Rotosolve: set each parameter in turn to the minimum of the loss along it, exactly.

    The loss is a sum of waves in each parameter, whose frequencies the gates tell: 1 for the
    angle of one Pauli rotation, 1/2 and 1 for a controlled one, 1 to k for an angle that k
    rotations share. From 2 R + 1 values for R frequencies the waves are found, and their lowest
    point: by a formula for one frequency, by Newton's method from every part of a wave for more.
    It is looked for within half a wave of the lowest frequency to both sides, a whole period
    where frequencies are its multiples. A parameter without influence stays.

    Cost of a step: 2 R + 1 values for each parameter, in one vmapped call for each.

    Args:
        frequencies: Frequencies, the same for all parameters, such as
            `diagnostics.allowed_frequencies` lists; or a sequence of such sequences, one for each
            entry of the parameters in traversal order. That of a constant, 0, need not be told.

    Returns:
        A method for `minimise`.

    Raises:
        TypeError: If frequencies are not numbers.
        ValueError: If one is negative or infinite, or, from `step`, if there are not as many
            sequences as parameters.

    Transforms:
        vmap, grad, jvp, hessian.

    Examples:
        >>> from quilt_func import circuit, expval, pauli_sum, rx, ry
        >>> from quilt_func.optim import minimise
        >>> def energy(p):
        ...     return expval(circuit(1, ry(p[0], 0), rx(p[1], 0))(), pauli_sum({"Z": 1.0}))
        >>> minimise(energy, torch.tensor([0.3, 0.2]), rotosolve(), 3).losses
        tensor([ 0.9363, -1.0000, -1.0000])

    References:
        Ostaszewski, Grant and Benedetti (2021), Quantum 5, 391; Nakanishi, Fujii and Todo (2020),
        Phys. Rev. Research 2, 043158. Wierichs, Izaac, Wang and Lin (2022), Quantum 6, 677, for
        several frequencies.
    """
    known = _checked(frequencies)

    def init(params: PyTree) -> PyTree:
        flatten("init", "params", params)
        return ()

    def step(loss: LossFn, params: PyTree, state: PyTree, u: Any) -> tuple[PyTree, PyTree, Tensor]:
        del u
        flat, unravel = ravel("rotosolve", "params", params)
        found: list[Tensor] = []
        axes = torch.eye(len(flat), dtype=flat.dtype, device=flat.device).unbind()
        for along, waves in zip(axes, _of_each(known, len(flat)), strict=True):
            shifts = _like(flat, waves.shifts)
            values = vmap(lambda x, along=along, flat=flat: loss(unravel(flat + x * along)))(shifts)
            found.append(values[0])
            flat = flat + _lowest(waves, values.to(flat.dtype)) * along
        return unravel(flat), state, found[0]

    return Method(init, step)


def waves_of(frequencies: list[float]) -> Waves:
    """Places of values, and the inverse of the system that they make."""
    n_waves = len(frequencies)
    if not n_waves:
        return Waves([], [0.0], [[1.0]], [0.0])
    slowest, fastest = frequencies[0], frequencies[-1]
    order = np.array([0, *(sign * k for k in range(1, n_waves + 1) for sign in (1, -1))])
    reaches = (math.pi / fastest * np.geomspace(0.25, 1.0, 61)).tolist()
    if n_waves == 1:
        reaches = [math.pi / 2 / fastest]
    elif _even(frequencies):  # over their period: the system is then orthogonal
        reaches = [2 * math.pi / (2 * n_waves + 1) / slowest]
    shifts = order * min(reaches, key=lambda reach: _condition(frequencies, reach * order))
    n_starts = 16 * math.ceil(fastest / slowest)
    starts = math.pi / slowest * (2 * np.arange(n_starts) / n_starts - 1)
    inverse = np.linalg.inv(_system(frequencies, shifts))
    return Waves(frequencies, shifts.tolist(), inverse.tolist(), starts.tolist())


def _condition(frequencies: list[float], places: Any) -> float:
    return float(np.linalg.cond(_system(frequencies, places)))


def _even(frequencies: list[float]) -> bool:
    multiples = np.arange(1, len(frequencies) + 1) * frequencies[0]
    return bool(np.abs(multiples - frequencies).max() <= 1e-10 * frequencies[-1])


def _system(frequencies: list[float], places: Any) -> Any:
    phases = np.outer(places, frequencies)
    return np.concatenate([np.ones((len(places), 1)), np.cos(phases), np.sin(phases)], 1)


def _lowest(waves: Waves, values: Tensor) -> Tensor:
    """Where a sum of waves is lowest, from its values at the places of `waves`."""
    if not waves.frequencies:
        return torch.zeros_like(values[0])
    coefficients = (_like(values, waves.inverse) * values).sum(-1)
    cosines, sines = coefficients[1:].split(len(waves.frequencies))
    least = 8 * torch.finfo(values.dtype).eps * values.abs().amax()
    is_felt = (cosines.square() + sines.square()).sum() > least.square()
    # where the loss is flat, a wave of its own keeps derivatives finite
    cosines = torch.where(is_felt, cosines, 1.0)
    sines = torch.where(is_felt, sines, 0.0)
    if len(waves.frequencies) == 1:
        place = (torch.atan2(-sines, -cosines) / waves.frequencies[0])[0]
    else:
        place = _lowest_of_several(waves, cosines, sines)
    return torch.where(is_felt, place, 0.0)


def _lowest_of_several(waves: Waves, cosines: Tensor, sines: Tensor) -> Tensor:
    """The lowest of what Newton's method finds from all starts.

    The search itself has no derivative; two steps that have one, from where it ended, have those of
    the minimum, to the third.
    """
    still = cosines.detach(), sines.detach()
    places = _like(cosines, waves.starts)
    for _ in range(_NEWTON_STEPS):
        places = _newton_step(waves, *still, places)
    heights = _height(waves, *still, places, 0)
    place = places.gather(0, heights.argmin()[None])
    for _ in range(2):
        place = _newton_step(waves, cosines, sines, place)
    return place[0]


def _newton_step(waves: Waves, cosines: Tensor, sines: Tensor, places: Tensor) -> Tensor:
    """Downhill, by a sixteenth of the shortest wave at most."""
    bound = math.pi / 8 / waves.frequencies[-1]
    curvature = _height(waves, cosines, sines, places, 2).abs()
    curvature = curvature.clamp(min=torch.finfo(places.dtype).tiny)
    step = _height(waves, cosines, sines, places, 1) / curvature
    return places - step.clamp(-bound, bound)


def _height(waves: Waves, cosines: Tensor, sines: Tensor, places: Tensor, order: int) -> Tensor:
    """A derivative of a sum of waves."""
    omega = _like(places, waves.frequencies)
    phases = omega * places[:, None] + order * math.pi / 2
    return (omega**order * (cosines * phases.cos() + sines * phases.sin())).sum(-1)


def _of_each(known: list[Waves] | Waves, n: int) -> Iterable[Waves]:
    if isinstance(known, Waves):
        return [known] * n
    if len(known) != n:
        need = f"hold {n} sequences, one for each parameter, or numbers for all"
        got, remedy = f"{len(known)}", "List them in the order of `ravel(params)`."
        given = [waves.frequencies for waves in known]
        raise ValueError(message("rotosolve", "frequencies", given, need, got, remedy))
    return known


def _checked(frequencies: Any) -> list[Waves] | Waves:
    remedy = "Give positive numbers, `(1.0,)`, or a sequence of them for each parameter."
    need = "be a sequence of numbers, or of sequences of numbers"
    if not isinstance(frequencies, (list, tuple)):
        raise kind_error("rotosolve", "frequencies", frequencies, need, remedy)
    if frequencies and all(isinstance(one, (list, tuple)) for one in frequencies):
        return [_of_numbers(one, frequencies, need, remedy) for one in frequencies]
    return _of_numbers(frequencies, frequencies, need, remedy)


def _of_numbers(numbers: Any, given: Any, need: str, remedy: str) -> Waves:
    for number in numbers:
        if not is_number(number):
            raise kind_error("rotosolve", "frequencies", given, need, remedy)
        if not 0 <= number < math.inf:
            need, got = "be finite and not negative", describe(number)
            raise ValueError(message("rotosolve", "frequencies", given, need, got, remedy))
    return waves_of(sorted({float(number) for number in numbers} - {0.0}))


def _like(tensor: Tensor, numbers: Any) -> Tensor:
    return torch.tensor(numbers, dtype=tensor.dtype, device=tensor.device)
