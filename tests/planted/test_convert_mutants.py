"""Mistakes in conversions: the laws of controls, powers, channels and functions kill them."""

import numpy as np
import pytest
import torch
from oracles.conversions import check_channel, check_controlled, check_function, check_raised

import quilt_func as qf
from quilt_func import noise
from quilt_func._affine_angles import Affine, inputs_of
from quilt_func._placed_gates import PHASE, Placed
from quilt_func.convert.programs import FromInputs, runs_of
from quilt_func.convert.recognition import Named, recognised
from quilt_func.convert.terms import controlled, raised

F64 = torch.float64
WRONG = pytest.raises(AssertionError, match="deviation")


def without_phase(found, controls, bits):
    return controlled([one for one in found if one.gate is not PHASE], controls, bits)


def without_flips(found, controls, bits):
    return controlled(found, controls, [1] * len(bits))


def flipped_once(found, controls, bits):
    return controlled(found, controls, bits)[: None if bits[0] else -1]


@pytest.mark.parametrize(
    ("mutant", "bit"), [(without_phase, 1), (without_flips, 0), (flipped_once, 0)]
)
def test_wrong_controls(mutant, bit):
    check_controlled(controlled, bit)
    with WRONG:
        check_controlled(mutant, bit)


def in_order(found, exponent, name):
    """The inverse of each, in the same order."""
    return [*reversed(raised(found, exponent, name))]


def of_gates_alone(found, exponent, name):
    return raised([one for one in found if one.gate is not PHASE], exponent, name)


@pytest.mark.parametrize(("mutant", "exponent"), [(in_order, -1), (of_gates_alone, 0.5)])
def test_wrong_powers(mutant, exponent):
    check_raised(raised, exponent)
    with WRONG:
        check_raised(mutant, exponent)


def operators_of(channel, *strengths):
    given = [torch.tensor([one], dtype=F64) for one in strengths]
    return list(channel.kraus(*given)[0].numpy())


def without_dephasing(operators):
    return recognised(operators)[:1]


def from_the_other_end(operators):
    return [
        Named(one.channel, (one.strengths[0], 1 - one.strengths[1]))
        if len(one.strengths) == 2 and not one.channel.words
        else one
        for one in recognised(operators)
    ]


def with_aers_share(operators):
    return [Named(one.channel, (4 / 3 * one.strengths[0],)) for one in recognised(operators)]


def transposed(operators):
    return recognised([np.ascontiguousarray(one.T) for one in operators])


RELAXED = operators_of(noise.thermal_relaxation, 0.3, 1.0, 1.4, 0.2)
TURNED = [qf.sx.matrix @ qf.s.matrix @ k for k in operators_of(noise.amplitude_damping, 0.3)]


@pytest.mark.parametrize(
    ("mutant", "operators"),
    [
        (without_dephasing, RELAXED),
        (from_the_other_end, RELAXED),
        (with_aers_share, operators_of(noise.depolarizing, 0.3)),
        (transposed, TURNED),
    ],
)
def test_wrong_channels(mutant, operators):
    check_channel(recognised, operators)
    with WRONG:
        check_channel(mutant, operators)


A, B = Affine(((0, 2.0),), 0.5), Affine(((1, -1.0),))
ARGS = torch.tensor([0.3, 0.8], dtype=F64), torch.tensor(1.1, dtype=F64)


def expected(v, x):
    both = torch.stack([v[0] + v[0] + 0.5, -v[1]])
    return qf.circuit(2, qf.h([0, 1]), qf.ry(both, range(2)), qf.cx(0, 1), qf.rz(x, 1))


def program(first, second, last):
    placed = [
        *(Placed(qf.h, (), (wire,)) for wire in range(2)), Placed(qf.ry, (first,), (0,)),
        Placed(qf.ry, (second,), (1,)), Placed(qf.cx, (), (0, 1)), Placed(qf.rz, (last,), (1,)),
    ]  # fmt: skip
    return FromInputs(2, tuple(runs_of(placed)), inputs_of({"v": (2,), "x": ()}))


X = Affine(((2, 1.0),))
PROGRAMS = {
    "another place": (A, Affine(((0, -1.0),)), X),
    "a lost factor": (Affine(((0, 1.0),), 0.5), B, X),
    "a lost constant": (Affine(((0, 2.0),)), B, X),
    "a lost sign": (A, Affine(((1, 1.0),)), X),
    "a number for an input": (A, B, 1.1),
    "swapped angles": (B, A, X),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_wrong_programs(name):
    check_function(program(A, B, X), expected, ARGS)
    with WRONG:
        check_function(program(*PROGRAMS[name]), expected, ARGS)


def test_a_detached_input_is_noticed():
    with WRONG:
        check_function(lambda v, x: program(A, B, X)(v, x.detach()), expected, ARGS)


def text_of(function):
    return qf.to_qasm(
        function, inputs={"v": torch.zeros(2).double(), "x": torch.zeros(()).double()}
    )


@pytest.mark.parametrize(
    ("there", "wrong"),
    [("2.0*v_0", "v_0"), ("-v_1", "v_1"), ("+ 0.5", "- 0.5"), ("rz(x)", "rz(1.1)")],
)
def test_wrong_texts(there, wrong):
    text = text_of(expected)
    assert there in text

    def read(changed):
        found = qf.from_qasm(changed)
        return lambda v, x: found(v[0], v[1], x)

    check_function(read(text), expected, ARGS)
    with WRONG:
        check_function(read(text.replace(there, wrong)), expected, ARGS)
