"""Laws of the templates: dense oracles, transforms, closed forms, initial parameters, bad calls."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vmap
from torch.utils import _pytree as pytree

import quilt_func as qf
from quilt_func.ansatz import (
    amplitude_encoding,
    angle_encoding,
    brickwork,
    data_reuploading,
    entangler_pairs,
    hardware_efficient,
    init_brickwork,
    init_data_reuploading,
    init_hardware_efficient,
    init_qaoa,
    init_strongly_entangling,
    iqp_encoding,
    qaoa,
    strongly_entangling,
)
from quilt_func.testing.tolerances import fd_tolerance, tolerance

F32, F64 = torch.float32, torch.float64
PAIRS = {
    ("chain", 1): [],
    ("chain", 2): [(0, 1)],
    ("chain", 4): [(0, 1), (1, 2), (2, 3)],
    ("ring", 1): [],
    ("ring", 2): [(0, 1)],
    ("ring", 3): [(0, 1), (1, 2), (2, 0)],
    ("ring", 4): [(0, 1), (1, 2), (2, 3), (3, 0)],
    ("pairs", 1): [],
    ("pairs", 3): [(0, 1), (1, 2)],
    ("pairs", 4): [(0, 1), (2, 3), (1, 2)],
    ("pairs", 5): [(0, 1), (2, 3), (1, 2), (3, 4)],
    ("all", 1): [],
    ("all", 3): [(0, 1), (0, 2), (1, 2)],
    ("all", 4): [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)],
}
RANGES = {  # of the layers of strongly_entangling on three wires
    0: [(0, 1), (1, 2), (2, 0)],
    1: [(0, 2), (1, 0), (2, 1)],
    2: [(0, 1), (1, 2), (2, 0)],
}

# The oracle: dense matrices by Kronecker products, one gate at a time

PAULI = {
    "I": np.eye(2),
    "X": np.array([[0, 1], [1, 0]]),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.array([[1, 0], [0, -1]]),
}


def embed(n, factors):
    """Kronecker product with a matrix on some wires, the identity on the others."""
    return reduce(np.kron, [factors.get(wire, PAULI["I"]) for wire in range(n)], np.eye(1))


def word(n, letters):
    return embed(n, {wire: PAULI[letter] for wire, letter in letters.items()})


def turn(theta, n, letters):
    """Rotation exp(-i θ P / 2), by P² = 1."""
    half = float(theta) / 2
    return math.cos(half) * np.eye(2**n) - 1j * math.sin(half) * word(n, letters)


def control(n, letter, pair):
    """The Pauli letter on the second wire where the first is 1."""
    zero, one = np.diag([1, 0]), np.diag([0, 1])
    return embed(n, {pair[0]: zero}) + embed(n, {pair[0]: one, pair[1]: PAULI[letter]})


def general(n, wire, theta, phi, lam):
    """U(θ, φ, λ) of OpenQASM, from its definition."""
    c, s = math.cos(theta / 2), math.sin(theta / 2)
    e = np.exp
    matrix = [[c, -e(1j * lam) * s], [e(1j * phi) * s, e(1j * (phi + lam)) * c]]
    return embed(n, {wire: np.array(matrix)})


def compose(n, matrices):
    """Product of matrices, of which the first acts first."""
    return reduce(lambda total, matrix: matrix @ total, matrices, np.eye(2**n))


def dense_hardware(params, pairs, letter="X"):
    n, steps = params.shape[1], []
    for layer in params:
        steps += [turn(layer[w, 0], n, {w: "Y"}) for w in range(n)]
        steps += [turn(layer[w, 1], n, {w: "Z"}) for w in range(n)]
        steps += [control(n, letter, pair) for pair in pairs]
    return compose(n, steps)


def dense_strongly(params):
    n, steps = params.shape[1], []
    for i, layer in enumerate(params):
        steps += [general(n, w, *layer[w]) for w in range(n)]
        steps += [control(n, "X", pair) for pair in RANGES[i]]
    return compose(n, steps)


def dense_brickwork(params):
    n, steps = 4, []
    for layer in params:
        for angles, (a, b) in zip(layer, [(0, 1), (2, 3), (1, 2)], strict=True):
            steps += [general(n, a, *angles[:3]), general(n, b, *angles[3:6])]
            both = zip("XYZ", angles[6:], strict=True)
            steps += [turn(angle, n, {a: letter, b: letter}) for letter, angle in both]
    return compose(n, steps)


def dense_angle(x, letter="Y", wires=None):
    n, wires = len(x), range(len(x)) if wires is None else wires
    return compose(n, [turn(x[i], n, {w: letter}) for i, w in enumerate(wires)])


def dense_iqp(x, pairs, repeats):
    n = len(x)
    hadamards = reduce(np.kron, [(PAULI["X"] + PAULI["Z"]) / math.sqrt(2)] * n)
    exponent = sum(x[i] * np.diag(word(n, {i: "Z"})) for i in range(n))
    exponent = exponent + sum(x[i] * x[j] * np.diag(word(n, {i: "Z", j: "Z"})) for i, j in pairs)
    return np.linalg.matrix_power(np.diag(np.exp(-0.5j * exponent)) @ hadamards, repeats)


def dense_reuploading(x, theta, scale=None):
    steps, scale = [], np.ones((len(theta), len(x))) if scale is None else scale
    for layer, factor in zip(theta, scale, strict=True):
        steps.append(dense_angle(factor * x))
        steps.append(dense_hardware(layer[None], PAIRS["chain", 4]))
    return compose(len(x), steps)


COST = {"ZIIZ": 0.5, "IZII": -0.75, "ZZZI": 0.25, "IIII": 3.0, "IZZI": 1.0}


HADAMARD = (PAULI["X"] + PAULI["Z"]) / math.sqrt(2)


def dense_qaoa(params):
    """Hadamards, then layers exp(-i γ C) by eigenvalues, without the constant, and turns by X."""
    n = 4
    signs = {w: np.diag(embed(n, {i: PAULI[p] for i, p in enumerate(w) if p != "I"})) for w in COST}
    cost = sum(c * signs[w] for w, c in COST.items() if set(w) != {"I"})
    layers = [embed(n, dict.fromkeys(range(n), HADAMARD))]
    for gamma, beta in params:
        layers.append(np.diag(np.exp(-1j * float(gamma) * cost)))
        layers += [turn(2 * beta, n, {w: "X"}) for w in range(n)]
    return compose(n, layers)


@dataclass(frozen=True)
class Case:
    """A template, the shapes of its arguments, its oracle, and how fast its value can oscillate."""

    template: Callable[..., Any]
    n_qubits: int
    shapes: Any
    dense: Callable[..., Any]
    ops: list[str]
    frequency: float = 1.0

    def args(self, dtype=F64, batch=(), seed=3):
        """Arguments in [0, 2), irregular enough that no symmetry hides a mistake."""
        shapes, spec = pytree.tree_flatten(self.shapes, is_leaf=is_shape)
        leaves = [
            2 * qf.uniforms((*batch, *shape), seed + i, dtype=dtype)
            for i, shape in enumerate(shapes)
        ]
        return pytree.tree_unflatten(leaves, spec)

    def circuit(self, *args):
        return qf.circuit(self.n_qubits, self.template(*args))


def is_shape(node):
    return isinstance(node, tuple) and all(isinstance(size, int) for size in node)


def reupload_dict(x, params):
    return dense_reuploading(x, **params)


LAYER, U_LAYER = ["ry", "rz", "cx"], ["u", "cx"]
BRICK = ["u", "rxx", "ryy", "rzz"]
USER_PAIRS = [(3, 0), (1, 2), (3, 0), (0, 2)]
CASES = {
    **{
        f"hardware-{name}": Case(
            partial(hardware_efficient, entangler=name),
            n,
            [(2, n, 2)],
            partial(dense_hardware, pairs=pairs),
            LAYER[: 2 + bool(pairs)] * 2,
        )
        for (name, n), pairs in PAIRS.items()
        if n == 4
    },
    "hardware-default": Case(
        hardware_efficient,
        3,
        [(3, 3, 2)],
        partial(dense_hardware, pairs=[(0, 1), (1, 2)]),
        LAYER * 3,
    ),
    "hardware-one-wire": Case(
        hardware_efficient, 1, [(2, 1, 2)], partial(dense_hardware, pairs=[]), ["ry", "rz"] * 2
    ),
    "hardware-own-pairs": Case(
        partial(hardware_efficient, entangler=USER_PAIRS),
        4,
        [(2, 4, 2)],
        partial(dense_hardware, pairs=USER_PAIRS),
        LAYER * 2,
    ),
    "hardware-cz": Case(
        partial(hardware_efficient, entangler="ring", gate=qf.cz),
        3,
        [(2, 3, 2)],
        partial(dense_hardware, pairs=PAIRS["ring", 3], letter="Z"),
        ["ry", "rz", "cz"] * 2,
    ),
    "strongly": Case(strongly_entangling, 3, [(3, 3, 3)], dense_strongly, U_LAYER * 3),
    "brickwork": Case(brickwork, 4, [(2, 3, 9)], dense_brickwork, BRICK * 4),
    "angle": Case(angle_encoding, 3, [(3,)], dense_angle, ["ry"]),
    "angle-rx": Case(
        partial(angle_encoding, gate=qf.rx, wires=[2, 0, 1]),
        3,
        [(3,)],
        partial(dense_angle, letter="X", wires=[2, 0, 1]),
        ["rx"],
    ),
    "iqp": Case(
        partial(iqp_encoding, repeats=2),
        4,
        [(4,)],
        partial(dense_iqp, pairs=PAIRS["all", 4], repeats=2),
        ["h", "rz", "rzz"] * 2,
        14.0,  # two repeats, each of frequency 1 + 3 partners of size up to 2
    ),
    "iqp-ring": Case(
        partial(iqp_encoding, entangler="ring"),
        3,
        [(3,)],
        partial(dense_iqp, pairs=PAIRS["ring", 3], repeats=1),
        ["h", "rz", "rzz"],
        5.0,
    ),
    "reuploading": Case(
        data_reuploading,
        4,
        [(4,), {"theta": (2, 4, 2), "scale": (2, 4)}],
        reupload_dict,
        ["ry", *LAYER] * 2,
        4.0,  # two uploads with factors up to 2
    ),
    "reuploading-unscaled": Case(
        data_reuploading, 4, [(4,), {"theta": (2, 4, 2)}], reupload_dict, ["ry", *LAYER] * 2, 2.0
    ),
    "qaoa": Case(
        partial(qaoa, cost=qf.pauli_sum(COST)),
        4,
        [(2, 2)],
        dense_qaoa,
        ["h", *["rz", "rzz", "pauli_rot[ZZZ]", "rx"] * 2],
        8.0,  # a difference of 2 Σ|c| = 5 between costs, and four mixers of frequency 2
    ),
}
each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def assert_close(actual, expected, n_steps, scale=1.0, atol=None):
    """Agreement to the rounding of `n_steps` steps of the actual dtype."""
    actual = torch.as_tensor(actual)
    expected = torch.as_tensor(expected).to(actual.dtype)
    atol = tolerance(actual.dtype, n_steps, scale) if atol is None else atol
    torch.testing.assert_close(actual, expected, rtol=0, atol=atol)


def as_numpy(tree):
    return pytree.tree_map(lambda leaf: leaf.numpy(), tree)


# Laws. Each takes a case, so that its mutants can be given to it too


def assert_is_dense(case):
    args = case.args()
    circuit = case.circuit(*args)
    assert_close(circuit.unitary(), case.dense(*as_numpy(args)), circuit.n_gates)


def energy(case, *args):
    """A real number that depends on every angle, of an observable with Σ|c| = 2.5."""
    n = case.n_qubits
    terms = {"Z" * n: 1.0, "X" + "I" * (n - 1): -0.5, "I" * (n - 1) + "Y": 0.75, "X" * n: 0.25}
    skew = qf.u(0.4, 0.9, -0.7, range(n))  # so that no first gate is a mere phase
    return qf.expval(qf.circuit(n, skew, case.circuit(*args))(), qf.pauli_sum(terms))


WEIGHT = 2.5


def assert_vmap_is_loop(case):
    batch = case.args(batch=(3,))
    mapped = vmap(partial(energy, case))(*batch)
    rows = [pytree.tree_map(lambda leaf, i=i: leaf[i], batch) for i in range(3)]
    looped = torch.stack([energy(case, *row) for row in rows])
    assert_close(mapped, looped, case.circuit(*rows[0]).n_gates, WEIGHT)


def central_difference(function, args):
    """Derivative of `function(*args)` in every real number of a tree, one at a time."""
    leaves, spec = pytree.tree_flatten(args)
    step = torch.finfo(F64).eps ** (1 / 3)

    def moved(k, i, by):
        bump = torch.zeros(leaves[k].numel(), dtype=F64)
        bump[i] = by
        changed = [*leaves[:k], leaves[k] + bump.reshape(leaves[k].shape), *leaves[k + 1 :]]
        return function(*pytree.tree_unflatten(changed, spec))

    return [
        torch.stack([(moved(k, i, step) - moved(k, i, -step)) / (2 * step) for i in range(size)])
        for k, size in enumerate(leaf.numel() for leaf in leaves)
    ]


def assert_gradient_is_difference(case):
    args, function = case.args(), partial(energy, case)
    grads = grad(function, argnums=tuple(range(len(args))))(*args)
    atol = fd_tolerance(F64, WEIGHT * case.frequency**3)
    for found, expected in zip(
        pytree.tree_leaves(grads), central_difference(function, args), strict=True
    ):
        assert_close(found.flatten(), expected, 1, atol=atol)


def assert_hessian_and_jvp(case):
    args, function = case.args(), partial(energy, case)
    argnums = tuple(range(len(args)))
    grads = grad(function, argnums)
    columns = central_difference(
        lambda *moved: torch.cat([g.flatten() for g in pytree.tree_leaves(grads(*moved))]), args
    )
    sizes = [leaf.numel() for leaf in pytree.tree_leaves(args)]
    blocks = iter(pytree.tree_leaves(hessian(function, argnums)(*args)))
    atol = fd_tolerance(F64, WEIGHT * case.frequency**4)
    for row in torch.cat(columns).split(sizes, 1):
        for expected in row.mT.split(sizes, 1):
            found = next(blocks)
            assert_close(found.reshape(expected.shape), expected, 1, atol=atol)
    tangents = case.args(seed=11)
    products = zip(pytree.tree_leaves(grads(*args)), pytree.tree_leaves(tangents), strict=True)
    slope = sum((g * t).sum() for g, t in products)
    forward = jvp(function, tuple(args), tuple(tangents))[1]
    assert_close(forward, slope, sum(sizes) * case.circuit(*args).n_gates, WEIGHT)


def assert_per_sample_gradients(case):
    batch, function = case.args(batch=(2,)), grad(partial(energy, case))
    mapped = vmap(function)(*batch)
    rows = [pytree.tree_map(lambda leaf, i=i: leaf[i], batch) for i in range(2)]
    looped = torch.stack([function(*row) for row in rows])
    assert_close(mapped, looped, case.circuit(*rows[0]).n_gates, WEIGHT * case.frequency)


def assert_one_op_for_each_kind_of_gate(case):
    assert [op.gate.name for op in case.circuit(*case.args()).ops] == case.ops


def assert_keeps_dtype_and_arguments(case):
    for dtype, other in [(F32, F64), (F64, F32)]:
        args = case.args(dtype)
        before = pytree.tree_map(torch.clone, args)
        previous = torch.get_default_dtype()
        try:
            torch.set_default_dtype(other)
            leaves = case.circuit(*args).leaves
        finally:
            torch.set_default_dtype(previous)
        assert {leaf.dtype for leaf in leaves} == {dtype}
        assert all(map(torch.equal, leaves, case.circuit(*args).leaves))
        assert all(map(torch.equal, pytree.tree_leaves(args), pytree.tree_leaves(before)))


LAWS = [
    assert_is_dense,
    assert_vmap_is_loop,
    assert_gradient_is_difference,
    assert_hessian_and_jvp,
    assert_per_sample_gradients,
    assert_one_op_for_each_kind_of_gate,
    assert_keeps_dtype_and_arguments,
]


@each_case
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_laws(law, case):
    law(case)


# Mutants: each law must refuse the wrong templates that it is there for


def hardware_mutant(params, pairs, first=qf.ry, second=qf.rz, gate=qf.cx, factor=1.0):
    wires = range(params.shape[1])
    return [
        [first(factor * layer[:, 0], wires), second(factor * layer[:, 1], wires), gate(pairs)]
        for layer in params
    ]


def strongly_mutant(params, order=(0, 1, 2), reach=lambda i: i % 2 + 1):
    for i, layer in enumerate(params):
        yield qf.u(*layer[:, order].unbind(-1), range(3))
        yield qf.cx([(w, (w + reach(i)) % 3) for w in range(3)])


def iqp_mutant(x, factor=1.0, product=torch.mul, inner=True):
    i, j = torch.triu_indices(4, 4, 1)
    diagonal = (
        qf.rz(factor * x, range(4)),
        qf.rzz(factor * product(x[i], x[j]), PAIRS["all", 4]),
    )
    return [qf.h(range(4)), diagonal, qf.h(range(4)) if inner else (), diagonal]


def reuploading_mutant(x, params, scaled=True, once=False, after=False):
    parts = []
    for i, (theta, scale) in enumerate(zip(params["theta"], params["scale"], strict=True)):
        data = angle_encoding(scale * x if scaled else x)
        layer = hardware_efficient(theta[None])
        encoded = () if once and i else data
        parts.append((layer, encoded) if after else (encoded, layer))
    return parts


def brickwork_mutant(params, order=("even", "odd"), names=(qf.rxx, qf.ryy, qf.rzz), last=False):
    sets = {"even": (slice(0, 2), range(4)), "odd": (slice(2, 3), range(1, 3))}
    for layer in params:
        for part, wires in map(sets.__getitem__, order):
            local = qf.u(*layer[part, :6].reshape(-1, 3).unbind(-1), wires)
            pairs = list(zip(wires[::2], wires[1::2], strict=True))
            angles = layer[part, 6:].unbind(-1)
            both = [gate(angle, pairs) for gate, angle in zip(names, angles, strict=True)]
            yield (both, local) if last else (local, both)


def counting(template):
    """A template with a memory: it turns further at every call."""
    calls = []

    def mutant(params):
        calls.append(None)
        return template(params + 0.1 * len(calls))

    return mutant


HALVED = torch.tensor([[1.0, 0.5], [0.5, 1.0]], dtype=F64)
RING, BRICKS = PAIRS["ring", 4], PAIRS["pairs", 4]
DENSE_MUTANTS = {
    "ring left open": ("hardware-ring", partial(hardware_mutant, pairs=RING[:-1])),
    "ring closed backwards": ("hardware-ring", partial(hardware_mutant, pairs=[*RING[:3], (0, 3)])),
    "odd pairs first": ("hardware-pairs", partial(hardware_mutant, pairs=[(1, 2), (0, 1), (2, 3)])),
    "control and target": ("hardware-chain", partial(hardware_mutant, pairs=[(1, 0), (2, 1)])),
    "all but the last": ("hardware-all", partial(hardware_mutant, pairs=PAIRS["all", 4][:-1])),
    "half angle lost": ("hardware-ring", partial(hardware_mutant, pairs=RING, factor=2.0)),
    "sign of the angle": ("hardware-ring", partial(hardware_mutant, pairs=RING, factor=-1.0)),
    "rz then ry": (
        "hardware-ring",
        partial(hardware_mutant, pairs=RING, first=qf.rz, second=qf.ry),
    ),
    "cz for cx": ("hardware-ring", partial(hardware_mutant, pairs=RING, gate=qf.cz)),
    "one range": ("strongly", partial(strongly_mutant, reach=lambda i: 1)),
    "ranges from two": ("strongly", partial(strongly_mutant, reach=lambda i: 2 - i % 2)),
    "φ and λ swapped": ("strongly", partial(strongly_mutant, order=(0, 2, 1))),
    "PennyLane's order": ("strongly", partial(strongly_mutant, order=(1, 2, 0))),
    "odd bricks first": ("brickwork", partial(brickwork_mutant, order=("odd", "even"))),
    "local part last": ("brickwork", partial(brickwork_mutant, last=True)),
    "XX and ZZ swapped": ("brickwork", partial(brickwork_mutant, names=(qf.rzz, qf.ryy, qf.rxx))),
    "encoding's half lost": ("angle", lambda x: angle_encoding(2 * x)),
    "other axis": ("angle", partial(angle_encoding, gate=qf.rx)),
    "other wires": ("angle-rx", partial(angle_encoding, gate=qf.rx)),
    "full phases": ("iqp", partial(iqp_mutant, factor=2.0)),
    "sums for products": ("iqp", partial(iqp_mutant, product=torch.add)),
    "no second Hadamards": ("iqp", partial(iqp_mutant, inner=False)),
    "one repeat": ("iqp", iqp_encoding),
    "scale ignored": ("reuploading", partial(reuploading_mutant, scaled=False)),
    "uploaded once": ("reuploading", partial(reuploading_mutant, once=True)),
    "qaoa: mixer's half lost": ("qaoa", lambda p: qaoa(p * HALVED[0], qf.pauli_sum(COST))),
    "qaoa: cost's half lost": ("qaoa", lambda p: qaoa(p * HALVED[1], qf.pauli_sum(COST))),
    "qaoa: words from the last wire": (
        "qaoa",
        lambda p: qaoa(p, qf.pauli_sum({word[::-1]: c for word, c in COST.items()})),
    ),
    "layer before data": ("reuploading", partial(reuploading_mutant, after=True)),
}
FAITHFUL = {
    "hardware": ("hardware-ring", partial(hardware_mutant, pairs=RING)),
    "strongly": ("strongly", strongly_mutant),
    "brickwork": ("brickwork", brickwork_mutant),
    "iqp": ("iqp", iqp_mutant),
    "reuploading": ("reuploading", reuploading_mutant),
}


def with_template(name, template):
    case = CASES[name]
    return Case(template, case.n_qubits, case.shapes, case.dense, case.ops, case.frequency)


@pytest.mark.parametrize(("name", "template"), FAITHFUL.values(), ids=FAITHFUL)
def test_what_mutants_are_made_of_passes(name, template):
    assert_is_dense(with_template(name, template))


@pytest.mark.parametrize(("name", "template"), DENSE_MUTANTS.values(), ids=DENSE_MUTANTS)
def test_dense_law_refuses(name, template):
    with pytest.raises(AssertionError, match="not close"):
        assert_is_dense(with_template(name, template))


@pytest.mark.parametrize("law", [assert_vmap_is_loop, assert_per_sample_gradients])
def test_vmap_laws_refuse_a_memory(law):
    with pytest.raises(AssertionError, match="not close"):
        law(with_template("hardware-ring", counting(hardware_efficient)))


class OnceOnly(torch.autograd.Function):
    """The identity, with a right first derivative and a second derivative of zero."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x.clone()

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, cotangent):
        return cotangent.detach()

    @staticmethod
    def jvp(ctx, tangent):
        return tangent.clone()


