"""Laws of the optimisers: torch.optim's numbers, transforms, schedules, clipping, bad calls."""

import math
from functools import partial, reduce

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.func import grad, hessian, jvp, vmap
from torch.utils import _pytree as pytree

from quilt_func.optim import (
    GradientTransformation,
    adam,
    adamw,
    apply_updates,
    chain,
    clip_by_global_norm,
    clip_by_value,
    constant_schedule,
    cosine_schedule,
    exponential_schedule,
    joined_schedule,
    linear_schedule,
    piecewise_schedule,
    power_schedule,
    rmsprop,
    scale,
    sgd,
    warmup_cosine_schedule,
)
from quilt_func.testing.tolerances import fd_tolerance, tolerance

DTYPES = [torch.float32, torch.float64]
N_STEPS = 25
ROUNDINGS = 32  # more than the roundings of one step of any optimiser here
TORCH = {
    "sgd": (sgd, torch.optim.SGD),
    "adam": (adam, torch.optim.Adam),
    "adamw": (adamw, torch.optim.AdamW),
    "rmsprop": (rmsprop, torch.optim.RMSprop),
}
CASES = [
    ("sgd", {}),
    ("sgd", {"momentum": 0.9}),
    ("sgd", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("adam", {}),
    ("adam", {"betas": (0.5, 0.8), "eps": 1e-3, "weight_decay": 0.1}),
    ("adam", {"betas": (0.0, 0.0), "eps": 1.0}),  # a tiny eps is chaotic sign descent
    ("adamw", {}),
    ("adamw", {"weight_decay": 0.3}),
    ("rmsprop", {}),
    ("rmsprop", {"alpha": 0.9, "eps": 1e-4, "weight_decay": 0.1, "momentum": 0.5}),
    ("rmsprop", {"centered": True, "momentum": 0.5}),
]
OPTIMISERS = {f"{name}-{i}": TORCH[name][0](0.05, **kw) for i, (name, kw) in enumerate(CASES)}
each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)
each_optimiser = pytest.mark.parametrize("opt", OPTIMISERS.values(), ids=OPTIMISERS)
numbers = st.floats(-100, 100, width=32)
vectors = st.lists(numbers, min_size=1, max_size=4).map(
    lambda xs: torch.tensor(xs, dtype=torch.float64)
)


def start(dtype):
    """Parameters of several shapes, away from the loss's stationary points."""
    return {
        "a": torch.tensor([1.0, -0.5, 2.0], dtype=dtype),
        "b": [torch.tensor(0.7, dtype=dtype), torch.tensor([[0.3], [-1.2]], dtype=dtype)],
    }


def loss(params):
    """A stiff quadratic bowl with a periodic, so nonconvex, term that couples the leaves."""
    a, (b, c) = params["a"], params["b"]
    weights = torch.arange(1, 4, dtype=a.dtype)
    return (weights * a.square()).sum() + (b * c).sum().cos() + c.square().sum() + b.square()


def run(opt, params, n_steps=N_STEPS, loss=loss):
    """Unrolled optimisation."""
    state = opt.init(params)
    for _ in range(n_steps):
        updates, state = opt.update(grad(loss)(params), state, params)
        params = apply_updates(params, updates)
    return params


def run_torch(make, params, n_steps=N_STEPS):
    """The same optimisation by torch.optim, in place on copies."""
    params = pytree.tree_map(lambda leaf: leaf.clone().requires_grad_(), params)
    opt = make(pytree.tree_leaves(params))
    for _ in range(n_steps):
        opt.zero_grad()
        loss(params).backward()
        opt.step()
    return pytree.tree_map(torch.Tensor.detach, params)


def assert_close(actual, expected, dtype, n_steps=N_STEPS, scale=4.0):
    """Trees agree to the rounding of `n_steps` steps on parameters of size `scale`."""
    atol = tolerance(dtype, ROUNDINGS * n_steps, scale)
    compare = partial(torch.testing.assert_close, rtol=0, atol=atol)
    leaves, structure = pytree.tree_flatten(actual)
    expected_leaves, expected_structure = pytree.tree_flatten(expected)
    assert structure == expected_structure
    for leaf, expected_leaf in zip(leaves, expected_leaves, strict=True):
        compare(leaf, expected_leaf)


def assert_same(actual, expected):
    """Trees agree bit for bit."""
    pytree.tree_map(partial(torch.testing.assert_close, rtol=0, atol=0), actual, expected)


