"""Gates as static rows and ops as values: one gate on one or many sets of wires.

A `Gate` holds several independent statements about one unitary (matrix, generator, inverse,
tags, QASM text); the laws in `quilt_func.testing` check each against the matrix. Calling a gate
gives an `Op`, a pytree whose leaves are angles of shape `(m,)`, one for each of `m` wire sets.

Convention: angles in radians; a one-parameter gate with generator `G` is `exp(-i θ G / 2)`;
the first wire of a gate is the most significant bit of its matrix.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib import import_module
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from quilt_func._checks import (
    common_dtype_and_device,
    describe,
    is_hidden,
    message,
    qubits,
)
from quilt_func._gate_help import GateHelp, text_of
from quilt_func._op_arguments import call_form, checked_parameter
from quilt_func._op_arguments import called as called
from quilt_func._op_arguments import parse_wires as parse_wires
from quilt_func._torch import as_seen_here, constant, register
from quilt_func.typing import WireSet

Matrix = NDArray[np.complex128]
InverseRule = Callable[..., tuple["Gate", tuple[Any, ...]]]

TAGS = frozenset({"unitary", "hermitian", "diagonal", "permutation", "real", "clifford", "group"})
"""What a tag claims of every matrix of the gate. `group`: U(a) U(b) = U(a + b).