@pytest.mark.parametrize("name", ["hardware-chain", "strongly", "brickwork", "angle", "iqp"])
def test_derivative_laws_refuse_a_cut_graph(name):
    template = CASES[name].template
    cut = with_template(name, lambda params: template(params.detach()))
    assert_is_dense(cut)
    with pytest.raises(AssertionError, match="not close"):
        assert_gradient_is_difference(cut)
    once = with_template(name, lambda params: template(OnceOnly.apply(params)))
    assert_gradient_is_difference(once)
    with pytest.raises(AssertionError, match="not close"):
        assert_hessian_and_jvp(once)


def test_op_law_refuses_a_loop_over_wires():
    looped = with_template("angle", lambda x: [qf.ry(x[w], w) for w in range(3)])
    assert_is_dense(looped)
    with pytest.raises(AssertionError):
        assert_one_op_for_each_kind_of_gate(looped)


@pytest.mark.parametrize(
    "mutant",
    [
        lambda x: angle_encoding(x.double()),
        lambda x: angle_encoding(x + torch.zeros(3)),
        lambda x: angle_encoding(x.add_(1)),
    ],
    ids=["promotes", "follows the default", "in place"],
)
def test_dtype_law_refuses(mutant):
    with pytest.raises(AssertionError):
        assert_keeps_dtype_and_arguments(with_template("angle", mutant))


