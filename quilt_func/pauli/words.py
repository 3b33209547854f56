"""Pauli words acting on states: static integers in, a few large tensor operations out.

A word maps `P|b⟩ = i^y (-1)^(b·z) |b ⊕ x⟩`, with `x` the mask of its X and Y letters, `z` that of
its Z and Y letters and `y` the number of Y. Words are sorted into groups, and each group is one
pass over the state, however many words it has:

- words that fit a *window* of neighbouring wires are one small matrix there, or, for expectation
  values, one small density matrix: they write to buffers and have no derivative;
- all others share a flip of the state for each `x`: a run of neighbouring flipped wires is one axis
  in reversed order. The signs of a group factor into those of the high and of the low half of the
  bits: what would be a `(words, 2**n)` table is two tables of `(words, 2**(n/2))` and a product.

States are `(*batch, 2**n)`, coefficients and values `(*batch, n_words)`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial, reduce
from itertools import groupby
from typing import Any, NamedTuple, Self, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from quilt_func._amplitudes import apply_block, outer_product, sign_table
from quilt_func._torch import constant, matmul, remembered
from quilt_func.typing import WireSet

WINDOW = 4
"""Wires of a window; its matrix product costs about as much as two flips of the state."""

SMALL = 8
"""Up to this many wires, signs are one table."""

Make: TypeAlias = Callable[[Any], Tensor]
"""Numbers -> a constant tensor."""


class Window(NamedTuple):
    """Words within a few neighbouring wires: their matrices there, `(n_terms, K, K)`."""

    terms: tuple[int, ...]
    wires: WireSet
    matrices: Tensor

    def values(self, bra: Tensor, ket: Tensor) -> Tensor:
        """Re ⟨bra|P|ket⟩ = Re tr(P |ket⟩⟨bra|), by the window's part of |ket⟩⟨bra|."""
        flat = (-1, ket.shape[-1], 1)
        density = outer_product(
            ket.reshape(flat).contiguous(), bra.conj_physical().reshape(flat), self.wires
        )
        values = matmul(_rows(density.resolve_conj()), _rows(self.matrices).mT)
        return values.reshape(*ket.shape[:-1], -1)

    def image(self, coefficients: Tensor, state: Tensor) -> Tensor:
        """The state `Σ c_t P_t ψ`, as one matrix product."""
        matrices = _combined(coefficients, self.matrices)
        flat = state.reshape(-1, state.shape[-1], 1).contiguous()
        out = torch.empty_like(flat)
        apply_block(matrices.reshape(-1, *matrices.shape[-2:]), self.wires, flat, out)
        return out.reshape(state.shape)


class Flip(NamedTuple):
    """Words that share the mask of flipped wires and the parity of their number of Y.

    Their signs are `high[:, :, None] * low[:, None, :]`.
    """

    terms: tuple[int, ...]
    shape: tuple[int, ...]
    flipped_axes: tuple[int, ...]
    is_odd: bool
    high: Tensor
    low: Tensor

    def values(self, bra: Tensor, ket: Tensor) -> Tensor:
        """Re ⟨bra|P|ket⟩ of each word."""
        weights = _weights(bra, self._flipped(ket), self.is_odd)
        if self.high.shape[1] == 1:
            return matmul(weights, (self.high * self.low).mT)
        table: Tensor = weights.unflatten(-1, (self.high.shape[1], -1))
        return (matmul(self.high, table) * self.low).sum(-1)

    def image(self, coefficients: Tensor, state: Tensor) -> Tensor:
        """The state `Σ c_t P_t ψ`."""
        diagonal = matmul((self.high * coefficients[..., None]).mT, self.low).flatten(-2)
        ahead = self._flipped(state)
        return diagonal * (-1j * ahead if self.is_odd else ahead)

    def _flipped(self, state: Tensor) -> Tensor:
        """The state with the wires flipped: entry `b ⊕ x` at position `b`."""
        if not self.flipped_axes:
            return state
        axes = [axis - len(self.shape) for axis in self.flipped_axes]
        split: Tensor = state.unflatten(-1, self.shape)
        return split.flip(axes).flatten(-len(self.shape))


@dataclass(frozen=True, eq=False)
class Words:
    """Pauli words of one length, equal to themselves only, so that no letter is hashed twice."""

    letters: tuple[str, ...]

    def mapped(self, dims: Sequence[int | None], size: int) -> Self:
        """The same words act on every state of a batch."""
        del dims, size
        return self


@lru_cache(maxsize=1024)
def interned(letters: tuple[str, ...]) -> Words:
    """Letters of each word -> the one object for them."""
    return Words(letters)


@remembered(1024)
def groups(
    words: Words, dtype: torch.dtype, device: torch.device, has_windows: bool
) -> tuple[Window | Flip, ...]:
    """Sort words into groups, with tensors of a complex dtype and of its real part's."""
    letters = words.letters
    windows: list[tuple[int, list[int]]] = []
    flips: dict[tuple[str, bool], list[int]] = {}
    spans = {t: _span(word) for t, word in enumerate(letters) if set(word) & {"X", "Y"}}
    narrow = [t for t, (first, last) in spans.items() if has_windows and last - first < WINDOW]
    for term in sorted(narrow, key=spans.__getitem__):
        first, last = spans[term]
        if not windows or last >= windows[-1][0] + WINDOW:
            windows.append((_window_start(len(letters[0]), first, last), []))
        windows[-1][1].append(term)
    for term in sorted(set(range(len(letters))) - set(narrow)):
        word = letters[term]
        mask = "".join("1" if letter in "XY" else "0" for letter in word)
        flips.setdefault((mask, word.count("Y") % 2 == 1), []).append(term)
    make = partial(constant, dtype=dtype, device=device)
    make_real = partial(constant, dtype=dtype.to_real(), device=device)
    return (
        *(_window(letters, start, terms, make) for start, terms in windows),
        *(_flip(letters, *key, terms, make_real) for key, terms in flips.items()),
    )


