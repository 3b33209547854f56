"""Mistakes in templates: each check fails on a planted one."""

import pytest
import torch
from oracles import templates

import quilt_func as qf
from quilt_func import ansatz


def neighbour(gates, index, theta, *wires):
    return qf.choice(gates, (index + 1) % len(gates), theta, *wires)


def half_angle(gates, index, theta, *wires):
    return qf.choice(gates, index, theta / 2, *wires)


def detached(gates, index, theta, *wires):
    return qf.choice(gates, index, theta.detach(), *wires)


def places_ignored(gates, index, theta, *wires):
    plain = [entry[0] if isinstance(entry, tuple) else entry for entry in gates]
    return qf.choice(plain, index, theta, *wires)


def sets_in_reverse(gates, index, theta, *wires):
    return qf.choice(gates, index, theta, *(w[::-1] if isinstance(w, list) else w for w in wires))


def negative(gates, index, theta, *wires):
    return qf.choice(gates, index, -theta, *wires)


@pytest.mark.parametrize(
    "mistake", [neighbour, half_angle, detached, places_ignored, sets_in_reverse, negative]
)
def test_mistakes_in_choices_die(mistake):
    with pytest.raises(AssertionError):
        templates.check_choice(mistake)


@pytest.mark.parametrize(
    "mistake",
    [
        ansatz.inverse_qft,
        lambda n: ansatz.qft(n, swaps=False),
        lambda n: (ansatz.permute_wires(range(n)[::-1]), ansatz.qft(n)),
        lambda n: [op for op in ansatz.qft(n) if op.gate is not qf.cp],
    ],
)
def test_mistakes_in_fourier_transforms_die(mistake):
    with pytest.raises(AssertionError):
        templates.check_qft(mistake)


def inverse_order(order):
    return ansatz.permute_wires([order.index(wire) for wire in range(len(order))])


def exchanges_in_reverse(order):
    return [qf.swap(op.wires[::-1]) for op in ansatz.permute_wires(order)]


@pytest.mark.parametrize("mistake", [inverse_order, exchanges_in_reverse, lambda order: ()])
def test_mistakes_in_orders_die(mistake):
    with pytest.raises(AssertionError):
        templates.check_permutation(mistake)


def without(place):
    """An angle that is never used."""

    def block(params, pairs=((0, 1),)):
        kept = torch.ones(15, dtype=params.dtype)
        kept[place] = 0
        return ansatz.two_qubit_unitary(params * kept, pairs)

    return block


def all_first(params, pairs=((0, 1),)):
    """The blocks of pairs that share a wire, kind by kind."""
    if params.ndim == 1:
        return ansatz.two_qubit_unitary(params, pairs)
    each = zip(params, pairs, strict=True)
    parts = [ansatz.two_qubit_unitary(one, [pair]) for one, pair in each]
    return [op for column in zip(*parts, strict=True) for op in column]


@pytest.mark.parametrize("mistake", [without(6), without(8), without(0), all_first])
def test_mistakes_in_blocks_die(mistake):
    with pytest.raises(AssertionError):
        templates.check_two_qubit_unitary(mistake, n_targets=1)


def of_absolute_values(a):
    return ansatz.prepare_state(a.abs())


def of_the_conjugate(a):
    return ansatz.prepare_state(torch.complex(a.real, -a.imag) if a.is_complex() else a)


def without_phase(a):
    psi = a + 0j
    turned = psi * torch.exp(-1j * psi[0].angle())
    return ansatz.prepare_state(turned)


