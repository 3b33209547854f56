"""The primitive `evolve`: a state and ops in, a state out, with rules for every transform.

There are three routes to the same numbers. The *reference* (`reference.run`) goes gate by gate; it
takes gates that are not known to be unitary. The *plain* route multiplies blocks in ordinary torch
calls, which any nesting of transforms can see through; it takes tiny circuits and nested forward
mode. `_Evolve`, the fast one, sees plain tensors with explicit batch axes, runs blocks between two
buffers, and walks the circuit back for its gradient, with memory for a few states at any depth.
With tangents they are Functions too: `_EvolveMoving`, and `_PullMoving` for the walk back.

References:
    Jones and Gacon (2020), arXiv:2009.02823, for the walk back.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.func import jvp, vjp, vmap

from quilt_func._checks import check_iterable, check_state_size, common_dtype_and_device
from quilt_func._torch import Primitive, is_recorded, tree_map, trusts_forward_rules
from quilt_func.evolution import reference
from quilt_func.evolution.batching import Axes, Levels, union
from quilt_func.evolution.planner import WHOLE
from quilt_func.evolution.reversible_run import Run, Tape
from quilt_func.evolution.signature import Packing, Static
from quilt_func.evolution.tangents.tangent_run import Moving, TangentRun
from quilt_func.ops import Op, check_fits
from quilt_func.states import zero_state


def evolve(n_qubits: int, ops: Sequence[Op], state: Tensor) -> Tensor:
    """Apply ops to a state.

    Args:
        n_qubits: Number of qubits.
        ops: Ops whose wires lie in `range(n_qubits)`, in order of application.
        state (complex, (2**n_qubits,)): Statevector.

    Returns:
        (complex, (2**n_qubits,)): New statevector of the same dtype and device.

    Raises:
        TypeError: If dtypes or devices differ.
        ValueError: If the state is of the wrong size, or a wire is out of range.

    Transforms:
        vmap, grad, jvp, jacrev, jacfwd, hessian, in the state and in the ops' leaves.

    Examples:
        >>> from quilt_func import h, cx, zero_state
        >>> evolve(2, [h(0), cx(0, 1)], zero_state(2)).real
        tensor([0.7071, 0.0000, 0.0000, 0.7071])
    """
    check_iterable("evolve", "ops", ops, "Write `[h(0)]` for one op.")
    ops = tuple(ops)
    for op in ops:
        check_fits("evolve", "ops", op, n_qubits)
    return evolve_from("evolve", n_qubits, ops, state)


def evolve_from(function: str, n_qubits: int, ops: Sequence[Op], state: Tensor) -> Tensor:
    """Apply ops that fit to a state, after a check of it in the name of a function."""
    check_state_size(function, state, n_qubits)
    common_dtype_and_device(function, [state, *(leaf for op in ops for leaf in op.leaves)])
    return _evolved(n_qubits, ops, state, state.dtype, state.device)


def evolve_zero(
    n_qubits: int, ops: Sequence[Op], dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Apply checked ops to |0...0⟩, whose product form a run makes use of."""
    return _evolved(n_qubits, ops, None, dtype, device)