# Entanglers and structure


def assert_pairs(function, name, n_qubits):
    assert list(function(n_qubits, name)) == PAIRS[name, n_qubits]


@pytest.mark.parametrize(("name", "n_qubits"), PAIRS)
def test_pairs_by_hand(name, n_qubits):
    assert_pairs(entangler_pairs, name, n_qubits)


@pytest.mark.parametrize(
    ("name", "n_qubits", "mutant"),
    [
        ("ring", 2, lambda n, name: [(i, (i + 1) % n) for i in range(n)]),
        ("ring", 4, lambda n, name: entangler_pairs(n, "chain")),
        ("pairs", 4, lambda n, name: entangler_pairs(n, "chain")),
        ("all", 4, lambda n, name: sorted(entangler_pairs(n, name), key=lambda p: p[1] - p[0])),
    ],
)
def test_pairs_law_refuses(name, n_qubits, mutant):
    with pytest.raises(AssertionError):
        assert_pairs(mutant, name, n_qubits)


@given(n=st.integers(0, 9), name=st.sampled_from(["chain", "ring", "pairs", "all"]))
def test_pairs_are_distinct_and_connect_all_wires(n, name):
    pairs = entangler_pairs(n, name)
    assert len({frozenset(pair) for pair in pairs}) == len(pairs)
    reached = {0} if n else set()
    for _ in range(n):
        reached |= {wire for pair in pairs if reached & set(pair) for wire in pair}
    assert reached == set(range(n))


