"""What is computed once must not remember the transform around its first use.

Under `grad` or `jvp` even `torch.tensor([1.0])` belongs to the transform's level; kept in a cache,
it breaks, or spoils, every later use.
"""

from itertools import count

import pytest
import torch
from oracles.compare import assert_close
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vmap

import quilt_func as qf

F64 = torch.float64
FRESH = count(1)
LETTERS = "XYZI"


def fresh_model():
    """A model of gates, words, wires and structures that nothing has met before."""
    number = next(FRESH)
    turned = qf.power(qf.iswap, 0.5 + number / 1024)
    digits = [LETTERS[number // 4**i % 4] for i in range(6)]
    word = "".join(digits) + "YZ"
    pairs = [(i, (i + 1 + number % 5) % 8) for i in range(8)]
    start = "".join(str(number >> i & 1) for i in range(8))

    def model(theta):
        circuit = qf.circuit(
            8, qf.ry(theta[0], range(8)), turned(pairs), qf.rzz(theta[1], pairs), qf.h(range(8))
        )
        state = circuit(qf.basis_state(start, dtype=torch.complex128))
        return qf.expval(state, qf.pauli_sum({word: 0.5, word[::-1]: theta[2]}))

    return model


USES = {
    "plain": lambda f, p: f(p),
    "grad": lambda f, p: grad(f)(p),
    "grad(grad)": lambda f, p: grad(lambda q: grad(f)(q).square().sum())(p),
    "jvp": lambda f, p: jvp(f, (p,), (torch.ones_like(p),))[1],
    "jacrev": lambda f, p: jacrev(f)(p),
    "hessian": lambda f, p: hessian(f)(p),
    "jacfwd(jacfwd)": lambda f, p: jacfwd(jacfwd(f))(p),
    "vmap": lambda f, p: vmap(f)(torch.stack([p, -p])),
    "vmap(grad)": lambda f, p: vmap(grad(f))(torch.stack([p, -p])),
    "grad(vmap)": lambda f, p: grad(lambda q: vmap(f)(torch.stack([q, -q])).sum())(p),
    "backward": lambda f, p: torch.autograd.grad(f(leaf := p.clone().requires_grad_()), leaf)[0],
}
AROUND = {
    **{name: (use, torch.enable_grad) for name, use in USES.items()},
    "no_grad": (USES["plain"], torch.no_grad),
    "inference_mode": (USES["plain"], torch.inference_mode),
}


@pytest.mark.parametrize("first", AROUND)
def test_first_use_leaves_nothing_behind(first):
    use, context = AROUND[first]
    theta = torch.tensor([0.3, -0.7, 1.1], dtype=F64)
    model = fresh_model()
    with context():
        value = use(model, theta)
    again = {name: later(model, theta) for name, later in USES.items()}
    bounds = {"n_gates": 64 * 33, "scale": 8.0**2}
    assert_close(again[first] if first in again else again["plain"], value.clone(), **bounds)
    assert_close(again["jacrev"], again["grad"], **bounds)
    assert_close(again["backward"], again["grad"], **bounds)
    assert_close(again["jvp"], again["grad"].sum(), **bounds)
    assert_close(again["jacfwd(jacfwd)"], again["hessian"], **bounds)
    assert_close(again["vmap(grad)"][0], again["grad"], **bounds)


@pytest.mark.parametrize("first", AROUND)
def test_first_use_of_a_constant_gate(first):
    use, context = AROUND[first]
    row = qf.power(qf.h, 1.5 + next(FRESH) / 1024)

    def model(theta):
        circuit = qf.circuit(1, row(0), qf.rx(theta[0], 0), row(0))
        return qf.probs(circuit())[0] * theta[1]

    theta = torch.tensor([0.3, 0.9], dtype=F64)
    with context():
        use(model, theta)
    values = {name: later(model, theta) for name, later in USES.items()}
    assert_close(values["jvp"], values["grad"].sum(), n_gates=64)
    constant = row.constant(torch.complex128, torch.device("cpu"))
    assert torch.equal(constant, torch.from_numpy(row.matrix))
    assert not constant.is_inference()
