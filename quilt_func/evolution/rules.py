"""Functions: a run, its tangent, the walk back and its tangent, with rules for all transforms."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor

from quilt_func._torch import Primitive, trusts_forward_rules
from quilt_func.evolution.batching import union
from quilt_func.evolution.calls import Call, halves, in_places
from quilt_func.evolution.plain_rules import (
    mapped_with_tangents,
    plain_pull,
    pull_of_one,
    pulled,
    with_tangents,
    without_output,
)
from quilt_func.evolution.reversible_run import Run
from quilt_func.evolution.tangents.tangent_run import TangentRun, WithTangent


class Evolve(Primitive):
    """The state and leaves -> the state after the run, between two buffers."""

    @staticmethod
    def forward(call: Call, state: Tensor | None, *leaves: Tensor) -> Tensor:
        run = Run(call.circuit, call.axes, state is None, leaves, call.kept.recorded)
        if run.is_recorded:
            call.kept.keep(run)
        return run.forward(state)

    @staticmethod
    def setup_context(ctx: Any, tensors: Sequence[Tensor | None], output: Tensor) -> None:
        ctx.save_for_backward(*tensors, output, ctx.static.kept.owner)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        call, wanted = ctx.static, Primitive.wanted(ctx)
        state, *leaves, output, _ = ctx.saved_tensors
        of_state, *of_leaves = call.axes.levels
        every = union(of_state, *of_leaves)
        levels = of_state, every, every, *of_leaves
        axes = replace(call.axes, levels=levels, inner=len(call.axes.sizes))
        pull = Pull.apply if trusts_forward_rules() else plain_pull
        own = replace(call, axes=axes, wanted=wanted)
        return in_places(wanted, pull(own, state, output, gradient, *leaves))

    @staticmethod
    def push(
        call: Call, values: Sequence[Tensor | None], tangents: Sequence[Tensor | None]
    ) -> tuple[Tensor, Tensor]:
        own = call.with_tangents(tangents)
        found: tuple[Tensor, Tensor] = EvolveTangents.apply(own, *values, *tangents)
        return found


class _Jvp(Primitive):
    """The jvp of a Function: its tensors, then their tangents -> its results, then theirs.

    Its gradient goes through the plain route.
    """

    @staticmethod
    def result_dims(dims: Sequence[int | None], n_results: int) -> tuple[int | None, ...]:
        """Results have the axis only if something else than tangents has."""
        is_of_tangents = all(dim is None for dim in halves(dims)[0])
        half = n_results // 2
        return (*(None if is_of_tangents else 0,) * half, *(0,) * half)


class EvolveTangents(_Jvp):
    """The state after a run, and its tangent."""

    @staticmethod
    def forward(call: Call, *tensors: Any) -> tuple[Tensor, Tensor]:
        (state, *leaves), (by_state, *by_leaves) = halves(tensors)
        (of_state, *of_leaves), (of_by_state, *of_by_leaves) = halves(call.axes.levels)
        run = TangentRun(
            call.circuit, replace(call.axes, levels=(*of_leaves, *of_by_leaves)), state is None,
            leaves, by_leaves, (of_state, of_by_state), (False,) * (1 + len(leaves)),
        )  # fmt: skip
        start = None if state is None else WithTangent(state, by_state)
        return run.push(start, (of_state, of_by_state))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        axes = ctx.static.axes
        function = with_tangents(ctx.static.circuit.plain_packed)
        for level in range(len(axes.sizes)):
            function = mapped_with_tangents(function, axes.levels, level)
        return pulled(function, ctx.saved_tensors, gradients)


class Pull(Primitive):
    """The state, the output, its gradient and leaves -> gradients where wanted.

    Its own gradient goes through the plain route.
    """

    @staticmethod
    def forward(
        call: Call, state: Tensor | None, output: Tensor, gradient: Tensor, *leaves: Tensor
    ) -> tuple[Tensor, ...]:
        of_state, of_output, of_gradient, *of_leaves = call.axes.levels
        axes, wanted = replace(call.axes, levels=(of_state, *of_leaves)), call.wanted
        carrying = of_leaves if state is None else axes.levels
        if all(set(axes.outer) <= set(own) for own in carrying):
            axes = replace(axes, inner=None)
        run = call.kept.find(axes, leaves, wanted[1:])
        run = run or Run(call.circuit, axes, state is None, leaves, wanted[1:])
        return run.pull(state, output, of_output, gradient, of_gradient, wanted)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        tensors = without_output(*ctx.saved_tensors)
        return pulled(partial(plain_pull, ctx.static), tensors, gradients)

    @staticmethod
    def push(
        call: Call, values: Sequence[Tensor | None], tangents: Sequence[Tensor | None]
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        return halves(PullTangents.apply(call.with_tangents(tangents), *values, *tangents))


class PullTangents(_Jvp):
    """What `Pull` computes, then its tangents."""

    @staticmethod
    def forward(call: Call, *tensors: Any) -> tuple[Tensor, ...]:
        start, output, gradient, *_ = map(WithTangent, *halves(tensors))
        (_, _, _, *leaves), (_, _, _, *by_leaves) = halves(tensors)
        of_start, of_output, of_gradient, *_ = zip(*halves(call.axes.levels), strict=True)
        (_, _, _, *of_leaves), (_, _, _, *of_by_leaves) = halves(call.axes.levels)
        run = TangentRun(
            call.circuit, replace(call.axes, levels=(*of_leaves, *of_by_leaves)),
            start.value is None, leaves, by_leaves, list(map(union, of_output, of_gradient)),
            call.wanted,
        )  # fmt: skip
        found, found_tangents = run.walk_back(
            None if start.value is None else start, of_start, output, of_output, gradient,
            of_gradient,
        )  # fmt: skip
        return *found, *found_tangents

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        call, (values, tangents) = ctx.static, halves(ctx.saved_tensors)
        function = with_tangents(pull_of_one(call, halves(call.axes.levels)[0]))
        for level in call.axes.outer[::-1]:
            function = mapped_with_tangents(function, call.axes.levels, level)
        tensors = *without_output(*values), *without_output(*tangents)
        return pulled(function, tensors, halves(gradients))
