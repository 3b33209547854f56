"""`jit`, and the functions that it returns."""

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from types import MethodType
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar

import torch
from torch import Tensor

from quilt_func._checks import check_function
from quilt_func._torch import is_within_mode, is_within_transform
from quilt_func.replay.arguments import Arguments, StaticArguments
from quilt_func.replay.gradients import (
    DifferentiableProgram,
    is_differentiable,
    make_differentiable,
)
from quilt_func.replay.rules import Replayed
from quilt_func.replay.tracing import Program, make_program, plain

P = ParamSpec("P")
T = TypeVar("T")
MIB = 2**20
MAX_PROGRAMS = 128
"""Programs that a jitted function keeps; the one used longest ago goes first."""


class Jitted(Generic[P, T]):
    """A function that is traced once per signature and replayed; `jit` makes it.

    Attributes:
        fn: The function as it was given.

    Examples:
        >>> import torch
        >>> from quilt_func import jit
        >>> double = jit(lambda x: 2 * x)
        >>> isinstance(double, Jitted), double(torch.tensor(3.0)), double.fn(4)
        (True, tensor(6.), 8)
    """

    def __init__(self, fn: Callable[P, T], static: StaticArguments) -> None:
        self.fn, self._static = fn, static
        self._programs: OrderedDict[Hashable, _Programs] = OrderedDict()
        self._last: tuple[Hashable, _Programs] | None = None
        self._lock = threading.RLock()
        functools.update_wrapper(self, fn, updated=())

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """What `fn` returns, replayed where it can be."""
        if is_within_transform() or is_within_mode():
            return self.fn(*args, **kwargs)
        arguments = self._static.flatten(args, kwargs)
        if not all(map(_is_ordinary, arguments.tensors)):
            return self.fn(*args, **kwargs)
        programs = self._found(arguments)
        if programs.differentiable is None:
            results = programs.plain.executor.run(list(map(plain, arguments.tensors)))
        else:
            results = Replayed.apply(programs.differentiable, *arguments.tensors)
        found: T = programs.plain.rebuilt(results)
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, also by pickle, traces anew."""
        return Jitted, (self.fn, self._static)

    def __get__(self, instance: object, owner: type | None = None) -> Callable[..., Any]:
        """Bind a jitted method to its instance."""
        return self if instance is None else MethodType(self, instance)

    def explain(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Tell what a call with these arguments replays, and trace it if that is still to be done.

        Args:
            *args: Arguments of a call.
            **kwargs: Keyword arguments of a call.

        Returns:
            Executor, number of operations traced and left, memory, time of tracing.
        """
        programs = self._found(self._static.flatten(args, kwargs))
        program, report = programs.plain, programs.plain.report
        return (
            f"jit({program.name}): {report.n_operations} operations "
            f"({report.n_traced} traced), by {program.executor.name}\n"
            f"memory: {report.n_bytes / MIB:.2f} MiB of constants, {report.peak_bytes / MIB:.2f} "
            "MiB at most of what is computed\n"
            f"traced in {report.seconds:.2f} s; "
            f"signatures kept: {len(self._programs)} of at most {MAX_PROGRAMS}"
        )

    def _found(self, arguments: Arguments) -> "_Programs":
        """The programs for a signature, traced if there are none yet."""
        last = self._last
        if last is not None and last[0] == arguments.signature:
            return last[1]
        with self._lock:
            found = self._programs.get(arguments.signature)
            if found is None:
                found = self._programs[arguments.signature] = self._traced(arguments)
                if len(self._programs) > MAX_PROGRAMS:
                    self._programs.popitem(last=False)
            self._programs.move_to_end(arguments.signature)
            self._last = arguments.signature, found
            return found

    def _traced(self, arguments: Arguments) -> "_Programs":
        name = getattr(self.fn, "__name__", type(self.fn).__name__)
        program = make_program(self.fn, name, arguments)
        is_moving = torch.is_grad_enabled() and any(t.requires_grad for t in arguments.tensors)
        if not is_moving or not any(map(is_differentiable, program.examples)):
            return _Programs(program, None)
        return _Programs(program, make_differentiable(program, arguments, jit))


class _Programs(NamedTuple):
    """A function's program, and those with its vjp where arguments require grad."""

    plain: Program
    differentiable: DifferentiableProgram | None


def jit(
    fn: Callable[P, T],
    *,
    static_argnums: int | Iterable[int] = (),
    static_argnames: str | Iterable[str] = (),
) -> Jitted[P, T]:
    r"""The same function, traced once per signature of its arguments and replayed from then on.

    The first call with arguments of a signature traces `fn` below all transforms in it, to a flat
    list of torch's operations, shortens that, and hands it to the fastest executor at hand: a CUDA
    graph, torch's C++ interpreter, or straight-line Python. Later calls run that list; `fn` is not
    called. A *signature* is the tree of the arguments, the shapes, dtypes, device and
    `requires_grad` of its tensors, and the values of all its other leaves.

    Tensors that `fn` closes over are captured by reference: a later change in place is seen, a
    name that is bound to another tensor is not. Within a transform of `torch.func`, another jitted
    function or a mode of torch's, `fn` itself is called. Tensors that require grad get their
    gradients from a trace of the vjp, of any order.

    Args:
        fn: A function of pytrees. It must be pure: what it prints, draws with `random` or `numpy`,
            or stores elsewhere happens at the trace alone.
        static_argnums: Positions of arguments that are static as a whole, hashed and compared.
        static_argnames: Their names.

    Returns:
        A function of the same arguments and results; `.explain(*args)` tells what it replays.

    Raises:
        TypeError: If `fn` is not a function; from the jitted function, if an argument holds what is
            neither a tensor nor hashable, or if `fn` looks at a value, draws a random number of
            torch's, changes an argument in place, gives tensors whose shapes depend on values, or
            closes over a tensor that requires grad.

    Transforms:
        vmap, grad, jvp, hessian: around a jitted function they call `fn`; within it they are
        traced, so jit the outermost function.

    Examples:
        >>> import torch
        >>> from quilt_func import circuit, expval, pauli_sum, rx
        >>> def energy(theta):
        ...     return expval(circuit(1, rx(theta, 0))(), pauli_sum({"Z": 1.0}))
        >>> step = jit(torch.func.grad_and_value(energy))
        >>> step(torch.tensor(0.5))
        (tensor(-0.4794), tensor(0.8776))
        >>> print(step.explain(torch.tensor(0.5)))  # doctest: +ELLIPSIS
        jit(energy): ... operations (... traced), by C++ interpreter
        memory: ... MiB of constants, ... MiB at most of what is computed
        traced in ... s; signatures kept: 1 of at most 128

    References:
        Frostig, Johnson and Leary (2018), "Compiling machine learning programs via high-level
        tracing", for the idea; `torch.utils._python_dispatch.TorchDispatchMode` for the trace.
    """
    check_function("jit", "fn", fn)
    return Jitted(fn, StaticArguments(fn, static_argnums, static_argnames))


def _is_ordinary(tensor: Tensor) -> bool:
    return (
        type(tensor) in (Tensor, torch.nn.Parameter)
        and tensor.layout is torch.strided
        and tensor.device.type != "meta"
    )
