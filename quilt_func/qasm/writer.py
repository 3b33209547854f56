"""Circuits to OpenQASM text: each gate by its row's name, with a definition where it needs one."""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from quilt_func._affine_angles import Affine, Input
from quilt_func._checks import describe, message
from quilt_func.circuits import Circuit
from quilt_func.derived import controlled, inverse, power
from quilt_func.gates import GATES, sxdg, u, word_gate
from quilt_func.instruments import Conditional, Instrument, Lookup, Postselection
from quilt_func.noise import Channel
from quilt_func.ops import Gate, Op, numbers
from quilt_func.qasm.control_writer import Registers, gate_of, registers_of
from quilt_func.qasm.definitions import names_in_files

_ALSO_IN_2 = {
    "p": "gate p(lam) a { u1(lam) a; }",
    "sx": "gate sx a { sdg a; h a; sdg a; }",
    "swap": "gate swap a, b { cx a, b; cx b, a; cx a, b; }",
    "cp": "gate cp(lam) a, b { cu1(lam) a, b; }",
    "crx": "gate crx(theta) a, b { h b; crz(theta) a, b; h b; }",
    "cry": "gate cry(theta) a, b { ry(theta/2) b; cx a, b; ry(-theta/2) b; cx a, b; }",
    "cswap": "gate cswap a, b, c { cx c, b; ccx a, b, c; cx c, b; }",
}
"""What version 3 includes and the first qelib1.inc lacks (Cross et al., 2017); later ones vary."""
_EXACT = frozenset(row for row in GATES if row not in (u, sxdg))
"""Rows whose text has their very phase, in version 3: only those may be controlled."""


class _Term(NamedTuple):
    """A gate as it is written: its name, angles, modifiers, and the definition that it needs."""

    name: str
    angles: tuple[float | Affine, ...]
    definition: str = ""
    modifiers: str = ""

    def text(self, inputs: Sequence[str]) -> str:
        """The gate without its wires; inputs by their names."""
        angles = [a.text(inputs, number) if isinstance(a, Affine) else number(a)
                  for a in self.angles]  # fmt: skip
        values = f"({', '.join(angles)})" if angles else ""
        return f"{self.modifiers}{self.name}{values}"


def program_text(circuit: Circuit, version: int, inputs: Iterable[Input] = ()) -> str:
    """The whole program; angles may be sums of inputs, which are declared."""
    names = [name for one in inputs for name in one.names()]
    definitions: dict[str, str] = {}
    taken = {name for op in circuit.ops for name in _names_of(gate_of(op))}
    registers = registers_of(circuit, version, taken | names_in_files())

    def written(op: Op) -> list[str]:
        return _gate_lines(op, version, definitions, names)

    lines: list[str] = []
    for op in circuit.ops:
        if isinstance(op.gate, Instrument):
            _check_instrument(op.gate, registers)
            lines += registers.statements(op, written)
        else:
            lines += written(op)
    include = 'include "qelib1.inc";' if version == 2 else 'include "stdgates.inc";'
    n = circuit.n_qubits
    register = [f"qreg q[{n}];" if version == 2 else f"qubit[{n}] q;"] if n else []
    declared = [f"input float[64] {name};" for name in names]
    head = [f"OPENQASM {version}.0;", include, *filter(None, definitions.values()), *declared]
    head += register
    return "\n".join([*head, *registers.declarations(), *lines, ""])


def _gate_lines(
    op: Op, version: int, definitions: dict[str, str], names: Sequence[str]
) -> list[str]:
    """A statement for each wire set of a gate; its definition is added to those there are."""
    lines = []
    for angles, wires in zip(_angles(op), op.wires, strict=True):
        term = _term(op.gate, angles, version)
        if definitions.setdefault(term.name, term.definition) != term.definition:
            raise _error(op.gate, "two gates of one name", "Rename one in its `qasm`.")
        lines.append(f"{term.text(names)} {', '.join(f'q[{wire}]' for wire in wires)};")
    return lines


def _names_of(gate: Gate) -> Iterator[str]:
    """What a gate, and those that it is made of, are called in a text."""
    if gate.qasm is not None:
        yield gate.qasm.name
    elif word := gate.made_by(word_gate):
        yield _word_name(word[0])
    elif _maker(gate)[0] is not None:
        yield from _names_of(_maker(gate)[1][0])


def _holds_condition(gate: Conditional) -> bool:
    return isinstance(gate.base, Conditional | Lookup)


def _check_instrument(gate: Instrument, registers: Registers) -> None:
    """Refuse what OpenQASM has no words for."""
    if isinstance(gate, Postselection):
        remedy = "OpenQASM can't choose outcomes. `measure`, and select among the outcomes."
        raise _error(gate, f"the instrument {gate.name}", remedy)
    if registers.version == 2 and isinstance(gate, Conditional) and _holds_condition(gate):
        raise _error(gate, "a condition on a condition", "Write version 3.")
    if registers.version == 2 and gate.reads and registers.n_read(gate) > 1:
        got = f"{gate.name}, which reads {registers.n_read(gate)} registers"
        raise _error(gate, got, "Version 2 compares one register. Write version 3.")


def number(value: float) -> str:
    """A float in full, as both versions read it: version 2 wants a point before an exponent."""
    text = repr(float(value))
    mantissa, mark, exponent = text.partition("e")
    return text if "." in mantissa or not mark else f"{mantissa}.0e{exponent}"


