"""Pauli sums: observables with static words and real coefficients that are leaves."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from quilt_func import _words
from quilt_func._checks import (
    COMPLEX_OF,
    check_complex_dtype,
    check_count,
    check_state_size,
    check_wires,
    common_dtype_and_device,
    describe,
    message,
)
from quilt_func._primitive import Primitive
from quilt_func._tree import register, trusts_forward_rules, unconjugated
from quilt_func.planning import WHOLE
from quilt_func.typing import PauliTerms

Coefficients = Tensor | tuple[float, ...]

_PRODUCT = {
    "II": (0, "I"), "IX": (0, "X"), "IY": (0, "Y"), "IZ": (0, "Z"),
    "XI": (0, "X"), "XX": (0, "I"), "XY": (1, "Z"), "XZ": (3, "Y"),
    "YI": (0, "Y"), "YX": (3, "Z"), "YY": (0, "I"), "YZ": (1, "X"),
    "ZI": (0, "Z"), "ZX": (1, "Y"), "ZY": (3, "X"), "ZZ": (0, "I"),
}  # fmt: skip
"""Power of i and letter of the product of two letters."""


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
        if self.n_qubits <= WHOLE:
            return state @ self._dense(state).mT
        return _applied(self.words, self._tensor(state), state)

    def _dense(self, state: Tensor) -> Tensor:
        if isinstance(self.coefficients, tuple):
            kind = state.dtype, state.device
            return _words.dense_constant(self.words, self.coefficients, *kind)
        return _words.dense(self.words, self.coefficients)

    def expectation(self, state: Tensor) -> Tensor:
        """Expectation value; see `quilt_func.expval`."""
        self._check("expval", state)
        if self.n_qubits <= WHOLE:
            return torch.vdot(state, self._image(state)).real
        if not trusts_forward_rules():
            return word_values(self.words, state) @ self._tensor(state)
        value: Tensor = _Energy.apply(
            " ".join(self.words), self._tensor(state), unconjugated(state)
        )[0]
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

    def simplify(self) -> "PauliSum":
        """Merge equal words, and drop those whose coefficient is the Python number 0.

        Transforms:
            vmap, grad, jvp, in the coefficients.

        Examples:
            >>> (pauli_sum({"Z": 1.0}) + pauli_sum({"Z": 0.5})).simplify()
            PauliSum(1.5 Z)
        """
        merged: dict[str, Any] = {}
        for word, coefficient in self.items():
            merged[word] = merged[word] + coefficient if word in merged else coefficient
        if isinstance(self.coefficients, tuple):
            merged = {w: c for w, c in merged.items() if c} or {"I" * self.n_qubits: 0.0}
        return pauli_sum(merged)

    def items(self) -> Iterator[tuple[str, Any]]:
        """Iterate over words and coefficients."""
        values = self.coefficients
        return zip(
            self.words, values if isinstance(values, tuple) else values.unbind(0), strict=True
        )

    def __add__(self, other: "PauliSum") -> "PauliSum":
        if not isinstance(other, PauliSum):
            return NotImplemented
        if other.n_qubits != self.n_qubits:
            raise ValueError(
                f"PauliSum + PauliSum: words must be of one length, but got {self.n_qubits} and "
                f"{other.n_qubits}. Pad the shorter words with I."
            )
        return PauliSum(self.words + other.words, _joined(self.coefficients, other.coefficients))

    def __mul__(self, factor: Tensor | float) -> "PauliSum":
        if not (_is_number(factor) or _is_coefficient(factor)):
            got = describe(factor) if isinstance(factor, Tensor) else f"a {type(factor).__name__}"
            raise TypeError(
                "PauliSum * factor: `factor` must be a real number or a 0-d real tensor, but got "
                f"{got}. Pauli sums are Hermitian; multiply sums with `@`."
            )
        if isinstance(self.coefficients, Tensor):
            if isinstance(factor, Tensor):
                common_dtype_and_device("pauli_sum", (self.coefficients, factor))
            return PauliSum(self.words, self.coefficients * factor)
        if isinstance(factor, Tensor):
            return PauliSum(self.words, _like(factor, self.coefficients) * factor)
        return PauliSum(self.words, tuple(c * factor for c in self.coefficients))

    __rmul__ = __mul__

    def __neg__(self) -> "PauliSum":
        return self * -1.0

    def __sub__(self, other: "PauliSum") -> "PauliSum":
        return self + -other

    def __matmul__(self, other: "PauliSum") -> "PauliSum":
        """Operator product. The factors must be equal or commute word by word."""
        if not isinstance(other, PauliSum):
            return NotImplemented
        if other.n_qubits != self.n_qubits:
            raise ValueError(
                f"PauliSum @ PauliSum: words must be of one length, but got {self.n_qubits} and "
                f"{other.n_qubits}. Pad the shorter words with I."
            )
        terms: dict[str, Any] = {}
        for left, a in self.items():
            for right, b in other.items():
                power, word = _word_product(left, right)
                if power % 2 == 0:
                    value = a * b if power == 0 else -(a * b)
                    terms[word] = terms[word] + value if word in terms else value
                elif other is not self:
                    raise ValueError(
                        "PauliSum @ PauliSum: the product must be Hermitian, but "
                        f"{left} and {right} do not commute. Multiply words that commute."
                    )
        return pauli_sum(terms)

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

    def _check(self, function: str, state: Tensor) -> None:
        check_state_size(function, state, self.n_qubits)
        common_dtype_and_device(function, [state, *self.leaves])

    def _tensor(self, state: Tensor) -> Tensor:
        if isinstance(self.coefficients, Tensor):
            return self.coefficients
        return _like(state.real, self.coefficients)


register(
    PauliSum,
    lambda o: (o.leaves, (o.words, None if o.leaves else o.coefficients)),
    lambda leaves, context: PauliSum(
        context[0], next(iter(leaves)) if context[1] is None else context[1]
    ),
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
    if isinstance(terms, str) or not isinstance(terms, Iterable):
        requirement, got = "be a mapping or a sequence of words", f"a {type(terms).__name__}"
        remedy = "Write {'ZZ': 1.0} or a list of words."
        raise TypeError(message("pauli_sum", "terms", terms, requirement, got, remedy))
    if isinstance(terms, Mapping) and coefficients is not None:
        requirement, got = "be left out with a mapping", describe(coefficients)
        remedy = "Give a list of words with a tensor of coefficients, or a mapping alone."
        raise TypeError(
            message("pauli_sum", "coefficients", coefficients, requirement, got, remedy)
        )
    keys = list(terms)
    if not keys:
        remedy = 'Give at least one word, such as {"II": 0.0}.'
        raise ValueError(message("pauli_sum", "terms", terms, "not be empty", "no terms", remedy))
    words = tuple(_full_word(key, n_qubits) for key in keys)
    lengths = sorted(set(map(len, words)))
    if len(lengths) > 1 or (n_qubits is not None and lengths != [n_qubits]):
        expected = f"{n_qubits} letters" if n_qubits is not None else "one length"
        remedy = "Pad words with I, or name the wires: `(word, wires)`."
        got = f"lengths {lengths}"
        raise ValueError(
            message("pauli_sum", "terms", keys, f"be words of {expected}", got, remedy)
        )
    if isinstance(terms, Mapping):
        return PauliSum(words, _stacked(list(terms.values())))
    return PauliSum(words, _checked_coefficients(coefficients, len(words)))


def word_values(words: tuple[str, ...], state: Tensor) -> Tensor:
    """Expectation values of Pauli words, `(n_words,)`."""
    state = unconjugated(state)
    if not trusts_forward_rules():
        return _words.expectations(words, state, state)
    values: Tensor = _Values.apply(" ".join(words), state)
    return values


def expectations_at_once(sums: Sequence[PauliSum], state: Tensor) -> Tensor:
    """Expectation values of several sums, each word measured once, `(n_sums,)`."""
    for one in sums:
        one._check("expval", state)
    if sums[0].n_qubits <= WHOLE:
        return torch.stack([one.expectation(state) for one in sums])
    places: dict[str, int] = {}
    for one in sums:
        for word in one.words:
            places.setdefault(word, len(places))
    values = word_values(tuple(places), state)
    chosen = (values[[places[word] for word in one.words]] for one in sums)
    return torch.stack([v @ one._tensor(state) for v, one in zip(chosen, sums, strict=True)])


def _applied(words: tuple[str, ...], coefficients: Tensor, state: Tensor) -> Tensor:
    state = unconjugated(state)
    return _sum_applied(" ".join(words), coefficients, state)


def _sum_applied(words: str, coefficients: Tensor, state: Tensor) -> Tensor:
    if not trusts_forward_rules():
        return _words.apply_sum(tuple(words.split()), coefficients, state)
    image: Tensor = _Applied.apply(words, coefficients, state)
    return image


def _overlaps(words: str, bra: Tensor, ket: Tensor) -> Tensor:
    if not trusts_forward_rules():
        return _words.expectations(tuple(words.split()), bra, ket)
    values: Tensor = _Overlaps.apply(words, bra, ket)
    return values


class _Energy(Primitive):
    """⟨ψ|O|ψ⟩ for O = Σ c_t P_t, and its gradient 2Oψ, which is at hand then."""

    @staticmethod
    def forward(words: str, coefficients: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        slope = _summed(words, coefficients + coefficients, state)
        return 0.5 * _inner(state, slope), slope

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        ctx.words, coefficients, state = inputs
        ctx.save_for_backward(coefficients, state, output[1])
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(
        ctx: Any, by_value: Tensor | None, by_slope: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        coefficients, state, slope = ctx.saved_tensors
        _, of_coefficients, of_state = ctx.needs_input_grad
        found: list[list[Tensor]] = [[], []]
        if by_value is not None and of_coefficients:
            values = word_values(tuple(ctx.words.split()), state)
            found[0].append(by_value.unsqueeze(-1) * values)
        if by_value is not None and of_state:
            found[1].append(by_value.unsqueeze(-1) * slope)
        if by_slope is not None and of_coefficients:
            found[0].append(2 * _overlaps(ctx.words, by_slope, state))
        if by_slope is not None and of_state:
            found[1].append(2 * _sum_applied(ctx.words, coefficients, by_slope))
        return None, *(sum(parts[1:], parts[0]) if parts else None for parts in found)

    @staticmethod
    def push(
        values: list[Any], tangents: list[Tensor | None]
    ) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        (words, coefficients, state), (_, by, moved) = values, tangents
        value, slope = _Energy.apply(words, coefficients, state)
        of_value: list[Tensor] = []
        of_slope: list[Tensor] = []
        if moved is not None:
            moved = unconjugated(moved)
            of_value.append(_inner(slope, moved))
            of_slope.append(_Applied.apply(words, coefficients + coefficients, moved))
        if by is not None:
            of_slope.append(_Applied.apply(words, by + by, state))
            of_value.append(0.5 * _inner(state, of_slope[-1]))
        return (value, slope), (sum(of_value[1:], of_value[0]), sum(of_slope[1:], of_slope[0]))

    @staticmethod
    def vmap(
        info: Any, in_dims: Sequence[Any], words: str, *tensors: Tensor
    ) -> tuple[tuple[Tensor, Tensor], tuple[int, int]]:
        del info
        return _Energy.apply(words, *_batched(tensors, in_dims[1:])), (0, 0)


class _Values(Primitive):
    """⟨ψ|P|ψ⟩ for each word; the gradient is 2 Σ g_t P_t ψ, so no word leaves a state behind.

    Words come joined by spaces: transforms walk through tuples, again and again.
    """

    @staticmethod
    def forward(words: str, state: Tensor) -> Tensor:
        return _words.expectations(tuple(words.split()), state, state, has_windows=True)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        del output
        ctx.words, state = inputs
        ctx.save_for_backward(state)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        (state,) = ctx.saved_tensors
        return None, _sum_applied(ctx.words, gradient + gradient, state)

    @staticmethod
    def push(values: list[Any], tangents: list[Tensor | None]) -> tuple[Tensor, Tensor]:
        words, state = values
        tangent = tangents[1]
        assert tangent is not None, "one argument moves"
        moved: Tensor = 2 * _Overlaps.apply(words, state, unconjugated(tangent))
        return _Values.apply(words, state), moved

    @staticmethod
    def vmap(info: Any, in_dims: Sequence[Any], words: str, state: Tensor) -> tuple[Tensor, int]:
        del info
        return _Values.apply(words, state.movedim(in_dims[1], 0)), 0


class _Overlaps(Primitive):
    """Re ⟨φ|P|ψ⟩ for each word, linear in both states."""

    @staticmethod
    def forward(words: str, bra: Tensor, ket: Tensor) -> Tensor:
        pair = torch.broadcast_tensors(bra, ket)
        return _words.expectations(tuple(words.split()), *pair, has_windows=True)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        del output
        ctx.words, bra, ket = inputs
        ctx.save_for_backward(bra, ket)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        pairs = zip(ctx.saved_tensors[::-1], ctx.needs_input_grad[1:], strict=True)
        found = (
            _sum_applied(ctx.words, gradient, other) if is_wanted else None
            for other, is_wanted in pairs
        )
        return None, *found

    @staticmethod
    def push(values: list[Any], tangents: list[Tensor | None]) -> tuple[Tensor, Tensor]:
        return _both_moved(_Overlaps, values, tangents)

    @staticmethod
    def vmap(info: Any, in_dims: Sequence[Any], words: str, *states: Tensor) -> tuple[Tensor, int]:
        del info
        return _Overlaps.apply(words, *_batched(states, in_dims[1:])), 0


class _Applied(Primitive):
    """Σ c_t P_t ψ, linear in the coefficients and in the state."""

    @staticmethod
    def forward(words: str, coefficients: Tensor, state: Tensor) -> Tensor:
        return _summed(words, coefficients, state)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        del output
        ctx.words, coefficients, state = inputs
        ctx.save_for_backward(coefficients, state)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        coefficients, state = ctx.saved_tensors
        by_coefficients = by_state = None
        if ctx.needs_input_grad[1]:
            by_coefficients = _overlaps(ctx.words, gradient, state)
        if ctx.needs_input_grad[2]:
            by_state = _sum_applied(ctx.words, coefficients, gradient)
        return None, by_coefficients, by_state

    @staticmethod
    def push(values: list[Any], tangents: list[Tensor | None]) -> tuple[Tensor, Tensor]:
        return _both_moved(_Applied, values, tangents)

    @staticmethod
    def vmap(info: Any, in_dims: Sequence[Any], words: str, *tensors: Tensor) -> tuple[Tensor, int]:
        del info
        return _Applied.apply(words, *_batched(tensors, in_dims[1:])), 0


def _summed(words: str, coefficients: Tensor, state: Tensor) -> Tensor:
    batch = torch.broadcast_shapes(coefficients.shape[:-1], state.shape[:-1])
    is_shared = coefficients.shape[:-1].numel() == 1
    chosen = coefficients.reshape(-1) if is_shared else coefficients.expand(*batch, -1)
    return _words.apply_sum(
        tuple(words.split()), chosen, state.expand(*batch, -1), has_windows=True
    )


def _inner(a: Tensor, b: Tensor) -> Tensor:
    """Re ⟨a|b⟩."""
    found: Tensor = torch.linalg.vecdot(a, b).real
    return found


def _both_moved(
    function: type[Primitive], values: Sequence[Any], tangents: Sequence[Tensor | None]
) -> tuple[Tensor, Tensor]:
    """The value and the tangent of a Function that is linear in each of two factors."""
    (words, a, b), (_, a_moved, b_moved) = values, tangents
    parts = [function.apply(words, a_moved, b)] if a_moved is not None else []
    parts += [function.apply(words, a, b_moved)] if b_moved is not None else []
    return function.apply(words, a, b), sum(parts[1:], parts[0])


def _batched(tensors: Sequence[Tensor], dims: Sequence[int | None]) -> Iterator[Tensor]:
    """Batch axis first, of one entry where a tensor is not batched."""
    for tensor, dim in zip(tensors, dims, strict=True):
        yield tensor[None] if dim is None else tensor.movedim(dim, 0)


def _full_word(key: Any, n_qubits: int | None) -> str:
    word, wires = key if isinstance(key, tuple) and len(key) == 2 else (key, None)
    if not isinstance(word, str):
        remedy = 'Write "ZZI" or ("ZZ", (0, 1)).'
        got = f"a {type(word).__name__}"
        raise TypeError(message("pauli_sum", "terms", key, "have strings as words", got, remedy))
    if set(word) - set("IXYZ"):
        remedy = "Use the letters I, X, Y and Z."
        raise ValueError(message("pauli_sum", "terms", key, "be Pauli words", repr(word), remedy))
    if wires is None:
        return word
    if n_qubits is None:
        remedy = "Give `n_qubits`."
        got = "no number of qubits"
        raise ValueError(message("pauli_sum", "terms", key, "fit the qubits", got, remedy))
    checked = check_wires("pauli_sum", wires, n_qubits)
    if len(checked) != len(word):
        remedy = "Give one wire per letter."
        got = f"{len(checked)} wire(s) for {word!r}"
        raise ValueError(message("pauli_sum", "terms", key, "have a wire per letter", got, remedy))
    letters = dict(zip(checked, word, strict=True))
    return "".join(letters.get(wire, "I") for wire in range(n_qubits))


def _stacked(values: list[Any]) -> Coefficients:
    tensors = [value for value in values if isinstance(value, Tensor)]
    for value in values:
        if _is_number(value) or _is_coefficient(value):
            continue
        if isinstance(value, Tensor):
            requirement, got = "be 0-d real tensors", str(tuple(value.shape))
        else:
            requirement, got = "be real numbers", f"a {type(value).__name__}"
        remedy = "Pauli sums are Hermitian: give real numbers or 0-d real tensors."
        raise TypeError(message("pauli_sum", "coefficients", value, requirement, got, remedy))
    if not tensors:
        return tuple(map(float, values))
    common_dtype_and_device("pauli_sum", tensors)
    like = tensors[0]
    filled = [v if isinstance(v, Tensor) else torch.full_like(like, v) for v in values]
    return torch.stack(filled)


def _is_number(value: object) -> bool:
    is_real = isinstance(value, (int, float, np.integer, np.floating))
    return is_real and not isinstance(value, bool)


def _is_coefficient(value: object) -> bool:
    return isinstance(value, Tensor) and value.dtype in COMPLEX_OF and not value.ndim


def _checked_coefficients(given: Any, n_terms: int) -> Tensor:
    requirement = f"be a real tensor of shape ({n_terms},)"
    remedy = "Give one coefficient per word, or a dict from words to coefficients."
    if not isinstance(given, Tensor) or given.dtype not in COMPLEX_OF:
        got = str(given.dtype) if isinstance(given, Tensor) else f"a {type(given).__name__}"
        raise TypeError(message("pauli_sum", "coefficients", given, requirement, got, remedy))
    if given.shape != (n_terms,):
        got = f"shape {tuple(given.shape)}"
        raise ValueError(message("pauli_sum", "coefficients", given, requirement, got, remedy))
    return given


def _joined(a: Coefficients, b: Coefficients) -> Coefficients:
    if isinstance(a, tuple) and isinstance(b, tuple):
        return a + b
    if isinstance(a, tuple):
        assert isinstance(b, Tensor)
        return torch.cat([_like(b, a), b])
    if isinstance(b, tuple):
        return torch.cat([a, _like(a, b)])
    common_dtype_and_device("pauli_sum", (a, b))
    return torch.cat([a, b])


def _like(tensor: Tensor, numbers: tuple[float, ...]) -> Tensor:
    return torch.tensor(numbers, dtype=tensor.dtype, device=tensor.device)


def _word_product(left: str, right: str) -> tuple[int, str]:
    powers, letters = zip(*(_PRODUCT[a + b] for a, b in zip(left, right, strict=True)), strict=True)
    return sum(powers) % 4, "".join(letters)
