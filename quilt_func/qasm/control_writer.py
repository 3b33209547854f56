"""Instruments to OpenQASM text: registers for keys, measurements, and an `if` for each outcome."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import NamedTuple

from quilt_func.circuits import Circuit
from quilt_func.instruments import Conditional, Instrument, Lookup, Measurement, innermost, truth
from quilt_func.ops import Gate, Op
from quilt_func.qasm.arithmetic import CONSTANTS, FUNCTIONS

_OF_A_BIT = re.compile(r"([^\W\d]\w*)\[(0|[1-9]\d{0,2})\]")
"""A key that `from_qasm` makes of a register's bit."""
# fmt: off
_KEYWORDS = frozenset({
    "OPENQASM", "include", "defcalgrammar", "def", "cal", "defcal", "gate", "extern", "box", "let",
    "break", "continue", "if", "else", "end", "return", "for", "while", "in", "switch", "case",
    "default", "nop", "pragma", "input", "output", "const", "readonly", "mutable", "qreg", "qubit",
    "creg", "bool", "bit", "int", "uint", "float", "angle", "complex", "array", "void", "duration",
    "stretch", "gphase", "inv", "pow", "ctrl", "negctrl", "dim", "durationof", "delay", "reset",
    "measure", "barrier", "true", "false", "opaque", "im", "real", "imag", "sizeof", "popcount",
    "rotl", "rotr", "q",
})
# fmt: on
"""Words of either version, and the name of the qubits."""
Write = Callable[[Op], list[str]]
"""A writer of gates: one statement for each wire set."""


class Place(NamedTuple):
    """Where a key's bits are: a register, and the first of them there."""

    register: str
    first: int


@dataclass
class Registers:
    """Classical registers for the keys of a circuit.

    A key that is measured on another number of wires later has another register then.

    Attributes:
        version: Of the text.
        sizes: Bits of each register; 0 for a single bit of version 3.
        places: Where a key is kept that holds so many bits.
        widths: How many bits each key holds now.
        written: The bits of each register that are measured so far.
    """

    version: int
    sizes: dict[str, int]
    places: dict[tuple[str, int], Place]
    widths: dict[str, int] = field(default_factory=dict)
    written: dict[str, set[int]] = field(default_factory=dict)

    def declarations(self) -> list[str]:
        if self.version == 2:
            return [f"creg {name}[{size or 1}];" for name, size in self.sizes.items()]
        return [f"bit{f'[{size}]' if size else ''} {name};" for name, size in self.sizes.items()]

    def statements(self, op: Op, write: Write) -> list[str]:
        """An instrument; those of a gate that it holds are written by `write`."""
        gate = op.gate
        assert isinstance(gate, Instrument)
        if isinstance(gate, Measurement):
            return [line for wires in op.wires for line in self.measured(gate.writes, wires)]
        if not isinstance(gate, Conditional | Lookup):
            return [f"reset q[{wire}];" for (wire,) in op.wires]
        assert gate.base is not None
        keys = gate.keys if isinstance(gate, Conditional) else gate.reads
        n_bits = sum(self.widths[key] for key in keys)
        if isinstance(gate, Conditional):
            held = Op(gate.base, op.wires, op.params)
            is_gate = not isinstance(gate.base, Instrument)
            lines = write(held) if is_gate else self.statements(held, write)
            table = truth(gate.condition, n_bits).tolist()
            if all(table):
                return lines
            return [text for outcome, holds in enumerate(table) if holds
                    for text in self.under(outcome, n_bits, keys, lines)]  # fmt: skip
        found = []
        for outcome in range(2**n_bits):
            params = tuple(param[:, outcome] for param in op.params)
            lines = write(Op(gate.base, op.wires, params))
            found += self.under(outcome, n_bits, keys, lines)
        return found

    def measured(self, key: str, wires: Sequence[int]) -> Iterator[str]:
        self.widths[key] = len(wires)
        register, first = self.places[key, len(wires)]
        for i, wire in enumerate(wires, first):
            self.written.setdefault(register, set()).add(i)
            bit = f"{register}[{i}]" if self.sizes[register] else register
            old = f"measure q[{wire}] -> {register}[{i}];"
            yield old if self.version == 2 else f"{bit} = measure q[{wire}];"

    def under(
        self, outcome: int, n_bits: int, keys: Sequence[str], lines: Sequence[str]
    ) -> list[str]:
        """Statements under the condition that keys hold an outcome."""
        bits = iter([outcome >> i & 1 for i in reversed(range(n_bits))])
        read: dict[str, dict[int, int]] = {}
        for key in keys:
            register, first = self.places[key, self.widths[key]]
            own = read.setdefault(register, {})
            for i in range(first, first + self.widths[key]):
                bit = next(bits)
                if own.setdefault(i, bit) != bit:  # a key that is read twice
                    return []
        if self.version == 2:
            ((register, own),) = read.items()
            return [f"if({register}=={value}) {line}" for value in self.values(register, own)
                    for line in lines]  # fmt: skip
        return [_nested(self.conditions(read), lines)]

    def values(self, register: str, own: Mapping[int, int]) -> list[int]:
        """All values of a register whose bits are some; what is not measured yet is 0."""
        others = sorted(self.written[register] - {*own})
        known = sum(bit << i for i, bit in own.items())
        return [known + sum(bit << i for i, bit in zip(others, bits, strict=True))
                for bits in product((0, 1), repeat=len(others))]  # fmt: skip

    def conditions(self, read: Mapping[str, Mapping[int, int]]) -> Iterator[str]:
        for register, own in read.items():
            size = self.sizes[register]
            if not size:
                yield register if own[0] else f"!{register}"
            elif len(own) == size:
                yield f"{register} == {sum(bit << i for i, bit in own.items())}"
            else:
                yield from (f"{'' if bit else '!'}{register}[{i}]" for i, bit in own.items())

    def n_read(self, gate: Instrument) -> int:
        """How many registers a condition reads."""
        return len({self.places[key, self.widths[key]].register for key in gate.reads})


