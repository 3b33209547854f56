"""Models that exercise every kind of op: one sample in, one number out.

`model(params, x)` takes `params` of shape `(p,)` and one sample `x` of shape `(2,)`. `frequency` is
the largest frequency of the value in one entry of either, which bounds its derivatives; `scale` is
the observable's sum of absolute coefficients.
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

    def __call__(self, params, x):
        return self.function(params, x)

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
def givens(theta):
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
        givens(p[5], 2, 1),
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
]
