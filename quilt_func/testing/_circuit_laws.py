"""The laws of circuits, of functions that make them, and of functions that rewrite them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor
from torch.func import grad, jvp, vmap

from quilt_func._torch import tree_leaves, tree_map
from quilt_func.circuits import Circuit, circuit, same_structure
from quilt_func.states import overlap, random_state, uniforms
from quilt_func.testing import strategies as qst
from quilt_func.testing._law import DIFFERENCES, Law, array, equal, law, same, up_to_phase
from quilt_func.testing.tolerances import fd_tolerance, tolerance
from quilt_func.typing import PyTree

CIRCUIT_LAWS: dict[str, Law] = {}
"""The laws of `circuit_laws`, by name."""
ANSATZ_LAWS: dict[str, Law] = {}
"""The laws of `ansatz_laws`, by name."""
REWRITE_LAWS: dict[str, Law] = {}
"""The laws of `rewrite_laws`, by name."""

N_CASES = 2
"""Parameters of a case: enough to tell one's from another's."""


@dataclass(frozen=True, eq=False)
class CircuitCase:
    """Two random states, and a circuit or the parameters of one.

    Attributes:
        seed: Seed of all numbers.
        psi: State to act on.
        phi: State to compare with.
        circuit: The circuit; an ansatz makes it of the first parameters.
        params: Trees of parameters, for an ansatz.
        is_drawn: Whether the circuit differs from case to case.
    """

    seed: int
    psi: Tensor
    phi: Tensor
    circuit: Circuit
    params: tuple[PyTree, ...] = ()
    is_drawn: bool = True

    def __str__(self) -> str:
        """Show what a message needs."""
        return f"seed {self.seed}" + (f", {self.circuit!r}\n " if self.is_drawn else "")


def precision(built: Circuit) -> torch.dtype:
    """The complex dtype that a circuit works in, complex128 if it holds no tensors."""
    leaves = built.leaves
    return leaves[0].dtype.to_complex() if leaves else torch.complex128


def case_of(seed: int, built: Circuit, params: tuple[PyTree, ...] = ()) -> CircuitCase:
    """A case of a circuit."""
    dtype = precision(built)
    u = uniforms((2, 2, 2**built.n_qubits), seed, dtype=dtype.to_real())
    return CircuitCase(seed, random_state(u[0]), random_state(u[1]), built, params)


def circuit_cases(built: Circuit) -> st.SearchStrategy[CircuitCase]:
    """Cases for a circuit; they shrink towards the states of seed 0."""
    return st.integers(0, 2**16 - 1).map(lambda seed: replace(case_of(seed, built), is_drawn=False))


@st.composite
def rewrite_cases(draw: st.DrawFn, circuits: st.SearchStrategy[Circuit]) -> CircuitCase:
    """Cases for a rewrite; they shrink towards few qubits and few ops."""
    return case_of(draw(st.integers(0, 2**16 - 1)), draw(circuits))


def ansatz_cases(fn: Callable[[PyTree], Any], params: PyTree) -> st.SearchStrategy[CircuitCase]:
    """Cases for an ansatz; they shrink towards the parameters of seed 0."""

    def case(seed: int) -> CircuitCase:
        drawn = tuple(_filled(params, seed + i) for i in range(N_CASES))
        return case_of(seed, built_by(fn, drawn[0]), drawn)

    return st.integers(0, 2**16 - 1).map(case)


def _filled(params: PyTree, seed: int) -> PyTree:
    """A tree of generic numbers in [-2, 2), which no two entries share."""
    total = sum(leaf.numel() for leaf in tree_leaves(params))
    numbers = iter((4 * uniforms(total, seed, dtype=torch.float64) - 2).tolist())

    def fill(leaf: Tensor) -> Tensor:
        values = [next(numbers) for _ in range(leaf.numel())]
        return torch.tensor(values, dtype=leaf.dtype).reshape(leaf.shape)

    return tree_map(fill, params)


def built_by(fn: Callable[[PyTree], Any], params: PyTree) -> Circuit:
    """The circuit that an ansatz gives, or that its parts make."""
    made = fn(params)
    if isinstance(made, Circuit):
        return made
    wide = circuit(64, made)
    return Circuit(1 + max(wide.wires, default=-1), wide.ops)


def _rounding(case: CircuitCase, scale: float = 4.0) -> float:
    """Rounding of a run; phases are of the size of the angles."""
    sizes = [float(leaf.detach().abs().max()) for leaf in case.circuit.leaves if leaf.numel()]
    steps = 16 * (1 + case.circuit.n_gates)
    return tolerance(case.psi.dtype, steps, scale * (1 + max(sizes, default=0.0)))


def _is_unitary(built: Circuit) -> bool:
    return all("unitary" in op.gate.tags for op in built.ops)


def _amplitude(built: Circuit, case: CircuitCase) -> Tensor:
    """A real number, equal for circuits that differ by a phase: |⟨φ|C|ψ⟩|²."""
    found = overlap(case.phi, built(case.psi))
    return found.real.square() + found.imag.square()


@law(
    CIRCUIT_LAWS,
    statement="a circuit acts as its gates' matrices do, one after another.",
    cause="a gate whose matrix depends on its neighbours, or wires taken in the wrong order.",
)
def steps(built: Circuit, case: CircuitCase) -> None:
    """Against explicit sums over the wires' bits, in numpy."""
    n, state = built.n_qubits, array(case.psi).astype(complex)
    for op in built.ops:
        for i, wires in enumerate(op.wires):
            matrix = _matrix(op, i)
            rest = [wire for wire in range(n) if wire not in wires]
            order = [*wires, *rest]
            axes = np.argsort(order)
            moved = state.reshape((2,) * n).transpose(order).reshape(2 ** len(wires), -1)
            state = (matrix @ moved).reshape((2,) * n).transpose(axes).reshape(-1)
    equal(built(case.psi), state, _rounding(case), "the state")


