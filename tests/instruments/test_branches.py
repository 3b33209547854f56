"""All branches of a circuit, against plain enumeration, closed forms and each transform."""

import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import dynamic
from oracles.compare import assert_close, assert_close_fd, central_difference, to_numpy
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vmap

import quilt_func as qf
from quilt_func import instruments
from quilt_func.testing import strategies as qst
from quilt_func.testing import tolerance

F64 = torch.float64
ZI = qf.pauli_sum({"ZI": 1.0})
X = torch.tensor(0.512, dtype=F64)
PSI = qf.random_state(qf.uniforms((2, 4), 3, dtype=F64))


@given(data=st.data(), postselects=st.booleans())
def test_branches_are_those_of_plain_enumeration(data, postselects):
    circuit = data.draw(qst.dynamic_circuits(postselects=postselects))
    psi = data.draw(qst.states(circuit.n_qubits))
    found = qf.run_branches(circuit, psi)
    expected = dynamic.branches(circuit, to_numpy(psi))
    states = np.stack([state for _, state in expected])
    assert_close(found.states, states, n_gates=64 + 8 * circuit.n_gates, scale=4.0)
    for key, bits in found.bits.items():
        assert bits.tolist() == [own[key] for own, _ in expected]
    assert float(found.dropped) == 0.0
    rho = qf.run_density(circuit, torch.outer(psi, psi.conj()))
    mixture = dynamic.density(circuit, to_numpy(psi))
    assert_close(rho, mixture, n_gates=64 + 8 * circuit.n_gates, scale=8.0)


def postselected(x):
    return qf.circuit(2, qf.h(0), qf.cx(0, 1), qf.rx(x, 1), qf.postselect(1, 1))


def by_branches(x):
    return instruments.conditional_expval(qf.run_branches(postselected(x)), ZI).value


def by_density(x):
    rho = qf.run_density(postselected(x))
    return qf.expval(rho, ZI) / rho.diagonal().real.sum()


def by_trajectories(x):
    """No number is drawn: the postselection alone is no chance."""
    run = qf.run_trajectory(postselected(x), torch.zeros(0, dtype=F64))
    return run.weight * qf.expval(run.state, ZI) / run.weight


@pytest.mark.parametrize("value", [by_branches, by_density, by_trajectories])
def test_postselection_has_the_closed_form_and_its_derivatives(value):
    bound = tolerance(F64, 64, 8.0)
    for order, expected in enumerate([-X.cos(), X.sin(), X.cos(), -X.sin()]):
        fn = value
        for _ in range(order):
            fn = grad(fn)
        assert abs(float(fn(X) - expected)) < bound, order
    assert abs(float(jvp(value, (X,), (torch.ones_like(X),))[1] - X.sin())) < bound
    assert abs(float(jacfwd(jacfwd(value))(X) - X.cos())) < bound


def test_an_impossible_condition_is_nan_and_leaks_no_gradient():
    def value(x, outcome):
        circuit = qf.circuit(2, qf.ry(x, 0), qf.measure(1, "m"))
        return instruments.conditional_expval(qf.run_branches(circuit), ZI, "m", outcome)

    none = value(X, 1)
    assert bool(none.value.isnan())
    assert float(none.probability) == 0.0

    def both(x):
        never, ever = value(x, 1), value(x, 0)
        return ever.value + torch.where(never.probability > 0, never.value, 0.0)

    assert abs(float(grad(both)(X) + X.sin())) < tolerance(F64, 16)
    assert bool(grad(lambda x: value(x, 1).value)(X) == 0)


def test_no_branch_of_probability_zero_makes_a_gradient_nan():
    def total(x):
        circuit = qf.circuit(2, qf.rx(x, 0), qf.measure(0, "m"), qf.conditional("m", qf.x(1), 1))
        return instruments.branch_expval(qf.run_branches(circuit), ZI).sum()

    zero = torch.zeros((), dtype=F64)
    assert float(grad(total)(zero)) == 0.0
    assert abs(float(hessian(total)(zero)) + 1) < tolerance(F64, 16)


def of_psi(params):
    return dynamic_value(params, PSI)


