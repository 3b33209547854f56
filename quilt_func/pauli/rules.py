"""Expectation values and images of states under sums of Pauli words, with their rules."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from quilt_func._torch import Primitive, matmul, trusts_forward_rules, unconjugated
from quilt_func.pauli.words import Words, apply_sum, expectations, interned


def energy(words: tuple[str, ...], coefficients: Tensor, state: Tensor) -> Tensor:
    """Expectation value of a sum of Pauli words, ()."""
    if not trusts_forward_rules():
        return matmul(word_values(words, state), coefficients)
    value: Tensor = _Energy.apply(interned(words), coefficients, unconjugated(state))[0]
    return value


def word_values(words: tuple[str, ...], state: Tensor) -> Tensor:
    """Expectation values of Pauli words, `(n_words,)`."""
    return _word_values(interned(words), unconjugated(state))


def image(words: tuple[str, ...], coefficients: Tensor, state: Tensor) -> Tensor:
    """The state `Σ c_t P_t ψ`."""
    return _image(interned(words), coefficients, unconjugated(state))


def _word_values(words: Words, state: Tensor) -> Tensor:
    if not trusts_forward_rules():
        return expectations(words, state, state)
    values: Tensor = _Values.apply(words, state)
    return values


def _image(words: Words, coefficients: Tensor, state: Tensor) -> Tensor:
    if not trusts_forward_rules():
        return apply_sum(words, coefficients, state)
    found: Tensor = _Image.apply(words, coefficients, state)
    return found


def _overlaps(words: Words, bra: Tensor, ket: Tensor) -> Tensor:
    if not trusts_forward_rules():
        return expectations(words, bra, ket)
    values: Tensor = _Overlaps.apply(words, bra, ket)
    return values


class _Broadcasting(Primitive):
    """A Function whose tensors broadcast: what is not batched has a batch axis of one entry."""

    @staticmethod
    def batch_first(tensor: Tensor, dim: int | None) -> Tensor:
        return tensor[None] if dim is None else tensor.movedim(dim, 0)


class Multilinear(_Broadcasting):
    """A Function that is linear in each tensor, so that its tangent is its value at tangents."""

    @classmethod
    def push(
        cls, static: Words, values: Sequence[Tensor], tangents: Sequence[Tensor | None]
    ) -> tuple[Tensor, Tensor]:
        parts = [
            cls.apply(static, *values[:place], tangent, *values[place + 1 :])
            for place, tangent in enumerate(tangents)
            if tangent is not None
        ]
        return cls.apply(static, *values), sum(parts[1:], parts[0])


class _Energy(_Broadcasting):
    """⟨ψ|O|ψ⟩ for O = Σ c_t P_t, and its gradient 2Oψ, which is at hand then."""

    @staticmethod
    def forward(words: Words, coefficients: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        slope = _summed(words, coefficients + coefficients, state)
        return 0.5 * _inner(state, slope), slope

    @staticmethod
    def setup_context(
        ctx: Any, tensors: Sequence[Tensor | None], output: tuple[Tensor, Tensor]
    ) -> None:
        ctx.save_for_backward(*tensors, output[1])
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(
        ctx: Any, by_value: Tensor | None, by_slope: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        words, (coefficients, state, slope) = ctx.static, ctx.saved_tensors
        of_coefficients, of_state = Primitive.wanted(ctx)
        found: list[list[Tensor]] = [[], []]
        if by_value is not None and of_coefficients:
            found[0].append(by_value.unsqueeze(-1) * _word_values(words, state))
        if by_value is not None and of_state:
            found[1].append(_Scaled.apply(words, by_value, slope))
        if by_slope is not None and of_coefficients:
            found[0].append(2 * _overlaps(words, by_slope, state))
        if by_slope is not None and of_state:
            found[1].append(2 * _image(words, coefficients, by_slope))
        return tuple(sum(parts[1:], parts[0]) if parts else None for parts in found)

    @staticmethod
    def push(
        words: Words, values: Sequence[Tensor], tangents: Sequence[Tensor | None]
    ) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        (coefficients, state), (by_coefficients, by_state) = values, tangents
        value, slope = _Energy.apply(words, coefficients, state)
        of_value: list[Tensor] = []
        of_slope: list[Tensor] = []
        if by_state is not None:
            by_state = unconjugated(by_state)
            of_value.append(_inner(slope, by_state))
            of_slope.append(_Image.apply(words, coefficients + coefficients, by_state))
        if by_coefficients is not None:
            of_slope.append(_Image.apply(words, by_coefficients + by_coefficients, state))
            of_value.append(0.5 * _inner(state, of_slope[-1]))
        return (value, slope), (sum(of_value[1:], of_value[0]), sum(of_slope[1:], of_slope[0]))


class _Values(_Broadcasting):
    """⟨ψ|P|ψ⟩ for each word; the gradient is 2 Σ g_t P_t ψ, so no word leaves a state behind."""

    @staticmethod
    def forward(words: Words, state: Tensor) -> Tensor:
        return expectations(words, state, state, has_windows=True)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor]:
        (state,) = ctx.saved_tensors
        return (_image(ctx.static, gradient + gradient, state),)

    @staticmethod
    def push(
        words: Words, values: Sequence[Tensor], tangents: Sequence[Tensor | None]
    ) -> tuple[Tensor, Tensor]:
        (state,), (tangent,) = values, tangents
        assert tangent is not None, "it is the only one"
        by_tangent: Tensor = 2 * _Overlaps.apply(words, state, unconjugated(tangent))
        return _Values.apply(words, state), by_tangent


class _Overlaps(Multilinear):
    """Re ⟨φ|P|ψ⟩ for each word, of both states."""

    @staticmethod
    def forward(words: Words, bra: Tensor, ket: Tensor) -> Tensor:
        return expectations(words, *torch.broadcast_tensors(bra, ket), has_windows=True)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        pairs = zip(ctx.saved_tensors[::-1], Primitive.wanted(ctx), strict=True)
        return tuple(
            _image(ctx.static, gradient, other) if is_wanted else None for other, is_wanted in pairs
        )


class _Image(Multilinear):
    """Σ c_t P_t ψ, of the coefficients and the state."""

    @staticmethod
    def forward(words: Words, coefficients: Tensor, state: Tensor) -> Tensor:
        return _summed(words, coefficients, state)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        coefficients, state = ctx.saved_tensors
        of_coefficients, of_state = Primitive.wanted(ctx)
        return (
            _overlaps(ctx.static, gradient, state) if of_coefficients else None,
            _image(ctx.static, coefficients, gradient) if of_state else None,
        )


class _Scaled(Multilinear):
    """A real number times a state. In forward mode torch is slow if one factor has no tangent."""

    @staticmethod
    def forward(words: Words, factor: Tensor, state: Tensor) -> Tensor:
        del words
        return factor.unsqueeze(-1) * state

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        factor, state = ctx.saved_tensors
        of_factor, of_state = Primitive.wanted(ctx)
        return (
            _inner(state, gradient) if of_factor else None,
            factor.unsqueeze(-1) * gradient if of_state else None,
        )


def _summed(words: Words, coefficients: Tensor, state: Tensor) -> Tensor:
    batch = torch.broadcast_shapes(coefficients.shape[:-1], state.shape[:-1])
    is_shared = coefficients.shape[:-1].numel() == 1
    chosen = coefficients.reshape(-1) if is_shared else coefficients.expand(*batch, -1)
    return apply_sum(words, chosen, state.expand(*batch, -1), has_windows=True)


def _inner(a: Tensor, b: Tensor) -> Tensor:
    """Re ⟨a|b⟩."""
    found: Tensor = torch.linalg.vecdot(a, b).real
    return found