def _matrix(op: Any, i: int) -> Any:
    """The matrix of an op's wire set, in double precision."""
    if not op.gate.n_params:
        return array(op.gate.constant(torch.complex128, torch.device("cpu")))
    given = [
        torch.tensor(p, dtype=torch.float64) if isinstance(p, float) else p.detach()
        for p in op.params
    ]
    rows = [(p[i] if p.ndim > len(op.gate.param_shape) else p)[None] for p in given]
    wide = [row.to(torch.complex128 if row.is_complex() else torch.float64) for row in rows]
    return array(op.gate.matrices(*wide)[0])


@law(
    CIRCUIT_LAWS,
    statement="a circuit of gates tagged `unitary` keeps the norm, and its inverse undoes it.",
    cause="a gate tagged `unitary` that is not, or a wrong inverse rule.",
)
def _inverse(built: Circuit, case: CircuitCase) -> None:
    """There and back."""
    if not _is_unitary(built):
        return
    equal(built(case.psi).norm(), 1.0, _rounding(case), "the norm")
    back = built.inverse()(built(case.psi))
    equal(back, case.psi, _rounding(case), "the state after the inverse")


@law(
    CIRCUIT_LAWS,
    statement="C(aψ + bφ) = a Cψ + b Cφ for complex a and b, and `unitary()` has these columns.",
    cause="a conjugation or a normalisation inside a gate.",
)
def _linear(built: Circuit, case: CircuitCase) -> None:
    """Linearity over the complex numbers."""
    a, b = 0.6 - 0.3j, -0.2 + 0.7j
    expected = a * built(case.psi) + b * built(case.phi)
    equal(built(a * case.psi + b * case.phi), expected, _rounding(case), "C(aψ + bφ)")
    if built.n_qubits <= 6:
        matrix = built.unitary(dtype=case.psi.dtype)
        equal(matrix @ case.psi, built(case.psi), _rounding(case), "unitary() @ ψ")


@law(
    CIRCUIT_LAWS,
    statement="the derivative by the angles is the finite difference, in both modes.",
    cause="a gate with a detached angle.",
)
def _gradient(built: Circuit, case: CircuitCase) -> None:
    """Along the direction of ones."""
    if built.leaves:
        _check_slope(lambda given: _amplitude(given, case), built, case)


