"""Straight-line Python: one call of torch a line, and each tensor freed after its last use."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.node import map_arg

from quilt_func.replay.draft import Draft, uses_of_last


def fits(_: Draft) -> bool:
    """Every draft."""
    return True


def build(draft: Draft, _: Sequence[Tensor]) -> Callable[[Sequence[Tensor]], list[Tensor]]:
    """Write a draft as a Python function."""
    names = {node: f"v{i}" for i, node in enumerate(draft.graph.nodes)}
    known: dict[str, Any] = {}
    lines = list(_lines(draft, names, known))
    inputs = "".join(f"{names[n]}, " for n in draft.graph.nodes if n.op == "placeholder")
    source = "\n    ".join(
        ["def replayed(tensors):", *([f"{inputs}= tensors"] * bool(inputs)), *lines]
    )
    exec(source, known)  # the source is ours, from operations of torch's alone
    replayed = known["replayed"]

    def run(tensors: Sequence[Tensor]) -> list[Tensor]:
        with torch.no_grad():
            found: list[Tensor] = replayed(tensors)
            return found

    return run


def _lines(draft: Draft, names: dict[fx.Node, str], known: dict[str, Any]) -> Iterator[str]:
    """Lines of the function's body; what they refer to is added to `known`."""
    last_uses = uses_of_last(draft.graph)
    for node in draft.graph.nodes:
        if node.op == "get_attr":
            known[names[node]] = draft.constants[node.target]
        elif node.op == "output":
            yield f"return [{', '.join(names[result] for result in node.args[0])}]"
        elif node.op == "call_function":
            known[f"f_{names[node]}"] = node.target
            yield f"{names[node]} = f_{names[node]}({_call(node, names, known)})"
        done = [names[n] for n in last_uses[node] if n.op == "call_function"]
        if done and node.op == "call_function":
            yield f"del {', '.join(done)}"


def _call(node: fx.Node, names: dict[fx.Node, str], known: dict[str, Any]) -> str:
    """Arguments of a call: names of tensors, and of all else that `known` holds for it."""
    args, kwargs = map_arg((node.args, node.kwargs), lambda n: _Name(names[n]))
    parts = []
    for i, (prefix, value) in enumerate(
        [*(("", arg) for arg in args), *((f"{name}=", value) for name, value in kwargs.items())]
    ):
        parts.append(prefix + _spelled(value, f"c_{names[node]}_{i}", known))
    return ", ".join(parts)


class _Name(str):
    """A name in the source."""

    __slots__ = ()


def _spelled(value: Any, name: str, known: dict[str, Any]) -> str:
    if isinstance(value, _Name):
        return value
    if isinstance(value, list | tuple) and any(isinstance(part, _Name) for part in value):
        parts = [_spelled(part, f"{name}_{i}", known) for i, part in enumerate(value)]
        return f"[{', '.join(parts)}]"
    known[name] = value
    return name
