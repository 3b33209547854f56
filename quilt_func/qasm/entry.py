"""OpenQASM, versions 2 and 3: circuits from text and to text, up to a global phase.

Text is data: nothing in it is executed, no file is opened, and what it expands to is bounded.

References:
    Cross et al., "Open Quantum Assembly Language", arXiv:1707.03429 (2017).
    Cross et al., "OpenQASM 3: A broader and deeper quantum assembly language", ACM Trans. Quantum
    Computing 3, 12 (2022).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import tee
from typing import Any

from torch import Tensor

from quilt_func._affine_angles import Symbolic, symbolic
from quilt_func._checks import COMPLEX_OF, a_kind, check_count, check_is, kind_error, message
from quilt_func.circuits import Circuit, check_circuit
from quilt_func.instruments import check_keys
from quilt_func.qasm.control_writer import gate_of
from quilt_func.qasm.expander import Reader
from quilt_func.qasm.lexer import Input, QasmError, position
from quilt_func.qasm.parser import Parser
from quilt_func.qasm.writer import program_text

__all__ = ["from_qasm", "to_qasm"]


def from_qasm(
    text: str, *, max_gates: int = 50_000, keep_measurements: bool = False
) -> Circuit | Callable[..., Circuit]:
    r"""Read a circuit from OpenQASM 2 or 3.

    Gate definitions, expressions, broadcasting, `ctrl @`, `negctrl @`, `inv @`, `pow @`, `gphase`,
    constants, `for` loops and `def` are expanded; barriers, annotations and resets of qubits that
    are still 0 are checked and left out. Registers follow one another: the first qubit declared is
    wire 0. Numbers stay Python numbers, so the circuit takes any precision. A global phase is
    dropped.

    Measurements, resets, `if` and what is computed of bits become instruments, for `run_branches`
    and its kin; a bit's name is the key of the measurement that it holds at the end. Measurements
    at the end of a text without any of these are left out, so that its circuit has a state.

    Args:
        text: The program, with the version in its first line; without one it is version 2 if it
            includes `qelib1.inc` or declares a `qreg` or `creg`, else version 3.
        max_gates: Bound on the number of gates that the text may expand to; longer texts are not
            even parsed.
        keep_measurements: Whether measurements stay that are all at the end.

    Returns:
        The circuit. If the text declares `input float` or `input angle` parameters, a function
        from their values, in order or by name (real, ()), to the circuit; it can be pickled.

    Raises:
        TypeError: If `text` is not a string, or an input is missing or of another kind.
        ValueError: If the text is wrong or holds what is not simulated: `while`, or a measurement
            under a condition. The message tells line and column, and what to do.

    Transforms:
        vmap, grad, jvp, hessian, in the inputs of the function; reading text has no derivative.

    Examples:
        >>> import torch
        >>> from_qasm('OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; h q[0]; cx q[0], q[1];')
        Circuit(2 qubits, 2 gates)
        q0: ─H──●─
                │
        q1: ────⊕─
        >>> turn = from_qasm('include "stdgates.inc"; input float a; qubit q; rx(a / 2) q;')
        >>> turn(torch.tensor(0.5))
        Circuit(1 qubits, 1 gates)
        q0: ─RX(0.25)─
        >>> from_qasm('include "stdgates.inc"; qubit[2] q; bit c; h q[0]; c = measure q[0];'
        ...           'if (c) x q[1];')
        Circuit(2 qubits, 3 gates)
        q0: ─H──M:c────────
        <BLANKLINE>
        q1: ─────────X?c=1─
    """
    check_text("from_qasm", text, max_gates)
    need, remedy = "be a bool", "Give `True` to keep measurements at the end."
    check_is("from_qasm", "keep_measurements", keep_measurements, bool, need, remedy)
    return _read(text, max_gates, keep_measurements)


def check_text(function: str, text: object, max_gates: object) -> None:
    """Check that a text is one, and its bound a number."""
    remedy = "Read a file first, `Path(name).read_text()`; ask another library for its text, "
    remedy += "such as `qiskit.qasm3.dumps(circuit)`."
    check_is(function, "text", text, str, "be a string", remedy)
    check_count(function, "max_gates", max_gates, 1)


def _read(text: str, max_gates: int, keeps: bool) -> "Circuit | _FromInputs":
    """Parse and run statements in turn, so that the bounds on what runs bound what is parsed."""
    with told_where("from_qasm", text):
        parser = Parser(text, max_gates)
        statements: Iterator[Any] = parser.statements()
        kept: Iterator[Any] = iter(())
        if "input" in parser.tokens:
            statements, kept = tee(statements)
        found = Reader(parser.version, None, max_gates).circuit(statements, keeps=keeps)
    again = tuple(kept)
    names = tuple(item.name for item in again if isinstance(item, Input))
    made = _FromInputs(text, max_gates, keeps, parser.version, again, names)
    return made if names else found


@dataclass(frozen=True, eq=False, repr=False)
class _FromInputs:
    """The function from the values of a text's `input` parameters to its circuit."""

    text: str
    max_gates: int
    keeps: bool
    version: int
    statements: tuple[Any, ...]
    names: tuple[str, ...]

    @property
    def input_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter, by name."""
        return dict.fromkeys(self.names, ())

    def __call__(self, *values: Any, **named: Any) -> Circuit:
        """The circuit at values of the parameters."""
        inputs = _bound(self.names, values, named)
        with told_where("from_qasm", self.text):
            reader = Reader(self.version, inputs, self.max_gates)
            return reader.circuit(self.statements, keeps=self.keeps)

    def __repr__(self) -> str:
        return f"<circuit of ({', '.join(self.names)})>"

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, int, bool]]:
        return _read, (self.text, self.max_gates, self.keeps)


@contextmanager
def told_where(function: str, text: str) -> Iterator[None]:
    """Turn an error inside into one that tells line and column."""
    try:
        yield
    except QasmError as error:
        before = text[: position(text, error)]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        got = f"{error.got} at line {line}, column {column}"
        need = "be OpenQASM that can be simulated"
        raise ValueError(message(function, "text", text, need, got, error.remedy)) from None


def _bound(names: Sequence[str], values: Sequence[Any], named: Mapping[str, Any]) -> dict[str, Any]:
    """Values by name, each a Python number or a real 0-d tensor."""
    given = {**dict(zip(names, values, strict=False)), **named}
    if len(values) + len(named) != len(names) or set(given) != set(names):
        raise TypeError(
            f"from_inputs(): takes the inputs {', '.join(names)}, but got {len(values)} value(s) "
            f"and {sorted(named)}. Give each once, in this order or by name."
        )
    for name, value in given.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        is_angle = isinstance(value, Tensor) and value.dtype in COMPLEX_OF and value.ndim == 0
        if not (is_number or is_angle):
            remedy = "Map over many values with `torch.func.vmap`."
            requirement = "be a Python number or a real tensor of shape ()"
            got = a_kind(value)
            if isinstance(value, Tensor):
                got = f"{value.dtype} of shape {tuple(value.shape)}"
            raise TypeError(message("from_inputs", name, value, requirement, got, remedy))
    # an input is a float or an angle, whose half is no whole number
    return {
        name: value if isinstance(value, Tensor) else float(value) for name, value in given.items()
    }


def to_qasm(
    circuit: Circuit | Callable[..., Circuit],
    version: int = 3,
    *,
    inputs: Mapping[str, Tensor] | None = None,
) -> str:
    r"""Write a circuit, or a function of inputs to one, as OpenQASM, with one register `q`.

    Gates that the standard include of the version lacks bring their definition, from their row's
    `qasm`. Version 3 writes controlled gates, inverses and powers by modifiers. Angles are written
    in full: reading them back gives the same float64.

    Outcomes become registers, one for each key, and what depends on them an `if` for each value. A
    function's arguments become `input` parameters, if its angles are affine in their entries. That
    is found by its values and slopes at 0, and checked elsewhere.

    Args:
        circuit: Circuit whose angles can be read, or a function from tensors to one.
        version: 2, whose conditions compare one register, or 3; 3 for a function.
        inputs: Of a function: an example of each argument, in order, by the name that it is to
            have: real tensors, of which only shapes and dtypes count. Each entry is an input of
            its own, such as `theta_0`. A function that `from_qasm` made needs none.

    Returns:
        The program; `from_qasm` of it equals the circuit, or the function, up to a global phase, of
        each branch.

    Raises:
        TypeError: If `circuit` is not a circuit or a function to one, its angles are hidden behind
            a transform, or `inputs` are not tensors.
        ValueError: If an angle of a function is not affine, a gate has no definition in the version
            or one that can't be read, it is a channel or a postselection, two gates share a name,
            an angle is infinite or not a number, an outcome is read before it is measured or can't
            be in the version, or there is no such version.

    Transforms:
        None: text has no derivative.

    Examples:
        >>> from quilt_func import circuit, cx, h, rzz
        >>> print(to_qasm(circuit(2, h(0), rzz(0.5, 0, 1)), version=2))
        OPENQASM 2.0;
        include "qelib1.inc";
        gate rzz(theta) a, b { cx a, b; rz(theta) b; cx a, b; }
        qreg q[2];
        h q[0];
        rzz(0.5) q[0], q[1];
        <BLANKLINE>
        >>> import torch
        >>> from quilt_func import ry
        >>> def turn(theta):
        ...     return circuit(2, ry(2 * theta, range(2)))
        >>> print(to_qasm(turn, inputs={"theta": torch.zeros(2)}))
        OPENQASM 3.0;
        include "stdgates.inc";
        input float[64] theta_0;
        input float[64] theta_1;
        qubit[2] q;
        ry(2.0*theta_0) q[0];
        ry(2.0*theta_1) q[1];
        <BLANKLINE>
    """
    found = _with_inputs(circuit, version, inputs)
    circuit = found.circuit
    if version not in (2, 3) or isinstance(version, bool):
        remedy = "Version 2 is read by most tools, version 3 has modifiers."
        raise ValueError(message("to_qasm", "version", version, "be 2 or 3", f"{version}", remedy))
    check_keys("to_qasm", circuit)
    text = program_text(circuit, int(version), found.inputs)
    gates = map(gate_of, circuit.ops)
    if any(gate.origin and gate.qasm for gate in gates):
        _check_definitions(circuit, text, len(text))
    return text


def _with_inputs(circuit: Any, version: Any, inputs: Any) -> Symbolic:
    """A circuit, or what a function makes of inputs that have names."""
    if isinstance(circuit, Circuit) or not callable(circuit):
        check_circuit("to_qasm", "circuit", circuit)
        if inputs is not None:
            need, remedy = "be left out with a circuit", "Give the function that makes the circuit."
            raise kind_error("to_qasm", "inputs", inputs, need, remedy)
        return Symbolic(circuit, ())
    found = symbolic("to_qasm", "circuit", circuit, inputs)
    if version == 2:
        need, remedy = "be a circuit in version 2", "Write version 3, which has inputs."
        raise kind_error("to_qasm", "circuit", circuit, need, remedy)
    return found


def _check_definitions(circuit: Circuit, text: str, max_gates: int) -> None:
    """Read a text with definitions of users back, which is the promise of its writer."""
    try:
        from_qasm(text, max_gates=max_gates)
    except ValueError as error:
        need, got = "have definitions that can be read", f"{error}"
        remedy = "Use the gates of the version's include, and `cx` and `U`, in `Qasm(...)`."
        raise ValueError(message("to_qasm", "circuit", circuit, need, got, remedy)) from None
