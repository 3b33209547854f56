"""Expectation values and images of states under sums of Pauli words, with their rules."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, Self

import torch
from torch import Tensor

from quilt_func._torch import Primitive, trusts_forward_rules, unconjugated
from quilt_func.pauli.lanczos import lowest, response
from quilt_func.pauli.words import Words, apply_sum, expectations


class _Broadcasting(Primitive):
    """A Function whose tensors broadcast: what is not batched has a batch axis of one entry."""

    evaluate: Callable[..., Any]
    """Words, tensors, whether there may be windows -> results, in torch calls."""

    @classmethod
    def of(cls, words: Words, *tensors: Tensor) -> Any:
        """Results by the rules, or, where those can't be trusted, in ordinary torch calls."""
        plain = map(unconjugated, tensors)
        if not trusts_forward_rules():
            return cls.evaluate(words, *plain, has_windows=False)
        return cls.apply(words, *plain)

    @classmethod
    def forward(cls, words: Words, *tensors: Tensor) -> Any:
        return cls.evaluate(words, *tensors, has_windows=True)

    @staticmethod
    def batch_first(tensor: Tensor, dim: int | None) -> Tensor:
        return tensor[None] if dim is None else tensor.movedim(dim, 0)


class _Multilinear(_Broadcasting):
    """A Function that is linear in each tensor, so that its tangent is its value at tangents."""

    @classmethod
    def tangent(
        cls, words: Words, values: Sequence[Tensor], tangents: Sequence[Tensor | None]
    ) -> Tensor:
        parts = [
            cls.apply(words, *values[:place], tangent, *values[place + 1 :])
            for place, tangent in enumerate(tangents)
            if tangent is not None
        ]
        total: Tensor = sum(parts[1:], parts[0])
        return total

    @classmethod
    def push(
        cls, words: Words, values: Sequence[Tensor], tangents: Sequence[Tensor | None]
    ) -> tuple[Tensor, Tensor]:
        return cls.apply(words, *values), cls.tangent(words, values, tangents)


class Energy(_Broadcasting):
    """⟨ψ|O|ψ⟩ for O = Σ c_t P_t, and Oψ, half its gradient, which is at hand then."""

    @staticmethod
    def evaluate(
        words: Words, coefficients: Tensor, state: Tensor, *, has_windows: bool
    ) -> tuple[Tensor, Tensor]:
        image = apply_sum(words, coefficients, state, has_windows=has_windows)
        return _inner(state, image), image

    @staticmethod
    def setup_context(
        ctx: Any, tensors: Sequence[Tensor | None], output: tuple[Tensor, Tensor]
    ) -> None:
        ctx.save_for_backward(*tensors, output[1])
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(
        ctx: Any, by_value: Tensor | None, by_image: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        words, (coefficients, state, image) = ctx.static, ctx.saved_tensors
        of_coefficients, of_state = Primitive.wanted(ctx)
        found: list[list[Tensor]] = [[], []]
        if by_value is not None and of_coefficients:
            found[0].append(by_value.unsqueeze(-1) * Values.of(words, state))
        if by_value is not None and of_state:
            found[1].append(_Scaled.apply(words, by_value + by_value, image))
        if by_image is not None and of_coefficients:
            found[0].append(Overlaps.of(words, by_image, state))
        if by_image is not None and of_state:
            found[1].append(Image.of(words, coefficients, by_image))
        return tuple(sum(parts[1:], parts[0]) if parts else None for parts in found)

    @staticmethod
    def push(
        words: Words, values: Sequence[Tensor], tangents: Sequence[Tensor | None]
    ) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        (coefficients, state), (by_coefficients, by_state) = values, tangents
        by_state = None if by_state is None else unconjugated(by_state)
        value, image = Energy.apply(words, coefficients, state)
        of_image = Image.tangent(words, values, (by_coefficients, by_state))
        of_value = _inner(state, of_image)
        if by_state is not None:
            of_value = of_value + _inner(image, by_state)
        return (value, image), (of_value, of_image)


class Values(_Broadcasting):
    """⟨ψ|P|ψ⟩ for each word; the gradient is 2 Σ g_t P_t ψ, so no word leaves a state behind."""

    @staticmethod
    def evaluate(words: Words, state: Tensor, *, has_windows: bool) -> Tensor:
        return expectations(words, state, state, has_windows=has_windows)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor]:
        (state,) = ctx.saved_tensors
        return (Image.of(ctx.static, gradient + gradient, state),)

    @staticmethod
    def push(
        words: Words, values: Sequence[Tensor], tangents: Sequence[Tensor | None]
    ) -> tuple[Tensor, Tensor]:
        (state,), (tangent,) = values, tangents
        assert tangent is not None, "it is the only one"
        by_tangent: Tensor = 2 * Overlaps.apply(words, state, unconjugated(tangent))
        return Values.apply(words, state), by_tangent


class Overlaps(_Multilinear):
    """Re ⟨φ|P|ψ⟩ for each word, of both states."""

    evaluate = staticmethod(expectations)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        pairs = zip(ctx.saved_tensors[::-1], Primitive.wanted(ctx), strict=True)
        return tuple(
            Image.of(ctx.static, gradient, other) if is_wanted else None
            for other, is_wanted in pairs
        )


