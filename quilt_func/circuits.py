"""Circuits: frozen tuples of ops, and their algebra. A circuit maps a state to a state."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from shutil import get_terminal_size
from typing import Any

import torch
from torch import Tensor
from torch.func import vmap

from quilt_func._checks import (
    COMPLEX_OF,
    check_complex_dtype,
    check_count,
    check_device,
    check_is,
    check_wires,
    common_dtype_and_device,
    describe,
    is_index,
    kind_error,
    message,
    qubits,
)
from quilt_func._text_drawing import Labels, draw_text, shown_texts
from quilt_func._torch import register
from quilt_func.derived import controlled
from quilt_func.evolution import evolve_from, evolved
from quilt_func.ops import OP_REMEDY, Op, Structure, check_fits
from quilt_func.typing import Device, Parts

_OR_MORE = ", or a larger `n_qubits`"
_PLAIN = str.maketrans({"─": "-", "│": "|", "┼": "+", "●": "@", "⊕": "X", "×": "x", "†": "'"})


@dataclass(frozen=True, eq=False, repr=False)
class Circuit:
    """Ops on `n_qubits` wires. A pytree: its leaves are the tensors of its ops.

    Make one with `circuit(n_qubits, *parts)`, which checks it. Equal only to itself; compare
    structures with `same_structure`.

    Attributes:
        n_qubits: Number of wires.
        ops: Ops in order of application.

    Examples:
        >>> from quilt_func import cx, h
        >>> bell = circuit(2, h(0), cx(0, 1))
        >>> bell.n_qubits, bell.ops
        (2, (<h on (0,)>, <cx on (0, 1)>))
        >>> (bell + bell.inverse())().real.round(decimals=4)
        tensor([1., 0., 0., 0.])
    """

    n_qubits: int
    ops: tuple[Op, ...]

    def __call__(
        self,
        state: Tensor | None = None,
        *,
        dtype: torch.dtype | None = None,
        device: Device = None,
    ) -> Tensor:
        """Apply the circuit to a state, by default to |0...0⟩.

        Args:
            state (complex, (2**n_qubits,)): Statevector.
            dtype: For the default state, if the circuit has no tensors: complex64 or complex128.
            device: For the default state, if the circuit has no tensors.

        Returns:
            (complex, (2**n_qubits,)): New statevector.

        Raises:
            TypeError: If dtypes or devices differ, or `dtype` comes with a state.
            ValueError: If the state is of the wrong size.

        Transforms:
            vmap, grad, jvp, jacrev, jacfwd, hessian, in the state and in the circuit's leaves.

        Examples:
            >>> from quilt_func import h, cx
            >>> circuit(2, h(0), cx(0, 1))().real
            tensor([0.7071, 0.0000, 0.0000, 0.7071])
        """
        if state is None:
            kind = default_kind("circuit", self.leaves, dtype, device)
            return evolved(self.n_qubits, self.ops, None, *kind)
        if dtype is not None or device is not None:
            raise TypeError(
                "circuit(): `dtype` and `device` must describe the default state, but a state was "
                "given. Leave them out, or convert the state with `.to(...)`."
            )
        return evolve_from("circuit", self.n_qubits, self.ops, state)

    @property
    def leaves(self) -> list[Tensor]:
        """The tensors of all ops, in order."""
        return [leaf for op in self.ops for leaf in op.leaves]

    @property
    def n_gates(self) -> int:
        """Number of gates: each wire set counts."""
        return sum(map(len, self.ops))

    @property
    def depth(self) -> int:
        """Number of moments: gates on other wires share one, gates on the same wire do not.

        Examples:
            >>> from quilt_func import cx, h
            >>> circuit(3, h(range(3)), cx(0, 1), cx(1, 2)).depth
            3
        """
        free: dict[Any, int] = {}
        for op in self.ops:
            keys = [key for key in (op.gate.writes, *op.gate.reads) if key]
            for wire_set in op.wires:
                moment = 1 + max(free.get(place, 0) for place in (*wire_set, *keys))
                free |= dict.fromkeys((*wire_set, *keys), moment)
        return max(free.values(), default=0)

    @property
    def gate_counts(self) -> dict[str, int]:
        """Number of gates by name, in order of appearance; each wire set counts.

        Examples:
            >>> from quilt_func import cx, h
            >>> circuit(3, h(range(3)), cx([(0, 1), (1, 2)])).gate_counts
            {'h': 3, 'cx': 2}
        """
        found: dict[str, int] = {}
        for op in filter(len, self.ops):
            found[op.gate.name] = found.get(op.gate.name, 0) + len(op)
        return found

    @cached_property
    def structure(self) -> tuple[int, tuple[Structure, ...]]:
        """The static part: number of qubits, and each op's gate, wires and kinds of parameters."""
        return self.n_qubits, tuple(op.structure for op in self.ops)

    def inverse(self) -> "Circuit":
        """The circuit that undoes this one.

        Raises:
            ValueError: If a gate is not known to be unitary.

        Transforms:
            vmap, grad, jvp, hessian.

        Examples:
            >>> from quilt_func import h, s
            >>> c = circuit(1, h(0), s(0))
            >>> (c + c.inverse())().real.round()
            tensor([1., 0.])
        """
        return Circuit(self.n_qubits, tuple(op.inverse() for op in reversed(self.ops)))

    def map_wires(
        self, wires: Mapping[int, int] | Callable[[int], int], n_qubits: int | None = None
    ) -> "Circuit":
        """The same circuit on other wires.

        Args:
            wires: New wire of each wire; wires that a mapping lacks stay.
            n_qubits: Number of qubits of the result; default: as before.

        Raises:
            TypeError: If `wires` is neither a mapping nor a function, or a new wire not an int.
            ValueError: If two wires would become one, or a wire is out of range.

        Transforms:
            vmap, grad, jvp, hessian.

        Examples:
            >>> from quilt_func import cx
            >>> circuit(2, cx(0, 1)).map_wires({0: 1, 1: 0}).ops
            (<cx on (1, 0)>,)
        """
        n = self.n_qubits if n_qubits is None else check_count("map_wires", "n_qubits", n_qubits)
        need, remedy = "be a mapping or a function", "Give new wires by old ones: `{0: 1, 1: 0}`."
        check_is("map_wires", "wires", wires, (Mapping, Callable), need, remedy)
        get = wires if callable(wires) else lambda wire: wires.get(wire, wire)
        new = check_wires("map_wires", [get(wire) for wire in self.wires], n, or_else=_OR_MORE)
        table = dict(zip(self.wires, new, strict=True))
        return Circuit(n, tuple(op.map_wires(table.__getitem__) for op in self.ops))

    def on(self, *wires: Any, n_qubits: int | None = None) -> "Circuit":
        """The same circuit on chosen wires: its wire `i` becomes `wires[i]`.

        Args:
            *wires: One int for each qubit, or one iterable of them.
            n_qubits: Number of qubits of the result; default: just enough for the wires.

        Returns:
            The circuit, which `circuit(n, ...)` takes as a part.

        Raises:
            TypeError: If a wire is not an int.
            ValueError: If there are not as many wires as qubits, or a wire repeats or is out of
                range.

        Transforms:
            vmap, grad, jvp, hessian.

        Examples:
            >>> from quilt_func import cx, h
            >>> bell = circuit(2, h(0), cx(0, 1))
            >>> circuit(6, bell.on(4, 5), bell.on(2, 0)).ops[1::2]
            (<cx on (4, 5)>, <cx on (2, 0)>)
        """
        given = wires[0] if len(wires) == 1 and not is_index(wires[0]) else wires
        listed = tuple(given) if isinstance(given, Iterable) else given
        enough = _enough_for(listed)
        n = enough if n_qubits is None else check_count("on", "n_qubits", n_qubits)
        places = check_wires("on", listed, n, or_else="" if n_qubits is None else _OR_MORE)
        if len(places) != self.n_qubits:
            need, got = f"be {self.n_qubits} wire(s), one for each qubit", f"{len(places)}"
            remedy = "Give the new wire of wire 0, of wire 1, and so on."
            raise ValueError(message("on", "wires", places, need, got, remedy))
        return Circuit(n, tuple(op.map_wires(places.__getitem__) for op in self.ops))

    @property
    def wires(self) -> tuple[int, ...]:
        """The wires that some gate acts on, ascending."""
        return tuple(sorted({w for op in self.ops for wire_set in op.wires for w in wire_set}))

    def controlled(self, *controls: int) -> "Circuit":
        """The circuit where the control wires, idle so far, are all 1.

        Raises:
            TypeError: If a control is not an int.
            ValueError: If a control is in use, repeated or out of range.

        Transforms:
            vmap, grad, jvp, hessian.

        Examples:
            >>> from quilt_func import x
            >>> circuit(2, x(1)).controlled(0).ops
            (<cx on (0, 1)>,)
        """
        checked = check_wires("controlled", controls, self.n_qubits, "controls")
        busy = set(checked) & set(self.wires)
        if busy:
            need, got = "be idle wires", f"{sorted(busy)} in use"
            remedy = "Move the circuit with `map_wires` first."
            raise ValueError(message("controlled", "controls", controls, need, got, remedy))
        ops = (
            Op(controlled(op.gate, len(checked)), tuple(checked + ws for ws in op.wires), op.params)
            for op in self.ops
        )
        return Circuit(self.n_qubits, tuple(ops))

    def repeat(self, times: int) -> "Circuit":
        """The circuit `times` times in a row; angles are shared.

        Raises:
            ValueError: If `times` is negative.

        Transforms:
            vmap, grad, jvp, hessian.

        Examples:
            >>> from quilt_func import x
            >>> len(circuit(1, x(0)).repeat(3))
            3
        """
        return Circuit(self.n_qubits, self.ops * check_count("repeat", "times", times))

    def unitary(self, *, dtype: torch.dtype | None = None, device: Device = None) -> Tensor:
        """The circuit's matrix, for small circuits: it has `4**n_qubits` entries.

        Args:
            dtype: As in a call.
            device: As in a call.

        Returns:
            (complex, (2**n_qubits, 2**n_qubits)): Matrix; column `i` is the image of basis state i.

        Raises:
            TypeError: If dtypes or devices differ.

        Transforms:
            vmap, grad (of real functions of it), jvp.

        Examples:
            >>> from quilt_func import x
            >>> circuit(1, x(0)).unitary().real
            tensor([[0., 1.],
                    [1., 0.]])
        """
        dtype, device = default_kind("unitary", self.leaves, dtype, device)
        basis = torch.eye(2**self.n_qubits, dtype=dtype, device=device)
        matrix: Tensor = vmap(self, out_dims=1)(basis)
        return matrix

    def __add__(self, other: "Circuit") -> "Circuit":
        """This circuit, then the other."""
        if isinstance(other, Op):
            raise TypeError(
                f"circuit + Op: both must be circuits, but got {other!r}. Write "
                f"`circuit({self.n_qubits}, a, b)`, which joins circuits and ops."
            )
        if not isinstance(other, Circuit):
            return NotImplemented
        if other.n_qubits != self.n_qubits:
            raise ValueError(
                f"circuit + circuit: both must have as many qubits, but got {self.n_qubits} and "
                f"{other.n_qubits}. Widen one with `map_wires({{}}, n_qubits=...)`."
            )
        return circuit(self.n_qubits, self, other)

    def __len__(self) -> int:
        """Number of ops."""
        return len(self.ops)

    def __repr__(self) -> str:
        try:
            return f"Circuit({self.n_qubits} qubits, {self.n_gates} gates)\n{self.draw()}"
        except Exception:  # a transform may have put anything into the leaves
            return f"Circuit({self.n_qubits} qubits, {len(self.ops)} ops)"

    def _repr_html_(self) -> str:
        """The drawing, as notebooks show it; lines are as long as they need to be."""
        counts = ", ".join(f"{count} {name}" for name, count in self.gate_counts.items())
        title = f"{qubits(self.n_qubits)}, depth {self.depth}: {counts or 'no gates'}"
        style = "line-height: 1.15; overflow-x: auto; white-space: pre"
        return f'<div>{escape(title)}<pre style="{style}">{escape(self.draw(10**6))}</pre></div>'

    def draw(
        self,
        width: int | None = None,
        *,
        ascii: bool = False,  # noqa: A002
        values: bool = True,
        labels: Labels | None = None,
    ) -> str:
        """Draw the circuit as text; `quilt_func.draw.draw_mpl` makes a figure.

        Args:
            width: Characters to a line; default: the terminal's, or 100 where there is none.
            ascii: Whether to draw in plain characters: `@` controls and `X` targets.
            values: Whether to show what parameters are; without them gates show their names alone.
            labels: Texts in place of values: one for each angle of each op that has angles, op by
                op. A text is for all wire sets of its op, and `{}` in it is their number, from 0;
                a list has a text for each.

        Returns:
            The drawing.

        Raises:
            TypeError: If a label is neither a text nor a list of texts.
            ValueError: If there are not as many labels as angles, or as wire sets in a list.

        Examples:
            >>> from quilt_func import rx, ry
            >>> two = circuit(2, ry(0.5, range(2)), rx(0.1, 0))
            >>> print(two.draw(labels=["x{}", "θ"]))
            q0: ─RY(x0)──RX(θ)─
            <BLANKLINE>
            q1: ─RY(x1)────────
            >>> print(two.draw(values=False))
            q0: ─RY──RX─
            <BLANKLINE>
            q1: ─RY─────

            >>> from quilt_func import h, cx
            >>> print(circuit(2, h(0), cx(0, 1)).draw())
            q0: ─H──●─
                    │
            q1: ────⊕─
            >>> print(circuit(2, h(0), cx(0, 1)).draw(ascii=True))
            q0: -H--@-
                    |
            q1: ----X-
        """
        columns = get_terminal_size((100, 24)).columns if width is None else width
        texts = shown_texts("draw", self.ops, values, labels)
        text = draw_text(self.n_qubits, self.ops, columns, texts)
        return text.translate(_PLAIN).encode("ascii", "replace").decode() if ascii else text


