"""The laws of observables: `apply` and `expectation` against each other and against the words."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor
from torch.func import grad, jvp, vmap

from quilt_func._torch import tree_leaves, tree_map
from quilt_func.measurement import variance as variance_of
from quilt_func.pauli import PauliSum
from quilt_func.states import random_state, uniforms
from quilt_func.testing._law import DIFFERENCES, Law, equal, law, same
from quilt_func.testing.tolerances import fd_tolerance, tolerance

OBSERVABLE_LAWS: dict[str, Law] = {}
"""The laws of `observable_laws`, by name."""


@dataclass(frozen=True, eq=False)
class StateCase:
    """Two random states of the observable's qubits and precision."""

    seed: int
    psi: Tensor
    phi: Tensor

    def __str__(self) -> str:
        """Show what a message needs."""
        return f"random states of seed {self.seed}"


def state_cases(observable: Any) -> st.SearchStrategy[StateCase]:
    """Cases for an observable; they shrink towards the states of seed 0."""
    tensors = _tensors(observable)
    dtype = tensors[0].dtype.to_real() if tensors else torch.float64

    def case(seed: int) -> StateCase:
        u = uniforms((2, 2, 2**observable.n_qubits), seed, dtype=dtype)
        return StateCase(seed, random_state(u[0]), random_state(u[1]))

    return st.integers(0, 2**16 - 1).map(case)


def _tensors(observable: Any) -> list[Tensor]:
    """Leaves, if the observable is a pytree of tensors."""
    leaves = tree_leaves(observable)
    return leaves if all(isinstance(leaf, Tensor) for leaf in leaves) else []


def _size(observable: Any, case: StateCase) -> float:
    """Size of the observable, for tolerances: the norm of its images."""
    norms = [float(observable.apply(state).detach().norm()) for state in (case.psi, case.phi)]
    return 1.0 + max(norms) + sum(float(t.abs().sum()) for t in _tensors(observable))


def _rounding(observable: Any, case: StateCase, degree: int = 1) -> float:
    steps = 16 * (1 + observable.n_qubits)
    return tolerance(case.psi.dtype, steps, _size(observable, case) ** degree)


def _inner(a: Tensor, b: Tensor) -> complex:
    return complex(np.vdot(_numpy(a), _numpy(b)))


def _numpy(tensor: Tensor) -> Any:
    return tensor.detach().resolve_conj().resolve_neg().cpu().numpy()


@law(
    OBSERVABLE_LAWS,
    statement="⟨φ|Oψ⟩ is the conjugate of ⟨ψ|Oφ⟩.",
    cause="a matrix that is not Hermitian, or a Y without its factor i.",
)
def hermitian(observable: Any, case: StateCase) -> None:
    """O† = O."""
    left = _inner(case.phi, observable.apply(case.psi))
    right = _inner(case.psi, observable.apply(case.phi)).conjugate()
    equal(left, right, _rounding(observable, case), "⟨φ|Oψ⟩")


@law(
    OBSERVABLE_LAWS,
    statement="O(aψ + bφ) = a Oψ + b Oφ for complex a and b.",
    cause="a conjugation or an absolute value in `apply`.",
)
def linear(observable: Any, case: StateCase) -> None:
    """Linearity over the complex numbers."""
    a, b = 0.6 - 0.3j, -0.2 + 0.7j
    got = observable.apply(a * case.psi + b * case.phi)
    expected = a * observable.apply(case.psi) + b * observable.apply(case.phi)
    equal(got, expected, 2 * _rounding(observable, case), "O(aψ + bφ)")


@law(
    OBSERVABLE_LAWS,
    statement="the expectation value is Re ⟨ψ|Oψ⟩, with ψ on the left conjugated.",
    cause="a missing conjugation: right for real states only.",
)
def expectation(observable: Any, case: StateCase) -> None:
    """`expectation` against `apply`."""
    expected = _inner(case.psi, observable.apply(case.psi)).real
    equal(observable.expectation(case.psi), expected, _rounding(observable, case), "⟨O⟩")


_LETTERS = {
    "I": np.eye(2),
    "X": np.array([[0, 1], [1, 0]]),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.diag([1, -1]),
}


