"""Noise against Aer, PennyLane, Cirq and TensorCircuit-NG: densities, their gradients, readout.

Each peer is skipped where it is not installed; `nox -s peers` installs all. What is written for a
channel there is read from the table of conventions in `docs/noise.md`, so that each of its cells is
run. A peer's own gradients are taken where it has some, and central differences of its values
elsewhere.
"""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import dense
from oracles.compare import assert_close, assert_close_fd, central_difference
from oracles.noise_peers import (
    GATES,
    PEERS,
    Aer,
    Cirq,
    PennyLane,
    TensorCircuit,
    circuit_of,
    strengths,
    table,
)
from torch.func import grad

import quilt_func as qf
from quilt_func import noise
from quilt_func.testing import strategies as qst

pytestmark = pytest.mark.filterwarnings("ignore")
F64, C128 = torch.float64, torch.complex128
FEW = settings(max_examples=max(1, settings().max_examples // 4))
each_peer = pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)


def each_cell(chosen=lambda row: True):
    """Over the cells of the table, or those of some channels."""
    found = [pytest.param(peer, cell, id=f"{peer.name}: {cell[2]}")
             for peer in PEERS for cell in table()[peer.name] if chosen(cell[0])]  # fmt: skip
    return pytest.mark.parametrize(("peer", "cell"), found)


def is_named(row):
    return not row.param_shape


TURNS = [(qf.h, (0,)), (qf.ry, (1,)), (qf.cx, (0, 2)), (qf.rx, (2,)), (qf.cx, (1, 0)),
         (qf.ry, (0,)), (qf.rz, (1,)), (qf.cx, (2, 1))]  # fmt: skip
"""Entangles three wires, and leaves no two alike."""
ANGLES = torch.tensor([0.7, 1.9, -0.4, 2.3], dtype=F64)
WORDS = qf.pauli_sum({"XIZ": 0.7, "IYY": -0.5, "ZIX": 0.4, "IZI": 0.9, "XXI": 0.3})


def drawn(plan, seed):
    """Angles and strengths of a plan, away from where slopes are infinite."""
    u = [0.05 + 0.9 * qf.uniforms(row.n_params, seed + i, dtype=F64) for i, (row, _) in
         enumerate(plan)]  # fmt: skip
    return torch.cat([strengths(row, own) for (row, _), own in zip(plan, u, strict=True)])


def density(plan, numbers):
    return qf.run_density(circuit_of(3, plan, numbers), dtype=C128)


def plain(numbers):
    return numbers.tolist() if isinstance(numbers, torch.Tensor) else numbers


def compare(made, plan, numbers):
    with made.activated():
        expected = np.asarray(made.density(3, plan, plain(numbers)))
    assert_close(density(plan, numbers), expected, n_gates=64 * len(plan), scale=made.scale)


def compare_slopes(made, plan, numbers):
    """By the peer's own gradients, where it has some for all of the plan, and by differences."""
    words = list(WORDS.items())
    matrix = dense.sum_matrix([word for word, _ in words], [float(c) for _, c in words])
    own = grad(lambda v: qf.expval(density(plan, v), WORDS))(numbers)
    if made.is_automatic(plan):
        with made.activated():
            expected = made.slopes(3, plan, numbers, matrix)
        assert_close(own, expected, n_gates=4096 * len(plan), scale=8.0 * made.scale)

    def value(v):
        return torch.tensor(np.trace(np.asarray(made.density(3, plan, v.tolist())) @ matrix).real)

    with made.activated():
        assert_close_fd(own, central_difference(value, numbers), scale=8.0)


def on_turned_wires(row):
    """The row between gates, on the last wires first: a wrong order shows."""
    return [*TURNS, (row, (2, 0, 1)[: row.n_wires]), (qf.cx, (2, 0)), (qf.ry, (2,))]


def operators():
    """Kraus operators on two wires that no order of wires leaves alone."""
    u = qf.uniforms((2, 8, 8), 5, dtype=F64) - 0.5
    isometry = torch.linalg.qr(torch.complex(u[0], u[1]))[0][:, :4]
    return isometry.reshape(2, 4, 4)


@each_cell()
def test_cells_of_the_table(peer, cell):
    made = peer([cell])
    row = cell[0]
    plan = on_turned_wires(row)
    if row.param_shape:
        own = operators()
        given = [*ANGLES.tolist(), own, 0.3]
        with made.activated():
            theirs = [*ANGLES.tolist(), list(own.numpy()), 0.3]
            expected = np.asarray(made.density(3, plan, theirs))
        assert_close(density(plan, given), expected, n_gates=1024)
        return
    for seed in range(4):
        compare(made, plan, drawn(plan, seed))


@each_cell(is_named)
def test_slopes_of_cells(peer, cell):
    plan = on_turned_wires(cell[0])
    compare_slopes(peer([cell]), plan, drawn(plan, 7))


@each_cell(lambda row: is_named(row) and row.n_params == 1)
@pytest.mark.parametrize("end", [0.0, 1.0])
def test_cells_at_the_ends(peer, cell, end):
    plan = on_turned_wires(cell[0])
    numbers = drawn(plan, 3)
    numbers[4] = end
    if end == 1.0 and cell[2] in ("AmplitudeDamping(gamma)", "PhaseDamping(gamma)"):
        numbers[4] = 0.999  # at 1 its coherences are those of a strength of 1 - 1e-14
    compare(peer([cell]), plan, numbers)


@pytest.mark.parametrize("peer", [Aer, PennyLane, TensorCircuit], ids=lambda peer: peer.name)
@pytest.mark.parametrize("t2", [0.3, 1.0, 1.2, 2.0])
@pytest.mark.parametrize("excited", [0.0, 0.3, 1.0])
def test_both_regimes_of_thermal_relaxation(peer, t2, excited):
    plan = on_turned_wires(noise.thermal_relaxation)
    numbers = torch.cat([ANGLES, torch.tensor([0.7, 1.0, t2, excited, 0.3], dtype=F64)])
    compare(peer(), plan, numbers)


WRONG = [
    (Aer, noise.depolarizing, "p", "depolarizing_error(p, 1)"),
    (Aer, noise.two_qubit_depolarizing, "p", "depolarizing_error(4 * p / 3, 2)"),
    (Aer, noise.pauli_errors(("XY",)), "p", 'pauli_error([("YX", p), ("II", 1 - p)])'),
    (PennyLane, noise.generalized_amplitude_damping, "gamma, excited",
     "GeneralizedAmplitudeDamping(gamma, 1 - excited)"),
    (Cirq, noise.generalized_amplitude_damping, "gamma, excited",
     "generalized_amplitude_damp(excited, gamma)"),
    (TensorCircuit, noise.depolarizing, "p", "generaldepolarizingchannel(p)"),
    (TensorCircuit, noise.amplitude_damping, "gamma", "amplitudedampingchannel(gamma, 0)"),
]  # fmt: skip


@pytest.mark.parametrize(("peer", "row", "names", "text"), WRONG, ids=lambda one: str(one))
def test_wrong_cells_are_noticed(peer, row, names, text):
    plan = on_turned_wires(row)
    made = peer([(row, names.split(", "), text)])
    numbers = torch.cat([ANGLES, torch.full((row.n_params,), 0.2, dtype=F64), ANGLES[:1]])
    with pytest.raises(AssertionError, match="deviation"):
        compare(made, plan, numbers)


@st.composite
def plans(draw, made, most):
    """Gates and channels after those that entangle three wires."""
    rows = [*GATES, *filter(is_named, made.cells)]
    chosen = draw(st.lists(st.sampled_from(rows), min_size=4, max_size=most))
    return TURNS + [(row, draw(qst.wires(3, size=row.n_wires))) for row in chosen]


SEEDS = st.integers(0, 2**16 - 1)


@each_peer
def test_random_circuits(peer):
    made = peer()

    @given(plans(made, 16), SEEDS)
    def densities_agree(plan, seed):
        compare(made, plan, drawn(plan, seed))

    densities_agree()


@each_peer
def test_slopes_of_random_circuits(peer):
    """By all angles and strengths at once."""
    made = peer()

    @FEW
    @given(plans(made, 10), SEEDS)
    def slopes_agree(plan, seed):
        compare_slopes(made, plan, drawn(plan, seed))

    slopes_agree()


def test_noise_model_of_aer():
    """Channels after gates, by gate and by wire; with one wire's, on two, on each of them."""
    made, numbers = Aer(), drawn(TURNS, 5)
    errors = made.aer.noise
    theirs = errors.NoiseModel()
    damping = [0.1, 0.02, 0.3]
    for wire, gamma in enumerate(damping):
        theirs.add_quantum_error(errors.amplitude_damping_error(gamma), ["rx", "ry"], [2 - wire])
    theirs.add_all_qubit_quantum_error(errors.depolarizing_error(0.05 * 16 / 15, 2), ["cx"])
    flip = errors.pauli_error([("X", 0.07), ("I", 0.93)])
    theirs.add_all_qubit_quantum_error(flip.tensor(flip), ["cz"])
    ours = noise.noise_model(
        noise.rule(noise.amplitude_damping, torch.tensor(damping, dtype=F64), gates=[qf.rx, qf.ry]),
        noise.rule(noise.two_qubit_depolarizing, 0.05, gates=qf.cx),
        noise.rule(noise.bit_flip, 0.07, gates=qf.cz),
    )
    plan = [*TURNS, (qf.cz, (0, 2))]
    circuit = made.circuit(3, plan, numbers.tolist())
    circuit.save_density_matrix()
    found = made.simulator.run(circuit, shots=1, noise_model=theirs).result()
    noisy = noise.with_noise(circuit_of(3, plan, numbers), ours)
    expected = found.data()["density_matrix"].data
    assert_close(qf.run_density(noisy, dtype=C128), expected, n_gates=1024)


def test_noise_model_of_cirq():
    """A channel after every moment on every wire: after gates, and on those that idle."""
    made, numbers = Cirq(), drawn(TURNS, 6)
    circuit, qubits = made.circuit(3, TURNS, numbers.tolist())
    theirs = circuit.with_noise(made.cirq.depolarize(0.05))
    found = made.simulator.simulate(theirs, qubit_order=qubits).final_density_matrix
    rules = [noise.rule(noise.depolarizing, 0.05, when=when) for when in ("after", "idle")]
    noisy = noise.with_noise(circuit_of(3, TURNS, numbers), noise.noise_model(*rules))
    assert_close(qf.run_density(noisy, dtype=C128), found, n_gates=1024)


def confusions():
    """Matrices `A[measured, true]` of single wires, none symmetric, and one of the last two."""
    u = qf.uniforms((3, 2), 9, dtype=F64) / 4
    single = torch.stack([1 - u[:, 0], u[:, 1], u[:, 0], 1 - u[:, 1]], -1).reshape(3, 2, 2)
    both = torch.eye(4, dtype=F64) + qf.uniforms((4, 4), 10, dtype=F64) / 4
    return single, both / both.sum(0)


def truth(numbers):
    return qf.probs(density(READ, numbers))


def assert_frequencies(counts, expected):
    """Up to five standard errors."""
    shots, expected = counts.sum(), expected.numpy()
    error = 5 * np.sqrt(expected * (1 - expected) / shots)
    assert (np.abs(counts / shots - expected) <= error).all()


SHOTS = 20_000
READ = on_turned_wires(noise.amplitude_damping)


def test_readout_of_aer():
    """Its rows are true outcomes. Errors of several bits at once it takes, but does not make."""
    made, numbers = Aer(), drawn(READ, 1)
    single, _ = confusions()
    model = made.aer.noise.NoiseModel()
    for wire, A in enumerate(single):
        model.add_readout_error(made.aer.noise.ReadoutError(A.T.numpy()), [2 - wire])
    circuit = made.circuit(3, READ, numbers.tolist())
    circuit.measure_all()
    found = made.simulator.run(circuit, shots=SHOTS, noise_model=model, seed_simulator=4).result()
    counts = np.zeros(8)
    for word, count in found.get_counts().items():
        counts[int(word, 2)] = count
    assert_frequencies(counts, noise.readout(truth(numbers), single))


def test_readout_of_cirq():
    """Wire 0 by a matrix of its own, wires 1 and 2 by one; rows are true outcomes."""
    made, numbers = Cirq(), drawn(READ, 2)
    single, both = confusions()
    circuit, qubits = made.circuit(3, READ, numbers.tolist())
    maps = {(0,): single[0].T.numpy(), (1, 2): both.T.numpy()}
    circuit.append(made.cirq.measure(*qubits, key="m", confusion_map=maps))
    simulator = made.cirq.DensityMatrixSimulator(dtype=np.complex128, seed=5)
    bits = simulator.run(circuit, repetitions=SHOTS).measurements["m"]
    counts = np.bincount(bits @ np.array([4, 2, 1]), minlength=8)
    read = noise.readout(noise.readout(truth(numbers), single[:1], [0]), both, [1, 2])
    assert_frequencies(counts, read)


def test_readout_of_tensorcircuit():
    """It is given the probabilities that a bit is read as it is."""
    made, numbers = TensorCircuit(), drawn(READ, 3)
    single, _ = confusions()
    probs = truth(numbers)
    with made.activated():
        kept = [[float(A[0, 0]), float(A[1, 1])] for A in single]
        expected = np.asarray(made.tc.Circuit(3).readouterror_bs(kept, probs.numpy()))
    assert_close(noise.readout(probs, single), expected, n_gates=64)


def test_transposed_readout_is_noticed():
    single, _ = confusions()
    probs = truth(drawn(READ, 1))
    transposed = single.mT / single.mT.sum(1, keepdim=True)
    with pytest.raises(AssertionError):
        assert_frequencies(SHOTS * noise.readout(probs, transposed).numpy(),
                           noise.readout(probs, single))  # fmt: skip
