"""Laws of the search over bit strings: objectives by definition, honest counts, exact replays."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles.compare import assert_close, assert_close_fd, central_difference
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vmap

import quilt_func as qf
from quilt_func.bitstrings import cvar, gibbs, mean_cost, minimise_bitstring
from quilt_func.testing.tolerances import tolerance

F32, F64 = torch.float32, torch.float64
LAYERS = qf.ansatz.hardware_efficient
COSTS = [3.0, -1.0, 0.5, 2.0, -1.0, 4.0, 1.0, 0.0]
TABLE = qf.cost_diagonal(COSTS, 3, dtype=F64)


def starts(n_starts=4, n=3, n_layers=2, dtype=F64, seed=0):
    return 2 * math.pi * qf.uniforms((n_starts, n_layers, n, 2), seed, dtype=dtype)


def distribution(weights):
    p = np.array(weights) + 1e-3
    return p / p.sum()


# Objectives


def spread_out(p, costs, share):
    """The cheapest outcomes one after another, until their share is full."""
    total, left = 0.0, share
    for cost, weight in sorted(zip(costs, p, strict=True)):
        total += cost * min(weight, left)
        left -= min(weight, left)
    return total / share


DEFINITIONS = {
    "mean": (mean_cost, lambda p, c: sum(p * c)),
    "cvar 0.3": (cvar(0.3), partial(spread_out, share=0.3)),
    "cvar 1": (cvar(1), lambda p, c: sum(p * c)),
    "gibbs": (gibbs(0.5), lambda p, c: -math.log(sum(p * np.exp(-0.5 * c))) / 0.5),
}
WRONG = {
    "mean without weights": ("mean", lambda p, c: c.mean()),
    "cvar of the dearest": ("cvar 0.3", lambda p, c: -cvar(0.3)(p, -c)),
    "cvar not normalised": ("cvar 0.3", lambda p, c: 0.3 * cvar(0.3)(p, c)),
    "gibbs of the dearest": ("gibbs", lambda p, c: -gibbs(0.5)(p, -c)),
    "gibbs not in units of the cost": ("gibbs", lambda p, c: 0.5 * gibbs(0.5)(p, c)),
}
weights = st.lists(st.floats(0, 1), min_size=8, max_size=8)


def assert_definition(objective, definition, p):
    costs = np.array(COSTS)
    found = objective(torch.tensor(p, dtype=F64), TABLE.values)
    assert_close(found, definition(p, costs), n_gates=64, scale=8)


@pytest.mark.parametrize("name", DEFINITIONS)
@given(weights)
def test_objectives_are_their_definitions(name, weights):
    assert_definition(*DEFINITIONS[name], distribution(weights))


@pytest.mark.parametrize(("name", "mutant"), WRONG.values(), ids=WRONG)
def test_the_law_of_definitions_refuses(name, mutant):
    with pytest.raises(AssertionError):
        assert_definition(mutant, DEFINITIONS[name][1], distribution([1, 2, 3, 4, 5, 6, 7, 8]))


@given(weights)
def test_objectives_lie_between_the_least_cost_and_the_mean(weights):
    p = torch.tensor(distribution(weights), dtype=F64)
    mean, slack = mean_cost(p, TABLE.values), tolerance(F64, 64, scale=8)
    for objective in (cvar(0.2), cvar(0.9), gibbs(0.1), gibbs(10.0)):
        assert min(COSTS) - slack <= objective(p, TABLE.values) <= mean + slack


@pytest.mark.parametrize("name", DEFINITIONS)
def test_transforms_of_objectives(name):
    objective = DEFINITIONS[name][0]
    p = torch.tensor(distribution([1, 5, 3, 4, 2, 6, 7, 8]), dtype=F64)

    def value(p, costs=TABLE.values):
        return objective(p.square(), costs)

    slope = central_difference(value, p)
    for transform in (grad, jacrev, jacfwd):
        assert_close_fd(transform(value)(p), slope, scale=8)
    curvature = central_difference(grad(value), p)
    for transform in (hessian, lambda f: jacfwd(jacfwd(f)), lambda f: jacrev(jacrev(f))):
        assert_close_fd(transform(value)(p), curvature, scale=32)
    tangent = torch.ones_like(p)
    along = jvp(value, (p,), (tangent,))[1]
    assert_close(along, grad(value)(p).sum(), n_gates=64, scale=64)
    by_costs = grad(lambda c: objective(p, c))
    assert_close_fd(by_costs(TABLE.values), central_difference(
        lambda c: objective(p, c), TABLE.values
    ), scale=8)  # fmt: skip
    batch = torch.stack([p, p.flip(0)])
    for f in (value, grad(value), hessian(value)):
        assert_close(vmap(f)(batch), torch.stack([f(r) for r in batch]), n_gates=64, scale=64)


# The exact search


def product(params):
    """Rotations only: |1⟩ on wire w with probability sin²(θ/2), if there is one layer."""
    return [(qf.ry(layer[:, 0], range(3)), qf.rz(layer[:, 1], range(3))) for layer in params]


def assert_honest(result, table):
    """What a result says of its strings is what the table says."""
    for string, cost in zip(result.strings, result.costs.tolist(), strict=True):
        assert cost == table[int(string, 2)]
    assert result.cost == min(result.costs.tolist())
    first = result.costs.tolist().index(result.cost)
    assert (result.bits, result.probability) == (
        result.strings[first],
        result.probabilities[first].item(),
    )


def test_an_exact_search_tells_what_it_did():
    params = starts(6, n_layers=1)
    result = minimise_bitstring(TABLE, product, params, n_steps=60)
    assert_honest(result, COSTS)
    assert (result.n_asked, result.n_lowest, result.is_exact, result.asked) == (8, 2, True, ())
    assert result.cost == -1.0
    assert result.bits in ("001", "100")
    ones = (params[:, 0, :, 0] / 2).sin().square()
    bits = torch.tensor([[int(b) for b in s] for s in qf.bit_strings(3)], dtype=F64)
    p = torch.where(bits[None] == 1, ones[:, None], 1 - ones[:, None]).prod(-1)
    assert_close(result.trace[0], p @ TABLE.values, n_gates=64, scale=8)
    assert result.trace.shape == (60, 6)
    final = vmap(lambda row: qf.probs(qf.circuit(3, product(row))()))(result.params)
    assert_close(result.probabilities, final.amax(1), n_gates=8)


@pytest.mark.parametrize("objective", [mean_cost, cvar(0.25), gibbs(1.0)])
@pytest.mark.parametrize("shots", [None, 8])
def test_starts_together_are_starts_alone(objective, shots):
    params, how = starts(3), {"objective": objective, "n_steps": 5, "shots": shots}
    together = minimise_bitstring(TABLE, LAYERS, params, **how)
    chunked = minimise_bitstring(TABLE, LAYERS, params, chunk_size=2, **how)
    assert_close(chunked.trace, together.trace, n_gates=512, scale=8)
    if shots is None:
        alone = [minimise_bitstring(TABLE, LAYERS, row[None], **how) for row in params]
        trace = torch.cat([one.trace for one in alone], 1)
        assert_close(together.trace, trace, n_gates=4096, scale=64)


def test_the_three_objectives_find_the_optimum():
    costs = qf.cost_diagonal(lambda bits: abs(int(bits, 2) - 21), 5)
    params = starts(32, n=5, n_layers=3, dtype=F32)
    for objective in (mean_cost, cvar(0.25), gibbs(0.3)):
        result = minimise_bitstring(costs, LAYERS, params, objective=objective, n_steps=80)
        assert (result.bits, result.cost) == ("10101", 0.0)


def test_a_pauli_sum_is_its_table():
    edges = [(0, 1), (1, 2), (0, 2)]
    cut = qf.problems.maxcut(3, edges)
    by_words = minimise_bitstring(cut, LAYERS, starts(dtype=F32), n_steps=3)
    by_table = minimise_bitstring(qf.to_diagonal(cut), LAYERS, starts(dtype=F32), n_steps=3)
    assert torch.equal(by_words.trace, by_table.trace)
    assert (by_words.n_lowest, by_words.trace.dtype) == (6, F32)


def test_constant_costs_tie():
    result = minimise_bitstring(lambda bits: 2, LAYERS, starts(), n_qubits=3, n_steps=2)
    assert (result.cost, result.n_lowest) == (2.0, 8)
    assert_close(result.trace, torch.full((2, 4), 2.0, dtype=F64), n_gates=64)


# The search from samples


def recorded(table):
    calls = []

    def cost(bits):
        calls.append(bits)
        return table[int(bits, 2)]

    return cost, calls


def test_a_function_is_asked_once_for_each_string_that_was_met():
    cost, calls = recorded([float(i % 37) for i in range(256)])
    params = starts(3, n=8, n_layers=1)
    result = minimise_bitstring(cost, LAYERS, params, n_qubits=8, shots=4, n_steps=5)
    assert len(calls) == len(set(calls)) == result.n_asked < 256
    indices = {int(call, 2) for call in calls}
    assert indices == set(torch.cat(result.asked).tolist())
    assert all(len(set(row.tolist())) == len(row) <= 2 * 4 * 5 + 8 for row in result.asked)
    assert_honest(result, [float(i % 37) for i in range(256)])


def test_a_function_and_its_table_give_the_same_search():
    cost, _ = recorded(COSTS)
    how = {"shots": 8, "n_steps": 6, "seed": 3}
    by_function = minimise_bitstring(cost, LAYERS, starts(), n_qubits=3, **how)
    by_table = minimise_bitstring(TABLE, LAYERS, starts(), **how)
    assert torch.equal(by_function.trace, by_table.trace)
    assert torch.equal(by_function.params, by_table.params)
    assert all(map(torch.equal, by_function.asked, by_table.asked))


def test_a_search_replays_by_its_seed():
    runs = [minimise_bitstring(TABLE, LAYERS, starts(), shots=8, seed=s) for s in (1, 1, 2)]
    assert torch.equal(runs[0].params, runs[1].params)
    assert not torch.equal(runs[0].trace, runs[2].trace)


def test_sampled_steps_follow_the_gradient_on_average():
    """SPSA's mean is the gradient; with sgd at rate 1 the step shows it."""
    one = starts(1, n_layers=1)
    n = 4000
    how = {"optimiser": qf.optim.sgd(1.0), "n_steps": 1, "step": 0.05}
    exact = one - minimise_bitstring(TABLE, LAYERS, one, **how).params
    params = one.expand(n, -1, -1, -1)
    steps = params - minimise_bitstring(TABLE, LAYERS, params, shots=64, **how).params
    error = steps.std(0) / math.sqrt(n)
    bias = 0.05**2 * 8  # third derivatives, up to Σ|c|
    assert ((steps.mean(0) - exact[0]).abs() < 5 * error + bias).all()
    assert ((steps.mean(0) + exact[0]).abs() > 5 * error + bias).any()


