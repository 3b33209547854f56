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

_PLACES = (0.7548776662466927, 0.5698402909980532)
"""Steps between the entries of the points at which a function is tried: none is special."""
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


def symbolic(function: str, fn: Callable[..., Any], inputs: Any) -> Symbolic:
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
        return _circuit(function, fn, fn(*own))

    def leaves(flat: Tensor) -> list[Tensor]:
        return at(flat).leaves

    zero = torch.zeros(size, dtype=like.dtype)
    found = at(zero)
    slopes = jacfwd(leaves)(zero) if size else [leaf[..., None][..., :0] for leaf in found.leaves]
    for start in _PLACES:
        point = torch.tensor([start + i * p for i, p in zip(range(size), _cycle(), strict=False)])
        point = point.to(zero) % 2 - 1
        _check_affine(function, fn, found, slopes, at(point), point)
    remaining = iter(slopes)
    ops = tuple(_written(function, op, remaining) for op in found.ops)
    return Symbolic(Circuit(found.n_qubits, ops), layout)


def _cycle() -> Iterator[float]:
    while True:
        yield from _PLACES


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
            raise TypeError(message(function, "inputs", name, need, got, remedy))
    return dict(inputs)


def _circuit(function: str, fn: Any, found: Any) -> Circuit:
    if not isinstance(found, Circuit):
        need, remedy = "return a circuit", "Measure what it returns elsewhere."
        raise TypeError(message(function, "circuit", fn, need, a_kind(found), remedy))
    return found


def _check_affine(
    function: str, fn: Any, zero: Circuit, slopes: Sequence[Tensor], there: Circuit, point: Tensor
) -> None:
    """Check that a circuit at a point is what values and slopes at 0 say."""
    if there.structure != zero.structure:
        need, got = "have the same gates for all inputs", "others"
        remedy = "Write the circuit at numbers: call the function first."
        raise ValueError(message(function, "circuit", fn, need, got, remedy))
    remaining, leaves = iter(slopes), iter(zip(zero.leaves, there.leaves, strict=True))
    for op in zero.ops:
        for _ in op.leaves:
            (own, other), slope = next(leaves), next(remaining)
            expected = own + (slope * point).sum(-1)
            deviation = (other - expected).detach().abs()
            bound = _ROUNDING * torch.finfo(own.dtype).eps * (1 + slope.abs().sum(-1))
            if is_hidden(deviation):
                raise _hidden(function, fn)
            if not (deviation <= bound + bound * own.abs()).all():
                raise _not_affine(function, op.gate)


def _hidden(function: str, fn: Any) -> TypeError:
    remedy = "Write it outside of `torch.func` transforms."
    need, got = "have angles that can be read", "hidden ones"
    return TypeError(message(function, "circuit", fn, need, got, remedy))


def _not_affine(function: str, gate: Gate) -> ValueError:
    remedy = "Make such angles arguments of their own, or call the function at numbers first."
    need, got = "have angles that are affine in the inputs", f"another one of `{gate.name}`"
    return ValueError(message(function, "circuit", gate, need, got, remedy))


def _written(function: str, op: Op, slopes: Iterator[Tensor]) -> Op:
    """An op with `Affine`s for the entries of its tensors; constant matrices stay tensors."""
    params: list[Any] = []
    for param in op.params:
        if type(param) is float:
            params.append(param)
            continue
        slope = next(slopes)
        if is_hidden(param) or is_hidden(slope):
            raise _hidden(function, op.gate)
        if op.gate.param_shape:
            if slope.any():
                raise _not_affine(function, op.gate)
            params.append(param.detach())
            continue
        rows = zip(slope.detach().tolist(), param.detach().tolist(), strict=True)
        params.append(tuple(_affine(factors, constant) for factors, constant in rows))
    return Op(op.gate, op.wires, tuple(params))


def _affine(factors: Sequence[float], constant: float) -> Affine | float:
    terms = tuple((place, factor) for place, factor in enumerate(factors) if factor)
    return Affine(terms, constant) if terms else constant