def dynamic_value(params, psi):
    circuit = qf.circuit(
        2, qf.ry(params[0], 0), qf.measure(0, "a"), qf.conditional("a", qf.rx(params[1], 1), 1),
        instruments.lookup("a", qf.ry, params[2:], 0), qf.reset(1), qf.cx(0, 1),
        qf.measure([1, 0], "b"), qf.conditional(["a", "b"], qf.h(1), instruments.parity),
    )  # fmt: skip
    observable = qf.pauli_sum({"ZX": 1.0, "XI": 0.5, "IZ": -0.3})
    found = qf.run_branches(circuit, psi)
    return instruments.branch_mean(
        found, lambda state, bits: qf.expval(state, observable) * (1 + bits["b"].sum())
    )


def test_transforms_agree(each_route):
    params = torch.tensor([0.3, -0.7, 1.1, 0.4], dtype=F64)
    batch = torch.stack([params, params.flip(0)])
    first = grad(of_psi)
    loop = torch.stack([first(one) for one in batch.unbind(0)])
    bound = {"n_gates": 256, "scale": 16.0}
    assert_close(vmap(first)(batch), loop, **bound)
    assert_close(vmap(jacfwd(of_psi))(batch), loop, **bound)
    second = hessian(of_psi)(params)
    assert_close(jacrev(jacrev(of_psi))(params), second, **bound)
    assert_close(jacfwd(jacfwd(of_psi))(params), second, **bound)
    assert_close(qf.jit(first)(params), loop[0], **bound)
    assert_close(qf.jit(vmap(first))(batch), loop, **bound)


def test_the_last_outcome_of_a_key_is_kept():
    once = qf.circuit(1, qf.measure(0, "m"), qf.conditional("m", qf.x(0), 0))
    found = qf.run_branches(once.repeat(2))
    probabilities = instruments.branch_probabilities(found)
    assert found.bits["m"][probabilities.argmax()].tolist() == [1]  # flipped up, and seen so
    run = qf.run_trajectory(once.repeat(2), qf.uniforms(2, 0))
    assert run.bits["m"].tolist() == [1]
    register = qf.noise.run_density_branches(once.repeat(2))
    assert instruments.branch_probabilities(register).tolist() == [0.0, 1.0]


def test_pruning_keeps_the_likeliest_and_tells_what_is_lost():
    circuit = qf.circuit(
        3, qf.ry(torch.tensor([0.2, 1.3, 2.5], dtype=F64), range(3)), qf.measure([0, 1, 2], "m")
    )
    every = qf.run_branches(circuit)
    some = qf.run_branches(circuit, prune=3)
    probabilities = instruments.branch_probabilities(every)
    kept = probabilities.topk(3).indices.sort().values
    assert torch.equal(some.states, every.states[kept])
    assert torch.equal(some.bits["m"], every.bits["m"][kept])
    lost = probabilities.sum() - probabilities[kept].sum()
    assert_close(some.dropped, lost, n_gates=64)
    assert_close(1 - instruments.branch_probabilities(some).sum(), some.dropped, n_gates=64)


def test_a_budget_is_kept():
    circuit = qf.circuit(2, qf.measure([0, 1], "m"))
    assert qf.run_branches(circuit, budget=16).states.shape == (4, 4)
    with pytest.raises(ValueError, match="16 or more, for 4 branches of 4"):
        qf.run_branches(circuit, budget=15)
    assert len(qf.run_branches(circuit.repeat(9), budget=128, prune=8).states) == 8


def test_circuits_with_instruments_are_drawn_mapped_repeated_and_pickled():
    theta = torch.tensor([0.1, 0.2, 0.3, 0.4])
    circuit = qf.circuit(
        2, qf.measure([0, 1], "k"), qf.conditional("k", qf.cx(0, 1), (0, 1)), qf.reset(0),
        instruments.lookup("k", qf.rx, theta, [0, 1]), qf.postselect([1, 0], (0, 1)),
        qf.conditional("k", qf.x(0), table=(0, 1, 1, 0)),
    )  # fmt: skip
    text = circuit.draw()
    for label in ("M:k", "⊕?k=01", "Reset", "RX[k]", "=1", "X?k~0110"):
        assert label in text
    assert "M:k" in circuit.draw(ascii=True)
    assert [op.wires for op in circuit.map_wires({0: 2}, 3).ops][:3] == [
        ((2, 1),), ((2, 1),), ((2,),)
    ]  # fmt: skip
    copied = pickle.loads(pickle.dumps(circuit))
    assert qf.same_structure(copied, circuit)
    assert torch.equal(qf.run_branches(copied).states, qf.run_branches(circuit).states)
    assert len(circuit.repeat(2)) == 2 * len(circuit)


