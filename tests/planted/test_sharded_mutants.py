"""Mistakes in sharded runs: the laws that compare them with one process notice each."""

import time
from datetime import timedelta
from unittest.mock import patch

import pytest
import torch
from on_ranks import (
    bits_of_samples,
    check_alike,
    check_run,
    example,
    measured_derivatives,
    random_state,
    run_derivatives,
)
from rank_pools import RankError, pool
from torch import distributed
from torch.distributed.device_mesh import DeviceMesh

import quilt_func as qf
from quilt_func import sharded
from quilt_func._collectives import exchanging, rules
from quilt_func.sharded import (
    costs,
    localising,
    observing,
    running,
    sampling,
    word_passes,
    words,
)

Exchange = exchanging.Exchange


def reversed_order(self, order, state, out, right=Exchange.forward):
    """The wires that stay come back the wrong way round."""
    k = self.n_wires
    right(self, (*order[:k], *reversed(order[k:])), state, out)


def reversed_on_the_way_back(self, order, state, out, right=Exchange.backward):
    k = self.n_wires
    right(self, (*order[:k], *reversed(order[k:])), state, out)


def of_other_bits(self, right=Exchange.partners.fget):
    return right(self)[::-1]


def of_this_rank_only(ctx, gradient):
    return (gradient.clone(),)


def times_ranks(ctx, gradient):
    return (rules.Summed.apply(ctx.static, gradient),)


def of_zeros(base, fixed, bits, right=localising.restricted):
    return right(base, fixed, (0,) * len(bits))


def without_bits(self, ranks):
    return [float(sign) for sign, _ in self.signs]


def as_it_is(ranks, x):
    return x


PLANTED = {
    "a wrong permutation": (Exchange, "forward", reversed_order),
    "a wrong permutation on the way back": (Exchange, "backward", reversed_on_the_way_back),
    "partners in another order": (Exchange, "partners", property(of_other_bits)),
    "gradients of one rank": (rules.Copied, "backward", staticmethod(of_this_rank_only)),
    "gradients times the number of ranks": (rules.Summed, "backward", staticmethod(times_ranks)),
    "parameters that are not replicated": (running, "replicated", lambda ranks, ops: list(ops)),
    "blocks of other bits": (localising, "restricted", of_zeros),
    "signs without the rank's bits": (word_passes.Pass, "signs_on", without_bits),
    "no factor of i": (words, "_turned", lambda one, ket: ket),
    "a partner's gradient kept": (rules.Partners, "backward", staticmethod(of_this_rank_only)),
    "coefficients that are not replicated": (observing, "copied", as_it_is),
    "parameters of costs that are not replicated": (costs, "copied", as_it_is),
    "no sum over ranks": (observing, "summed", as_it_is),
    "samples of another layout": (sampling, "reordered", lambda state: state),
}


def planted(mistake, function, *arguments):
    """What a function of `on_ranks` gives on a rank that makes a mistake."""
    with patch.object(*PLANTED[mistake]) if mistake else patch.dict({}):
        return function("split", *arguments)


def samples(world, *arguments):
    return {"samples": bits_of_samples(*arguments)[0]}


def runs(mistake):
    run = example()
    check_run(pool(4).run(planted, mistake, run_derivatives, *run, ("grad",)), (*run, ("grad",)))


def means(name, *arguments):
    """A law of a measurement on two ranks, where the first wire is that of the number."""

    def law(mistake):
        case = random_state(3, 1), (0, 1, 2), ("grad",), name, *arguments
        expected = measured_derivatives("whole", *case)
        check_alike(pool(2).run(planted, mistake, measured_derivatives, *case), expected, 9)

    return law


def weighed(bits, weights):
    return bits.to(weights.dtype) @ weights


C = qf.uniforms(3, 1, dtype=torch.float64)
expectation = means("expval", qf.pauli_sum(["ZXI", "YYZ", "YZX"], C))
wide = means("expval", qf.pauli_sum(["ZII", "XXX", "YXY"], C))
spread = means("variance", qf.pauli_sum(["ZXI", "YYZ", "YZX"], C))
table = means("expval", qf.diagonal(qf.uniforms(8, 2, dtype=torch.float64)))
cost = means("mean_cost", weighed, C)


def sampled(mistake):
    state, u = random_state(3, 1), qf.uniforms(200, 2)
    answers = pool(2).run(planted, mistake, samples, state, (2, 0, 1), u)
    assert all(torch.equal(one["samples"], qf.sample(state, u)) for one in answers)


DEATHS = {
    "a wrong permutation": [runs],
    "a wrong permutation on the way back": [runs],
    "partners in another order": [runs],
    "gradients of one rank": [runs, table, cost, spread],
    "gradients times the number of ranks": [runs, expectation, wide, spread, table, cost],
    "parameters that are not replicated": [runs],
    "blocks of other bits": [runs],
    "signs without the rank's bits": [expectation, wide, spread],
    "no factor of i": [wide, spread],
    "a partner's gradient kept": [wide, spread],
    "coefficients that are not replicated": [spread, table],
    "parameters of costs that are not replicated": [cost],
    "no sum over ranks": [expectation, wide, spread, table],
    "samples of another layout": [sampled],
}
LAWS = [runs, expectation, wide, spread, table, cost, sampled]


@pytest.mark.parametrize("law", LAWS)
def test_laws_hold(law):
    law("")


@pytest.mark.parametrize(
    ("mistake", "law"), [(m, law) for m, all_ in DEATHS.items() for law in all_]
)
def test_mistakes_are_noticed(mistake, law):
    with pytest.raises(AssertionError):
        law(mistake)


def branch_by_rank():
    """One rank alone runs gates that need an exchange."""
    group = distributed.new_group(timeout=timedelta(seconds=1))
    own = DeviceMesh.from_group(group, "cpu", mesh_dim_names=("state",))
    gate = qf.rz if distributed.get_rank() else qf.ry
    state = sharded.shard(random_state(3, 1), own)
    return sharded.norm(sharded.run_sharded(qf.circuit(3, gate(0.3, 0)), state))


def test_a_branch_by_rank_ends_with_an_error():
    """Ranks that wait for what is not sent give up at the group's timeout."""
    begun = time.monotonic()
    with pytest.raises(RankError, match=r"(?i)time"):
        pool(2).run(branch_by_rank, timeout=50.0)
    assert time.monotonic() - begun < 30
