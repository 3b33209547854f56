"""Ways to look for a cheap bit string, which all pay for the distinct strings that they ask for.

A way takes the table of all costs, a budget, and a seed, and returns the indices of the strings
in the order in which it first asked for them. A string that comes again costs nothing.
"""

import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

import quilt_func as qf
from quilt_func.bitstrings import Minimised, cvar, mean_cost, minimise_bitstring
from quilt_func.typing import AnsatzFn

Search = Callable[[Tensor, int, int], Tensor]
PATIENCE = 50  # proposals for each string of the budget, so that no search hangs
POPULATION = 20
SPREAD = 0.5


def random_search(table: Tensor, budget: int, seed: int) -> Tensor:
    """Strings at random, none twice."""
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.permutation(len(table))[:budget])


def annealing(table: Tensor, budget: int, seed: int) -> Tensor:
    """Flip one bit at a time; a dearer string is accepted with probability exp(-Δ/T).

    The temperature falls geometrically, by the share of the budget that is spent, from the
    standard deviation of the first 10 costs to a hundredth of it.
    """
    costs, rng = table.numpy(), np.random.default_rng(seed)
    n = len(costs).bit_length() - 1
    asked = list(dict.fromkeys(rng.integers(len(costs), size=10).tolist()))
    known, hot = set(asked), float(costs[asked].std()) or 1.0
    here = min(asked, key=lambda index: costs[index])
    for _ in range(PATIENCE * budget):
        if len(asked) >= budget:
            break
        there = here ^ (1 << int(rng.integers(n)))
        if there not in known:
            known.add(there)
            asked.append(there)
        temperature = hot * 100 ** (-len(asked) / budget)
        if rng.random() < math.exp(min(0.0, float(costs[here] - costs[there]) / temperature)):
            here = there
    return torch.tensor(asked[:budget])


def evolution(table: Tensor, budget: int, seed: int) -> Tensor:
    """A population of the cheapest 20: children of two parents each, one bit in n mutated."""
    costs, rng = table.numpy(), np.random.default_rng(seed)
    n = len(costs).bit_length() - 1
    asked = list(dict.fromkeys(rng.integers(len(costs), size=POPULATION).tolist()))
    known, alive = set(asked), list(asked)
    for _ in range(PATIENCE * budget):
        if len(asked) >= budget:
            break
        mother, father = (alive[int(i)] for i in rng.integers(len(alive), size=2))
        mask = int(rng.integers(len(costs)))
        flips = sum(1 << bit for bit in range(n) if rng.random() < 1 / n)
        child = ((mother & mask) | (father & ~mask)) ^ flips
        if child not in known:
            known.add(child)
            asked.append(child)
            alive = sorted([*alive, child], key=lambda index: costs[index])[:POPULATION]
    return torch.tensor(asked[:budget])


CLASSICAL: Mapping[str, Search] = {
    "random search": random_search,
    "simulated annealing": annealing,
    "evolution": evolution,
}


def rotations(params: Tensor) -> Iterator[qf.Op]:
    """One RY on every wire: independent bits."""
    return iter((qf.ry(params[0, :, 0], range(params.shape[1])),))


def _near_uniform(starts: int, n: int, seed: int) -> Tensor:
    u = qf.uniforms((starts, 1, n, 1), seed)
    return math.pi / 2 + SPREAD * (2 * u - 1)


def _anywhere(starts: int, n: int, seed: int) -> Tensor:
    return 2 * math.pi * qf.uniforms((starts, 2, n, 2), seed)


CIRCUITS: Mapping[str, tuple[AnsatzFn, Callable[[int, int, int], Tensor], float]] = {
    "product, mean": (rotations, _near_uniform, 1.0),
    "product, CVaR": (rotations, _near_uniform, 0.25),
    "entangled, CVaR": (qf.ansatz.hardware_efficient, _anywhere, 0.25),
}
"""Ansatz, starts, and the share of outcomes that count; 1 is the mean."""


def circuit_search(
    name: str,
    table: Tensor,
    *,
    starts: int,
    steps: int,
    shots: int | None,
    learning_rate: float,
    seed: int,
) -> Minimised:
    """Search by a circuit, from samples or exactly, from many starts at once."""
    ansatz, begin, alpha = CIRCUITS[name]
    n = len(table).bit_length() - 1
    return minimise_bitstring(
        qf.diagonal(table),
        ansatz,
        begin(starts, n, seed).to(table.device),
        objective=mean_cost if alpha == 1 else cvar(alpha),
        optimiser=qf.optim.adam(learning_rate),
        n_steps=steps,
        shots=shots,
        seed=seed + 1,
        chunk_size=max(1, 2**22 // len(table)),
    )