def test_own_pairs_may_be_an_iterator():
    params = CASES["hardware-own-pairs"].args()[0]
    first, second = (hardware_efficient(params, pairs) for pairs in (USER_PAIRS, iter(USER_PAIRS)))
    assert [op.wires for op in first] == [op.wires for op in second]


@pytest.mark.parametrize("n", [2, 3, 5])
def test_ranges_never_leave_the_ring(n):
    ops = strongly_entangling(torch.zeros(2 * n, n, 3))[1::2]
    reaches = [{(b - a) % n for a, b in op.wires} for op in ops]
    assert reaches == [{layer % (n - 1) + 1} for layer in range(2 * n)]


def test_strongly_entangling_in_pennylanes_order():
    weights = CASES["strongly"].args()[0]
    steps = []
    for i, layer in enumerate(weights.numpy()):
        for w, (phi, theta, omega) in enumerate(layer):
            steps += [turn(phi, 3, {w: "Z"}), turn(theta, 3, {w: "Y"}), turn(omega, 3, {w: "Z"})]
        steps += [control(3, "X", pair) for pair in RANGES[i]]
    circuit = qf.circuit(3, strongly_entangling(weights[..., [1, 2, 0]]))
    found, expected = circuit.unitary().numpy(), compose(3, steps)
    phase = np.exp(0.5j * float(weights[..., 0].sum() + weights[..., 2].sum()))
    assert_close(found, phase * expected, 3 * circuit.n_gates)