def _span(word: str) -> tuple[int, int]:
    """First and last wire that a word acts on."""
    return len(word) - len(word.lstrip("I")), len(word.rstrip("I")) - 1


def _window_start(n_qubits: int, first: int, last: int) -> int:
    """Start a window at its first word, but don't end it 1 to 3 wires before the last."""
    latest = max(0, n_qubits - WINDOW)
    if first >= latest - 3:
        earlier = latest - 4
        return max(earlier, 0) if last < earlier + WINDOW else latest if first >= latest else first
    return first


_LETTERS = {
    "I": np.eye(2, dtype=np.complex128),
    "X": np.array([[0, 1], [1, 0]], dtype=np.complex128),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.diag([1, -1]).astype(np.complex128),
}


def _window(words: Sequence[str], start: int, terms: Sequence[int], make: Make) -> Window:
    stop = min(start + WINDOW, len(words[0]))
    matrices = make(_matrices([words[t][start:stop] for t in terms]))
    return Window(tuple(terms), tuple(range(start, stop)), matrices)


def _matrices(words: Iterable[str]) -> NDArray[np.complex128]:
    one: NDArray[Any] = np.ones((1, 1), dtype=np.complex128)  # the word of no letters
    return np.stack([reduce(np.kron, map(_LETTERS.__getitem__, word), one) for word in words])


def _flip(words: Sequence[str], mask: str, is_odd: bool, terms: Sequence[int], make: Make) -> Flip:
    runs = [(bit, len(list(run))) for bit, run in groupby(mask)]
    flipped = tuple(axis for axis, (bit, _) in enumerate(runs) if bit == "1")
    middle = 0 if len(mask) <= SMALL else len(mask) // 2
    phase = np.array([[(-1) ** (words[t].count("Y") // 2)] for t in terms])
    high = phase * _signs([words[t][:middle] for t in terms])
    low = _signs([words[t][middle:] for t in terms])
    shape = tuple(2**length for _, length in runs)
    return Flip(tuple(terms), shape, flipped, is_odd, make(high), make(low))


def _signs(words: Sequence[str]) -> NDArray[np.int64]:
    """Rows `(-1)^(b·z)` over the basis states `b` of the words' wires."""
    return sign_table([letter in "YZ" for letter in word] for word in words)


def expectations(words: Words, bra: Tensor, ket: Tensor, *, has_windows: bool) -> Tensor:
    """Real parts of ⟨bra|P|ket⟩ for each word; batches broadcast."""
    if bra is not ket:
        bra, ket = torch.broadcast_tensors(bra, ket)
    sorted_ = groups(words, ket.dtype, ket.device, has_windows)
    found = [group.values(bra, ket) for group in sorted_]
    order = [term for group in sorted_ for term in group.terms]
    joined = torch.cat(found, -1) if len(found) > 1 else found[0]
    return joined if order == sorted(order) else joined[..., np.argsort(order).tolist()]


def _weights(bra: Tensor, ket: Tensor, is_odd: bool) -> Tensor:
    """Real part of conj(bra) ket, entry by entry, or of -i times that."""
    if is_odd:
        return bra.real * ket.imag - bra.imag * ket.real
    if bra is ket:
        return torch.view_as_real(ket).square().sum(-1)
    return bra.real * ket.real + bra.imag * ket.imag


def apply_sum(words: Words, coefficients: Tensor, state: Tensor, *, has_windows: bool) -> Tensor:
    """The state `Σ c_t P_t ψ`, for real coefficients; batches broadcast."""
    batch = torch.broadcast_shapes(coefficients.shape[:-1], state.shape[:-1])
    is_shared = coefficients.shape[:-1].numel() == 1
    coefficients = coefficients.reshape(-1) if is_shared else coefficients.expand(*batch, -1)
    state = state.expand(*batch, -1)
    total: Tensor | None = None
    for group in groups(words, state.dtype, state.device, has_windows):
        part = group.image(coefficients[..., list(group.terms)], state)
        total = part if total is None else total.add_(part) if has_windows else total + part
    assert total is not None, "there is a word"
    return total


def dense(
    words: tuple[str, ...],
    coefficients: Tensor | tuple[float, ...],
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor:
    """The matrix `Σ c_t P_t`, for few wires."""
    if isinstance(coefficients, tuple):
        return _dense_constant(words, coefficients, dtype, device)
    return _combined(coefficients, _dense(words, dtype, device))


def _combined(coefficients: Tensor, matrices: Tensor) -> Tensor:
    """The matrix `Σ c_t P_t`, for real coefficients."""
    real = matmul(coefficients, _rows(matrices)).unflatten(-1, (*matrices.shape[1:], 2))
    return torch.view_as_complex(real)


def _rows(matrices: Tensor) -> Tensor:
    """Real and imaginary parts of each matrix in a row."""
    return torch.view_as_real(matrices).flatten(1)


@remembered(1024)
def _dense(words: tuple[str, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    return constant(_matrices(words), dtype, device)


@remembered(1024)
def _dense_constant(
    words: tuple[str, ...], numbers: tuple[float, ...], dtype: torch.dtype, device: torch.device
) -> Tensor:
    """The matrix `Σ c_t P_t` for Python numbers."""
    return constant(np.tensordot(numbers, _matrices(words), 1), dtype, device)