def stack(trees):
    return pytree.tree_map(lambda *leaves: torch.stack(leaves), *trees)


def vector(tree):
    return torch.cat([leaf.reshape(-1) for leaf in pytree.tree_leaves(tree)])


def norm(tree):
    return vector(tree).norm()


# Equal to torch.optim


@each_dtype
@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
def test_equals_torch(name, options, dtype):
    ours, theirs = TORCH[name]
    expected = run_torch(partial(theirs, lr=0.05, **options), start(dtype))
    assert_close(run(ours(0.05, **options), start(dtype)), expected, dtype)


@each_dtype
@pytest.mark.parametrize("name", TORCH)
def test_defaults_are_torchs(name, dtype):
    ours, theirs = TORCH[name]
    assert_close(run(ours(), start(dtype)), run_torch(theirs, start(dtype)), dtype)


def test_first_step_is_accurate_in_float32():
    """1 - beta**step has no cancellation: a long-memory Adam starts right in float32."""
    opt = adam(1.0, betas=(1 - 1e-4, 1 - 1e-6), eps=0.0)
    g = torch.tensor([3.0, -0.1, 1e-5])
    updates, _ = opt.update(g, opt.init(g))
    torch.testing.assert_close(updates, -g.sign(), rtol=0, atol=tolerance(g.dtype, ROUNDINGS))


def reference_adam(lr, b1=0.9, b2=0.999, eps=1e-8, corrected=True, inside=False, squared=True):
    """Algorithm 1 of Kingma and Ba (2015) for one tensor; the flags plant mistakes."""

    def init(params):
        zero = params.new_zeros(())
        return zero, torch.zeros_like(params), torch.zeros_like(params)

    def update(grads, state, params=None):
        t, m, v = state
        t = t + 1
        m = b1 * m + (1 - b1) * grads
        v = b2 * v + (1 - b2) * (grads**2 if squared else grads.abs())
        m_hat, v_hat = (m / (1 - b1**t), v / (1 - b2**t)) if corrected else (m, v)
        root = (v_hat + eps).sqrt() if inside else v_hat.sqrt() + eps
        return -lr * m_hat / root, (t, m, v)

    return GradientTransformation(init, update)


def assert_is_adam(opt):
    """The law that the mutants must break: equal to torch's Adam on one tensor."""
    make = partial(torch.optim.Adam, lr=0.05)
    params = torch.tensor([1.0, -0.5, 2.0], dtype=torch.float64)

    def bowl(p):
        return p.square().sum() + p.cos().prod()

    theirs = params.clone().requires_grad_()
    torch_opt = make([theirs])
    for _ in range(N_STEPS):
        torch_opt.zero_grad()
        bowl(theirs).backward()
        torch_opt.step()
    assert_close(run(opt, params, loss=bowl), theirs.detach(), torch.float64)


@pytest.mark.parametrize("opt", [adam(0.05), reference_adam(0.05)], ids=["adam", "reference"])
def test_is_adam(opt):
    assert_is_adam(opt)


@pytest.mark.parametrize(
    "mutant",
    [
        reference_adam(0.05, corrected=False),
        reference_adam(0.05, inside=True),
        reference_adam(0.05, squared=False),
        reference_adam(0.05, b1=0.999, b2=0.9),
        reference_adam(0.05, eps=1e-7),
        reference_adam(-0.05),
        adamw(0.05),
        rmsprop(0.05),
    ],
    ids=["bias", "eps-inside", "no-square", "swapped", "eps", "sign", "adamw", "rmsprop"],
)
def test_mutants_are_not_adam(mutant):
    with pytest.raises(AssertionError, match="not close"):
        assert_is_adam(mutant)


# Pure functions on trees of tensors


@each_dtype
@each_optimiser
def test_keeps_structure_dtype_and_inputs(opt, dtype):
    params = start(dtype)
    grads, state = grad(loss)(params), opt.init(params)
    _, state = opt.update(grads, state, params)
    before = pytree.tree_map(torch.clone, (grads, state, params))
    updates, new_state = opt.update(grads, state, params)
    assert_same((grads, state, params), before)
    assert pytree.tree_structure(updates) == pytree.tree_structure(params)
    assert pytree.tree_structure(new_state) == pytree.tree_structure(state)
    for leaf in pytree.tree_leaves((updates, new_state)):
        assert isinstance(leaf, torch.Tensor)
        assert leaf.dtype == dtype