def test_bricks_at_zero_are_the_identity():
    circuit = qf.circuit(4, brickwork(torch.zeros(2, 3, 9, dtype=F64)))
    assert_close(circuit.unitary(), np.eye(16), circuit.n_gates)


@pytest.mark.parametrize(
    "parts",
    [
        hardware_efficient(torch.zeros(0, 3, 2)),
        strongly_entangling(torch.zeros(0, 3, 3)),
        brickwork(torch.zeros(0, 2, 9)),
        brickwork(torch.zeros(2, 0, 9)),
        iqp_encoding(torch.zeros(3), repeats=0),
        data_reuploading(torch.zeros(3), {"theta": torch.zeros(0, 3, 2)}),
    ],
)
def test_no_layers_no_parts(parts):
    assert parts == ()


def test_reuploading_takes_functions():
    theta, x = torch.full((2, 2, 9), 0.3), torch.tensor([0.5, 0.7])
    encoding = partial(angle_encoding, gate=qf.rx, wires=[2, 0])
    parts = data_reuploading(x, {"theta": theta}, encoding, brickwork)
    by_hand = [part for _ in range(2) for part in (encoding(x), brickwork(theta[:1]))]
    found, expected = qf.circuit(3, parts), qf.circuit(3, by_hand)
    assert qf.same_structure(found, expected)
    assert torch.equal(found(), expected())


# Closed forms of the encodings


def assert_cosines(encode, x):
    """Wire i measures 0 with probability cos²(x_i / 2)."""
    state = qf.circuit(len(x), encode(x))()
    found = torch.stack([qf.marginal(state, [wire])[0] for wire in range(len(x))])
    assert_close(found, np.cos(x.numpy() / 2) ** 2, len(x))


samples = st.lists(st.floats(-4, 4), min_size=1, max_size=4).map(partial(torch.tensor, dtype=F64))


@pytest.mark.parametrize("gate", [qf.rx, qf.ry], ids=lambda gate: gate.name)
@given(x=samples)
def test_angle_encoding_is_cos_squared(gate, x):
    assert_cosines(partial(angle_encoding, gate=gate), x)


@pytest.mark.parametrize(
    "mutant", [lambda x: angle_encoding(2 * x), partial(angle_encoding, gate=qf.rz)]
)
def test_cosines_refuse(mutant):
    with pytest.raises(AssertionError, match="not close"):
        assert_cosines(mutant, torch.tensor([0.3, 1.9], dtype=F64))


def assert_diagonal(encode, x):
    """One repeat gives amplitudes exp(-i (Σ s_i x_i + Σ s_i s_j x_i x_j) / 2) / √N, s = ±1."""
    n = len(x)
    amplitudes = []
    for index in range(2**n):
        signs = [1 - 2 * int(bit) for bit in f"{index:0{n}b}"]
        signed = [s * float(v) for s, v in zip(signs, x, strict=True)]
        products = sum(signed[i] * signed[j] for i in range(n) for j in range(i + 1, n))
        amplitudes.append(np.exp(-0.5j * (sum(signed) + products)) / math.sqrt(2**n))
    assert_close(qf.circuit(n, encode(x))(), np.array(amplitudes), n * (n + 3), 4.0)