@law(
    OBSERVABLE_LAWS,
    statement="a Pauli sum acts as the sum of its words' Kronecker products; letter 0 is wire 0.",
    cause="a term dropped or counted twice, or letters read from the last wire.",
)
def words(observable: Any, case: StateCase) -> None:
    """`apply` against explicit matrices."""
    if not isinstance(observable, PauliSum):
        return
    psi = _numpy(case.psi)
    expected = np.zeros(psi.shape, dtype=complex)
    for word, coefficient in observable.items():
        image = psi.astype(complex).reshape((2,) * len(word))
        for wire, letter in enumerate(word):
            image = np.moveaxis(np.tensordot(_LETTERS[letter], image, (1, wire)), 0, wire)
        expected += float(coefficient) * image.reshape(-1)
    equal(observable.apply(case.psi), expected, _rounding(observable, case), "Oψ")


@law(
    OBSERVABLE_LAWS,
    statement="the gradient by the state is 2 Oψ, and by the leaves the finite difference.",
    cause="a detached leaf or state, or a factor 2 lost in a hand-written rule.",
)
def gradient(observable: Any, case: StateCase) -> None:
    """Derivatives of the expectation value."""
    by_state = grad(lambda psi: observable.expectation(psi))(case.psi)
    expected = 2 * observable.apply(case.psi)
    equal(by_state, expected, 4 * _rounding(observable, case), "the gradient by the state")
    if not _tensors(observable):
        return
    direction = tree_map(lambda leaf: 0.5 * torch.ones_like(leaf), observable)
    step = torch.finfo(case.psi.dtype).eps ** (1 / 3)

    def shifted(by: float) -> float:
        moved = tree_map(lambda leaf, d: leaf + by * d, observable, direction)
        return float(moved.expectation(case.psi))

    slope = (shifted(step) - shifted(-step)) / (2 * step)
    found = grad(lambda o: o.expectation(case.psi))(observable)
    parts = zip(tree_leaves(found), tree_leaves(direction), strict=True)
    along = sum(_inner(d, g).real for g, d in parts)
    bound = fd_tolerance(case.psi.dtype, scale=_size(observable, case))
    equal(along, slope, bound, "the gradient by the leaves", DIFFERENCES)


@law(
    OBSERVABLE_LAWS,
    statement="the variance is ⟨O²⟩ - ⟨O⟩².",
    cause="`apply` and `expectation` that stand for different observables.",
)
def variance(observable: Any, case: StateCase) -> None:
    """`quilt_func.variance` against the definition."""
    image = observable.apply(case.psi)
    mean = float(observable.expectation(case.psi))
    expected = _inner(image, image).real - mean**2
    bound = _rounding(observable, case, degree=2)
    equal(variance_of(case.psi, observable), expected, bound, "the variance")


@law(
    OBSERVABLE_LAWS,
    statement="`vmap` over states equals the loop.",
    cause="a reduction over all axes, or values read on the way.",
)
def _vmap(observable: Any, case: StateCase) -> None:
    """Over the case's states."""
    states = torch.stack([case.psi, case.phi])
    bound = _rounding(observable, case)
    values = torch.stack([observable.expectation(state) for state in states])
    equal(vmap(observable.expectation)(states), values, bound, "the batch of values")
    images = torch.stack([observable.apply(state) for state in states])
    equal(vmap(observable.apply)(states), images, bound, "the batch of images")


@law(
    OBSERVABLE_LAWS,
    statement="values and tangents are real and 0-d, images complex, all of the state's precision.",
    cause="a constant in another precision, or a complex value whose imaginary part is kept.",
)
def dtype(observable: Any, case: StateCase) -> None:
    """Dtypes and shapes."""
    value, pushed = jvp(observable.expectation, (case.psi,), (case.phi,))[:2]
    real = case.psi.dtype.to_real()
    same((value.dtype, tuple(value.shape)), (real, ()), "the value's dtype and shape")
    same(pushed.dtype, real, "the tangent's dtype")
    image = observable.apply(case.psi)
    same(
        (image.dtype, image.shape), (case.psi.dtype, case.psi.shape), "the image's dtype and shape"
    )