@each_optimiser
def test_default_dtype_changes_nothing(opt):
    opt = chain(opt, scale(0.5))
    expected = run(opt, start(torch.float32), 3)
    try:
        torch.set_default_dtype(torch.float64)
        actual = run(opt, start(torch.float32), 3)
    finally:
        torch.set_default_dtype(torch.float32)
    assert_same(actual, expected)


@each_optimiser
def test_keeps_the_device(opt):
    params = pytree.tree_map(lambda leaf: leaf.to("meta"), start(torch.float32))
    opt = chain(clip_by_global_norm(1.0), opt)
    updates, state = opt.update(params, opt.init(params), params)
    assert {leaf.device.type for leaf in pytree.tree_leaves((updates, state))} == {"meta"}


def test_key_order_does_not_matter():
    opt, params = adam(0.1), {"a": torch.tensor([1.0]), "b": torch.tensor([2.0])}
    grads = {"b": torch.tensor([-3.0]), "a": torch.tensor([0.5])}
    _, state = opt.update(grads, opt.init(params))
    updates, _ = opt.update(grads, state)
    expected, state = opt.update(dict(sorted(grads.items())), opt.init(params))
    expected, _ = opt.update(dict(sorted(grads.items())), state)
    assert_same([updates["a"], updates["b"]], [expected["a"], expected["b"]])
    assert_same(apply_updates(params, grads), {"a": torch.tensor([1.5]), "b": torch.tensor([-1.0])})


@given(vectors, st.integers(-20, 20))
def test_adam_ignores_the_gradients_scale(g, exponent):
    """With eps = 0, gradients times a power of 2 give the same updates, bit for bit."""
    opt = adam(0.1, eps=0.0)
    g = torch.where(g.abs() < 1, 1 - g, g)  # far from underflow
    _, state = opt.update(g, opt.init(g))
    _, scaled_state = opt.update(g * 2.0**exponent, opt.init(g))
    assert_same(opt.update(g * 2.0**exponent, scaled_state)[0], opt.update(g, state)[0])


# Transforms


@each_dtype
@each_optimiser
def test_vmap_over_an_ensemble_equals_the_loop(opt, dtype):
    opt = chain(clip_by_global_norm(3.0), opt)
    members = [pytree.tree_map(lambda leaf, k=k: leaf * (1 + k), start(dtype)) for k in range(3)]
    params = stack(members)
    state = vmap(opt.init)(params)
    for _ in range(5):
        updates, state = vmap(opt.update)(vmap(grad(loss))(params), state, params)
        params = apply_updates(params, updates)
    assert_close(params, stack([run(opt, member, 5) for member in members]), dtype, scale=16.0)
    assert_close(vmap(partial(run, opt, n_steps=5))(stack(members)), params, dtype, scale=16.0)


@each_dtype
@pytest.mark.parametrize("name", TORCH)
def test_vmap_over_learning_rates_equals_the_loop(name, dtype):
    rates = torch.tensor([0.0, 0.01, 0.1], dtype=dtype)
    make = TORCH[name][0]

    def train(rate):
        return run(make(rate), start(dtype), 5)

    expected = stack([run(make(float(rate)), start(dtype), 5) for rate in rates])
    assert_close(vmap(train)(rates), expected, dtype)
    assert_close(stack([train(rate) for rate in rates]), expected, dtype)


def smooth(params):
    """A loss of size 1 with derivatives of size 1."""
    return (params.cos() + params.square() / 4).sum()


def final_loss(make, rate, params):
    return smooth(run(make(rate), params, 4, smooth))


