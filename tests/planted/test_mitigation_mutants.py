"""Mistakes in mitigation: the laws of folding, extrapolation, twirls and cancellation kill them."""

import pytest
import torch
from oracles.mitigation import (
    CLIFFORDS,
    check_cancelled,
    check_cancelled_slopes,
    check_decay,
    check_folding,
    check_line,
    check_noise_scales,
    check_richardson,
    check_twirl_keeps,
    check_twirl_mean,
    check_zero_noise,
)

import quilt_func as qf
from quilt_func import noise
from quilt_func.circuits import Circuit
from quilt_func.noise import (
    Extrapolated,
    cancel,
    extrapolate,
    fold_gates,
    fold_global,
    twirl,
)

F64 = torch.float64
THREE = qf.circuit(2, qf.s(0), qf.ry(0.3, [0, 1]), qf.cx(0, 1))


def of_ops(circuit, ops):
    return Circuit(circuit.n_qubits, tuple(ops))


def without_inverse(circuit, scale):
    """Each gate three times, instead of back and there again."""
    return circuit.repeat(int(scale))


def in_the_same_order(circuit, scale):
    """The inverses of gates, not reversed."""
    back = of_ops(circuit, (op.inverse() for op in circuit.ops))
    return circuit + back + circuit


def left_undone(circuit, scale):
    """What is left over is undone, and not done again."""
    return circuit + of_ops(circuit, (circuit.ops[-1].inverse(),))


def not_at_all(circuit, scale):
    return circuit


def once_too_often(circuit, scale):
    return fold_global(circuit, scale + 2)


FOLDS = {
    "without inverse": (without_inverse, 3),
    "in the same order": (in_the_same_order, 3),
    "left undone": (left_undone, 1.5),
    "not at all": (not_at_all, 3),
    "once too often": (once_too_often, 3),
}


@pytest.mark.parametrize("mistake", FOLDS)
def test_folds(mistake):
    fold, scale = FOLDS[mistake]
    for right in (fold_global, fold_gates):
        check_folding(right, THREE, scale)
    with pytest.raises(AssertionError):
        check_folding(fold, THREE, scale)


@pytest.mark.parametrize("fold", [not_at_all, once_too_often])
def test_folds_that_change_no_unitary_are_noticed_by_noise(fold):
    with pytest.raises(AssertionError):
        check_noise_scales(fold, 3)


VALUES = torch.tensor([0.8, 0.5, 0.4], dtype=F64)
ERRORS = torch.tensor([0.01, 0.03, 0.02], dtype=F64)


def without_errors(scales, values, errors=None, **how):
    """Not weighted, and the error of another estimate."""
    return extrapolate(scales, values, **how)


def errors_of_equal_size(scales, values, errors, **how):
    return extrapolate(scales, values, errors.mean().expand_as(errors), **how)


def errors_that_add_up(scales, values, errors, **how):
    """As if values were off together."""
    slopes = torch.func.grad(lambda y: extrapolate(scales, y, errors, **how).value)(values)
    return Extrapolated(extrapolate(scales, values, errors, **how).value, (slopes * errors).sum())


def always_a_line(scales, values, errors=None, **how):
    return extrapolate(scales, values, errors)


def at_scale_one(scales, values, errors=None, **how):
    """The fitted value with the noise that there is."""
    return extrapolate([scale - 1 for scale in scales], values, errors, **how)


def detached(scales, values, errors=None, **how):
    found = extrapolate(scales, values.detach(), errors, **how)
    return Extrapolated(found.value + 0 * values.sum(), found.error)


def line(found):
    check_line(found, [1, 3, 5], VALUES, ERRORS)


def richardson(found):
    check_richardson(found, [1, 3, 5], [0.9, -0.2, 0.05], ERRORS)


def decay(found):
    check_decay(found, VALUES)


FITS = {
    "a line without errors": (line, without_errors),
    "a line of equal errors": (line, errors_of_equal_size),
    "a line's errors add up": (line, errors_that_add_up),
    "a line at scale 1": (line, at_scale_one),
    "richardson of equal errors": (richardson, errors_of_equal_size),
    "richardson's errors add up": (richardson, errors_that_add_up),
    "richardson by a line": (richardson, always_a_line),
    "richardson at scale 1": (richardson, at_scale_one),
    "a decay by a line": (decay, always_a_line),
    "a decay at scale 1": (decay, at_scale_one),
    "a decay without slopes": (decay, detached),
}


