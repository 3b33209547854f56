"""What `@gate` refuses at the definition, and what it lets pass for a gate that says so."""

import re

import numpy as np
import pytest
import torch
from systems import beam_splitter, damp

import quilt_func as qf
from quilt_func.custom_gates import _check_points
from quilt_func.testing import LawError, gate_laws, tolerance

F64 = torch.float64
Y = np.array([[0, -1j], [1j, 0]])


def of(c, s):
    return torch.stack([torch.stack([c, -s]), torch.stack([s, c])])


def right(theta):
    return of((theta / 2).cos(), (theta / 2).sin())


def shrunk(theta):
    return 0.99 * right(theta)


def half_in_one_entry(theta):
    return of((theta / 2).cos(), theta.sin())


def full_angle(theta):
    return of(theta.cos(), theta.sin())


def shrunk_at_once(theta):
    return 0.99 * qf.ry.matrices(theta)


def shrunk_constant():
    return torch.tensor([[0.99, 0], [0, 1]], dtype=F64)


def lost_root():
    return torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=F64)


def in_single_precision():
    return torch.tensor([[1.0, 1.0], [1.0, -1.0]]) / 2**0.5


def of_two_angles(theta, phi):
    """Unitary where the second angle is small, which it is at no fixed angle."""
    return (1 + (phi.abs() - 0.4).relu()) * right(theta)


def of_three_angles(a, b, c):
    matrix = qf.u.matrices(a[None], b[None], c[None])[0]
    return matrix * torch.stack([torch.ones_like(a), 1 + 1e-9 * c.abs()])


def not_finite(theta):
    return of((1 - theta.square()).sqrt(), theta)


SLIPS = {
    "a factor": (shrunk, {}, r"= 0\.0199 at \(.*\) radians\. Mend it \(half the angle in every"),
    "a half angle in one entry": (half_in_one_entry, {}, r"= 0\.\d+ at \(.*\) radians\. Mend it"),
    "vectorised": (shrunk_at_once, {"vectorised": True}, r"= 0\.0199 at "),
    "a constant": (shrunk_constant, {}, r"= 0\.0199\. Mend it \(a sign, or a lost 1/√2\)"),
    "a constant's factor": (lost_root, {}, r"= 1\. Mend it \(a sign, or a lost 1/√2\)"),
    "single precision": (in_single_precision, {}, r"e-08\. Make its constants in double"),
    "two angles": (of_two_angles, {}, r" at \(.+, .+\) radians"),
    "three angles, by little": (of_three_angles, {}, r"e-09 at \(.+, .+, .+\) radians"),
    "not finite": (not_finite, {}, r"= nan at .* Give it finite entries"),
    "beside a generator": (shrunk, {"generator": Y}, r"= 0\.0199 at "),
    "beside the tag": (shrunk, {"tags": {"unitary"}}, r"= 0\.0199 at "),
}


def message_of(function, facts, kind=ValueError):
    with pytest.raises(kind) as caught:
        qf.gate(n_wires=1, **facts)(function)
    return str(caught.value)


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_refused_with_its_size_and_the_remedy(slip):
    function, facts, told = SLIPS[slip]
    text = message_of(function, facts)
    must = "the gate's matrix must be unitary, but got max |U†U - 1| = "
    assert text.startswith(f"{function.__name__}(): {must}")
    assert text.endswith(", or declare it with `@gate(unitary=False)`.")
    assert re.search(told, text), text


@pytest.mark.parametrize("slip", SLIPS)
def test_what_is_meant_so_passes_and_promises_nothing(slip):
    function, facts, _ = SLIPS[slip]
    kept = {name: fact for name, fact in facts.items() if name == "vectorised"}
    row = qf.gate(n_wires=1, unitary=False, **kept)(function)
    assert row.tags == frozenset()
    assert row.inverse is None
    with pytest.raises(ValueError, match="known"):
        qf.inverse(row)


def test_a_unitary_gate_need_not_promise_it():
    row = qf.gate(n_wires=1, unitary=False)(right)
    assert (row.tags, row.inverse) == (frozenset(), None)
    gate_laws(row)()
    theta, promised = torch.tensor(0.7, dtype=F64), qf.gate(n_wires=1)(right)
    states = [qf.circuit(2, qf.h(1), one(theta, 1), qf.cx(1, 0))() for one in (row, promised)]
    assert float((states[0] - states[1]).abs().max()) < tolerance(F64, 4)


def test_a_gate_that_is_not_unitary_has_no_inverse():
    assert "unitary" not in damp.tags
    assert damp.inverse is None
    assert "unitary" in beam_splitter.tags
    assert beam_splitter.inverse is not None


OTHER_GENERATORS = {
    "a forgotten half angle": (full_angle, Y, r"= 1\.\d+ at \(.*\) radians\. Mend it \(half"),
    "the sign": (right, -Y, "the sign of G"),
    "another axis": (right, np.diag([1, -1]), r"max \|U - exp"),
    "half of it": (right, Y / 2, r"max \|U - exp"),
    "little": (right, (1 + 1e-9) * Y, r"e-09 at .* constants in double precision"),
}


