"""Flat graphs of torch's own operations, run in C++."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx

from quilt_func._torch.levels import is_forward_mode
from quilt_func._torch.recording import Flat, schema_of

C: Any = torch._C


def is_within_mode() -> bool:
    """Tell whether operations do more than compute: a mode, autocast, or torch's forward mode."""
    return bool(
        C._len_torch_dispatch_stack()
        or C._len_torch_function_stack()
        or C._is_any_autocast_enabled()
        or is_forward_mode()
        or torch.compiler.is_compiling()
    )


def is_noted() -> bool:
    """Tell whether operations are noted or faked, by a dispatch mode such as a trace's."""
    return bool(C._len_torch_dispatch_stack())


def settings() -> tuple[bool, torch.dtype]:
    """Torch's settings that a trace depends on: whether gradients are on, and the default dtype.

    The library heeds no default dtype; a function that a user wrote may.
    """
    return torch.is_grad_enabled(), torch.get_default_dtype()


def compile_in_cpp(graph: fx.Graph, constants: dict[str, Tensor]) -> Flat:
    """A function that runs a graph in torch's C++ interpreter, without any lock of Python's.

    Raises:
        AttributeError: If this torch has no such interpreter any more.
        RuntimeError: If the interpreter does not know an operation.
    """
    built = _CppGraph(graph, constants)
    run, fixed, checks, count = built.function, built.fixed, built.checks, built.n_results

    def checked(*tensors: Tensor) -> list[Tensor]:
        found = run(*tensors, *fixed)
        for place, check in enumerate(checks, start=count):
            check(found[place])
        return list(found[:count])

    return checked


class _CppGraph:
    """A graph in the interpreter's own form, each argument of each operation spelled out.

    The interpreter drops what gives no result, such as the check that a matrix was not singular.
    So the tensor that is checked becomes a result, and the check comes after the run.
    """

    def __init__(self, graph: fx.Graph, constants: dict[str, Tensor]) -> None:
        self.graph, self.values = C.Graph(), dict[fx.Node, Any]()
        by_op: dict[str, list[fx.Node]] = {}
        for node in graph.nodes:
            by_op.setdefault(node.op, []).append(node)
        inputs, attributes = by_op.get("placeholder", []), by_op.get("get_attr", [])
        self.fixed = [constants[str(node.target)] for node in attributes]
        for node in inputs + attributes:
            self.values[node] = self.graph.addInput(node.name)
        called = by_op.get("call_function", [])
        idle = [node for node in called if _is_check(node)]
        for node in called:
            if node not in idle:
                self.values[node] = self._called(node)
        output: Any = by_op["output"][0].args[0]
        self.n_results, self.checks = len(output), [_check_of(node) for node in idle]
        results = [self.values[result] for result in (*output, *(node.args[0] for node in idle))]
        kinds = C.TupleType([C.TensorType.get()] * len(results))
        self.graph.registerOutput(self._insert("prim::TupleConstruct", results, [kinds])[0])
        self.function = C._create_function_from_graph("replay", self.graph)

    def _insert(self, name: str, arguments: list[Any], kinds: Sequence[Any]) -> list[Any]:
        node = self.graph.insertNode(self.graph.create(name, arguments, len(kinds)))
        found = list(node.outputs())
        for value, kind in zip(found, kinds, strict=True):
            value.setType(kind)
        return found

    def _called(self, node: fx.Node) -> Any:
        if not isinstance(node.target, torch._ops.OpOverload):
            return self.values[node.args[0]][node.args[1]]  # type: ignore[index]
        schema = node.target._schema
        arguments = [
            self._value(
                node.args[i]
                if i < len(node.args)
                else node.kwargs.get(argument.name, argument.default_value),
                argument.type,
            )
            for i, argument in enumerate(schema.arguments)
        ]
        name = _UNBATCHED.get(schema.name, schema.name)
        found = self._insert(name, arguments, [result.type for result in schema.returns])
        if len(found) != 1:
            return found
        if found[0].type().kind() != "ListType":
            return found[0]
        return self._insert("prim::ListUnpack", found, [C.TensorType.get()] * node.meta["count"])

    def _value(self, given: Any, kind: Any) -> Any:
        if isinstance(given, fx.Node):
            return self.values[given]
        if given is None:
            return self.graph.insertConstant(None)
        if kind.kind() == "OptionalType":
            return self._value(given, kind.getElementType())
        is_list = kind.kind() == "ListType"
        if is_list and (kind.getElementType().kind() != "IntType" or not given):
            parts = [self._value(part, kind.getElementType()) for part in given]
            return self._insert("prim::ListConstruct", parts, [kind])[0]
        return self.graph.insertConstant(_as_number(given, kind.kind()))


def _is_check(node: fx.Node) -> bool:
    schema = schema_of(node)
    return schema is not None and not schema.returns


def _check_of(node: fx.Node) -> Callable[[Tensor], None]:
    target: Any = node.target
    return lambda tensor: target(tensor, *node.args[1:], **node.kwargs)


def _as_number(given: Any, kind: str) -> Any:
    """Numbers, and torch's enumerations by their numbers in C++."""
    if isinstance(given, torch.dtype):
        return _DTYPES[given]
    if isinstance(given, torch.memory_format | torch.layout):
        return _FORMATS[given]
    if kind == "ListType":
        return list(given)
    return float(given) if kind == "FloatType" else given


_DTYPES = {
    torch.uint8: 0, torch.int8: 1, torch.int16: 2, torch.int32: 3, torch.int64: 4,
    torch.float16: 5, torch.float32: 6, torch.float64: 7, torch.complex32: 8, torch.complex64: 9,
    torch.complex128: 10, torch.bool: 11, torch.bfloat16: 15,
}  # fmt: skip
_UNBATCHED = {"aten::mm": "aten::matmul"}
"""The interpreter joins many `mm` of one factor, and their results then lie otherwise in memory.

Views are taken by strides, from memory as the trace found it.
"""
_FORMATS: dict[Any, int] = {
    torch.strided: 0,
    torch.contiguous_format: 0,
    torch.preserve_format: 1,
    torch.channels_last: 2,
    torch.channels_last_3d: 3,
}