@given(x=samples)
def test_iqp_diagonal(x):
    assert_diagonal(iqp_encoding, x)


@pytest.mark.parametrize(
    "mutant", [lambda x: iqp_encoding(-x), partial(iqp_encoding, entangler="chain")]
)
def test_diagonal_refuses(mutant):
    with pytest.raises(AssertionError, match="not close"):
        assert_diagonal(mutant, torch.tensor([0.3, 1.9, -0.8], dtype=F64))


def assert_normalised_vector(encode, x):
    """The state is x / ‖x‖, then zeros up to the next power of two."""
    values = x.numpy()
    size = next(2**k for k in range(9) if 2**k >= len(values))
    expected = np.zeros(size, dtype=np.complex128)
    expected[: len(values)] = values / math.sqrt(sum(abs(values.astype(np.complex128)) ** 2))
    state = encode(x)
    assert state.shape == (size,)
    assert_close(state, expected, len(values))


SAMPLES = {
    "real": torch.tensor([0.5, -1.5, 2.0], dtype=F64),
    "complex": torch.tensor([0.5 + 1j, -1.5, 2.0 - 0.3j, 0.1j, 1.0], dtype=torch.complex128),
    "single": torch.tensor([0.5, -1.5, 2.0, 4.0], dtype=F32),
    "one": torch.tensor([-3.0], dtype=F64),
}
AMPLITUDE_MUTANTS = {
    "not normalised": lambda x: amplitude_encoding(x) * abs(x).square().sum().sqrt(),
    "normalised by the sum": lambda x: amplitude_encoding(x) / abs(amplitude_encoding(x)).sum(),
    "zeros in front": lambda x: amplitude_encoding(x).flip(0).roll(len(x)).flip(0),
    "conjugated": lambda x: amplitude_encoding(x).conj_physical(),
    "magnitudes": lambda x: amplitude_encoding(x.abs()),
}


@pytest.mark.parametrize("x", SAMPLES.values(), ids=SAMPLES)
def test_amplitude_encoding_is_the_normalised_vector(x):
    assert_normalised_vector(amplitude_encoding, x)


@pytest.mark.parametrize("mutant", AMPLITUDE_MUTANTS.values(), ids=AMPLITUDE_MUTANTS)
def test_normalised_vector_refuses(mutant):
    with pytest.raises(AssertionError, match="not close"):
        assert_normalised_vector(mutant, SAMPLES["complex"])


@given(st.lists(st.floats(-1e3, 1e3).filter(lambda v: abs(v) > 1e-3), min_size=1, max_size=9))
def test_amplitude_encoding_of_any_length(values):
    assert_normalised_vector(amplitude_encoding, torch.tensor(values, dtype=F64))


@pytest.mark.parametrize("size", [1e-40, 1e-30, 1e38])
def test_amplitude_encoding_of_any_scale(size):
    x = torch.tensor([3.0, 0.0, 2.0]) * size
    assert_close(amplitude_encoding(x), amplitude_encoding(x.double()), 3)


def test_zero_vector_is_the_zero_state():
    def some(x):
        return amplitude_encoding(x).real.sum()

    blank = torch.zeros(3, dtype=F64)
    assert torch.equal(amplitude_encoding(blank), qf.zero_state(2, dtype=torch.complex128))
    assert torch.equal(grad(some)(blank), blank)
    assert torch.equal(hessian(some)(blank), torch.zeros(3, 3, dtype=F64))
    batch = torch.stack([blank, SAMPLES["real"]])
    assert_close(vmap(amplitude_encoding)(batch)[1], amplitude_encoding(batch[1]), 3)
    assert torch.equal(vmap(grad(some))(batch)[0], blank)
    assert amplitude_encoding(torch.tensor([math.nan, 1.0])).isnan().all()


def test_amplitude_encoding_transforms():
    x = SAMPLES["real"]
    z_sum = qf.pauli_sum({"ZI": 1.0, "XY": 0.5, "XX": -0.25})

    def energy(x):
        return qf.expval(qf.circuit(2, qf.h(0), qf.s(1))(amplitude_encoding(x)), z_sum)

    atol = fd_tolerance(F64, 2)
    assert_close(grad(energy)(x), central_difference(energy, (x,))[0], 1, atol=atol)
    slopes = central_difference(grad(energy), (x,))[0]
    assert_close(hessian(energy)(x), slopes, 1, atol=atol)
    assert_close(jacfwd(energy)(x), grad(energy)(x), 8)

    def real_parts(x):
        return torch.view_as_real(amplitude_encoding(x))

    assert_close(jacfwd(real_parts)(x), jacrev(real_parts)(x), 8)


def test_amplitude_encoding_of_complex_features_has_a_gradient():
    def energy(re, im):
        return qf.expval(amplitude_encoding(torch.complex(re, im)), qf.pauli_sum({"XYZ": 1.0}))

    x = SAMPLES["complex"]
    args = (x.real.clone(), x.imag.clone())
    for found, expected in zip(
        grad(energy, (0, 1))(*args), central_difference(energy, args), strict=True
    ):
        assert_close(found, expected, 1, atol=fd_tolerance(F64))
    by_features = grad(lambda x: qf.expval(amplitude_encoding(x), qf.pauli_sum({"XYZ": 1.0})))(x)
    assert_close(by_features, torch.complex(*grad(energy, (0, 1))(*args)), 8)


# Initial parameters

INITS = {
    "qaoa": (init_qaoa, (3, 2)),
    "hardware": (init_hardware_efficient, (2, 3, 2)),
    "strongly": (init_strongly_entangling, (2, 3, 3)),
    "brickwork": (init_brickwork, (2, 2, 9)),
    "reuploading": (lambda u, **kw: init_data_reuploading(u, 3, **kw)["theta"], (2, 3, 2)),
}
each_init = pytest.mark.parametrize(("init", "shape"), INITS.values(), ids=INITS)


def assert_covers(init, shape, low, high):
    """Angles are an affine map of the uniforms from [0, 1) onto [low, high)."""
    u = qf.uniforms((200, *shape), 7, dtype=F64)
    angles = vmap(init)(u)
    assert_close(angles, low + (high - low) * u, 2, abs(low) + abs(high))
    edges = torch.stack([torch.zeros(shape), torch.full(shape, 1 - 2**-24)])
    bottom, top = vmap(init)(edges)
    assert bottom.dtype == F32
    assert (bottom >= torch.tensor(low, dtype=F32)).all()
    assert (top <= torch.tensor(high, dtype=F32)).all()


