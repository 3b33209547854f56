"""Problems of 12 to 20 bits, as tables of all costs: what a search may ask for one by one."""

import math
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

import quilt_func as qf

LAYERS, HEADS, DROPOUTS = (2, 4, 6, 8), (2, 4, 8, 16), (0.0, 0.1, 0.2, 0.3)
WIDTHS = (64, 96, 128, 192, 256, 320, 384, 512)
RATES = tuple(10 ** (-4 + 0.25 * step) for step in range(8))
ROUGHNESS = 0.03


def architectures(instance: int) -> Tensor:
    """A made-up loss of 4,096 transformers, 12 bits: layers 2, width 3, heads 2, dropout 2, rate 3.

    With N = 12 · layers · width²: a power law of the size, (2e5 / N)^0.3; a rate that should fall
    with the width; a dropout that should grow with the size; heads 32 wide; a price of N / 4e7;
    and noise as large as that of training, which makes the table rough. No network is trained.
    """
    axes = (LAYERS, WIDTHS, HEADS, DROPOUTS, RATES)
    grid = torch.cartesian_prod(*(torch.tensor(axis, dtype=torch.float64) for axis in axes))
    layers, width, heads, dropout, rate = grid.unbind(1)
    size = 12 * layers * width.square()
    best_rate, best_dropout = -2.5 - 0.25 * (width / 64).log2(), 0.1 * (size / 1e5).log10()
    noise = qf.uniforms(len(size), instance, dtype=torch.float64)
    cost = (2e5 / size) ** 0.3 + 0.2 * (rate.log10() - best_rate).square()
    cost = cost + 2 * (dropout - best_dropout).square() + 0.03 * (width / heads / 32).log2().abs()
    return (cost + size / 4e7 + ROUGHNESS * noise).float()


def partitioning(n: int, instance: int) -> Tensor:
    """Squared difference of two groups' sums, of numbers uniform in [0, 1); normalised."""
    numbers = qf.uniforms(n, instance, dtype=torch.float64).tolist()
    problem = qf.problems.number_partitioning(numbers)
    costs = qf.to_diagonal(problem, dtype=torch.float64).values
    return ((costs + costs.flip(0)) / 2).float()  # the groups' names don't matter, to the last bit


def cut(n: int, instance: int) -> Tensor:
    """Minus the cut of a random 3-regular graph."""
    return qf.to_diagonal(qf.problems.maxcut(n, regular_graph(n, instance))).values


def regular_graph(n: int, instance: int) -> list[tuple[int, int]]:
    """A random 3-regular graph: three ends a node, paired at random until no edge repeats."""
    rng = np.random.default_rng(instance)
    while True:
        ends = rng.permutation(np.repeat(np.arange(n), 3)).reshape(-1, 2)
        edges = {(int(min(pair)), int(max(pair))) for pair in ends}
        if len(edges) == len(ends) and all(i != j for i, j in edges):
            return sorted(edges)


PROBLEMS: Mapping[str, tuple[int, Callable[[int], Tensor]]] = {
    "architectures, 12 bits": (12, architectures),
    "number partitioning, 14 bits": (14, lambda instance: partitioning(14, instance)),
    "MaxCut, 16 nodes": (16, lambda instance: cut(16, instance)),
    "MaxCut, 20 nodes": (20, lambda instance: cut(20, instance)),
}


def gap(table: Tensor, asked: Tensor) -> Tensor:
    """How far the best cost is from the optimum after each distinct string that was asked for.

    In units of the distance from the optimum to the mean of all costs: 1 is what a blind guess
    gets on average, 0 is the optimum.
    """
    least, mean = table.amin(), table.double().mean()
    return (table[asked].cummin(0).values - least).double() / (mean - least)


def ring(n_layers: int) -> tuple[int, float]:
    """The smallest ring on which QAOA has its value for long rings, and that share of the cut.

    References:
        Farhi, Goldstone and Gutmann (2014), arXiv:1411.4028, section 4; proved by Mbeng, Fazio
        and Santoro (2019), arXiv:1906.08948.
    """
    return 2 * n_layers + 2, (2 * n_layers + 1) / (2 * n_layers + 2)


def starts_of_ring(shorter: Tensor | None, starts: int) -> Tensor:
    """Angles of QAOA to start from, (starts, p, 2): the first without spread.

    One layer starts on the ramp's middle; more are interpolated from the best of one layer less.

    References:
        Zhou, Wang, Choi, Pichler and Lukin (2020), Phys. Rev. X 10, 021067, appendix B.1.
    """
    if shorter is None:
        longer = torch.tensor([[-0.125, 0.125]], dtype=torch.float64) * math.pi
    else:
        share = torch.arange(len(shorter) + 1, dtype=torch.float64)[:, None] / len(shorter)
        none = torch.zeros(1, 2, dtype=torch.float64)
        before, here = torch.cat([none, shorter]), torch.cat([shorter, none])
        longer = share * before + (1 - share) * here
    u = qf.uniforms((starts, *longer.shape), 0, dtype=torch.float64)
    spread = torch.linspace(0, 0.2, starts, dtype=torch.float64)[:, None, None]
    return longer + spread * (u - 0.5)
