"""Every law fails on a planted mistake: a law that nothing breaks proves nothing.

A mutant is a gate or an observable with one mistake; the table names the law that must kill it, and
`test_every_law_kills_a_mutant` that no law is idle.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import Phase, settings
from systems import beam_splitter

import quilt_func as qf
from quilt_func.derived import named_controlled
from quilt_func.ops import Gate, Op
from quilt_func.testing import (
    GATE_LAWS,
    OBSERVABLE_LAWS,
    LawError,
    gate_laws,
    observable_laws,
)

X = np.array([[0, 1], [1, 0]], dtype=complex)
Z = np.diag([1.0 + 0j, -1])


def complex_of(real, imag=None):
    return torch.complex(real, torch.zeros_like(real) if imag is None else imag)


def rows(*entries):
    """Matrices (m, 2, 2) of four vectors."""
    return torch.stack([torch.stack(entries[:2], -1), torch.stack(entries[2:], -1)], -2)


def with_matrix(row, matrix, **facts):
    """A row with another matrix, and its other facts as they were."""
    return replace(row, matrix=matrix, **facts)


def ry_of(c, s):
    return complex_of(rows(c, -s, s, c))


def full_angle(theta):
    return ry_of(theta.cos(), theta.sin())


def detached(theta):
    half = (theta / 2).detach()
    return ry_of(half.cos(), half.sin())


def numpy_inside(theta):
    half = torch.tensor(theta.detach().numpy() / 2)
    return ry_of(half.cos(), half.sin())


def double(theta):
    return qf.ry.matrices(theta.double())


def cancelling(theta):
    half = (theta / 2 + 1e4) - 1e4
    return ry_of(half.cos(), half.sin())


def imaginary_unit(thetas):
    """Entries by `1j * number`: for 0-d numbers the value is complex64, its tangent is not."""
    matrices = []
    for theta in thetas.unbind(0):
        c, s = (theta / 2).cos() + 0j, -1j * (theta / 2).sin()
        matrices.append(torch.stack([torch.stack([c, s]), torch.stack([s, c])]))
    return torch.stack(matrices)


def unscaled(theta):
    return 1.001 * qf.ry.matrices(theta)


def first_only(theta):
    return qf.ry.matrices(theta[:1]).expand(len(theta), -1, -1)


def turned_wires(theta):
    return qf.crx.matrices(theta)[:, [0, 2, 1, 3]][:, :, [0, 2, 1, 3]]


def reading_values(theta):
    half = theta / 2 if theta.abs().max() < 100 else theta
    return ry_of(half.cos(), half.sin())


def lazily_conjugated(theta):
    return qf.rz.matrices(-theta).mH.mT


def half_derivative(theta):
    half = theta / 2
    return ry_of(*((f + f.detach()) / 2 for f in (half.cos(), half.sin())))


def clamped(theta):
    return qf.ry.matrices(theta.clamp(-7, 7))


class Sine(torch.autograd.Function):
    """The sine, with rules by hand."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x.sin()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx, slope):
        return slope * ctx.saved_tensors[0].cos()

    @staticmethod
    def jvp(ctx, tangent):
        return tangent * ctx.saved_tensors[0].cos()


class WrongTangent(Sine):
    @staticmethod
    def jvp(ctx, tangent):
        return -Sine.jvp(ctx, tangent)


class TangentElsewhere(Sine):
    @staticmethod
    def jvp(ctx, tangent):
        return Sine.jvp(ctx, tangent) + torch.zeros(tangent.shape, dtype=tangent.dtype)


class GradientElsewhere(Sine):
    @staticmethod
    def backward(ctx, slope):
        return Sine.backward(ctx, slope) + torch.zeros(slope.shape, dtype=slope.dtype)


def by_rule(function):
    def matrix(theta):
        half = theta / 2
        return ry_of(half.cos(), function.apply(half))

    return matrix


def constant_elsewhere(theta):
    """A constant on the CPU, in a product: on the `meta` device torch lets it pass."""
    return qf.ry.matrices(theta) @ torch.eye(2, dtype=theta.dtype.to_complex())


def made_elsewhere(theta):
    return torch.eye(2, dtype=theta.dtype.to_complex()).expand(len(theta), -1, -1)


def there_and_back(theta):
    return qf.ry.matrices(theta.cpu()).to(theta.device)


TURNED = qf.Qasm("turned", "gate turned(t) a, b { crx(t) b, a; }")


