"""`QuantumLayer`: equal to `vmap` of its model, and a module like any other."""

import copy
import io
import pickle

import pytest
import torch
from oracles.compare import assert_close
from torch import nn
from torch.func import functional_call, grad, hessian, vmap

import quilt_func as qf
from quilt_func._torch.trees import tree_leaves
from quilt_func.nn import QuantumLayer

Z = [qf.pauli_sum({"ZI": 1.0}), qf.pauli_sum({"IZ": 1.0})]
F64 = torch.float64


def model(params, x):
    theta, phase = params["layers"]
    circuit = qf.circuit(
        2, qf.ry(x, range(2)), qf.rx(theta, range(2)), qf.cx(0, 1), qf.rz(phase, 0), qf.h(range(2))
    )
    return params["scale"] * qf.expval(circuit(), Z)


def start(dtype=F64):
    theta, phase, scale = qf.uniforms(2, 0, dtype=dtype), *qf.uniforms(2, 1, dtype=dtype).unbind()
    return {"layers": [theta, phase], "scale": scale}


def batch(dtype=F64, n=5):
    return 3 * qf.uniforms((n, 2), 2, dtype=dtype)


def values(layer, x):
    """Outputs, and the parameters' gradients."""
    layer.zero_grad()
    out = layer(x)
    out.square().sum().backward()
    return out.detach(), [p.grad.clone() for p in layer.parameters()]


def assert_equal_layers(a, b, x):
    out_a, grads_a = values(a, x)
    out_b, grads_b = values(b, x)
    assert_close(out_a, out_b, n_gates=64)
    for got, expected in zip(grads_a, grads_b, strict=True):
        assert_close(got, expected, n_gates=64, scale=10.0)


@pytest.fixture(autouse=True, params=[False, True], ids=["eager", "jit"])
def each_way(request, monkeypatch):
    """All of this page holds for layers that are replayed, too."""
    monkeypatch.setitem(QuantumLayer.__init__.__kwdefaults__, "jit", request.param)
    return request.param


@pytest.mark.parametrize("dtype", [torch.float32, F64], ids=str)
def test_it_is_the_models_vmap(dtype):
    params, x = start(dtype), batch(dtype)
    layer = QuantumLayer(model, params)
    out, grads = values(layer, x)
    assert_close(out, torch.stack([model(params, one) for one in x]), n_gates=16)

    def loss(params):
        return vmap(model, (None, 0))(params, x).square().sum()

    expected = grad(loss)(params)
    for got, wanted in zip(grads, [*expected["layers"], expected["scale"]], strict=True):
        assert got.dtype == dtype
        assert_close(got, wanted, n_gates=64, scale=10.0)


def test_gradients_reach_the_layer_before():
    x = batch().requires_grad_()
    QuantumLayer(model, start())(x).sum().backward()
    expected = grad(lambda x: vmap(model, (None, 0))(start(), x).sum())(x.detach())
    assert_close(x.grad, expected, n_gates=64)


def test_parameters_have_their_paths_names():
    layer = QuantumLayer(model, start())
    assert list(layer.state_dict()) == ["layers/0", "layers/1", "scale"]
    assert [name for name, _ in layer.named_parameters()] == list(layer.state_dict())
    assert list(QuantumLayer(lambda p, x: x * p, torch.ones(2)).state_dict()) == ["params"]
    assert repr(layer).startswith("QuantumLayer(model, layers/0=Tensor(shape=(2,), dtype=float64)")


def test_parameters_are_copied():
    params = start()
    layer = QuantumLayer(model, params)
    with torch.no_grad():
        layer.scale.zero_()
    assert params["scale"] != 0


def test_other_leaves_are_buffers_or_stay():
    params = {"w": torch.ones(2), "n": torch.tensor([3]), "k": 2.0, "name": "a"}
    layer = QuantumLayer(lambda p, x: p["w"] * p["n"] * p["k"] * x, params)
    assert dict(layer.named_buffers()).keys() == {"n"}
    assert list(dict(layer.named_parameters())) == ["w"]
    assert torch.equal(layer(torch.ones(1, 2)), torch.full((1, 2), 6.0))


