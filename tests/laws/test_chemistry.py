"""Electrons: occupations by mapping, excitations that keep number and spin, energies."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import fermions
from oracles.compare import assert_close

import quilt_func as qf
from quilt_func import chemistry, molecules
from quilt_func.testing import strategies as qst

F64, C128 = torch.float64, torch.complex128
MAPPINGS = ("jordan_wigner", "parity", "bravyi_kitaev")
COUNTS = st.integers(1, 8).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
WRITTEN = 10.0**-9
"""Energies of coefficients that are written with 12 digits, in hartree."""
FEW = st.sampled_from([(1, 2), (1, 4), (2, 4), (3, 4), (2, 5), (3, 6), (2, 6), (4, 6)])


def assert_encodes(found, mapping, n_electrons, n):
    occupied = np.arange(n) < n_electrons
    expected = fermions.encoding(mapping, n) @ occupied % 2
    assert found == "".join(map(str, expected))


@pytest.mark.parametrize("mapping", MAPPINGS)
@given(counts=COUNTS)
def test_a_mapping_is_its_matrix(mapping, counts):
    assert_encodes(chemistry.hartree_fock(*counts, mapping), mapping, *counts)


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_mutants_of_mappings_die(mapping):
    right = chemistry.hartree_fock(3, 7, mapping)
    others = {chemistry.hartree_fock(3, 7, other) for other in MAPPINGS} - {right}
    for wrong in {right[::-1], chemistry.hartree_fock(4, 7, mapping), *others}:
        with pytest.raises(AssertionError):
            assert_encodes(wrong, mapping, 3, 7)


def assert_all_there_are(found, counts):
    expected = fermions.brute_force_excitations(*counts)
    for some, those in zip(found, expected, strict=True):
        assert set(some) == those
        assert list(some) == sorted(those)


@given(counts=COUNTS)
def test_excitations_are_all_there_are(counts):
    assert_all_there_are(chemistry.excitations(*counts), counts)


def test_mutants_of_excitations_die():
    singles, doubles = chemistry.excitations(2, 6)
    wrong = [
        (singles[1:], doubles), (singles, doubles[::-1]), ((*singles, (0, 3)), doubles),
        (singles, (*doubles, (0, 1, 2, 4))), chemistry.excitations(3, 6),
    ]  # fmt: skip
    for found in wrong:
        with pytest.raises(AssertionError):
            assert_all_there_are(found, (2, 6))


# --- what is kept ---


def assert_keeps(circuit, state):
    """The mean, and the spread, of the number of electrons and of their spin stay as they are."""
    n = circuit.n_qubits
    after = circuit(state)
    for kept in map(torch.from_numpy, fermions.numbers(n)):
        for power in (kept, kept @ kept):
            observable = qf.hermitian(power.to(C128))
            expected = qf.expval(state, observable)
            assert_close(qf.expval(after, observable), expected, n_gates=8 * n, scale=n * n)


def ansatz(counts, data, parity_strings):
    n_electrons, n = counts
    n_angles = sum(map(len, chemistry.excitations(n_electrons, n)))
    theta = data.draw(qst.angles(n_angles))
    return theta, chemistry.uccsd(theta, n_electrons, n, parity_strings=parity_strings)


@given(counts=FEW, seed=st.integers(0, 99), data=st.data(), parity_strings=st.booleans())
def test_number_and_spin_are_kept(counts, seed, data, parity_strings):
    n = counts[1]
    state = qf.random_state(qf.uniforms((2, 2**n), seed, dtype=F64))
    assert_keeps(qf.circuit(n, ansatz(counts, data, parity_strings)[1]), state)


@given(theta=qst.angles(3), seed=st.integers(0, 99))
def test_gates_keep_the_number(theta, seed):
    state = qf.random_state(qf.uniforms((2, 16), seed, dtype=F64))
    parts = (
        qf.givens(theta[0], 3, 1), qf.single_excitation(theta[1], 0, 2),
        qf.double_excitation(theta[2], 2, 1, 0, 3),
    )  # fmt: skip
    assert_keeps(qf.circuit(4, parts), state)


LEAKS = {
    "an angle of XX alone": qf.rxx(0.7, 0, 2),
    "a flip of one spin": qf.single_excitation(0.7, 0, 1),
    "another electron": qf.rx(0.7, 1),
    "pairs of unlike spin": qf.double_excitation(0.7, 0, 2, 1, 3),
    "a number that is not": qf.linear(torch.diag(torch.tensor([1, 0.5], dtype=C128)), 0),
}


@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)
def test_mutants_that_lose_electrons_or_spin_die(leak):
    state = qf.circuit(4, qf.ry(torch.tensor([0.4, 1.3, 0.9, 2.0], dtype=F64), range(4)))()
    with pytest.raises(AssertionError):
        assert_keeps(qf.circuit(4, leak), state)


# --- the ansatz is that of the textbook ---


def assert_is_the_product(theta, parts, counts):
    singles, doubles = chemistry.excitations(*counts)
    order = [*theta[len(singles) :], *theta[: len(singles)]]
    expected = fermions.moved(map(float, order), [*doubles, *singles], counts[1])
    found = qf.circuit(counts[1], parts).unitary(dtype=C128)
    assert_close(found, expected, n_gates=16 * (1 + len(order)), scale=1)


@given(counts=FEW.filter(lambda counts: counts[0] < counts[1]), data=st.data())
def test_the_ansatz_is_a_product_of_exponentials(counts, data):
    assert_is_the_product(*ansatz(counts, data, parity_strings=True), counts)


def test_mutants_of_the_ansatz_die():
    counts = 2, 6
    n_singles = len(chemistry.excitations(*counts).singles)
    theta = 0.3 + qf.uniforms(8, 0, dtype=F64)
    wrong = {
        "no strings": chemistry.uccsd(theta, *counts, parity_strings=False),
        "singles first": chemistry.uccsd(theta, *counts)[::-1],
        "the sign": chemistry.uccsd(-theta, *counts),
        "angles in another order": chemistry.uccsd(theta.roll(n_singles), *counts),
    }
    for parts in wrong.values():
        with pytest.raises(AssertionError):
            assert_is_the_product(theta, parts, counts)


# --- molecules ---


def sector(name, length, mapping):
    """The lowest energy of two electrons, by a dense matrix."""
    matrix = molecules.molecule(name, length, mapping=mapping).to_matrix().numpy()
    if mapping == "jordan_wigner":
        n = len(matrix).bit_length() - 1
        number, spin = (np.diag(kept).round() for kept in fermions.numbers(n))
        kept = (number == 2) & (spin == 0)
        matrix = matrix[kept][:, kept]
    return torch.tensor(np.linalg.eigvalsh(matrix)[0])


@pytest.mark.parametrize("name", ["H2", "LiH"])
def test_mappings_have_one_energy(name):
    for length in molecules.bond_lengths(name)[::5]:
        both = [sector(name, length, mapping) for mapping in ("reduced", "jordan_wigner")]
        assert abs(float(both[0] - both[1])) < WRITTEN
        starts = [
            qf.expval(
                qf.basis_state(molecules.hartree_fock(name, mapping), dtype=C128),
                molecules.molecule(name, length, mapping=mapping),
            )
            for mapping in ("reduced", "jordan_wigner")
        ]
        assert abs(float(starts[0] - starts[1])) < WRITTEN
        assert float(starts[0]) > float(both[0]) + 0.001, "electrons correlate"


@pytest.mark.parametrize(
    ("name", "length", "energy"), [("H2", 0.735, -1.116998997), ("LiH", 1.595, -7.862023860)]
)
def test_the_reference_state_has_the_energy_of_hartree_fock(name, length, energy):
    """RHF in STO-3G, by pyscf; the lowest of all basis states of the reduced mapping."""
    one = molecules.molecule(name, length)
    start = qf.basis_state(molecules.hartree_fock(name), dtype=C128)
    assert abs(float(qf.expval(start, one)) - energy) < WRITTEN
    assert int(one.to_matrix().real.diagonal().argmin()) == int(molecules.hartree_fock(name), 2)
    assert molecules.hartree_fock(name, "jordan_wigner") == chemistry.hartree_fock(
        2, {"H2": 4, "LiH": 6}[name]
    )


@pytest.mark.parametrize("name", ["H2", "LiH"])
def test_the_ansatz_reaches_the_exact_energy(name):
    """Two electrons: singles and doubles are all there is."""
    n = {"H2": 4, "LiH": 6}[name]
    length = {"H2": 0.735, "LiH": 1.595}[name]
    observable = molecules.molecule(name, length, mapping="jordan_wigner")
    start = qf.basis_state(chemistry.hartree_fock(2, n), dtype=C128)

    def energy(theta):
        return qf.expval(qf.circuit(n, chemistry.uccsd(theta, 2, n))(start), observable)

    theta = torch.zeros(sum(map(len, chemistry.excitations(2, n))), dtype=F64)
    slopes = torch.func.grad(energy)(theta)
    assert float(slopes[: len(chemistry.excitations(2, n).singles)].abs().max()) < 100 * WRITTEN, (
        "Brillouin; orbitals converge as roots of energies"
    )
    found = qf.optim.minimise(energy, theta, qf.optim.lbfgs(), 30)
    assert abs(float(energy(found.params)) - float(sector(name, length, "jordan_wigner"))) < WRITTEN


@pytest.mark.parametrize(("n_electrons", "n_orbitals"), [(2, 4), (2, 6), (4, 8)])
def test_uccsd_starts_at_the_reference(n_electrons, n_orbitals):
    theta = qf.chemistry.init_uccsd(n_electrons, n_orbitals, dtype=torch.float64)
    start = qf.basis_state(
        qf.chemistry.hartree_fock(n_electrons, n_orbitals), dtype=torch.complex128
    )
    ops = qf.chemistry.uccsd(theta, n_electrons, n_orbitals)
    assert torch.equal(qf.circuit(n_orbitals, ops)(start), start)
