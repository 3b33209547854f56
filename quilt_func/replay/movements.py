"""A pass: entries that go a long way from one tensor to another go there in one step.

Packing parameters into a vector, or a gradient into the parameters' shapes, takes dozens of slices,
stacks and sums of parts that are zero elsewhere. All of it only moves entries. Which entry ends up
where is found by running the same operations on the entries' numbers, as integers.
"""

import operator
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx
from torch.fx.node import map_arg

from quilt_func.replay.draft import Draft, View, source_of

aten: Any = torch.ops.aten
MOVED_ENTRIES = 2**14
"""More entries are left alone: reading a table of their places would take longer than it saves."""
STEPS = 4
"""Operations that two others have to save."""
MOVES = {
    aten.cat.default, aten.stack.default, aten.select_backward.default,
    aten.slice_backward.default, aten.clone.default, aten.flip.default,
}  # fmt: skip
"""Operations that move entries, or put zeros between them. Views do so, too."""


class Origin(NamedTuple):
    """Where a tensor's entries come from.

    Attributes:
        source: The tensor that all come from.
        places: For each entry, one more than its number in the source, or 0 for a zero.
        steps: Operations on the way.
    """

    source: fx.Node
    places: Tensor
    steps: frozenset[fx.Node]


def shorten_movements(draft: Draft) -> None:
    """Let one selection of entries stand for a long way of moving them."""
    origins: dict[fx.Node, Origin] = {}
    for node in draft.graph.nodes:
        view = draft.views.get(node)
        if isinstance(view, View) and view.numel <= MOVED_ENTRIES and node.op != "output":
            origins[node] = _moved(draft, node, origins) or _itself(draft, node)
    for node in reversed(draft.graph.nodes):
        origin = origins.get(node)
        if origin is not None and _is_end(draft, node, origins):
            _select(draft, node, origin)


def _itself(draft: Draft, node: fx.Node) -> Origin:
    count, shape = draft.views[node].numel, draft.views[node].shape
    return Origin(node, _laid_out(draft, node, torch.arange(1, count + 1).view(shape)), frozenset())


def _laid_out(draft: Draft, node: fx.Node, places: Tensor) -> Tensor:
    """Numbers of entries, in memory as those of the node are, where it owns its memory."""
    *_, strides, _, _, _ = draft.views[node].layout
    if draft.views[node].base is not node or 0 in strides:
        return places
    return torch.empty_strided(places.shape, strides, dtype=torch.int64).copy_(places)


def _moved(draft: Draft, node: fx.Node, origins: dict[fx.Node, Origin]) -> Origin | None:
    """The origin of what an operation moves, if all comes from one tensor."""
    called = source_of(node) if node.target is operator.getitem else node
    given = called.all_input_nodes
    if not draft.is_pure(node) or not given or not all(n in origins for n in given):
        return None
    if len({origins[n].source for n in given}) > 1 or not _is_move(draft, node, origins):
        return None
    args, kwargs = map_arg((called.args, called.kwargs), lambda n: origins[n].places)
    # numbers of entries may lie in memory otherwise than entries do, where these are expanded
    operation: Any = aten.reshape.default if called.target is aten.view.default else called.target
    places = operation(*args, **kwargs)
    if called is not node:
        places = places[node.args[1]]
    steps = frozenset({node}).union(*(origins[n].steps for n in given))
    return Origin(origins[given[0]].source, _laid_out(draft, node, places), steps)


def _is_move(draft: Draft, node: fx.Node, origins: dict[fx.Node, Origin]) -> bool:
    """Tell whether an operation moves entries: also a sum, if one summand of each is a zero."""
    if node.target in MOVES or _is_view(draft, node):
        return True
    if node.target is not aten.add.Tensor or node.kwargs or len(node.all_input_nodes) != 2:
        return False
    first, second = (origins[n].places.bool() for n in node.all_input_nodes)
    return not bool((first & second).any())


def _is_view(draft: Draft, node: fx.Node) -> bool:
    """Tell whether a node is a view that shows the same numbers as what it is a view of."""
    called = source_of(node) if node.target is operator.getitem else node
    if len(called.all_input_nodes) != 1:
        return False
    view, source = draft.views[node], draft.views[called.all_input_nodes[0]]
    is_plain = view.layout[0] == source.layout[0] and view.layout[4:] == source.layout[4:]
    return is_plain and view.base is source.base and view.base is not node


def _is_end(draft: Draft, node: fx.Node, origins: dict[fx.Node, Origin]) -> bool:
    """Tell whether a long way without zeros ends at a node, which others compute with."""
    origin = origins[node]
    goes_on = any(user in origins and node in origins[user].steps for user in node.users)
    return (
        bool(node.users)
        and not goes_on
        and len(origin.steps) >= STEPS
        and bool(origin.places.all())
        and draft.is_contiguous(node)
        and draft.is_contiguous(origin.source)
    )


def _select(draft: Draft, node: fx.Node, origin: Origin) -> None:
    """Take a node's entries from their source."""
    count, shape = origin.places.numel(), list(draft.views[node].shape)
    index = draft.constant(node, (origin.places - 1).flatten().to(draft.device_of(node)))
    flat = draft.view(node, origin.source, (draft.views[origin.source].numel,))
    chosen = draft.call(node, aten.index_select.default, (flat, 0, index), (count,))
    draft.replace(node, draft.view(node, chosen, shape))
