"""A trace that is being made shorter, and what is known of each of its tensors."""

import operator
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx
from torch.fx.node import map_arg

from quilt_func._torch import is_alias, schema_of, tree_leaves


class View(NamedTuple):
    """What a tensor of the graph shows of the memory that a node allocated.

    Attributes:
        base: The node that allocated the memory, an input, or a constant.
        layout: Dtype, shape, strides, offset from `first`, whether conjugated and negated lazily.
        first: Offset of the base in its storage, not zero where an input is a part of a tensor.
    """

    base: fx.Node
    layout: tuple[Any, ...]
    first: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the tensor."""
        return tuple(self.layout[1])

    @property
    def numel(self) -> int:
        """Number of entries."""
        return torch.Size(self.shape).numel()


@dataclass
class Draft:
    """A graph, its constants, and the view that each node is.

    Attributes:
        graph: Operations in order.
        constants: Tensors that `get_attr` nodes name.
        views: What nodes show; a tuple of views, with None for what is no tensor, where a node
            gives several tensors.
        written: Nodes whose memory some operation changes after it was made.
    """

    graph: fx.Graph
    constants: dict[str, Tensor]
    views: dict[fx.Node, Any] = field(default_factory=dict)
    written: set[fx.Node] = field(default_factory=set)

    def is_pure(self, node: fx.Node) -> bool:
        """Tell whether a node only reads memory that nothing writes to, and makes such memory."""
        if node.op != "call_function" or is_writing(node):
            return False
        nodes = (node, *node.all_input_nodes)
        return not any(view.base in self.written for n in nodes for view in self.views_of(n))

    def views_of(self, node: fx.Node) -> Sequence[View]:
        """The views that a node is or gives."""
        found = self.views.get(node)
        return (found,) if isinstance(found, View) else [view for view in found or () if view]

    def device_of(self, node: fx.Node) -> torch.device:
        """Where a tensor lies."""
        found: torch.device = node.meta["device"]
        return found

    def is_contiguous(self, node: fx.Node) -> bool:
        """Tell whether a tensor's entries lie in order, as numbers that are not conjugated."""
        dtype, shape, strides, _, *lazy = self.views[node].layout
        dense = torch.empty(shape, dtype=dtype, device="meta").stride()
        is_dense = all(s == d for s, d, size in zip(strides, dense, shape, strict=True) if size > 1)
        return is_dense and not any(lazy)

    def empty_like(self, node: fx.Node) -> Tensor:
        """A tensor of a node's dtype and layout."""
        dtype, shape, strides, *_ = self.views[node].layout
        return torch.empty_strided(shape, strides, dtype=dtype, device=self.device_of(node))

    def constant(self, before: fx.Node, value: Tensor) -> fx.Node:
        """Add a constant in front of a node."""
        name = f"constant_{len(self.constants)}"
        while name in self.constants:
            name += "_"
        self.constants[name] = value
        with self.graph.inserting_before(before):
            made = self.graph.create_node("get_attr", name)
        made.meta["device"] = value.device
        self.views[made] = whole(made, value)
        return made

    def call(
        self, before: fx.Node, target: Any, args: tuple[Any, ...], shape: Sequence[int]
    ) -> fx.Node:
        """Add an operation whose result is contiguous, and of its first argument's dtype."""
        with self.graph.inserting_before(before):
            made = self.graph.call_function(target, args)
        made.meta["device"] = self.device_of(args[0])
        dtype = self.views[args[0]].layout[0]
        self.views[made] = whole(made, torch.empty(shape, dtype=dtype, device="meta"))
        return made

    def view(self, before: fx.Node, source: fx.Node, shape: Sequence[int]) -> fx.Node:
        """Add a view of a contiguous tensor in another shape in front of a node."""
        made = self.call(before, torch.ops.aten.view.default, (source, list(shape)), shape)
        own, given = self.views[made].layout, self.views[source]
        self.views[made] = View(given.base, (*own[:3], *given.layout[3:]), given.first)
        return made

    def devices(self, *ops: str) -> set[str]:
        """Names of the devices of all tensors, or of those that some kinds of nodes give."""
        return {
            str(node.meta["device"])
            for node in self.graph.nodes
            if node.op in (ops or ("placeholder", "get_attr", "call_function"))
            and "device" in node.meta
        }

    def erase(self, node: fx.Node) -> None:
        """Drop a node that no other needs."""
        self.graph.erase_node(node)
        self.views.pop(node, None)

    def replace(self, node: fx.Node, other: fx.Node) -> None:
        """Let another node of equal values and layout stand for one, and for what it shows."""
        for old, new in zip(self.views_of(node), self.views_of(other), strict=True):
            if old.base is not new.base:
                for viewer in self._viewers(node, old.base):
                    self.views[viewer] = _rebased(self.views[viewer], old, new)
        node.replace_all_uses_with(other)
        self.erase(node)

    def viewers(self) -> dict[fx.Node, set[fx.Node]]:
        """For each node that owns memory, all nodes that show it."""
        found: dict[fx.Node, set[fx.Node]] = {}
        for node in self.graph.nodes:
            for view in self.views_of(node):
                found.setdefault(view.base, set()).add(node)
        return found

    def _viewers(self, node: fx.Node, base: fx.Node) -> set[fx.Node]:
        """Nodes that show the memory of a base since they are views of a node."""
        found: set[fx.Node] = set()
        pending = list(node.users)
        while pending:
            user = pending.pop()
            if user not in found and any(view.base is base for view in self.views_of(user)):
                found.add(user)
                pending += user.users
        return found

    def part(
        self, inputs: Sequence[fx.Node], nodes: Sequence[fx.Node], results: Sequence[fx.Node]
    ) -> "Draft":
        """A draft of some of the nodes, from others as its inputs."""
        graph, new = fx.Graph(), dict[fx.Node, fx.Node]()
        for node in inputs:
            new[node] = graph.placeholder(node.name)
            new[node].meta.update(node.meta)
        constants = [node for node in self.graph.nodes if node.op == "get_attr"]
        for node in (*constants, *nodes):
            if node.op in ("get_attr", "call_function"):
                new[node] = graph.node_copy(node, new.__getitem__)
        graph.output(tuple(new[result] for result in results))
        draft = Draft(graph, self.constants)
        for node, copied in new.items():
            draft.views[copied] = _mapped(self.views[node], new, copied)
        draft.written = {new[node] for node in self.written if node in new}
        return draft