@each_init
def test_init_ranges(init, shape):
    assert_covers(init, shape, 0.0, 2 * math.pi)
    assert_covers(partial(init, low=-0.1, high=0.1), shape, -0.1, 0.1)


@pytest.mark.parametrize(
    "mutant",
    [
        lambda u: math.pi * u,
        lambda u: 2 * math.pi * (1 - u),
        lambda u: 2 * math.pi * u - math.pi,
        lambda u: 6.28 * u,
    ],
)
def test_range_law_refuses(mutant):
    with pytest.raises(AssertionError, match="not close"):
        assert_covers(mutant, (2, 3, 2), 0.0, 2 * math.pi)


def test_reuploading_scales_start_at_one():
    u = qf.uniforms((2, 3, 2), 0, dtype=F64)
    assert set(init_data_reuploading(u)) == {"theta"}
    params = init_data_reuploading(u, 5)
    assert torch.equal(params["scale"], torch.ones(2, 5, dtype=F64))
    ensemble = vmap(lambda u: init_data_reuploading(u, 5))(u.expand(4, 2, 3, 2))
    assert ensemble["scale"].shape == (4, 2, 5)


@pytest.mark.parametrize("name", ["hardware-chain", "strongly", "brickwork"])
def test_an_ensemble_trains_together(name):
    case = CASES[name]
    init = {"h": init_hardware_efficient, "s": init_strongly_entangling, "b": init_brickwork}
    params = vmap(init[name[0]])(qf.uniforms((3, *case.shapes[0]), 0, dtype=F64))
    together = vmap(grad(partial(energy, case)))(params)
    alone = torch.stack([grad(partial(energy, case))(p) for p in params])
    assert_close(together, alone, case.circuit(params[0]).n_gates, WEIGHT)


# Bad calls

