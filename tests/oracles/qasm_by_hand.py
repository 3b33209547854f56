"""The programs of `data/qasm-dynamic` written again in Python, and run one outcome at a time.

Control flow is Python's own: a program is run again for each path of outcomes. Matrices come from
the dense oracle; nothing of the library is used. A register is a list of bits, index 0 first.
"""

import math
from collections import defaultdict

import numpy as np

from oracles.dense import gate_matrix

PI = math.pi


class Machine:
    """A state on one path: measurements give the bits that the path says, then 0."""

    def __init__(self, n_qubits, path):
        self.n_qubits, self.path, self.taken = n_qubits, path, []
        self.state = np.zeros((2,) * n_qubits, dtype=complex)
        self.state[(0,) * n_qubits] = 1

    def __getattr__(self, name):
        """Gates by name: angles, then wires."""
        n_wires = {"cx": 2, "cp": 2, "cswap": 3}.get(name, 1)
        return lambda *given: self.gate(name, given[:-n_wires], given[-n_wires:])

    def gate(self, name, angles, wires):
        k = len(wires)
        matrix = gate_matrix(name, *angles).reshape((2,) * (2 * k))
        moved = np.tensordot(matrix, self.state, (range(k, 2 * k), wires))
        self.state = np.moveaxis(moved, range(k), wires)

    def measure(self, wire):
        bit = self.path[len(self.taken)] if len(self.taken) < len(self.path) else 0
        self.taken.append(bit)
        self.state = self.state.copy()
        self.state[(slice(None),) * wire + (1 - bit,)] = 0
        return bit

    def reset(self, wire):
        if self.measure(wire):
            self.x(wire)


def distribution(program, n_qubits):
    """Probability by final registers, each a tuple of bits, of all paths."""
    found = defaultdict(float)
    paths = [[]]
    while paths:
        machine = Machine(n_qubits, paths.pop())
        registers = program(machine)
        found[tuple((name, tuple(bits)) for name, bits in registers.items())] += float(
            np.linalg.norm(machine.state) ** 2
        )
        for place in range(len(machine.path), len(machine.taken)):
            paths.append([*machine.taken[:place], 1])
    return dict(found)


def value(bits):
    return sum(bit << place for place, bit in enumerate(bits))


def teleport_2(m):
    m.u(0.3, 0.2, 0.1, 0)
    m.h(1)
    m.cx(1, 2)
    m.cx(0, 1)
    m.h(0)
    c0, c1 = m.measure(0), m.measure(1)
    if c0:
        m.z(2)
    if c1:
        m.x(2)
    return {"c0": [c0], "c1": [c1], "c2": [m.measure(2)]}


def teleport_3(m):
    m.u(0.3, 0.2, 0.1, 0)
    m.h(1)
    m.cx(1, 2)
    m.cx(0, 1)
    m.h(0)
    c = [m.measure(0), m.measure(1)]
    if c[1]:
        m.x(2)
    if c[0]:
        m.z(2)
    m.u(-0.3, -0.1, -0.2, 2)
    return {"c": c, "result": [m.measure(2)]}


def inverseqft1(m):
    for wire in range(4):
        m.ry(0.5, wire)
    m.ry(1.2, 2)
    m.p(0.7, 1)
    m.cx(0, 3)
    m.rz(0.4, 3)
    m.ry(0.8, 3)
    bits = []
    for wire in range(4):
        for j, bit in enumerate(bits):
            m.p(bit * PI / 2 ** (wire - j), wire)
        m.h(wire)
        bits.append(m.measure(wire))
    return {f"c{i}": [bit] for i, bit in enumerate(bits)}


def inverseqft2(m):
    for wire in range(3):
        m.ry(0.7, wire)
    m.p(0.9, 1)
    m.cx(0, 2)
    m.ry(1.1, 2)
    m.p(-0.3, 2)
    bits = []
    for wire in range(3):
        m.p(value(bits) * PI / 2 ** len(bits), wire)
        m.h(wire)
        bits.append(m.measure(wire))
    return {"c": bits}