class SwappedWires(Gate):
    """A gate whose call turns its wires round."""

    def __call__(self, *args):
        op = super().__call__(*args)
        return Op(op.gate, tuple(ws[::-1] for ws in op.wires), op.params)


class SortedWires(Gate):
    """A gate whose call sorts its wires."""

    def __call__(self, *args):
        op = super().__call__(*args)
        return Op(op.gate, tuple(tuple(sorted(ws)) for ws in op.wires), op.params)


def as_class(cls, row):
    fields = [f for f in row.__dataclass_fields__ if f != "_constants"]
    return cls(**{name: getattr(row, name) for name in fields})


def wrongly_controlled():
    base = replace(qf.rx, name="rx_with_a_wrong_control")
    named_controlled(base, "wrong", "", matrix=lambda theta: qf.crz.matrices(theta))
    return base


def rule(row, angles):
    """A row whose inverse has other angles."""
    return replace(row, inverse=lambda *given: (row, angles(*given)))


def two_axes(theta):
    return qf.ry.matrices(theta) @ qf.rx.matrices(theta)


def transposed(row):
    return replace(
        row, matrix=row.matrix.T, inverse=lambda: (replace(row, matrix=row.matrix.T), ())
    )


CONSTANT_Y = replace(qf.s, matrix=qf.sx.matrix, tags=frozenset({"unitary"}))

GATES: dict[str, tuple[Gate, str]] = {
    "half-angle lost": (with_matrix(qf.ry, full_angle), "generator"),
    "sign of the generator": (replace(qf.rx, generator=-qf.rx.generator), "generator"),
    "generator of another axis": (replace(qf.rx, generator=qf.ry.generator), "generator"),
    "generator not Hermitian": (replace(qf.rx, generator=np.array([[0, 2], [0, 0]])), "generator"),
    "transposed matrix": (with_matrix(qf.ry, lambda t: qf.ry.matrices(t).mT), "generator"),
    "wires of the matrix swapped": (with_matrix(qf.crx, turned_wires), "generator"),
    "norm not kept": (with_matrix(qf.ry, unscaled), "unitary"),
    "sign of one entry": (replace(qf.h, matrix=np.abs(qf.h.matrix)), "unitary"),
    "inverse is the gate itself": (replace(qf.s, inverse=lambda: (qf.s, ())), "inverse"),
    "inverse with the same angle": (rule(qf.rx, lambda t: (t,)), "inverse"),
    "inverse with angles in order": (rule(qf.u, lambda a, b, c: (-a, -b, -c)), "inverse"),
    "inverse is the transpose": (
        replace(qf.sx, inverse=lambda: (replace(qf.sx, matrix=qf.sx.matrix.T), ())),
        "inverse",
    ),
    "tag hermitian": (replace(qf.s, tags=qf.s.tags | {"hermitian"}), "tags"),
    "tag diagonal": (replace(qf.rx, tags=qf.rx.tags | {"diagonal"}), "tags"),
    "tag real": (replace(qf.rx, tags=qf.rx.tags | {"real"}), "tags"),
    "tag permutation": (replace(qf.z, tags=qf.z.tags | {"permutation"}), "tags"),
    "tag permutation, not one per row": (
        replace(qf.x, matrix=np.ones((2, 2)), tags=frozenset({"permutation"}), inverse=None),
        "tags",
    ),
    "tag clifford": (replace(qf.t, tags=qf.t.tags | {"clifford"}), "tags"),
    "tag group": (replace(qf.ry, matrix=two_axes, generator=None), "group"),
    "power by the angle": (replace(qf.ry, matrix=two_axes, generator=None), "power"),
    "controlled form of another gate": (wrongly_controlled(), "controlled"),
    "float64 leak": (with_matrix(qf.ry, double), "dtype"),
    "one matrix for all": (with_matrix(qf.ry, lambda t: qf.ry.matrices(t)[0]), "dtype"),
    "constant on the CPU": (with_matrix(qf.ry, constant_elsewhere), "device"),
    "matrix on the CPU": (with_matrix(qf.ry, made_elsewhere), "device"),
    "detour over the CPU": (with_matrix(qf.ry, there_and_back), "device"),
    "tangent on the CPU": (with_matrix(qf.ry, by_rule(TangentElsewhere)), "device"),
    "gradient on the CPU": (with_matrix(qf.ry, by_rule(GradientElsewhere)), "device"),
    "inverse by the CPU": (
        rule(qf.rx, lambda t: (-t + torch.zeros(len(t), dtype=t.dtype),)),
        "device",
    ),
    "labels of another gate": (replace(qf.cx, symbol=("X",)), "labels"),
    "tag that is unknown": (replace(qf.x, tags=qf.x.tags | {"nice"}), "labels"),
    "only the first angle": (with_matrix(qf.ry, first_only), "batch"),
    "wires swapped on the way": (as_class(SwappedWires, qf.crx), "locality"),
    "wires sorted on the way": (as_class(SortedWires, qf.crx), "relabelling"),
    "values read": (with_matrix(qf.ry, reading_values), "vmap"),
    "numpy inside": (with_matrix(qf.ry, numpy_inside), "vmap"),
    "tangent in double precision": (with_matrix(qf.rx, imaginary_unit), "tangent"),
    "angle detached": (with_matrix(qf.ry, detached), "gradient"),
    "norm not kept, on a register": (with_matrix(qf.ry, unscaled), "norm"),
    "half of the derivative": (with_matrix(qf.ry, half_derivative), "derivative"),
    "tangent of the wrong sign": (with_matrix(qf.ry, by_rule(WrongTangent)), "modes"),
    "factor 2 between matrix and generator": (with_matrix(qf.ry, full_angle), "shift"),
    "angle clamped": (with_matrix(qf.ry, clamped), "periodicity"),
    "text of another gate": (replace(qf.sx, qasm=qf.Qasm("s")), "qasm"),
    "text with its wires swapped": (replace(qf.crx, qasm=TURNED), "qasm"),
    "text without a definition": (replace(qf.rxx, qasm=qf.Qasm("rxx")), "qasm"),
    "cancellation": (with_matrix(qf.ry, cancelling), "precision"),
}

