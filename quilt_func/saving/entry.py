"""Both ways: values to text, and text to values."""

import json
from collections.abc import Iterable
from typing import Any

from quilt_func._checks import a_kind, check_is, message
from quilt_func.gates import GATES
from quilt_func.noise import CHANNELS
from quilt_func.ops import Gate
from quilt_func.saving.damage import SAVE_AGAIN, DamageError, refuse_constant, unstopped
from quilt_func.saving.reading import Reader
from quilt_func.saving.writing import FORMAT, VERSION, Writer, laid_out

_ROWS: dict[str, Gate] = {row.name: row for row in (*GATES, *CHANNELS)}


def to_json(value: Any, *, gates: Iterable[Gate] = ()) -> str:
    """Write a circuit, a Pauli sum or a tree of parameters as JSON text.

    Tensors keep their dtype and every bit of their values, but not their device or their gradient.
    Of a condition that is a function, such as that of `conditional`, truth values are written.

    Args:
        value: A circuit, a Pauli sum, a tensor, a number, a string or None, or dicts, lists and
            tuples of these, nested.
        gates: Gates of your own that circuits in it use.

    Returns:
        The text, which `from_json` turns into an equal value.

    Raises:
        TypeError: If a part is of another kind, or a tensor is hidden behind a transform.
        ValueError: If a circuit uses a gate of your own that is not among `gates`, two gates have
            one name, or a condition is a function of outcomes that the circuit does not measure.

    Transforms:
        None: text has no derivative.

    Examples:
        >>> import torch
        >>> from quilt_func import circuit, cx, ry
        >>> print(to_json({"theta": torch.tensor([0.1, 0.2]), "steps": 3}))
        {
         "format": "quilt_func",
         "version": 1,
         "value": {"theta": {"$tensor": "float32", "shape": [2], "data": [0.1, 0.2]}, "steps": 3}
        }
    """
    names = _registry("to_json", gates)
    return laid_out({"format": FORMAT, "version": VERSION, "value": Writer(names).write(value)})


def from_json(text: str, *, gates: Iterable[Gate] = ()) -> Any:
    """Read what `to_json` wrote; nothing in the text is executed.

    Args:
        text: The text.
        gates: Gates of your own that the text names.

    Returns:
        The value; its tensors are on the CPU.

    Raises:
        TypeError: If `text` is not a string.
        ValueError: If the text is damaged, of another format or of a newer version, or names a
            gate that is neither in the table nor among `gates`.

    Transforms:
        None: text has no derivative.

    Examples:
        >>> from quilt_func import circuit, cx, ry
        >>> from_json(to_json(circuit(2, ry(0.5, 0), cx(0, 1))))
        Circuit(2 qubits, 2 gates)
        q0: ─RY(0.5)──●─
                      │
        q1: ──────────⊕─
    """
    remedy = "Read the file first: `Path(name).read_text()`."
    check_is("from_json", "text", text, str, "be a string", remedy)
    reader, remedy = Reader(_registry("from_json", gates)), SAVE_AGAIN
    try:
        return reader.file(json.loads(text, parse_constant=refuse_constant))
    except DamageError as error:
        got, remedy = str(error), error.remedy
    except RecursionError:
        got = "values nested too deeply"
    except json.JSONDecodeError as error:
        got = f"no JSON at line {error.lineno}, column {error.colno}"
    except ValueError as error:  # JSON's numbers can be longer than Python reads
        got = f"no JSON: {unstopped(error)}"
    need = "be a whole file of `to_json`"
    raise ValueError(message("from_json", "text", text, need, got, remedy))


def _registry(function: str, gates: Iterable[Gate]) -> dict[str, Gate]:
    """Gates by name, the table's among them."""
    found = dict(_ROWS)
    given = tuple(gates)
    for gate in given:
        if not isinstance(gate, Gate):
            got, remedy = a_kind(gate), "Give the gates themselves: `[mine]`."
            raise TypeError(message(function, "gates", [*given], "be gates", got, remedy))
        if found.setdefault(gate.name, gate) is not gate:
            got, remedy = f"two named {gate.name}", "Rename one."
            need = "have names of their own"
            raise ValueError(message(function, "gates", [*given], need, got, remedy))
    return found