@pytest.mark.parametrize("name", OTHER_GENERATORS)
def test_a_matrix_must_be_that_of_its_generator(name):
    function, generator, told = OTHER_GENERATORS[name]
    text = message_of(function, {"generator": generator})
    assert text.startswith(f"{function.__name__}(): the gate's matrix must be exp(-i θ G / 2) of")
    assert re.search(told, text), text


NO_GENERATORS = {
    "not Hermitian": ([[0, 2], [0, 0]], ValueError, "be Hermitian, but got max |G - G†| = 2."),
    "antihermitian": ((1j * Y).tolist(), ValueError, "be Hermitian, but got max |G - G†| = 2."),
    "hardly Hermitian": (
        [[0, 1], [1 + 1e-9, 0]],
        ValueError,
        "be Hermitian, but got max |G - G†|",
    ),
    "not a number": (
        [[float("nan"), 0], [0, 1]],
        ValueError,
        "be Hermitian, but got max |G - G†| = n",
    ),
    "of one wire more": (np.eye(4), ValueError, "have shape (2, 2), but got shape (4, 4)"),
    "letters": ("Z", TypeError, "be an array of numbers, but got 'Z'"),
    "rows of several lengths": ([[0, 1], [0]], TypeError, "be an array of numbers, but got [[0, 1"),
}


@pytest.mark.parametrize("name", NO_GENERATORS)
def test_a_generator_must_be_hermitian(name):
    generator, kind, told = NO_GENERATORS[name]
    assert f"`generator` must {told}" in message_of(right, {"generator": generator}, kind)


@pytest.mark.parametrize("generator", [Y, Y.tolist(), torch.from_numpy(Y).requires_grad_()])
def test_a_generator_may_be_anything_like_an_array(generator):
    row = qf.gate(n_wires=1, generator=generator)(right)
    assert np.array_equal(row.generator, Y)
    gate_laws(row)()


BROKEN_TAGS = {
    "hermitian": right,
    "diagonal": right,
    "permutation": right,
    "real": lambda theta: qf.rx.matrices(theta[None])[0],
}


@pytest.mark.parametrize("tag", BROKEN_TAGS)
def test_a_tag_must_hold(tag):
    """A diagonal gate runs as phases: a wrong tag would give wrong states without a word."""
    text = message_of(BROKEN_TAGS[tag], {"tags": {tag}})
    assert f"must be as its tag `{tag}` says, but got a deviation of " in text
    text = message_of(BROKEN_TAGS[tag], {"tags": {tag}, "unitary": False})
    assert f"must be as its tag `{tag}` says, but got a deviation of " in text


DECLARATIONS = {
    "a generator": ({"unitary": False, "generator": Y}, ValueError, "got a generator"),
    "the tag": ({"unitary": False, "tags": {"unitary"}}, ValueError, "got the tag"),
    "no bool": ({"unitary": 0}, TypeError, "be a bool, but got an int"),
}


@pytest.mark.parametrize("name", DECLARATIONS)
def test_declarations_agree(name):
    facts, kind, told = DECLARATIONS[name]
    text = message_of(right, facts, kind)
    assert text.startswith(f"gate(unitary={facts['unitary']}): `unitary` must ")
    assert told in text


def test_only_a_function_makes_a_gate():
    for given in (qf.x, np.eye(2), qf.x(0)):
        with pytest.raises(TypeError, match=r"`function` must be a function of angles, but got"):
            qf.gate(n_wires=1)(given)


def test_unitary_at_the_angles_checked_and_nowhere_else():
    """The check of the definition is cheap; the laws draw the angles that it did not look at."""
    (points,) = torch.from_numpy(_check_points(1)).T

    @qf.gate(n_wires=1)
    def trap(theta):
        return (1 + 0.1 * (theta - points.to(theta)).square().prod()) * right(theta)

    assert "unitary" in trap.tags
    for law in ("unitary", "norm"):
        with pytest.raises(LawError, match=rf"law `{law}` fails for <gate trap>"):
            gate_laws(trap, only=[law])()


EXCESSES = {
    "small angles": lambda theta: (0.5 - theta.abs()).relu(),
    "angles beyond a right one": lambda theta: (theta - torch.pi / 2).relu(),
    "negative angles": lambda theta: (-theta).relu(),
}


@pytest.mark.parametrize("excess", EXCESSES.values(), ids=EXCESSES)
def test_a_gate_must_be_unitary_at_angles_of_every_kind(excess):
    """A wrong tag would give wrong gradients without a word: the way back relies on it."""
    assert "must be unitary" in message_of(lambda t: (1 + excess(t)) * right(t), {})


def test_rounding_does_not_cost_a_gate_its_place():
    """Long products round; the check of a gate leaves room for them."""
    stretch = 1 + 20 * torch.finfo(F64).eps
    rounded = qf.gate(n_wires=3)(lambda theta: stretch * torch.eye(8, dtype=F64) + 0 * theta)
    assert "unitary" in rounded.tags
    steep = np.diag(1000 * np.arange(8.0))

    @qf.gate(n_wires=3, generator=steep)
    def fast(theta):
        angles = -theta / 2 * torch.from_numpy(steep).diag().to(theta)
        return torch.complex(angles.cos(), angles.sin()).diag()

    assert fast.inverse is not None
