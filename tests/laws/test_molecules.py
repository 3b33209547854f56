"""The table of molecules: published numbers, and energies that bind as they should."""

import pytest
import torch
from oracles.compare import assert_close

import quilt_func as qf
from quilt_func.molecules import bond_lengths, curve, molecule


def lowest(name, length, **how):
    return torch.linalg.eigvalsh(molecule(name, length, **how).to_matrix())[0]


def rounded(value, digits):
    return round(float(value), digits)


def test_hydrogen_is_the_published_hamiltonian():
    """Parity mapping of H2 at 0.735 Å; signs depend on which qubit holds which parity."""
    terms = dict(molecule("H2", 0.735, nuclear_repulsion=False).items())
    published = {"II": 1.05237325, "ZI": 0.39793742, "IZ": 0.39793742, "ZZ": 0.01128010,
                 "XX": 0.18093120}  # fmt: skip
    assert {word: rounded(abs(c), 8) for word, c in terms.items()} == published
    assert rounded(lowest("H2", 0.735, nuclear_repulsion=False), 8) == -1.85727503


def test_total_energies_of_the_literature():
    """Full CI of H2 in STO-3G at 0.735 Å is -1.137306; two atoms at rest have -0.933164."""
    assert rounded(lowest("H2", 0.735), 6) == -1.137306
    assert -0.94 < lowest("H2", 2.5) < -0.933
    assert -7.89 < lowest("LiH", 1.595) < -7.87  # full CI of all electrons: -7.8824


def assert_binds(energies):
    """One valley, which falls and rises without a bump."""
    place = int(energies.argmin())
    assert 0 < place < len(energies) - 1
    assert (energies[: place + 1].diff() < 0).all()
    assert (energies[place:].diff() > 0).all()


@pytest.mark.parametrize("name", ["H2", "LiH"])
def test_a_molecule_binds(name):
    assert_binds(torch.stack([lowest(name, length) for length in bond_lengths(name)]))


@pytest.mark.parametrize(("name", "n_qubits"), [("H2", 2), ("LiH", 4)])
def test_the_words_are_shared_and_the_nuclei_are_a_constant(name, n_qubits):
    sums = [molecule(name, length) for length in bond_lengths(name)]
    assert {one.words for one in sums} == {sums[0].words}
    assert sums[0].n_qubits == n_qubits
    bare = molecule(name, bond_lengths(name)[0], nuclear_repulsion=False)
    shift = sums[0] + -1.0 * bare
    repels = table_of(shift)
    assert_close(repels, repels[0].expand_as(repels), n_gates=len(bare), scale=8)
    assert repels[0] > 1


def table_of(observable):
    return observable.simplify().to_matrix().real.diagonal()


@pytest.mark.parametrize("rows", [[1, 0, 2, 3], [2, 0, 1, 3], [1, 2, 0, 3]])
def test_the_law_of_binding_refuses_rows_out_of_order(rows):
    lengths = [bond_lengths("H2")[row] for row in (0, 4, 8, 20)]
    energies = torch.stack([lowest("H2", length) for length in lengths])
    assert_binds(energies)
    with pytest.raises(AssertionError):
        assert_binds(energies[rows])


def test_coefficients_are_weak_numbers():
    state = qf.zero_state(2, dtype=torch.complex128)
    single = qf.expval(qf.zero_state(2), molecule("H2", 0.735))
    assert single.dtype == torch.float32
    assert_close(single, qf.expval(state, molecule("H2", 0.735)), n_gates=8, scale=2)


@pytest.mark.parametrize("mapping", ["reduced", "jordan_wigner"])
@pytest.mark.parametrize("name", ["H2", "LiH"])
def test_curves_hold_every_molecule(name, mapping):
    found = curve(name, mapping=mapping, nuclear_repulsion=False, dtype=torch.float64)
    assert tuple(found.bond_lengths.tolist()) == bond_lengths(name)
    for length, row in zip(bond_lengths(name), found.coefficients.tolist(), strict=True):
        one = molecule(name, length, mapping=mapping, nuclear_repulsion=False)
        assert (one.words, one.coefficients) == (found.words, tuple(row))
    assert curve(name).coefficients.dtype == torch.float32
