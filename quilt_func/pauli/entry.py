"""Pauli sums: observables with static words and real coefficients that are leaves."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor

from quilt_func._checks import (
    COMPLEX_OF,
    a_kind,
    check_complex_dtype,
    check_count,
    check_state_size,
    check_wires,
    common_dtype_and_device,
    describe,
    dtype_or_kind,
    is_hidden,
    is_index,
    kind_error,
    message,
    shape_error,
)
from quilt_func._torch import matmul, own_tangent, register
from quilt_func.pauli.products import merged, real_products, word_product
from quilt_func.pauli.rules import Energy, Image, Values
from quilt_func.pauli.sparse import sparse_matrix
from quilt_func.pauli.words import dense, interned
from quilt_func.typing import PauliTerms

SMALL = 5
"""On at most so many qubits a sum acts as one dense matrix."""

Coefficients = Tensor | tuple[float, ...]


@dataclass(frozen=True, eq=False, repr=False)
class PauliSum:
    """A real combination of Pauli words. A pytree: its leaf is a tensor of coefficients, if any.

    Make one with `pauli_sum`, which checks it.

    Attributes:
        words: Pauli words of one length; the first letter acts on wire 0.
        coefficients: A real tensor `(n_words,)`, or a tuple of Python numbers, which take the
            precision of the state.

    Examples:
        >>> energy = pauli_sum({"ZZ": torch.tensor(1.0), "XI": torch.tensor(0.5)})
        >>> energy.n_qubits, energy.words, energy.coefficients
        (2, ('ZZ', 'XI'), tensor([1.0000, 0.5000]))
    """

    words: tuple[str, ...]
    coefficients: Coefficients

    @property
    def n_qubits(self) -> int:
        """Length of the words."""
        return len(self.words[0])

    @property
    def leaves(self) -> list[Any]:
        """The tensor of coefficients, if there is one."""
        return [] if isinstance(self.coefficients, tuple) else [self.coefficients]

    def apply(self, state: Tensor) -> Tensor:
        """The state `O|ψ⟩`, not normalised.

        Args:
            state (complex, (2**n_qubits,)): Statevector.

        Returns:
            (complex, (2**n_qubits,)): Image of the state.

        Raises:
            TypeError: If dtypes or devices differ.
            ValueError: If the state is of the wrong size.

        Transforms:
            vmap, grad, jvp, in the state and in the coefficients.

        Examples:
            >>> from quilt_func import zero_state
            >>> pauli_sum({"X": 2.0}).apply(zero_state(1)).real
            tensor([0., 2.])
        """
        self._check("apply", state)
        return self._image(state)

    def _image(self, state: Tensor) -> Tensor:
        if self.n_qubits <= SMALL:
            return state @ dense(self.words, self.coefficients, state.dtype, state.device).mT
        image: Tensor = Image.of(interned(self.words), self._tensor(state), state)
        return image

    def expectation(self, state: Tensor) -> Tensor:
        """Expectation value; see `quilt_func.expval`."""
        self._check("expval", state)
        if self.n_qubits <= SMALL:
            return torch.vdot(state, self._image(state)).real
        value: Tensor = Energy.of(interned(self.words), self._tensor(state), state)[0]
        return value

    def to_matrix(
        self, *, dtype: torch.dtype = torch.complex128, device: torch.device | str | None = None
    ) -> Tensor:
        """The dense matrix, for small sums: it has `4**n_qubits` entries.

        Args:
            dtype: Of the result, where the coefficients are Python numbers.
            device: Of the result, where the coefficients are Python numbers.

        Returns:
            (complex, (2**n_qubits, 2**n_qubits)): Hermitian matrix.

        Raises:
            TypeError: If `dtype` is not complex.

        Transforms:
            vmap, grad (of real functions of it), jvp, in the coefficients.

        Examples:
            >>> pauli_sum({"Z": 1.0, "X": 0.5}).to_matrix(dtype=torch.complex64).real
            tensor([[ 1.0000,  0.5000],
                    [ 0.5000, -1.0000]])
        """
        check_complex_dtype("to_matrix", dtype)
        if isinstance(self.coefficients, Tensor):
            dtype, device = COMPLEX_OF[self.coefficients.dtype], self.coefficients.device
        columns = torch.eye(2**self.n_qubits, dtype=dtype, device=device).unbind(0)
        return torch.stack([self.apply(column) for column in columns], -1)

    def to_sparse(
        self, *, dtype: torch.dtype = torch.complex128, device: torch.device | str | None = None
    ) -> Tensor:
        """The matrix as a sparse tensor: an entry in each row for each set of flipped wires.

        Args:
            dtype: Of the result, where the coefficients are Python numbers.
            device: Of the result, where the coefficients are Python numbers.

        Returns:
            (complex, (2**n_qubits, 2**n_qubits)): Hermitian matrix, coalesced, of layout
            `torch.sparse_coo`.

        Raises:
            TypeError: If `dtype` is not complex, or the coefficients are hidden behind a transform.

        Transforms:
            None: `torch.func` has no sparse tensors. Ordinary `backward` goes through it.

        Examples:
            >>> pauli_sum({"ZZZ": 1.0, "XII": 0.5}).to_sparse()._nnz()
            16
        """
        check_complex_dtype("to_sparse", dtype)
        if isinstance(self.coefficients, Tensor):
            dtype, device = COMPLEX_OF[self.coefficients.dtype], self.coefficients.device
            if is_hidden(self.coefficients):
                need, got = "have coefficients that can be read", "hidden ones"
                remedy = "Take `apply`, which every transform goes through."
                raise TypeError(message("to_sparse", "self", self, need, got, remedy))
        like = torch.empty(0, dtype=dtype, device=device)
        return sparse_matrix(self.words, self._tensor(like), dtype)

    def simplify(self) -> "PauliSum":
        """Merge equal words, and drop those whose coefficient is the Python number 0.

        Transforms:
            vmap, grad, jvp, in the coefficients.

        Examples:
            >>> (pauli_sum({"Z": 1.0}) + pauli_sum({"Z": 0.5})).simplify()
            PauliSum(1.5 Z)
        """
        found = merged(self.items())
        if isinstance(self.coefficients, tuple):
            found = {w: c for w, c in found.items() if c} or {"I" * self.n_qubits: 0.0}
        return pauli_sum(found)

    def items(self) -> Iterator[tuple[str, Any]]:
        """Iterate over words and coefficients."""
        values = self.coefficients
        each = values.unbind(0) if isinstance(values, Tensor) else values
        return zip(self.words, each, strict=True)

    def __add__(self, other: "PauliSum | Tensor | float") -> "PauliSum":
        """The sum; a number, or a 0-d real tensor, is so many times the identity."""
        if _is_number(other) or _is_coefficient(other):
            other = pauli_sum({"I" * self.n_qubits: other})
        elif isinstance(other, Tensor | complex):
            got = describe(other) if isinstance(other, Tensor) else a_kind(other)
            raise TypeError(
                "PauliSum + number: `number` must be a real number or a 0-d real tensor, but got "
                f"{got}. Pauli sums are Hermitian: a constant is real."
            )
        if not isinstance(other, PauliSum):
            return NotImplemented
        self._check_length("+", other)
        words = self.words + other.words
        if isinstance(self.coefficients, tuple) and isinstance(other.coefficients, tuple):
            return PauliSum(words, self.coefficients + other.coefficients)
        leaves = self.leaves + other.leaves
        common_dtype_and_device("pauli_sum", leaves)
        return PauliSum(words, torch.cat([one._tensor(leaves[0]) for one in (self, other)]))

    def __radd__(self, other: Tensor | float) -> "PauliSum":
        return self if type(other) is int and not other else self + other  # as `sum` starts

    def __mul__(self, factor: Tensor | float) -> "PauliSum":
        if not (_is_number(factor) or _is_coefficient(factor)):
            got = describe(factor) if isinstance(factor, Tensor) else a_kind(factor)
            raise TypeError(
                "PauliSum * factor: `factor` must be a real number or a 0-d real tensor, but got "
                f"{got}. Pauli sums are Hermitian; multiply sums with `@`."
            )
        if isinstance(factor, Tensor):
            common_dtype_and_device("pauli_sum", [*self.leaves, factor])
            return PauliSum(self.words, self._tensor(factor) * factor)
        if isinstance(self.coefficients, Tensor):
            return PauliSum(self.words, self.coefficients * factor)
        return PauliSum(self.words, tuple(c * factor for c in self.coefficients))

    __rmul__ = __mul__

    def __neg__(self) -> "PauliSum":
        return self * -1.0

    def __sub__(self, other: "PauliSum | Tensor | float") -> "PauliSum":
        return self + -1 * other

    def __rsub__(self, other: Tensor | float) -> "PauliSum":
        return -self + other

    def __matmul__(self, other: "PauliSum") -> "PauliSum":
        """Operator product. The factors must be equal or commute word by word."""
        if not isinstance(other, PauliSum):
            return NotImplemented
        self._check_length("@", other)
        common_dtype_and_device("pauli_sum", [*self.leaves, *other.leaves])
        return pauli_sum(merged(self._products(other)))

    def __pow__(self, exponent: int) -> "PauliSum":
        """The product of a sum with itself, so many times; words that do not commute cancel."""
        if type(exponent) is not int or exponent < 0:
            got = describe(exponent)
            raise TypeError(
                f"PauliSum ** exponent: `exponent` must be an int of 0 or more, but got {got}. "
                "Take other functions of the matrix: `to_matrix()`."
            )
        power = pauli_sum({"I" * self.n_qubits: 1.0})
        for _ in range(exponent):  # which commutes with the sum, so that the product is Hermitian
            power = pauli_sum(merged(real_products(power.items(), self.items())))
        return power

    def _products(self, other: "PauliSum") -> Iterator[tuple[str, Any]]:
        """Words and coefficients of a product; those that cancel in a square are left out."""
        pairs = () if other is self else product(self.words, other.words)
        for left, right in pairs:
            if word_product(left, right)[0] % 2:
                raise ValueError(
                    "PauliSum @ PauliSum: the product must be Hermitian, but "
                    f"{left} and {right} do not commute. Multiply words that commute, or take "
                    "`commutator(a, b)` and `anticommutator(a, b)`."
                )
        return real_products(self.items(), other.items())

    def __len__(self) -> int:
        """Number of words."""
        return len(self.words)

    def __repr__(self) -> str:
        values = self.coefficients
        if isinstance(values, tuple):
            return f"PauliSum({' + '.join(f'{c:g} {w}' for w, c in self.items())})"
        # a transform may have put anything into the leaf
        kind = f"{tuple(values.shape)}" if isinstance(values, Tensor) else type(values).__name__
        return f"PauliSum({', '.join(self.words)}; coefficients {kind})"

    def _check_length(self, sign: str, other: "PauliSum") -> None:
        if other.n_qubits != self.n_qubits:
            raise ValueError(
                f"PauliSum {sign} PauliSum: words must be of one length, but got {self.n_qubits} "
                f"and {other.n_qubits}. Pad the shorter words with I."
            )

    def _check(self, function: str, state: Tensor) -> None:
        check_state_size(function, state, self.n_qubits)
        common_dtype_and_device(function, [state, *self.leaves])

    def _tensor(self, like: Tensor) -> Tensor:
        """The coefficients as a tensor; numbers take the precision of another one."""
        if isinstance(self.coefficients, Tensor):
            return self.coefficients
        return torch.tensor(self.coefficients, dtype=like.real.dtype, device=like.device)


register(
    PauliSum,
    lambda o: (o.leaves, (o.words, None if o.leaves else o.coefficients)),
    lambda leaves, context: PauliSum(
        context[0], next(iter(leaves)) if context[1] is None else context[1]
    ),
    "quilt_func.pauli.PauliSum",
)


def pauli_sum(
    terms: Mapping[str, Any] | PauliTerms | Sequence[Any],
    coefficients: Tensor | None = None,
    *,
    n_qubits: int | None = None,
) -> PauliSum:
    """Make an observable of Pauli words.

    Args:
        terms: Real coefficients by word: `{"ZZI": 1.0}`, or by word and wires:
            `{("ZZ", (0, 3)): 1.0}`, which needs `n_qubits`. Or a sequence of such keys.
        coefficients (real, (n_terms,)): Coefficients of a sequence of keys.
        n_qubits: Number of qubits; default: the length of the words.

    Returns:
        The observable. Terms of one word stay apart until `simplify`.

    Raises:
        TypeError: If a word or a coefficient is of the wrong kind, or dtypes differ.
        ValueError: If there are no terms, words differ in length or have other letters than IXYZ.

    Transforms:
        vmap, grad, jvp, hessian, in the coefficients.

    Examples:
        >>> pauli_sum({"ZZI": 1.0, "IZZ": 0.5})
        PauliSum(1 ZZI + 0.5 IZZ)
        >>> pauli_sum({("ZZ", (0, 2)): 1.0, ("X", (1,)): 2.0}, n_qubits=3)
        PauliSum(1 ZIZ + 2 IXI)
    """
    if n_qubits is not None:
        check_count("pauli_sum", "n_qubits", n_qubits)
    _refuse_elsewhere(terms)
    if isinstance(terms, str) or not isinstance(terms, Iterable):
        need = "be a mapping or a sequence of words"
        remedy = "Write {'ZZ': 1.0} or a list of words."
        raise kind_error("pauli_sum", "terms", terms, need, remedy)
    if isinstance(terms, Mapping) and coefficients is not None:
        requirement, got = "be left out with a mapping", describe(coefficients)
        remedy = "Give a list of words with a tensor of coefficients, or a mapping alone."
        raise TypeError(_about("coefficients", coefficients, requirement, got, remedy))
    keys = list(terms)
    if not keys:
        remedy = 'Give at least one word, such as {"II": 0.0}.'
        raise ValueError(_about("terms", terms, "not be empty", "no terms", remedy))
    words = tuple(_full_word(key, n_qubits) for key in keys)
    lengths = sorted(set(map(len, words)))
    if len(lengths) > 1 or (n_qubits is not None and lengths != [n_qubits]):
        expected = f"{n_qubits} letters" if n_qubits is not None else "one length"
        remedy = "Pad words with I, or name the wires: `(word, wires)`."
        need, got = f"be words of {expected}", f"lengths {lengths}"
        raise ValueError(_about("terms", keys, need, got, remedy))
    if isinstance(terms, Mapping):
        return PauliSum(words, _stacked(list(terms.values())))
    return PauliSum(words, _checked_coefficients(coefficients, len(words)))


def _refuse_elsewhere(given: object) -> None:
    """Refuse another library's sum by the name of what converts it, which is not imported here."""
    for kind in type(given).__mro__:
        library = kind.__module__.split(".")[0]
        if library in _CONVERTERS:
            need = "be words and coefficients of this library"
            remedy = f"Convert it with `convert.{_CONVERTERS[library]}(...)`."
            raise kind_error("pauli_sum", "terms", given, need, remedy)


