"""Functions: a run, its tangent, the walk back and its tangent, with rules for all transforms."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor

from quilt_func._torch import Primitive, trusts_forward_rules
from quilt_func.evolution.batching import union
from quilt_func.evolution.calls import (
    Call,
    PullCall,
    PullTensors,
    RunCall,
    RunTensors,
    WithTangents,
    halves,
    in_places,
    levels_with_tangents,
)
from quilt_func.evolution.plain_rules import (
    mapped_with_tangents,
    plain_pull,
    pull_of_one,
    pulled,
    with_tangents,
)
from quilt_func.evolution.reversible_run import Run
from quilt_func.evolution.tangents.tangent_run import TangentRun, WithTangent


class Evolve(Primitive):
    """`RunTensors` -> the state after the run, between two buffers."""

    @staticmethod
    def forward(call: RunCall, state: Tensor | None, *leaves: Tensor) -> Tensor:
        run = Run(call.circuit, call.axes, state is None, leaves, call.kept.recorded)
        is_kept = any(call.kept.recorded)
        if is_kept:
            call.kept.keep(run)
        return run.forward(state, is_kept=is_kept)

    @staticmethod
    def setup_context(ctx: Any, tensors: Sequence[Tensor | None], output: Tensor) -> None:
        ctx.save_for_backward(*tensors, output, ctx.static.kept.owner)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        call, wanted = ctx.static, Primitive.wanted(ctx)
        *saved, output, _ = ctx.saved_tensors
        state, leaves = RunTensors.of(saved)
        of_state, of_leaves = RunTensors.of(call.axes.levels)
        every = union(*call.axes.levels)
        axes = replace(call.axes, levels=PullTensors(of_state, every, every, of_leaves).flat)
        pull = Pull.apply if trusts_forward_rules() else plain_pull
        tensors = PullTensors(state, output, gradient, leaves)
        found = pull(PullCall(call.circuit, axes, wanted, call.kept), *tensors.flat)
        return in_places(wanted, found)

    @staticmethod
    def push(
        call: RunCall, values: Sequence[Tensor | None], tangents: Sequence[Tensor | None]
    ) -> tuple[Tensor, Tensor]:
        own = Call(call.circuit, levels_with_tangents(call.axes, tangents))
        found: tuple[Tensor, Tensor] = EvolveTangents.apply(own, *values, *tangents)
        return found


class _Jvp(Primitive):
    """The jvp of a Function: its tensors `WithTangents` -> its results, then their tangents.

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
    def forward(call: Call, *tensors: Tensor | None) -> tuple[Tensor, Tensor]:
        values, tangents = WithTangents.of(RunTensors.of, tensors)
        of_values, of_tangents = WithTangents.of(RunTensors.of, call.axes.levels)
        axes = replace(call.axes, levels=(*of_values.leaves, *of_tangents.leaves))
        of_states = of_values.state, of_tangents.state
        run = TangentRun(
            call.circuit, axes, values.state is None, values.leaves, tangents.leaves, of_states,
            (False,) * len(values.flat),
        )  # fmt: skip
        start = None if values.state is None else WithTangent(values.state, tangents.state)
        return run.push(start, of_states)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        axes = ctx.static.axes
        function = with_tangents(ctx.static.circuit.plain_packed)
        for level in range(len(axes.sizes)):
            function = mapped_with_tangents(function, axes.levels, level)
        return pulled(function, ctx.saved_tensors, gradients)


class Pull(Primitive):
    """`PullTensors` -> gradients of the state and of the leaves, where wanted.

    Its own gradient goes through the plain route.
    """

    @staticmethod
    def forward(call: PullCall, *flat: Tensor) -> tuple[Tensor, ...]:
        tensors, levels = PullTensors.of(flat), PullTensors.of(call.axes.levels)
        axes = replace(call.axes, levels=levels.run.flat)
        is_from_zero = tensors.state is None
        run = call.kept.rerun(call.circuit, axes, is_from_zero, tensors.leaves, call.wanted)
        return run.pull(
            tensors.state, tensors.output, levels.output, tensors.gradient, levels.gradient,
            call.wanted,
        )  # fmt: skip

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        tensors = PullTensors.of(ctx.saved_tensors)._replace(output=None)
        return pulled(partial(plain_pull, ctx.static), tensors.flat, gradients)

    @staticmethod
    def push(
        call: PullCall, values: Sequence[Tensor | None], tangents: Sequence[Tensor | None]
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        own = replace(call, axes=levels_with_tangents(call.axes, tangents))
        return halves(PullTangents.apply(own, *values, *tangents))


class PullTangents(_Jvp):
    """What `Pull` computes, then its tangents."""

    @staticmethod
    def forward(call: PullCall, *flat: Tensor | None) -> tuple[Tensor, ...]:
        values, tangents = WithTangents.of(PullTensors.of, flat)
        of_values, of_tangents = WithTangents.of(PullTensors.of, call.axes.levels)
        axes = replace(call.axes, levels=(*of_values.leaves, *of_tangents.leaves))
        of_states = [union(own.output, own.gradient) for own in (of_values, of_tangents)]
        run = TangentRun(
            call.circuit, axes, values.state is None, values.leaves, tangents.leaves, of_states,
            call.wanted,
        )  # fmt: skip
        start = None if values.state is None else WithTangent(values.state, tangents.state)
        found, found_tangents = run.walk_back(
            start, (of_values.state, of_tangents.state),
            WithTangent(values.output, tangents.output), (of_values.output, of_tangents.output),
            WithTangent(values.gradient, tangents.gradient),
            (of_values.gradient, of_tangents.gradient),
        )  # fmt: skip
        return *found, *found_tangents

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        call, saved = ctx.static, WithTangents.of(PullTensors.of, ctx.saved_tensors)
        levels = WithTangents.of(PullTensors.of, call.axes.levels)
        function = with_tangents(pull_of_one(call, levels.values))
        for level in call.axes.outer[::-1]:
            function = mapped_with_tangents(function, call.axes.levels, level)
        tensors = WithTangents(*(half._replace(output=None) for half in saved))
        return pulled(function, tensors.flat, halves(gradients))