def test_samples_suffice_to_find_the_optimum():
    cost, calls = recorded([abs(i - 37) / 8 for i in range(64)])
    params = starts(8, n=6, n_layers=1)
    result = minimise_bitstring(
        cost, LAYERS, params, n_qubits=6, shots=16, n_steps=60, objective=cvar(0.25)
    )
    assert 37 in torch.cat(result.asked)
    assert result.cost <= 1 / 8
    assert len(calls) == result.n_asked
    assert not result.is_exact


def test_parameters_may_be_a_tree():
    params = {"a": starts(2, n_layers=1), "b": {"c": starts(2, n_layers=1, seed=1)}}

    def ansatz(p):
        return LAYERS(p["a"]), LAYERS(p["b"]["c"])

    for shots in (None, 8):
        result = minimise_bitstring(TABLE, ansatz, params, shots=shots, n_steps=3)
        assert result.params["b"]["c"].shape == (2, 1, 3, 2)
        assert not torch.equal(result.params["a"], params["a"])


@pytest.mark.parametrize("eta", [1e-4, 1e-6, 1e-8])
def test_gibbs_is_the_mean_for_small_eta(eta):
    """In float32, where the exponentials are 1 up to their last digits."""
    p, costs = torch.tensor([0.25, 0.75]), torch.tensor([4.0, 8.0])
    assert abs(gibbs(eta)(p, costs) - 7) < tolerance(torch.float32, 8, 16.0) + 4 * eta
