"""The gates that an OpenQASM text knows: those of the standard files, and its own definitions."""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from torch import Tensor

from quilt_func.gates import GATES
from quilt_func.ops import Gate
from quilt_func.qasm.arithmetic import CONSTANTS, Value
from quilt_func.qasm.expressions import MAX_NESTING
from quilt_func.qasm.lexer import Call, Definition, Expression, Include, QasmError, Step
from quilt_func.qasm.parser import Parser
from quilt_func.qasm.powers import PHASE

# fmt: off
_STANDARD = [
    "x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "rx", "ry", "rz", "p", "cx", "cy", "cz", "ch",
    "cp", "crx", "cry", "crz", "swap", "ccx", "cswap", "id",
]
_OF_FILE = {
    "qelib1.inc": [*_STANDARD, "u", "sxdg", "rxx", "rzz", "u0", "u1", "u2", "u3", "cu1", "cu3",
                   "cu", "csx", "c3x", "c4x", "c3sqrtx", "rccx", "rc3x"],
    "stdgates.inc": [*_STANDARD, "CX", "phase", "cphase", "u1", "u2", "u3", "cu"],
}
# fmt: on
_MORE = """OPENQASM 3.0;
gate U(theta, phi, lam) q { gphase(theta/2); u(theta, phi, lam) q; }
gate CX a, b { cx a, b; }
gate phase(lam) q { p(lam) q; }
gate cphase(lam) a, b { cp(lam) a, b; }
gate u0(gamma) q { id q; }
gate u1(lam) q { p(lam) q; }
gate u2(phi, lam) q { gphase(-(phi + lam)/2); u(pi/2, phi, lam) q; }
gate u3(theta, phi, lam) q { gphase(-(phi + lam)/2); u(theta, phi, lam) q; }
gate cu1(lam) a, b { cp(lam) a, b; }
gate cu3(theta, phi, lam) a, b { ctrl @ u(theta, phi, lam) a, b; }
gate cu(theta, phi, lam, gamma) a, b { p(gamma) a; ctrl @ u(theta, phi, lam) a, b; }
gate csx a, b { ctrl @ sx a, b; }
gate c3x a, b, c, d { ctrl(3) @ x a, b, c, d; }
gate c4x a, b, c, d, e { ctrl(4) @ x a, b, c, d, e; }
gate c3sqrtx a, b, c, d { ctrl(3) @ sx a, b, c, d; }
gate rccx a, b, c { h c; t c; cx b, c; tdg c; cx a, c; t c; cx b, c; tdg c; h c; }
gate rc3x a, b, c, d { h d; t d; cx c, d; tdg d; h d; cx a, d; t d; cx b, d; tdg d; cx a, d; t d;
    cx b, d; tdg d; h d; t d; cx c, d; tdg d; h d; }
"""
"""The standard gates that have no row, in terms of rows. `U` has version 3's phase."""


class Defined(NamedTuple):
    """A gate definition whose calls are looked up, with the position of each of their wires."""

    parameters: tuple[str, ...]
    n_wires: int
    body: tuple[tuple["Known", Call, tuple[int, ...]], ...]
    depth: int

    @property
    def n_params(self) -> int:
        return len(self.parameters)


Known = Gate | Defined
"""What a gate's name stands for."""


