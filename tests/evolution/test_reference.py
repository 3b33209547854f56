"""The reference path by itself, and the law that the choice of route never changes a result."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import dense
from oracles.compare import assert_close
from systems import beam_splitter, damp
from torch.func import grad, hessian, jvp, vmap

import quilt_func as qf
from quilt_func.evolution import reference
from quilt_func.testing import strategies as qst

F32, F64 = torch.float32, torch.float64
each_real = pytest.mark.parametrize("real", [F32, F64], ids=str)


@given(data=st.data())
def test_one_matrix_on_any_wires(data):
    n = data.draw(st.integers(1, 6))
    size = data.draw(st.integers(1, min(3, n)))
    wires = data.draw(qst.wires(n, size=size))
    state = data.draw(qst.states(n))
    u = data.draw(qst.uniforms((2, 2**size, 2**size)))
    matrix = torch.complex(*(u - 0.5))
    expected = dense.embed(matrix.numpy(), wires, n) @ state.numpy()
    assert_close(reference.apply_matrix(matrix, wires, state), expected, n_gates=8, scale=8.0)


@each_real
@given(data=st.data())
def test_reference_path_is_the_oracle(real, data):
    circuit = data.draw(qst.circuits(dtype=real))
    state = data.draw(qst.states(circuit.n_qubits, dtype=real.to_complex()))
    steps = 8 * circuit.n_gates + 8
    assert_close(reference.run(circuit.ops, state), dense.run(circuit.ops, state), n_gates=steps)


@each_real
@given(data=st.data())
def test_routes_agree(real, data):
    circuit = data.draw(qst.circuits(min_qubits=0, max_qubits=11, max_ops=60, dtype=real))
    n, steps = circuit.n_qubits, 8 * circuit.n_gates + 8
    for state in (qf.zero_state(n, dtype=real.to_complex()),
                  data.draw(qst.states(n, dtype=real.to_complex()))):  # fmt: skip
        plain = reference.run(circuit.ops, state)
        assert_close(qf.evolve(n, circuit.ops, state), plain, n_gates=steps)


def fidelity_by(run, state, other):
    def value(circuit, start=state):
        return qf.fidelity(other, run(circuit, start))

    return value


def plain(circuit, state):
    return reference.run(circuit.ops, state)


def leaves_of(tree):
    return torch.cat([torch.view_as_real(leaf).flatten() if leaf.is_complex() else leaf.flatten()
                      for leaf in tree.leaves] or [torch.zeros(0)])  # fmt: skip


@each_real
@given(data=st.data())
def test_routes_agree_on_gradients(real, data):
    """By every leaf, unitary matrices included: as functions of matrix entries all agree."""
    circuit = data.draw(qst.circuits(max_qubits=10, max_ops=60, dtype=real))
    dtype, n = real.to_complex(), circuit.n_qubits
    start, other = data.draw(qst.states(n, dtype=dtype)), data.draw(qst.states(n, dtype=dtype))
    ours = fidelity_by(lambda c, s: c(s), start, other)
    reference = fidelity_by(plain, start, other)
    bounds = {"n_gates": 64 * circuit.n_gates + 64, "scale": 8.0, "dtype": real}
    got, expected = grad(ours, (0, 1))(circuit, start), grad(reference, (0, 1))(circuit, start)
    assert_close(leaves_of(got[0]), leaves_of(expected[0]), **bounds)
    assert_close(got[1].resolve_conj(), expected[1].resolve_conj(), **bounds)


@given(data=st.data())
def test_routes_agree_on_batches_of_circuits(data):
    circuit = data.draw(qst.circuits(min_qubits=2, max_qubits=8, max_ops=12))
    n, m = circuit.n_qubits, 3
    state = data.draw(qst.states(n))
    shifts = torch.arange(1.0, m + 1, dtype=F64)
    states = vmap(lambda k: k * state / m)(shifts)

    def moved(k):
        return qf.circuit(n, circuit.map_wires({}), qf.rx(k, range(n)), circuit, qf.ry(k, 0))

    bounds = {"n_gates": 64 * circuit.n_gates + 64, "scale": 2.0}
    got = vmap(lambda k: moved(k)(state))(shifts)
    assert_close(got, torch.stack([plain(moved(k), state) for k in shifts]), **bounds)
    both = vmap(lambda k, s: moved(k)(s))(shifts, states)
    loop = [plain(moved(k), s) for k, s in zip(shifts, states, strict=True)]
    assert_close(both, torch.stack(loop), **bounds)
    alone = vmap(circuit)(states)
    assert_close(alone, torch.stack([plain(circuit, s) for s in states]), **bounds)


@given(data=st.data())
def test_routes_agree_on_tangents(data):
    circuit = data.draw(qst.circuits(max_qubits=8, max_ops=10))
    n = circuit.n_qubits
    state, tangent = data.draw(qst.states(n)), data.draw(qst.states(n))
    theta = torch.tensor(0.3, dtype=F64)

    def by(run):
        def pushed(t, s):
            return run(qf.circuit(n, qf.rx(t, range(n)), circuit, qf.rz(t, range(n))), s)

        return jvp(pushed, (theta, state), (torch.ones_like(theta), tangent))

    for got, expected in zip(by(lambda c, s: c(s)), by(plain), strict=True):
        assert_close(got, expected, n_gates=64 * circuit.n_gates + 64, scale=2.0 * n)


@given(data=st.data())
def test_routes_agree_on_hessians(data):
    circuit = data.draw(qst.circuits(max_qubits=7, max_ops=8))
    n = circuit.n_qubits
    state, other = data.draw(qst.states(n)), data.draw(qst.states(n))
    theta = torch.tensor([0.3, -0.8], dtype=F64)

    def by(run):
        def value(t):
            made = qf.circuit(n, qf.rx(t[0], range(n)), circuit, qf.ry(t[1], range(n)))
            return qf.fidelity(other, run(made, state))

        return hessian(value)(theta)

    bounds = {"n_gates": 64 * circuit.n_gates + 64, "scale": 4.0 * n**2}
    assert_close(by(lambda c, s: c(s)), by(plain), **bounds)


@pytest.mark.parametrize("n", [2, 8])
def test_gates_that_are_not_unitary(n):
    projector = torch.tensor([[1, 0], [0, 0]], dtype=torch.complex128)
    theta = torch.tensor(0.4, dtype=F64)
    circuit = qf.circuit(
        n,
        qf.h(range(n)),
        damp(theta, 0.3, [0, 1]),
        beam_splitter(theta, 1, 0),
        qf.linear(projector, n - 1),
    )
    state = qf.zero_state(n, dtype=torch.complex128)
    assert_close(circuit(), plain(circuit, state), n_gates=64)
    ours = grad(lambda c: c().real.sum())(circuit)
    reference = grad(lambda c: plain(c, state).real.sum())(circuit)
    assert_close(leaves_of(ours), leaves_of(reference), n_gates=256, scale=float(2**n), dtype=F64)


def long_and_narrow(seed, real):
    theta = (6 * qf.uniforms((300, 2), seed, dtype=F64)).to(real)
    rows = theta.unbind(0)
    return qf.circuit(2, [(qf.ry(r[0], [0, 1]), qf.rz(r[1], [0, 1]), qf.cx(0, 1)) for r in rows])


def wide_and_far_apart(seed, real):
    n = 13
    theta = (6 * qf.uniforms((2, n), seed, dtype=F64)).to(real)
    pairs = [(i, (5 * i + 3) % n) for i in range(n) if i != (5 * i + 3) % n]
    return qf.circuit(
        n,
        [(qf.ry(r, range(n)), qf.cz(pairs), qf.rxx(r[: len(pairs)], pairs)) for r in theta],
        qf.ccx([(0, 6, 12), (12, 5, 1)]),
        qf.pauli_rot(theta[0, 0], "XYZXYZ", 11, 2, 9, 4, 7, 0),
    )


def deep_and_middling(seed, real):
    n = 8
    theta = (6 * qf.uniforms((30, n), seed, dtype=F64)).to(real)
    ring = [(i, (i + 1) % n) for i in range(n)]
    return qf.circuit(n, [(qf.rx(r, range(n)), qf.t(range(n)), qf.cx(ring)) for r in theta])


SHAPES = [long_and_narrow, wide_and_far_apart, deep_and_middling]


@each_real
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_large_circuits(shape, real):
    circuit, dtype = shape(0, real), real.to_complex()
    n, steps = circuit.n_qubits, 8 * circuit.n_gates
    zero = qf.zero_state(n, dtype=dtype)
    other = qf.random_state(qf.uniforms((2, 2**n), 1, dtype=real))
    for state in (zero, other):
        assert_close(circuit(state), plain(circuit, state), n_gates=steps)
    ours, reference = (fidelity_by(run, zero, other) for run in (lambda c, s: c(s), plain))
    got, expected = grad(ours, (0, 1))(circuit, other), grad(reference, (0, 1))(circuit, other)
    bounds = {"n_gates": 8 * steps, "scale": 4.0, "dtype": real}
    assert_close(leaves_of(got[0]), leaves_of(expected[0]), **bounds)
    assert_close(got[1].resolve_conj(), expected[1].resolve_conj(), **bounds)
