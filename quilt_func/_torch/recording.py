"""Traces: what a function does to tensors, below all transforms, as a flat graph of operations."""

import operator
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.node import map_aggregate
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakIdKeyDictionary

Flat = Callable[..., list[Tensor]]
"""A function of tensors that lists tensors."""
Check = Callable[[fx.Node], None]
"""Raises an error where an operation, which has not run yet, must not be part of a trace."""
aten: Any = torch.ops.aten
C: Any = torch._C
KEYS = (C.DispatchKey.ZeroTensor, C.DispatchKey.Conjugate, C.DispatchKey.Negative)
"""What tensors may be without memory that says so: zero, conjugated, negated."""
_READERS = """item tolist numpy __array__ __float__ __int__ __index__ __bool__ __complex__ data_ptr
storage untyped_storage __dlpack__ __reduce_ex__ apply_ map_ map2_"""
READERS = {getattr(Tensor, name) for name in _READERS.split()}
READERS.add(Tensor.data.__set__)  # type: ignore[attr-defined]
"""Methods that look at memory, or exchange it, perhaps without calling an operation."""
MAKERS: set[Any] = {torch.tensor, torch.as_tensor, torch.asarray, Tensor.new_tensor}
"""What makes a tensor of lists, and takes the tensors in them for numbers."""
SPLITTERS: set[Any] = {torch.tensor_split, Tensor.tensor_split}
"""What takes another tensor for a list of numbers."""
PRINTERS: set[Any] = {Tensor.__repr__, Tensor.__str__, Tensor.__format__}


def trace_flat(
    fn: Flat, examples: Sequence[Tensor], check: Check, value_error: Callable[[str], Exception]
) -> tuple[fx.Graph, dict[str, Tensor]]:
    """Run a function of tensors, with all transforms in it, and note torch's operations.

    They run for real, so that the graph holds what an ordinary call does, in the same order. None
    can change an example, draw a random number or look at a value if `check` refuses it before.

    Args:
        fn: A function of tensors.
        examples: Its arguments.
        check: Called with each operation before it runs.
        value_error: Makes the error for what looks at memory without an operation, from its name.

    Returns:
        The graph, and the constants that its `get_attr` nodes name: tensors that the function
        closes over, themselves, and copies of those it makes of numbers.
    """
    with torch.inference_mode(False):
        recorder = _Recorder(check, value_error)
        given = [recorder.input(example) for example in examples]
        with _Guard(value_error), recorder:
            results = fn(*given)
        recorder.graph.output([recorder.node_of(result) for result in results])
    return recorder.graph, recorder.constants