def _angles(op: Op) -> Iterator[tuple[Any, ...]]:
    """The angles of each wire set."""
    if isinstance(op.gate, Channel):
        remedy = "OpenQASM has no channels. Write the circuit without: `circuit(n, [op for op in "
        remedy += "noisy.ops if not isinstance(op.gate, noise.Channel)])`. `to_json` keeps them."
        raise _error(op.gate, f"the channel `{op.gate.name}`", remedy)
    if op.gate.param_shape:
        remedy = "OpenQASM has no matrices. Write it as gates."
        raise _error(op.gate, f"`{op.gate.name}`", remedy)
    columns = [_column(op.gate, param, len(op)) for param in op.params]
    return iter(zip(*columns, strict=True)) if columns else iter([()] * len(op))


def _column(gate: Gate, param: Any, m: int) -> list[Any]:
    found = list(param) if isinstance(param, tuple) else numbers(param, m)
    if found is None:
        need, got = "hold numbers", describe(param)
        remedy = "Write the text outside of `torch.func` transforms."
        raise TypeError(message("to_qasm", "circuit", gate, need, got, remedy))
    if not all(map(math.isfinite, (_constant(angle) for angle in found))):
        raise _error(gate, "an angle that is not finite", "Give finite angles.")
    return found


def _constant(angle: float | Affine) -> float:
    """A number, or the constant of a sum of inputs."""
    return angle.constant if isinstance(angle, Affine) else angle


def _error(gate: Gate, got: str, remedy: str) -> ValueError:
    requirement = "hold gates that OpenQASM can say"
    return ValueError(message("to_qasm", "circuit", gate, requirement, got, remedy))


def _term(gate: Gate, angles: tuple[Any, ...], version: int) -> _Term:
    """How a gate is written: by its row, by its word, or by what it is made of."""
    if gate is u:
        return _Term("u3" if version == 2 else "U", angles)
    if gate.qasm is not None:
        return _Term(gate.qasm.name, angles, _definition(gate, version))
    if word := gate.made_by(word_gate):
        return _word(word[0], angles, version)
    maker, made_of = _maker(gate)
    if maker is controlled and made_of[0] is u and version == 2:
        return _Term("cu3", angles)
    if maker is power and _scales_angle(made_of[0]):
        return _term(made_of[0], (made_of[1] * angles[0],), version)
    if maker is inverse and made_of[0].inverse is not None:
        found, turned = made_of[0].inverse(*angles)
        if found is not gate:
            return _term(found, turned, version)
    if version == 3 and maker is not None:
        return _modified(gate, maker, made_of, angles)
    remedy = "Give the gate `qasm=Qasm(name, definition)`"
    remedy += ", or write version 3." if maker is not None else "."
    raise _error(gate, f"`{gate.name}`, which has no definition in version {version}", remedy)


def _definition(gate: Gate, version: int) -> str:
    assert gate.qasm is not None
    if version == 2 and gate.qasm.name in _ALSO_IN_2 and not gate.qasm.definition:
        return _ALSO_IN_2[gate.qasm.name]
    return gate.qasm.definition


def _modified(gate: Gate, maker: Any, made_of: tuple[Any, ...], angles: Any) -> _Term:
    """Version 3's modifiers; phases matter below a control or a root, so they must be exact."""
    base = made_of[0]
    if maker is controlled and base is u:
        return _Term("cu", (*angles, 0.0))
    if maker is controlled and base is sxdg:
        return _Term("sx", (), modifiers="ctrl @ inv @ ")
    is_whole = maker is power and float(made_of[1]).is_integer()
    if maker is not inverse and not is_whole and not _is_exact(base):
        got = f"`{gate.name}`, where the phase of `{base.name}` matters"
        remedy = "A definition fixes no phase. Write the gate as others."
        raise _error(gate, got, remedy)
    inner = _term(base, angles, 3)
    modifier = {controlled: "ctrl", inverse: "inv"}.get(maker) or f"pow({number(made_of[1])})"
    return inner._replace(modifiers=f"{modifier} @ {inner.modifiers}")


def _maker(gate: Gate) -> tuple[Any, tuple[Any, ...]]:
    """Which function made a gate of another one, and its arguments."""
    made = gate.origin
    return made if made and made.by in (controlled, inverse, power) else (None, ())


def _scales_angle(gate: Gate) -> bool:
    """Whether a power of the gate scales its angle."""
    return gate.n_params == 1 and (gate.generator is not None or "group" in gate.tags)


def _is_exact(gate: Gate) -> bool:
    """Whether version 3's text has the gate's phase, as that of rows, words and their kin has."""
    if gate in _EXACT or gate.made_by(word_gate):
        return True
    maker, made_of = _maker(gate)
    if maker is controlled and made_of[0] in (u, sxdg):
        return True
    return maker is not None and _is_exact(made_of[0])


def _word(word: str, angles: tuple[Any, ...], version: int) -> _Term:
    """A Pauli rotation: to the Z basis, parity onto the last wire, `rz`, and back."""
    name, wires = _word_name(word), [f"a{i}" for i in range(len(word))]
    acting = [(letter, wire) for letter, wire in zip(word, wires, strict=True) if letter != "I"]
    there = {"X": "h {}; ", "Y": "rx(pi/2) {}; ", "Z": ""}
    back = {**there, "Y": "rx(-pi/2) {}; "}
    chain = [f"cx {a}, {b}; " for (_, a), (_, b) in pairwise(acting)]
    turn = f"rz(theta) {acting[-1][1]}; " if acting else "gphase(-theta/2); "
    body = [there[letter].format(wire) for letter, wire in acting] + chain
    body += [turn] if acting or version == 3 else []
    body += [*reversed(chain), *(back[letter].format(wire) for letter, wire in acting)]
    definition = f"gate {name}(theta) {', '.join(wires)} {{ {''.join(body)}}}"
    return _Term(name, angles, definition)


def _word_name(word: str) -> str:
    return f"pauli_rot_{word.lower()}"