def test_a_circuit_can_be_what_is_learnt():
    circuit = qf.circuit(2, qf.ry(torch.tensor([0.1, 0.2]), range(2)), qf.cx(0, 1))
    layer = QuantumLayer(lambda c, x: x * qf.expval(c(), Z), circuit)
    assert list(layer.state_dict()) == ["0"]
    assert_close(layer(torch.ones(1, 2))[0], qf.expval(circuit(), Z), n_gates=8)


def test_state_dict_round_trip():
    layer, other = QuantumLayer(model, start()), QuantumLayer(model, start())
    with torch.no_grad():
        for p in layer.parameters():
            p.mul_(1.5)
    buffer = io.BytesIO()
    torch.save(layer.state_dict(), buffer)
    buffer.seek(0)
    other.load_state_dict(torch.load(buffer, weights_only=True))
    assert_equal_layers(layer, other, batch())


def test_double_and_float():
    layer = QuantumLayer(model, start(torch.float32))
    expected = QuantumLayer(model, {"layers": [p.double() for p in start(torch.float32)["layers"]],
                                    "scale": start(torch.float32)["scale"].double()})  # fmt: skip
    assert_equal_layers(layer.double(), expected, batch())
    assert layer.float()(batch(torch.float32)).dtype == torch.float32
    with pytest.raises(TypeError, match="have the layer's precision, float32, or less"):
        layer.float()(batch())


def test_to_device_moves_everything():
    layer = QuantumLayer(model, start()).to("meta")
    assert {p.device.type for p in layer.parameters()} == {"meta"}


@pytest.mark.cuda
def test_on_a_gpu():
    layer, x = QuantumLayer(model, start()), batch()
    expected = layer(x)
    assert_close(layer.cuda()(x.cuda()).cpu(), expected.detach(), n_gates=64)


