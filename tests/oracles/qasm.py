"""A tiny interpreter of OpenQASM gate definitions, for matrices of small gates.

It knows definitions of one line that hold calls of gates with expressions such as `-pi/2`. Gates of
the standard include and the built-in `U` come from the dense oracle.
"""

import math
import re

import numpy as np
import torch

from oracles import dense

DEFINITION = re.compile(r"gate\s+(\w+)\s*(?:\(([\w\s,]*)\))?\s*([\w\s,]+?)\s*\{(.*)\}")
CALL = re.compile(r"(\w+)\s*(?:\(([^()]*)\))?\s+([\w\s,]+)")
BUILT_IN = {"U": "u"}
# fmt: off
STANDARD = frozenset({
    "p", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "rx", "ry", "rz",
    "cx", "cy", "cz", "cp", "crx", "cry", "crz", "ch", "swap", "ccx", "cswap", "id", "U",
})
# fmt: on
"""stdgates.inc of OpenQASM 3, as far as it is unitary without more definitions, and `U`."""


def names(text):
    return [part.strip() for part in text.split(",") if part.strip()] if text else []


def value(expression, bound):
    """A number, a parameter, or pi, with `+ - * /`."""
    if not re.fullmatch(r"[\w\s.+*/-]+", expression):
        raise ValueError(f"not a simple expression: {expression!r}")
    return float(eval(expression, {"__builtins__": {}}, {"pi": math.pi, **bound}))


def definition_matrix(definition, angles=()):
    """Name and matrix of a definition at some angles."""
    found = DEFINITION.fullmatch(definition.strip())
    if not found:
        raise ValueError(f"not a gate definition: {definition!r}")
    name, parameters, wires, body = found.groups()
    position = {wire: i for i, wire in enumerate(names(wires))}
    bound = dict(zip(names(parameters), angles, strict=True))
    total = np.eye(2 ** len(position), dtype=complex)
    for text in filter(None, map(str.strip, body.split(";"))):
        call = CALL.fullmatch(text)
        if not call:
            raise ValueError(f"not a gate call: {text!r}")
        gate, arguments, targets = call.groups()
        if gate not in STANDARD:
            raise ValueError(f"{gate!r} is not in the standard include")
        values = [value(argument, bound) for argument in names(arguments)]
        matrix = dense.gate_matrix(BUILT_IN.get(gate, gate), *values)
        total = dense.embed(matrix, [position[t] for t in names(targets)], len(position)) @ total
    return name, total


def phase_distance(a, b):
    """Largest deviation of two matrices after the best common phase."""
    inner = np.vdot(a, b)
    return float(np.abs(a * (inner / abs(inner) if abs(inner) else 1) - b).max())


def text_matrix(circuit):
    """What a circuit that was read is, in double precision."""
    kind = {} if circuit.leaves else {"dtype": torch.complex128}
    return circuit.unitary(**kind).detach().numpy()
