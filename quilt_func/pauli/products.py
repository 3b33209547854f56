"""Products of Pauli words, and sums of what they give."""

from collections.abc import Iterable, Iterator
from itertools import product
from typing import Any

from torch import Tensor

_PRODUCT = {
    "II": (0, "I"), "IX": (0, "X"), "IY": (0, "Y"), "IZ": (0, "Z"),
    "XI": (0, "X"), "XX": (0, "I"), "XY": (1, "Z"), "XZ": (3, "Y"),
    "YI": (0, "Y"), "YX": (3, "Z"), "YY": (0, "I"), "YZ": (1, "X"),
    "ZI": (0, "Z"), "ZX": (1, "Y"), "ZY": (3, "X"), "ZZ": (0, "I"),
}  # fmt: skip
"""Power of i and letter of the product of two letters."""


def merged(terms: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Words and coefficients -> the sum of the coefficients of each word."""
    found: dict[str, Any] = {}
    for word, value in terms:
        found[word] = found[word] + value if word in found else value
    return found


def word_product(left: str, right: str) -> tuple[int, str]:
    """The power of i, and the word, that a product of two words is."""
    powers, letters = zip(*(_PRODUCT[a + b] for a, b in zip(left, right, strict=True)), strict=True)
    return sum(powers) % 4, "".join(letters)


Terms = Iterable[tuple[str, Any]]
"""Words and coefficients."""


def real_products(left: Terms, right: Terms) -> Iterator[tuple[str, Any]]:
    """Words of a product of two sums and their coefficients, where these are real."""
    for (a, one), (b, other) in product(left, right):
        power, word = word_product(a, b)
        if power % 2 == 0:
            yield word, times(one, other) if power == 0 else -times(one, other)


def times(a: Any, b: Any) -> Any:
    """A product of numbers and 0-d tensors, whose tangents keep their precision.

    The tangent of a 0-d float32 tensor times a Python number is float64.
    """
    if isinstance(a, Tensor) and not isinstance(b, Tensor):
        return (a[None] * b)[0]
    if isinstance(b, Tensor) and not isinstance(a, Tensor):
        return (a * b[None])[0]
    return a * b
