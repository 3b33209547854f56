"""The classical registers of a program after a run of its circuit."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from quilt_func._checks import check_is, message
from quilt_func.qasm.entry import check_text, told_where
from quilt_func.qasm.expander import Reader
from quilt_func.qasm.parser import Parser
from quilt_func.qasm.tables import Table


def register_bits(
    text: str, bits: Mapping[str, Tensor], *, max_gates: int = 50_000
) -> dict[str, Tensor]:
    """The final bits of a program's classical registers, from the outcomes of its circuit.

    A register may hold more than was measured last: bits that were never set, which are 0, and
    what the program computed of others.

    Args:
        text: The program, as `from_qasm` reads it.
        bits: By key, int64 `(..., 1)`: `bits` of `run_branches`, `run_density_branches` or
            `run_trajectory`.
        max_gates: Bound on the number of gates that the text may expand to.

    Returns:
        By register, int64 `(..., size)`: index 0, which OpenQASM holds for the least significant,
        comes first.

    Raises:
        TypeError: If `text` is not a string, or `bits` no mapping.
        ValueError: If the text can't be read, or an outcome is not among `bits`.

    Transforms:
        vmap, in the bits; they have no derivative.

    Examples:
        >>> from quilt_func import from_qasm, instruments, run_branches
        >>> text = 'include "stdgates.inc"; qubit[2] q; bit[2] c; bit d; ry(0.5) q;'
        >>> text += "c = measure q; d = c[0] ^ c[1]; if (d) x q[0];"
        >>> found = run_branches(from_qasm(text))
        >>> registers = register_bits(text, found.bits)
        >>> registers["d"].flatten(), registers["c"].tolist()
        (tensor([0, 1, 1, 0]), [[0, 0], [0, 1], [1, 0], [1, 1]])
        >>> probabilities = instruments.branch_probabilities(found)
        >>> probabilities.new_zeros(2).index_add(0, registers["d"][:, 0], probabilities)
        tensor([0.8851, 0.1149])
    """
    check_text("register_bits", text, max_gates)
    need, remedy = "be a mapping", "Give `run_branches(circuit).bits`."
    check_is("register_bits", "bits", bits, Mapping, need, remedy)
    with told_where("register_bits", text):
        parser = Parser(text, max_gates)
        reader = Reader(parser.version, None, max_gates)
        reader.circuit(parser.statements())
    keys, values = reader.keys(), reader.outcomes.values
    return {
        name: _register([values[bit] for bit in own], keys, bits)
        for name, whole in reader.registers["bit"].items()
        for own in [whole if isinstance(whole, list) else [whole]]
    }


def _register(values: Sequence[Table], keys: Sequence[str], bits: Mapping[str, Tensor]) -> Tensor:
    found = [_looked_up(value, [keys[one] for one in value.measured], bits) for value in values]
    shape = next(iter(bits.values())).shape[:-1] if bits else ()
    return torch.stack([one.expand(shape) for one in found], -1)


def _looked_up(value: Table, keys: Sequence[str], bits: Mapping[str, Tensor]) -> Tensor:
    """A bit at each outcome: the entry of its table."""
    for key in keys:
        if key not in bits:
            need, got = "hold the outcomes of the text's circuit", f"none of {key!r}"
            remedy = "Run the circuit of this text; read it with `keep_measurements=True` if it "
            remedy += "measures at its end alone."
            raise ValueError(message("register_bits", "bits", dict(bits), need, got, remedy))
    device = next(iter(bits.values())).device if bits else None
    table = torch.tensor(value.values.tolist(), device=device)
    if not keys:
        return table[0]
    index = sum(bits[key][..., 0] << place for place, key in enumerate(reversed(keys)))
    assert isinstance(index, Tensor)
    return table.index_select(0, index.reshape(-1)).reshape(index.shape)