class Image(_Multilinear):
    """Σ c_t P_t ψ, of the coefficients and the state."""

    evaluate = staticmethod(apply_sum)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        coefficients, state = ctx.saved_tensors
        of_coefficients, of_state = Primitive.wanted(ctx)
        return (
            Overlaps.of(ctx.static, gradient, state) if of_coefficients else None,
            Image.of(ctx.static, coefficients, gradient) if of_state else None,
        )


class _Scaled(_Multilinear):
    """A real number times a state. In forward mode torch is slow if one factor has no tangent."""

    @staticmethod
    def evaluate(words: Words, factor: Tensor, state: Tensor, *, has_windows: bool) -> Tensor:
        del words, has_windows
        return factor.unsqueeze(-1) * state

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        factor, state = ctx.saved_tensors
        of_factor, of_state = Primitive.wanted(ctx)
        return (
            _inner(state, gradient) if of_factor else None,
            factor.unsqueeze(-1) * gradient if of_state else None,
        )


@dataclass(frozen=True)
class Search:
    """Words, and the number of steps of Lanczos' method."""

    words: Words
    n_steps: int

    def mapped(self, dims: Sequence[int | None], size: int) -> Self:
        """The same for every sum of a batch."""
        del dims, size
        return self


class _Searching(Primitive):
    """A Function that sees Σ c_t P_t in a Krylov space; the coefficients are its first tensor."""

    batch_first = staticmethod(_Broadcasting.batch_first)

    @staticmethod
    def image(search: Search, coefficients: Tensor) -> Callable[[Tensor], Tensor]:
        """State to Σ c_t P_t ψ."""

        def apply(state: Tensor) -> Tensor:
            return apply_sum(search.words, coefficients, state, has_windows=True)

        return apply

    @staticmethod
    def start(coefficients: Tensor, vector: Tensor) -> Tensor:
        """A vector with all batch axes."""
        batch = torch.broadcast_shapes(coefficients.shape[:-1], vector.shape[:-1])
        return unconjugated(vector).expand(*batch, vector.shape[-1])


class Lowest(_Searching):
    """The lowest eigenvalue E of Σ c_t P_t and its eigenvector ψ, up to a phase, from a start.

    dE = ⟨ψ|dH|ψ⟩ and dψ = -(H - E)⁻¹ dH ψ, orthogonal to ψ; the start changes a phase at most.
    """

    @classmethod
    def forward(cls, search: Search, coefficients: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
        vector = cls.start(coefficients, start)
        return lowest(cls.image(search, coefficients), vector, search.n_steps)

    @staticmethod
    def setup_context(
        ctx: Any, tensors: Sequence[Tensor | None], output: tuple[Tensor, Tensor]
    ) -> None:
        ctx.save_for_backward(tensors[0], *output)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(
        ctx: Any, by_energy: Tensor | None, by_state: Tensor | None
    ) -> tuple[Tensor | None, None]:
        search, (coefficients, energy, state) = ctx.static, ctx.saved_tensors
        found: list[Tensor] = []
        if by_energy is not None:
            found.append(by_energy.unsqueeze(-1) * Values.of(search.words, state))
        if by_state is not None:
            answer = _Response.apply(search, coefficients, energy, state, by_state)
            found.append(Overlaps.of(search.words, answer, state))
        return sum(found[1:], found[0]) if found else None, None

    @staticmethod
    def push(
        search: Search, values: Sequence[Tensor], tangents: Sequence[Tensor | None]
    ) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        (coefficients, start), (by_coefficients, _) = values, tangents
        energy, state = Lowest.apply(search, coefficients, start)
        if by_coefficients is None:
            return (energy, state), (torch.zeros_like(energy), torch.zeros_like(state))
        force = Image.apply(search.words, by_coefficients, state)
        answer = _Response.apply(search, coefficients, energy, state, force)
        return (energy, state), (_inner(state, force), answer)


class _Response(_Searching):
    """-(H - E)⁻¹ b without the part along ψ; what it would change by is not known."""

    @classmethod
    def forward(
        cls, search: Search, coefficients: Tensor, energy: Tensor, state: Tensor, force: Tensor
    ) -> Tensor:
        force, state = cls.start(coefficients, force), unconjugated(state)
        return response(cls.image(search, coefficients), energy, state, force, search.n_steps)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> NoReturn:
        del ctx, gradient
        raise _no_second_derivative()

    @staticmethod
    def push(
        search: Search, values: Sequence[Tensor], tangents: Sequence[Tensor | None]
    ) -> NoReturn:
        del search, values, tangents
        raise _no_second_derivative()


def _no_second_derivative() -> TypeError:
    return TypeError(
        "ground_state(): its state has first derivatives, and its energy has second ones, but got "
        "one more. Take `torch.linalg.eigh(observable.to_matrix())` on few qubits."
    )


def _inner(a: Tensor, b: Tensor) -> Tensor:
    """Re ⟨a|b⟩."""
    found: Tensor = torch.linalg.vecdot(a, b).real
    return found
