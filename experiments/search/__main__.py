"""Beyond the second experiment: spaces of 12 to 20 bits, where looking at all costs hurts.

Every way to search pays for the distinct strings whose cost it asks for. Circuits work from
samples; exactly, they see all costs, and stand apart. QAOA on even rings is compared with its
known value.

    python -m experiments.search
    python -m experiments.search --choice    # structures trained at once (`structures.py`)
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.func import grad_and_value, vmap

import quilt_func as qf
from experiments import _run
from experiments._checks import check_counts, check_device
from experiments._desk import Desk, digest
from experiments._record import Result, Row, spread
from experiments._run import Experiment

from . import plots, structures
from .methods import CIRCUITS, CLASSICAL, circuit_search
from .problems import PROBLEMS, gap, ring, starts_of_ring

QUICK = {"seeds": 2, "instances": 1, "epochs": 2, "budget": 32, "largest": 12, "layers": 2}
COLUMNS = {
    "model": "",
    "asked": "d",
    "found": ".1%",
    "mean": ".3g",
    "sd": ".2g",
    "median": ".3g",
    "q95": ".3g",
    "known": ".6f",
    "error": ".1e",
}
EXACT_UP_TO = 16  # qubits, of which one instance
EXACT_RATE = 0.1
RING_STARTS, RING_STEPS = 4, 400
Angles = list[list[float]]


@dataclass(frozen=True)
class Config:
    """What the results depend on.

    Args:
        seeds: Runs on each instance; half as many with 20 bits.
        instances: Instances of each problem; one with 20 bits.
        epochs: Steps of Adam of the circuits.
        learning_rate: Its rate, from samples.
        shots: Samples on either side of a step of SPSA.
        budget: Distinct strings that a run may ask for.
        largest: Problems with more bits are left out.
        layers: QAOA runs with 1, 2, ... layers up to this number.
        device: Torch device.
    """

    seeds: int = 16
    instances: int = 4
    epochs: int = 64
    learning_rate: float = 0.3
    shots: int = 8
    budget: int = 512
    largest: int = 20
    layers: int = 6
    device: str = "cpu"

    def __post_init__(self) -> None:
        counts = ("seeds", "instances", "epochs", "shots", "budget", "largest", "layers")
        check_counts(self, *counts)
        check_device(self)


def results(config: Config, desk: Desk) -> Iterator[Result]:
    """Yield a fuller result after every way to search a problem, and after every ring.

    What is finished is kept at once, and found again by a run of the same config.
    """
    result = Result()
    key = digest(asdict(config), torch.__version__)
    for problem, (n_bits, make) in PROBLEMS.items():
        if n_bits > config.largest:
            continue
        seeds, instances = config.seeds, config.instances
        if n_bits > EXACT_UP_TO:
            seeds, instances = max(1, seeds // 2), 1
        tables = [make(instance) for instance in range(instances)]
        ways = [*CLASSICAL, *CIRCUITS]
        for way in desk.bar(ways, problem, "way"):
            work = partial(_all_curves, config, way, tables, seeds)
            found = desk.cached(f"{problem} {way}", key, work)
            curves = torch.tensor(found, dtype=torch.float64)
            data: dict[Any, Any] = {**result.data, (problem, way): curves}
            result = replace(result, rows=(*result.rows, _row(problem, way, curves)), data=data)
            yield result
        if n_bits <= EXACT_UP_TO:
            few = tables if n_bits < EXACT_UP_TO else tables[:1]
            for way in CIRCUITS:
                row_of = partial(_exact_row, config, problem, way, few)
                row = desk.cached(f"{problem} {way} exact", key, row_of)
                result = replace(result, rows=(*result.rows, row))
                yield result
    angles = None
    for n_layers in desk.bar(range(1, config.layers + 1), "QAOA on even rings", "ring"):
        row, angles = desk.cached(f"ring {n_layers}", key, partial(ring_row, n_layers, angles))
        result = replace(result, rows=(*result.rows, row))
        yield result


def _all_curves(
    config: Config, way: str, tables: Sequence[Tensor], seeds: int
) -> list[list[float]]:
    curves = [_curves(config, way, table, i, seeds) for i, table in enumerate(tables)]
    found: list[list[float]] = torch.cat(curves).tolist()
    return found


def _curves(config: Config, way: str, table: Tensor, instance: int, n_seeds: int) -> Tensor:
    """Gap to the optimum by the number of distinct strings asked for, (seeds, budget)."""
    if way in CLASSICAL:
        seeds = range(1000 * instance, 1000 * instance + n_seeds)
        asked = [CLASSICAL[way](table, config.budget, seed) for seed in seeds]
    else:
        how: dict[str, Any] = {"steps": config.epochs, "shots": config.shots, "seed": instance}
        how |= {"starts": n_seeds, "learning_rate": config.learning_rate}
        found = circuit_search(way, table.to(config.device), **how)
        asked = [one[: config.budget].cpu() for one in found.asked]
    return torch.stack([_filled(gap(table, one), config.budget) for one in asked])


def _filled(curve: Tensor, budget: int) -> Tensor:
    """A search that stopped early keeps what it has."""
    return torch.cat([curve, curve[-1:].expand(budget - len(curve))])


def _row(problem: str, way: str, curves: Tensor) -> Row:
    last, places = curves[:, -1], [2**k for k in range(4, 20) if 2**k <= curves.shape[1]]
    steps = [
        {"asked": k, "found": _share(curves[:, k - 1]), "gap": curves[:, k - 1].mean().item()}
        for k in places
    ]
    row = {"model": way, "table": problem, "asked": curves.shape[1], "found": _share(last)}
    return {**row, **spread(last), "runs": len(last), "by_budget": steps}


def _share(gaps: Tensor) -> float:
    return (gaps == 0).double().mean().item()


def _exact_row(config: Config, problem: str, way: str, tables: Sequence[Tensor]) -> Row:
    """Exact gradients see the whole table, so that there is nothing left to look for."""
    gaps = []
    for instance, table in enumerate(tables):
        how: dict[str, Any] = {"steps": config.epochs, "shots": None, "seed": instance}
        how |= {"starts": config.seeds, "learning_rate": EXACT_RATE}
        found = circuit_search(way, table.to(config.device), **how)
        least, mean = table.amin(), table.double().mean()
        gaps.append((found.costs.cpu() - least).double() / (mean - least))
    last = torch.cat(gaps)
    row = {"model": f"{way}, exact", "table": f"{problem}: all costs seen", "asked": len(tables[0])}
    return {**row, "found": _share(last), **spread(last), "runs": len(last)}


def ring_row(n_layers: int, shorter: Angles | None) -> tuple[Row, Angles]:
    """QAOA's best share of the cut on an even ring, beside the known value; and its angles.

    Args:
        n_layers: Number of layers p.
        shorter: Best angles of one layer less, p - 1 pairs, to start from; None for p = 1.
    """
    n, known = ring(n_layers)
    cost = qf.problems.maxcut(n, [(i, (i + 1) % n) for i in range(n)])

    def energy(params: Tensor) -> Tensor:
        return qf.expval(qf.circuit(n, qf.ansatz.qaoa(params, cost))(), cost) / n

    optimiser = qf.optim.adam(qf.optim.cosine_schedule(0.05, RING_STEPS))
    start = None if shorter is None else torch.tensor(shorter, dtype=torch.float64)
    params = starts_of_ring(start, RING_STARTS)
    state = vmap(optimiser.init)(params)

    @qf.jit
    def step(params: Tensor, state: Any) -> tuple[Tensor, Any]:
        grads, _ = vmap(grad_and_value(energy))(params)
        updates, state = vmap(optimiser.update)(grads, state)
        return params + updates, state

    for _ in range(RING_STEPS):
        params, state = step(params, state)
    shares = -vmap(energy)(params)
    best = shares.amax().item()
    angles: Angles = params[shares.argmax()].tolist()
    table = "QAOA on even rings: share of the cut"
    row: dict[str, Any] = {"model": f"p = {n_layers}, {n} nodes", "table": table}
    row = {**row, "mean": best, "known": known, "error": best - known, "values": shares.tolist()}
    return row, angles


def figures(config: Config, result: Result) -> dict[str, Figure]:
    """Success and distance from the optimum by the number of strings asked for."""
    del config
    return {"budget": plots.draw(result.data, result.rows)}


EXPERIMENT = Experiment("search", results, figures, COLUMNS, "table")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the experiment, or that of structures, from the command line."""
    words = sys.argv[1:] if arguments is None else arguments
    if "--choice" in words:
        structures.main(words)
        return
    parser = _run.parser("search", "Search 12 to 20 bits at equal budgets; QAOA on rings.")
    parser.add_argument("--choice", action="store_true", help="train structures at once instead")
    for name in ("instances", "shots", "budget", "largest", "layers"):
        parser.add_argument(f"--{name}", type=int, help=f"see Config.{name}")
    _run.main(EXPERIMENT, Config, parser, arguments, quick=QUICK)


if __name__ == "__main__":
    main()