@pytest.mark.parametrize(
    "make",
    [
        sgd,
        partial(sgd, momentum=0.9, nesterov=True, weight_decay=0.1),
        partial(adam, weight_decay=0.1),
        adamw,
        partial(rmsprop, alpha=0.5, eps=1.0, momentum=0.5, centered=True),
        lambda rate: chain(clip_by_global_norm(0.5), sgd(rate)),
        lambda rate: adam(cosine_schedule(rate, 10)),
        lambda rate: adam(warmup_cosine_schedule(0.1, rate, 2, 8, rate / 4)),
        lambda rate: sgd(exponential_schedule(0.3, 2, rate)),
        lambda rate: sgd(constant_schedule(rate)),
    ],
)
def test_gradient_through_the_unrolled_run(make):
    dtype = torch.float64
    h = torch.finfo(dtype).eps ** (1 / 3)
    rate = torch.tensor(0.1, dtype=dtype)
    params = torch.tensor([1.0, -0.5], dtype=dtype)
    direction = torch.tensor([0.6, 0.8], dtype=dtype)

    def along(t):
        return final_loss(make, rate + t, params + t * direction)

    zero = torch.zeros((), dtype=dtype)
    slope = (along(zero + h) - along(zero - h)) / (2 * h)
    # four steps give derivatives of the third and fourth order in the hundreds
    close = partial(torch.testing.assert_close, rtol=0, atol=fd_tolerance(dtype, 100.0))
    close(grad(along)(zero), slope)
    close(jvp(along, (zero,), (torch.ones_like(zero),))[1], slope)
    close(vmap(grad(along))(zero.expand(2)), slope.expand(2))
    curvature = (grad(along)(zero + h) - grad(along)(zero - h)) / (2 * h)
    close(hessian(along)(zero), curvature)


@each_dtype
@each_optimiser
def test_derivatives_are_finite_where_gradients_vanish(opt, dtype):
    """A parameter may start where its gradient is 0 and the square root's slope infinite."""
    opt = chain(clip_by_global_norm(1.0), opt)
    params = torch.tensor([1.0, 0.0], dtype=dtype)

    def train(p):
        return run(opt, p, 3, lambda q: q.square().sum()).sum()

    assert grad(train)(params).isfinite().all()
    assert grad(train)(torch.zeros_like(params)).isfinite().all()
    assert hessian(train)(params).isfinite().all()
    assert vmap(grad(train))(torch.stack([params, 2 * params])).isfinite().all()


def test_plain_square_root_would_give_nan():
    params = torch.tensor([1.0, 0.0], dtype=torch.float64)

    def train(p):
        return run(reference_adam(0.05), p, 3, lambda q: q.square().sum()).sum()

    assert grad(train)(params).isnan().any()


def test_zero_gradients_stay_zero_without_eps():
    for opt in (adam(0.1, eps=0.0), rmsprop(0.1, eps=0.0), clip_by_global_norm(1.0)):
        g = torch.zeros(2)
        assert_same(opt.update(g, opt.init(g))[0].abs(), g)


# Composition


@each_optimiser
def test_chain_is_associative_with_identity(opt):
    parts = clip_by_value(0.5), opt, scale(0.5)
    flat, left = chain(*parts), chain(chain(*parts[:2]), chain(), parts[2])
    params = start(torch.float32)
    assert_same(run(left, params, 3), run(flat, params, 3))


def test_chain_applies_first_to_last():
    g = torch.tensor([-4.0, 1.0])
    clip, double = clip_by_value(2.0), scale(2.0)
    assert_same(chain(clip, double).update(g, ((), ()))[0], torch.tensor([-4.0, 2.0]))
    assert_same(chain(double, clip).update(g, ((), ()))[0], torch.tensor([-2.0, 2.0]))


@given(vectors, st.lists(numbers, max_size=4))
def test_scales_multiply(g, factors):
    updates, _ = chain(*map(scale, factors)).update(g, ((),) * len(factors))
    expected = g * math.prod(factors)
    atol = tolerance(g.dtype, 1 + len(factors), float(expected.abs().max()))
    torch.testing.assert_close(updates, expected, rtol=0, atol=atol)


@given(vectors, numbers)
def test_scale_by_a_tensor_equals_scale_by_a_number(g, factor):
    by_tensor = scale(torch.tensor(factor, dtype=g.dtype)).update(g, ())[0]
    assert_same(by_tensor, scale(factor).update(g, ())[0])


# Clipping


@given(vectors, vectors, st.floats(0, 100))
def test_clip_by_global_norm(a, b, max_norm):
    grads = {"a": a, "b": (b, b.sum())}
    clip = clip_by_global_norm(max_norm)
    clipped, _ = clip.update(grads, ())
    eps = tolerance(a.dtype, ROUNDINGS, max(1.0, float(norm(grads))))
    assert norm(clipped) <= max_norm + eps
    if norm(grads) + eps < max_norm:
        assert_same(clipped, grads)
    elif max_norm > 0 and norm(grads) > 0:
        expected = vector(grads) * min(1.0, max_norm / float(norm(grads)))
        torch.testing.assert_close(vector(clipped), expected, rtol=0, atol=eps)
    again, _ = clip.update(clipped, ())
    torch.testing.assert_close(vector(again), vector(clipped), rtol=0, atol=eps)