Z322, Z2 = torch.zeros(3, 2, 2), torch.zeros(2)
LAYERS = (
    "Layers are its first axis and wires its second; map over an ensemble with `torch.func.vmap`."
)
SAMPLE = "Give one sample; map over a batch with `torch.func.vmap`."
CONVERT = "Convert it with `torch.as_tensor(..., dtype=torch.float32)`."
MAKE = "Make them with `init_data_reuploading(u, n_features)`."
BAD = {
    "angles of qaoa": (
        lambda: qaoa(torch.zeros(3), qf.pauli_sum(COST)),
        ValueError,
        "qaoa(params=Tensor(shape=(3,), dtype=float32)): `params` must have shape (n_layers, 2), "
        "but got shape (3,). Give γ and β of every layer.",
    ),
    "cost without a cost": (
        lambda: qaoa(Z2[None], qf.pauli_sum({"XZ": 1.0})),
        ValueError,
        "qaoa(cost=PauliSum(1 XZ)): `cost` must have words of I and Z, but got 'XZ'. "
        "Only those have a cost for every bit string.",
    ),
    "cost of qaoa": (
        lambda: qaoa(Z2[None], qf.diagonal(Z2)),
        TypeError,
        "qaoa(cost=Diagonal(values=tensor([0., 0.]))): `cost` must be a PauliSum, but "
        "got a Diagonal. Make one with `pauli_sum` or `from_diagonal`.",
    ),
    "precisions of qaoa": (
        lambda: qaoa(Z2[None], qf.pauli_sum({"Z": torch.tensor(1.0, dtype=F64)})),
        TypeError,
        "qaoa(): all tensors must share one precision, but got torch.float32 and torch.float64. "
        "Convert one side with `.to(...)`; dtypes are never promoted.",
    ),
    "shape": (
        lambda: hardware_efficient(torch.zeros(3, 2)),
        ValueError,
        "hardware_efficient(params=Tensor(shape=(3, 2), dtype=float32)): `params` must have shape "
        f"(n_layers, n_qubits, 2), but got shape (3, 2). {LAYERS}",
    ),
    "last axis": (
        lambda: strongly_entangling(Z322),
        ValueError,
        "strongly_entangling(params=Tensor(shape=(3, 2, 2), dtype=float32)): `params` must have "
        f"shape (n_layers, n_qubits, 3), but got shape (3, 2, 2). {LAYERS}",
    ),
    "bricks": (
        lambda: brickwork(Z322),
        ValueError,
        "brickwork(params=Tensor(shape=(3, 2, 2), dtype=float32)): `params` must have shape "
        f"(n_layers, n_qubits - 1, 9), but got shape (3, 2, 2). {LAYERS}",
    ),
    "list": (
        lambda: hardware_efficient([[[0.1, 0.2]]]),
        TypeError,
        "hardware_efficient(params=[[[0.1, 0.2]]]): `params` must be a float32 or float64 tensor, "
        f"but got a list. {CONVERT}",
    ),
    "integers": (
        lambda: iqp_encoding(torch.tensor([1, 2])),
        TypeError,
        "iqp_encoding(x=Tensor(shape=(2,), dtype=int64)): `x` must be a float32 or float64 tensor, "
        f"but got int64. {CONVERT}",
    ),
    "unknown entangler": (
        lambda: hardware_efficient(Z322, "star"),
        ValueError,
        "hardware_efficient(entangler='star'): `entangler` must be one of 'chain', 'ring', "
        "'pairs', 'all', but got 'star'. Or give pairs of wires: `[(0, 1), (1, 2)]`.",
    ),
    "pair as list": (
        lambda: entangler_pairs(3, [[0, 1]]),
        TypeError,
        "entangler_pairs(entangler=[[0, 1]]): `entangler` must be a name or pairs of wires, but "
        "got [0, 1]. Write `[(0, 1), (1, 2)]`, with tuples.",
    ),
    "flat pair": (
        lambda: entangler_pairs(3, (0, 1)),
        TypeError,
        "entangler_pairs(entangler=(0, 1)): `entangler` must be a name or pairs of wires, but "
        "got 0. Write `[(0, 1), (1, 2)]`, with tuples.",
    ),
    "no entangler": (
        lambda: hardware_efficient(Z322, None),
        TypeError,
        "hardware_efficient(entangler=None): `entangler` must be a name or pairs of wires, but "
        "got None. Write `[(0, 1), (1, 2)]`, with tuples.",
    ),
    "pair out of range": (
        lambda: hardware_efficient(Z322, [(0, 2)]),
        ValueError,
        "hardware_efficient(entangler=(0, 2)): `entangler` must be in range(2), but got (0, 2). "
        "Give distinct wires from 0 to 1.",
    ),
    "pair of one wire": (
        lambda: iqp_encoding(Z2, entangler=[(1, 1)]),
        ValueError,
        "iqp_encoding(entangler=(1, 1)): `entangler` must be distinct, but got (1, 1). "
        "Give distinct wires from 0 to 1.",
    ),
    "number of qubits": (
        lambda: entangler_pairs(2.0, "chain"),
        TypeError,
        "entangler_pairs(n_qubits=2.0): `n_qubits` must be an int, but got a float. "
        "Give a Python int of at least 0.",
    ),
    "gate with an angle": (
        lambda: hardware_efficient(Z322, gate=qf.rzz),
        ValueError,
        "hardware_efficient(gate=<gate rzz>): `gate` must be a gate of 2 wire(s) and 0 angle(s), "
        "but got one of 2 wire(s) and 1 angle(s). Give one such as `cz`, without calling it.",
    ),
    "gate that was called": (
        lambda: strongly_entangling(torch.zeros(1, 2, 3), qf.cx(0, 1)),
        TypeError,
        "strongly_entangling(gate=<cx on (0, 1)>): `gate` must be a gate of 2 wire(s) and 0 "
        "angle(s), but got an Op. Give one such as `cz`, without calling it.",
    ),
    "gate without an angle": (
        lambda: angle_encoding(Z2, qf.h),
        ValueError,
        "angle_encoding(gate=<gate h>): `gate` must be a gate of 1 wire(s) and 1 angle(s), but "
        "got one of 1 wire(s) and 0 angle(s). Give one such as `rx`, without calling it.",
    ),
    "batch of samples": (
        lambda: angle_encoding(torch.zeros(5, 2)),
        ValueError,
        "angle_encoding(x=Tensor(shape=(5, 2), dtype=float32)): `x` must have shape "
        f"(n_features,), but got shape (5, 2). {SAMPLE}",
    ),
    "wires of the features": (
        lambda: angle_encoding(Z2, wires=range(3)),
        ValueError,
        "ry(theta=Tensor(shape=(2,), dtype=float32)): `theta` must have shape () or (3,), but got "
        "shape (2,) for 3 wire set(s). Give one entry per wire set, or one for all; map over a "
        "batch with `torch.func.vmap`.",
    ),
    "amplitudes of ints": (
        lambda: amplitude_encoding(torch.tensor([1, 2])),
        TypeError,
        "amplitude_encoding(x=Tensor(shape=(2,), dtype=int64)): `x` must be a float32 or float64 "
        f"or complex64 or complex128 tensor, but got int64. {CONVERT}",
    ),
    "amplitudes of a batch": (
        lambda: amplitude_encoding(torch.zeros(5, 2)),
        ValueError,
        "amplitude_encoding(x=Tensor(shape=(5, 2), dtype=float32)): `x` must have shape "
        f"(n_features,), but got shape (5, 2). {SAMPLE}",
    ),
    "repeats": (
        lambda: iqp_encoding(Z2, -1),
        ValueError,
        "iqp_encoding(repeats=-1): `repeats` must be at least 0, but got -1. Give 0 or more.",
    ),
    "params no mapping": (
        lambda: data_reuploading(Z2, Z322),
        TypeError,
        "data_reuploading(params=Tensor(shape=(3, 2, 2), dtype=float32)): `params` must be a "
        f"mapping, but got a Tensor. {MAKE}",
    ),
    "unknown key": (
        lambda: data_reuploading(Z2, {"theta": Z322, "scales": Z2}),
        ValueError,
        "data_reuploading(params=['theta', 'scales']): `params` must have the keys 'theta' and "
        f"optionally 'scale', but got ['theta', 'scales']. {MAKE}",
    ),
    "shape of the scale": (
        lambda: data_reuploading(Z2, {"theta": Z322, "scale": Z2}),
        ValueError,
        "data_reuploading(scale=Tensor(shape=(2,), dtype=float32)): `scale` must have shape "
        f"(3, 2), but got shape (2,). {MAKE}",
    ),
    "theta without layers": (
        lambda: data_reuploading(Z2, {"theta": torch.tensor(0.1)}),
        ValueError,
        "data_reuploading(theta=Tensor(shape=(), dtype=float32)): `theta` must have shape "
        f"(n_layers, ...), but got shape (). {MAKE}",
    ),
    "two precisions": (
        lambda: data_reuploading(Z2, {"theta": Z322.double()}),
        TypeError,
        "data_reuploading(): all tensors must share one precision, but got torch.float32 and "
        "torch.float64. Convert one side with `.to(...)`; dtypes are never promoted.",
    ),
    "uniforms' shape": (
        lambda: init_brickwork(Z322),
        ValueError,
        "init_brickwork(u=Tensor(shape=(3, 2, 2), dtype=float32)): `u` must have shape "
        "(n_layers, n_qubits - 1, 9), but got shape (3, 2, 2). Draw it with "
        "`uniforms(shape, seed)`.",
    ),
    "shape for uniforms": (
        lambda: init_hardware_efficient((2, 3, 2)),
        TypeError,
        "init_hardware_efficient(u=(2, 3, 2)): `u` must be a float32 or float64 tensor, but got a "
        f"tuple. {CONVERT}",
    ),
    "number of features": (
        lambda: init_data_reuploading(Z322, -1),
        ValueError,
        "init_data_reuploading(n_features=-1): `n_features` must be at least 0, but got -1. "
        "Give 0 or more.",
    ),
}


@pytest.mark.parametrize(("call", "kind", "text"), BAD.values(), ids=BAD)
def test_bad_calls(call, kind, text):
    with pytest.raises(kind) as caught:
        call()
    assert type(caught.value) is kind
    assert str(caught.value) == text