A row without `unitary` makes no promise: a gradient keeps the state that it acts on. `@gate` sets
the tag unless it is told `unitary=False`.
"""


class Qasm(NamedTuple):
    """A gate's OpenQASM name and, where the standard includes lack it, its definition.

    Attributes:
        name: Name in a text.
        definition: The whole `gate` statement, or nothing.

    Examples:
        >>> from quilt_func import cx
        >>> cx.qasm
        Qasm(name='cx', definition='')
        >>> Qasm("flip", "gate flip a { x a; }").definition
        'gate flip a { x a; }'
    """

    name: str
    definition: str = ""


class Made(NamedTuple):
    """What a row was made by: a function, and what it was called with. Pickle calls it again.

    Attributes:
        by: A function at the top of a module.
        args: Its arguments; equal ones give the same row.

    Examples:
        >>> from quilt_func import controlled, h
        >>> by, (base,) = controlled(h, 2).origin
        >>> by is controlled, base
        (True, <gate ch>)
    """

    by: Callable[..., "Gate"]
    args: tuple[Any, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Gate:
    """The definition of one gate. Equal only to itself; call it to make an `Op`.

    Attributes:
        name: Lower-case name, OpenQASM's where it has one; `f[a]` for the row that a function
            `f` makes of a string `a`.
        n_wires: Number of wires of one application.
        n_params: Number of angles.
        matrix: Constant gates: the matrix. Others: a function from `n_params` tensors of shape
            `(m,)` to `(m, 2**n_wires, 2**n_wires)`, complex, of the angles' precision.
        generator: Hermitian `G` with `U(θ) = exp(-i θ G / 2)`, or None.
        inverse: Function from angles to the inverse's gate and angles, or None.
        tags: Structural facts, see `TAGS`.
        qasm: OpenQASM name and definition, or None.
        symbol: Label of each wire in a drawing.
        doc: One line for the reference pages.
        param_shape: Shape of one parameter; `()` for angles.
        origin: What made the row, see `Made`; None for a row of the gate table.
        param_names: What its parameters are called in messages; default: theta, or matrix.

    Examples:
        >>> from quilt_func import cz, rx
        >>> rx.n_wires, rx.n_params, rx.generator.real.tolist()
        (1, 1, [[0.0, 1.0], [1.0, 0.0]])
        >>> sorted(cz.tags)
        ['clifford', 'diagonal', 'hermitian', 'real', 'unitary']
    """

    name: str
    n_wires: int
    n_params: int
    matrix: Callable[..., Tensor] | Matrix
    generator: Matrix | None = None
    inverse: InverseRule | None = None
    tags: frozenset[str] = frozenset()
    qasm: Qasm | None = None
    symbol: tuple[str, ...] = ()
    doc: str = ""
    param_shape: tuple[int, ...] = ()
    origin: Made | None = None
    param_names: tuple[str, ...] = ()
    _constants: dict[tuple[torch.dtype, torch.device], Tensor] = field(
        default_factory=dict, init=False
    )

    def __call__(self, *args: Any, **misplaced: Any) -> "Op":
        """Apply the gate: `n_params` angles, then `n_wires` ints or one iterable of wire sets.

        Args:
            *args: Angles (real, `()` or `(m,)`, radians) or Python numbers, then wires.
            **misplaced: Nothing: angles and wires go by position.

        Returns:
            The op. A 0-d angle is shared by all `m` wire sets.

        Raises:
            TypeError: If an angle or a wire is of the wrong kind or has a keyword, or dtypes or
                devices differ.
            ValueError: If wires repeat, or an angle's length differs from the number of wire sets.

        Transforms:
            vmap, grad, jvp, hessian: building an op moves its angles, nothing else.

        Examples:
            >>> from quilt_func import cx, ry
            >>> ry(0.5, range(3)).wires
            ((0,), (1,), (2,))
            >>> cx([(0, 1), (1, 2)]).wires
            ((0, 1), (1, 2))
        """
        for name, given in misplaced.items():
            need, got = "be given by position", "a keyword"
            raise TypeError(message(called(self), name, given, need, got, call_form(self)))
        params, wires = args[: self.n_params], args[self.n_params :]
        if len(params) < self.n_params or not wires:
            raise TypeError(
                f"{called(self)}(): takes {self.n_params} parameter(s) and then wires, but got "
                f"{len(args)} argument(s). {call_form(self)}"
            )
        return make_op(self, params, parse_wires(self, wires))

    def __repr__(self) -> str:
        return f"<gate {self.name}>"

    @property
    def form(self) -> str:
        """How it is called, in a sentence."""
        return call_form(self)

    @property
    def refusal(self) -> str:
        """Why no state can be given to it, with the remedy; nothing for a gate."""
        return ""

    @property
    def no_inverse(self) -> str:
        """Why a gate without `inverse` has none, with the remedy."""
        return (
            f"the gate has no known inverse because it is not known to be unitary. {INVERSE_REMEDY}"
        )

    @property
    def writes(self) -> str:
        """The key that outcomes are kept under; nothing for a gate."""
        return ""

    @property
    def reads(self) -> tuple[str, ...]:
        """The keys of outcomes that it depends on; nothing for a gate."""
        return ()

    def __reduce__(self) -> tuple[Callable[..., "Gate"], tuple[Any, ...]]:
        return self.origin or found_in("quilt_func.gates", self.name)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def made_by(self, maker: Callable[..., "Gate"]) -> tuple[Any, ...]:
        """What `maker` was called with, if that made the row; else nothing."""
        return self.origin.args if self.origin and self.origin.by is maker else ()

    @cached_property
    def is_rotation(self) -> bool:
        """Whether `G @ G = 1`, so that the matrix is `cos(θ/2) - i sin(θ/2) G`.

        Circuits build the matrices of all such gates together, of their generators and without
        calling `matrix`; the law `generator` holds the two against each other.
        """
        if self.generator is None:
            return False
        identity = np.eye(len(self.generator))
        return bool(np.abs(self.generator @ self.generator - identity).max() <= ROUNDING)

    def matrices(self, *params: Tensor) -> Tensor:
        """Evaluate a parametrised gate: `n_params` tensors `(m, *param_shape)` to `(m, K, K)`."""
        if not callable(self.matrix):
            raise TypeError(f"{self.name} is a constant gate. Use `constant(dtype, device)`.")
        return self.matrix(*params)

    def constant(self, dtype: torch.dtype, device: torch.device) -> Tensor:
        """Matrix `(K, K)` of a constant gate; cast once per dtype and device."""
        key = (dtype, device)
        if key not in self._constants:
            self._constants[key] = constant(self.matrix, dtype, device)
        return as_seen_here(self._constants[key])


setattr(Gate, "__doc__", GateHelp(Gate.__doc__, text_of))  # noqa: B010  # mypy knows it as a string

ROUNDING = 64 * np.finfo(np.float64).eps
"""How far a gate's facts may be from one another."""


def found_in(module: str, name: str) -> Made:
    """The origin of a row that is a module's variable, under its own name."""
    return Made(_find_gate, (module, name))


def _find_gate(module: str, name: str) -> Gate:
    found: Gate = getattr(import_module(module), name)
    return found


@dataclass(frozen=True)
class Structure:
    """The static part of an op: its gate, its wires, and which parameters are tensors.

    Interned by `_structure`, so that comparing the structures of equal circuits, built anew in
    every training step, compares identities.
    """

    gate: Gate
    wires: tuple[WireSet, ...]
    is_tensor: tuple[bool, ...]
    hash: int
    last_wire: int

    def __hash__(self) -> int:
        return self.hash

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Hash anew: a gate's hash is its identity, which is another one in another process."""
        found = hash((state["gate"], state["wires"], state["is_tensor"]))
        self.__dict__.update(state, hash=found)


