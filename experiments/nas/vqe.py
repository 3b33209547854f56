"""The paper's search over 16 known costs, from many starts at once, beside plainer ways.

With all costs known the optimum can be read off: what is measured here is how often, and how
surely, each way finds it.
"""

import math
from typing import NamedTuple

from torch import Tensor
from torch.func import vmap

import quilt_func as qf
from experiments._record import Row, spread
from quilt_func.bitstrings import Minimised, Objective, cvar, gibbs, mean_cost, minimise_bitstring
from quilt_func.typing import AnsatzFn

PAPER: tuple[Row, ...] = (
    {"model": "paper: 1010 Large", "table": "search: the paper", "mean": 0.97, "starts": 1},
    {"model": "notebook: 0100 Medium-Deep", "table": "search: the paper", "mean": 1.0, "starts": 1},
)
NOTEBOOK_COSTS = (-2, -2, -1, -1, -10, -5, -1, -2, -5, -5, -3, -1, -6, -4, -8, -1)
"""The 16 costs that the paper's public notebook shows: minus one mark for one question each."""


class Method(NamedTuple):
    """A circuit and an objective; from samples, if there are shots."""

    ansatz: AnsatzFn
    objective: Objective = mean_cost
    shots: int | None = None


def product(params: Tensor) -> list[qf.Op]:
    """The paper's circuit: layers of RY and RZ on every wire, and no gate between wires."""
    wires = range(params.shape[1])
    return [op for row in params for op in (qf.ry(row[:, 0], wires), qf.rz(row[:, 1], wires))]


PAPERS = "product, mean (the paper's)"
ENTANGLED = "entangled, mean"
METHODS = {
    PAPERS: Method(product),
    "product, CVaR 0.25": Method(product, cvar(0.25)),
    "product, Gibbs": Method(product, gibbs(2.0)),
    ENTANGLED: Method(qf.ansatz.hardware_efficient),
    "entangled, CVaR 0.25": Method(qf.ansatz.hardware_efficient, cvar(0.25)),
    "product, mean, 4 shots": Method(product, shots=4),
}


def search(
    costs: Tensor,
    method: Method,
    *,
    starts: int,
    layers: int,
    epochs: int,
    learning_rate: float,
    seed: int = 0,
) -> Minimised:
    """Train all starts together; angles are uniform in [0, 2π), as in the paper."""
    n = len(costs).bit_length() - 1
    theta = 2 * math.pi * qf.uniforms((starts, layers, n, 2), seed, device=costs.device)
    return minimise_bitstring(
        qf.diagonal(costs),
        method.ansatz,
        theta,
        objective=method.objective,
        optimiser=qf.optim.adam(learning_rate),
        n_steps=epochs,
        shots=method.shots,
        seed=seed,
    )


def qaoa(
    costs: Tensor, *, starts: int, layers: int, epochs: int, learning_rate: float, seed: int = 0
) -> Minimised:
    """Train QAOA from uniform angles; its phases are those of standardised costs."""
    table = qf.diagonal((costs - costs.mean()) / costs.std())
    phases = qf.from_diagonal(table)
    return minimise_bitstring(
        table,
        lambda params: qf.ansatz.qaoa(params, phases),
        2 * math.pi * qf.uniforms((starts, layers, 2), seed, device=costs.device),
        optimiser=qf.optim.adam(learning_rate),
        n_steps=epochs,
    )


def optimum_probabilities(costs: Tensor, method: Method, found: Minimised) -> Tensor:
    """Probability of the cheapest strings after the last step, (starts,)."""
    n, best = len(costs).bit_length() - 1, costs == costs.amin()
    state = vmap(lambda params: qf.circuit(n, method.ansatz(params))())
    return (vmap(qf.probs)(state(found.params)) * best).sum(1)


def row(name: str, table: str, costs: Tensor, method: Method, found: Minimised) -> Row:
    """Summarise a search: share of starts whose string is the optimum, and its probability."""
    hit = (found.costs == costs.amin()).double()
    probability = optimum_probabilities(costs, method, found)
    return {
        "model": name,
        "table": table,
        "found": hit.mean().item(),
        **spread(probability),
        "starts": len(hit),
        "asked": _asked(found),
        "values": probability.tolist() if len(hit) <= 16 else (),
    }


def plain_rows(table: str, costs: Tensor) -> list[Row]:
    """Random search without repeats, in closed form, and the look at all costs."""
    n, best = len(costs), int((costs == costs.amin()).sum())
    rows = []
    for asked in (1, n // 4, n // 2):
        missed = math.comb(n - best, asked) / math.comb(n, asked)
        rows.append({"model": "random search", "table": table, "found": 1 - missed, "asked": asked})
    return [*rows, {"model": "look at all", "table": table, "found": 1.0, "asked": n}]


def _asked(found: Minimised) -> float:
    """Distinct strings that one start asked for, on average."""
    if found.is_exact:
        return float(found.n_asked)
    return sum(map(len, found.asked)) / len(found.asked)
