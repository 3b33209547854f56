"""What training must do, against dense numpy and brute force that share no code with the library.

Each `check_...` takes the function that it is about, so that mistakes can be planted in its place.

References:
    Nocedal and Wright (2006), equations 6.17 and 7.16; Gacon et al. (2021), Quantum 5, 567;
    Ostaszewski et al. (2021), Quantum 5, 391.
"""

import numpy as np
import torch
from torch.func import grad, vmap
from torch.utils import _pytree as pytree

import quilt_func as qf
from oracles.compare import assert_close

F64 = torch.float64
WORDS = qf.pauli_sum({"ZIX": 0.5, "YYI": -0.25, "XZI": 0.6, "IIZ": 0.3})
SPECTRA = [(1.0,)] * 3 + [(0.5, 1.0)] * 2 + [(1.0, 2.0, 3.0)] + [(1.0,)] * 2
"""Of `entangled`: rotations, controlled rotations, one angle of three rotations."""


def entangled(p):
    """A state of 8 angles of several kinds."""
    return qf.circuit(
        3,
        qf.ry(p[:3], range(3)),
        qf.crx(p[3:5], [(0, 1), (1, 2)]),
        qf.rx(p[5], range(3)),
        qf.rz(p[6], 0),
        qf.ry(p[7], 0),
    )()


def energy(p):
    return qf.expval(entangled(p), WORDS)


def angles(seed=0, batch=()):
    return 4 * qf.uniforms((*batch, 8), seed, dtype=F64) - 2


def same(actual, expected):
    """Bit for bit."""
    for a, b in zip(pytree.tree_leaves(actual), pytree.tree_leaves(expected), strict=True):
        assert torch.equal(a, b), f"{a} is not {b}"


def check_goes_on(minimise, make, n=5):
    """Two runs, one after the other, are one: parameters, losses and state, bit for bit."""
    batches, optimiser = torch.linspace(0.5, 1.5, n, dtype=F64), make()
    draws = optimiser.draws(angles()) if isinstance(optimiser, qf.optim.Method) and (
        optimiser.draws
    ) else None  # fmt: skip
    u = None if draws is None else qf.uniforms((n, *draws), 1, dtype=F64)

    def part(params, start, stop, state=None):
        return minimise(
            lambda p, x: x * energy(p), params, optimiser, stop - start,
            batches=batches[start:stop], u=u if u is None else u[start:stop], state=state,
        )  # fmt: skip

    whole = part(angles(), 0, n)
    for first in (0, 1, 3):
        one = part(angles(), 0, first)
        two = part(one.params, first, n, one.state)
        same((two.params, two.state), (whole.params, whole.state))
        same(torch.cat([one.losses, two.losses]), whole.losses)


def bfgs_direction(points, slopes, memory_size):
    """The inverse Hessian of the last pairs, as a dense matrix, times the gradient."""
    pairs = list(zip(np.diff(points, axis=0), np.diff(slopes, axis=0), strict=True))[-memory_size:]
    move, turn = pairs[-1]
    identity = np.eye(len(move))
    inverse = identity * (move @ turn) / (turn @ turn)
    for move, turn in pairs:
        left = identity - np.outer(move, turn) / (move @ turn)
        inverse = left @ inverse @ left.T + np.outer(move, move) / (move @ turn)
    return -inverse @ slopes[-1]


def check_lbfgs(make, memory_size=3, n_steps=7):
    """Each direction is that of the dense formula, from fewer, as many and more pairs."""
    scales = torch.tensor([1.0, 3.0, 0.5, 2.0, 7.0], dtype=F64)
    loss = lambda p: (scales * p.square()).sum() + p.cos().prod()  # noqa: E731
    opt, point = make(memory_size), torch.tensor([1.0, -0.7, 0.4, 1.3, -0.2], dtype=F64)
    state, points, slopes = opt.init(point), [], []
    for _ in range(n_steps):
        slope = grad(loss)(point)
        step, state = opt.update(slope, state, point)
        points.append(point.numpy())
        slopes.append(slope.numpy())
        if len(points) > 1:
            expected = bfgs_direction(points, slopes, memory_size)
            assert_close(step, expected, n_gates=2**10, what="direction")
        point = point + 0.3 * step  # too short, so that pairs matter