def test_clip_by_global_norm_equals_torch():
    grads = grad(loss)(start(torch.float64))
    leaves = [leaf.clone().requires_grad_() for leaf in pytree.tree_leaves(grads)]
    for leaf in leaves:
        leaf.grad = leaf.detach().clone()
    torch.nn.utils.clip_grad_norm_(leaves, 1.0)
    clipped, _ = clip_by_global_norm(1.0).update(grads, ())
    # torch divides by the norm plus 1e-6
    expected = vector([leaf.grad for leaf in leaves]) * (1 + 1e-6 / norm(grads))
    torch.testing.assert_close(
        vector(clipped), expected, rtol=0, atol=tolerance(torch.float64, ROUNDINGS)
    )


@given(vectors, st.floats(0, 100))
def test_clip_by_value(g, max_value):
    clip = clip_by_value(max_value)
    clipped, _ = clip.update(g, ())
    expected = [min(max(x, -max_value), max_value) for x in g.tolist()]
    assert clipped.tolist() == expected
    assert_same(clip.update(clipped, ())[0], clipped)


# Schedules

CLOSED_FORMS = {
    "constant": (constant_schedule(0.3), lambda t: 0.3),
    "exponential": (exponential_schedule(0.3, 5, 0.8), lambda t: 0.3 * 0.8 ** (t / 5)),
    "cosine": (
        cosine_schedule(0.3, 12, 0.1),
        lambda t: 0.03 + 0.27 * math.cos(math.pi / 2 * min(t, 12) / 12) ** 2,
    ),
    "warmup": (
        warmup_cosine_schedule(0.1, 0.5, 4, 12, 0.2),
        lambda t: (
            0.1 + 0.1 * t if t < 4 else 0.2 + 0.3 * math.cos(math.pi * (min(t, 12) - 4) / 16) ** 2
        ),
    ),
    "no-warmup": (
        warmup_cosine_schedule(0.1, 0.5, 0, 12),
        lambda t: 0.5 * math.cos(math.pi / 2 * min(t, 12) / 12) ** 2,
    ),
    "linear": (linear_schedule(0.1, 0.5, 8), lambda t: 0.1 + 0.4 * min(t / 8, 1)),
    "power": (power_schedule(0.3, 0.602, 5.0), lambda t: 0.3 / (t + 5) ** 0.602),
    "piecewise": (
        piecewise_schedule(0.4, {9: 0.1, 3: 0.5}),
        lambda t: 0.4 * (0.5 if t >= 3 else 1) * (0.1 if t >= 9 else 1),
    ),
    "joined": (
        joined_schedule([linear_schedule(0.0, 0.5, 4), exponential_schedule(0.5, 2, 0.5)], [4]),
        lambda t: 0.125 * t if t < 4 else 0.5 * 0.5 ** ((t - 4) / 2),
    ),
    "one joined": (joined_schedule([constant_schedule(0.2)], []), lambda t: 0.2),
}
each_schedule = pytest.mark.parametrize(
    ("schedule", "closed_form"), CLOSED_FORMS.values(), ids=CLOSED_FORMS
)


@each_dtype
@each_schedule
def test_schedule_closed_forms(schedule, closed_form, dtype):
    steps = torch.arange(20, dtype=dtype)
    expected = torch.tensor([closed_form(t) for t in range(20)], dtype=dtype)
    close = partial(torch.testing.assert_close, rtol=0, atol=tolerance(dtype, ROUNDINGS))
    close(schedule(steps), expected)
    close(vmap(schedule)(steps), expected)
    close(torch.stack([schedule(step) for step in steps]), expected)


@each_schedule
def test_schedule_sets_the_learning_rate(schedule, closed_form):
    opt, g = sgd(schedule), torch.ones(1, dtype=torch.float64)
    state = opt.init(g)
    for t in range(15):
        updates, state = opt.update(g, state)
        expected = -closed_form(t) * g
        torch.testing.assert_close(updates, expected, rtol=0, atol=tolerance(g.dtype, ROUNDINGS))


