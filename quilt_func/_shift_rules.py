r"""Shift rules: the derivative of an expectation value by an angle, from values at other angles.

Where a gate is `A exp(-i θ G / 2) B` in one of its angles, any expectation value is a sum of
waves in θ whose frequencies are the gaps between the eigenvalues of G / 2. With R positive gaps ω,
R pairs of shifts give $f'(θ) = \sum_μ d_μ [f(θ + s_μ) - f(θ - s_μ)]$, exactly and for every such f,
if $\sum_μ 2 d_μ \sin(ω s_μ) = ω$ at each gap.

References:
    Wierichs, Izaac, Wang and Lin (2022), Quantum 6, 677, sections 3 and 4.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch.func import jvp

from quilt_func.ops import Gate, Matrix

Rule: TypeAlias = tuple[tuple[float, float], ...]
"""Pairs (shift, coefficient): a derivative is the sum of coefficients times shifted values."""

_PROBES = (0.3, 1.1, -2.0)
"""Angles at which a gate without a stated generator is looked at."""

_ROUNDING = 1e-10
"""What counts as equal, relative to the largest: far above rounding, far below real gaps."""

_REACHES = (1.0, *np.geomspace(0.1, 4.0, 400).tolist())
"""Spans of the shifts that are tried where gaps are not equidistant."""


@lru_cache(maxsize=4096)
def shift_rule(gate: Gate, position: int) -> Rule | None:
    """The rule of one angle of a gate; None if the gate is no `A exp(-i θ G / 2) B` in it."""
    gaps = gaps_of(gate, position)
    return None if gaps is None else rule_of(gaps)


def gaps_of(gate: Gate, position: int) -> list[float] | None:
    """The positive gaps between the eigenvalues of G / 2; None if there is no such G."""
    generator = _generator(gate, position)
    if generator is None:
        return None
    values = np.linalg.eigvalsh(generator) / 2
    return distinct((values[:, None] - values).ravel())


def distinct(numbers: NDArray[np.float64]) -> list[float]:
    """The positive ones of some numbers, ascending, each once."""
    least = _ROUNDING * max(1.0, float(np.abs(numbers).max(initial=0.0)))
    found: list[float] = []
    for number in sorted(numbers.tolist()):
        if number > (found[-1] if found else 0.0) + least:
            found.append(number)
    return found


def rule_of(gaps: Sequence[float]) -> Rule:
    """Shifts and coefficients for R gaps: 2 R pairs.

    Odd multiples of π / (2 ω), where ω is the largest gap, are best for equidistant gaps: the sum
    of absolute coefficients is then ω, which no rule can undercut. For others the span of the
    shifts is searched for the least sum, that is for the least noise.
    """
    if not gaps:
        return ()
    found = [_pairs(np.array(gaps), reach) for reach in _REACHES[: 1 if _even(gaps) else None]]
    best = min(found, key=lambda pairs: float(np.abs(pairs[:, 1]).sum()))
    return tuple((sign * s, sign * d) for s, d in best.tolist() for sign in (1.0, -1.0))


def _even(gaps: Sequence[float]) -> bool:
    multiples = np.arange(1, len(gaps) + 1) * gaps[0]
    return bool((np.abs(multiples - gaps) <= _ROUNDING * gaps[-1]).all())


def _pairs(gaps: NDArray[np.float64], reach: float) -> NDArray[np.float64]:
    """Shifts and coefficients that solve the system of all gaps."""
    shifts = reach * (2 * np.arange(len(gaps)) + 1) * math.pi / (2 * gaps[-1])
    system = 2 * np.sin(gaps[:, None] * shifts)
    coefficients = np.linalg.lstsq(system, gaps, rcond=None)[0]
    is_exact = np.abs(system @ coefficients - gaps).max() <= _ROUNDING * gaps[-1]
    return np.stack([shifts, coefficients if is_exact else np.full(len(gaps), np.inf)], -1)


def _generator(gate: Gate, position: int) -> Matrix | None:
    """The generator that a row states, or else $2 i U' U^†$, if it is the same at all angles."""
    if gate.generator is not None:
        return gate.generator
    if gate.param_shape or "unitary" not in gate.tags:
        return None
    probes = torch.tensor(_PROBES, dtype=torch.float64)
    angles = [torch.full_like(probes, 0.7 + 0.4 * i) for i in range(gate.n_params)]

    def turned(theta: torch.Tensor) -> torch.Tensor:
        return gate.matrices(*angles[:position], theta, *angles[position + 1 :])

    matrix, slope = jvp(turned, (probes,), (torch.ones_like(probes),))[:2]
    found = (2j * slope @ matrix.mH).resolve_conj().numpy()
    least = _ROUNDING * max(1.0, float(np.abs(found).max()))
    return found[0] if np.abs(found - found[0]).max() <= least else None