def _evolved(
    n_qubits: int,
    ops: Sequence[Op],
    state: Tensor | None,
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor:
    acting = [op for op in ops if op.wires]
    if not acting or any("unitary" not in op.gate.tags for op in acting):
        zero = zero_state(n_qubits, dtype=dtype, device=device) if state is None else state
        return reference.run(acting, zero)
    structures = tuple(op.structure for op in acting)
    weak = tuple(tuple(p if type(p) is float else None for p in op.params) for op in acting)
    leaves = [leaf for op in acting for leaf in op.leaves]
    packing = Packing.of(leaves)
    circuit = Static(n_qubits, structures, weak, packing, dtype, device)
    if n_qubits <= WHOLE or not trusts_forward_rules():
        return circuit.plain(state, *leaves)
    packed = [packing.pack(leaves, group) for group in packing.groups]
    axes, tape = Axes((), ((),) * (1 + len(packed))), Tape(tuple(map(is_recorded, packed)))
    evolved: Tensor = _Evolve.apply(circuit, axes, tape, state, *packed)
    tape.owner = None
    return evolved


class _Evolve(Primitive):
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
            pulled = _Pull.apply(
                ctx.circuit, axes, ctx.tape, wanted, state, output, gradient, *packed
            )
        else:
            plain = _plain_pull(ctx.circuit, axes, wanted, state is None)
            pulled = plain(gradient, *_given(state, *packed))
        found = iter(pulled)
        return (None, None, None, *(next(found) if is_wanted else None for is_wanted in wanted))

    @staticmethod
    def push(values: list[Any], tangents: list[Tensor | None]) -> tuple[Tensor, Tensor]:
        circuit, axes, _, *tensors = values
        moves = tangents[3:]
        found: tuple[Tensor, Tensor] = _EvolveMoving.apply(
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
        return _Evolve.apply(circuit, mapped, tape, *_batch_first(tensors, dims)), 0


class _EvolveMoving(Primitive):
    """A run of a state and of leaves, and its tangent. Its gradient is a plain one."""

    @staticmethod
    def forward(circuit: Static, axes: Axes, *tensors: Tensor | None) -> tuple[Tensor, Tensor]:
        (state, *packed), (tangent, *tangents) = _halves(tensors)
        (own, *of_leaves), (of_tangent, *of_tangents) = _halves(axes.levels)
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
        of_values = _halves(ctx.axes.levels)[0]
        plain: Any = _pushed(partial(_run_plainly, ctx.circuit, tensors[0] is None), tensors)
        for level in range(len(ctx.axes.sizes)):
            plain = _both_mapped(plain, levels, of_values, level)
        found = _pulled(plain, _given(*tensors), gradients)
        return (None, None, *_in_places(tensors, found))

    @staticmethod
    def vmap(
        info: Any, in_dims: Sequence[Any], circuit: Static, axes: Axes, *tensors: Tensor | None
    ) -> tuple[tuple[Tensor, Tensor], tuple[int | None, int]]:
        dims = in_dims[2:]
        mapped = axes.mapped(dims, info.batch_size)
        found = _EvolveMoving.apply(circuit, mapped, *_batch_first(tensors, dims))
        return found, (_values_dim(dims), 0)


class _Pull(Primitive):
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
        return run.pull(output, axes.levels[1], gradient, axes.levels[2], wanted)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        del output
        ctx.circuit, ctx.axes, _, ctx.wanted, *tensors = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        state, _, gradient, *packed = ctx.saved_tensors
        plain = _plain_pull(ctx.circuit, ctx.axes, ctx.wanted, state is None)
        by_gradient, *found = _pulled(plain, [gradient, *_given(state, *packed)], gradients)
        by_state, *by_packed = _in_places((state, *packed), found)
        return (None, None, None, None, by_state, None, by_gradient, *by_packed)

    @staticmethod
    def push(
        values: list[Any], tangents: list[Tensor | None]
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        circuit, axes, _, wanted, *tensors = values
        moves = tangents[4:]
        found = _PullMoving.apply(circuit, _doubled(axes, moves), wanted, *tensors, *moves)
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
        found = _Pull.apply(circuit, mapped, tape, wanted, *_batch_first(tensors, dims))
        return found, (0,) * len(found)


class _PullMoving(Primitive):
    """What `_Pull` computes, then its tangent. Its gradient goes through the plain route."""

    @staticmethod
    def forward(
        circuit: Static, axes: Axes, wanted: tuple[bool, ...], *tensors: Tensor | None
    ) -> tuple[Tensor, ...]:
        (state, *primal), (_, *moved) = _halves(tensors)
        output, gradient = map(Moving, primal[:2], moved[:2])
        (own, *of_primal), (__, *of_moved) = _halves(axes.levels)
        pairs = list(zip(of_primal, of_moved, strict=True))
        states = [union(*levels) for levels in zip(*pairs[:2], strict=True)]
        leaves = replace(axes, levels=(*of_primal[2:], *of_moved[2:]))
        run = TangentRun(circuit, leaves, state is None, primal[2:], moved[2:], states, wanted)
        values, tangents = run.walk_back(output, pairs[0], gradient, pairs[1], own)
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
        plain: Any = _pushed(
            _plain_pull_of_one(ctx.circuit, ctx.axes, ctx.wanted, is_from_zero), tensors
        )
        of_given = _given_levels(levels, tensors)
        of_values = _halves(levels)[0]
        for level in ctx.axes.outer[::-1]:
            plain = _both_mapped(plain, of_given, of_values, level)
        values, tangents = map(tuple, _halves(gradients))
        found = _pulled(plain, _given(*tensors), (values, tangents))
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
        found = _PullMoving.apply(circuit, mapped, wanted, *_batch_first(tensors, dims))
        half = len(found) // 2
        return found, (*(_values_dim(dims),) * half, *(0,) * half)


def _values_dim(dims: Sequence[int | None]) -> int | None:
    """Where values are batched: first, if anything but tangents is."""
    return None if all(dim is None for dim in _halves(dims)[0]) else 0


def _batch_first(tensors: Iterable[Tensor | None], dims: Iterable[Any]) -> Iterator[Tensor | None]:
    for tensor, dim in zip(tensors, dims, strict=True):
        yield tensor if tensor is None or dim is None else tensor.movedim(dim, 0)


def _doubled(axes: Axes, tangents: Sequence[Tensor | None]) -> Axes:
    """The axes of tensors and of their tangents."""
    pairs = zip(axes.levels, tangents, strict=True)
    moved = (() if tangent is None else levels for levels, tangent in pairs)
    return replace(axes, levels=(*axes.levels, *moved))


def _halves(values: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """What belongs to tensors, and what to their tangents."""
    middle = len(values) // 2
    return list(values[:middle]), list(values[middle:])


def _given(*tensors: Tensor | None) -> list[Tensor]:
    return [tensor for tensor in tensors if tensor is not None]


def _given_levels(levels: Iterable[Levels], tensors: Iterable[Tensor | None]) -> list[Levels]:
    return [own for own, tensor in zip(levels, tensors, strict=True) if tensor is not None]


def _in_places(tensors: Iterable[Tensor | None], found: Iterable[Any]) -> list[Any]:
    """Spread one value per given tensor."""
    values = iter(found)
    return [None if tensor is None else next(values) for tensor in tensors]


def _without_output(values: Sequence[Any]) -> list[Any]:
    """The gradient's, the state's and the leaves', of what `_PullMoving` holds."""
    return [one for half in _halves(values) for one in (half[2], half[0], *half[3:])]


def _pulled(
    function: Callable[..., Any], inputs: Sequence[Tensor], gradient: Any
) -> tuple[Any, ...]:
    """Gradients of inputs; of those that a result does not depend on, too.

    Two things that torch fails to do within other levels are kept from it. It makes no zeros for an
    input that is not used: so all of them are results as well, with no gradient. And it can't read
    an input that a derivative was saved with: so views of inputs are used.
    """
    pull = vjp(lambda *given: (function(*(x.view_as(x) for x in given)), given), *inputs)[1]
    found: tuple[Any, ...] = pull((gradient, tuple(map(torch.zeros_like, inputs))))
    return found


def _run_plainly(circuit: Static, is_from_zero: bool, *tensors: Tensor) -> Tensor:
    return circuit.plain_packed(None, *tensors) if is_from_zero else circuit.plain_packed(*tensors)


def _pushed(function: Callable[..., Any], tensors: Sequence[Tensor | None]) -> Callable[..., Any]:
    """A function of the given of some tensors, and its tangent, of these and given tangents."""
    values, tangents = _halves([tensor is not None for tensor in tensors])
    moves = [
        has_tangent for is_given, has_tangent in zip(values, tangents, strict=True) if is_given
    ]

    def pushed(*given: Tensor) -> Any:
        fixed, moved = given[: len(moves)], given[len(moves) :]

        def of_moving(*moving: Tensor) -> Any:
            rest = iter(moving)
            pairs = zip(fixed, moves, strict=True)
            return function(*(next(rest) if does_move else value for value, does_move in pairs))

        moving = (value for value, does_move in zip(fixed, moves, strict=True) if does_move)
        return jvp(of_moving, tuple(moving), moved)

    return pushed


def _both_mapped(
    function: Callable[..., Any], levels: Iterable[Levels], of_values: Iterable[Levels], level: int
) -> Callable[..., Any]:
    """A function with values and their tangents, over a level that values may not depend on."""
    mapped = _mapped(function, levels, level)
    if any(level in own for own in of_values):
        return mapped

    def of_one(*given: Tensor) -> Any:
        values, tangents = mapped(*given)
        return tree_map(lambda value: value[0], values), tangents

    return of_one


def _plain_pull(
    circuit: Static, axes: Axes, wanted: tuple[bool, ...], is_from_zero: bool
) -> Callable[..., tuple[Tensor, ...]]:
    """What `_Pull` computes, in plain torch calls, of the gradient, the state if any, leaves."""
    of_state, _, of_gradient, *of_leaves = axes.levels
    start = [] if is_from_zero else [of_state]
    pulled = _plain_pull_of_one(circuit, axes, wanted, is_from_zero)
    for level in axes.outer[::-1]:
        pulled = _mapped(pulled, [of_gradient, *start, *of_leaves], level)
    return pulled


def _plain_pull_of_one(
    circuit: Static, axes: Axes, wanted: tuple[bool, ...], is_from_zero: bool
) -> Callable[..., tuple[Tensor, ...]]:
    """The same of one gradient: without the levels that are mapped over gradients."""
    n_leaves = len(circuit.packing.groups)
    levels = [*([] if is_from_zero else [axes.levels[0]]), *axes.levels[3 : 3 + n_leaves]]
    run: Any = partial(_run_plainly, circuit, is_from_zero)
    for level in range(axes.inner):
        run = _mapped(run, levels, level)

    def pulled(gradient: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        found = _pulled(run, tensors, gradient)
        every = (None, *found) if is_from_zero else found
        return tuple(one for one, is_wanted in zip(every, wanted, strict=True) if is_wanted)

    return pulled


def _mapped(
    function: Callable[..., Any], levels: Iterable[Levels], level: int
) -> Callable[..., Any]:
    return vmap(function, tuple(0 if level in own else None for own in levels))
