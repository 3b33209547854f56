"""Torch without some of its private names: what is fast or convenient goes, what is right stays."""

import subprocess
import sys

import pytest

CODE = """if True:
    import torch
    kept = {place}.{name}
    del {place}.{name}
    import quilt_func as qf
    from quilt_func._torch import primitive
    {place}.{name} = kept  # torch itself needs it

    def energy(x):
        return qf.expval(qf.circuit(6, qf.ry(x, range(6)))(), qf.pauli_sum({{"ZIIIII": 1.0}}))

    x = torch.linspace(0.1, 0.6, 6)
    error = torch.func.vmap(torch.func.grad(energy))(x[None])[0, 0] + x[0].sin()
    print(primitive.route.__module__, bool(error.abs() < 1e-6))
"""


@pytest.mark.parametrize(
    ("place", "name", "route"),
    [
        ("torch._C._functorch", "CVmapInterpreterPtr", "public_functions"),
        ("torch.autograd.function", "_SingleLevelFunction", "public_functions"),
        ("torch._C._dynamo.eval_frame", "_FrameExecStrategy", "fast_functions"),
        ("torch._C._dynamo", "eval_frame", "fast_functions"),
    ],
)
def test_a_missing_name_is_done_without(place, name, route):
    command = [sys.executable, "-c", CODE.format(place=place, name=name)]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert found.split() == [f"quilt_func._torch.{route}", "True"]