def gate_of(op: Op) -> Gate:
    """The gate of an op; that which is held, of an op that depends on outcomes."""
    gate = innermost(op.gate)
    return gate.base if isinstance(gate, Lookup) and gate.base is not None else gate


def _nested(conditions: Iterable[str], lines: Sequence[str]) -> str:
    *outer, last = conditions
    body = lines[0] if len(lines) == 1 else f"{{ {' '.join(lines)} }}"
    text = f"if ({last}) {body}"
    for condition in reversed(outer):
        text = f"if ({condition}) {{ {text} }}"
    return text


def registers_of(circuit: Circuit, version: int, taken: Iterable[str]) -> Registers:
    """Registers for all keys of a circuit, whose names are none of those that are taken."""
    widths: dict[str, list[int]] = {}
    for op in circuit.ops:
        if isinstance(op.gate, Measurement):
            own = widths.setdefault(op.gate.writes, [])
            own[:] = [one for one in own if one != op.gate.n_wires] + [op.gate.n_wires]
    found = Registers(version, {}, {})
    names = _Names({*taken, *_KEYWORDS, *CONSTANTS, *FUNCTIONS, "asin", "acos", "atan"}, version)
    grouped = _grouped(widths)
    for key, own in widths.items():
        if key in grouped:
            stem, place = grouped[key]
            name = names.of(stem)
            found.places[key, 1] = Place(name, place)
            found.sizes[name] = max(found.sizes.get(name, 0), place + 1)
            continue
        for width in reversed(own):  # the last one has the plain name
            name = names.new(key if width == own[-1] else f"{key}_{width}")
            found.places[key, width] = Place(name, 0)
            found.sizes[name] = 0 if width == 1 and version == 3 else width
    return found


def _grouped(widths: Mapping[str, Sequence[int]]) -> dict[str, tuple[str, int]]:
    """Keys that are a bit of a register, such as `c[1]`: its name, and which."""
    found: dict[str, tuple[str, int]] = {}
    for key, own in widths.items():
        match = _OF_A_BIT.fullmatch(key)
        if match and own == [1] and match[1] not in widths:
            found[key] = match[1], int(match[2])
    return found


class _Names:
    """Names that OpenQASM allows, and nothing else has."""

    def __init__(self, taken: set[str], version: int) -> None:
        self.taken, self.version = taken, version
        self.given: dict[str, str] = {}

    def of(self, stem: str) -> str:
        """The name of a register, which is one for all its bits."""
        if stem not in self.given:
            self.given[stem] = self.new(stem)
        return self.given[stem]

    def new(self, wanted: str) -> str:
        name = re.sub(r"[^A-Za-z0-9_]", "_", wanted)
        begins = "[a-z]" if self.version == 2 else "[A-Za-z_]"
        name = name if re.match(begins, name) else f"c{name}"
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name
