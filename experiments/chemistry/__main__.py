"""Energies of H2 and LiH along the bond length, by a variational eigensolver.

All bond lengths and all random starts train at once: two nested `vmap`s, over coefficients and
over angles. Exact diagonalisation says how far the results are off.

    python -m experiments.chemistry
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.func import grad_and_value, vmap

import quilt_func as qf
from experiments import _run
from experiments._checks import check_counts, check_device
from experiments._desk import Desk
from experiments._record import Result, Row, spread
from experiments._run import Experiment
from quilt_func.molecules import bond_lengths, molecule

from . import plots

CHEMICAL_ACCURACY = 1.6e-3  # hartree, 1 kcal/mol
LAYERS = {"H2": 2, "LiH": 4}
QUICK = {"seeds": 2, "epochs": 20}
PAPER: tuple[Row, ...] = (
    {"model": "H2 at 0.735, electronic, published", "table": "H2", "exact": -1.85727503},
)
COLUMNS = {
    "model": "",
    "exact": ".6f",
    "energy": ".6f",
    "determinant": ".6f",
    "error": ".1e",
    "median": ".1e",
    "q95": ".1e",
    "accurate": ".0%",
}


@dataclass(frozen=True)
class Config:
    """What the results depend on.

    Args:
        seeds: Random starts at each bond length.
        epochs: Steps of Adam, whose rate falls to 0 along half a cosine.
        learning_rate: Its first rate.
        device: Torch device.
    """

    seeds: int = 16
    epochs: int = 1000
    learning_rate: float = 0.1
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_counts(self, "seeds", "epochs")
        check_device(self)


def hamiltonians(name: str, device: str = "cpu") -> qf.PauliSum:
    """All Hamiltonians of a molecule as one: coefficients (n_lengths, n_words), float64."""
    sums = [molecule(name, length) for length in bond_lengths(name)]
    rows = [one.coefficients for one in sums]
    return qf.PauliSum(sums[0].words, torch.tensor(rows, dtype=torch.float64, device=device))


def energy(observable: qf.PauliSum, params: Tensor) -> Tensor:
    """Energy of one start at one bond length; `params` is (n_layers, n_qubits, 2)."""
    parts = qf.ansatz.hardware_efficient(params, "ring")
    return qf.expval(qf.circuit(observable.n_qubits, parts)(), observable)


def train(name: str, config: Config, desk: Desk) -> tuple[Tensor, Tensor]:
    """Train all starts at all bond lengths at once.

    Returns:
        Energies after training (n_lengths, seeds), and before every step (epochs, n_lengths,
        seeds), in hartree.
    """
    observable = hamiltonians(name, config.device)
    shape = (config.seeds, LAYERS[name], observable.n_qubits, 2)
    u = qf.uniforms(shape, 0, dtype=torch.float64, device=config.device)
    start = (2 * math.pi * u).expand(len(observable.coefficients), *shape).clone()
    optimiser = qf.optim.adam(qf.optim.cosine_schedule(config.learning_rate, config.epochs))
    slopes = grad_and_value(energy, argnums=1)
    everywhere = vmap(vmap(slopes, (None, 0)))

    def step(carry: Any) -> tuple[Any, Tensor]:
        params, state = carry
        grads, values = everywhere(observable, params)
        updates, state = vmap(vmap(optimiser.update))(grads, state, params)
        return (qf.optim.apply_updates(params, updates), state), values

    carry = start, vmap(vmap(optimiser.init))(start)
    (params, _), trace = desk.scan(name, qf.jit(step), carry, config.epochs)
    return vmap(vmap(energy, (None, 0)))(observable, params), trace


def exact(name: str) -> tuple[Tensor, Tensor]:
    """Lowest eigenvalue and lowest diagonal entry, a single determinant, by bond length."""
    matrices = [molecule(name, length).to_matrix() for length in bond_lengths(name)]
    lowest = torch.stack([torch.linalg.eigvalsh(matrix)[0] for matrix in matrices])
    return lowest, torch.stack([matrix.diagonal().real.amin() for matrix in matrices])


def results(config: Config, desk: Desk) -> Iterator[Result]:
    """Yield a fuller result after every molecule."""
    result = Result(paper=PAPER)
    for name in LAYERS:
        energies, trace = (part.cpu() for part in train(name, config, desk))
        truth, determinant = exact(name)
        errors = energies - truth[:, None]
        rows = [
            _row(name, *each)
            for each in zip(bond_lengths(name), truth, determinant, energies, strict=True)
        ]
        kept = {"exact": truth, "determinant": determinant, "energies": energies, "trace": trace}
        data: dict[Any, Any] = {**result.data, name: {**kept, "errors": errors}}
        rows.append(_total(name, errors))
        result = replace(result, rows=(*result.rows, *rows), data=data)
        yield result


def _row(name: str, length: float, truth: Tensor, determinant: Tensor, energies: Tensor) -> Row:
    errors = energies - truth
    return {
        "model": f"{name} at {length:g}",
        "table": name,
        "exact": truth.item(),
        "energy": energies.amin().item(),
        "determinant": determinant.item(),
        "error": errors.amin().item(),
        "accurate": _accurate(errors),
        **spread(errors),
    }


def _total(name: str, errors: Tensor) -> Row:
    """The worst bond length's best start, and all starts."""
    worst = errors.amin(1).amax().item()
    total = {"model": f"{name}, all lengths", "table": name, "error": worst}
    return {**total, "accurate": _accurate(errors), **spread(errors.flatten())}


def _accurate(errors: Tensor) -> float:
    return (errors < CHEMICAL_ACCURACY).double().mean().item()


def figures(config: Config, result: Result) -> dict[str, Figure]:
    """Energies along the bond, and errors."""
    del config
    lengths = {name: bond_lengths(name) for name in LAYERS}
    return {"curves": plots.draw(lengths, result.data, CHEMICAL_ACCURACY)}


EXPERIMENT = Experiment("chemistry", results, figures, COLUMNS, "table")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the experiment from the command line."""
    parser = _run.parser("chemistry", "H2 and LiH along the bond length, all lengths at once.")
    _run.main(EXPERIMENT, Config, parser, arguments, quick=QUICK)


if __name__ == "__main__":
    main()