def with_one_sign(a):
    """The reflection that divides by zero at |0⟩."""
    psi = ansatz.amplitude_encoding(a)
    one = torch.eye(len(psi), dtype=psi.dtype)
    v = one[0] - psi
    return (qf.unitary(one - v[:, None] * (v.conj() / v[0].conj()), *range(len(psi) // 2)),)


def by_angles(a):
    """A tree of rotations, whose slopes vanish where amplitudes do."""
    psi = ansatz.amplitude_encoding(a)
    p = psi.abs()
    if len(psi) == 2:
        return qf.ry(2 * torch.atan2(psi[1].real, psi[0].real), 0)
    top = 2 * torch.atan2((p[2:] ** 2).sum().sqrt(), (p[:2] ** 2).sum().sqrt())
    matrix = [
        ansatz.prepare_state(psi[:2])[0].params[0][0],
        ansatz.prepare_state(psi[2:])[0].params[0][0],
    ]
    return qf.ry(top, 0), qf.unitary(torch.block_diag(*matrix), 0, 1)


@pytest.mark.parametrize(
    "mistake", [of_absolute_values, of_the_conjugate, without_phase, with_one_sign, by_angles]
)
def test_mistakes_in_states_die(mistake):
    with pytest.raises(AssertionError):
        templates.check_preparation(mistake)


def twice(observable, t, order=2, **options):
    return ansatz.pauli_evolution(observable, 2 * t, order, **options)


def without_constant(observable, t, order=2, **options):
    kept = [i for i, word in enumerate(observable.words) if set(word) != {"I"}] or [0]
    values = [observable.coefficients[i] * (set(observable.words[i]) != {"I"}) for i in kept]
    words = [observable.words[i] for i in kept]
    stacked = torch.stack(values) if isinstance(values[0], torch.Tensor) else None
    terms = words if stacked is not None else dict(zip(words, values, strict=True))
    return ansatz.pauli_evolution(qf.pauli_sum(terms, stacked), t, order, **options)


def of_lower_order(observable, t, order=2, **options):
    return ansatz.pauli_evolution(observable, t, min(order, 2), **options)


def of_first_order(observable, t, order=2, **options):
    return ansatz.pauli_evolution(observable, t, 1, **options)


def in_one_step(observable, t, order=2, *, n_steps=1):
    return ansatz.pauli_evolution(observable, t, order)


def joined_always(observable, t, order=2, **options):
    """The middle of a symmetric step turns once, whether or not its words commute."""
    if order == 2 and observable is templates.CROSSED:
        n = options.get("n_steps", 1)
        half = qf.rz(0.5 * t / n, 0)
        turns = qf.pauli_rot(1.4 * t / n, "XY", 0, 1), qf.pauli_rot(-1.8 * t / n, "XY", 1, 2)
        return [(half, turns, half)] * n
    return ansatz.pauli_evolution(observable, t, order, **options)


def of_numbers(observable, t, order=2, **options):
    values = observable.coefficients
    kept = values.detach() if isinstance(values, torch.Tensor) else None
    return ansatz.pauli_evolution(
        observable if kept is None else qf.pauli_sum(observable.words, kept), t, order, **options
    )


@pytest.mark.parametrize(
    "mistake",
    [
        twice,
        without_constant,
        of_lower_order,
        of_first_order,
        in_one_step,
        of_numbers,
        joined_always,
    ],
)
def test_mistakes_in_evolutions_die(mistake):
    with pytest.raises(AssertionError):
        templates.check_evolution(mistake)


def other_sign(params, cost, *rest):
    return ansatz.qaoa(params * torch.tensor([1.0, -1.0]).to(params), cost, *rest)


def mixer_forgotten(params, cost, mixer="x", start=None):
    return ansatz.qaoa(params, cost, "x", start)


def start_forgotten(params, cost, mixer="x", start=None):
    return ansatz.qaoa(params, cost, mixer, None if mixer != "xy" else start)


@pytest.mark.parametrize("mistake", [other_sign, mixer_forgotten, start_forgotten])
def test_mistakes_in_mixers_die(mistake):
    with pytest.raises(AssertionError):
        templates.check_qaoa(mistake, ansatz.warm_start)


def not_cut(solution, epsilon=0.25):
    return ansatz.warm_start(solution, 0.0)


def upside_down(solution, epsilon=0.25):
    return ansatz.warm_start(1 - solution, epsilon)


def cold_mixer(solution, epsilon=0.25):
    return ansatz.warm_start(solution, epsilon)._replace(
        mixer=lambda beta: qf.rx(2 * beta, range(len(solution)))
    )


@pytest.mark.parametrize("mistake", [not_cut, upside_down, cold_mixer])
def test_mistakes_in_warm_starts_die(mistake):
    with pytest.raises(AssertionError):
        templates.check_qaoa(ansatz.qaoa, mistake)


@pytest.mark.parametrize(
    "ramp",
    [
        lambda n, **kind: ansatz.ramp_qaoa(n, **kind).flip(1),
        lambda n, **kind: ansatz.ramp_qaoa(n, **kind).flip(0),
        lambda n, **kind: ansatz.ramp_qaoa(n, **kind).abs(),
    ],
)
def test_mistakes_in_ramps_die(ramp):
    with pytest.raises(AssertionError):
        templates.check_starts(ramp, ansatz.interpolate_qaoa)


@pytest.mark.parametrize(
    "interpolate",
    [
        lambda p: torch.cat([p, p[-1:]]),
        lambda p: torch.cat([torch.zeros_like(p[:1]), p]),
        lambda p: ansatz.interpolate_qaoa(p.flip(0)).flip(1),
    ],
)
def test_mistakes_in_interpolation_die(interpolate):
    with pytest.raises(AssertionError):
        templates.check_starts(ansatz.ramp_qaoa, interpolate)
