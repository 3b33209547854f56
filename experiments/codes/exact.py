r"""The probability that a code loses its qubit, summed over all errors, in numpy.

After a round the state is one of the code's again, up to a logical Pauli word, so that a round is a
channel of the logical qubit with probabilities `q` of I, X, Y and Z. These are sums over all `4**n`
errors of the data. Rounds compose: each has the factor `Σ ± q` on each Pauli word, and factors
multiply.
"""

from collections.abc import Callable
from itertools import product

import numpy as np

from experiments._style import Array

from .model import Code, anticommute, corrections, syndrome

SHARES = {
    "bit flips": (1.0, 0.0, 0.0),
    "depolarizing": (1 / 3, 1 / 3, 1 / 3),
}
"""How the strength is shared by X, Y and Z."""
SIGNS = np.array([[1, 1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]])
"""Signs of the logical I, X, Y, Z that the errors I, X, Y, Z leave."""
PRODUCTS = {
    ("X", "Y"): "Z", ("Y", "Z"): "X", ("X", "Z"): "Y",
}  # fmt: skip


def times(a: str, b: str) -> str:
    """The product of two Pauli words, but for its phase."""
    return "".join(_letter(x, y) for x, y in zip(a, b, strict=True))


def _letter(x: str, y: str) -> str:
    if x == y:
        return "I"
    if "I" in (x, y):
        return x if y == "I" else y
    first, second = sorted((x, y))
    return PRODUCTS[first, second]


def logical_error(code: Code, word: str) -> int:
    """What a correction leaves of an error: 0 for nothing, 1, 2, 3 for a logical X, Y, Z."""
    left = times(corrections(code)[syndrome(code, word)], word)
    x, z = (anticommute(left, logical) for logical in reversed(code.logical))
    return [[0, 3], [1, 2]][x][z]


def weights(code: Code) -> Array:
    """Numbers of errors by what the correction leaves, and by how many X, Y and Z they have."""
    n = code.n_data
    found = np.zeros((4, n + 1, n + 1, n + 1), int)
    for letters in product("IXYZ", repeat=n):
        word = "".join(letters)
        found[logical_error(code, word), word.count("X"), word.count("Y"), word.count("Z")] += 1
    return found


def one_round(code: Code, noise: str) -> Callable[[float], Array]:
    """Probabilities (4,) of a logical I, X, Y, Z after one round, as a function of the strength."""
    counted, places = weights(code), np.indices((code.n_data + 1,) * 3)

    def probabilities(p: float) -> Array:
        each = [(p * share) ** place for share, place in zip(SHARES[noise], places, strict=True)]
        rest = (1 - p) ** np.clip(code.n_data - places.sum(0), 0, None)
        found: Array = (counted * np.prod(each, 0) * rest).sum((1, 2, 3))
        return found

    return probabilities


def loss(code: Code, noise: str, rounds: int = 1) -> Callable[[float], float]:
    """The probability that a qubit is lost in some rounds, as a function of the strength."""
    once = one_round(code, noise)

    def probability(p: float) -> float:
        return 1 - float(((SIGNS @ once(p)) ** rounds).mean())

    return probability


def crossing(a: Callable[[float], float], b: Callable[[float], float], low: float) -> float:
    """Where `a`, which is below `b` from `low` on, first is as large, to double precision."""
    strengths = np.arange(low, 1, 0.01)
    high = next(p for p in strengths if a(p) >= b(p))
    low = high - 0.01
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if a(middle) >= b(middle) else (middle, high)
    return float((low + high) / 2)