def _check_slope(value: Callable[[PyTree], Tensor], point: PyTree, case: CircuitCase) -> None:
    """Both modes against a central difference, along (1, 1/2, 1, 1/2, ...)."""
    leaves = tree_leaves(point)
    parts = iter([1.0 if i % 2 == 0 else 0.5 for i in range(len(leaves))])
    point = tree_map(lambda leaf: leaf.contiguous(), point)  # a shared angle is a view of one
    direction = tree_map(lambda leaf: torch.full_like(leaf, next(parts)), point)
    step = torch.finfo(case.psi.dtype).eps ** (1 / 3)

    def moved(by: float) -> Tensor:
        return value(tree_map(lambda leaf, d: leaf + by * d, point, direction)).detach()

    slope = float(moved(step) - moved(-step)) / (2 * step)
    size = 1.0 + sum(leaf.numel() for leaf in leaves)
    bound = fd_tolerance(case.psi.dtype, scale=size**3)
    forward = jvp(value, (point,), (direction,))[1]
    pairs = zip(tree_leaves(grad(value)(point)), tree_leaves(direction), strict=True)
    reverse = sum(float((g.conj() * d).real.sum()) for g, d in pairs)
    equal(reverse, slope, bound, "the gradient", DIFFERENCES)
    equal(forward, reverse, size * _rounding(case), "the tangent")


@law(
    CIRCUIT_LAWS,
    statement="`vmap` over states equals the loop, and dtypes are kept.",
    cause="values read inside a gate, or a constant of another precision.",
)
def _vmap(built: Circuit, case: CircuitCase) -> None:
    """Over the case's states."""
    states = torch.stack([case.psi, case.phi])
    mapped = vmap(built)(states)
    same(mapped.dtype, case.psi.dtype, "the state's dtype")
    equal(mapped, torch.stack([built(s) for s in states]), _rounding(case), "the batch of states")


@law(
    ANSATZ_LAWS,
    statement="parameters change no structure: gates, wires and order are the same for all.",
    cause="an `if` on a parameter's value.",
)
def structure(fn: Any, case: CircuitCase) -> None:
    """At two sets of parameters."""
    other = built_by(fn, case.params[1])
    same(same_structure(case.circuit, other), True, "whether the structures are equal")


@law(
    ANSATZ_LAWS,
    statement="equal parameters give equal states, bit for bit.",
    cause="random numbers drawn inside, or something counted between calls.",
)
def pure(fn: Any, case: CircuitCase) -> None:
    """Twice the same."""
    again = built_by(fn, case.params[0])(case.psi)
    equal(again, case.circuit(case.psi), 0.0, "the state of the second call", "equality")


@law(
    ANSATZ_LAWS,
    statement="every number of the parameters moves the state.",
    cause="a parameter that is not used, or a slice that is one short.",
)
def used(fn: Any, case: CircuitCase) -> None:
    """A derivative of 0 by a generic number, on a random state, means that it is not used."""

    def parts(params: PyTree) -> Tensor:
        return torch.view_as_real(built_by(fn, params)(case.psi).resolve_conj())

    found = tree_map(lambda leaf: torch.zeros_like(leaf), case.params[0])
    for weights in (case.phi, 1j * case.phi):
        pairs = torch.view_as_real(weights)
        slopes = grad(lambda params, pairs=pairs: (parts(params) * pairs).sum())(case.params[0])
        found = tree_map(lambda total, slope: total + slope.abs(), found, slopes)
    for leaf in tree_leaves(found):
        unused = (leaf == 0).nonzero().tolist()
        same(unused, [], f"the list of unused entries in a leaf of shape {tuple(leaf.shape)}")


@law(
    ANSATZ_LAWS,
    statement="the derivative by the parameters is the finite difference, in both modes.",
    cause="a parameter detached on the way: `torch.tensor([...])` of tensors, `float(...)`.",
)
def gradient(fn: Any, case: CircuitCase) -> None:
    """Along one direction."""
    _check_slope(lambda params: _amplitude(built_by(fn, params), case), case.params[0], case)


