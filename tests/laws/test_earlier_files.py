"""What an earlier version wrote still loads: pickled objects, and the JSON of circuits and sums.

The files under `tests/data` were written by the version before rows knew what made them.
"""

import base64
import pickle
from pathlib import Path

import torch
from laws.test_saving import assert_equal

import quilt_func as qf

DATA = Path(__file__).resolve().parents[1] / "data"
F64 = torch.float64


def number(value):
    return torch.tensor(value, dtype=F64)


PICKLED = qf.circuit(
    3,
    qf.ry(torch.tensor([0.1, 0.2, 0.3], dtype=F64), range(3)),
    qf.cx(0, 1),
    qf.controlled(qf.rz)(number(0.4), 0, 2),
    qf.power(qf.x, 0.5)(1),
    qf.inverse(qf.rx)(0.7, 2),
    qf.pauli_rot(number(0.6), "XZY", 0, 1, 2),
    qf.unitary(torch.eye(2, dtype=torch.complex128), 0),
)
WRITTEN = qf.circuit(
    3,
    PICKLED,
    qf.linear(torch.tensor([1.0, 0.0], dtype=torch.complex128).diag(), 1),
    qf.controlled(qf.h, 2)(0, 1, 2),
    qf.inverse(qf.u)(number(0.1), 0.2, 0.3, 1),
)
SUMS = {
    "pauli": qf.pauli_sum({"ZIX": 0.5, "YYI": -0.25}),
    "pauli_tensor": qf.pauli_sum(["ZZI", "IXI"], torch.tensor([0.5, 0.25], dtype=F64)),
}


def test_pickles_load():
    found = pickle.loads(base64.b64decode((DATA / "objects.pkl.b64").read_text("utf8")))
    assert_equal({name: found[name] for name in ("circuit", *SUMS)}, {"circuit": PICKLED, **SUMS})
    assert_equal(found["circuit"](dtype=torch.complex128), PICKLED(dtype=torch.complex128))
    state = qf.random_state(qf.uniforms((2, 8), 0, dtype=F64))
    diagonal = qf.diagonal(torch.arange(8, dtype=F64))
    assert_equal(found["diagonal"].apply(state), diagonal.apply(state))
    hermitian = qf.hermitian(torch.eye(2, dtype=torch.complex128))
    assert_equal(found["hermitian"].apply(state[:2]), hermitian.apply(state[:2]))
    assert_equal(found["state"], qf.optim.adam(0.1).init({"a": torch.zeros(2)}))


def test_json_loads():
    text = (DATA / "objects.json").read_text("utf8")
    value = {"circuit": WRITTEN, **SUMS}
    assert_equal(qf.from_json(text), value)
    assert qf.to_json(value) == text.rstrip("\n")


def test_what_pickles_of_today_call_gives_the_same_rows():
    rows = [op.gate for op in WRITTEN.ops]
    assert pickle.loads(pickle.dumps(rows)) == rows