_CONVERTERS = {
    "qiskit": "from_qiskit", "pennylane": "from_pennylane", "cirq": "from_cirq",
    "openfermion": "from_openfermion",
}  # fmt: skip
"""What makes a Pauli sum of a library's objects."""


def expectations_at_once(sums: Sequence[PauliSum], state: Tensor) -> Tensor:
    """Expectation values of several sums, each word measured once, `(n_sums,)`."""
    for one in sums:
        one._check("expval", state)
    if sums[0].n_qubits <= SMALL:
        return torch.stack([one.expectation(state) for one in sums])
    words = tuple(dict.fromkeys(word for one in sums for word in one.words))
    places = {word: place for place, word in enumerate(words)}
    values = Values.of(interned(words), state)
    chosen = (values[[places[word] for word in one.words]] for one in sums)
    return torch.stack([matmul(v, one._tensor(state)) for v, one in zip(chosen, sums, strict=True)])


_about = partial(message, "pauli_sum")
"""Argument, value, requirement, what came, remedy -> the message of an error."""


def _full_word(key: Any, n_qubits: int | None) -> str:
    word, wires = key if isinstance(key, tuple) and len(key) == 2 else (key, None)
    if not isinstance(word, str):
        remedy = 'Write "ZZI" or ("ZZ", (0, 1)).'
        raise TypeError(_about("terms", key, "have strings as words", a_kind(word), remedy))
    if set(word) - set("IXYZ"):
        remedy = "Use the letters I, X, Y and Z, one per qubit, or name wires: `(word, wires)`."
        raise ValueError(_about("terms", key, "be Pauli words", repr(word), remedy))
    if wires is None:
        return word
    if not is_index(wires) and not isinstance(wires, Iterable):
        need, got = "be words, or pairs of a word and its wires", describe(key)
        remedy = 'Give coefficients by word, {"ZZ": 1.0}, or as a second argument.'
        raise TypeError(_about("terms", key, need, got, remedy))
    if n_qubits is None:
        got, remedy = "no number of qubits", "Give it: `pauli_sum(terms, n_qubits=...)`."
        raise ValueError(_about("terms", key, "fit the qubits", got, remedy))
    checked = check_wires("pauli_sum", wires, n_qubits, "terms")
    if len(checked) != len(word):
        got, remedy = f"{len(checked)} wire(s) for {word!r}", "Give one wire per letter."
        raise ValueError(_about("terms", key, "have a wire per letter", got, remedy))
    letters = dict(zip(checked, word, strict=True))
    return "".join(letters.get(wire, "I") for wire in range(n_qubits))