class Gates:
    """Names and gates, as far as a text is read.

    Args:
        version: The text's.
        known: What is there at first.
    """

    def __init__(self, version: int, known: Mapping[str, Known]) -> None:
        self.version, self.known = version, dict(known)
        self.own: set[str] = set()
        self.opaque: set[str] = set()

    def include(self, statement: Include) -> None:
        """Add a standard file's gates.

        Raises:
            QasmError: If the text has defined one of them itself.
        """
        names = _OF_FILE[statement.name]
        mine = sorted(self.own.intersection(names))
        if mine:
            remedy = f"Write the include of {statement.name} before the definition."
            raise QasmError(f"a second `{mine[0]}`", statement.place, remedy)
        self.known |= {name: standard()[name] for name in names}

    def add(self, definition: Definition, numbers: Mapping[str, Value]) -> None:
        """Add a definition, which may replace an included gate and use the constants so far.

        Raises:
            QasmError: If it calls what is not defined before it.
        """
        name = definition.name
        self.own.add(name)
        self.known.pop(name, None)
        if definition.body is None:
            self.opaque.add(name)
            return
        found = self.define(definition, numbers)
        row = _written().get(definition.source)
        is_standard = all(_is_standard(g, call) for g, call, _ in found.body)
        self.known[name] = row if row is not None and is_standard else found

    def define(self, definition: Definition, numbers: Mapping[str, Value]) -> Defined:
        """Look the calls of a body up among the gates defined before: so none can call itself."""
        names = definition.wires
        if len({*names}) < len(names) or not names:
            got = f"the gate `{definition.name}` on {len({*names})} different wires"
            raise QasmError(got, definition.place, "Name each wire once, and at least one.")
        at = {name: i for i, name in enumerate(names)}
        body = []
        for call in definition.body or ():
            for operand in call.operands:
                if operand.name not in at or operand.picked is not None:
                    got = f"`{operand.name[:40]}` in the gate `{definition.name}`"
                    remedy = f"Use its own wires: {', '.join(names)}."
                    raise QasmError(got, operand.place, remedy)
            wires = tuple(at[operand.name] for operand in call.operands)
            known = self.look_up(call, definition)
            body.append((known, _closed(call, definition.parameters, numbers), wires))
        depth = 1 + max((g.depth for g, _, _ in body if isinstance(g, Defined)), default=0)
        if depth > MAX_NESTING:
            got = f"gates nested deeper than {MAX_NESTING}"
            raise QasmError(got, definition.place, "Define it by gates of lower levels.")
        return Defined(definition.parameters, len(names), tuple(body), depth)

    def look_up(self, call: Call, inside: Definition | None = None) -> Known:
        """What a call calls.

        Raises:
            QasmError: If that is not known.
        """
        name = call.name
        if name in self.known:
            return self.known[name]
        if inside is not None and name == inside.name:
            got = f"`{name}` in its own definition"
            raise QasmError(got, call.place, "A gate may call gates defined before it.")
        if name in self.opaque:
            remedy = f"Define it instead: `gate {name[:40]} ... {{ ... }}`."
            raise QasmError(f"the opaque gate `{name[:40]}`", call.place, remedy)
        files = sorted(_OF_FILE, reverse=self.version == 3)
        file = next((file for file in files if name in _OF_FILE[file]), None)
        remedy = "Define it before." if file is None else f'Write `include "{file}";` before.'
        raise QasmError(f"the unknown gate `{name[:40]}`", call.place, remedy)


@lru_cache(maxsize=1)
def standard() -> dict[str, Known]:
    """All standard gates, by name."""
    gates = Gates(3, {row.name: row for row in (*GATES, PHASE)})
    for definition in Parser(_MORE, 1).statements():
        gates.known[definition.name] = gates.define(definition, {})
    return gates.known


def names_in_files() -> set[str]:
    """The gates of both standard files."""
    return {name for names in _OF_FILE.values() for name in names}


def built_in(version: int) -> Gates:
    """What a text of a version knows before its first line."""
    return Gates(version, {name: standard()[name] for name in ("U", "CX", "gphase")})


def _closed(call: Call, parameters: tuple[str, ...], numbers: Mapping[str, Value]) -> Call:
    """A call of a body with the values of constants for their names."""

    def closed(steps: Expression) -> Expression:
        return tuple([step if is_free(step) else _constant(step, numbers) for step in steps])

    def is_free(step: Step) -> bool:
        return step.kind != "name" or step.value in parameters or step.value in CONSTANTS

    modifiers = call.modifiers and tuple(
        m if m.argument is None else m._replace(argument=closed(m.argument)) for m in call.modifiers
    )
    return call._replace(arguments=tuple(map(closed, call.arguments)), modifiers=modifiers)


def _constant(step: Step, numbers: Mapping[str, Value]) -> Step:
    value = numbers.get(step.value)
    name = step.value[:40]
    if value is None:
        remedy = "Use its parameters, or a constant declared before."
        raise QasmError(f"the unknown name `{name}` in a gate", step.place, remedy)
    if isinstance(value, Tensor):
        remedy = "Give the gate a parameter for it."
        raise QasmError(f"the input `{name}` in a gate", step.place, remedy)
    return Step("number", value, 0, step.place)


def _is_standard(known: Known, call: Call) -> bool:
    return standard().get(call.name) is known


@lru_cache(maxsize=1)
def _written() -> dict[str, Gate]:
    """Rows by the definition that `to_qasm` writes, where it has exactly the row's phase."""
    others = ("sxdg", "u")  # which is up to a phase, and which is by the built-in gate
    exact = [row for row in GATES if row.qasm and row.qasm.definition and row.name not in others]
    texts = {row: Parser(row.qasm.definition, 1).statements() for row in exact if row.qasm}
    return {next(definitions).source: row for row, definitions in texts.items()}
