"""Experiment 2: landscapes of parametrised circuits, an ensemble at a time.

How gradients vanish with width and depth for three ansätze, how expressibility goes with
entanglement, and how gradient descent, Adam and the natural gradient get down the energy of a
Heisenberg chain. Every ensemble is one vmapped call.

    python -m experiments.landscapes [--seeds 1000] [--epochs 100]
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from matplotlib.figure import Figure

import quilt_func as qf
from experiments import _run
from experiments._checks import check_counts, check_device
from experiments._desk import Desk
from experiments._record import Result, Row, spread
from experiments._run import Experiment

from . import model, plots

PAPER: tuple[Row, ...] = (
    {"part": "expressibility", "model": "H RZ(θ) on one wire, exact", "expressibility": 0.241564},
    {"part": "expressibility", "model": "random states", "entanglement": 14 / 17, "qubits": 4},
)
QUICK = {
    "seeds": 20,
    "epochs": 3,
    "widths": (2, 3),
    "depths": (1, 2),
    "deep": 2,
    "pairs": 50,
    "starts": 4,
    "tuning": 2,
}
SLOPES_AT_ONCE = 1000
COLUMNS = {
    "model": "",
    "qubits": "d",
    "layers": "d",
    "rate": "g",
    "variance": ".3e",
    "two_design": ".3e",
    "ratio": ".2f",
    "ratio_error": ".2f",
    "expressibility": ".4f",
    "entanglement": ".4f",
    "mean": ".4f",
    "sd": ".4f",
    "median": ".2e",
    "q05": ".1e",
    "q95": ".1e",
    "share_1%": ".1%",
    "steps_1%": ".0f",
}


@dataclass(frozen=True)
class Config:
    """What the results depend on.

    Args:
        seeds: Number of random initial angles whose gradients are taken.
        epochs: Steps of a descent.
        device: Torch device.
        widths: Numbers of qubits of the deep circuits.
        deep: Their number of layers.
        depths: Numbers of layers of the circuits of `width` qubits.
        width: Number of qubits of the circuits that get deeper.
        pairs: Pairs of states for expressibility.
        n_bins: Bins of their fidelities.
        chain_layers: Layers of the ansatz that goes down the chain's energy.
        starts: Number of random initial angles that each descent starts from.
        tuning: Other ones, on which each descent's rate is chosen.
    """

    seeds: int = 1000
    epochs: int = 100
    device: str = "cpu"
    widths: tuple[int, ...] = (2, 4, 6, 8, 10)
    deep: int = 20
    depths: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    width: int = 6
    pairs: int = 5000
    n_bins: int = 75
    chain_layers: int = 3
    starts: int = 100
    tuning: int = 10

    def __post_init__(self) -> None:
        counts = ("epochs", "deep", "depths", "pairs", "n_bins", "chain_layers", "starts", "tuning")
        check_counts(self, *counts)
        check_counts(self, "seeds", "width", "widths", minimum=2)
        check_device(self)


def results(config: Config, desk: Desk) -> Iterator[Result]:
    """Yield a fuller result after every ensemble."""
    result = Result(paper=PAPER)
    for rows, data in _parts(config, desk):
        result = replace(result, rows=(*result.rows, *rows), data={**result.data, **data})
        yield result


def figures(config: Config, result: Result) -> dict[str, Figure]:
    """Gradients by width and by depth, expressibility and entanglement, ways down."""
    return {"overview": plots.draw(result.rows, result.data, config.seeds)}


def _parts(config: Config, desk: Desk) -> Iterator[tuple[Sequence[Row], Mapping[str, Any]]]:
    by_width = [(n, config.deep) for n in config.widths]
    by_depth = [(config.width, depth) for depth in config.depths]
    jobs = [
        (part, ansatz, *size)
        for part, sizes in (("gradients by width", by_width), ("gradients by depth", by_depth))
        for ansatz in model.ANSATZE
        for size in sizes
    ]
    for part, ansatz, n, depth in desk.bar(jobs, "gradients", "ensemble"):
        yield [gradient_row(config, part, ansatz, n, depth)], {}
    pairs = [(ansatz, depth) for ansatz in model.ANSATZE for depth in config.depths]
    for ansatz, depth in desk.bar(pairs, "expressibility", "ensemble"):
        yield [expressibility_row(config, ansatz, depth)], {}
    for descent in model.DESCENTS:
        yield descent_rows(config, descent, desk)


def gradient_row(config: Config, part: str, ansatz: model.Ansatz, n: int, depth: int) -> Row:
    """Variance of the first derivative over all seeds, beside that of a 2-design."""
    theta = model.angles(ansatz.shape(n, depth), config.seeds, config.device)
    slopes = model.first_slopes(ansatz, n, theta, SLOPES_AT_ONCE)
    variance, error = model.variance_and_error(slopes)
    limit = model.two_design_variance(n)
    found = {
        "variance": variance,
        "two_design": limit,
        "ratio": variance / limit,
        "ratio_error": error / limit,
    }
    return {"part": part, "model": ansatz.name, "qubits": n, "layers": depth, **found}


def expressibility_row(config: Config, ansatz: model.Ansatz, depth: int, n: int = 4) -> Row:
    """How far the fidelities are from random states', and the mean entanglement."""
    theta = model.angles(ansatz.shape(n, depth), 2 * config.pairs, config.device)
    states = model.states(ansatz, n, theta)
    one, other = states.split(config.pairs)
    found = {
        "expressibility": qf.diagnostics.expressibility(one, other, config.n_bins).item(),
        "entanglement": qf.diagnostics.entangling_capability(states).item(),
    }
    return {"part": "expressibility", "model": ansatz.name, "qubits": n, "layers": depth, **found}


