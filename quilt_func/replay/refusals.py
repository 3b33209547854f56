"""What a function must not do to be replayed, with what to do instead."""

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx

from quilt_func._checks import a_kind
from quilt_func._torch import has_tag, schema_of
from quilt_func.replay.arguments import TENSOR
from quilt_func.replay.draft import written_arguments

PLAIN = (type(None), bool, int, float, complex, str, bytes, torch.dtype, torch.device)
"""What may stand among results beside tensors; it is the same at each call."""
aten: Any = torch.ops.aten


class RefusedError(Exception):
    """What ends a trace; no `TypeError`, which `x += 1` takes for a hint to try `x = x + 1`."""


class Refusals:
    """Checks of one function while it is traced: each operation before it runs.

    So nothing is drawn, and no argument is changed, when a function is refused.

    Attributes:
        error: What was refused, also where the function has caught the error.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._given: set[fx.Node] = set()
        self.error: RefusedError | None = None

    def check(self, node: fx.Node) -> None:
        """Refuse an operation whose result depends on more than its inputs, or that changes one."""
        if has_tag(node, torch.Tag.nondeterministic_seeded):
            raise self._error(
                "not draw random numbers", f"a call of `{node.target}`",
                "Uniforms are arguments: draw them outside, with `uniforms(shape, seed)`.",
            )  # fmt: skip
        if has_tag(node, torch.Tag.data_dependent_output):
            raise self.value_error(f"a call of `{node.target}`")
        if _has_shape_of_values(node):
            raise self._error(
                "give tensors whose shapes depend on shapes alone",
                f"a call of `{node.target}`, whose result's shape depends on values",
                "Use `torch.where` or a mask of weights instead of picking entries.",
            )  # fmt: skip
        self._check_writes(node)

    def value_error(self, look: str) -> RefusedError:
        """The error for a look at values."""
        return self._error(
            "not look at values of tensors", f"{look}, as for `float(x)` or `if x`",
            "Use `torch.where` for a choice, or make the value a static argument.",
        )  # fmt: skip

    def check_constants(self, constants: Mapping[str, Tensor]) -> None:
        """Refuse tensors of the closure whose gradient would be lost."""
        if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in constants.values()):
            raise self._error(
                "not close over tensors that require grad", "one that does",
                "Make it an argument, so that its gradient is known.",
            )  # fmt: skip

    def _check_writes(self, node: fx.Node) -> None:
        """Refuse to change an argument, or a tensor of the closure, in place."""
        if any(map(self._is_given, written_arguments(node))):
            raise self._error(
                "not change its arguments, or tensors of its closure, in place",
                f"a call of `{node.target}`", "Return the new value, or change a clone.",
            )  # fmt: skip
        is_view = any(result.alias_info for result in schema_of(node).returns)
        if is_view and any(map(self._is_given, node.all_input_nodes)):
            self._given.add(node)

    def _is_given(self, node: fx.Node) -> bool:
        """Tell whether a node may show an argument, or a tensor of the closure."""
        called = node.all_input_nodes[0] if node.target is operator.getitem else node
        return called.op != "call_function" or called in self._given

    def _error(self, need: str, got: str, remedy: str) -> RefusedError:
        self.error = RefusedError(_refusal(self._name, need, got, remedy))
        return self.error


def check_leaves(name: str, leaves: Sequence[Any]) -> None:
    """Refuse results that a replay could not make anew."""
    for leaf in leaves:
        if leaf is not TENSOR and not isinstance(leaf, PLAIN):
            need = "return a pytree of tensors, numbers and strings"
            remedy = "Return its tensors, or register its class as a pytree node."
            raise TypeError(_refusal(name, need, a_kind(leaf), remedy))


def _refusal(name: str, need: str, got: str, remedy: str) -> str:
    return f"jit(fn={name}): `fn` must {need}, but got {got}. {remedy}"


def _has_shape_of_values(node: fx.Node) -> bool:
    if not has_tag(node, torch.Tag.dynamic_output_shape):
        return False
    if node.target is not aten.index.Tensor:
        return node.kwargs.get("output_size") is None
    masks = (torch.bool, torch.uint8)
    return any(source.meta["dtype"] in masks for source in node.all_input_nodes[1:])
