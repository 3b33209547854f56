"""Circuits in the replayed searches, paying for what they look at as all others do.

From exact probabilities a circuit needs all costs before its first step: all architectures are
trained alike as far as the budget goes, and the circuit chooses among these costs. So does QAOA,
whose phases are the costs. From samples, a string that comes for the first time is trained to the
end, and what comes again is free.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

import quilt_func as qf
from quilt_func.bitstrings import Minimised, cvar

from . import vqe
from .replay import BrokeError, Costs, Ledger, all_alike, furthest, pick
from .vqe import Method

EXACT: Mapping[str, Callable[..., Minimised]] = {
    "all alike, then VQE (the paper's)": partial(vqe.search, method=Method(vqe.product)),
    "all alike, then VQE, entangled": partial(
        vqe.search, method=Method(qf.ansatz.hardware_efficient)
    ),
    "all alike, then CVaR, entangled": partial(
        vqe.search, method=Method(qf.ansatz.hardware_efficient, cvar(0.25))
    ),
    "all alike, then QAOA": vqe.qaoa,
}
SAMPLED: Mapping[str, Method] = {
    "VQE from 4 samples": Method(vqe.product, shots=4),
    "CVaR from 4 samples, entangled": Method(qf.ansatz.hardware_efficient, cvar(0.25), shots=4),
}


def exact_picks(
    name: str, costs: Costs, checkpoints: Sequence[int], allowed: Sequence[int], **how: Any
) -> list[list[int | None]]:
    """What circuits with exact probabilities pick, of every start with every budget."""
    ledgers = [Ledger(costs, checkpoints, budget) for budget in allowed]
    for ledger in ledgers:
        all_alike(ledger, np.random.default_rng(0))
    places = [furthest(ledger) for ledger in ledgers]
    chosen: dict[int | None, list[int | None]] = {None: [None] * how["starts"]}
    for place in sorted({p for p in places if p is not None}):
        found = EXACT[name](_tensor(costs[:, place]), **how)
        chosen[place] = [int(string, 2) for string in found.strings]
    return [list(each) for each in zip(*(chosen[place] for place in places), strict=True)]


def sampled_picks(
    name: str, costs: Costs, checkpoints: Sequence[int], allowed: Sequence[int], **how: Any
) -> list[list[int | None]]:
    """The best of what circuits met in their samples, of every start with every budget."""
    found = vqe.search(_tensor(costs[:, -1]), SAMPLED[name], **how)
    picked = []
    for asked in found.asked:
        ledger = Ledger(costs, checkpoints, max(allowed))
        with suppress(BrokeError):
            for form in asked.tolist():
                ledger.look(form, len(checkpoints) - 1)
        picked.append([pick(ledger.looks, budget) for budget in allowed])
    return picked


def _tensor(costs: Costs) -> Tensor:
    return torch.from_numpy(costs).float()