def descent_rows(
    config: Config, descent: model.Descent, desk: Desk
) -> tuple[list[Row], Mapping[str, Any]]:
    """Choose a rate on seeds of its own, then go down from all others."""
    shape = (config.chain_layers, 4, 2)
    tries = model.angles(shape, config.tuning, config.device, first=config.starts)
    grid = torch.tensor(descent.rates, device=config.device)
    starts = tries.repeat(len(grid), *[1] * len(shape))
    rates = grid.repeat_interleave(config.tuning)
    tuned = model.descend(descent, starts, rates, config.epochs, desk, f"{descent.name}, rates")
    means = tuned[-1].reshape(len(grid), -1).mean(1)
    rows = [
        {"part": "rates", "model": descent.name, "rate": rate, "mean": mean}
        for rate, mean in zip(descent.rates, means.tolist(), strict=True)
    ]
    best = descent.rates[int(means.argmin())]
    theta = model.angles(shape, config.starts, config.device)
    energies = model.descend(
        descent,
        theta,
        torch.full((config.starts,), best, device=config.device),
        config.epochs,
        desk,
        descent.name,
    )
    row = {"part": "ways down", "model": descent.name, "rate": best, **summary(energies)}
    return [*rows, row], {descent.name: energies.cpu().numpy()}


def summary(energies: torch.Tensor) -> dict[str, Any]:
    """Final energies, relative excess over the ground energy, and when it falls below 1 %."""
    excess = (energies.double() - model.GROUND_ENERGY) / abs(model.GROUND_ENERGY)
    final = spread(energies[-1])
    close = excess <= 0.01
    arrived = close.any(0)
    steps = close.double().argmax(0)[arrived]
    quantiles = {key: spread(excess[-1])[key] for key in ("q05", "median", "q95")}
    return {
        "mean": final["mean"],
        "sd": final["sd"],
        **quantiles,
        "share_1%": close[-1].double().mean().item(),
        "steps_1%": steps.double().median().item() if len(steps) else None,
    }


EXPERIMENT = Experiment("landscapes", results, figures, COLUMNS, "part")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the experiment from the command line."""
    parser = _run.parser("landscapes", "Landscapes of parametrised circuits.")
    _run.main(EXPERIMENT, Config, parser, arguments, quick=QUICK)


if __name__ == "__main__":
    main()
