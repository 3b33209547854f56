"""Precision and devices go through every transform; plain autograd works; models run on CUDA."""

import pytest
import torch
from oracles.compare import assert_close
from systems import MODELS
from torch.autograd import forward_ad
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

import quilt_func as qf

F32, F64 = torch.float32, torch.float64
each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)

TRANSFORMS = {
    "value": (lambda f, p, x: f(p, x), 0),
    "grad": (lambda f, p, x: grad(f)(p, x), 1),
    "vjp": (lambda f, p, x: vjp(f, p, x)[1](f(p, x) / f(p, x))[0], 1),
    "jvp": (lambda f, p, x: jvp(f, (p, x), (torch.ones_like(p), torch.ones_like(x)))[1], 1),
    "jacrev": (lambda f, p, x: jacrev(f)(p, x), 1),
    "jacfwd": (lambda f, p, x: jacfwd(f)(p, x), 1),
    "hessian": (lambda f, p, x: hessian(f)(p, x), 2),
    "jacfwd(jacfwd)": (lambda f, p, x: jacfwd(jacfwd(f))(p, x), 2),
    "vmap": (lambda f, p, x: vmap(f, (None, 0))(p, x[None]), 0),
    "vmap(grad)": (lambda f, p, x: vmap(grad(f), (None, 0))(p, x[None]), 1),
    "vmap(jacfwd)": (lambda f, p, x: vmap(jacfwd(f), (0, None))(p[None], x), 1),
    "vmap(hessian)": (lambda f, p, x: vmap(hessian(f), (None, 0))(p, x[None]), 2),
}


@each_model
@pytest.mark.parametrize("name", TRANSFORMS)
def test_float32_stays_and_agrees_with_float64(model, name):
    transform, order = TRANSFORMS[name]
    p, x = model.params(2, F32), model.x(2, F32)
    single, double = transform(model, p, x), transform(model, p.double(), x.double())
    assert (single.dtype, double.dtype) == (F32, F64)
    scale = 4 * model.scale * model.frequency**order
    assert_close(single, double, n_gates=8 * model.n_gates, scale=scale)


@each_model
@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
def test_nothing_depends_on_the_default_dtype(model, dtype):
    p, x = model.params(3, dtype), model.x(3, dtype)
    usual = model(p, x), grad(model.function)(p, x), hessian(model.function)(p, x)
    before = torch.get_default_dtype()
    try:
        for default in (torch.float16, F32, F64):
            torch.set_default_dtype(default)
            again = model(p, x), grad(model.function)(p, x), hessian(model.function)(p, x)
            assert all(torch.equal(a, b) for a, b in zip(usual, again, strict=True))
    finally:
        torch.set_default_dtype(before)


@each_model
def test_backward_of_a_loss_in_float32(model):
    p = model.params(4, F32).requires_grad_()
    xs = model.x(4, F32, batch=(3,))
    loss = (vmap(model, (None, 0))(p, xs) - 0.5).square().mean()
    loss.backward()
    assert p.grad.dtype == F32
    expected = grad(lambda q: (vmap(model, (None, 0))(q, xs) - 0.5).square().mean())(p.detach())
    scale = 16 * model.scale**2 * model.frequency
    assert_close(p.grad, expected, n_gates=64 * model.n_gates, scale=scale)


@each_model
def test_forward_mode_of_autograd(model):
    p, x = model.params(5), model.x(5)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(p, torch.ones_like(p))
        tangent = forward_ad.unpack_dual(model(dual, x)).tangent
    expected = jvp(lambda q: model(q, x), (p,), (torch.ones_like(p),))[1]
    scale = 4 * model.scale * model.frequency
    assert_close(tangent, expected, n_gates=64 * model.n_gates, scale=scale)


@each_model
def test_backward_may_run_twice(model):
    p, x = model.params(6).requires_grad_(), model.x(6)
    value = model(p, x)
    first = torch.autograd.grad(value, p, retain_graph=True)[0]
    second = torch.autograd.grad(value, p)[0]
    assert torch.equal(first, second)


@each_model
def test_arguments_are_left_alone(model):
    p, x = model.params(7).requires_grad_(), model.x(7)
    before = p.detach().clone(), x.clone()
    model(p, x).backward()
    grad(model.function)(p, x)
    vmap(model, (None, 0))(p, x[None])
    assert torch.equal(p.detach(), before[0])
    assert torch.equal(x, before[1])


@each_model
def test_without_gradients_it_is_the_same(model):
    p, x = model.params(8).requires_grad_(), model.x(8)
    with torch.no_grad():
        value = model(p, x)
    assert not value.requires_grad
    with torch.inference_mode():
        inferred = model(p, x)
    bounds = {"n_gates": 8 * model.n_gates, "scale": 4 * model.scale}
    assert_close(value, model(p, x), **bounds)
    assert_close(inferred.clone(), model(p, x), **bounds)
    assert_close(grad(model.function)(p, x), grad(model.function)(p.detach(), x), **bounds)


class Module(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model
        self.p = torch.nn.Parameter(model.params(9))

    def forward(self, x):
        return self.model(self.p, x)


@each_model
def test_modules_and_functional_call(model):
    module, x = Module(model), model.x(9)
    module(x).backward()
    by_call = grad(lambda params: functional_call(module, params, x))(
        dict(module.named_parameters())
    )
    scale = 4 * model.scale * model.frequency
    assert_close(module.p.grad, by_call["p"], n_gates=64 * model.n_gates, scale=scale)


@pytest.mark.cuda
@each_model
@pytest.mark.parametrize("name", ["value", "vmap(grad)", "hessian"])
def test_cuda_agrees_with_the_cpu(model, name):
    transform, order = TRANSFORMS[name]
    p, x = model.params(10), model.x(10)
    got = transform(model, p.cuda(), x.cuda())
    assert got.device.type == "cuda"
    scale = 4 * model.scale * model.frequency**order
    assert_close(got.cpu(), transform(model, p, x), n_gates=64 * model.n_gates, scale=scale)


@pytest.mark.cuda
def test_default_state_is_made_where_the_angles_are():
    state = qf.circuit(2, qf.rx(torch.tensor(0.1, device="cuda"), 0), qf.h(1))()
    assert state.device.type == "cuda"
    assert qf.zero_state(2, device="cuda").device.type == "cuda"
