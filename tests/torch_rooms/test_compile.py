"""`torch.compile` and `torch.export`: equal to eager, or refused by torch in one line."""

import copy
import inspect
import io
import shutil
import subprocess
import sys

import pytest
import torch
from oracles.compare import assert_close
from torch import nn
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vmap

import quilt_func as qf
from quilt_func._torch.dynamo import REASON
from quilt_func._torch.trees import tree_leaves

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script")  # what inductor imports warns
HAS_COMPILER = any(map(shutil.which, ("c++", "g++", "clang++")))
INDUCTOR = pytest.param(
    "inductor", marks=pytest.mark.skipif(not HAS_COMPILER, reason="needs a C++ compiler")
)
each_backend = pytest.mark.parametrize("backend", ["eager", "aot_eager", INDUCTOR])
each_size = pytest.mark.parametrize("n", [2, 4, 6, 10])
SIZES = [5, 5, 3, 5]
LATE = [qf.draw, qf.testing]  # imported when they are asked for


@pytest.fixture(autouse=True)
def nothing_compiled():
    """Compiled code of one test is not another's."""
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def chain(n):
    return [(k, k + 1) for k in range(n - 1)]


def model(params, x):
    n = len(x)
    layers = [(qf.rx(theta, range(n)), qf.cx(chain(n))) for theta in params["theta"].unbind(0)]
    each = [qf.pauli_sum({("Z", (k,)): 1.0}, n_qubits=n) for k in range(2)]
    return qf.expval(qf.circuit(n, qf.ry(x, range(n)), layers)(), each)


def network(n):
    layer = qf.nn.QuantumLayer(model, {"theta": qf.uniforms((2, n), 0)}, in_shape=(n,))
    made = nn.Sequential(nn.Linear(3, n), nn.Tanh(), layer, nn.Linear(2, 1))
    with torch.no_grad():
        for seed, parameter in enumerate(made.parameters()):
            parameter.copy_(qf.uniforms(parameter.shape, seed) - 0.5)
    return made


def step(network, x):
    """Push a loss back."""
    loss = (network(x) - x.sum(-1, keepdim=True)).square().mean()
    loss.backward()
    return loss.detach()


def derived(network, x):
    """A loss and its gradients."""
    network.zero_grad()
    return step(network, x), [parameter.grad for parameter in network.parameters()]


def trained(own, called):
    """Losses of a few steps, on batches of several sizes, and the parameters after them."""
    optimiser, losses = torch.optim.Adam(own.parameters(), 0.1), []
    for seed, size in enumerate(SIZES):
        optimiser.zero_grad()
        losses.append(called(qf.uniforms((size, 3), seed)))
        optimiser.step()
    return [*losses, *(parameter.detach() for parameter in own.parameters())]


def assert_equal_trees(got, expected):
    for a, b in zip(tree_leaves(got), tree_leaves(expected), strict=True):
        assert type(a) is torch.Tensor
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        assert_close(a, b, n_gates=256, scale=100.0)


@each_size
@each_backend
def test_a_network_trains_as_in_eager_mode(n, backend):
    plain, other = network(n), network(n)
    compiled = torch.compile(other, backend=backend)
    got = trained(other, lambda x: step(compiled, x))
    assert_equal_trees(got, trained(plain, lambda x: step(plain, x)))


@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # dynamo's, at any break
@each_backend
def test_a_whole_step_is_compiled(backend):
    plain, other = network(6), network(6)
    compiled = torch.compile(step, backend=backend)
    got = trained(other, lambda x: compiled(other, x))
    assert_equal_trees(got, trained(plain, lambda x: step(plain, x)))


@each_backend
def test_a_layer_alone(backend):
    layer = network(6)[2]
    compiled = torch.compile(copy.deepcopy(layer), backend=backend)
    for shape in ((5, 6), (6,), (2, 3, 6), (0, 6)):
        assert torch.equal(compiled(qf.uniforms(shape, 1)), layer(qf.uniforms(shape, 1)))


# --- functions ---


@qf.gate(n_wires=1)
def own(theta):
    c, s = (theta / 2).cos(), (theta / 2).sin()
    return torch.stack([torch.stack([c, -s]), torch.stack([s, c])])


def energy(w, x):
    """Torch's own operations before, between and after those of the library."""
    n = len(w)
    x = 1.5 * x + w.sin()
    encoding = qf.circuit(n, qf.ry(x, range(n)), qf.cx(chain(n)))
    weights = qf.circuit(n, qf.rx(w, range(n)), own(w * w, range(n)), qf.controlled(qf.h)(0, 1))
    state = (encoding + weights)()
    terms = qf.pauli_sum({"Z" * n: 1.0}) + 0.3 * qf.pauli_sum({"I" * (n - 1) + "X": w[0]})
    value = qf.expval(state, terms)
    value = (value * value).sin() + value * w.cos().sum()
    overlap = qf.fidelity(state, weights.inverse()(state))
    return value * qf.probs(state)[0] + overlap


