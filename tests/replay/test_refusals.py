"""What can't be replayed is refused, with what to do instead; nothing is baked in or changed."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch.func import grad
from torch.utils import dlpack

import quilt_func as qf

KEPT = torch.arange(3.0)
LATER = KEPT[1:]


def caught(x):
    """Falls back on something else where it may not look."""
    try:
        return x * float(x[0])
    except Exception:
        return x


def add_to_argument(x):
    x += 1  # a `TypeError` would let Python try `x = x + 1`
    return x


VALUES = {
    "item": lambda x: x * x.sum().item(),
    "tolist": lambda x: x * sum(x.tolist()),
    "numpy": lambda x: x * float(np.sum(x.numpy())),
    "asarray": lambda x: x * float(np.sum(np.asarray(x))),
    "float": lambda x: x * float(x[0]),
    "int": lambda x: x[: int(x[1])],
    "index": lambda x: list(range(10))[x[1].long()] * x,
    "if": lambda x: x if x.sum() > 0 else -x,
    "equal": lambda x: x if torch.equal(x, x) else 2 * x,
    "allclose": lambda x: x if torch.allclose(x, x) else 2 * x,
    "a list of tensors": lambda x: x * torch.tensor([x[0], 1.0, 1.0]),
    "a list of tensors, by name": lambda x: x * torch.as_tensor(data=[[x[0]] * 3]),
    "a list of tensors, as of old": lambda x: x * torch.Tensor([x[0], 1.0, 1.0]),
    "a new tensor of a list": lambda x: x * x.new_tensor([x[0], 1.0, 1.0]),
    "places to split at": lambda x: torch.arange(6.0).tensor_split(x.long())[0],
    "contains": lambda x: x * (2.0 in x),
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "dlpack": lambda x: x * torch.from_dlpack(x),
    "a capsule": lambda x: torch.mul(x, dlpack.from_dlpack(dlpack.to_dlpack(x))),
    "memory given away": lambda x: (y := torch.zeros(3), setattr(y, "data", x), 2 * y)[2],
    "map_": lambda x: x.clone().map_(x, max),
    "an error caught": caught,
    "a closure's values": lambda x: x * sum(KEPT.tolist()),
    "data_ptr": lambda x: x * (x.data_ptr() % 7),
    "if within grad": lambda x: grad(lambda y: (y * y).sum() if y.sum() > 0 else y.sum())(x),
    "tolist within grad": lambda x: grad(lambda y: (y * y).sum() * y.tolist()[0])(x),
}
DRAWS = {
    "rand": lambda x: x + torch.rand(3),
    "rand_like": lambda x: x + torch.rand_like(x),
    "randn": lambda x: x + torch.randn(3),
    "dropout": torch.nn.functional.dropout,
    "bernoulli": torch.bernoulli,
    "multinomial": lambda x: torch.multinomial(x, 2),
    "a generator": lambda x: x + torch.rand(3, generator=torch.Generator().manual_seed(1)),
}
SHAPES = {
    "a mask": lambda x: x[x > 1].sum(),
    "nonzero": torch.nonzero,
    "unique": torch.unique,
    "masked_select": lambda x: x.masked_select(x > 1),
    "repeat_interleave": lambda x: torch.repeat_interleave(x, x.long()),
}
WRITES = {
    "add_": lambda x: x.add_(1),
    "+=": add_to_argument,
    "through a view": lambda x: x[0].add_(1),
    "through data": lambda x: x.data.add_(1),
    "an entry": lambda x: x.__setitem__(0, 5.0) or x,
    "out": lambda x: torch.add(x, 1, out=x),
    "a view in place": lambda x: x.unsqueeze_(0),
    "the closure": lambda x: KEPT.add_(x),
    "the closure by a view": lambda x: KEPT[1:].mul_(2) + x[1:],
}
TABLES = {
    "`fn` must not look at values of tensors": VALUES,
    "`fn` must not draw random numbers": DRAWS,
    "`fn` must give tensors whose shapes depend on shapes alone": SHAPES,
    "`fn` must not change its arguments, or tensors of its closure, in place": WRITES,
}


@pytest.mark.parametrize(
    ("need", "name"), [(need, name) for need, table in TABLES.items() for name in table]
)
def test_refused(need, name):
    x = torch.tensor([1.0, 2.0, 3.0])
    replayed = qf.jit(TABLES[need][name])
    for _ in range(2):
        with pytest.raises(TypeError) as caught:
            replayed(x)
        assert need in str(caught.value)
        assert str(caught.value).startswith("jit(fn=")
    assert torch.equal(x, torch.tensor([1.0, 2.0, 3.0]))
    assert torch.equal(KEPT, torch.arange(3.0))


ALLOWED = {
    "numbers of the closure": lambda x: x * 2.5 + torch.tensor([1.0, 2.0, 3.0]),
    "shapes": lambda x: x * len(x) * x.shape[0],
    "printed": lambda x: (str(x), x * 2)[1],
    "a temporary in place": lambda x: x.clone().add_(1).mul_(x),
    "numbers that are written to": lambda x: (y := torch.tensor([1.0, 2.0, 3.0]), y.add_(x))[1],
    "an array that is written to": lambda x: torch.from_numpy(np.ones(3, np.float32)).mul_(x),
    "two views of the closure": lambda x: x[1:] * KEPT[1:] + LATER,
    "data": lambda x: x.data * 2,
    "deepcopy": lambda x: copy.deepcopy(x) * 2,
    "entries by a mask": lambda x: x.clone().masked_fill_(x > 1, 0.0),
    "a constant's repeats": lambda x: torch.repeat_interleave(x, 2),
    "a product's gradient": grad(lambda x: x.prod()),
    "a temporary's entries": lambda x: torch.zeros(4).index_copy_(0, torch.tensor([1, 2, 0]), x),
    "a temporary's view": lambda x: (y := x * 1, y[1:].add_(5), y * 2)[2],
    "views in place": lambda x: x.clone().unsqueeze_(0).squeeze_(0).unsqueeze_(1).t_(),
    "out": lambda x: torch.add(x, 1, out=torch.empty(3)),
    "where": lambda x: torch.where(x > 1, x, -x),
    "an error's check": lambda x: torch.linalg.inv(torch.diag(x)),
    "several results": lambda x: torch.sort(x.flip(0)),
    "eigenvalues": lambda x: torch.linalg.eigh(torch.outer(x, x)).eigenvalues,
    "splits": lambda x: torch.cat(x.split([1, 2])[::-1]) + torch.stack(x.unbind()).sum(),
    "a complex number": lambda x: (x * (1 + 2j)).conj() * (0.5 - 1j),
    "an empty list of indices": lambda x: x[()] + torch.zeros(()).view([]),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_allowed(name):
    fn = ALLOWED[name]
    replayed = qf.jit(fn)
    for x in (torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.5, 4.0, -1.0])):
        found, expected = replayed(x), fn(x.clone())
        found = found if isinstance(found, tuple) else (found,)
        expected = expected if isinstance(expected, tuple) else (expected,)
        assert all(map(torch.equal, found, expected))


def test_an_error_of_the_function_is_its_own():
    with pytest.raises(ValueError, match="`state` must"):
        qf.jit(lambda x: qf.expval(x, qf.pauli_sum({"ZZ": 1.0})))(torch.ones(3, dtype=torch.cfloat))
    with pytest.raises(RuntimeError, match="singular"):
        qf.jit(lambda x: torch.linalg.inv(x))(torch.zeros(2, 2))


def test_a_singular_matrix_is_refused_at_every_replay():
    replayed = qf.jit(torch.linalg.inv)
    replayed(torch.eye(2))
    with pytest.raises(RuntimeError, match="singular"):
        replayed(torch.zeros(2, 2))


def test_a_closure_that_requires_grad_is_refused():
    weight = torch.ones(3, requires_grad=True)
    with pytest.raises(TypeError, match="`fn` must not close over tensors that require grad"):
        qf.jit(lambda x: x * weight)(torch.ones(3))
    with torch.no_grad():
        assert not qf.jit(lambda x: x * weight)(torch.ones(3)).requires_grad
