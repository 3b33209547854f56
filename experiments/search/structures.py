"""Structures of circuits trained at once: `python -m experiments.search --choice [--quick]`.

Which gate stands where is drawn at random. Every structure is trained from several seeds on a
Heisenberg chain, once with `choice`, where numbers choose the gates and one `vmap` runs over
structures and seeds, and once in a loop over structures, each a circuit of plain gates whose seeds
are mapped. Both make the same steps; times are medians of whole trainings, planning included.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.func import vmap

import quilt_func as qf
from experiments import _run
from experiments._checks import check_counts, check_device
from experiments._desk import Desk
from experiments._record import Result, Row, spread
from experiments._run import Experiment

from . import plots

QUICK: Mapping[str, Any] = {"structures": 6, "seeds": 2, "epochs": 3, "repeats": 1, "layers": 2}
COLUMNS = {
    "model": "", "seconds": ".3f", "first_s": ".3f", "ratio": ".1f", "deviation": ".0e",
    "mean": ".4f", "sd": ".2g", "q05": ".4f", "median": ".4f",
}  # fmt: skip
GATES = (
    qf.id, qf.rx, qf.ry, qf.rz, (qf.rx, (1,)), (qf.ry, (1,)), (qf.rz, (1,)),
    qf.rxx, qf.ryy, qf.rzz, qf.cx, (qf.cx, (1, 0)),
)  # fmt: skip
"""What may stand on a pair of wires."""
RATE = 0.1


@dataclass(frozen=True)
class Config:
    """What the results depend on.

    Args:
        structures: How many are drawn.
        seeds: Starts of each.
        epochs: Steps of Adam.
        layers: Layers of gates on pairs of neighbours, even ones and odd ones in turn.
        qubits: Length of the chain, which is closed; an even number.
        repeats: How often each way is timed.
        device: Torch device.
    """

    structures: int = 100
    seeds: int = 16
    epochs: int = 20
    layers: int = 6
    qubits: int = 4
    repeats: int = 3
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_counts(self, "structures", "seeds", "epochs", "layers", "qubits", "repeats")
        check_device(self)
        if self.qubits % 2:
            raise ValueError("the chain is closed by pairs: give an even number of qubits")

    @property
    def pairs(self) -> list[list[tuple[int, int]]]:
        """The pairs of wires in each layer."""
        n = self.qubits
        return [[(w, (w + 1) % n) for w in range(i % 2, n, 2)] for i in range(self.layers)]


def by_number(config: Config, index: Tensor, theta: Tensor) -> qf.Circuit:
    """A circuit of gates that numbers choose; both arguments are `(layers, qubits / 2)`."""
    layers = zip(index, theta, config.pairs, strict=True)
    chosen = [qf.choice(GATES, i, t, pairs) for i, t, pairs in layers]
    return qf.circuit(config.qubits, _start(config), chosen)


def by_structure(config: Config, index: Sequence[Sequence[int]], theta: Tensor) -> qf.Circuit:
    """The same circuit of plain gates."""
    parts = []
    for numbers, angles, pairs in zip(index, theta, config.pairs, strict=True):
        for number, angle, pair in zip(numbers, angles.unbind(0), pairs, strict=True):
            parts.append(_plain(number, angle, pair))
    return qf.circuit(config.qubits, _start(config), parts)


def _start(config: Config) -> qf.Op:
    """Neighbours differ, as they do in the ground state."""
    return qf.x(range(0, config.qubits, 2))


def _plain(number: int, angle: Tensor, pair: tuple[int, int]) -> qf.Op:
    entry = GATES[number]
    gate, places = entry if isinstance(entry, tuple) else (entry, range(entry.n_wires))
    return gate(*([angle] if gate.n_params else []), *(pair[place] for place in places))


def trained_at_once(config: Config, index: Tensor, theta: Tensor) -> Tensor:
    """Energies `(structures, seeds)` after training, by one map over structures and seeds."""
    chain = qf.problems.heisenberg(config.qubits, periodic=True)

    def train(numbers: Tensor, start: Tensor) -> Tensor:
        def energy(angles: Tensor) -> Tensor:
            return qf.expval(by_number(config, numbers, angles)(), chain)

        run = qf.optim.minimise(energy, start, qf.optim.adam(RATE), config.epochs)
        return energy(run.params)

    found: Tensor = vmap(vmap(train, (None, 0)))(index, theta)
    return found


def trained_in_a_loop(config: Config, index: Tensor, theta: Tensor) -> Tensor:
    """The same energies, one structure after another."""
    chain = qf.problems.heisenberg(config.qubits, periodic=True)
    found = []
    for numbers, starts in zip(index.tolist(), theta, strict=True):

        def energy(angles: Tensor, numbers: Any = numbers) -> Tensor:
            return qf.expval(by_structure(config, numbers, angles)(), chain)

        optimiser = qf.optim.adam(RATE)
        run = qf.optim.minimise(energy, starts, optimiser, config.epochs, ensemble=True)
        found.append(vmap(energy)(run.params))
    return torch.stack(found)


WAYS = {
    "loop over structures": trained_in_a_loop,
    "one vmap, gates by number": trained_at_once,
}


def results(config: Config, desk: Desk) -> Iterator[Result]:
    """Train all structures both ways, and time them; a result after each way."""
    shape = config.structures, config.layers, config.qubits // 2
    index = (qf.uniforms(shape, 0, device=config.device) * len(GATES)).long()
    theta = qf.uniforms((shape[0], config.seeds, *shape[1:]), 1, device=config.device)
    angles = 2 * torch.pi * theta
    rows: list[Row] = []
    energies: Tensor | None = None
    for name, train in WAYS.items():
        times, found = _timed(config, desk, name, train, index, angles)
        seconds = statistics.median(times[1:] or times)
        row: dict[str, Any] = {"model": name, "seconds": seconds, "first_s": times[0]}
        if energies is not None:
            row["ratio"] = rows[0]["seconds"] / seconds
            row["deviation"] = (found - energies).abs().max().item()
        energies = found
        rows.append({**row, **spread(found.amin(1)), "times": times})
        yield Result(tuple(rows), data={"energies": energies, "least": _least(config)})


def _timed(
    config: Config,
    desk: Desk,
    name: str,
    train: Callable[[Config, Tensor, Tensor], Tensor],
    index: Tensor,
    angles: Tensor,
) -> tuple[list[float], Tensor]:
    """Seconds of a first training and of the repeats, and what was found."""
    times: list[float] = []
    for _ in desk.bar(range(config.repeats + 1), name, "training"):
        before = time.perf_counter()
        found = train(config, index, angles)
        if found.is_cuda:
            torch.cuda.synchronize()
        times.append(time.perf_counter() - before)
    return times, found.cpu()


def _least(config: Config) -> float:
    matrix = qf.problems.heisenberg(config.qubits, periodic=True).to_matrix()
    return float(torch.linalg.eigvalsh(matrix)[0])


def figures(config: Config, result: Result) -> dict[str, Figure]:
    """The energies that each structure reaches, the best structure first."""
    del config
    return {"structures": plots.draw_structures(result.data["energies"], result.data["least"])}


EXPERIMENT = Experiment("search", results, figures, COLUMNS)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run it from the command line."""
    parser = _run.parser("search", "Structures trained at once, against a loop over them.")
    parser.add_argument("--choice", action="store_true", help="this: without it, bits are searched")
    for name in ("structures", "layers", "qubits", "repeats"):
        parser.add_argument(f"--{name}", type=int, help=f"see Config.{name}")
    _run.main(EXPERIMENT, Config, parser, arguments, stem="choice", quick=QUICK)
