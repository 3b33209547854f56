"""The law of a gate's device, which needs no accelerator.

Torch's device `meta` has shapes and no values; it stands for any device that is not the CPU. Some
operations on it let a CPU tensor pass that CUDA would refuse, hence `_OneDevice`.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.func import jvp, vjp
from torch.overrides import TorchFunctionMode

from quilt_func._torch import tree_leaves
from quilt_func.circuits import circuit
from quilt_func.ops import Gate
from quilt_func.testing._gate_case import GATE_LAWS, GateCase
from quilt_func.testing._law import law, same

_MAY_MIX = {
    "to", "copy_", "expand_as", "view_as", "reshape_as", "type_as", "__getitem__",
    "__setitem__",
}  # fmt: skip
"""Calls that take tensors of two devices on CUDA, too."""
_TAKES_NO_NUMBERS = {"complex", "polar"}
"""Calls that refuse even a 0-d tensor of the CPU."""


class _OneDevice(TorchFunctionMode):
    """Calls may mix a device with numbers, also with 0-d tensors of the CPU, and with no more.

    Torch hides from it what an `autograd.Function` calls: there `meta` alone judges.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        del types
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        name, options = getattr(func, "__name__", str(func)), dict(kwargs or {})
        if name in {"tensor", "new_tensor"}:
            return _made(name, args, options)
        if name not in _MAY_MIX:
            is_exempt = (one.ndim == 0 and one.device.type == "cpu" for one in given)
            pairs = zip(given, is_exempt, strict=True)
            takes_numbers = name not in _TAKES_NO_NUMBERS
            devices = {one.device for one, exempt in pairs if not (exempt and takes_numbers)}
            if len(devices) > 1:
                same(sorted(map(str, devices)), "one", f"the list of devices in `{name}`")
        return func(*args, **options)


def _made(name: str, args: Any, options: dict[str, Any]) -> Tensor:
    """`torch.tensor(...)` or `like.new_tensor(...)`, which fail on `meta` below a transform.

    Made on the CPU and moved, which is where it may be used then.
    """
    if name == "new_tensor":
        like, *args = args
        options = {"dtype": like.dtype, "device": like.device, **options}
    place = options.pop("device", None) or "cpu"
    return torch.tensor(*args, **options).to(place)


@law(
    GATE_LAWS,
    statement="angles on a device give matrices, states, inverses and derivatives on it; checked "
    "on torch's `meta` device, and on CUDA where there is one.",
    cause="a constant made without `device=theta.device` (`torch.zeros_like(theta)` needs none), "
    "or a detour over the CPU or numpy.",
)
def device(gate: Gate, case: GateCase) -> None:
    """Nothing is made elsewhere."""
    for kind in ["meta", *(["cuda"] if torch.cuda.is_available() else [])]:
        state = case.state.to(kind)
        angles = tuple(angle.to(kind) for angle in case.angles)
        with _OneDevice():
            for what, tensors in _results(gate, case, state, angles):
                same({str(one.device) for one in tensors}, {str(state.device)}, f"{what}'s device")


def _results(
    gate: Gate, case: GateCase, state: Tensor, angles: tuple[Tensor, ...]
) -> Iterable[tuple[str, tuple[Tensor, ...]]]:
    """What a gate makes of angles and a state."""
    one = tuple(angle[0] for angle in angles)
    yield "the state", (circuit(case.n_qubits, gate(*one, *case.wires))(state),)
    if not angles:
        return
    value, pushed = jvp(gate.matrices, angles, tuple(map(torch.ones_like, angles)))[:2]
    yield "the matrices", (value,)
    yield "the tangent", (pushed,)
    yield "the gradients", vjp(gate.matrices, *angles)[1](torch.ones_like(value))
    if gate.inverse is not None:
        other, others = gate.inverse(*angles)
        yield "the inverse's angles", tuple(a for a in others if isinstance(a, Tensor)) or angles
        yield "the inverse", (other.matrices(*others),)
