"""Searches replayed on recorded learning curves: what is paid for is steps of training.

A search that asks for an architecture's cost at a checkpoint pays for the steps up to there that
it has not yet paid for. All searches draw from the same kind of ledger, which refuses what its
budget doesn't cover. So a comparison over hundreds of seeds costs seconds.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Costs = NDArray[np.float64]


class BrokeError(Exception):
    """A ledger's budget doesn't cover what is asked for."""


class Look(NamedTuple):
    """What was seen: an architecture's cost at a checkpoint, and all steps paid for by then."""

    paid: int
    form: int
    place: int
    cost: float


@dataclass
class Ledger:
    """Costs that are shown against payment in steps of training.

    Args:
        costs (n_architectures, n_checkpoints): Cost at every checkpoint; lower is better.
        checkpoints: Steps of training at each.
        budget: Steps that may be paid for.
    """

    costs: Costs
    checkpoints: Sequence[int]
    budget: int
    looks: list[Look] = field(default_factory=list)
    paid: int = 0
    trained: dict[int, int] = field(default_factory=dict)

    @property
    def is_exhausted(self) -> bool:
        """Whether all architectures are trained to the end: there is nothing left to learn."""
        return self.paid == len(self.costs) * self.checkpoints[-1]

    def look(self, form: int, place: int) -> float:
        """The cost of an architecture at a checkpoint; what was paid for once is free.

        Raises:
            BrokeError: If the budget doesn't cover it.
        """
        more = max(0, self.checkpoints[place] - self.trained.get(form, 0))
        if self.paid + more > self.budget:
            raise BrokeError
        self.paid += more
        self.trained[form] = self.trained.get(form, 0) + more
        self.looks.append(Look(self.paid, form, place, float(self.costs[form, place])))
        return self.looks[-1].cost


def pick(looks: Sequence[Look], budget: int) -> int | None:
    """The cheapest of the architectures trained longest within a budget; None if there is none."""
    seen = [look for look in looks if look.paid <= budget]
    return min(seen, key=lambda look: (-look.place, look.cost)).form if seen else None


Search = Callable[[Ledger, np.random.Generator], None]
"""Looks at costs until it has seen enough, or a ledger refuses."""


def random_search(ledger: Ledger, rng: np.random.Generator) -> None:
    """Train one after the other to the end, in random order."""
    for form in rng.permutation(len(ledger.costs)):
        ledger.look(int(form), len(ledger.checkpoints) - 1)


def all_alike(ledger: Ledger, rng: np.random.Generator) -> None:
    """Train all to the furthest checkpoint that the budget allows for all."""
    place = furthest(ledger)
    if place is not None:
        for form in rng.permutation(len(ledger.costs)):
            ledger.look(int(form), place)


def furthest(ledger: Ledger) -> int | None:
    """The last checkpoint to which the budget trains all architectures, if there is one."""
    share = ledger.budget // len(ledger.costs)
    reached = [place for place, steps in enumerate(ledger.checkpoints) if steps <= share]
    return reached[-1] if reached else None


def halving(ledger: Ledger, rng: np.random.Generator) -> None:
    """Successive halving: all begin, and the better half goes on to the next checkpoint.

    The first round is at the furthest checkpoint from which the budget covers all rounds; if it
    covers them from none, at the first checkpoint, and the search ends with the budget.

    References:
        Jamieson and Talwalkar (2016), Non-stochastic best arm identification, AISTATS.
    """
    n, last = len(ledger.costs), len(ledger.checkpoints)
    affordable = (p for p in range(last) if _price(n, ledger.checkpoints[p:]) <= ledger.budget)
    forms = [int(form) for form in rng.permutation(n)]
    for place in range(max(affordable, default=0), last):
        costs = {form: ledger.look(form, place) for form in forms}
        forms = sorted(forms, key=costs.__getitem__)[: max(1, len(forms) // 2)]


def _price(number: int, checkpoints: Sequence[int]) -> int:
    """Steps of all rounds of halving."""
    total, before = 0, 0
    for steps in checkpoints:
        total += number * (steps - before)
        number, before = max(1, number // 2), steps
    return total


TRIALS = 40


def optuna_search(prune: bool) -> Search:
    """Bayesian optimisation of the four bits by Optuna's tree-structured Parzen estimator.

    Args:
        prune: Whether its pruner, asynchronous successive halving, may end a training early.

    References:
        Bergstra, Bardenet, Bengio and Kégl (2011), Algorithms for hyper-parameter optimization,
        NeurIPS; Akiba et al. (2019), Optuna, KDD.
    """

    def search(ledger: Ledger, rng: np.random.Generator) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        pruner: Any = optuna.pruners.NopPruner()
        if prune:
            first = ledger.checkpoints[0]
            pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=first, reduction_factor=2)
        sampler = optuna.samplers.TPESampler(seed=int(rng.integers(2**31)), n_startup_trials=4)
        study = optuna.create_study(sampler=sampler, pruner=pruner)
        places = range(len(ledger.checkpoints)) if prune else [len(ledger.checkpoints) - 1]
        for _ in range(TRIALS):  # an architecture that comes again is free
            if ledger.is_exhausted:
                return
            trial = study.ask()
            cost, is_pruned = _tried(trial, ledger, places)
            state = optuna.trial.TrialState.PRUNED if is_pruned else None
            study.tell(trial, None if is_pruned else cost, state=state)

    return search


def _tried(trial: Any, ledger: Ledger, places: Sequence[int]) -> tuple[float, bool]:
    """The last cost that a trial has seen, and whether it was ended before the end."""
    n_bits = len(ledger.costs).bit_length() - 1
    bits = [trial.suggest_categorical(f"bit {bit}", (0, 1)) for bit in range(n_bits)]
    form = int("".join(map(str, bits)), 2)
    for place in places:
        cost = ledger.look(form, place)
        trial.report(cost, ledger.checkpoints[place])
        if place != places[-1] and trial.should_prune():
            return cost, True
    return cost, False


RANDOM, ALL, HALVING = "random search", "all alike", "successive halving"
OPTUNA, PRUNED = "Optuna, TPE", "Optuna, TPE with pruning"
SEARCHES: Mapping[str, Search] = {
    RANDOM: random_search,
    ALL: all_alike,
    HALVING: halving,
    OPTUNA: optuna_search(prune=False),
    PRUNED: optuna_search(prune=True),
}


def budgets(checkpoints: Sequence[int], n: int) -> list[int]:
    """Steps that train all n architectures alike to each checkpoint, and halfway between those."""
    halfway = [(a + b) // 2 for a, b in pairwise(checkpoints)]
    return [n * steps for steps in sorted({*checkpoints, *halfway})]


def picks(
    search: Search, costs: Costs, checkpoints: Sequence[int], allowed: Sequence[int], seed: int
) -> list[int | None]:
    """What a search picks with each of some budgets; every one is a run of its own."""
    found = []
    for budget in allowed:
        ledger = Ledger(costs, checkpoints, budget)
        with suppress(BrokeError):
            search(ledger, np.random.default_rng(seed))
        found.append(pick(ledger.looks, budget))
    return found


def anytime(
    search: Search, costs: Costs, checkpoints: Sequence[int], allowed: Sequence[int], seed: int
) -> list[int | None]:
    """The same for a search that doesn't plan by its budget: one run, looked at on its way."""
    ledger = Ledger(costs, checkpoints, max(allowed))
    with suppress(BrokeError):
        search(ledger, np.random.default_rng(seed))
    return [pick(ledger.looks, budget) for budget in allowed]