def test_schedule_may_return_a_number():
    opt = sgd(lambda step: 0.25)
    g = torch.ones(1)
    assert_same(opt.update(g, opt.init(g))[0], torch.tensor([-0.25]))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (
            exponential_schedule(0.05, 1, 0.9),
            partial(torch.optim.lr_scheduler.ExponentialLR, gamma=0.9),
        ),
        (
            cosine_schedule(0.05, N_STEPS),
            partial(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=N_STEPS),
        ),
        (
            linear_schedule(0.05 / 4, 0.05, 7),
            partial(torch.optim.lr_scheduler.LinearLR, start_factor=0.25, total_iters=7),
        ),
        (
            piecewise_schedule(0.05, {4: 0.5, 9: 0.5}),
            partial(torch.optim.lr_scheduler.MultiStepLR, milestones=[4, 9], gamma=0.5),
        ),
    ],
    ids=["exponential", "cosine", "linear", "piecewise"],
)
def test_schedules_equal_torchs(ours, theirs):
    dtype = torch.float64
    params = pytree.tree_map(lambda leaf: leaf.clone().requires_grad_(), start(dtype))
    opt = torch.optim.Adam(pytree.tree_leaves(params), lr=0.05)
    scheduler = theirs(opt)
    for _ in range(N_STEPS):
        opt.zero_grad()
        loss(params).backward()
        opt.step()
        scheduler.step()
    expected = pytree.tree_map(torch.Tensor.detach, params)
    assert_close(run(adam(ours), start(dtype)), expected, dtype)


@given(st.integers(0, 50), st.integers(1, 50), st.floats(0, 1), st.floats(1, 2))
def test_warmup_rises_then_falls(warmup_steps, n_falling, low, high):
    schedule = warmup_cosine_schedule(low, high, warmup_steps, warmup_steps + n_falling, low)
    values = schedule(torch.arange(110, dtype=torch.float64))
    slack = tolerance(values.dtype, ROUNDINGS, high)
    assert (values.diff()[:warmup_steps] >= -slack).all()
    assert (values.diff()[warmup_steps:] <= slack).all()
    assert abs(float(values[warmup_steps]) - high) <= slack
    assert abs(float(values[-1]) - low) <= slack
    assert values.min() >= low - slack


def test_schedule_without_warmup_has_a_gradient():
    def value(init_value):
        return warmup_cosine_schedule(init_value, 1.0, 0, 4)(torch.tensor(0.0))

    assert grad(value)(torch.tensor(0.5)) == 0


# Bad calls

