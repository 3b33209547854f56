"""Wrong derivatives and wrong rules: every law of the transform contract kills one."""

import pytest
import torch
from torch.utils._python_dispatch import _get_current_dispatch_mode

from quilt_func._torch.levels import batch_levels
from quilt_func.testing import LawError
from quilt_func.testing.transforms import TRANSFORM_LAWS, transform_laws, transform_table

X = torch.tensor([0.3, -0.8, 1.1], dtype=torch.float64)


def sine(name, *, slope=1.0, push=1.0, mapped=1.0, is_mixed=False, is_constant=False):
    """A sine by hand, right but for what is given."""

    class Sine(torch.autograd.Function):
        @staticmethod
        def forward(x):
            return x.sin()

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)
            ctx.save_for_forward(*inputs)

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return slope * grad * (x.detach() if is_constant else x).cos()

        @staticmethod
        def jvp(ctx, tangent):
            (x,) = ctx.saved_tensors
            return push * (mapped if batch_levels(x) else 1.0) * tangent * x.cos()

        @staticmethod
        def vmap(info, in_dims, x):
            x = x.movedim(in_dims[0], 0)
            return Sine.apply(x.flip(0) if is_mixed else x), 0

    Sine.__name__ = name
    return lambda x: Sine.apply(x) * x


def reading(x):
    return x * x.sum().item() if not x.requires_grad else x


def in_double(x):
    return x.double().sin()


def another_when_traced(x):
    return (1 if _get_current_dispatch_mode() is None else 2) * x.sin()


MUTANTS = {
    "sign of the gradient": (sine("Sign", slope=-1.0), {"grad", "vjp", "jacrev"}),
    "factor 2 in the gradient": (sine("Two", slope=2.0), {"grad", "vjp", "jacrev"}),
    "sign of the tangent": (sine("Push", push=-1.0), {"jvp", "jacfwd"}),
    "gradient without a gradient": (sine("Flat", is_constant=True), {"hessian", "jvp(grad)"}),
    "rules right at first order": (sine("Right"), {"jacfwd(jacfwd)"}),
    "rule for vmap that mixes samples": (
        sine("Mixed", is_mixed=True),
        {"vmap", "vmap(grad)", "grad(vmap)", "vmap(vmap(grad))"},
    ),
    "tangent of what is mapped": (sine("Mapped", mapped=2.0), {"vmap(hessian)"}),
    "values read": (reading, {"vmap"}),
    "float64 leak": (in_double, {"dtype"}),
    "another function when it is traced": (
        another_when_traced,
        {"jit", "backward through jit", "jit(vmap(grad))", "jit(hessian)"},
    ),
}
CASES = [(name, law) for name, (_, laws) in MUTANTS.items() for law in sorted(laws)]


@pytest.mark.parametrize(("name", "law"), CASES)
def test_mutants_die(name, law):
    with pytest.raises(LawError, match=rf"law `{law.replace('(', '.').replace(')', '.')}` fails"):
        transform_laws(MUTANTS[name][0], (X,), only=[law])()


def test_every_law_kills_a_mutant():
    assert set().union(*(laws for _, laws in MUTANTS.values())) == set(TRANSFORM_LAWS)


def test_the_unharmed_lives():
    table = transform_table(lambda x: x.sin() * x, (X,))
    assert set(table.values()) == {"holds"}
    assert str(table).splitlines()[0].split() == ["vmap", "holds"]
    transform_laws(lambda tree: tree["a"] * tree["z"], ({"a": X, "z": X.to(torch.complex128)},))()


def test_an_error_without_a_remedy_fails():
    def refusing(x):
        if x.dtype == torch.float32:
            raise TypeError("no")
        return x

    with pytest.raises(LawError, match=r"law `dtype` fails for .*: TypeError: no"):
        transform_laws(refusing, (X,))()


@pytest.mark.parametrize(
    ("kind", "match", "call"),
    [
        (TypeError, r"\(fn=1\): `fn` must be a function", lambda: transform_table(1, (X,))),
        (TypeError, r"`args` must be a tuple", lambda: transform_table(torch.sin, X)),
        (ValueError, r"no laws \['x'\]", lambda: transform_table(torch.sin, (X,), only=["x"])),
    ],
)
def test_bad_arguments(kind, match, call):
    with pytest.raises(kind, match=match):
        call()


def test_real_and_complex_results_in_any_order():
    """An odd number of reals in front of complex numbers, whose gradients are views."""
    transform_laws(
        lambda x: (x[:1], torch.complex(x, x.sin()), x.sum()), (X,), only=["grad", "vjp"]
    )()
