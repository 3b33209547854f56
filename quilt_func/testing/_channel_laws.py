"""The laws of a channel's row: each checks one of its statements against its superoperator."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor
from torch.func import grad, jacrev, vmap

from quilt_func.circuits import circuit
from quilt_func.noise import Channel, run_density
from quilt_func.ops import Op
from quilt_func.states import random_state, uniforms
from quilt_func.testing import strategies as qst
from quilt_func.testing._law import DIFFERENCES, Law, array, equal, law, same
from quilt_func.testing.tolerances import fd_tolerance, tolerance
from quilt_func.typing import WireSet

Array = NDArray[np.complex128]

CHANNEL_LAWS: dict[str, Law] = {}
"""The laws of `channel_laws`, by name."""

N_SETS = 2
"""Wire sets of a case."""


@dataclass(frozen=True, eq=False)
class ChannelCase:
    """Strengths, and where the channel acts.

    Attributes:
        strengths: One float64 tensor `(N_SETS,)` per strength.
        n_qubits: Number of qubits of the register.
        wires: Where the channel acts.
        seed: Seed of the random matrices.
    """

    strengths: tuple[Tensor, ...]
    n_qubits: int
    wires: WireSet
    seed: int

    def __str__(self) -> str:
        """Show what a message needs."""
        given = ", ".join(str(strength.tolist()) for strength in self.strengths)
        return f"strengths ({given}) on wires {self.wires} of {self.n_qubits}, seed {self.seed}"

    def density(self, n_qubits: int) -> Tensor:
        """A mixture of three random states."""
        u = uniforms((3, 2, 2**n_qubits), self.seed, dtype=torch.float64)
        states = torch.stack([random_state(one) for one in u.unbind(0)])
        return (states.mT @ states.conj()) / 3


@st.composite
def channel_cases(draw: st.DrawFn, channel: Channel) -> ChannelCase:
    """Cases for a channel; they shrink towards strengths 0 on the first wires."""
    rows = qst.channels(rows=[channel], max_wires=channel.n_wires)
    drawn = [draw(rows)[1] for _ in range(N_SETS)]
    strengths = tuple(torch.tensor(own, dtype=torch.float64) for own in zip(*drawn, strict=True))
    n_qubits = channel.n_wires + draw(st.integers(0, 1))
    wires = draw(qst.wires(n_qubits, size=channel.n_wires))
    return ChannelCase(strengths, n_qubits, wires, draw(st.integers(0, 2**16 - 1)))


def superoperators(channel: Channel, strengths: tuple[Tensor, ...]) -> Array:
    """Superoperators `(N_SETS, K**2, K**2)`."""
    found: Array = array(channel.matrices(*strengths))
    return found


def _bound(channel: Channel, scale: float = 1.0) -> float:
    return tolerance(torch.float64, n_gates=16**channel.n_wires, scale=4 * scale)


@law(
    CHANNEL_LAWS,
    statement="the row labels each wire, and names and bounds each strength.",
    cause="a row copied from a channel of another number of wires or strengths.",
)
def labels(channel: Channel, case: ChannelCase) -> None:
    """What can be read without the superoperator."""
    del case
    same(len(channel.symbol), channel.n_wires, "the number of labels in `symbol`")
    same(len(channel.param_names), channel.n_params, "the number of names in `param_names`")
    same(len(channel.bounds), channel.n_params, "the number of pairs in `bounds`")


@law(
    CHANNEL_LAWS,
    statement="superoperators are (m, 4**n_wires, 4**n_wires), complex, of the strengths' "
    "precision.",
    cause="a constant made without `dtype=p.dtype`, or numbers that became float64.",
)
def dtype(channel: Channel, case: ChannelCase) -> None:
    """Shape and dtype."""
    size = 4**channel.n_wires
    for real in (torch.float32, torch.float64):
        found = channel.matrices(*(strength.to(real) for strength in case.strengths))
        same(tuple(found.shape), (N_SETS, size, size), f"the shape at {real}")
        same(found.dtype, real.to_complex(), f"the dtype at {real}")


@law(
    CHANNEL_LAWS,
    statement="the trace of every matrix stays.",
    cause="probabilities that do not sum to 1, or a lost square root in a Kraus operator.",
)
def trace(channel: Channel, case: ChannelCase) -> None:
    """The rows of the diagonal sum to the identity."""
    found = superoperators(channel, case.strengths)
    identity = np.eye(2**channel.n_wires).reshape(-1)
    sums = found[:, identity == 1].sum(1)
    equal(sums, np.broadcast_to(identity, sums.shape), _bound(channel), "the trace of the image")


@law(
    CHANNEL_LAWS,
    statement="it is completely positive: no eigenvalue of its Choi matrix is negative.",
    cause="a sign, or strengths that are no channel together.",
)
def positive(channel: Channel, case: ChannelCase) -> None:
    """Eigenvalues of the Choi matrix `Σ |i⟩⟨j| ⊗ Φ(|i⟩⟨j|)`."""
    size = 2**channel.n_wires
    for matrix in superoperators(channel, case.strengths):
        choi = matrix.reshape((size,) * 4).transpose(2, 0, 3, 1).reshape(size**2, size**2)
        equal(choi, choi.conj().T, _bound(channel), "the Choi matrix's adjoint")
        lowest = min(0.0, float(np.linalg.eigvalsh(choi).min()))
        equal(lowest, 0.0, size * _bound(channel), "the lowest eigenvalue of the Choi matrix")


@law(
    CHANNEL_LAWS,
    statement="the superoperator is the sum of `K ⊗ K*` over its Kraus operators.",
    cause="an operator too many or too few, or columns stacked instead of rows.",
)
def operators(channel: Channel, case: ChannelCase) -> None:
    """Kraus operators against the superoperator."""
    if channel.kraus is None:
        return
    given = array(channel.kraus(*case.strengths))
    found = np.stack([sum(np.kron(k, k.conj()) for k in own) for own in given])
    expected = superoperators(channel, case.strengths)
    equal(found, expected, _bound(channel), "the sum over Kraus operators")


@law(
    CHANNEL_LAWS,
    statement="a mixture has probabilities that sum to 1, unitaries, and their superoperator.",
    cause="the share of no error left out.",
)
def _mixture(channel: Channel, case: ChannelCase) -> None:
    """Probabilities and unitaries against the superoperator."""
    if channel.mixture is None:
        return
    probabilities, unitaries = map(array, channel.mixture(*case.strengths))
    bound = _bound(channel)
    equal(probabilities.sum(-1), np.ones(N_SETS), bound, "the sum of the probabilities")
    equal(np.minimum(probabilities, 0), 0 * probabilities, bound, "what is below 0 of them")
    each = np.broadcast_to(unitaries, (*probabilities.shape, *unitaries.shape[-2:]))
    identity = np.broadcast_to(np.eye(each.shape[-1]), each.shape)
    equal(each.conj().swapaxes(-1, -2) @ each, identity, bound, "U† U")
    pairs = zip(probabilities, each, strict=True)
    found = np.stack([
        sum(p * np.kron(u, u.conj()) for p, u in zip(ps, us, strict=True)) for ps, us in pairs
    ])  # fmt: skip
    equal(found, superoperators(channel, case.strengths), bound, "the mixture")


@law(
    CHANNEL_LAWS,
    statement="in a circuit it acts on its wires, the first the most significant; one after the "
    "other is the product of superoperators.",
    cause="wires in the wrong order, or a row's bits mixed up with a column's.",
)
def wires(channel: Channel, case: ChannelCase) -> None:
    """`run_density` against a sum over all indices."""
    n = case.n_qubits
    rho = case.density(n)
    op = Op(channel, (case.wires,) * N_SETS, case.strengths)
    found = run_density(circuit(n, op), rho)
    expected = array(rho)
    for matrix in superoperators(channel, case.strengths):
        expected = _applied(matrix, case.wires, expected, n)
    equal(found, expected, _bound(channel), "the density matrix")


def _applied(matrix: Array, wires: WireSet, rho: Array, n: int) -> Array:
    """A superoperator on some wires of a density matrix."""
    k = len(wires)
    axes = [*wires, *(n + wire for wire in wires)]
    split = np.tensordot(
        matrix.reshape((2,) * (4 * k)), rho.reshape((2,) * (2 * n)), (range(2 * k, 4 * k), axes)
    )
    found: Array = np.moveaxis(split, range(2 * k), axes).reshape(2**n, 2**n)
    return found


@law(
    CHANNEL_LAWS,
    statement="`vmap` over strengths equals the loop.",
    cause="a shape that counts on `(m,)`, or a branch on a value.",
)
def batch(channel: Channel, case: ChannelCase) -> None:
    """One strength at a time."""
    mapped = vmap(lambda *s: channel.matrices(*(one[None] for one in s))[0])(*case.strengths)
    equal(mapped, superoperators(channel, case.strengths), _bound(channel), "the batch")


@law(
    CHANNEL_LAWS,
    statement="derivatives by the strengths are finite differences, and finite at their bounds.",
    cause="a square root at 0, or a value that was detached.",
)
def derivative(channel: Channel, case: ChannelCase) -> None:
    """Gradients of a random linear function of the superoperator."""

    def number(*strengths: Tensor) -> Tensor:
        return _weighed(channel.matrices(*strengths), case)

    places = tuple(range(channel.n_params))
    for slopes in jacrev(number, places)(*case.strengths):
        same(bool(torch.isfinite(slopes).all()), True, "whether slopes are finite")
    inner = tuple(_inside(s, pair) for s, pair in zip(case.strengths, channel.bounds, strict=True))
    h = float(np.finfo(np.float64).eps ** (1 / 3))
    for place in places:
        found = grad(number, place)(*inner)
        for i in range(N_SETS):
            ends = [_moved(inner, place, i, sign * h) for sign in (1, -1)]
            expected = (number(*ends[0]) - number(*ends[1])) / (2 * h)
            bound = fd_tolerance(torch.float64, 4.0**channel.n_wires * 64)
            equal(found[i], expected, bound, f"the slope by strength {place}", DIFFERENCES)


@law(
    CHANNEL_LAWS,
    statement="derivatives at a strength's bounds are one-sided differences, where these converge.",
    cause="a slope lost where a strength is 0, by `clamp` or by a branch on `p > 0`.",
)
def bounds(channel: Channel, case: ChannelCase) -> None:
    """One strength at its end, the others inside, or at theirs where it must be."""
    h = float(np.finfo(np.float64).eps ** (1 / 3))
    for place, pair in enumerate(channel.bounds):
        for end, inwards in zip(pair, (1, -1), strict=True):
            at = _at_end(channel, case, place, end)
            if at is None:
                continue

            def number(step: Tensor, at: Any = at, place: int = place) -> Tensor:
                strengths = [s + step if i == place else s for i, s in enumerate(at)]
                return _weighed(channel.matrices(*strengths), case)

            zero = torch.zeros((), dtype=torch.float64)
            one, other = (_one_sided(number, inwards * step) for step in (h, 2 * h))
            bound = fd_tolerance(torch.float64, 4.0**channel.n_wires * 64)
            if abs(float(one - other)) <= bound:
                what = f"the slope by strength {place} at {end:g}"
                equal(grad(number)(zero), one, bound, what, DIFFERENCES)


def _at_end(
    channel: Channel, case: ChannelCase, place: int, end: float
) -> tuple[Tensor, ...] | None:
    """Strengths with one at an end, if that is a channel."""
    inner = [_inside(s, pair)[:1] for s, pair in zip(case.strengths, channel.bounds, strict=True)]
    least = [
        torch.full_like(s, max(pair[0], -1.0))
        for s, pair in zip(inner, channel.bounds, strict=True)
    ]
    for others in (inner, least):
        found = [torch.full_like(s, end) if i == place else s for i, s in enumerate(others)]
        holds = channel.joint is None or channel.joint[1](*(float(s) for s in found))
        if np.isfinite(end) and holds:
            return tuple(found)
    return None


def _one_sided(f: Callable[[Tensor], Tensor], h: float) -> Tensor:
    zero = torch.zeros((), dtype=torch.float64)
    return (4 * f(zero + h) - f(zero + 2 * h) - 3 * f(zero)) / (2 * h)


def _weighed(superoperators: Tensor, case: ChannelCase) -> Tensor:
    """A random linear function of superoperators: of all entries, as columns of some sum to 1."""
    weights = uniforms(superoperators.shape[-2:], case.seed, dtype=torch.float64)
    return (weights * (superoperators.real + 0.5 * superoperators.imag)).sum()


def _inside(strength: Tensor, bounds: tuple[float, float]) -> Tensor:
    """Strengths away from their bounds, where some slopes are infinite on one side."""
    low, high = bounds
    return strength.clamp(low + 0.2, high - 0.2)


def _moved(strengths: tuple[Tensor, ...], place: int, i: int, step: float) -> list[Any]:
    found = [one.clone() for one in strengths]
    found[place][i] += step
    return found