X = torch.ones(2)
PARAMS = {"x": X}
STATE, FULL = adam().init(PARAMS), adamw().init(PARAMS)
BAD_CALLS = {
    "complex": (lambda: adam().init({"x": X + 0j}), TypeError, r"init\(params=.*view_as_real"),
    "int": (lambda: adam().init(torch.arange(2)), TypeError, "`params` must be float32 or float64"),
    "number": (lambda: sgd().init({"x": 1.0}), TypeError, "but got a float"),
    "half": (lambda: sgd().init(X.half()), TypeError, "but got float16"),
    "empty": (lambda: adam().init({}), ValueError, "must hold at least one tensor"),
    "mixed": (lambda: adam().init([X, X.double()]), TypeError, "one precision"),
    "no-grad": (lambda: adam().update({"x": None}, STATE), TypeError, "but got None"),
    "structure": (
        lambda: adam().update({"y": X}, STATE),
        ValueError,
        r"`state` must match the structure and shapes of `grads`, \{'y': \(2,\)\}",
    ),
    "nested": (lambda: adam().update({"x": [X, X]}, STATE), ValueError, "`state` must match"),
    "bare": (lambda: adam().update(X, STATE), ValueError, "`state` must match"),
    "ensemble": (lambda: adam().update({"x": torch.ones(5, 2)}, STATE), ValueError, "vmap `init`"),
    "precision": (lambda: adam().update({"x": X.double()}, STATE), TypeError, "never promoted"),
    "other-state": (lambda: sgd().update(PARAMS, STATE[:2]), TypeError, "tuple of 3 states"),
    "adam-in-rms": (
        lambda: rmsprop(momentum=0.1).update(PARAMS, (*STATE, ())),
        TypeError,
        r"update\(state=.*RecurrenceState with 1 averages",
    ),
    "tensor-state": (lambda: scale(1.0).update(X, X), TypeError, "but got a Tensor"),
    "devices": (lambda: scale(torch.tensor(1.0)).update(X.to("meta"), ()), TypeError, "one device"),
    "stateless": (lambda: scale(1.0).update(PARAMS, STATE), TypeError, "be the empty tuple"),
    "updates": (lambda: apply_updates(PARAMS, {}), ValueError, r"apply_updates\(updates=\{\}\)"),
    "updates-shape": (lambda: apply_updates(X, X[:1]), ValueError, "`updates` must match"),
    "updates-dtype": (lambda: apply_updates(X, X.double()), TypeError, "one precision"),
    "params": (
        lambda: adamw().update(PARAMS, FULL),
        TypeError,
        r"`update\(grads, state, params\)`",
    ),
    "params-shape": (lambda: adamw().update(PARAMS, FULL, X), ValueError, "`params` must match"),
    "chain": (lambda: chain(adam), TypeError, "Call the factory first"),
    "rate-kind": (lambda: adam("fast"), TypeError, r"adam\(learning_rate='fast'\)"),
    "rate-bool": (lambda: adam(True), TypeError, "but got a bool"),
    "rate-sign": (lambda: sgd(-0.1), ValueError, r"be finite and in \[0, inf\), but got -0.1"),
    "rate-shape": (lambda: rmsprop(X), ValueError, "Map a function of one value"),
    "rate-dtype": (lambda: adamw(torch.tensor(1)), TypeError, "but got int64"),
    "rate-precision": (
        lambda: run(sgd(torch.tensor(0.1).double()), X, loss=torch.sum),
        TypeError,
        "one precision",
    ),
    "schedule-kind": (lambda: run(sgd(lambda t: "0.1"), X, loss=torch.sum), TypeError, "a str"),
    "betas": (lambda: adam(betas=0.9), TypeError, "be a pair of numbers"),
    "beta": (lambda: adamw(betas=(0.9, 1.0)), ValueError, r"adamw\(betas=1.0\).*\[0, 1\)"),
    "eps": (lambda: adam(eps=-1e-8), ValueError, r"adam\(eps=-1e-08\)"),
    "alpha": (lambda: rmsprop(alpha=1), ValueError, r"rmsprop\(alpha=1\)"),
    "momentum": (lambda: sgd(momentum=X), TypeError, r"sgd\(momentum=Tensor"),
    "nan": (lambda: rmsprop(momentum=math.nan), ValueError, "but got nan"),
    "decay": (lambda: sgd(weight_decay=-1), ValueError, r"sgd\(weight_decay=-1\)"),
    "nesterov": (lambda: sgd(nesterov=True), ValueError, "be used with momentum"),
    "max_norm": (lambda: clip_by_global_norm(-1.0), ValueError, r"clip_by_global_norm\(max_norm"),
    "max_value": (lambda: clip_by_value(None), TypeError, r"clip_by_value\(max_value=None\)"),
    "factor": (lambda: scale(1j), TypeError, r"scale\(factor=1j\)"),
    "factor-complex": (lambda: scale(torch.tensor(1j)), TypeError, "complex64"),
    "step": (lambda: cosine_schedule(1.0, 5)(3), TypeError, r"cosine_schedule\(...\)\(step=3\)"),
    "step-int": (lambda: constant_schedule(1.0)(torch.tensor(3)), TypeError, "but got int64"),
    "decay_steps": (lambda: cosine_schedule(1.0, 0), ValueError, "be at least 1"),
    "float-steps": (lambda: exponential_schedule(1.0, 1.5, 0.5), TypeError, "be an int"),
    "warmup": (lambda: warmup_cosine_schedule(0.0, 1.0, 5, 5), ValueError, "be at least 6"),
}


@pytest.mark.parametrize(("call", "kind", "text"), BAD_CALLS.values(), ids=BAD_CALLS)
def test_bad_calls(call, kind, text):
    with pytest.raises(kind, match=text) as caught:
        call()
    assert ", but got " in str(caught.value)


def test_mistakes_are_found_under_transforms():
    with pytest.raises(ValueError, match="`state` must match"):
        vmap(lambda g: adam().update(g, adam().init(torch.ones(3)))[0])(torch.ones(5, 2))
    with pytest.raises(ValueError, match="a 0-d tensor"):
        grad(lambda rates: run(sgd(rates), X, 1).sum())(X)


def test_reduce_of_chains_equals_one_chain():
    parts = [scale(0.5)] * 3
    nested = reduce(chain, parts)
    assert_same(run(nested, X, 2, torch.sum), run(chain(*parts), X, 2, torch.sum))