def qec(m):
    m.ry(1.1, 0)
    m.cx(0, 1)
    m.cx(0, 2)
    m.rx(0.4, 0)
    m.rx(0.9, 1)
    for data, ancilla in ((0, 3), (1, 3), (1, 4), (2, 4)):
        m.cx(data, ancilla)
    syn = [m.measure(3), m.measure(4)]
    wrong = {(0, 0): None, (1, 0): 0, (1, 1): 1, (0, 1): 2}[tuple(syn)]
    if wrong is not None:
        m.x(wrong)
    return {"c": [m.measure(wire) for wire in range(3)], "syn": syn}


def ipea(m):
    theta, bits = 3 * PI / 8 + 0.05, []
    m.x(1)
    for i in range(4):
        m.reset(0)
        m.h(0)
        m.cp(2 ** (3 - i) * theta, 0, 1)
        m.p(-PI * value(bits) / 2**i, 0)
        m.h(0)
        bits.append(m.measure(0))
    return {"c": bits}


def seca(m):
    m.u(0.8, 0.1, -0.4, 0)
    m.cx(0, 1)
    m.cx(0, 2)
    m.rx(0.6, 1)
    for data, ancilla in ((0, 3), (1, 3), (1, 4), (2, 4)):
        m.cx(data, ancilla)
    s = [m.measure(3), m.measure(4)]
    if any(s):
        m.x({(1, 0): 0, (1, 1): 1, (0, 1): 2}[tuple(s)])
    m.reset(3)
    m.reset(4)
    m.cx(0, 2)
    m.cx(0, 1)
    m.h(5)
    m.cx(5, 6)
    m.cx(0, 5)
    m.h(0)
    m0, m1 = m.measure(0), m.measure(5)
    if m1:
        m.x(6)
    if m0:
        m.z(6)
    m.h(6)
    return {"syn": s, "m0": [m0], "m1": [m1], "out": [m.measure(6)]}


def bb84(m):
    def random_bit():
        m.h(0)
        bit = m.measure(0)
        if bit:
            m.x(0)
        return bit

    registers = {name: [] for name in ("value", "alice", "bob", "found", "agree", "wrong")}
    for i in range(2):
        sent, basis = random_bit(), random_bit()
        if sent:
            m.x(1)
        if basis:
            m.h(1)
        if i == 1:
            m.rx(0.7, 1)
        other = random_bit()
        if other:
            m.h(1)
        seen = m.measure(1)
        m.reset(1)
        agree = int(basis == other)
        row = (sent, basis, other, seen, agree, int(agree and seen != sent))
        for bits, bit in zip(registers.values(), row, strict=True):
            bits.append(bit)
    return registers


def shor(m):
    """The period of 7**k modulo 15, by multiplications as permutations of all 16 numbers."""

    def times(factor):
        """Wires 0 to 3 hold the number, wire 0 its lowest bit; wire 4 is the control."""
        old = np.moveaxis(m.state, (3, 2, 1, 0, 4), range(5)).reshape(16, 2)
        new = old.copy()
        for number in range(1, 15):
            new[number * factor % 15, 1] = old[number, 1]
        m.state = np.moveaxis(new.reshape((2,) * 5), range(5), (3, 2, 1, 0, 4))

    m.x(0)
    bits = []
    for factor in (7**4 % 15, 7**2 % 15, 7):
        m.h(4)
        times(factor)
        m.p(-PI * value(bits) / 2 ** len(bits) + 0.5 * (factor == 7), 4)
        m.h(4)
        bits.append(m.measure(4))
        if len(bits) < 3:
            m.reset(4)
    return {"m": bits, "r": [m.measure(wire) for wire in range(4)]}


def rus(m):
    done = 0
    m.ry(0.6, 0)
    for _ in range(3):
        if not done:
            m.h(1)
            m.t(1)
            m.cx(1, 0)
            m.h(1)
        flag = m.measure(1)
        if flag and not done:
            m.x(0)
        done = done or not flag
        m.reset(1)
    m.h(0)
    return {"done": [int(done)], "flag": [flag], "out": [m.measure(0)]}


