"""Expectation values and images of states under sums of Pauli words, with their rules.

Words come joined by spaces where a Primitive takes them.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from quilt_func._torch import Primitive, matmul, trusts_forward_rules, unconjugated
from quilt_func.pauli.words import apply_sum, expectations


def energy(words: tuple[str, ...], coefficients: Tensor, state: Tensor) -> Tensor:
    """Expectation value of a sum of Pauli words, ()."""
    if not trusts_forward_rules():
        return matmul(word_values(words, state), coefficients)
    value: Tensor = _Energy.apply(" ".join(words), coefficients, unconjugated(state))[0]
    return value


def word_values(words: tuple[str, ...], state: Tensor) -> Tensor:
    """Expectation values of Pauli words, `(n_words,)`."""
    state = unconjugated(state)
    if not trusts_forward_rules():
        return expectations(words, state, state)
    values: Tensor = _Values.apply(" ".join(words), state)
    return values


def image(words: tuple[str, ...], coefficients: Tensor, state: Tensor) -> Tensor:
    """The state `Σ c_t P_t ψ`."""
    return _sum_applied(" ".join(words), coefficients, unconjugated(state))


def _sum_applied(words: str, coefficients: Tensor, state: Tensor) -> Tensor:
    if not trusts_forward_rules():
        return apply_sum(tuple(words.split()), coefficients, state)
    image: Tensor = _Applied.apply(words, coefficients, state)
    return image


def _overlaps(words: str, bra: Tensor, ket: Tensor) -> Tensor:
    if not trusts_forward_rules():
        return expectations(tuple(words.split()), bra, ket)
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
            found[1].append(_Scaled.apply(by_value, slope))
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


class _Scaled(Primitive):
    """A real number times a state. In forward mode torch is slow where one factor does not move."""

    @staticmethod
    def forward(factor: Tensor, state: Tensor) -> Tensor:
        return factor.unsqueeze(-1) * state

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        del output
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        factor, state = ctx.saved_tensors
        of_factor, of_state = ctx.needs_input_grad
        return (
            _inner(state, gradient) if of_factor else None,
            factor.unsqueeze(-1) * gradient if of_state else None,
        )

    @staticmethod
    def push(values: list[Any], tangents: list[Tensor | None]) -> tuple[Tensor, Tensor]:
        (factor, state), (by, moved) = values, tangents
        parts = [] if by is None else [by.unsqueeze(-1) * state]
        parts += [] if moved is None else [factor.unsqueeze(-1) * moved]
        return _Scaled.apply(factor, state), sum(parts[1:], parts[0])

    @staticmethod
    def vmap(info: Any, in_dims: Sequence[Any], *tensors: Tensor) -> tuple[Tensor, int]:
        del info
        return _Scaled.apply(*_batched(tensors, in_dims)), 0


class _Values(Primitive):
    """⟨ψ|P|ψ⟩ for each word; the gradient is 2 Σ g_t P_t ψ, so no word leaves a state behind."""

    @staticmethod
    def forward(words: str, state: Tensor) -> Tensor:
        return expectations(tuple(words.split()), state, state, has_windows=True)

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
        return expectations(tuple(words.split()), *pair, has_windows=True)

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
    return apply_sum(tuple(words.split()), chosen, state.expand(*batch, -1), has_windows=True)


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
