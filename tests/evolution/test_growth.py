"""Planning, running and walking back take time in proportion to the gates.

Time is counted in bytecodes of the library, which no busy machine changes.
"""

import random
import sys
from pathlib import Path

import pytest
import torch
from torch.func import grad, hessian, jvp

import quilt_func as qf
from quilt_func.evolution.planner import plan
from quilt_func.evolution.reversible_run import Run

LIBRARY = str(Path(qf.__file__).parent)
AT_MOST = 2.3
"""What doubling the gates may multiply the work by."""


def work(call):
    """Bytecodes that the library runs in a call."""
    count = 0

    def local(frame, event, arg):
        nonlocal count
        count += event == "opcode"
        return local

    def trace(frame, event, arg):
        if not frame.f_code.co_filename.startswith(LIBRARY):
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return local

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


def anywhere(n_qubits, n_gates):
    """Random gates on random wires, one op each."""
    draw = random.Random(n_gates)
    makers = [
        lambda a, b: qf.rz(draw.random(), a),
        lambda a, b: qf.h(a),
        lambda a, b: qf.cx(a, b),
        lambda a, b: qf.ry(draw.random(), b),
        lambda a, b: qf.power(qf.x, round(draw.random(), 6))(a),
    ]
    return [draw.choice(makers)(*draw.sample(range(n_qubits), 2)) for _ in range(n_gates)]


def layered(n_qubits, n_gates):
    """Layers of three ops with angles of their own."""
    chain = [(i, i + 1) for i in range(n_qubits - 1)]
    shape = (-(-n_gates // (3 * n_qubits - 1)), 2, n_qubits)
    return qf.uniforms(shape, 0), lambda angles: [
        (qf.ry(a[0], range(n_qubits)), qf.rz(a[1], range(n_qubits)), qf.cx(chain))
        for a in angles.unbind(0)
    ]


def planned(n_qubits, n_gates):
    structures = tuple(op.structure for op in anywhere(n_qubits, n_gates))
    keys = ((),) * len(structures)
    return lambda: plan.__wrapped__(n_qubits, structures, keys, True)


def differentiated(transform):
    def prepare(n_qubits, n_gates):
        angles, ops = layered(n_qubits, n_gates)
        observable = qf.pauli_sum({"Z" + "I" * (n_qubits - 1): 1.0})

        def value(angles):
            return qf.expval(qf.circuit(n_qubits, ops(angles))(), observable)

        transform(value, angles)  # planned before it counts
        return lambda: transform(value, angles)

    return prepare


TRANSFORMS = {
    "value": lambda f, p: f(p),
    "grad": lambda f, p: grad(f)(p),
    "jvp": lambda f, p: jvp(f, (p,), (p,)),
    "jvp(grad)": lambda f, p: jvp(grad(f), (p,), (p,)),
    "hessian": lambda f, p: hessian(lambda t: f(t * p))(torch.tensor(1.0)),
}
CASES = {
    **{f"planning {n} qubits": (planned, n, 1000) for n in (2, 5, 7, 10, 16)},
    **{f"{name}, {n} qubits": (differentiated(transform), n, 600)
       for name, transform in TRANSFORMS.items() for n in (3, 7)},
}  # fmt: skip


def growth(case):
    prepare, n_qubits, n_gates = CASES[case]
    return work(prepare(n_qubits, 2 * n_gates)) / work(prepare(n_qubits, n_gates))


@pytest.mark.parametrize("case", CASES)
def test_twice_the_gates_twice_the_work(case):
    assert growth(case) < AT_MOST


def test_a_list_made_anew_for_every_leaf_is_noticed(monkeypatch):
    """A mutant: the key of a leaf is found by listing those of all."""
    by_leaf = Run._by_leaf

    def slowly(self, place, by_param):
        for _ in self.circuit.per_op(self.levels):
            pass
        return by_leaf(self, place, by_param)

    monkeypatch.setattr(Run, "_by_leaf", slowly)
    assert growth("grad, 7 qubits") > AT_MOST