def _mapped(found: Any, new: dict[fx.Node, fx.Node], node: fx.Node) -> Any:
    """Views of nodes of another graph; memory that no node there owns is that of the node."""
    if isinstance(found, View):
        return found._replace(base=new.get(found.base, node))
    return found and tuple(_mapped(view, new, node) for view in found)


def _rebased(found: Any, old: View, new: View) -> Any:
    """Views of one memory as views of another, in which an equal tensor lies elsewhere."""
    if isinstance(found, tuple) and not isinstance(found, View):
        return tuple(_rebased(view, old, new) for view in found)
    if found is None or found.base is not old.base:
        return found
    offset = found.layout[3] - old.layout[3] + new.layout[3]
    return View(new.base, (*found.layout[:3], offset, *found.layout[4:]), new.first)


def is_writing(node: fx.Node) -> bool:
    """Tell whether a node changes one of its arguments."""
    schema = schema_of(node)
    return schema is not None and schema.is_mutable


def is_needed(node: fx.Node) -> bool:
    """Tell whether a node does more than to give results: writes, checks, or is an input."""
    schema = schema_of(node)
    is_idle = node.op == "get_attr" or node.target is operator.getitem
    return not is_idle and (schema is None or schema.is_mutable or not schema.returns)


def written_arguments(node: fx.Node) -> list[fx.Node]:
    """The arguments that a node changes."""
    if not is_writing(node):
        return []
    found = []
    for i, argument in enumerate(schema_of(node).arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            given = node.args[i] if i < len(node.args) else node.kwargs.get(argument.name)
            found += [part for part in tree_leaves(given) if isinstance(part, fx.Node)]
    return found


def record(draft: Draft, inputs: Sequence[Tensor]) -> list[Tensor]:
    """Run a trace once, as it stands, and note the view that each node is.

    Strides and shared memory are what they are found to be, not what a rule says.

    Returns:
        The results.
    """
    values: dict[fx.Node, Any] = {}
    last_uses = uses_of_last(draft.graph)
    rest = iter(inputs)
    for node in draft.graph.nodes:
        if node.op == "output":
            return [values[result] for result in node.args[0]]
        if node.op == "placeholder":
            values[node] = next(rest)
        elif node.op == "get_attr":
            values[node] = draft.constants[node.target]
        else:
            args, kwargs = map_arg((node.args, node.kwargs), values.__getitem__)
            values[node] = node.target(*args, **kwargs)
        draft.views[node] = _views(draft, node, values)
        draft.written |= {
            view.base for changed in written_arguments(node) for view in draft.views_of(changed)
        }
        for done in last_uses.get(node, ()):
            del values[done]
    raise AssertionError("a graph ends with its output")


def peak_bytes(draft: Draft) -> int:
    """Bytes that operations hold where they hold most, from each one's first to its last use."""
    left = {base: len(viewers) for base, viewers in draft.viewers().items()}
    held = most = 0
    last_uses = uses_of_last(draft.graph)
    for node in draft.graph.nodes:
        owned = {view.base for view in draft.views_of(node) if view.base is node}
        held += sum(_bytes(draft, base) for base in owned)
        most = max(most, held)
        for done in last_uses.get(node, ()):
            for view in draft.views_of(done):
                left[view.base] -= 1
                held -= 0 if left[view.base] else _bytes(draft, view.base)
    return most


def _bytes(draft: Draft, base: fx.Node) -> int:
    view = draft.views[base]
    return view.numel * view.layout[0].itemsize if base.op == "call_function" else 0


def uses_of_last(graph: fx.Graph) -> dict[fx.Node, list[fx.Node]]:
    """Nodes whose value a node is the last to need, itself where nothing does."""
    found: dict[fx.Node, list[fx.Node]] = {}
    seen: set[fx.Node] = set()
    for node in reversed(graph.nodes):
        new = [n for n in (node, *node.all_input_nodes) if n not in seen and n.op != "output"]
        found[node] = list(dict.fromkeys(new))
        seen.update(new)
    return found


def _views(draft: Draft, node: fx.Node, values: dict[fx.Node, Any]) -> Any:
    """The view that a node's value is, or the views that its values are.

    One of several values that shows no other node's memory has no view: the node that takes it
    from among them owns it.
    """
    value = values[node]
    if not isinstance(value, list | tuple):
        found = _view(draft, node, value, values)
        return whole(node, value) if found is None and isinstance(value, Tensor) else found
    return tuple(_view(draft, node, part, values) for part in value)


def _view(draft: Draft, node: fx.Node, value: Any, values: dict[fx.Node, Any]) -> View | None:
    """The view that a value is of the memory of one of the node's arguments, if it is one."""
    for source in node.all_input_nodes if isinstance(value, Tensor) else ():
        parts, views = values[source], draft.views[source]
        is_one = isinstance(parts, Tensor)
        for part, view in zip(*(((parts,), (views,)) if is_one else (parts, views)), strict=True):
            if view is not None and is_alias(part, value):
                return View(view.base, layout_of(value, view.first), view.first)
    return None


def whole(node: fx.Node, tensor: Tensor) -> View:
    """The view of a node that owns its memory."""
    first = int(tensor.storage_offset())
    return View(node, layout_of(tensor, first), first)


def source_of(node: fx.Node) -> Any:
    """The first argument of a node, where that is another node."""
    return node.args[0]


def layout_of(tensor: Tensor, first: int) -> tuple[Any, ...]:
    """What a tensor shows of memory whose first entry is at an offset."""
    return (
        tensor.dtype,
        tuple(tensor.shape),
        tensor.stride(),
        int(tensor.storage_offset()) - first,
        tensor.is_conj(),
        tensor.is_neg(),
    )