@pytest.mark.parametrize("mistake", FITS)
def test_fits(mistake):
    check, found = FITS[mistake]
    check(extrapolate)
    with pytest.raises(AssertionError):
        check(found)


def test_scales_that_were_asked_for_are_not_those_reached():
    def as_asked(value, circuit, scales, *, fold, **how):
        values = torch.stack([value(fold(circuit, scale)) for scale in scales])
        return extrapolate(scales, values, **how)

    check_zero_noise(as_asked, (1, 3, 5), fold_global)
    with pytest.raises(AssertionError):
        check_zero_noise(as_asked, (1, 1.7, 2.9, 3.3), fold_global)


def without_correction(circuit, u):
    """The letters before a gate, and none behind."""
    ops = twirl(circuit, u).ops
    kept = [op for i, op in enumerate(ops) if op.gate.name != "unitary" or i % 3 != 2]
    return of_ops(circuit, kept if circuit.n_gates == 1 else ops[:-1])


def with_the_same_letters(circuit, u):
    """Behind a gate what was before it."""
    ops = list(twirl(circuit, u).ops)
    places = [i for i, op in enumerate(ops) if op.gate.name == "unitary"]
    for before, behind in zip(places[::2], places[1::2], strict=True):
        ops[behind] = ops[before]
    return of_ops(circuit, ops)


def without_sign(circuit, u):
    """Letters behind a gate up to a sign."""
    ops = list(twirl(circuit, u).ops)
    (matrices,) = ops[-1].params
    letters = torch.stack([torch.tensor(qf.gates.word_matrix(letter)) for letter in "IXYZ"])
    overlaps = (letters.conj() * matrices[:, None]).sum((-2, -1)).abs()
    ops[-1] = qf.unitary(letters[overlaps.argmax(1)], [w for (w,) in ops[-1].wires])
    return of_ops(circuit, ops)


def on_one_wire(circuit, u):
    """Letters before the second wire only: the mean is no Pauli channel."""
    return twirl(circuit, u / 4)


@pytest.mark.parametrize("mistake", [without_correction, with_the_same_letters, without_sign])
def test_twirls_that_change_the_gate(mistake):
    def kills():
        for gate in CLIFFORDS:
            check_twirl_keeps(mistake, gate)

    with pytest.raises(AssertionError):
        kills()


@pytest.mark.parametrize(
    "mistake", [with_the_same_letters, on_one_wire, lambda circuit, u: circuit]
)
def test_twirls_that_leave_another_channel(mistake):
    with pytest.raises(AssertionError):
        check_twirl_mean(mistake)


def without_words(circuit, u):
    return noise.Cancelled(circuit, cancel(circuit, u).weight)


def without_signs(circuit, u):
    found = cancel(circuit, u)
    return found._replace(weight=found.weight.abs())


def without_cost(circuit, u):
    found = cancel(circuit, u)
    return found._replace(weight=found.weight / found.weight.detach().abs())


def frozen(circuit, u):
    """Signs and costs without the derivative of which words are taken."""
    found = cancel(circuit, u)
    return found._replace(weight=found.weight.detach())


def cost_alone(circuit, u):
    """A weight whose slope is that of the cost."""
    found = cancel(circuit, u)
    return found._replace(weight=found.weight.detach().sign() * noise.cancellation_cost(circuit))


def words_before(circuit, u):
    """Words of one channel on the wires of another."""
    found = cancel(circuit, u)
    ops = [
        op.map_wires({0: 1, 1: 0}.__getitem__) if op.gate.name == "unitary" else op
        for op in found.circuit.ops
    ]
    return found._replace(circuit=of_ops(circuit, ops))


@pytest.mark.parametrize("mistake", [without_words, without_signs, without_cost, words_before])
def test_cancellations_with_another_mean(mistake):
    with pytest.raises(AssertionError):
        check_cancelled(mistake)


@pytest.mark.parametrize("mistake", [frozen, cost_alone])
def test_cancellations_with_other_slopes(mistake):
    """The mean is right: derivatives tell."""
    check_cancelled(mistake)
    with pytest.raises(AssertionError):
        check_cancelled_slopes(mistake)


def test_laws_hold_for_the_library():
    check_twirl_mean(twirl)
    check_cancelled(cancel)
    check_cancelled_slopes(cancel)
    for fold in (fold_global, fold_gates):
        check_noise_scales(fold, 3)
    for gate in CLIFFORDS:
        check_twirl_keeps(twirl, gate)