register(
    Circuit,
    lambda c: (list(c.ops), c.n_qubits),
    lambda ops, n_qubits: Circuit(n_qubits, tuple(ops)),
    "quilt_func.circuits.Circuit",
)


def _enough_for(wires: Any) -> int:
    """The number of qubits that wires need, before they are checked."""
    known = filter(is_index, wires) if isinstance(wires, tuple) else ()
    return 1 + max(known, default=len(wires) - 1 if isinstance(wires, tuple) else 0)


def circuit(n_qubits: int, *parts: Parts) -> Circuit:
    """Make a circuit of ops, circuits and nested iterables of them.

    Args:
        n_qubits: Number of qubits.
        *parts: Ops, circuits of at most `n_qubits` qubits, and iterables of parts.

    Returns:
        The circuit; parts act in the order given.

    Raises:
        TypeError: If a part is of another kind, or dtypes or devices differ.
        ValueError: If a wire is out of range.

    Transforms:
        vmap, grad, jvp, hessian: call it inside your model.

    Examples:
        >>> from quilt_func import h, cx
        >>> circuit(3, h(0), [cx(0, w) for w in (1, 2)]).n_gates
        3
    """
    if isinstance(n_qubits, (Iterable, Circuit, Op)) and not isinstance(n_qubits, (str, Tensor)):
        remedy = "The number of qubits comes first: `circuit(2, h(0), cx(0, 1))`."
        raise kind_error("circuit", "n_qubits", n_qubits, "be an int", remedy)
    check_count("circuit", "n_qubits", n_qubits)
    ops = tuple(_flattened(n_qubits, parts))
    common_dtype_and_device("circuit", (leaf for op in ops for leaf in op.leaves))
    return Circuit(n_qubits, ops)