def resets(m):
    m.ry(0.5, 0)
    m.cx(0, 1)
    m.reset(0)
    m.h(0)
    c0 = m.measure(0)
    m.cx(0, 1)
    m.reset(0)
    m.ry(1.2, 0)
    m.cx(0, 1)
    c1 = m.measure(1)
    m.reset(1)
    m.ry(0.4 * c0, 1)
    c2 = m.measure(1)
    return {"c": [c0, c1, c2, m.measure(0)]}


def reuse(m):
    m.x(1)
    m.h(1)
    bits = []
    for is_set, angle in ((1, 0.0), (0, 0.0), (1, 0.3)):
        m.h(0)
        if is_set:
            m.cx(0, 1)
        m.rz(angle, 0)
        m.h(0)
        bits.append(m.measure(0))
        if len(bits) < 3:
            m.reset(0)
    m.h(1)
    if bits == [1, 0, 1]:
        m.x(1)
    return {"c": bits, "d": [m.measure(1)]}


def overwritten(m):
    m.ry(0.9, 0)
    first = m.measure(0)
    if first:
        m.ry(0.7, 1)
    m.h(0)
    if first:
        m.rx(0.5, 2)
        m.ry(0.2, 2)
    second = m.measure(0)
    if second:
        m.ry(1.3, 1)
    else:
        m.rx(0.4, 2)
    if first != second:
        m.cx(1, 2)
    both = [first, int(second and not first)]
    return {"c": [m.measure(1)], "old": [first], "both": both}


def logic(m):
    b = [0, 1]
    for wire, angle in enumerate((0.8, 1.1, 1.7)):
        m.ry(angle, wire)
    a = [m.measure(wire) for wire in range(3)]
    if value(a) in (5, 2):
        m.x(3)
    elif a[0] and not a[1]:
        m.h(3)
    else:
        m.ry(0.3, 3)
        if sum(a) % 2:
            m.s(3)
    if 3 <= value(a) < 7:
        m.h(4)
        b[0] = a[0]
    flag = int(sum(a) > 1)
    if flag:
        m.ry(0.6, 4)
    if [0, b[0]] == a[:2]:
        m.rx(0.2, 3)
    if value(a[:2]) + 4 < 6:
        m.z(3)
    m.h(3)
    seen = [m.measure(3), m.measure(4)]
    seen = [bit ^ own for bit, own in zip([*seen, seen[0] | seen[1]], a, strict=True)]
    return {"a": a, "b": b, "flag": [flag], "seen": seen}


def subroutines(m):
    def check(first, second):
        m.reset(3)
        m.cx(first, 3)
        m.cx(second, 3)
        return m.measure(3)

    m.ry(0.9, 0)
    m.cx(0, 1)
    m.cx(0, 2)
    for i in range(3):
        m.rx(0.7 / 2**i, i)
    syndrome = [check(0, 1), check(1, 2)]
    if any(syndrome):
        m.x({1: 0, 3: 1, 2: 2}[value(syndrome)])
        m.ry(0.1, 3)
    out = [m.measure(wire) for wire in range(3)]
    return {"syndrome": syndrome, "out": out, "odd": [int(any(syndrome))]}


PROGRAMS = {
    "teleport_2": (teleport_2, 3), "teleport_3": (teleport_3, 3), "inverseqft1": (inverseqft1, 4),
    "inverseqft2": (inverseqft2, 3), "qec": (qec, 5), "ipea": (ipea, 2), "ipea_3": (ipea, 2),
    "seca": (seca, 7), "bb84": (bb84, 2), "shor": (shor, 5), "rus": (rus, 2), "resets": (resets, 2),
    "reuse": (reuse, 2), "overwritten": (overwritten, 3), "logic": (logic, 5),
    "subroutines": (subroutines, 4),
}  # fmt: skip
"""By file: the program, and how many qubits it has."""