@lru_cache(maxsize=65536)
def _structure(gate: Gate, wires: tuple[WireSet, ...], is_tensor: tuple[bool, ...]) -> Structure:
    last_wire = max((wire for wire_set in wires for wire in wire_set), default=-1)
    return Structure(gate, wires, is_tensor, hash((gate, wires, is_tensor)), last_wire)


@dataclass(frozen=True, eq=False, repr=False)
class Op:
    """One gate on `m` sets of wires, in the order listed. A pytree: tensors are its leaves.

    Attributes:
        gate: The row that it applies.
        wires: `m` tuples of `gate.n_wires` distinct ints.
        params: One entry per parameter: a tensor `(m, *gate.param_shape)`, or a Python number
            that all wire sets share and that is no leaf.

    Examples:
        >>> import torch
        >>> from quilt_func import ry
        >>> op = ry(torch.tensor([0.1, 0.2]), range(2))
        >>> op.gate, op.wires, op.params
        (<gate ry>, ((0,), (1,)), (tensor([0.1000, 0.2000]),))
    """

    gate: Gate
    wires: tuple[WireSet, ...]
    params: tuple[Any, ...]

    @cached_property
    def structure(self) -> Structure:
        """The static part, interned and hashable: what plans are cached on."""
        return _structure(self.gate, self.wires, tuple(type(p) is not float for p in self.params))

    @property
    def leaves(self) -> list[Any]:
        """The parameters that are tensors."""
        return [param for param in self.params if type(param) is not float]

    def inverse(self) -> "Op":
        """The op that undoes this one: inverse gates in reversed order.

        Raises:
            ValueError: If the gate is not known to be unitary.

        Transforms:
            vmap, grad, jvp, hessian.

        Examples:
            >>> from quilt_func import s
            >>> s(range(2)).inverse()
            <sdg on (1,), (0,)>
        """
        if self.gate.inverse is None:
            raise ValueError(f"{called(self.gate)}.inverse(): {self.gate.no_inverse}")
        params = tuple(p if type(p) is float else p.flip(0) for p in self.params)
        gate, params = self.gate.inverse(*params)
        return Op(gate, self.wires[::-1], params)

    def map_wires(self, new_wire: Callable[[int], int]) -> "Op":
        """The same gate with each wire `w` replaced by `new_wire(w)`."""
        wires = tuple(tuple(new_wire(wire) for wire in wire_set) for wire_set in self.wires)
        return Op(self.gate, wires, self.params)

    def __len__(self) -> int:
        """Number of wire sets."""
        return len(self.wires)

    def __repr__(self) -> str:
        return f"<{self.gate.name} on {', '.join(map(str, self.wires)) or 'no wires'}>"


def _flatten_op(op: Op) -> tuple[list[Any], Any]:
    static = tuple(param if type(param) is float else None for param in op.params)
    return op.leaves, (op.gate, op.wires, static)


def _unflatten_op(leaves: Iterable[Any], context: Any) -> Op:
    gate, wires, static = context
    remaining = iter(leaves)
    return Op(gate, wires, tuple(next(remaining) if p is None else p for p in static))


register(Op, _flatten_op, _unflatten_op, "quilt_func.ops.Op")


INVERSE_REMEDY = (
    "If it is, make it with `unitary(matrix, *wires)`, or by `@gate` without `unitary=False`."
)


OP_REMEDY = "Call a gate to make an op: `h(0)`."


def numbers(param: Any, m: int) -> list[float] | None:
    """A parameter at each of `m` wire sets, or None where it can't be read as numbers."""
    if isinstance(param, float):
        return [param] * m
    if not isinstance(param, Tensor) or param.ndim != 1 or is_hidden(param):
        return None
    found: list[float] = param.detach().tolist()
    return found


def check_fits(function: str, argument: str, op: Op, n_qubits: int) -> None:
    """Check that an op is one, and that its wires lie in `range(n_qubits)`."""
    if not isinstance(op, Op):
        raise TypeError(message(function, argument, op, "hold ops", describe(op), OP_REMEDY))
    if op.structure.last_wire >= n_qubits:
        remedy = "Give more qubits or other wires."
        got = f"wire {op.structure.last_wire}"
        raise ValueError(message(function, argument, op, f"fit {qubits(n_qubits)}", got, remedy))


def make_op(gate: Gate, params: tuple[Any, ...], wires: tuple[WireSet, ...]) -> Op:
    """Check parameters against a gate's row and wires, and build the op."""
    checked = (checked_parameter(gate, i, p, len(wires)) for i, p in enumerate(params))
    op = Op(gate, wires, tuple(checked))
    if len(params) > 1:
        common_dtype_and_device(called(gate), op.leaves)
    return op
