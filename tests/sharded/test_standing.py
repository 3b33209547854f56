"""Wires that a gate lets stand: against its dense matrix at random angles, for every row."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from systems import beam_splitter, damp

import quilt_func as qf
from quilt_func.gates import unitary_gate
from quilt_func.sharded.standing_wires import standing
from quilt_func.testing.tolerances import tolerance

N_ANGLES = 5
DERIVED = {
    "of the user's own": beam_splitter,
    "controlled twice": qf.controlled(qf.ry, 2),
    "of three angles": qf.controlled(qf.u),
    "inverse of three angles": qf.inverse(qf.controlled(qf.u)),
    "conjugate of three angles": qf.conjugate(qf.controlled(qf.u, 2)),
    "power of three angles": qf.power(qf.controlled(qf.u), -2),
    "controlled matrix": qf.controlled(unitary_gate(1)),
    "power of a constant": qf.power(qf.cy, 0.3),
    "power of a power": qf.power(qf.power(qf.ch, 0.3), 2),
    "power of an exchange": qf.controlled(qf.power(qf.swap, 0.5)),
    "word": qf.pauli_rot(0.1, "ZXZ", 0, 1, 2).gate,
    "word of Z": qf.pauli_rot(0.1, "ZZZ", 0, 1, 2).gate,
}
ROWS = {row.name: row for row in qf.GATES} | DERIVED


def matrices(row):
    """Its matrices at random angles."""
    if not callable(row.matrix):
        return np.asarray(row.matrix)[None]
    rng = np.random.default_rng(row.n_wires)
    if row.param_shape:
        found = rng.normal(size=(2, N_ANGLES, *row.param_shape))
        return row.matrices(torch.from_numpy(found[0] + 1j * found[1])).numpy()
    angles = torch.from_numpy(rng.uniform(-9, 9, (row.n_params, N_ANGLES)))
    return row.matrices(*angles).resolve_conj().numpy()


def is_block_diagonal(row, wire):
    """Whether no entry links two values of the wire's bit, to rounding."""
    found = matrices(row)
    bit = np.arange(2**row.n_wires) >> (row.n_wires - 1 - wire) & 1
    linking = np.abs(found[:, bit[:, None] != bit[None, :]]).max()
    return bool(linking < tolerance(torch.float64, n_gates=4**row.n_wires))


def check(row, said):
    """What is said, against the matrix: both ways."""
    assert said == tuple(is_block_diagonal(row, wire) for wire in range(row.n_wires))


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_wires_stand_where_the_matrix_is_block_diagonal(row):
    check(row, standing(row))


@pytest.mark.parametrize("row", [qf.cx, qf.crx, qf.rzz], ids=str)
def test_a_wrong_word_about_a_wire_is_found(row):
    said = standing(row)
    for wire in range(row.n_wires):
        wrong = (*said[:wire], not said[wire], *said[wire + 1 :])
        with pytest.raises(AssertionError):
            check(row, wrong)


def test_unknown_rows_promise_nothing():
    unknown = replace(qf.u, origin=None)
    assert standing(unknown) == (False,)
    assert standing(unitary_gate(2)) == (False, False)
    assert standing(damp) == (False,), "a function is not asked"
