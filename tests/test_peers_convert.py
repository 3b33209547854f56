"""Objects of Qiskit, PennyLane, Cirq and OpenFermion in and out, against those libraries.

Each peer is skipped where it is not installed; `nox -s peers` installs all.
"""

import doctest
import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from oracles import dense
from oracles.compare import assert_close, assert_close_fd, central_difference
from torch.func import grad, hessian, jvp, vmap

import quilt_func as qf
from quilt_func import convert, noise
from quilt_func.testing import strategies as qst

pytestmark = pytest.mark.filterwarnings("ignore")
F64, C128 = torch.float64, torch.complex128
HALF = settings(max_examples=max(1, settings().max_examples // 2))


class Qiskit:
    """Qubit k is wire k; its own state has qubit 0 as the least significant bit."""

    def __init__(self):
        self.module = pytest.importorskip("qiskit")
        self.info = pytest.importorskip("qiskit.quantum_info")

    def there(self, given, **more):
        return convert.to_qiskit(given, **more)

    def back(self, made, n):
        return convert.from_qiskit(made)

    def state(self, made, n):
        return self.info.Statevector(made.reverse_bits()).data


class PennyLane:
    def __init__(self):
        self.module = self.qml = pytest.importorskip("pennylane")

    def there(self, given, **more):
        return convert.to_pennylane(given, **more)

    def back(self, made, n):
        return convert.from_pennylane(made, wires=range(n))()

    def state(self, made, n):
        device = self.qml.device("default.qubit", wires=n)

        @self.qml.qnode(device)
        def node():
            made()
            return self.qml.state()

        return np.asarray(node())


class Cirq:
    def __init__(self):
        self.module = self.cirq = pytest.importorskip("cirq")

    def there(self, given, **more):
        return convert.to_cirq(given, **more)

    def back(self, made, n):
        return convert.from_cirq(made, self.cirq.LineQubit.range(n))

    def state(self, made, n):
        qubits = self.cirq.LineQubit.range(n)
        return made.final_state_vector(qubit_order=qubits, dtype=np.complex128)


PEERS = [Qiskit, PennyLane, Cirq]
each_peer = pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.__name__)
THREE = qf.ry(torch.tensor([0.4, 1.1, -0.8], dtype=F64), range(3)), qf.cx([(0, 1), (1, 2)])
"""Leaves no two wires alike."""


def assert_same(got, expected, n_gates):
    """Equal up to a global phase."""
    got, expected = (torch.as_tensor(np.asarray(one.detach() if isinstance(one, torch.Tensor) else
                                                one)) for one in (got, expected))  # fmt: skip
    overlap = torch.vdot(got, expected)
    assert_close(got * overlap / overlap.abs(), expected, n_gates=64 * (1 + n_gates), scale=8.0)


def agrees(made, circuit):
    """The peer's state of what we wrote is ours, and what we read back has it too."""
    n = circuit.n_qubits
    ours = circuit(dtype=C128)
    written = made.there(circuit)
    assert_same(made.state(written, n), ours, circuit.n_gates)
    back = made.back(written, n)
    assert back.n_qubits == n
    assert_same(back(dtype=C128), ours, circuit.n_gates)
    return back


ROWS = [
    *qf.GATES, qf.controlled(qf.sx), qf.controlled(qf.u), qf.controlled(qf.rxx), qf.inverse(qf.u),
    qf.inverse(qf.iswap), qf.power(qf.x, 0.3), qf.power(qf.rzz, -0.7), qf.power(qf.h, 0.5),
    qf.controlled(qf.iswap), qf.controlled(qf.p, 2), qf.controlled(qf.single_excitation),
    qf.inverse(qf.double_excitation), qf.power(qf.givens, 0.4),
]  # fmt: skip


def mixed(row):
    angles = torch.tensor([0.7, -1.9, 2.3], dtype=F64)[: row.n_params].unbind(0)
    n = max(3, row.n_wires)
    wires = (2, 0, 1, 3)[: row.n_wires]
    more = [qf.ry(0.4, 3)] * (n - 3)
    return qf.circuit(n, THREE, more, row(*angles, *wires), THREE[1], row(*angles, *wires[::-1]))


NAMELESS = {
    "Qiskit": {qf.givens, qf.single_excitation, qf.double_excitation},
    "PennyLane": {qf.givens},
    "Cirq": {qf.u, qf.givens, qf.double_excitation},
}
"""Rows that are written as others."""


@each_peer
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_gates_there_and_back(peer, row):
    back = agrees(peer(), mixed(row))
    if row in set(qf.GATES) - NAMELESS.get(peer.__name__, set()):
        found = [op.gate for op in back.ops]
        assert row in found, "the gate keeps its name"


@each_peer
def test_words_and_matrices_there_and_back(peer):
    matrix = torch.linalg.qr(torch.complex(*(qf.uniforms((2, 4, 4), 3, dtype=F64) - 0.5)))[0]
    parts = qf.pauli_rot(0.7, "XIY", 2, 0, 1), qf.pauli_rot(-0.4, "ZYX", 1, 2, 0)
    agrees(peer(), qf.circuit(3, THREE, parts, qf.unitary(matrix, 2, 0), THREE))


@each_peer
def test_random_circuits_there_and_back(peer):
    made = peer()

    @HALF
    @given(circuit=qst.circuits(max_qubits=4))
    def agree(circuit):
        agrees(made, circuit)

    agree()


# --- parameters ---


WORDS = qf.pauli_sum({"XIZ": 0.7, "IYY": -0.5, "ZIX": 0.4, "IZI": 0.9})


def ansatz(theta, x):
    """Angles that are affine in a vector and a number, each in several places."""
    mixed = 2 * theta - x[None] / 2 + 0.3
    return qf.circuit(
        3, qf.h(range(3)), qf.ry(mixed, range(3)), qf.cx([(0, 1), (1, 2)]),
        qf.u(x, -theta[0], 0.5, 2), qf.controlled(qf.rxx)(theta[1] + theta[2], 0, 1, 2),
        qf.p(theta.flip(0), range(3)), qf.power(qf.rz, 0.3)(x, 1), qf.inverse(qf.u)(x, 0.1, x, 0),
        qf.pauli_rot(theta[0] - x, "XZ", 2, 0), qf.rx(math.pi / 3, 1),
        qf.single_excitation(theta[1], 0, 2), qf.givens(x / 2, 1, 0),
    )  # fmt: skip


THETA, X = torch.tensor([0.4, 1.3, -0.8], dtype=F64), torch.tensor(0.6, dtype=F64)
INPUTS = {"theta": torch.zeros(3, dtype=F64), "x": torch.zeros((), dtype=F64)}


def energy(make):
    return lambda *args: qf.expval(make(*args)(), WORDS)


def assert_same_function(make, args, expected):
    """Values, slopes, curvature, tangents and a batch are those of another function to circuits."""
    ours, theirs = energy(make), energy(expected)
    every = tuple(range(len(args)))
    assert_close(ours(*args), theirs(*args), n_gates=4096)
    for got, wanted in zip(grad(ours, every)(*args), grad(theirs, every)(*args), strict=True):
        assert_close(got, wanted, n_gates=4096)
    assert_close(hessian(ours)(*args), hessian(theirs)(*args), n_gates=2**16)
    both = jvp(ours, args, args)[1], jvp(theirs, args, args)[1]
    assert_close(*both, n_gates=4096)
    batch = tuple(torch.stack([a, a + 0.1, 2 * a]) for a in args)
    for got, wanted in zip(
        vmap(grad(ours, every))(*batch), vmap(grad(theirs, every))(*batch), strict=True
    ):
        assert_close(got, wanted, n_gates=4096)
    single = tuple(a.float() for a in args)
    assert grad(ours)(*single).dtype == torch.float32 == jvp(ours, single, single)[1].dtype


def test_parameters_to_qiskit_and_back():
    Qiskit()
    made = convert.to_qiskit(ansatz, INPUTS)
    assert [p.name for p in made.parameters] == ["theta[0]", "theta[1]", "theta[2]", "x"]
    back = convert.from_qiskit(made)
    assert repr(back) == "<circuit of (theta[3], x)>"
    assert_same_function(back, (THETA, X), ansatz)
    again = convert.from_qiskit(convert.to_qiskit(back))
    assert_same_function(again, (THETA, X), ansatz)


def test_parameters_to_cirq_and_back():
    Cirq()
    made = convert.to_cirq(ansatz, INPUTS)
    back = convert.from_cirq(made)
    assert repr(back) == "<circuit of (theta_0, theta_1, theta_2, x)>"
    assert_same_function(lambda theta, x: back(*theta, x=x), (THETA, X), ansatz)


def test_parameters_to_pennylane_and_back():
    PennyLane()
    back = convert.from_pennylane(convert.to_pennylane(ansatz))
    assert_same_function(back, (THETA, X), ansatz)


def test_functions_that_are_not_affine_go_to_pennylane():
    qml = PennyLane().qml
    curved = lambda x: qf.circuit(2, qf.ry(x.square(), 0), qf.cx(0, 1), qf.rz(x.sin(), 1))  # noqa: E731
    queue = convert.to_pennylane(curved)

    @qml.qnode(qml.device("default.qubit"), interface="torch")
    def node(x):
        queue(x)
        return qml.expval(qml.X(0) @ qml.Y(1))

    x = X.clone().requires_grad_()
    node(x).backward()
    expected = grad(lambda x: qf.expval(curved(x)(), qf.pauli_sum({"XY": 1.0})))(X)
    assert_close(expected, x.grad, n_gates=256)


NUMBERS = [0.4, -1.2, 0.9, 2.1]


def qiskit_expressions():
    """Each kind of expression that Qiskit has, on two parameters and a vector."""
    circuit = pytest.importorskip("qiskit.circuit")
    a, b, v = circuit.Parameter("a"), circuit.Parameter("b"), circuit.ParameterVector("v", 3)
    made = circuit.QuantumCircuit(3, global_phase=a)
    made.ry((2 * a - b) / 3 + 0.5, 0)
    made.rx(a.sin() * b.cos() - v[2] ** 2, 1)
    made.rzx(v[0], 0, 2)
    made.cu(a, b, v[0], v[2] / 2, 2, 1)
    made.crx(a * b, 1, 0, ctrl_state=0)
    made.p((a + 2.5).log() + v[0].exp(), 2)
    made.append(circuit.library.RZGate(a.tan() - b.arctan() + v[2].abs()), [0])
    made.u(-a, 1 / (b + 7), v[2], 1)
    made.barrier()
    made.rccx(0, 1, 2)
    return made, (a, b, v)


def test_every_expression_of_qiskit_is_computed():
    peer = Qiskit()
    made, (a, b, v) = qiskit_expressions()
    fn = convert.from_qiskit(made)
    assert repr(fn) == "<circuit of (a, b, v[3])>"
    values = {a: 0.4, b: -1.2, v: [0.9, 0.0, 2.1]}
    bound = made.assign_parameters({a: 0.4, b: -1.2, v[0]: 0.9, v[2]: 2.1})
    vector = torch.tensor([0.9, 0.0, 2.1], dtype=F64)
    expected = peer.state(bound, 3)
    assert len(values) == len(fn.inputs)
    assert_same(fn(0.4, -1.2, vector)(), expected, 64)
    assert_same(fn(v=vector, b=-1.2, a=torch.tensor(0.4, dtype=F64))(), expected, 64)

    def value(flat):
        return qf.expval(fn(flat[0], flat[1], flat[2:])(), WORDS)

    point = torch.tensor([0.4, -1.2, 0.9, 0.3, 2.1], dtype=F64)
    assert_close_fd(grad(value)(point), central_difference(value, point), scale=64.0)
    assert torch.isfinite(hessian(value)(point)).all()
    assert (
        pickle.loads(pickle.dumps(fn))(0.4, -1.2, vector).n_gates == fn(0.4, -1.2, vector).n_gates
    )


def test_a_vector_is_one_argument_and_one_index():
    """Sixty angles are a few ops, in any order, with whole columns of a vector."""
    library = pytest.importorskip("qiskit.circuit.library")
    peer, made = Qiskit(), library.efficient_su2(5, reps=5)
    fn = convert.from_qiskit(made)
    n = len(made.parameters)
    theta = torch.linspace(0, 5, n, dtype=F64)
    found = fn(theta)
    assert len(found.ops) < 24 < n
    assert_same(found(), peer.state(made.assign_parameters(theta.tolist()), 5), 128)


def test_templates_of_qiskit():
    library = pytest.importorskip("qiskit.circuit.library")
    peer = Qiskit()
    made = [
        library.real_amplitudes(4, reps=2), library.zz_feature_map(3),
        library.qaoa_ansatz(peer.info.SparsePauliOp(["ZZI", "IZZ", "XIX"], [1.0, 0.5, -0.3])),
        library.n_local(3, ["rx", "rz"], "ecr"), library.pauli_feature_map(2, paulis=["X", "ZY"]),
    ]  # fmt: skip
    for circuit in made:
        n = circuit.num_qubits
        fn = convert.from_qiskit(circuit)
        flat = torch.linspace(0.1, 2.0, len(circuit.parameters), dtype=F64)
        sizes = [math.prod(one.shape) for one in fn.inputs]
        args = [part.reshape(one.shape) for part, one in
                zip(flat.split(sizes), fn.inputs, strict=True)]  # fmt: skip
        assert_same(fn(*args)(), peer.state(circuit.assign_parameters(flat.tolist()), n), 128)


def test_what_qiskit_composes():
    """Definitions, modifiers, open controls and matrices, with their phases below a control."""
    circuit, library = pytest.importorskip("qiskit.circuit"), Qiskit().module.circuit.library
    peer = Qiskit()
    inner = circuit.QuantumCircuit(2, global_phase=0.7, name="inner")
    inner.rx(0.3, 0)
    inner.cz(0, 1)
    inner.u(0.2, 0.4, 0.8, 1)
    gate = inner.to_gate()
    annotated = circuit.AnnotatedOperation(
        library.RXGate(0.8),
        [circuit.InverseModifier(), circuit.ControlModifier(2, 1), circuit.PowerModifier(0.5)],
    )
    matrix = torch.linalg.qr(torch.complex(*(qf.uniforms((2, 4, 4), 9, dtype=F64) - 0.5)))[
        0
    ].numpy()
    made = circuit.QuantumCircuit(4)
    made.ry(0.4, 0)
    made.ry(1.4, 1)
    made.h([2, 3])
    made.append(gate, [3, 1])
    made.append(gate.control(1, ctrl_state=0), [0, 2, 1])
    made.append(gate.inverse().control(1), [2, 3, 0])
    made.append(annotated, [3, 0, 1])
    made.append(library.UnitaryGate(matrix), [2, 0])
    made.append(library.UnitaryGate(matrix).control(1), [1, 3, 2])
    made.append(library.XGate().control(3, ctrl_state=5), [0, 1, 3, 2])
    made.append(library.PauliEvolutionGate(peer.info.Pauli("XYZ"), 0.3), [0, 1, 3])
    made.append(library.PermutationGate([2, 0, 1]), [0, 1, 2])
    made.append(library.SXGate().power(0.3), [1])
    made.append(library.CUGate(0.1, 0.2, 0.3, 0.4, ctrl_state=0), [1, 2])
    for name, one in library.get_standard_gate_name_mapping().items():
        if isinstance(one, circuit.Gate) and one.num_qubits <= 4 and name != "global_phase":
            angles = [0.3 + 0.2 * i for i in range(len(one.params))]
            made.append(one.base_class(*angles), [2, 0, 3, 1][: one.num_qubits])
    assert_same(convert.from_qiskit(made)(dtype=C128), peer.state(made, 4), 512)


def test_cirq_composes():
    cirq, sympy = Cirq().cirq, pytest.importorskip("sympy")
    q, s, t = cirq.LineQubit.range(3), sympy.Symbol("s"), sympy.Symbol("t")
    made = cirq.Circuit(
        cirq.H.on_each(*q), cirq.X(q[0]) ** s, cirq.Y(q[1]) ** (2 * s - t), cirq.Z(q[2]) ** 0.3,
        cirq.H(q[1]) ** t, cirq.H(q[0]) ** 0.4, cirq.CX(q[0], q[1]) ** s, cirq.CZ(q[2], q[0]) ** t,
        cirq.SWAP(q[0], q[2]) ** s, cirq.ISWAP(q[1], q[0]) ** t, cirq.SWAP(q[0], q[1]) ** 0.3,
        cirq.XX(q[0], q[1]) ** s, cirq.ZZ(q[2], q[1]) ** 0.7, cirq.CCX(*q) ** s, cirq.CCZ(*q) ** t,
        cirq.FSimGate(s, t * s).on(q[0], q[2]),
        cirq.PhasedXPowGate(phase_exponent=s, exponent=t)(q[1]),
        cirq.PhasedXZGate(x_exponent=s, z_exponent=0.2, axis_phase_exponent=t)(q[0]),
        (cirq.X(q[2]) ** s).controlled_by(q[0], q[1], control_values=[0, 1]),
        cirq.global_phase_operation(1j).controlled_by(q[1]),
        cirq.XPowGate(exponent=t, global_shift=0.25)(q[0]).controlled_by(q[2]),
        cirq.rx(sympy.sin(s) * sympy.exp(t) + sympy.pi / 3)(q[1]), cirq.givens(s)(q[0], q[1]),
        cirq.qft(*q), cirq.MatrixGate(cirq.testing.random_unitary(4, random_state=3))(q[2], q[0]),
        cirq.PauliString({q[0]: cirq.X, q[2]: cirq.Y}) ** 0.3,
    )  # fmt: skip
    values = {"s": 0.37, "t": -0.81}
    fn = convert.from_cirq(made)
    resolved = cirq.resolve_parameters(made, values)
    expected = resolved.final_state_vector(qubit_order=q, dtype=np.complex128)
    assert_same(fn(**values)(dtype=C128), expected, 256)
    assert_same(convert.from_cirq(resolved)(dtype=C128), expected, 256)
    point = torch.tensor([0.37, -0.81], dtype=F64)
    tensors = fn(*point)
    assert_same(tensors(), expected, 256)

    def value(flat):
        return qf.expval(fn(*flat)(), WORDS)

    assert_close_fd(grad(value)(point), central_difference(value, point), scale=512.0)


def test_qubits_have_an_order():
    cirq = Cirq().cirq
    a, b = cirq.NamedQubit("a"), cirq.NamedQubit("b")
    made = cirq.Circuit(cirq.X(b), cirq.rx(0.3)(a))
    assert [op.wires for op in convert.from_cirq(made).ops] == [((1,),), ((0,),)]
    assert [op.wires for op in convert.from_cirq(made, [b, a]).ops] == [((0,),), ((1,),)]
    line = cirq.Circuit(cirq.X(cirq.LineQubit(2)))
    assert convert.from_cirq(line).n_qubits == 3
    with pytest.raises(ValueError, match=r"no place for cirq.NamedQubit\('b'\)"):
        convert.from_cirq(made, [a])


# --- QNodes ---


def node_of(qml, device, *measured):
    @qml.qnode(device, interface="torch")
    def node(weights, x):
        qml.AngleEmbedding(x, wires=["a", "b", "c"], rotation="Y")
        qml.StronglyEntanglingLayers(weights, wires=["a", "b", "c"])
        qml.ctrl(qml.RX, control="a", control_values=[0])(x[0], wires="b")
        qml.ctrl(qml.GlobalPhase(x[1]), control="c")
        qml.adjoint(qml.S)("a")
        qml.adjoint(qml.Rot)(x[0], x[1], x[2], wires="c")
        qml.MultiControlledX(["a", "b", "c"], control_values=[0, 1])
        qml.pow(qml.X("a"), 0.5)
        qml.pow(qml.RX(x[2], "a"), 3)
        qml.prod(qml.RX(x[0], "a"), qml.CNOT(["a", "c"]), qml.RY(0.3, "c"))
        qml.PauliRot(x[1], "XIY", wires=["c", "b", "a"])
        qml.MultiRZ(x[2], wires=["a", "b", "c"])
        qml.U2(x[0], 0.2, wires="b")
        qml.SingleExcitation(x[1], wires=["b", "a"])
        qml.QFT(wires=["b", "c"])
        qml.GlobalPhase(x[0])
        qml.CRot(x[0], x[1], x[2], wires=["c", "a"])
        return tuple(one() for one in measured)

    return node


WEIGHTS = torch.linspace(0.1, 2.0, 9, dtype=F64).reshape(1, 3, 3)
XS = torch.tensor([0.3, -1.1, 0.8], dtype=F64)


def test_qnodes_measure_the_same():
    qml = PennyLane().qml
    hermitian = np.array([[1, 2 - 1j], [2 + 1j, -3]])
    measured = [
        lambda: qml.expval(0.5 * qml.Z("a") @ qml.X("c") - 2 * qml.Y("b") + 0.3 * qml.I("a")),
        lambda: qml.var(qml.Z("a") @ qml.X("b")),
        lambda: qml.expval(qml.Hermitian(hermitian, wires="c")),
        lambda: qml.expval(qml.Projector([1, 0], wires=["c", "a"])),
        lambda: qml.probs(wires=["c", "a"]), qml.probs, qml.state,
        lambda: qml.density_matrix(wires=["b", "c"]), lambda: qml.purity(wires=["b"]),
        lambda: qml.vn_entropy(wires=["a"], log_base=2),
    ]  # fmt: skip
    device = qml.device("default.qubit", wires=["b", "a", "c"])
    node = node_of(qml, device, *measured)
    fn = convert.from_pennylane(node)
    for got, expected in zip(fn(WEIGHTS, XS), node(WEIGHTS, XS), strict=True):
        assert_close(got, expected.detach(), n_gates=2**14, scale=8.0)
    assert fn.circuit(WEIGHTS, XS).n_qubits == 3


def test_pennylanes_exponentials():
    """Their number is complex; so is that of a phase in some decompositions."""
    qml = PennyLane().qml
    ops = [
        qml.H(0), qml.RY(0.4, 1), qml.H(2), qml.X(3),
        qml.FermionicSWAP(1.2, wires=[0, 1]), qml.OrbitalRotation(0.3, wires=range(4)),
        qml.exp(qml.X(0) @ qml.Z(1), 0.6j), qml.exp(qml.X(2) + qml.Z(2), 0.6j),
        qml.ctrl(qml.exp(qml.Identity(3), 0.7j), control=2),
    ]  # fmt: skip
    tape = qml.tape.QuantumScript(ops)
    expected = qml.matrix(tape, wire_order=range(4))[:, 0]
    assert_same(convert.from_pennylane(tape)(dtype=C128), expected, 256)


def test_qnodes_have_the_same_slopes():
    qml = PennyLane().qml
    device = qml.device("default.qubit", wires=["b", "a", "c"])
    node = node_of(qml, device, lambda: qml.expval(qml.Z("a") @ qml.X("b")))
    fn = convert.from_pennylane(node)
    leaves = [one.clone().requires_grad_() for one in (WEIGHTS, XS)]
    node(*leaves)[0].backward()
    for got, expected in zip(grad(fn, (0, 1))(WEIGHTS, XS), leaves, strict=True):
        assert_close(got, expected.grad, n_gates=2**14, scale=8.0)
    batch = torch.stack([XS, 2 * XS])
    found = vmap(grad(fn, 1), (None, 0))(WEIGHTS, batch)
    for x, row in zip(batch, found, strict=True):
        assert_close(row, grad(fn, 1)(WEIGHTS, x), n_gates=2**14)
    assert hessian(fn, 1)(WEIGHTS, XS).shape == (3, 3)


def test_a_qnode_without_device_wires():
    qml = PennyLane().qml

    @qml.qnode(qml.device("default.qubit"), interface="torch")
    def node(x):
        qml.RY(x, wires=4)
        qml.CNOT([4, 2])
        return qml.state()

    assert_close(convert.from_pennylane(node)(X), node(X).detach(), n_gates=64)


def test_quantum_functions_and_tapes():
    qml = PennyLane().qml

    def quantum(x):
        qml.RX(x, wires="p")
        qml.CNOT(["p", "q"])

    fn = convert.from_pennylane(quantum)
    assert_close(fn(X)(), qf.circuit(2, qf.rx(X, 0), qf.cx(0, 1))(), n_gates=8)
    turned = convert.from_pennylane(quantum, wires=["q", "p"])(X)
    assert [op.wires for op in turned.ops] == [((1,),), ((1, 0),)]
    tape = qml.tape.QuantumScript([qml.RX(0.3, 1), qml.CNOT([1, 0])], [qml.expval(qml.Z(0))])
    assert qf.same_structure(
        convert.from_pennylane(tape), qf.circuit(2, qf.rx(0.3, 1), qf.cx(1, 0))
    )


def test_noisy_qnodes():
    qml = PennyLane().qml
    kraus = noise.amplitude_damping.kraus(torch.tensor([0.3], dtype=F64))[0].numpy()

    @qml.qnode(qml.device("default.mixed", wires=3), interface="torch", diff_method="backprop")
    def node(x, p):
        qml.RY(x, wires=0)
        qml.CNOT([0, 1])
        qml.RX(x, wires=2)
        qml.CNOT([1, 2])
        for wire, name in enumerate(["BitFlip", "PhaseFlip", "DepolarizingChannel"]):
            getattr(qml, name)(p, wires=wire)
        qml.AmplitudeDamping(p, wires=0)
        qml.GeneralizedAmplitudeDamping(p, 0.3, wires=1)
        qml.PhaseDamping(p, wires=2)
        qml.PauliError("XY", p, wires=[2, 0])
        qml.ResetError(p, 0.0, wires=1)
        qml.ThermalRelaxationError(0.2, 1.1, 1.7, 0.4, wires=0)
        qml.ResetError(0.1, 0.2, wires=2)
        qml.QubitChannel(list(kraus), wires=1)
        return qml.density_matrix(wires=[0, 1, 2])

    fn, p = convert.from_pennylane(node), torch.tensor(0.15, dtype=F64)
    before = torch.get_default_dtype()
    torch.set_default_dtype(F64)
    try:
        expected = node(X, p).detach()
    finally:
        torch.set_default_dtype(before)
    assert_close(fn(X, p), expected, n_gates=2**12, scale=16.0)

    def value(q):
        return qf.expval(fn(X, q[0]), WORDS)

    assert_close_fd(grad(value)(p[None]), central_difference(value, p[None]), scale=8.0)


# --- measurement in the middle ---


def dynamic():
    return qf.circuit(
        3, THREE, qf.measure(0, "m"), qf.conditional("m", qf.rx(0.7, 1), 1), qf.reset(0),
        qf.cx(1, 0), qf.measure([2, 1], "k"),
        qf.conditional("k", qf.controlled(qf.ry)(0.4, 1, 0), 2),
        qf.conditional("k", qf.u(0.1, 0.2, 0.3, 2), (1, 1)),
    )  # fmt: skip


@each_peer
def test_instruments_there_and_back(peer):
    made = peer()
    circuit = dynamic()
    back = made.back(made.there(circuit), 3)
    ours, theirs = (qf.run_density(one, dtype=C128) for one in (circuit, back))
    assert_close(theirs, ours, n_gates=512, scale=4.0)


def test_branches_of_qiskit():
    """Bits, registers, values and `else`; with each outcome's probability against Aer's."""
    circuit, aer = pytest.importorskip("qiskit.circuit"), pytest.importorskip("qiskit_aer")
    c = circuit.ClassicalRegister(2, "c")
    made = circuit.QuantumCircuit(
        circuit.QuantumRegister(3, "q"), c, circuit.ClassicalRegister(1, "d")
    )
    made.ry(0.9, 0)
    made.ry(1.7, 1)
    made.measure(0, 0)
    made.measure(1, 1)
    with made.if_test((c, 2)) as otherwise:
        made.ry(0.4, 2)
    with otherwise:
        made.ry(2.0, 2)
        made.cx(2, 0)
    with made.if_test((made.cregs[1], 0)):  # never measured so far
        made.rx(0.2, 2)
    with made.if_test((made.cregs[1], 1)):
        made.x(2)
    with made.if_test((c[1], 1)):
        made.x(1)
    made.reset(0)
    made.barrier()
    density = made.copy()
    density.save_density_matrix()
    simulator = aer.AerSimulator(method="density_matrix", seed_simulator=3)
    read = convert.from_qiskit(made)
    shots, own = 20_000, qf.run_density(read, dtype=C128)
    found = simulator.run(density, shots=shots).result().data()["density_matrix"].data
    reversed_axes = np.asarray(found).reshape((2,) * 6).transpose(2, 1, 0, 5, 4, 3).reshape(8, 8)
    error = 5 / math.sqrt(shots)  # Aer averages over its shots
    assert np.abs(own.numpy() - reversed_axes).max() < error
    branches = qf.run_branches(read, qf.zero_state(3, dtype=C128))
    assert set(branches.bits) == {"c[0]", "c[1]"}


def test_states_are_prepared_by_qiskit():
    """A reset of what is still 0 is nothing, so that the circuit keeps a state."""
    circuit, peer = pytest.importorskip("qiskit.circuit"), Qiskit()
    made = circuit.QuantumCircuit(3)
    made.x(2)
    made.reset(0)
    state = qf.random_state(qf.uniforms((2, 4), 3, dtype=F64)).numpy()
    made.initialize(state, [1, 0])
    made.cx(1, 2)
    found = convert.from_qiskit(made)
    assert not any(isinstance(op.gate, qf.instruments.Instrument) for op in found.ops)
    assert_same(found(dtype=C128), peer.state(made, 3), 64)
    made.reset(0)
    with pytest.raises(TypeError, match="an instrument"):
        convert.from_qiskit(made)()


def test_measurements_at_the_end_are_left_out():
    circuit = pytest.importorskip("qiskit.circuit")
    made = circuit.QuantumCircuit(2)
    made.h(0)
    made.cx(0, 1)
    made.measure_all()
    assert [op.gate for op in convert.from_qiskit(made).ops] == [qf.h, qf.cx]
    cirq = Cirq().cirq
    q = cirq.LineQubit.range(2)
    theirs = cirq.Circuit(cirq.H(q[0]), cirq.CX(*q), cirq.measure(*q))
    assert [op.gate for op in convert.from_cirq(theirs).ops] == [qf.h, qf.cx]


def test_conditions_of_pennylane():
    """Arithmetic of outcomes becomes a table."""
    qml = PennyLane().qml

    @qml.qnode(qml.device("default.qubit"), interface="torch")
    def node(x):
        qml.RY(x, 0)
        qml.RY(2 * x, 1)
        m, k = qml.measure(0, reset=True), qml.measure(1)
        qml.cond(m + k == 1, qml.RX)(x, wires=2)
        qml.cond(m & k, qml.Hadamard, qml.S)(0)
        qml.CNOT([2, 0])
        return qml.expval(qml.Z(0) @ qml.Y(2)), qml.probs(wires=[0, 1, 2])

    fn = convert.from_pennylane(node)
    for got, expected in zip(fn(X), node(X), strict=True):
        assert_close(got, expected.detach(), n_gates=256)


# --- observables ---


SUM = qf.pauli_sum({"XYI": 0.7, "IIZ": -1.5, "YIX": 0.25, "III": 0.1, "ZXY": 2.0})


def matrix_of(words):
    return dense.sum_matrix(list(words.words), [float(c) for c in words.coefficients])


def test_sums_of_qiskit():
    info = Qiskit().info
    made = convert.to_qiskit(SUM)
    reverse = np.arange(8).reshape(2, 2, 2).transpose(2, 1, 0).reshape(-1)
    assert_close(torch.from_numpy(made.to_matrix()), matrix_of(SUM)[np.ix_(reverse, reverse)])
    back = convert.from_qiskit(made)
    assert dict(back.items()) == dict(SUM.items())
    sparse = info.SparsePauliOp.from_sparse_list([("XY", [0, 2], 1.5)], num_qubits=3)
    assert dict(convert.from_qiskit(sparse).items()) == {"XIY": 1.5}
    assert dict(convert.from_qiskit(info.Pauli("-ZXI")).items()) == {"IXZ": -1.0}
    with pytest.raises(ValueError, match=r"but got the coefficient 1j"):
        convert.from_qiskit(info.SparsePauliOp(["X"], [1j]))
    with pytest.raises(ValueError, match=r"but got the coefficient "):
        convert.from_qiskit(info.Pauli("iX"))
    with pytest.raises(TypeError, match=r"got a SparsePauliOp\. Convert it with `convert.from_qis"):
        qf.pauli_sum(made)


def test_sums_of_pennylane():
    qml = PennyLane().qml
    made = convert.to_pennylane(SUM)
    assert_close(torch.from_numpy(qml.matrix(made, wire_order=range(3))), matrix_of(SUM))
    assert dict(convert.from_pennylane(made).items()) == dict(SUM.items())
    labelled = 0.5 * qml.X("b") @ qml.Y("a") - 2 * qml.Z("a")
    found = convert.from_pennylane(labelled, wires=["a", "b", "c"])
    assert dict(found.items()) == {"YXI": 0.5, "ZII": -2.0}
    assert dict(convert.from_pennylane(qml.Z(0) @ qml.Z(0)).items()) == {"I": 1.0}
    for wrong, message in (
        (1j * qml.X(0), "the coefficient 1j"), (qml.Projector([1], 0), "without `pauli_rep`"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            convert.from_pennylane(wrong)
    with pytest.raises(TypeError, match=r"`convert.from_pennylane"):
        qf.pauli_sum(labelled)


def test_sums_of_pennylane_are_trained():
    PennyLane()
    c = torch.tensor([0.3, -0.7], dtype=F64)

    def value(c):
        back = convert.from_pennylane(convert.to_pennylane(qf.pauli_sum(["XIZ", "IYY"], c)))
        return qf.expval(ansatz(THETA, X)(), back)

    expected = grad(lambda c: qf.expval(ansatz(THETA, X)(), qf.pauli_sum(["XIZ", "IYY"], c)))(c)
    assert_close(grad(value)(c), expected, n_gates=256)


def test_sums_of_cirq():
    cirq = Cirq().cirq
    made = convert.to_cirq(SUM)
    assert_close(torch.from_numpy(made.matrix(cirq.LineQubit.range(3))), matrix_of(SUM))
    assert dict(convert.from_cirq(made).items()) == dict(SUM.items())
    q = cirq.LineQubit.range(4)
    string = -2 * cirq.X(q[0]) * cirq.Y(q[2])
    assert dict(convert.from_cirq(string).items()) == {"XIY": -2.0}
    assert dict(convert.from_cirq(string, q[::-1]).items()) == {"IYIX": -2.0}
    with pytest.raises(ValueError, match="the coefficient"):
        convert.from_cirq(1j * cirq.X(q[0]))
    with pytest.raises(TypeError, match=r"`convert.from_cirq"):
        qf.pauli_sum(made)


def test_sums_of_openfermion():
    openfermion = pytest.importorskip("openfermion")
    made = convert.to_openfermion(SUM)
    matrix = openfermion.get_sparse_operator(made, n_qubits=3).toarray()
    assert_close(torch.from_numpy(matrix), matrix_of(SUM))
    assert dict(convert.from_openfermion(made).items()) == dict(SUM.items())


# --- noise ---


def assert_same_noise(aer, theirs, circuit):
    """The density matrix with a model of Aer is ours with what we read of it."""
    qiskit_circuit = convert.to_qiskit(circuit)
    qiskit_circuit.save_density_matrix()
    simulator = aer.AerSimulator(method="density_matrix")
    found = simulator.run(qiskit_circuit, shots=1, noise_model=theirs).result()
    n = circuit.n_qubits
    matrix = np.asarray(found.data()["density_matrix"].data).reshape((2,) * (2 * n))
    axes = [*reversed(range(n)), *reversed(range(n, 2 * n))]
    expected = matrix.transpose(axes).reshape(2**n, 2**n)
    noisy = noise.with_noise(circuit, convert.from_qiskit(theirs))
    assert_close(qf.run_density(noisy, dtype=C128), expected, n_gates=2**14, scale=4.0)


def test_noise_models_of_aer():
    aer = pytest.importorskip("qiskit_aer")
    errors = aer.noise
    flips = errors.pauli_error([("X", 0.07), ("I", 0.93)])
    uneven = errors.pauli_error([("XY", 0.1), ("ZI", 0.05), ("II", 0.85)])
    kinds = {
        "rx": errors.amplitude_damping_error(0.1, 0.2), "ry": errors.phase_damping_error(0.3),
        "h": errors.thermal_relaxation_error(1.0, 1.5, 0.3, 0.1),
        "s": errors.depolarizing_error(0.1, 1), "t": errors.reset_error(0.2, 0.1),
        "x": errors.coherent_unitary_error(qf.sx.matrix),
        "y": errors.pauli_error([("X", 0.1), ("Z", 0.2), ("I", 0.7)]),
        "sdg": errors.amplitude_damping_error(0.4).compose(flips),
        "cx": uneven, "cz": errors.depolarizing_error(0.2, 2), "swap": flips.tensor(flips),
        "rzz": errors.amplitude_damping_error(0.2).tensor(flips),
    }  # fmt: skip
    model = errors.NoiseModel()
    for name, error in kinds.items():
        model.add_all_qubit_quantum_error(error, [name])
    model.add_quantum_error(errors.amplitude_damping_error(0.3), ["sx"], [1])
    for pair in ([0, 2], [2, 0]):
        model.add_quantum_error(errors.depolarizing_error(0.1, 2), ["cp"], pair)
    rows = [getattr(qf, name) for name in kinds] + [qf.sx, qf.cp]
    ops = [row(*[0.4] * row.n_params, *wires[: row.n_wires])
           for row in rows for wires in ((2, 0, 1), (1, 2, 0))]  # fmt: skip
    assert_same_noise(aer, model, qf.circuit(3, THREE, ops))


def test_what_is_read_of_aer_has_names():
    aer = pytest.importorskip("qiskit_aer").noise
    cases = {
        noise.bit_flip: (aer.pauli_error([("X", 0.1), ("I", 0.9)]), (0.1,)),
        noise.depolarizing: (aer.depolarizing_error(0.2, 1), (0.15,)),
        noise.amplitude_damping: (aer.amplitude_damping_error(0.1), (0.1,)),
        noise.generalized_amplitude_damping: (aer.amplitude_damping_error(0.3, 0.2), (0.3, 0.2)),
    }  # fmt: skip
    for channel, (error, strengths) in cases.items():
        model = aer.NoiseModel()
        model.add_all_qubit_quantum_error(error, "x")
        (rule,) = convert.from_qiskit(model).rules
        assert rule.channel is channel
        assert_close(torch.tensor(rule.strengths), strengths)


def test_readout_of_aer():
    aer = pytest.importorskip("qiskit_aer").noise
    model = aer.NoiseModel()
    model.add_readout_error(aer.ReadoutError([[0.9, 0.1], [0.3, 0.7]]), [1])
    found = convert.from_qiskit(model).readout
    assert_close(found, [[[1, 0], [0, 1]], [[0.9, 0.3], [0.1, 0.7]]])
    shared = aer.NoiseModel()
    shared.add_all_qubit_readout_error([[0.9, 0.1], [0.3, 0.7]])
    assert_close(convert.from_qiskit(shared).readout, [[0.9, 0.3], [0.1, 0.7]])


def test_noise_that_has_no_counterpart():
    aer = pytest.importorskip("qiskit_aer").noise
    two, one = aer.pauli_error([("XI", 0.1), ("II", 0.9)]), aer.depolarizing_error(0.1, 1)
    cases = {
        "an error of `measure`": lambda m: m.add_all_qubit_quantum_error(one, ["measure"]),
        "in another order": lambda m: m.add_quantum_error(two, ["cx"], [0, 1]),
        "for all and for some": lambda m: (m.add_all_qubit_quantum_error(one, ["x"]),
                                           m.add_quantum_error(one, ["x"], [0])),
    }  # fmt: skip
    for told, add in cases.items():
        model = aer.NoiseModel()
        add(model)
        with pytest.raises(ValueError, match=told):
            convert.from_qiskit(model)


def test_channels_of_cirq():
    cirq = Cirq().cirq
    q = cirq.LineQubit.range(3)
    words = {"XY": 0.1, "ZI": 0.2, "II": 0.7}
    damping = noise.amplitude_damping.kraus(torch.tensor([0.3], dtype=F64))[0]
    channels = [
        cirq.bit_flip(0.1)(q[0]), cirq.phase_flip(0.2)(q[1]), cirq.depolarize(0.1)(q[2]),
        cirq.depolarize(0.2, 2)(q[2], q[0]), cirq.amplitude_damp(0.3)(q[1]),
        cirq.generalized_amplitude_damp(0.8, 0.3)(q[0]), cirq.phase_damp(0.2)(q[2]),
        cirq.asymmetric_depolarize(0.1, 0.2, 0.05)(q[1]),
        cirq.asymmetric_depolarize(error_probabilities=words)(q[2], q[1]),
        cirq.ResetChannel().with_probability(0.3)(q[0]), cirq.X(q[2]).with_probability(0.2),
        cirq.KrausChannel(list(damping.numpy()))(q[0]),
    ]  # fmt: skip
    made = convert.to_cirq(qf.circuit(3, THREE)) + cirq.Circuit(channels) + convert.to_cirq(
        qf.circuit(3, THREE)
    )  # fmt: skip
    simulator = cirq.DensityMatrixSimulator(dtype=np.complex128)
    expected = simulator.simulate(made, qubit_order=q).final_density_matrix
    found = convert.from_cirq(made)
    assert_close(qf.run_density(found, dtype=C128), expected, n_gates=2**12, scale=4.0)
    names = {op.gate for op in found.ops}
    assert {noise.bit_flip, noise.two_qubit_depolarizing, noise.phase_flip} <= names
    again = simulator.simulate(convert.to_cirq(found), qubit_order=q).final_density_matrix
    assert_close(qf.run_density(found, dtype=C128), again, n_gates=2**12, scale=4.0)


def test_noise_models_of_cirq():
    cirq = Cirq().cirq
    circuit = qf.circuit(3, THREE)
    for channel in (cirq.depolarize(0.05), cirq.generalized_amplitude_damp(0.7, 0.2)):
        theirs = convert.to_cirq(circuit).with_noise(channel)
        simulator = cirq.DensityMatrixSimulator(dtype=np.complex128)
        expected = simulator.simulate(theirs).final_density_matrix
        for model in (channel, cirq.ConstantQubitNoiseModel(channel)):
            noisy = noise.with_noise(circuit, convert.from_cirq(model))
            assert_close(qf.run_density(noisy, dtype=C128), expected, n_gates=2**12)
    assert convert.from_cirq(cirq.NO_NOISE).rules == ()
    with pytest.raises(ValueError, match="`ConstantQubitNoiseModel`"):
        convert.from_cirq(cirq.ConstantQubitNoiseModel(channel, prepend=True))


# --- graphs and counts ---


def test_graphs_of_networkx():
    networkx = pytest.importorskip("networkx")
    graph = networkx.Graph()
    graph.add_weighted_edges_from([("a", "c", 0.5), ("c", "b", 2.0)])
    graph.add_edge("a", "b")
    expected = qf.problems.maxcut(3, [(0, 1), (0, 2), (1, 2)], [0.5, 1.0, 2.0])
    assert dict(qf.problems.maxcut(graph).items()) == dict(expected.items())


@pytest.mark.parametrize("name", ["max_independent_set", "min_vertex_cover", "max_clique"])
def test_problems_of_pennylane(name):
    """Its Hamiltonians are twice ours with a penalty of 3 / 2, up to a constant."""
    qml, networkx = pytest.importorskip("pennylane"), pytest.importorskip("networkx")
    graph = networkx.Graph([("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("d", "e")])
    theirs, _ = getattr(qml.qaoa, name)(graph, constrained=False)
    expected = np.diag(qml.matrix(theirs, wire_order=list(graph.nodes))).real
    ours = getattr(qf.problems, name)(graph, penalty=1.5)
    found = 2 * qf.to_diagonal(ours, dtype=F64).values
    assert_close(found - found.mean(), expected - expected.mean(), n_gates=64, scale=16)


def test_magnets_on_a_lattice_of_networkx():
    networkx = pytest.importorskip("networkx")
    lattice = networkx.grid_2d_graph(2, 3)
    pairs = [(0, 1), (1, 2), (3, 4), (4, 5), (0, 3), (1, 4), (2, 5)]
    found = qf.problems.transverse_field_ising(lattice, 1.0, 0.5)
    expected = qf.problems.transverse_field_ising(6, 1.0, 0.5, edges=pairs)
    assert dict(found.items()) == dict(expected.items())


def test_counts_of_qiskit():
    circuit, primitives = (
        pytest.importorskip("qiskit.circuit"),
        pytest.importorskip("qiskit.primitives"),
    )
    made = circuit.QuantumCircuit(3)
    made.x(0)
    made.measure_all()
    counts = primitives.StatevectorSampler().run([made], shots=5).result()[0].data.meas.get_counts()
    state = convert.from_qiskit(made)()
    ours = qf.counts(qf.sample(state, qf.uniforms(5, 0)), 3)
    assert convert.counts_from_qiskit(counts) == ours == {"100": 5}
    assert convert.counts_to_qiskit(ours) == counts


# --- what is refused ---


def refused_by_qiskit():
    circuit = pytest.importorskip("qiskit.circuit")
    loop = circuit.QuantumCircuit(1, 1)
    with loop.while_loop((loop.clbits[0], 0)):
        loop.measure(0, 0)
    opaque = circuit.QuantumCircuit(1)
    opaque.append(circuit.Gate("mystery", 1, []), [0])
    nested = circuit.QuantumCircuit(1, 1)
    nested.measure(0, 0)
    with nested.if_test((nested.clbits[0], 1)):
        nested.reset(0)
    inner = circuit.QuantumCircuit(1, 1, name="inner")
    inner.measure(0, 0)
    inner.x(0)
    outer = circuit.QuantumCircuit(1, 1)
    outer.append(inner.to_instruction(), [0], [0])
    return {
        "`while_loop`": loop,
        "`mystery`": opaque,
        "`inner`": outer,
        "`reset` within `if_test`": nested,
    }


def test_unknown_things_are_refused_by_name():
    for name, made in refused_by_qiskit().items():
        with pytest.raises(ValueError, match=rf"from_qiskit\(given=.* but got {name}"):
            convert.from_qiskit(made)
    qml = PennyLane().qml
    with pytest.raises(ValueError, match="of a batch"):
        convert.from_pennylane(lambda x: qml.RX(x, 0))(torch.zeros(3))
    node = qml.qnode(qml.device("default.qubit"))(lambda: qml.sample(wires=[0]))
    with pytest.raises(ValueError, match="but got `SampleMP`"):
        convert.from_pennylane(node)()
    with pytest.raises(ValueError, match="shots"):
        convert.from_pennylane(qml.set_shots(node, 10))()
    cirq = Cirq().cirq
    qubit = cirq.LineQubit(0)
    mystery = type("Mystery", (cirq.Gate,), {"_num_qubits_": lambda self: 1})()
    with pytest.raises(ValueError, match="`Mystery`"):
        convert.from_cirq(cirq.Circuit(mystery(qubit)))
    for write in (convert.to_qiskit, convert.to_cirq):
        with pytest.raises(ValueError, match="not known to be unitary"):
            write(qf.circuit(1, qf.linear(torch.zeros(2, 2, dtype=C128), 0)))
        with pytest.raises(ValueError, match="another one of `ry`"):
            write(lambda x: qf.circuit(1, qf.ry(x.sin(), 0)), {"x": torch.zeros(())})
    with pytest.raises(ValueError, match="the channel `bit_flip`"):
        convert.to_qiskit(qf.circuit(1, noise.bit_flip(0.1, 0)))


# --- wrong conversions are noticed ---


def test_wrong_wires_are_noticed():
    """The laws above fail on what people do wrong: forget the reversal, or the half angle."""
    made, circuit = Qiskit(), mixed(qf.rxx)
    with pytest.raises(AssertionError, match="deviation"):
        assert_same(made.info.Statevector(made.there(circuit)).data, circuit(dtype=C128), 9)
    halves = [qf.Op(op.gate, op.wires, tuple(p / 2 for p in op.params)) for op in circuit.ops]
    halved = qf.circuit(3, halves)
    with pytest.raises(AssertionError, match="deviation"):
        assert_same(made.state(made.there(halved), 3), circuit(dtype=C128), 9)
    forgotten = qf.pauli_sum({word[::-1]: c for word, c in SUM.items()})
    assert np.abs(matrix_of(forgotten) - matrix_of(SUM)).max() > 0.1


# --- the examples of the docstrings ---


@pytest.mark.parametrize("name", convert.__all__)
def test_docstrings_are_run(name):
    """They are left out where the library that they are about may be missing."""
    library = {"cirq": "cirq", "qiskit": "qiskit", "openfermion": "openfermion"}
    pytest.importorskip(library.get(name.split("_")[-1], "pennylane"))
    fn = getattr(convert, name)
    text = fn.__doc__.replace("# doctest: +SKIP", "")
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    (test,) = [doctest.DocTestParser().get_doctest(text, dict(vars(convert)), name, None, 0)]
    assert test.examples
    runner.run(test)
    assert runner.failures == 0
