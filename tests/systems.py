"""Models that exercise every kind of op: one sample in, one number out.

`model(params, x)` takes `params` of shape `(p,)` and one sample `x` of shape `(2,)`. `frequency` is
the largest frequency of the value in one entry of either, which bounds its derivatives; `scale` is
the observable's sum of absolute coefficients. `differentiated(params, x)` gives the function whose
derivatives the model has at a point, if it is another than its own.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

import quilt_func as qf


@dataclass(frozen=True, eq=False)
class Model:
    name: str
    function: Callable[[Tensor, Tensor], Tensor]
    n_params: int
    n_gates: int
    frequency: int = 2
    scale: float = 1.0
    differentiated: Callable[[Tensor, Tensor], Callable[[Tensor, Tensor], Tensor]] | None = None

    def __call__(self, params, x):
        return self.function(params, x)

    def around(self, params, x):
        """The function whose finite differences its derivatives are."""
        return self.differentiated(params, x) if self.differentiated else self.function

    def params(self, seed=0, dtype=torch.float64, batch=()):
        u = qf.uniforms((*batch, self.n_params), seed, dtype=torch.float64)
        return (4 * u - 2).to(dtype)

    def x(self, seed=0, dtype=torch.float64, batch=()):
        return (3 * qf.uniforms((*batch, 2), 1000 + seed, dtype=torch.float64) - 1.5).to(dtype)


def layers(p, x):
    circuit = qf.circuit(
        3,
        qf.ry(x[0], [0, 2]),
        qf.ry(x[1], 1),
        [
            (qf.ry(row[:3], range(3)), qf.rz(row[3:], range(3)), qf.cx([(0, 1), (1, 2), (2, 0)]))
            for row in p.reshape(2, 6).unbind(0)
        ],
    )
    return qf.expval(circuit(), qf.pauli_sum({"ZIX": 0.5, "YYI": -0.25, "IZI": 0.25}))


@qf.gate(n_wires=2)
def beam_splitter(theta):
    c, s, one = theta.cos(), theta.sin(), torch.ones_like(theta)
    zero = torch.zeros_like(theta)
    rows = [
        [one, zero, zero, zero],
        [zero, c, -s, zero],
        [zero, s, c, zero],
        [zero, zero, zero, one],
    ]
    return torch.stack([torch.stack(row) for row in rows])


@qf.gate(n_wires=1, unitary=False)
def damp(theta, phi):
    keep = torch.complex((-theta.square()).exp() * phi.cos(), (-theta.square()).exp() * phi.sin())
    one = torch.ones_like(keep)
    return torch.stack([torch.stack([one, 0 * one]), torch.stack([0 * one, keep])])


def every_form(p, x):
    """Shared, own and weak angles, no wires at all, overlapping sets, gates of several angles."""
    circuit = qf.circuit(
        3,
        qf.h(range(3)),
        qf.rx(p[0], [0, 1, 0]),
        qf.rz(0.3, [0, 2]),
        qf.rzz(p[1:3], [(0, 1), (1, 2)]),
        qf.ry(p[3], []),
        qf.u(x[0], p[3], p[4], 1),
        qf.controlled(qf.rx)(p[4], 2, 0),
        qf.cp(x[1], 0, 1),
        beam_splitter(p[5], 2, 1),
        qf.power(qf.ryy, -0.5)(p[5], 0, 2),
        qf.pauli_rot(p[6], "XZY", 2, 0, 1),
        qf.inverse(qf.crz)(p[6], 1, 2),
    )
    return qf.expval(circuit(), qf.pauli_sum({"XIZ": 0.5, "ZYI": 0.5}))


def diagonals(p, x):
    """Diagonal gates in a row, whose product has vanishing factors."""
    circuit = qf.circuit(
        3,
        qf.ry(x, [0, 2]),
        qf.h(1),
        qf.rzz(p[:2], [(0, 1), (1, 2)]),
        qf.cp(p[2], 0, 2),
        qf.inverse(qf.crz)(p[1], 1, 2),
        qf.h(range(3)),
    )
    return qf.expval(circuit(), qf.pauli_sum({"ZIZ": 0.5, "ZYI": 0.5}))


def far_apart(p, x):
    """Seven wires, several blocks, long-range pairs."""
    pairs = [(0, 6), (2, 5), (4, 1), (3, 0), (6, 2)]
    circuit = qf.circuit(
        7,
        qf.ry(x[0], range(0, 7, 2)),
        qf.rx(x[1], [1, 3]),
        qf.cx(pairs),
        qf.rz(p[0], range(7)),
        qf.rxx(p[1:6], pairs),
        qf.crx(p[6], 5, 1),
        qf.cz([(i, i + 1) for i in range(6)]),
        qf.ry(p[7], [0, 6]),
        qf.ccx(1, 4, 6),
    )
    return qf.expval(circuit(), qf.pauli_sum({"ZIIIIIX": 0.5, "IYIIYII": 0.25, "XIZIIIZ": 0.25}))


def long_words(p, x):
    circuit = qf.circuit(
        7,
        qf.h(range(0, 7, 3)),
        qf.ry(x[0], [1, 2]),
        qf.pauli_rot(p[0], "XYZZYX", 6, 1, 3, 0, 5, 2),
        qf.rx(x[1], 4),
        qf.pauli_rot(p[1], "ZIXXYYZ", *range(7)),
        qf.pauli_rot(p[2], "YXZYX", 0, 2, 4, 6, 1),
    )
    return qf.expval(circuit(), qf.pauli_sum({"XIIZIII": 0.5, "IIZIIZI": 0.5}))


def rotation_matrix(theta):
    c, s = theta.cos(), theta.sin()
    real = torch.stack([torch.stack([c, -s]), torch.stack([s, c])])
    return torch.complex(real, torch.zeros_like(real))


def matrices(p, x):
    """Matrices as leaves."""
    one, two = rotation_matrix(p[0]), rotation_matrix(x[0])
    many = torch.stack([rotation_matrix(p[1]), rotation_matrix(p[2])])
    circuit = qf.circuit(
        3,
        qf.h(0),
        qf.rx(x[1], [1, 2]),
        qf.unitary(one, [0, 2]),
        qf.unitary(torch.kron(two, one), 2, 1),
        qf.cx(0, 1),
        qf.unitary(many, [1, 0]),
        qf.rz(p[2], 2),
        qf.unitary(two, 1).inverse(),
    )
    return qf.expval(circuit(), qf.pauli_sum({"XIZ": 0.5, "IYX": 0.5}))


def not_unitary(p, x):
    """Gates that are not unitary take the plain path."""
    projector = torch.tensor([[1, 0], [0, 0]], dtype=p.dtype.to_complex())
    circuit = qf.circuit(
        3,
        qf.ry(x[0], range(3)),
        qf.cx([(0, 1), (1, 2)]),
        damp(p[0], p[1], 1),
        qf.rx(p[2], [0, 2]),
        qf.linear(projector, 2),
        qf.ry(x[1], 0),
    )
    return qf.expval(circuit(), qf.pauli_sum({"XIZ": 0.5, "IYX": 0.25, "ZII": 0.25}))


def observables(p, x):
    """Coefficients, a diagonal and a dense matrix as parameters."""
    state = qf.circuit(3, qf.ry(x[0], range(3)), qf.cx([(0, 1), (1, 2)]), qf.rx(x[1], 1))()
    words = qf.pauli_sum(["ZII", "XYI", "IXZ", "XXI"], p[:4])
    values = qf.diagonal(torch.cat([p[4:], p[:3].cos()]))
    dense = torch.outer(p[:8], p[:8])
    whole = qf.hermitian(torch.complex(dense, dense - dense.mT))
    found = qf.expval(state, [words, values, whole])
    return found.sum() + qf.variance(state, words) + qf.covariance(state, values, words)


def states_in(p, x):
    """The state depends on the parameters, before and after a circuit."""
    factors = [torch.complex(a.cos(), a.sin()) * p.new_tensor([0.6, 0.8]) for a in p[:3].unbind(0)]
    start = qf.product_state(factors)
    circuit = qf.circuit(3, qf.rx(x[0], [0, 1]), qf.cx(0, 2), qf.rzz(p[3], 1, 2), qf.ry(x[1], 2))
    state = circuit(start)
    one = qf.purity(qf.reduced_density(state, [2, 0])) + qf.fidelity(start, state)
    return one + qf.probs(state)[3] - qf.marginal(state, [1])[0]


@qf.noise.channel(n_wires=2)
def pair_loss(p):
    """|11⟩ falls to |00⟩."""
    one, zero = torch.ones_like(p), torch.zeros_like(p)
    keep = torch.stack([one, one, one, (1 - p).sqrt()]).diag()
    fall = torch.stack([zero, zero, zero, p.sqrt()]).expand(4, 4)
    top = torch.stack([one, zero, zero, zero])
    return torch.stack([keep, top[:, None] * fall])


def turned_damping(theta, gamma):
    """Kraus operators of damping, then a rotation."""
    one, zero = torch.ones_like(gamma), torch.zeros_like(gamma)
    rows = [[one, zero, zero, (1 - gamma).sqrt()], [zero, gamma.sqrt(), zero, zero]]
    damped = torch.stack([torch.stack(row) for row in rows]).unflatten(-1, (2, 2))
    return rotation_matrix(theta) @ torch.complex(damped, torch.zeros_like(damped))


def densities(p, x):
    """Channels of every kind, with strengths in range: shared, own and weak."""
    noise, s = qf.noise, 0.25 + 0.2 * p.sin()
    times = s + 0.5  # of all: a number added to a 0-d tensor would have a float64 tangent
    circuit = qf.circuit(
        3,
        qf.ry(x[0], range(3)),
        noise.depolarizing(s[0], range(3)),
        qf.cx([(0, 1), (1, 2)]),
        noise.two_qubit_depolarizing(s[1], [(0, 1), (2, 1)]),
        qf.rx(x[1], [0, 2]),
        noise.amplitude_damping(s[1:4], [2, 1, 0]),
        pair_loss(s[2], 2, 0),
        noise.thermal_relaxation(s[4], 0.7, times[5], 0.1, [0, 1]),
        qf.ry(p[0], 1),
        noise.kraus(turned_damping(p[5], s[5]), 1),
        noise.over_rotation_x(p[4], s[3], 2),
    )
    return qf.expval(qf.run_density(circuit), qf.pauli_sum({"ZIX": 0.5, "YZI": 0.25, "IXZ": 0.25}))


DRAWS = [0.4, 0.86, 0.95, 0.2, 0.97, 0.3, 0.98, 0.1, 0.98, 0.2]
"""Far from where a branch ends, whatever the parameters."""
TAKEN = [0, 2, 3, 0, 2, 0, 2, 0, 1, 0]
"""The branches that they fall on, jumps of mixtures and of Kraus operators among them."""
ENERGY = qf.pauli_sum({"ZIX": 0.5, "YZI": 0.25, "IXZ": 0.25})


def noisy_circuit(p, x):
    noise, s, turns = qf.noise, 0.3 + 0.05 * p.sin(), 1.5 + 0.5 * p.sin()
    return qf.circuit(
        3,
        qf.ry(2.2 + 0.5 * x.sin(), [0, 2]),
        qf.rx(turns[0], 1),
        noise.depolarizing(s[0], range(3)),
        noise.amplitude_damping(s[1:3], [0, 2]),
        qf.rzz(x[1], 0, 1),
        pair_loss(s[3], 2, 1),
        noise.reset_channel(s[1], 1),
        noise.two_qubit_depolarizing(s[2], 0, 1),
        qf.ry(x[0], 1),
        noise.kraus(turned_damping(p[3], s[0]), [0, 1]),
    )


def trajectories(p, x):
    state, weight = qf.noise.run_trajectory(noisy_circuit(p, x), p.new_tensor(DRAWS))
    return weight * qf.expval(state, ENERGY)


def branch(p, x):
    """The same branches by their operators alone: the state has their probability for its norm."""
    circuit, taken, ops = noisy_circuit(p, x), iter(TAKEN), []
    for op in circuit.ops:
        if isinstance(op.gate, qf.noise.Channel):
            every = op.gate.kraus(*op.params).unbind(0)
            chosen = torch.stack([one[next(taken)] for one in every])
            op = qf.linear(chosen, [wires[0] if len(wires) == 1 else wires for wires in op.wires])
        ops.append(op)
    state = qf.circuit(3, ops)()
    return qf.expval(state, ENERGY), (state.real.square() + state.imag.square()).sum()


def weighed_branch(p, x):
    """What `trajectories` has the derivatives of, at a point: there its weight is always 1."""
    probability = branch(p, x)[1]
    return lambda q, y: branch(q, y)[0] / probability


MODELS = [
    Model("layers", layers, 12, 21),
    Model("every_form", every_form, 7, 17),
    Model("diagonals", diagonals, 3, 10),
    Model("far_apart", far_apart, 8, 33, frequency=8),
    Model("long_words", long_words, 3, 40),
    Model("matrices", matrices, 3, 10, frequency=6),
    Model("not_unitary", not_unitary, 3, 11, frequency=4),
    Model("observables", observables, 9, 6, frequency=4, scale=64.0),
    Model("states_in", states_in, 4, 5, frequency=4, scale=4.0),
    Model("densities", densities, 6, 32, frequency=4),
    Model("trajectories", trajectories, 4, 16, frequency=4, differentiated=weighed_branch),
]
