"""Circuits with channels as JSON, as OpenQASM, and in a drawing."""

import re

import pytest
import torch
from torch.utils import _pytree as pytree

import quilt_func as qf
from quilt_func import noise

C128 = torch.complex128
OPERATORS = torch.tensor([[[1, 0], [0, 0.6]], [[0, 0.8], [0, 0]]], dtype=C128)
EACH = {
    **{
        row.name: row(*[0.1 * (i + 1) for i in range(row.n_params)], *range(row.n_wires))
        for row in noise.CHANNELS
    },
    "words": noise.pauli_errors(["ZZ", "XI"])(torch.tensor([0.1, 0.2]), 0.3, [(0, 1), (1, 0)]),
    "operators": noise.kraus(OPERATORS, [1, 0]),
    "superoperator": noise.superoperator(torch.eye(16, dtype=C128), 1, 0),
    "conjugate": qf.conjugate(qf.inverse(qf.crx))(0.3, 0, 1),
}


@pytest.mark.parametrize("name", EACH)
def test_json_keeps_the_row_and_every_bit(name):
    written = qf.circuit(2, EACH[name])
    read = qf.from_json(qf.to_json(written))
    assert qf.same_structure(read, written)
    pairs = zip(pytree.tree_leaves(read), pytree.tree_leaves(written), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize(
    "entry",
    [
        '{"pauli_errors": ["II"]}', '{"pauli_errors": [1]}', '{"kraus": [1, 0]}', '{"kraus": 2}',
        '{"superoperator": 99}', '{"controlled": "bit_flip"}', '{"conjugate": "bit_flip"}',
    ],
)  # fmt: skip
def test_damage_is_refused(entry):
    text = qf.to_json(qf.circuit(2, qf.h(0))).replace('"h"', entry)
    with pytest.raises(ValueError, match="must be a whole file"):
        qf.from_json(text)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("name", [name for name in EACH if name != "conjugate"])
def test_openqasm_refuses_channels_by_name(name, version):
    circuit = qf.circuit(2, qf.h(0), EACH[name])
    told = f"but got the channel `{circuit.ops[1].gate.name}`. OpenQASM has no channels. "
    with pytest.raises(ValueError, match=re.escape(told)):
        qf.to_qasm(circuit, version)


def test_openqasm_takes_what_the_refusal_proposes():
    noisy = qf.circuit(2, qf.h(0), noise.bit_flip(0.1, []), qf.cx(0, 1))
    with pytest.raises(ValueError, match=r"without: `(.*)`\. `to_json`") as caught:
        qf.to_qasm(noisy)
    proposed = re.search(r"without: `(.*?)`\. `to_json`", str(caught.value))[1]
    without = eval(proposed, {"circuit": qf.circuit, "n": 2, "noisy": noisy, "noise": noise})
    assert qf.to_qasm(without) == qf.to_qasm(qf.circuit(2, qf.h(0), qf.cx(0, 1)))


def test_channels_are_drawn_mapped_and_repeated():
    ops = noise.two_qubit_depolarizing(0.1, 0, 1), noise.amplitude_damping(0.2, 1)
    circuit = qf.circuit(2, ops)
    assert "Dep(0.1)" in circuit.draw()
    moved = circuit.map_wires({0: 2}, 3).repeat(2)
    assert [op.wires for op in moved.ops] == [((2, 1),), ((1,),)] * 2