WORDS = qf.pauli_sum({"XYI": 0.5, "ZIZ": -0.25, "IYX": 1.0})


@dataclass(frozen=True, eq=False)
class Mutant:
    """An observable that differs from Pauli words in what is given."""

    apply: Callable[[Any], Any] = WORDS.apply
    expectation: Callable[[Any], Any] = WORDS.expectation
    n_qubits: int = 3


class DroppedTerm(qf.PauliSum):
    def apply(self, state):
        return qf.PauliSum(self.words[:-1], self.coefficients[:-1]).apply(state)


class WordsFromTheLastWire(qf.PauliSum):
    def apply(self, state):
        return qf.PauliSum(tuple(w[::-1] for w in self.words), self.coefficients).apply(state)


class DetachedCoefficients(qf.PauliSum):
    def expectation(self, state):
        return qf.PauliSum(self.words, self.coefficients.detach()).expectation(state)


def as_sum(cls):
    """A class of sums of the same words; its trees are of its own kind."""
    from quilt_func._torch.trees import register

    register(
        cls,
        lambda o: ([o.coefficients], o.words),
        lambda c, words: cls(words, *c),
        cls.__qualname__,
    )
    return cls(WORDS.words, torch.tensor(WORDS.coefficients, dtype=torch.float64))


def unconjugated(state):
    return (state * WORDS.apply(state)).sum().real


def without_factor_i(state):
    """Y read as [[0, -1], [1, 0]]."""
    matrix = np.kron(np.kron(X, np.array([[0, -1], [1, 0]])), np.eye(2))
    return torch.from_numpy(matrix) @ state


def half_gradient(state):
    value = WORDS.expectation(state)
    return (value + value.detach()) / 2


def summed_over_all(state):
    return (state.conj() * WORDS.apply(state)).real.sum() + 0 * float(state.real.detach().sum())


OBSERVABLES: dict[str, tuple[Any, str]] = {
    "Y without i": (Mutant(apply=without_factor_i), "hermitian"),
    "projector on an axis": (qf.hermitian(torch.tensor([[1, 1], [0, 1]]).cdouble()), "hermitian"),
    "conjugation in apply": (Mutant(apply=lambda s: WORDS.apply(s.conj())), "linear"),
    "missing conjugation": (Mutant(expectation=unconjugated), "expectation"),
    "expectation of something else": (
        Mutant(expectation=lambda s: 2 * WORDS.expectation(s)),
        "variance",
    ),
    "dropped Pauli term": (as_sum(DroppedTerm), "words"),
    "wrong word order": (as_sum(WordsFromTheLastWire), "words"),
    "detached coefficients": (as_sum(DetachedCoefficients), "gradient"),
    "half the gradient": (Mutant(expectation=half_gradient), "gradient"),
    "values read": (Mutant(expectation=summed_over_all), "vmap"),
    "float64 leak": (Mutant(expectation=lambda s: WORDS.expectation(s).double()[None]), "dtype"),
}