def check_coordinates(make):
    """After each coordinate's turn the loss is least along it; brute force on a fine grid."""
    found, value = angles(), energy(angles())
    step = make(SPECTRA).step
    moved, _, first = step(energy, found, (), None)
    assert_close(first, value, n_gates=64, what="loss at the start")
    fine = torch.linspace(-2 * np.pi, 2 * np.pi, 4001, dtype=F64)
    for place in range(8):
        # all that came before is already where it goes
        start = torch.cat([moved[: place + 1], found[place + 1 :]])
        axis = torch.eye(8, dtype=F64)[place]
        least = vmap(lambda x, start=start, axis=axis: energy(start + x * axis))(fine).min()
        assert energy(start) <= least + 1024 * torch.finfo(F64).eps, f"parameter {place}"


def dense_metric_step(states, loss, theta, signs, memory, step, rate, beta, k):
    """One step of QNSPSA by the paper's formulas; `signs` (3, n), `memory` the mean before."""

    def overlap(a, b):
        return abs(np.vdot(states(a), states(b))) ** 2

    along, a, b = (step * row for row in signs)
    slope = (loss(theta + along) - loss(theta - along)) / (2 * step) * signs[0]
    change = (
        overlap(theta, theta + a + b) - overlap(theta, theta + a)
        - overlap(theta, theta - a + b) + overlap(theta, theta - a)
    )  # fmt: skip
    outer = np.outer(signs[1], signs[2])
    estimate = -0.5 * change / (2 * step**2) * (outer + outer.T) / 2
    mean = k / (k + 1) * memory + estimate / (k + 1)
    values, vectors = np.linalg.eigh(mean @ mean)
    size = len(theta)
    positive = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    metric = (positive + beta * np.eye(size)) / (1 + beta)
    return theta - rate * np.linalg.solve(metric, slope), mean


def check_qnspsa(make, n_steps=4):
    step, rate, beta = 0.05, 0.1, 0.01
    u = qf.uniforms((n_steps, 3, 8), 5, dtype=F64)
    method, theta = make(entangled, rate, step=step, regularisation=beta), angles()
    state, expected, memory = method.init(theta), theta.numpy(), np.eye(8)
    for k in range(n_steps):
        theta, state, _ = method.step(energy, theta, state, u[k])
        expected, memory = dense_metric_step(
            lambda p: entangled(torch.from_numpy(p)).numpy(),
            lambda p: float(energy(torch.from_numpy(p))),
            expected, np.where(u[k].numpy() < 0.5, -1.0, 1.0), memory, step, rate, beta, k + 1,
        )  # fmt: skip
        # differences of second order lose four digits, the inverse two more
        assert_close(theta, expected, n_gates=2**16, scale=2**10, what=f"step {k}")


def check_unbiased(estimate):
    """The mean over all directions of signs is the gradient."""
    p = angles()[:4]
    bits = torch.arange(16)[:, None] >> torch.arange(4)
    signs = torch.where((bits & 1).bool(), 1.0, -1.0).to(F64)

    def loss(q):
        return energy(torch.cat([q, q.flip(0)]))

    mean = vmap(lambda v: estimate(loss, p, v))(signs).mean(0)
    assert_close(mean, grad(loss)(p), n_gates=2**8)


def mean_metric(state_fn, params, xs):
    """Of one flat tensor of parameters: by central differences, sample by sample."""
    h, total = 1e-5, 0.0
    point = params.numpy()
    for x in xs:
        psi = state_fn(params, x).numpy()
        columns = []
        for i in range(len(point)):
            shift = np.zeros_like(point)
            shift[i] = h
            up, down = (state_fn(torch.from_numpy(point + s * shift), x).numpy() for s in (1, -1))
            columns.append((up - down) / (2 * h))
        tangents = np.stack(columns)
        along = tangents @ psi.conj()
        total = total + (tangents.conj() @ tangents.T - np.outer(along.conj(), along)).real
    return total / len(xs)
