"""The strengths of a channel, learnt from what a device measures.

Problem 4 of TensorCircuit-NG's challenge suite: on a line of 12 qubits, RXX on the even bonds and
then on the odd ones, with a channel of one's own on both wires of each. Measured are Z of every
wire and the parity of all, for four inputs: GHZ, `|01⟩ + |10⟩` on the even bonds, |0⟩ on every
wire, |+⟩ on every wire.

A density matrix of 12 qubits has 16.8 million entries, but none is needed. Z of a wire sees the
even bonds beside one odd bond alone: four wires. And the parity is a product over wires, which the
odd bonds make one over bonds, so that a chain of 4 × 4 matrices contracts it. Both are exact.
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.func import grad, grad_and_value, jacfwd, vmap

import quilt_func as qf
from experiments._desk import Desk
from quilt_func import noise

from .model import estimates

N_QUBITS = 12
ANGLE = 0.31
TRUTH = (0.034, 0.011)
START = (0.070, 0.040)
LEARNING_RATE = 0.04
TOLERANCE = 2e-4
ANYWHERE = (0.01, 0.1)
"""Between which other starts are drawn."""
LONGER = 4
"""Times as many steps for these."""
PAULIS = torch.tensor(
    [[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]],
    dtype=torch.complex128,
)
WORDS = torch.einsum("aij,bkl->abikjl", PAULIS, PAULIS).reshape(4, 4, 4, 4)
"""The Pauli words on two wires, by their letters."""


def _terms() -> tuple[Tensor, Tensor]:
    """The inputs as sums of products over even bonds: operators (7, 4, 4) and shares (4, 7)."""
    zero = torch.tensor([1.0, 0, 0, 0], dtype=torch.float64)
    one, plus = zero.flip(0), torch.full_like(zero, 0.5)
    bell = torch.full_like(zero, math.sqrt(0.5)) - math.sqrt(0.5) * (zero + one)
    pairs = [(zero, zero), (zero, one), (one, zero), (one, one)]  # of GHZ
    pairs += [(bell, bell), (zero, zero), (plus, plus)]
    shares = torch.zeros(4, 7, dtype=torch.float64)
    shares[0, :4] = 0.5
    shares[[1, 2, 3], [4, 5, 6]] = 1.0
    return torch.stack([ket.outer(bra).to(torch.complex128) for ket, bra in pairs]), shares


TERMS, SHARES = _terms()


@noise.channel(n_wires=1, symbol=("flip",))
def asymmetric_flip(p01: Tensor, p10: Tensor) -> Tensor:
    """|0⟩ becomes |1⟩ with probability p01, and |1⟩ becomes |0⟩ with probability p10."""
    zero = torch.zeros_like(p01)
    rows = [
        [(1 - p01).sqrt(), zero, zero, (1 - p10).sqrt()],
        [zero, p10.sqrt(), zero, zero],
        [zero, zero, p01.sqrt(), zero],
    ]
    operators: Tensor = torch.stack([torch.stack(row) for row in rows]).unflatten(-1, (2, 2))
    return operators


def bonds(p: Tensor, pairs: Sequence[tuple[int, int]]) -> tuple[qf.Op, ...]:
    """RXX on some bonds, and the channel of strengths (2,) on the wires of each."""
    wires = [wire for pair in pairs for wire in pair]
    return qf.rxx(ANGLE, pairs), asymmetric_flip(p[0], p[1], wires)


def brickwork(p: Tensor, n_qubits: int) -> qf.Circuit:
    """The whole circuit: even bonds, then odd ones."""
    even = [(wire, wire + 1) for wire in range(0, n_qubits - 1, 2)]
    odd = [(wire, wire + 1) for wire in range(1, n_qubits - 1, 2)]
    return qf.circuit(n_qubits, bonds(p, even), bonds(p, odd))


def inputs(n_qubits: int) -> Tensor:
    """The four inputs on an even number of wires, (4, 2**n): GHZ, Bell pairs, |0⟩ and |+⟩."""
    one = qf.zero_state(n_qubits, dtype=torch.complex128)
    pairs = range(0, n_qubits, 2)
    bell = [(qf.h(w), qf.x(w + 1), qf.cx(w, w + 1)) for w in pairs]
    return torch.stack([
        qf.ghz_state(n_qubits, dtype=torch.complex128),
        qf.circuit(n_qubits, bell)(one),
        one,
        qf.circuit(n_qubits, qf.h(range(n_qubits)))(one),
    ])  # fmt: skip


def table(p: Tensor, n_qubits: int = N_QUBITS) -> Tensor:
    """What is measured at strengths `p` (2,): Z of every wire, then the parity, (4, n + 1).

    The inputs look the same from every even bond, so that one density of four wires tells ⟨Z⟩ of
    its outer wires at the ends of the line, and of its inner wires everywhere between.
    """
    window = brickwork(p, 4)
    z = [qf.pauli_sum({word: 1.0}) for word in ("ZIII", "IZII", "IIZI", "IIIZ")]
    parts = vmap(lambda state: qf.reduced_density(state, range(4)))(inputs(6).to(p.device))
    found = vmap(lambda rho: qf.expval(qf.run_density(window, rho), z))(parts)
    places = [0, *[1, 2] * (n_qubits // 2 - 1), 3]
    return torch.cat([found[:, places], parities(p, n_qubits)[:, None]], 1)


def parities(p: Tensor, n_qubits: int) -> Tensor:
    """⟨Z...Z⟩ of the four inputs, (4,), as a chain of even and odd bonds.

    What an even bond leaves is written in Pauli words, `Σ R[a, b] P_a ⊗ P_b / 4`, and so is what
    an odd bond makes of ZZ, `Σ B[a, b] P_a ⊗ P_b`. As `tr(P_a P_b)` is 2 or 0, the parity is an
    entry of `R B R ... B R`.
    """
    words, terms, shares = (constant.to(p.device) for constant in (WORDS, TERMS, SHARES))
    bond, zz = qf.circuit(2, bonds(p, [(0, 1)])), qf.pauli_sum({"ZZ": 1.0})
    left = vmap(lambda term: qf.run_density(bond, term))(terms)
    even = torch.einsum("abij,tji->tab", words, left)
    made = grad(lambda rho: qf.expval(qf.run_density(bond, rho), zz))(torch.zeros_like(terms[0]))
    odd = torch.einsum("abij,ji->ab", words, made) / 4
    chain = even
    for _ in range(n_qubits // 2 - 1):
        chain = chain @ odd @ even
    found: Tensor = (shares * chain[:, 3, 3].real).sum(1)
    return found


def starts(n_seeds: int, device: str) -> Tensor:
    """Strengths to start from (n_seeds, 2), uniform in `ANYWHERE`."""
    low, high = ANYWHERE
    draw = partial(qf.uniforms, 2, dtype=torch.float64, device=device)
    return low + (high - low) * torch.stack([draw(seed) for seed in range(n_seeds)])


def learn(
    targets: Tensor, starts: Tensor, n_steps: int, desk: Desk, label: str
) -> tuple[Tensor, Tensor]:
    """Fit the strengths to many tables at once: Adam on the mean squared error.

    Args:
        targets: Measured tables (k, 4, 13).
        starts: Strengths to start from (k, 2).
        n_steps: Number of steps.
        desk: Shows the progress and keeps unfinished work.
        label: Name of the work.

    Returns:
        Strengths before each step and after the last (n_steps + 1, k, 2); losses (n_steps, k).
    """
    optimiser = qf.optim.adam(LEARNING_RATE)

    def loss(raw: Tensor, target: Tensor) -> Tensor:
        return (table(raw.sigmoid()) - target).square().mean()

    def step(carry: Any) -> tuple[Any, Tensor]:
        raw, state = carry
        grads, losses = vmap(grad_and_value(loss))(raw, targets)
        updates, state = vmap(optimiser.update)(grads, state, raw)
        record = torch.cat([raw.sigmoid(), losses[:, None]], 1)
        return (qf.optim.apply_updates(raw, updates), state), record

    raw = starts.logit()
    carry = raw, vmap(optimiser.init)(raw)
    (raw, _), records = desk.scan(label, qf.jit(step), carry, n_steps)
    return torch.cat([records[..., :2], raw.sigmoid()[None]]), records[..., 2]


def measured(exact: Tensor, shots: int, n_seeds: int) -> Tensor:
    """Tables (n_seeds, 4, 13) whose entries are means of so many outcomes ±1 each."""
    draw = partial(qf.uniforms, (*exact.shape, shots), dtype=exact.dtype, device=exact.device)
    return torch.stack([estimates(exact, draw(seed)) for seed in range(n_seeds)])


def predicted_deviations(p: Tensor, shots: int) -> Tensor:
    """Standard deviations (2,) of strengths fitted by least squares, to first order."""
    slopes = jacfwd(table)(p).flatten(0, 1)
    variances = (1 - table(p).flatten().square()) / shots
    inverse = torch.linalg.pinv(slopes)
    found: Tensor = (inverse.square() @ variances).sqrt()
    return found
