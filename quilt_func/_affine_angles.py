r"""Affine functions of inputs as values, and circuits whose angles are such functions.

A function from tensors to a circuit is opaque. Where its angles are affine in the tensors' entries,
$θ = A x + b$, its values at 0 and its Jacobian there say all, and values elsewhere check it.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.func import jacfwd

from quilt_func._checks import COMPLEX_OF, a_kind, check_is, describe, is_hidden, is_number, message
from quilt_func.circuits import Circuit
from quilt_func.ops import Gate, Op

_STEP = 0.7548776662466927
"""Between the entries of the points at which a function is tried."""
_ROUNDING = 256
"""How many units of rounding an angle may be away from its affine form."""


@dataclass(frozen=True)
class Affine:
    """The number `constant + Σ factor * inputs[place]`; add to it, and multiply it by numbers.

    Attributes:
        terms: Pairs of a place and its factor, by ascending places.
        constant: The rest.
    """

    terms: tuple[tuple[int, float], ...]
    constant: float = 0.0

    def __add__(self, other: Any) -> "Affine":
        if is_number(other):
            return Affine(self.terms, self.constant + other)
        if not isinstance(other, Affine):
            return NotImplemented
        found = dict(self.terms)
        for place, factor in other.terms:
            found[place] = found.get(place, 0.0) + factor
        terms = tuple(sorted((place, factor) for place, factor in found.items() if factor))
        return Affine(terms, self.constant + other.constant)

    __radd__ = __add__

    def __neg__(self) -> "Affine":
        return self * -1.0

    def __mul__(self, factor: Any) -> "Affine":
        if not is_number(factor):
            return NotImplemented
        terms = tuple((place, factor * own) for place, own in self.terms if factor * own)
        return Affine(terms, factor * self.constant)

    __rmul__ = __mul__

    def text(self, names: Sequence[str], number: Callable[[float], str]) -> str:
        """The sum in arithmetic that all languages share, such as `2.0*a + b - 0.5`."""
        parts = [
            f"{'-' if factor < 0 else '+'} "
            f"{'' if abs(factor) == 1 else f'{number(abs(factor))}*'}{names[place]}"
            for place, factor in self.terms
        ]
        if self.constant or not parts:
            sign = "-" if self.constant < 0 else "+"
            parts.append(f"{sign} {number(abs(self.constant))}")
        first, *rest = parts
        first = first.removeprefix("+ ").replace("- ", "-")
        return " ".join([first, *rest])


class Input(NamedTuple):
    """One argument of a function: its name and shape, and the place of its first entry."""

    name: str
    shape: tuple[int, ...]
    first: int

    @property
    def size(self) -> int:
        """Number of entries."""
        return math.prod(self.shape)

    def names(self) -> Iterator[str]:
        """A name for each entry: `a`, or `a_0_1`."""
        for index in product(*map(range, self.shape)):
            yield "_".join([self.name, *map(str, index)])


def inputs_of(shapes: Mapping[str, tuple[int, ...]]) -> tuple[Input, ...]:
    """Inputs of given shapes, one after the other."""
    found, first = [], 0
    for name, shape in shapes.items():
        found.append(Input(name, tuple(shape), first))
        first += found[-1].size
    return tuple(found)


class Symbolic(NamedTuple):
    """A circuit whose parameters are tuples of `Affine`s and numbers, or tensors of matrices."""

    circuit: Circuit
    inputs: tuple[Input, ...]


def symbolic(function: str, argument: str, fn: Callable[..., Any], inputs: Any) -> Symbolic:
    """A function from tensors to a circuit, as one circuit whose angles are `Affine`.

    Raises:
        TypeError: If the inputs are not real tensors, or the function returns no circuit.
        ValueError: If an angle is not affine, or the circuit's gates depend on the inputs.
    """
    examples = _examples(function, fn, inputs)
    layout = inputs_of({name: tuple(value.shape) for name, value in examples.items()})
    like = next(iter(examples.values()), torch.zeros(0))
    size = sum(one.size for one in layout)

    def at(flat: Tensor) -> Circuit:
        own = [flat[one.first : one.first + one.size].reshape(one.shape) for one in layout]
        return _circuit(function, argument, fn, fn(*own))

    def leaves(flat: Tensor) -> list[Tensor]:
        return [param for op, param in _tensors(at(flat)) if not op.gate.param_shape]

    zero = torch.zeros(size, dtype=like.dtype)
    found = at(zero)
    points = [sign * scale * _point(zero) for scale in (1.0, 4.0) for sign in (1, -1)]
    others = [at(point) for point in points]
    for other in others:
        _check_structure(function, argument, fn, found, other)
    angles = leaves(zero)
    slopes = jacfwd(leaves)(zero) if size and angles else [a[:, None][:, :0] for a in angles]
    for point, other in zip(points, others, strict=True):
        _check_affine(function, argument, found, slopes, other, point)
    remaining = iter(slopes)
    ops = tuple(_written(function, argument, op, remaining) for op in found.ops)
    return Symbolic(Circuit(found.n_qubits, ops), layout)


def _point(like: Tensor) -> Tensor:
    """Entries of both signs, none of them special."""
    places = torch.arange(like.shape[0], dtype=like.dtype)
    return (_STEP * (1 + places)) % 2 - 1.0


def _examples(function: str, fn: Callable[..., Any], inputs: Any) -> dict[str, Tensor]:
    """A tensor for each argument, by name; functions read from elsewhere know theirs."""
    own = getattr(fn, "input_shapes", None)
    if inputs is None and own is not None:
        return {name: torch.zeros(shape, dtype=torch.float64) for name, shape in own.items()}
    remedy = 'Give an example of each argument: `inputs={"theta": torch.zeros(3)}`.'
    check_is(function, "inputs", inputs, Mapping, "map names to tensors", remedy)
    for name, value in inputs.items():
        is_name = isinstance(name, str) and name.isidentifier()
        if not is_name:
            need, got = "have names for keys", describe(name)
            raise ValueError(message(function, "inputs", inputs, need, got, remedy))
        if not isinstance(value, Tensor) or value.dtype not in COMPLEX_OF:
            got = str(value.dtype) if isinstance(value, Tensor) else a_kind(value)
            need = "hold real floating-point tensors"
            raise TypeError(message(function, "inputs", inputs, need, got, remedy))
    return dict(inputs)


def _circuit(function: str, argument: str, fn: Any, found: Any) -> Circuit:
    if not isinstance(found, Circuit):
        need, remedy = "return a circuit", "Measure what it returns elsewhere."
        raise TypeError(message(function, argument, fn, need, a_kind(found), remedy))
    return found


def _check_structure(function: str, argument: str, fn: Any, zero: Circuit, there: Circuit) -> None:
    """Check that two circuits differ in values alone."""
    if there.structure != zero.structure:
        need, got = "have the same gates for all inputs", "others"
        remedy = "Write the circuit at numbers: call the function first."
        raise ValueError(message(function, argument, fn, need, got, remedy))


def _check_affine(
    function: str,
    argument: str,
    zero: Circuit,
    slopes: Sequence[Tensor],
    there: Circuit,
    point: Tensor,
) -> None:
    """Check that a circuit at a point is what values and slopes at 0 say."""
    remaining = iter(slopes)
    for (op, own), (_, other) in zip(_tensors(zero), _tensors(there), strict=True):
        if is_hidden(own) or is_hidden(other):
            raise _hidden(function, argument, op.gate)
        expected, size = own, own.abs()
        if not op.gate.param_shape:
            slope = next(remaining)
            expected, size = own + (slope * point).sum(-1), size + slope.abs().sum(-1)
        bound = _ROUNDING * torch.finfo(own.dtype).eps * (1 + size)
        if not ((other - expected).detach().abs() <= bound).all():
            raise _not_affine(function, argument, op.gate)


def _tensors(circuit: Circuit) -> list[tuple[Op, Tensor]]:
    """The parameters that are tensors, each with its op."""
    return [(op, param) for op in circuit.ops for param in op.leaves]


def _hidden(function: str, argument: str, fn: Any) -> TypeError:
    remedy = "Write it outside of `torch.func` transforms."
    need, got = "have angles that can be read", "hidden ones"
    return TypeError(message(function, argument, fn, need, got, remedy))


def _not_affine(function: str, argument: str, gate: Gate) -> ValueError:
    remedy = "Make such angles arguments of their own, or call the function at numbers first."
    need, got = "have angles that are affine in the inputs", f"another one of `{gate.name}`"
    return ValueError(message(function, argument, gate, need, got, remedy))


def _written(function: str, argument: str, op: Op, slopes: Iterator[Tensor]) -> Op:
    """An op with `Affine`s for the entries of its tensors; constant matrices stay tensors."""
    params: list[Any] = []
    for param in op.params:
        if type(param) is float:
            params.append(param)
            continue
        if op.gate.param_shape:
            params.append(param.detach())
            continue
        slope = next(slopes)
        if is_hidden(slope):
            raise _hidden(function, argument, op.gate)
        rows = zip(slope.detach().tolist(), param.detach().tolist(), strict=True)
        params.append(tuple(_affine(factors, constant) for factors, constant in rows))
    return Op(op.gate, op.wires, tuple(params))


def _affine(factors: Sequence[float], constant: float) -> Affine | float:
    terms = tuple((place, factor) for place, factor in enumerate(factors) if factor)
    return Affine(terms, constant) if terms else constant
