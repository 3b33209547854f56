"""A pass: what is written once, to memory of its own, is the result of an operation.

Runs write states to buffers. A replay allocates each tensor anew, so that there the buffer, and its
view in the shape of the result, are two operations for nothing.
"""

from typing import Any

import torch
from torch import fx

from quilt_func.replay.draft import Draft, View, whole, written_arguments

aten: Any = torch.ops.aten
RESULTS = {
    aten.mm.out: aten.mm.default,
    aten.bmm.out: aten.bmm.default,
    aten.gather.out: aten.gather.default,
    aten.index_select.out: aten.index_select.default,
}
"""Operations that write to a given tensor, and those that give a new one, whose entries lie in
order."""
EMPTY = {aten.empty_like.default, aten.empty.memory_format, aten.new_empty.default}


def drop_buffers(draft: Draft) -> None:
    """Let operations give their results instead of writing them, where that is all that is."""
    writers: dict[fx.Node, list[fx.Node]] = {}
    for node in draft.graph.nodes:
        for written in written_arguments(node):
            for view in draft.views_of(written):
                writers.setdefault(view.base, []).append(node)
    for base, nodes in writers.items():
        if len(nodes) == 1 and base.target in EMPTY and nodes[0].target in RESULTS:
            _drop(draft, base, nodes[0])


def _drop(draft: Draft, base: fx.Node, writer: fx.Node) -> None:
    """Drop a memory that nothing writes to or reads before one operation writes all of it."""
    places = {node: i for i, node in enumerate(draft.graph.nodes)}
    shown = [node for node in draft.viewers()[base] if places[node] <= places[writer]]
    early = {user for node in shown for user in node.users if places[user] < places[writer]}
    if early <= set(shown) and _are_whole(draft, base, shown):
        _give(draft, writer, sorted(shown, key=places.__getitem__, reverse=True))


def _are_whole(draft: Draft, base: fx.Node, nodes: list[fx.Node]) -> bool:
    """Whether each node shows all of a memory in order."""
    numel = draft.views[base].numel
    views = [draft.views[node] for node in nodes]
    return all(isinstance(view, View) and view.numel == numel for view in views) and all(
        map(draft.is_contiguous, nodes)
    )


def _give(draft: Draft, writer: fx.Node, shown: list[fx.Node]) -> None:
    """Put an operation that gives its result in the place of one that writes it.

    Args:
        draft: The draft.
        writer: The operation.
        shown: It, and what showed the memory before it, the latest first.
    """
    dtype, shape, *_ = draft.views[writer].layout
    rest = {name: value for name, value in writer.kwargs.items() if name != "out"}
    with draft.graph.inserting_before(writer):
        made = draft.graph.call_function(RESULTS[writer.target], writer.args, rest)
    made.meta.update(writer.meta)
    draft.views[made] = whole(made, torch.empty(shape, dtype=dtype, device="meta"))
    draft.written.discard(draft.views[writer].base)
    shapes = [draft.views[node].shape for node in shown]
    new = [made if own == shape else draft.view(writer, made, own) for own in shapes]
    for node, other in zip(shown, new, strict=True):
        draft.replace(node, other)
