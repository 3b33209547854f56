"""The primitive `evolve`: a state and ops in, a state out, with rules for every transform.

There are three routes to the same numbers. The *reference* (`kernel.run`) goes gate by gate; it
takes gates that are not known to be unitary. The *plain* route multiplies blocks in ordinary torch
calls, which any nesting of transforms can see through; it takes tiny circuits and forward mode.
`_Evolve`, the fast one, sees plain tensors with explicit batch axes, runs blocks between two
buffers, and walks the circuit back for its gradient, with memory for a few states at any depth.

References:
    Jones and Gacon (2020), arXiv:2009.02823, for the walk back.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.func import vjp, vmap

from quilt_func import kernel
from quilt_func._checks import check_state_size, common_dtype_and_device
from quilt_func._run import Axes, Levels, Packing, Run, Static, union
from quilt_func._tree import is_forward_mode
from quilt_func.ops import Op, check_fits
from quilt_func.planning import WHOLE
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
    check_state_size("evolve", state, n_qubits)
    for op in ops:
        check_fits("evolve", "ops", op, n_qubits)
    common_dtype_and_device("evolve", [state, *(leaf for op in ops for leaf in op.leaves)])
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
        return kernel.run(acting, zero)
    structures = tuple(op.structure for op in acting)
    weak = tuple(tuple(p if type(p) is float else None for p in op.params) for op in acting)
    leaves = [leaf for op in acting for leaf in op.leaves]
    packing = Packing.of(leaves)
    circuit = Static(n_qubits, structures, weak, packing, dtype, device)
    if n_qubits <= WHOLE or is_forward_mode():
        return circuit.plain(state, *leaves)
    packed = [packing.pack(leaves, group) for group in packing.groups]
    evolved: Tensor = _Evolve.apply(circuit, Axes((), ((),) * (1 + len(packed))), state, *packed)
    return evolved


class _Evolve(Function):
    """Run a circuit between two buffers."""

    @staticmethod
    def forward(circuit: Static, axes: Axes, state: Tensor | None, *packed: Tensor) -> Tensor:
        return Run(circuit, axes, state is None, packed).forward(state)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.circuit, ctx.axes, state, *packed = inputs
        ctx.save_for_backward(state, output, *packed)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        state, output, *packed = ctx.saved_tensors
        own, *others = ctx.axes.levels
        everything = union(*ctx.axes.levels)
        axes = replace(ctx.axes, levels=(own, everything, everything, *others))
        wanted = ctx.needs_input_grad[2:]
        found = iter(_Pull.apply(ctx.circuit, axes, wanted, state, output, gradient, *packed))
        return (None, None, *(next(found) if is_wanted else None for is_wanted in wanted))

    @staticmethod
    def vmap(
        info: Any, in_dims: Sequence[Any], circuit: Static, axes: Axes, *tensors: Tensor | None
    ) -> tuple[Tensor, int]:
        dims = in_dims[2:]
        mapped = replace(axes.mapped(dims, info.batch_size), inner=len(axes.sizes) + 1)
        return _Evolve.apply(circuit, mapped, *_batch_first(tensors, dims)), 0


class _Pull(Function):
    """Pull a gradient back through a run: gradients of the state and of the leaves, if wanted.

    Its own derivatives go through the plain route.
    """

    @staticmethod
    def forward(
        circuit: Static,
        axes: Axes,
        wanted: tuple[bool, ...],
        state: Tensor | None,
        output: Tensor,
        gradient: Tensor,
        *packed: Tensor,
    ) -> tuple[Tensor, ...]:
        own = replace(axes, levels=(axes.levels[0], *axes.levels[3:]))
        run = Run(circuit, own, state is None, packed)
        return run.pull(output, axes.levels[1], gradient, axes.levels[2], wanted)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        del output
        ctx.circuit, ctx.axes, ctx.wanted, state, _, gradient, *packed = inputs
        ctx.save_for_backward(state, gradient, *packed)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        state, gradient, *packed = ctx.saved_tensors
        start = [] if state is None else [state]
        plain = _plain_pull(ctx.circuit, ctx.axes, ctx.wanted, state is None)
        pull = vjp(plain, gradient, *start, *packed)[1]
        by_gradient, *by_others = pull(gradients)
        by_state = None if state is None else by_others.pop(0)
        return (None, None, None, by_state, None, by_gradient, *by_others)

    @staticmethod
    def vmap(
        info: Any,
        in_dims: Sequence[Any],
        circuit: Static,
        axes: Axes,
        wanted: tuple[bool, ...],
        *tensors: Tensor | None,
    ) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        dims = in_dims[3:]
        mapped = axes.mapped(dims, info.batch_size)
        found = _Pull.apply(circuit, mapped, wanted, *_batch_first(tensors, dims))
        return found, (0,) * len(found)


def _batch_first(tensors: Iterable[Tensor | None], dims: Iterable[Any]) -> Iterator[Tensor | None]:
    for tensor, dim in zip(tensors, dims, strict=True):
        yield tensor if tensor is None or dim is None else tensor.movedim(dim, 0)


def _plain_pull(
    circuit: Static, axes: Axes, wanted: tuple[bool, ...], from_zero: bool
) -> Callable[..., tuple[Tensor, ...]]:
    """What `_Pull` computes, in plain torch calls, of the gradient, the state if any, leaves."""
    of_state, _, of_gradient, *of_leaves = axes.levels
    levels = of_leaves if from_zero else [of_state, *of_leaves]

    def run(*tensors: Tensor) -> Tensor:
        return circuit.plain_packed(None, *tensors) if from_zero else circuit.plain_packed(*tensors)

    for level in range(axes.inner):
        run = _mapped(run, levels, level)

    def pulled(gradient: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        found = vjp(run, *tensors)[1](gradient)
        every = (None, *found) if from_zero else found
        return tuple(one for one, is_wanted in zip(every, wanted, strict=True) if is_wanted)

    for level in range(axes.inner, len(axes.sizes)):
        pulled = _mapped(pulled, [of_gradient, *levels], level)
    return pulled


def _mapped(function: Callable[..., Any], levels: Iterable[Levels], level: int) -> Any:
    return vmap(function, tuple(0 if level in own else None for own in levels))