TRANSFORMS = {
    "plain": lambda f: f,
    "vmap": lambda f: vmap(f, (0, 0)),
    "jvp": lambda f: lambda w, x: jvp(f, (w, x), (x, w)),
    "jvp of jvp": lambda f: lambda w, x: jvp(lambda w: jvp(f, (w, x), (x, w)), (w,), (x,)),
    "jacfwd": jacfwd,
    "grad": grad,
    "vmap of grad": lambda f: vmap(grad(f), (0, 0)),
    "grad of vmap": lambda f: grad(lambda w, x: vmap(f, (0, 0))(w, x).square().sum()),
    "jacrev of jacrev": lambda f: jacrev(jacrev(f)),
    "hessian": hessian,
    "vmap of hessian": lambda f: vmap(hessian(f), (0, 0)),
}
REVERSE = {name for name in TRANSFORMS if "grad" in name or "hessian" in name or "rev" in name}


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_transforms_below_compile(transform):
    for n in (2, 6):
        assert_compiled_equals_eager(transform, n, "aot_eager")


@pytest.mark.parametrize("transform", [name for name in TRANSFORMS if name not in REVERSE])
def test_transforms_below_dynamos_own_backend(transform):
    """Below reverse mode it stops after any break of a graph: False != True."""
    assert_compiled_equals_eager(transform, 6, "eager")


@pytest.mark.skipif(not HAS_COMPILER, reason="needs a C++ compiler")
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_transforms_below_inductor(transform):
    assert_compiled_equals_eager(transform, 6, "inductor")


def assert_compiled_equals_eager(transform, n, backend):
    shape = (3, n) if "vmap" in transform else (n,)
    w, x = 3 * qf.uniforms(shape, 0), 3 * qf.uniforms(shape, 1)
    function = TRANSFORMS[transform](energy)
    compiled = torch.compile(function, backend=backend)
    expected = function(w, x)
    for _ in range(2):
        assert_equal_trees(compiled(w, x), expected)


@pytest.mark.parametrize("n", [2, 10])
@each_backend
def test_derivatives_without_more(n, backend):
    """Where nothing follows the library's own functions, `eager` has no fault."""
    word = qf.pauli_sum({"Z" * n: 1.0})

    def plain(w, x):
        return qf.expval(
            qf.circuit(n, qf.ry(x, range(n)), qf.cx(chain(n)), qf.rx(w, range(n)))(), word
        )

    w, x = qf.uniforms(n, 0), qf.uniforms((3, n), 1)
    function = vmap(grad(plain), (None, 0))
    assert_equal_trees(torch.compile(function, backend=backend)(w, x), function(w, x))


# --- what is hidden ---


def public_functions():
    rooms = [value for name in qf.__all__ if inspect.ismodule(value := getattr(qf, name))]
    for room in [qf, *(room for room in rooms if room not in LATE)]:
        for name in getattr(room, "__all__", []):
            value = inspect.unwrap(getattr(room, name))
            if inspect.isfunction(value):
                yield value
            elif inspect.isclass(value) and room is not qf.learn:  # made when they are asked for
                yield from methods(value)


def methods(cls):
    """Those that the class's own text defines, not those that are made for a dataclass."""
    for member in vars(cls).values():
        function = getattr(member, "fget", getattr(member, "__func__", member))
        if inspect.isfunction(function) and "quilt_func" in function.__code__.co_filename:
            yield function


def test_dynamo_is_told_of_every_public_function():
    found = set(public_functions())
    assert {qf.nn.QuantumLayer.forward, qf.Circuit.__call__, qf.expval} <= found
    assert [f for f in found if not vars(f).get("_torchdynamo_disable")] == []


def test_dynamo_is_not_imported():
    """It takes longer than torch itself."""
    code = "import quilt_func, sys; sys.exit('torch._dynamo' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_one_graph_is_refused():
    word, x = qf.pauli_sum({"ZII": 1.0}), qf.uniforms((5, 3), 0)
    mapped = vmap(lambda x: qf.expval(qf.circuit(3, qf.ry(x, range(3)))(), word))
    for function in (network(6), mapped):
        with pytest.raises(RuntimeError, match=REASON[:20]):
            torch.compile(function, backend="eager", fullgraph=True)(x)


# --- export ---


@each_size
def test_an_exported_network_is_the_network(n):
    made, x = network(n), qf.uniforms((5, 3), 0)
    expected = derived(made, x)
    program = torch.export.export(made, (x,))
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    for module in (program.module(), torch.export.load(file).module()):
        assert_equal_trees(derived(module, x), expected)
        other = x.flip(0) + 1
        assert_close(module(other), made(other), n_gates=64)


@pytest.mark.parametrize("lead", [(), (2, 3), (0,)])
def test_export_takes_any_axes_in_front(lead):
    layer, x = network(6)[2], qf.uniforms((*lead, 6), 0)
    expected = layer(x)
    assert_close(torch.export.export(layer, (x,)).module()(x), expected, n_gates=64)


def test_an_exported_function_of_the_library():
    class Energy(nn.Module):
        def forward(self, w, x):
            return energy(w, x)

    w, x = qf.uniforms(6, 0).requires_grad_(), qf.uniforms(6, 1)
    program, other = torch.export.export(Energy(), (w, x)).module(), w.detach() + 1
    for function in (program, energy):
        (found,) = torch.autograd.grad(function(w + 1, x), w)
        assert_close(found, grad(energy)(other, x), n_gates=64, scale=10.0)


def test_strict_export_is_refused():
    with pytest.raises(RuntimeError, match=REASON[:20]):
        torch.export.export(network(6), (qf.uniforms((5, 3), 0),), strict=True)