def _stacked(values: list[Any]) -> Coefficients:
    remedy = "Pauli sums are Hermitian: give real numbers or 0-d real tensors."
    for value in values:
        if isinstance(value, Tensor) and not _is_coefficient(value):
            got = f"{value.dtype} of shape {tuple(value.shape)}"
            raise TypeError(_about("coefficients", value, "be 0-d real tensors", got, remedy))
        if not isinstance(value, Tensor) and not _is_number(value):
            raise kind_error("pauli_sum", "coefficients", value, "be real numbers", remedy)
    tensors = [value for value in values if isinstance(value, Tensor)]
    if not tensors:
        return tuple(map(float, values))
    common_dtype_and_device("pauli_sum", tensors)
    filled = (v if isinstance(v, Tensor) else torch.full_like(tensors[0], v) for v in values)
    return torch.stack(list(map(own_tangent, filled)))


def _is_number(value: object) -> bool:
    is_real = isinstance(value, (int, float, np.integer, np.floating))
    return is_real and not isinstance(value, bool)


def _is_coefficient(value: object) -> bool:
    return isinstance(value, Tensor) and value.dtype in COMPLEX_OF and not value.ndim


def _checked_coefficients(given: Any, n_terms: int) -> Tensor:
    requirement = f"be a real tensor of shape ({n_terms},)"
    remedy = "Give one coefficient per word, or a dict from words to coefficients."
    if not isinstance(given, Tensor) or given.dtype not in COMPLEX_OF:
        got = dtype_or_kind(given)
        raise TypeError(_about("coefficients", given, requirement, got, remedy))
    if given.shape != (n_terms,):
        raise shape_error("pauli_sum", "coefficients", given, requirement, remedy)
    return own_tangent(given)