QUICKLY = settings(max_examples=10, phases=[Phase.generate])


@pytest.mark.parametrize("name", GATES)
def test_gate_mutants_die(name):
    mutant, law = GATES[name]
    with pytest.raises(LawError, match=rf"law `{law}` fails for <gate {mutant.name}> at angles"):
        gate_laws(mutant, only=[law], settings=QUICKLY)()


@pytest.mark.parametrize("name", OBSERVABLES)
def test_observable_mutants_die(name):
    mutant, law = OBSERVABLES[name]
    with pytest.raises(LawError, match=rf"law `{law}` fails for"):
        observable_laws(mutant, only=[law], settings=QUICKLY)()


def test_every_law_kills_a_mutant():
    assert {law for _, law in GATES.values()} == set(GATE_LAWS)
    assert {law for _, law in OBSERVABLES.values()} == set(OBSERVABLE_LAWS)


def test_the_unharmed_mutant_lives():
    """The mutants die of their mistake, not of how they are made."""
    gate_laws(as_class(Gate, qf.crx), settings=QUICKLY)()
    gate_laws(with_matrix(qf.ry, lambda theta: qf.ry.matrices(theta)), settings=QUICKLY)()
    gate_laws(with_matrix(qf.ry, by_rule(Sine)), settings=QUICKLY)()
    gate_laws(beam_splitter, settings=QUICKLY)()
    observable_laws(Mutant(), settings=QUICKLY)()


def test_messages_teach():
    with pytest.raises(LawError) as caught:
        gate_laws(GATES["half-angle lost"][0], only=["generator"], settings=QUICKLY)()
    text = str(caught.value)
    parts = "`generator`", "<gate ry>", "angles ([", "deviates by", "tolerance", "8 eps √steps"
    for part in (*parts, "Usual cause", "full angle"):
        assert part in text, f"{part!r} is missing in {text!r}"


def test_the_device_law_shows_where_devices_meet():
    with pytest.raises(LawError) as caught:
        gate_laws(GATES["constant on the CPU"][0], only=["device"], settings=QUICKLY)()
    text = str(caught.value)
    for part in ("`matmul` is ['cpu', 'meta']", "Usual cause", "device=theta.device"):
        assert part in text, f"{part!r} is missing in {text!r}"


def test_devices_may_meet_where_cuda_lets_them():
    def with_numbers(theta):
        """0-d tensors of the CPU are numbers; and moving a constant is the remedy itself."""
        moved = torch.eye(2, dtype=theta.dtype.to_complex()).to(theta.device)
        return (qf.ry.matrices(theta * torch.tensor(1.0)) @ moved)[torch.arange(len(theta))]

    gate_laws(with_matrix(qf.ry, with_numbers), only=["device"], settings=QUICKLY)()


def test_several_broken_laws_are_told_at_once():
    with pytest.raises(LawError) as caught:
        gate_laws(GATES["sign of one entry"][0], settings=QUICKLY)()
    assert {"`unitary`", "`inverse`"} <= {word for word in str(caught.value).split() if "`" in word}


def test_constants_may_be_made_on_a_device_in_any_way():
    """`torch.tensor` and `new_tensor` fail on `meta` below a transform, which is torch's doing."""
    makers = {
        "tensor": lambda t: torch.tensor([1.0, -1.0], dtype=t.dtype, device=t.device),
        "new_tensor": lambda t: t.new_tensor([1.0, -1.0]),
        "as_tensor": lambda t: torch.as_tensor(np.array([1.0, -1.0]), device=t.device).to(t.dtype),
    }
    for signs in makers.values():
        gate_laws(turned_by(signs), only=["device"], settings=QUICKLY)()


def turned_by(signs):
    @qf.gate(n_wires=1)
    def turn(theta):
        half = theta / 2 * signs(theta)
        return torch.complex(half.cos(), -half.sin()).diag()

    return turn


def test_a_number_of_the_cpu_is_no_part_of_a_complex_number_elsewhere():
    @qf.gate(n_wires=1)
    def turn(theta):
        phase = torch.polar(torch.ones((), dtype=theta.dtype), theta)
        return torch.stack([phase, phase.conj()]).diag()

    with pytest.raises(LawError, match="devices in `polar`"):
        gate_laws(turn, only=["device"], settings=QUICKLY)()
