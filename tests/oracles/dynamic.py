"""Circuits with measurements by plain enumeration: one branch after the other, in numpy.

Of the library's ops it reads names, keys, bits, conditions, wires and values, nothing else; which
gate acts at which outcome is Python's own `if`.

References:
    Nielsen and Chuang (2010), sections 2.2.3 and 4.4.
"""

from typing import Any

import numpy as np

from oracles.dense import Array, embed, gate_matrix

X = np.array([[0, 1], [1, 0]], dtype=complex)


def kind(row: Any) -> str:
    return row.name.partition("[")[0]


def projector(bits: Any, wires: Any, n: int) -> Array:
    diagonals = [np.diag([1.0 - bit, bit]) for bit in bits]
    found = np.eye(2**n, dtype=complex)
    for diagonal, wire in zip(diagonals, wires, strict=True):
        found = embed(diagonal, (wire,), n) @ found
    return found


def holds(condition: Any, bits: list[int]) -> bool:
    """Whether a condition, as it was given, holds for some bits."""
    value = int("".join(map(str, bits)), 2)
    if isinstance(condition, int):
        return value == condition
    if isinstance(condition, tuple):
        return list(condition) == bits
    if hasattr(condition, "table"):
        return bool(condition.table[value])
    return {"parity": sum(bits) % 2 == 1}[condition.__name__]


def values(param: Any, slot: int, outcome: int | None = None) -> Any:
    if isinstance(param, float):
        return param
    own = param.detach().cpu().numpy()[slot]
    return own if outcome is None else own[outcome]


def unitary(op: Any, slot: int, bits: dict[str, list[int]]) -> Array:
    """The matrix of a gate at an outcome, on its own wires."""
    row, acts = acting(op, bits)
    if not acts:
        return np.eye(2 ** len(op.wires[slot]), dtype=complex)
    if kind(row) != "lookup":
        return gate_matrix(row.name, *(values(p, slot) for p in op.params))
    outcome = int("".join(str(bit) for key in row.reads for bit in bits[key]), 2)
    return gate_matrix(row.base.name, *(values(p, slot, outcome) for p in op.params))


def acting(op: Any, bits: dict[str, list[int]]) -> tuple[Any, bool]:
    """What acts if all conditions hold, and whether they do."""
    row, acts = op.gate, True
    while kind(row) == "conditional":
        acts &= holds(row.condition, [bit for key in row.keys for bit in bits[key]])
        row = row.base
    return row, acts


def branches(circuit: Any, state: Any) -> list[tuple[dict[str, list[int]], Array]]:
    """Bits and unnormalised state of each branch, in the order of the outcomes."""
    n = circuit.n_qubits
    found = [({}, np.asarray(state, dtype=complex))]
    for op in circuit.ops:
        for slot, wires in enumerate(op.wires):
            found = [new for bits, psi in found for new in step(op, slot, wires, bits, psi, n)]
    return found


def step(op: Any, slot: int, wires: Any, bits: Any, psi: Array, n: int) -> Any:
    """What one wire set of an op makes of one branch."""
    row, acts = acting(op, bits)
    if kind(row) == "postselect":
        return [(bits, projector(row.bits, wires, n) @ psi)]
    if kind(row) == "reset":
        if not acts:
            return [(bits, psi), (bits, 0 * psi)]
        stay, fall = projector([0], wires, n), embed(X, wires, n) @ projector([1], wires, n)
        return [(bits, stay @ psi), (bits, fall @ psi)]
    if kind(row) == "measure":
        outcomes = [
            [int(letter) for letter in f"{i:0{len(wires)}b}"] for i in range(2 ** len(wires))
        ]
        key = row.writes
        return [({**bits, key: own}, projector(own, wires, n) @ psi) for own in outcomes]
    return [(bits, embed(unitary(op, slot, bits), wires, n) @ psi)]


def density(circuit: Any, state: Any) -> Array:
    """The mixture of all branches."""
    return sum(np.outer(psi, psi.conj()) for _, psi in branches(circuit, state))