def test_what_reads_an_outcome_is_drawn_after_it():
    circuit = qf.circuit(2, qf.h([0, 0]), qf.measure(0, "m"), qf.conditional("m", qf.x(1), 1))
    top, _, bottom = circuit.draw().splitlines()
    assert top.index("M:m") < bottom.index("X?m=1")


def test_no_dtype_is_promoted():
    for dtype in (torch.float32, F64):
        theta = torch.tensor(0.3, dtype=dtype)
        circuit = qf.circuit(
            2, qf.ry(theta, 0), qf.measure(0, "m"), qf.conditional("m", qf.h(1), 1), qf.reset(1),
            qf.conditional("m", qf.rx(0.5, 0), 1), qf.postselect(1, 0),
        )  # fmt: skip
        found = qf.run_branches(circuit)
        assert found.states.dtype == dtype.to_complex()
        assert instruments.branch_probabilities(found).dtype == dtype
        run = qf.run_trajectory(circuit, qf.uniforms(2, 0))
        assert (run.state.dtype, run.weight.dtype) == (dtype.to_complex(), dtype)
        assert qf.run_density(circuit).dtype == dtype.to_complex()


def test_a_state_of_many_qubits_takes_the_fused_route():
    n = 9
    circuit = qf.circuit(
        n, qf.ry(0.3, range(n)), qf.cx([(i, i + 1) for i in range(n - 1)]), qf.measure([8, 0], "m"),
        qf.conditional("m", qf.ry(0.7, range(n)), (1, 0)), qf.reset(4),
        instruments.lookup("m", qf.rzz, torch.linspace(0, 1, 4, dtype=F64), [(1, 7), (2, 3)]),
    )  # fmt: skip
    psi = qf.random_state(qf.uniforms((2, 2**n), 0, dtype=F64))
    states = np.stack([state for _, state in dynamic.branches(circuit, to_numpy(psi))])
    assert_close(qf.run_branches(circuit, psi).states, states, n_gates=256)


def test_derivatives_of_many_qubits_take_the_fused_route():
    n = 8
    pairs = [(i, i + 1) for i in range(n - 1)]
    observable = qf.pauli_sum({("Z", (1,)): 1.0, ("X", (6,)): 0.7}, n_qubits=n)

    def value(p):
        circuit = qf.circuit(
            n, qf.ry(p[:n], range(n)), qf.cx(pairs), qf.measure([0, 5], "m"),
            qf.conditional("m", qf.rx(p[:n], range(n)), (0, 1)), qf.reset(3),
            qf.conditional("m", qf.cx(pairs), instruments.parity),
            instruments.lookup("m", qf.crx, p[n:], (2, 6)), qf.measure(7, "k"),
            qf.conditional(["k", "m"], qf.h(range(n)), 5),
        )  # fmt: skip
        return instruments.branch_expval(qf.run_branches(circuit), observable).sum()

    p = 2 * qf.uniforms(n + 4, 0, dtype=F64)
    slopes = grad(value)(p)
    assert_close_fd(slopes, central_difference(value, p), scale=4.0)
    batch = torch.stack([p, p.flip(0)])
    assert_close(vmap(grad(value))(batch)[0], slopes, n_gates=512)
    along = jvp(grad(value), (p,), (p.cos(),))[1]
    assert_close_fd(along, central_difference(grad(value), p) @ p.cos(), scale=32.0)


def test_mean_of_a_function_of_bits():
    theta = torch.tensor(0.8, dtype=F64)
    branches = qf.run_branches(qf.circuit(1, qf.ry(theta, 0), qf.measure(0, "m")))
    one = qf.pauli_sum({"I": 1.0})
    mean = instruments.branch_mean(branches, lambda s, bits: qf.expval(s, one) * bits["m"][0])
    assert_close(mean, math.sin(0.4) ** 2 + 0 * theta, n_gates=8)
