"""What Pauli words make of states, word by word, for callers that have words and no sum."""

from torch import Tensor

from quilt_func.pauli.rules import Image, Overlaps, Values
from quilt_func.pauli.words import interned


def word_values(words: tuple[str, ...], state: Tensor) -> Tensor:
    """⟨ψ|P|ψ⟩ for each word, `(n_words,)`."""
    found: Tensor = Values.of(interned(words), state)
    return found


def word_overlaps(words: tuple[str, ...], bra: Tensor, ket: Tensor) -> Tensor:
    """Re ⟨bra|P|ket⟩ for each word, `(n_words,)`."""
    found: Tensor = Overlaps.of(interned(words), bra, ket)
    return found


def word_image(words: tuple[str, ...], coefficients: Tensor, state: Tensor) -> Tensor:
    """The state `Σ c_t P_t ψ`, for real coefficients `(n_words,)`."""
    found: Tensor = Image.of(interned(words), coefficients, state)
    return found