class _Recorder(TorchDispatchMode):
    """Notes each operation as a node of a graph.

    It takes what the operations of all transforms have come down to: this mode lies below them.
    """

    def __init__(self, check: Check, value_error: Callable[[str], Exception]) -> None:
        super().__init__()
        self.graph, self.constants = fx.Graph(), dict[str, Tensor]()
        self._check, self._value_error = check, value_error
        self._nodes, self._outside = WeakIdKeyDictionary(), set[int]()

    def input(self, example: Tensor) -> Tensor:
        """A tensor that stands for an argument of the traced function."""
        own = example.clone()  # its memory is no tensor's of the closure
        self._set(own, self.graph.placeholder(f"input_{len(self._nodes)}"))
        return own

    def node_of(self, tensor: Tensor) -> fx.Node:
        """The node whose value a tensor is; a constant, if no operation has given it."""
        node: fx.Node | None = self._nodes.get(tensor)
        return self._constant(tensor, tensor) if node is None else node

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Note an operation, if it may be part of a trace, and run it."""
        if func is aten.lift_fresh.default:  # of numbers, or of a constant of the library
            return self._lifted(*args)
        given = map_aggregate((args, kwargs or {}), self._as_node)
        node = self.graph.call_function(func, *given)
        try:
            self._check(node)
            with _lazy(KEYS[0]), _lazy(KEYS[1]), _lazy(KEYS[2]):
                found = func(*args, **(kwargs or {}))
        except Exception:
            self.graph.erase_node(node)
            raise
        self._note(node, found)
        return found

    def _as_node(self, value: Any) -> Any:
        return self.node_of(value) if isinstance(value, Tensor) else value

    def _note(self, node: fx.Node, found: Any) -> None:
        if isinstance(found, Tensor):
            self._set(found, node)
        elif isinstance(found, list | tuple):
            node.meta["count"] = len(found)
            for i, part in enumerate(found):
                if isinstance(part, Tensor):
                    self._set(part, self.graph.call_function(operator.getitem, (node, i)))
                    node.meta["device"] = part.device

    def _lifted(self, tensor: Tensor) -> Tensor:
        """A tensor made of numbers, copied at each run, since the function may write to it."""
        source = self._nodes.get(tensor)
        if source is None or source.op == "call_function":
            source = self._constant(tensor, tensor.detach().clone())
        self._set(tensor, self.graph.call_function(aten.lift_fresh_copy.default, (source,)))
        return tensor

    def _constant(self, tensor: Tensor, value: Tensor) -> fx.Node:
        """A tensor from outside the trace, unless it came there from within."""
        place = _place(tensor)
        if place not in self._outside and any(_place(own) == place for own in self._nodes):
            raise self._value_error("memory that is shared without an operation")
        self._outside.add(place)
        name = f"constant_{len(self.constants)}"
        self.constants[name] = value
        return self._set(tensor, self.graph.create_node("get_attr", name))

    def _set(self, tensor: Tensor, node: fx.Node) -> fx.Node:
        node.meta.update(device=tensor.device, dtype=tensor.dtype)
        self._nodes[tensor] = node
        return node


def _lazy(key: Any) -> AbstractContextManager[None]:
    """Heed what a tensor is lazily within an operation, as outside of a mode's own code."""
    guard: AbstractContextManager[None] = C._SetExcludeDispatchKeyGuard(key, False)
    return guard


class _Guard(TorchFunctionMode):
    """Refuses to look at memory; what prints a tensor gives its kind and shape."""

    def __init__(self, value_error: Callable[[str], Exception]) -> None:
        super().__init__()
        self._value_error = value_error

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run what is no reader."""
        if func in READERS or _takes_for_numbers(func, (*args, *(kwargs or {}).values())):
            raise self._value_error(f"a call of `{func.__name__}`")
        if func is Tensor.__deepcopy__:
            return args[0].clone()
        if func in PRINTERS:
            return f"tensor(..., size={tuple(args[0].shape)}, dtype={args[0].dtype})"
        return func(*args, **(kwargs or {}))


def _place(tensor: Tensor) -> int:
    """Address of a tensor's memory, its own if it has none."""
    if tensor._is_zerotensor():
        return id(tensor)
    with C.DisableTorchFunction():
        return tensor.untyped_storage().data_ptr() or id(tensor)


def _takes_for_numbers(func: Any, given: Sequence[Any]) -> bool:
    """Tell whether a function is to take tensors for numbers, which no operation would show."""
    if func in MAKERS:
        lists = [value for value in given if isinstance(value, list | tuple)]
        return any(isinstance(leaf, Tensor) for leaf in pytree.tree_leaves(lists))
    return func in SPLITTERS and any(isinstance(value, Tensor) for value in given[1:])


def schema_of(node: fx.Node) -> Any:
    """Schema of the operation that a node calls; None for other nodes."""
    return getattr(node.target, "_schema", None)


def has_tag(node: fx.Node, tag: torch.Tag) -> bool:
    """Tell whether a node calls an operation with one of torch's tags."""
    return schema_of(node) is not None and tag in node.target.tags  # type: ignore[union-attr]


def with_plain_views(graph: fx.Graph) -> None:
    """Let operations that turn a tensor into a view of itself, or hide that they do, give views.

    What comes later in the trace refers to the new view anyway.
    """
    for node in graph.nodes:
        if has_tag(node, torch.Tag.inplace_view):
            packet = getattr(torch.ops.aten, node.target._opname.removesuffix("_"), None)
            node.target = getattr(packet, node.target._overloadname, node.target)
        if node.target is torch.ops.aten._unsafe_view.default:  # a view whose schema hides it
            node.target = torch.ops.aten.view.default