@pytest.mark.parametrize("remake", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_are_equal_and_apart(remake):
    network = nn.Sequential(QuantumLayer(model, start()), nn.Linear(2, 1).double())
    again = remake(network)
    assert torch.equal(again(batch()), network(batch()))
    with torch.no_grad():
        again[0].scale.zero_()
    assert network[0].scale != 0


def test_functional_call_under_transforms():
    layer, x = QuantumLayer(model, start()), batch()
    params = {name: p.detach() for name, p in layer.named_parameters()}

    def loss(params, x):
        return functional_call(layer, params, (x,)).sum()

    def plain(params, x):
        tree = {"layers": [params["layers/0"], params["layers/1"]], "scale": params["scale"]}
        return vmap(model, (None, 0))(tree, x).sum()

    for transform in (
        grad,
        hessian,
        lambda f: lambda p, x: vmap(grad(f), (None, 0))(p, x[:, None]),
    ):
        got, expected = transform(loss)(params, x), transform(plain)(params, x)
        for a, b in zip(*map(tree_leaves, (got, expected)), strict=True):
            assert_close(a, b, n_gates=64, scale=10.0)
    stacked = {name: torch.stack([p, 2 * p]) for name, p in params.items()}
    both = vmap(loss, (0, None))(stacked, x)
    assert_close(both[1], plain({n: 2 * p for n, p in params.items()}, x), n_gates=64)


def scaled_sum(p, x, y):
    return p * x.sum() + y


def test_several_inputs():
    layer = QuantumLayer(scaled_sum, torch.tensor(2.0), in_shape=[(2,), ()])
    assert (layer.in_shape, layer.out_shape) == (((2,), ()), ())
    for lead in ((), (3,), (2, 3), (0,), (3, 0)):
        x, y = torch.ones(*lead, 2), torch.ones(lead)
        assert torch.equal(layer(x, y), torch.full(lead, 5.0))
    for other in (torch.ones(3), torch.ones(3, 2)):
        with pytest.raises(ValueError, match=r"as the first input|have shape"):
            layer(torch.ones(4, 2), other)
    with pytest.raises(ValueError, match=r"must give 2 input\(s\), but got 1"):
        layer(torch.ones(4, 2))


# --- shapes ---


LEADS = [(), (1,), (5,), (2, 3), (2, 1, 2), (0,), (2, 0), (0, 3)]


@pytest.mark.parametrize("shaped", [{}, {"in_shape": (2,)}, {"in_shape": 2, "out_shape": (2,)}])
@pytest.mark.parametrize("lead", LEADS, ids=str)
def test_any_axes_in_front_as_for_linear(lead, shaped):
    params, layer = start(), QuantumLayer(model, start(), **shaped)
    x = (3 * qf.uniforms((*lead, 2), 3, dtype=F64)).requires_grad_()
    out = layer(x)
    assert (out.shape, out.dtype, out.device) == ((*lead, 2), F64, x.device)
    each = [model(params, one) for one in x.detach().reshape(-1, 2)] if out.numel() else []
    for got, expected in zip(out.detach().reshape(-1, 2), each, strict=True):
        assert_close(got, expected, n_gates=16)
    leaves = (x, *layer.parameters())
    gradients = torch.autograd.grad(out.square().sum(), leaves)
    expected = grad(
        lambda params, x: sum(model(params, one).square().sum() for one in x) + 0 * x.sum(),
        (0, 1),
    )(params, x.detach().reshape(-1, 2))
    for leaf, got, wanted in zip(
        leaves, gradients, [expected[1], *tree_leaves(expected[0])], strict=True
    ):
        assert got.shape == leaf.shape
        assert_close(got, wanted.reshape(leaf.shape), n_gates=64, scale=10.0)


@pytest.mark.parametrize("shape", [(), (2, 3)])
def test_samples_of_other_shapes(shape):
    """Numbers and matrices: what stands in front of them is the batch."""
    layer = QuantumLayer(lambda p, x: p * x.sum(), torch.ones(3), in_shape=shape)
    assert layer.out_shape == (3,)
    for lead in LEADS:
        x = qf.uniforms((*lead, *shape), 1)
        expected = x.flatten(len(lead)).sum(-1, keepdim=True) if shape else x[..., None]
        assert_close(layer(x), expected.expand(*lead, 3), n_gates=8)


def test_one_sample_is_no_batch_of_numbers():
    """Its entries would be taken for samples, each encoded on all wires."""
    x = batch()[0]
    assert_close(QuantumLayer(model, start())(x), model(start(), x), n_gates=16)


def test_shapes_are_known_and_shown():
    layer = QuantumLayer(model, start(), in_shape=[2])
    assert (layer.in_shape, layer.out_shape) == ((2,), (2,))
    assert repr(layer).endswith("in_shape=(2,), out_shape=(2,))")
    assert "shape=None" not in repr(QuantumLayer(model, start()))
    chosen = QuantumLayer(lambda p, i: p[i], torch.eye(3), in_shape=(), out_shape=(3,))
    assert torch.equal(chosen(torch.tensor([2, 0])), torch.eye(3)[[2, 0]])  # zeros are no places
    assert chosen(torch.zeros(0, dtype=torch.int64)).shape == (0, 3)
    for remade in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert repr(remade) == repr(layer)


@pytest.mark.parametrize("shape", [(3,), (1,), (2, 3), (5, 4), (4, 0), ()])
def test_wrong_samples_are_refused(shape):
    layer = QuantumLayer(model, start(), in_shape=(2,))
    with pytest.raises(ValueError, match=r"`x` must have shape \(\.\.\., 2\), but got"):
        layer(torch.zeros(shape, dtype=F64))


def test_empty_batches_have_gradients_of_zeros():
    """Also where the model's own derivatives at zero are infinite, or numbers complex."""
    params = {"w": torch.ones(2), "c": torch.ones(2, dtype=torch.complex64)}
    layer = QuantumLayer(lambda p, x: x.sqrt().sum() * p["w"] * p["c"].abs(), params)
    x = torch.zeros(0, 2, requires_grad=True)
    layer(x).sum().backward()
    assert torch.equal(layer.w.grad, torch.zeros(2))
    assert torch.equal(layer.c.grad, torch.zeros(2, dtype=torch.complex64))
    assert x.grad.shape == (0, 2)


# --- precision ---


@pytest.mark.parametrize("low", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_lower_precision_is_cast_up(low, dtype):
    layer, x = QuantumLayer(model, start(dtype)), batch(torch.float32).to(low)
    out, _ = values(layer, x)
    assert out.dtype == dtype
    assert torch.equal(out, layer(x.to(dtype)).detach())
    x.requires_grad_()
    layer(x).sum().backward()
    assert x.grad.dtype == low


def mixed(params, x):
    """Products outside of circuits, which autocast would take."""
    mixer = params["w"] @ params["w"]
    circuit = qf.circuit(2, qf.ry(mixer @ x, range(2)), qf.cx(0, 1))
    return mixer @ qf.expval(circuit(), Z)


@pytest.mark.parametrize("low", [torch.float16, torch.bfloat16])
def test_autocast_changes_no_digit(low):
    w = qf.uniforms((2, 2), 4)
    for function, params in ((model, start(torch.float32)), (mixed, {"w": w})):
        layer, x = QuantumLayer(function, params), batch(torch.float32)
        expected = layer(x)
        with torch.autocast("cpu", low):
            assert torch.equal(layer(x), expected)
            assert layer(x).dtype == torch.float32
            assert layer(x[:0]).dtype == torch.float32
            network = nn.Sequential(nn.Linear(3, 2), layer, nn.Linear(2, 1))
            x_low = torch.ones(4, 3)
            hidden = network[0](x_low)
            assert hidden.dtype == low
            out = network(x_low)
        assert torch.equal(network[1](hidden), layer(hidden.float()))
        assert out.dtype == low
        out.sum().backward()
        assert all(p.grad.dtype == torch.float32 for p in network.parameters())


def test_neighbours_in_half():
    layer = QuantumLayer(model, start(torch.float32))
    network = nn.Sequential(nn.Linear(3, 2), layer).bfloat16()
    with pytest.raises(TypeError, match=r"but got bfloat16\. Call `\.float\(\)` on this layer"):
        network(torch.ones(4, 3, dtype=torch.bfloat16))
    layer.float()
    assert network(torch.ones(4, 3, dtype=torch.bfloat16)).dtype == torch.float32


def test_other_numbers_stay():
    """Ints and bools are no angles; complex numbers go with their real counterparts."""
    layer = QuantumLayer(lambda p, x: p * x, torch.ones(2))
    assert layer(torch.ones(2, 2, dtype=torch.int64)).dtype == torch.float32
    assert layer(torch.ones(2, 2, dtype=torch.complex64)).dtype == torch.complex64
    assert layer.double()(torch.ones(2, 2, dtype=torch.complex64)).dtype == torch.complex128
    with pytest.raises(TypeError, match="but got complex128"):
        layer.float()(torch.ones(2, 2, dtype=torch.complex128))


def test_it_trains_in_a_network():
    """Classical layers around it, an optimiser of torch, an aim that can be reached."""
    torch_seeded = torch.Generator().manual_seed(0)
    network = nn.Sequential(
        nn.Linear(3, 2), QuantumLayer(model, start(torch.float32)), nn.Linear(2, 1)
    )
    with torch.no_grad():
        for p in network.parameters():
            p.copy_(torch.randn(p.shape, generator=torch_seeded) / 2)
    x = torch.randn(32, 3, generator=torch_seeded)
    y = (x[:, :1] > 0).float()
    optimiser = torch.optim.Adam(network.parameters(), 0.1)
    losses = []
    for _ in range(30):
        optimiser.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(network(x), y)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


# --- mutants ---


class Summed(QuantumLayer):
    def forward(self, *samples):
        return super().forward(*samples).sum(0, keepdim=True).expand(len(samples[0]), -1)


class HalfTheGradient(QuantumLayer):
    @property
    def tree(self):
        scale = self.scale
        return super().tree | {"scale": (scale + scale.detach()) / 2}


class ByEntry(QuantumLayer):
    def forward(self, *samples):
        return vmap(self.model, (None, *(0 for _ in samples)))(self.tree, *samples)


def test_mapping_the_first_axis_dies():
    """What the layer once did with a single sample."""
    x = batch()[0]
    with pytest.raises(AssertionError):
        assert_close(ByEntry(model, start())(x), model(start(), x), n_gates=16)


@pytest.mark.parametrize("mutant", [Summed, HalfTheGradient])
def test_mutants_die(mutant):
    with pytest.raises(AssertionError):
        assert_equal_layers(mutant(model, start()), QuantumLayer(model, start()), batch())
