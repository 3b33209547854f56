"""Functions: a run, its tangent, the walk back and its tangent, with rules for all transforms."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor

from quilt_func._torch import Primitive, trusts_forward_rules
from quilt_func.evolution.batching import Axes, Levels, union
from quilt_func.evolution.kept import Tape
from quilt_func.evolution.plain_rules import (
    both_mapped,
    halves,
    plain_pull,
    plain_pull_of_one,
    pulled,
    pushed,
    run_plainly,
)
from quilt_func.evolution.reversible_run import Run
from quilt_func.evolution.signature import Static
from quilt_func.evolution.tangents.tangent_run import Moving, TangentRun


class Evolve(Primitive):
    """Run a circuit between two buffers."""

    @staticmethod
    def forward(
        circuit: Static, axes: Axes, tape: Tape, state: Tensor | None, *packed: Tensor
    ) -> Tensor:
        run = Run(circuit, axes, state is None, packed, tape.recorded)
        is_kept = any(tape.recorded)
        if is_kept:
            tape.keep(run)
        return run.forward(state, is_kept=is_kept)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.circuit, ctx.axes, ctx.tape, state, *packed = inputs
        ctx.save_for_backward(state, output, ctx.tape.owner, *packed)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        state, output, _, *packed = ctx.saved_tensors
        own, *others = ctx.axes.levels
        everything = union(*ctx.axes.levels)
        axes = replace(ctx.axes, levels=(own, everything, everything, *others))
        wanted = ctx.needs_input_grad[3:]
        if trusts_forward_rules():
            pulled = Pull.apply(
                ctx.circuit, axes, ctx.tape, wanted, state, output, gradient, *packed
            )
        else:
            plain = plain_pull(ctx.circuit, axes, wanted, state is None)
            pulled = plain(gradient, *_given(state, *packed))
        found = iter(pulled)
        return (None, None, None, *(next(found) if is_wanted else None for is_wanted in wanted))

    @staticmethod
    def push(values: list[Any], tangents: list[Tensor | None]) -> tuple[Tensor, Tensor]:
        circuit, axes, _, *tensors = values
        moves = tangents[3:]
        found: tuple[Tensor, Tensor] = EvolveMoving.apply(
            circuit, _doubled(axes, moves), *tensors, *moves
        )
        return found

    @staticmethod
    def vmap(
        info: Any,
        in_dims: Sequence[Any],
        circuit: Static,
        axes: Axes,
        tape: Tape,
        *tensors: Tensor | None,
    ) -> tuple[Tensor, int]:
        dims = in_dims[3:]
        mapped = replace(axes.mapped(dims, info.batch_size), inner=len(axes.sizes) + 1)
        return Evolve.apply(circuit, mapped, tape, *_batch_first(tensors, dims)), 0


class EvolveMoving(Primitive):
    """A run of a state and of leaves, and its tangent. Its gradient is a plain one."""

    @staticmethod
    def forward(circuit: Static, axes: Axes, *tensors: Tensor | None) -> tuple[Tensor, Tensor]:
        (state, *packed), (tangent, *tangents) = halves(tensors)
        (own, *of_leaves), (of_tangent, *of_tangents) = halves(axes.levels)
        axes = replace(axes, levels=(*of_leaves, *of_tangents))
        levels, wanted = (own, of_tangent), (False,) * (1 + len(packed))
        run = TangentRun(circuit, axes, state is None, packed, tangents, levels, wanted)
        return run.push(None if state is None else Moving(state, tangent), levels)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        del output
        ctx.circuit, ctx.axes, *tensors = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        tensors = ctx.saved_tensors
        levels = _given_levels(ctx.axes.levels, tensors)
        of_values = halves(ctx.axes.levels)[0]
        plain: Any = pushed(partial(run_plainly, ctx.circuit, tensors[0] is None), tensors)
        for level in range(len(ctx.axes.sizes)):
            plain = both_mapped(plain, levels, of_values, level)
        found = pulled(plain, _given(*tensors), gradients)
        return (None, None, *_in_places(tensors, found))

    @staticmethod
    def vmap(
        info: Any, in_dims: Sequence[Any], circuit: Static, axes: Axes, *tensors: Tensor | None
    ) -> tuple[tuple[Tensor, Tensor], tuple[int | None, int]]:
        dims = in_dims[2:]
        mapped = axes.mapped(dims, info.batch_size)
        found = EvolveMoving.apply(circuit, mapped, *_batch_first(tensors, dims))
        return found, (_values_dim(dims), 0)


class Pull(Primitive):
    """Pull a gradient back through a run: gradients of the state and of the leaves, if wanted.

    Its gradient goes through the plain route.
    """

    @staticmethod
    def forward(
        circuit: Static,
        axes: Axes,
        tape: Tape,
        wanted: tuple[bool, ...],
        state: Tensor | None,
        output: Tensor,
        gradient: Tensor,
        *packed: Tensor,
    ) -> tuple[Tensor, ...]:
        own = replace(axes, levels=(axes.levels[0], *axes.levels[3:]))
        run = tape.rerun(circuit, own, state is None, packed, wanted)
        return run.pull(state, output, axes.levels[1], gradient, axes.levels[2], wanted)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        del output
        ctx.circuit, ctx.axes, _, ctx.wanted, *tensors = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        state, _, gradient, *packed = ctx.saved_tensors
        plain = plain_pull(ctx.circuit, ctx.axes, ctx.wanted, state is None)
        by_gradient, *found = pulled(plain, [gradient, *_given(state, *packed)], gradients)
        by_state, *by_packed = _in_places((state, *packed), found)
        return (None, None, None, None, by_state, None, by_gradient, *by_packed)

    @staticmethod
    def push(
        values: list[Any], tangents: list[Tensor | None]
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        circuit, axes, _, wanted, *tensors = values
        moves = tangents[4:]
        found = PullMoving.apply(circuit, _doubled(axes, moves), wanted, *tensors, *moves)
        middle = len(found) // 2
        return found[:middle], found[middle:]

    @staticmethod
    def vmap(
        info: Any,
        in_dims: Sequence[Any],
        circuit: Static,
        axes: Axes,
        tape: Tape,
        wanted: tuple[bool, ...],
        *tensors: Tensor | None,
    ) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        dims = in_dims[4:]
        mapped = axes.mapped(dims, info.batch_size)
        found = Pull.apply(circuit, mapped, tape, wanted, *_batch_first(tensors, dims))
        return found, (0,) * len(found)


class PullMoving(Primitive):
    """What `Pull` computes, then its tangent. Its gradient goes through the plain route."""

    @staticmethod
    def forward(
        circuit: Static, axes: Axes, wanted: tuple[bool, ...], *tensors: Tensor | None
    ) -> tuple[Tensor, ...]:
        (state, *primal), (of_state, *moved) = halves(tensors)
        output, gradient = map(Moving, primal[:2], moved[:2])
        (own, *of_primal), (moved_own, *of_moved) = halves(axes.levels)
        pairs = list(zip(of_primal, of_moved, strict=True))
        states = [union(*levels) for levels in zip(*pairs[:2], strict=True)]
        leaves = replace(axes, levels=(*of_primal[2:], *of_moved[2:]))
        run = TangentRun(circuit, leaves, state is None, primal[2:], moved[2:], states, wanted)
        start = None if state is None else Moving(state, of_state)
        values, tangents = run.walk_back(
            start, (own, moved_own), output, pairs[0], gradient, pairs[1]
        )
        return *values, *tangents

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        del output
        ctx.circuit, ctx.axes, ctx.wanted, *tensors = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        tensors, levels = _without_output(ctx.saved_tensors), _without_output(ctx.axes.levels)
        is_from_zero = tensors[1] is None
        plain: Any = pushed(
            plain_pull_of_one(ctx.circuit, ctx.axes, ctx.wanted, is_from_zero), tensors
        )
        of_given = _given_levels(levels, tensors)
        of_values = halves(levels)[0]
        for level in ctx.axes.outer[::-1]:
            plain = both_mapped(plain, of_given, of_values, level)
        values, tangents = map(tuple, halves(gradients))
        found = pulled(plain, _given(*tensors), (values, tangents))
        by_gradient, by_state, *others = _in_places(tensors, found)
        half = len(tensors) // 2 - 2
        return (
            None, None, None, by_state, None, by_gradient, *others[:half],
            others[half + 1], None, others[half], *others[half + 2 :],
        )  # fmt: skip

    @staticmethod
    def vmap(
        info: Any,
        in_dims: Sequence[Any],
        circuit: Static,
        axes: Axes,
        wanted: tuple[bool, ...],
        *tensors: Tensor | None,
    ) -> tuple[tuple[Tensor, ...], tuple[int | None, ...]]:
        dims = in_dims[3:]
        mapped = axes.mapped(dims, info.batch_size)
        found = PullMoving.apply(circuit, mapped, wanted, *_batch_first(tensors, dims))
        half = len(found) // 2
        return found, (*(_values_dim(dims),) * half, *(0,) * half)


def _values_dim(dims: Sequence[int | None]) -> int | None:
    """Where values are batched: first, if anything but tangents is."""
    return None if all(dim is None for dim in halves(dims)[0]) else 0


def _batch_first(tensors: Iterable[Tensor | None], dims: Iterable[Any]) -> Iterator[Tensor | None]:
    for tensor, dim in zip(tensors, dims, strict=True):
        yield tensor if tensor is None or dim is None else tensor.movedim(dim, 0)


def _doubled(axes: Axes, tangents: Sequence[Tensor | None]) -> Axes:
    """The axes of tensors and of their tangents."""
    pairs = zip(axes.levels, tangents, strict=True)
    moved = (() if tangent is None else levels for levels, tangent in pairs)
    return replace(axes, levels=(*axes.levels, *moved))


def _given(*tensors: Tensor | None) -> list[Tensor]:
    return [tensor for tensor in tensors if tensor is not None]


def _given_levels(levels: Iterable[Levels], tensors: Iterable[Tensor | None]) -> list[Levels]:
    return [own for own, tensor in zip(levels, tensors, strict=True) if tensor is not None]


def _in_places(tensors: Iterable[Tensor | None], found: Iterable[Any]) -> list[Any]:
    """Spread one value per given tensor."""
    values = iter(found)
    return [None if tensor is None else next(values) for tensor in tensors]


def _without_output(values: Sequence[Any]) -> list[Any]:
    """The gradient's, the state's and the leaves', of what `PullMoving` holds."""
    return [one for half in halves(values) for one in (half[2], half[0], *half[3:])]
