"""Channels that apply Pauli words at random: mixtures, whatever their strengths."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import product

import numpy as np
import torch
from torch import Tensor

from quilt_func._checks import check_is, kind_error, message
from quilt_func._torch import matmul
from quilt_func.gates import word_matrix
from quilt_func.noise.channels import Basis, Channel, Table, root, sandwich
from quilt_func.ops import Made, found_in

MAX_WIRES = 4
"""Superoperators of more have over 2**18 entries."""


def _row(
    name: str, symbol: str, words: Sequence[str], shares: Sequence[Sequence[float]],
    names: tuple[str, ...], doc: str, origin: Made | None = None,
) -> Channel:  # fmt: skip
    """The row of words with probabilities `strengths @ shares`; else, the identity."""
    n_wires, n_params = len(words[0]), len(names)
    unitaries = [word_matrix(word) for word in ("I" * n_wires, *words)]
    basis, stacked = Basis([sandwich(one) for one in unitaries]), Table(np.stack(unitaries))
    own = np.array(shares, np.float64).reshape(n_params, len(words))
    table = Table(np.concatenate([-own.sum(1, keepdims=True), own], 1))
    nothing = Table(np.eye(1, 1 + len(words))[0])

    def probabilities(*strengths: Tensor) -> Tensor:
        given = torch.stack(strengths, -1)
        return matmul(given, table.like(given)) + nothing.like(given)

    def mixture(*strengths: Tensor) -> tuple[Tensor, Tensor]:
        found = probabilities(*strengths)
        return found, stacked.like(found)

    def kraus(*strengths: Tensor) -> Tensor:
        found, operators = mixture(*strengths)
        return root(found)[..., None, None] * operators

    return Channel(
        name=name,
        n_wires=n_wires,
        n_params=n_params,
        matrix=lambda *strengths: basis.combined(*probabilities(*strengths).unbind(-1)),
        symbol=(symbol,) * n_wires,
        doc=doc,
        origin=origin or found_in("quilt_func.noise.pauli_mixtures", name),
        param_names=names,
        kraus=kraus,
        mixture=mixture,
        bounds=((0.0, 1.0),) * n_params,
        joint=("sum to 1 at most", lambda *given: sum(given) <= 1) if n_params > 1 else None,
        words=("I" * n_wires, *words),
    )


def _words_on(n_wires: int) -> list[str]:
    """All Pauli words but the identity."""
    return ["".join(letters) for letters in product("IXYZ", repeat=n_wires)][1:]


bit_flip = _row("bit_flip", "BF", ["X"], [[1]], ("p",), "X with probability p.")
phase_flip = _row("phase_flip", "PF", ["Z"], [[1]], ("p",), "Z with probability p.")
bit_phase_flip = _row("bit_phase_flip", "BPF", ["Y"], [[1]], ("p",), "Y with probability p.")
pauli_channel = _row(
    "pauli_channel", "Pauli", ["X", "Y", "Z"], np.eye(3).tolist(), ("px", "py", "pz"),
    "X, Y or Z with probabilities px, py, pz.",
)  # fmt: skip
depolarizing = _row(
    "depolarizing", "Dep", _words_on(1), [[1 / 3] * 3], ("p",),
    "An error with probability p: X, Y or Z, a third each.",
)  # fmt: skip
two_qubit_depolarizing = _row(
    "two_qubit_depolarizing", "Dep", _words_on(2), [[1 / 15] * 15], ("p",),
    "An error with probability p: any Pauli word of two letters but II, a fifteenth each.",
)  # fmt: skip


@lru_cache(maxsize=1024)
def _errors(words: tuple[str, ...]) -> Channel:
    return _row(
        f"pauli_errors[{','.join(words)}]", "Pauli", words, np.eye(len(words)).tolist(),
        tuple(f"p_{word}" for word in words), "Pauli words, each with a probability.",
        Made(pauli_errors, (words,)),
    )  # fmt: skip


def pauli_errors(words: Sequence[str]) -> Channel:
    """The channel that applies one of some Pauli words, each with a probability of its own.

    Args:
        words: Different words of equal length, one letter per wire, without the identity.

    Returns:
        A row with one strength for each word; what is left of 1 is for no error.

    Raises:
        TypeError: If `words` is not a sequence of strings.
        ValueError: If there is no word, lengths differ, a word is repeated, the identity, has other
            letters or too many.

    Transforms:
        vmap, grad, jvp, hessian, in the strengths.

    Examples:
        >>> crosstalk = pauli_errors(["ZZ", "XI"])
        >>> crosstalk(0.01, 0.02, 0, 1)
        <pauli_errors[ZZ,XI] on (0, 1)>

    References:
        Nielsen and Chuang (2010), section 8.3.
    """
    need, remedy = "be a sequence of Pauli words", 'Write `["ZZ", "XI"]`.'
    if isinstance(words, str) or not isinstance(words, Sequence):
        raise kind_error("pauli_errors", "words", words, need, remedy)
    for word in words:
        check_is("pauli_errors", "words", word, str, "hold strings", remedy)
    lengths, letters = {len(word) for word in words}, set("".join(words))
    problem = (
        "no word" if not words
        else "an empty word" if 0 in lengths
        else "words of different lengths" if len(lengths) > 1
        else f"words of {len(words[0])} letters" if len(words[0]) > MAX_WIRES
        else f"the letters {sorted(letters - set('IXYZ'))}" if letters - set("IXYZ")
        else "a word twice" if len(set(words)) < len(words)
        else "the identity" if "I" * len(words[0]) in words
        else ""
    )  # fmt: skip
    if problem:
        need = f"be different words of 1 to {MAX_WIRES} letters I, X, Y, Z, without the identity"
        raise ValueError(message("pauli_errors", "words", words, need, problem, remedy))
    return _errors(tuple(words))