def _flattened(n_qubits: int, parts: Iterable[Parts]) -> Iterator[Op]:
    for part in parts:
        if isinstance(part, Op):
            check_fits("circuit", "parts", part, n_qubits)
            yield part
        elif isinstance(part, Circuit):
            yield from _flattened(n_qubits, part.ops)
        elif isinstance(part, Iterable) and not isinstance(part, (str, Tensor, Mapping)):
            yield from _flattened(n_qubits, part)
        else:
            need, remedy = "be ops, circuits or iterables of them", OP_REMEDY
            raise TypeError(message("circuit", "parts", part, need, describe(part), remedy))


def same_structure(a: Circuit, b: Circuit) -> bool:
    """Tell whether two circuits differ at most in the values of their parameters.

    Args:
        a: Circuit.
        b: Circuit.

    Returns:
        Whether gates, wires, order and kinds of parameters (tensor or number) are equal.

    Raises:
        TypeError: If an argument is not a circuit.

    Transforms:
        None: it reads structure only.

    Examples:
        >>> from quilt_func import rx
        >>> same_structure(circuit(1, rx(0.1, 0)), circuit(1, rx(0.2, 0)))
        True
    """
    check_circuit("same_structure", "a", a)
    check_circuit("same_structure", "b", b)
    return a.structure == b.structure


def default_kind(
    function: str, leaves: list[Tensor], dtype: torch.dtype | None, device: Device
) -> tuple[torch.dtype, torch.device]:
    """Dtype and device of a circuit's default state."""
    if dtype is not None:
        check_complex_dtype(function, dtype)
    found = common_dtype_and_device(function, leaves)
    if found is not None:
        own_dtype = COMPLEX_OF[found[0]]
        if dtype not in (None, own_dtype):
            raise TypeError(
                f"{function}(dtype={dtype}): `dtype` must agree with the circuit's angles, but "
                f"they need {own_dtype}. Convert the angles with `.to(...)`."
            )
        if device is not None:
            check_device(function, torch.empty(0, device=device), leaves[0])
        dtype, device = own_dtype, found[1]
    return dtype or torch.complex64, torch.device(device or "cpu")


def check_circuit(function: str, argument: str, given: object) -> None:
    """Check that a value is a circuit."""
    check_is(function, argument, given, Circuit, "be a circuit", "Make one with `circuit`.")
