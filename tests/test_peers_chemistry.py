"""Electrons against PennyLane and Cirq: gates, reference states, excitations, and the ansatz."""

import pytest
import torch
from oracles.compare import assert_close

import quilt_func as qf
from quilt_func import chemistry

ANGLES = (0.7, -2.3)
COUNTS = [(1, 2), (2, 4), (2, 6), (3, 6), (4, 8), (5, 7)]
C128 = torch.complex128


@pytest.fixture(scope="module")
def qml():
    return pytest.importorskip("pennylane")


def matrix(row, theta):
    return row.matrices(torch.tensor([theta], dtype=torch.float64))[0]


@pytest.mark.parametrize("theta", ANGLES)
def test_matrices_are_pennylanes(qml, theta):
    single = qml.SingleExcitation(theta, wires=[0, 1]).matrix()
    assert_close(matrix(qf.single_excitation, theta), single, n_gates=2, scale=1)
    double = qml.DoubleExcitation(theta, wires=range(4)).matrix()
    assert_close(matrix(qf.double_excitation, theta), double, n_gates=2, scale=1)
    with pytest.raises(AssertionError):
        assert_close(matrix(qf.single_excitation, -theta), single, n_gates=2, scale=1)


@pytest.mark.parametrize("theta", ANGLES)
def test_givens_is_cirqs(theta):
    cirq = pytest.importorskip("cirq")
    expected = cirq.unitary(cirq.givens(theta))
    assert_close(matrix(qf.givens, theta), expected, n_gates=2, scale=4)
    with pytest.raises(AssertionError):
        assert_close(matrix(qf.single_excitation, theta), expected, n_gates=2, scale=4)


@pytest.mark.parametrize("counts", COUNTS)
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("jordan_wigner", "occupation_number"),
        ("parity", "parity"),
        ("bravyi_kitaev", "bravyi_kitaev"),
    ],
)
def test_reference_states_are_pennylanes(qml, counts, ours, theirs):
    expected = qml.qchem.hf_state(*counts, basis=theirs)
    assert chemistry.hartree_fock(*counts, ours) == "".join(map(str, expected))


@pytest.mark.parametrize("counts", [one for one in COUNTS if one[0] < one[1]])
def test_excitations_are_pennylanes(qml, counts):
    found, expected = chemistry.excitations(*counts), qml.qchem.excitations(*counts)
    for some, those in zip(found, expected, strict=True):
        assert sorted(some) == sorted(tuple(sorted(one)) for one in those)


@pytest.mark.parametrize("counts", [(2, 4), (2, 6), (3, 6)])
def test_the_ansatz_is_pennylanes(qml, counts):
    """PennyLane's angles are exp(θ (T - T†) / 2) too; the sign of its doubles' T is the other."""
    n = counts[1]
    singles, doubles = qml.qchem.excitations(*counts)
    theta = 0.2 + qf.uniforms(len(singles) + len(doubles), 0, dtype=torch.float64)

    @qml.qnode(qml.device("default.qubit", wires=n))
    def theirs(weights):
        paths = qml.qchem.excitations_to_wires(singles, doubles)
        qml.UCCSD(weights, range(n), *paths, init_state=qml.qchem.hf_state(*counts))
        return qml.state()

    expected = theirs(theta.numpy())
    start = qf.basis_state(chemistry.hartree_fock(*counts), dtype=C128)
    ours = chemistry.excitations(*counts)
    order = [ours.singles.index(tuple(one)) for one in map(sorted, singles)]
    order += [len(singles) + ours.doubles.index(tuple(one)) for one in map(sorted, doubles)]
    signed = torch.cat([theta[: len(singles)], -theta[len(singles) :]])
    placed = torch.zeros_like(theta).index_put((torch.tensor(order),), signed)
    found = qf.circuit(n, chemistry.uccsd(placed, *counts))(start)
    assert_close(found, expected, n_gates=64, scale=1)
    bare = qf.circuit(n, chemistry.uccsd(placed, *counts, parity_strings=False))(start)
    with pytest.raises(AssertionError):
        assert_close(bare, expected, n_gates=64, scale=1)