@law(
    ANSATZ_LAWS,
    statement="`vmap` over parameters equals the loop, and so does `vmap(grad)`.",
    cause="values read inside the function (`float(theta)`, `.item()`), or a batch axis by hand.",
)
def vmapped(fn: Any, case: CircuitCase) -> None:
    """Over the case's parameters."""

    def value(params: PyTree) -> Tensor:
        return _amplitude(built_by(fn, params), case)

    stacked = tree_map(lambda *leaves: torch.stack(leaves), *case.params)
    for f, what in ((value, "values"), (grad(value), "gradients")):
        looped = tree_map(lambda *rows: torch.stack(rows), *map(f, case.params))
        pairs = zip(tree_leaves(vmap(f)(stacked)), tree_leaves(looped), strict=True)
        for mapped, expected in pairs:
            equal(mapped, expected, _rounding(case, 16.0), f"the batch of {what}")


@law(
    ANSATZ_LAWS,
    statement="float32 parameters give a complex64 state and float32 gradients, float64 likewise.",
    cause="a constant made without `dtype=theta.dtype`, or `1j * theta`.",
)
def dtype(fn: Any, case: CircuitCase) -> None:
    """In both precisions."""
    for real in (torch.float32, torch.float64):
        params = tree_map(lambda leaf, real=real: leaf.to(real), case.params[0])
        states = case.psi.to(real.to_complex()), case.phi.to(real.to_complex())
        there = CircuitCase(case.seed, *states, case.circuit)
        state = built_by(fn, params)(there.psi)
        same(state.dtype, real.to_complex(), f"the state's dtype at {real}")
        slopes = grad(lambda p, there=there: _amplitude(built_by(fn, p), there))(params)
        found = {leaf.dtype for leaf in tree_leaves(slopes)}
        same(found, {real}, f"the gradients' dtypes at {real}")


@law(
    REWRITE_LAWS,
    statement="the rewritten circuit is the circuit, up to a global phase.",
    cause="gates exchanged that do not commute, an angle's sign or half, or swapped wires.",
)
def meaning(fn: Any, case: CircuitCase) -> None:
    """Matrices of both circuits."""
    after = fn(case.circuit)
    same(type(after).__name__, "Circuit", "the result's kind")
    same(after.n_qubits, case.circuit.n_qubits, "the number of qubits")
    dtype = case.psi.dtype
    expected = case.circuit.unitary(dtype=dtype)
    got = up_to_phase(after.unitary(dtype=dtype), expected)
    equal(got, expected, _rounding(case, 16.0), "the rewritten matrix")


@law(
    REWRITE_LAWS,
    statement="derivatives by the circuit's angles pass through the rewrite.",
    cause="an angle detached, made anew of its value, or counted twice.",
)
def derivatives(fn: Any, case: CircuitCase) -> None:
    """Gradients of a fidelity by the leaves, before and after."""
    if not case.circuit.leaves:
        return
    before = grad(lambda c: _amplitude(c, case))(case.circuit)
    after = grad(lambda c: _amplitude(fn(c), case))(case.circuit)
    for got, expected in zip(after.leaves, before.leaves, strict=True):
        equal(got, expected, _rounding(case, 16.0), "the gradient through the rewrite")


@law(
    REWRITE_LAWS,
    statement="a rewrite reads structure only, so it can be mapped over angles by `vmap`.",
    cause="an `if` on an angle's value, as when angles near 0 are left out.",
)
def mapped(fn: Any, case: CircuitCase) -> None:
    """Over the circuit's angles and half of these."""
    if not case.circuit.leaves:
        return

    def half(leaf: Tensor) -> Tensor:
        return leaf if leaf.is_complex() else leaf / 2

    both = [case.circuit, tree_map(half, case.circuit)]
    stacked = tree_map(lambda *leaves: torch.stack(leaves), *both)
    found = vmap(lambda c: _amplitude(fn(c), case))(stacked)
    looped = torch.stack([_amplitude(fn(c), case) for c in both])
    equal(found, looped, _rounding(case, 16.0), "the batch of values")


def default_circuits() -> st.SearchStrategy[Circuit]:
    """What a rewrite is tried on, unless its author says otherwise."""
    return qst.circuits(max_qubits=4, max_ops=8)
