"""Passes that shorten a draft; each leaves every result as it is, to rounding.

A pass touches no operation on memory that something writes to. Order stays as it was: a node is
only ever dropped, replaced by an earlier equal one, or by another operation at its own place.
"""

from collections.abc import Hashable
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.node import map_arg

from quilt_func.replay.buffer_pass import drop_buffers
from quilt_func.replay.draft import Draft, View, is_needed, is_writing, source_of
from quilt_func.replay.movements import shorten_movements

aten: Any = torch.ops.aten
FOLDED_ENTRIES = 2**16
"""Larger tensors are computed at each run: as constants they would hold memory."""
COPIES = {aten.clone.default, aten.lift_fresh_copy.default, aten.cat.default}
LIKES = {aten.zeros_like.default, aten.ones_like.default, aten.full_like.default}
LIKES |= {aten.new_zeros.default, aten.new_ones.default, aten.new_full.default}
"""Operations that read the shape and dtype of their input alone."""


def simplify(draft: Draft) -> None:
    """Shorten a draft by all passes."""
    drop_unused(draft)
    drop_buffers(draft)
    fold_constants(draft)
    drop_copies(draft)
    join_conjugations(draft)
    drop_paddings(draft)
    merge_equal(draft)
    shorten_views(draft)
    shorten_movements(draft)
    shorten_views(draft)
    merge_equal(draft)
    drop_unused(draft)


def drop_unused(draft: Draft) -> None:
    """Drop what no result needs; what writes to memory stays, and what only checks its input."""
    for node in reversed(draft.graph.nodes):
        if not node.users and not is_needed(node):
            draft.erase(node)


def fold_constants(draft: Draft) -> None:
    """Compute beforehand what depends on numbers and shapes alone.

    Tensors that the user's function closes over are not numbers: they may change in place.
    """
    known: dict[fx.Node, Any] = {}

    def value_of(source: fx.Node) -> Any:
        if source in known:
            return known[source]
        return draft.constants.get(str(source.target)) if source.op == "get_attr" else None

    for node in list(draft.graph.nodes):
        if not draft.is_pure(node) or not _is_small(draft, node):
            continue
        if node.target in LIKES:
            known[node] = node.target(
                draft.empty_like(source_of(node)), *node.args[1:], **node.kwargs
            )
        elif _is_literal(node) or all(source in known for source in node.all_input_nodes):
            args, kwargs = map_arg((node.args, node.kwargs), value_of)
            known[node] = node.target(*args, **kwargs)
    for node, value in known.items():
        if isinstance(value, Tensor) and any(user not in known for user in node.users):
            draft.replace(node, draft.constant(node, value))
    drop_unused(draft)


def _is_small(draft: Draft, node: fx.Node) -> bool:
    return all(view.numel <= FOLDED_ENTRIES for view in draft.views_of(node))


def _is_literal(node: fx.Node) -> bool:
    """Tell whether a node copies a constant, as for what is made of numbers within the function."""
    return node.target is aten.lift_fresh_copy.default and source_of(node).op == "get_attr"


def merge_equal(draft: Draft) -> None:
    """Let the first of several equal operations stand for all."""
    first: dict[Hashable, fx.Node] = {}
    for node in list(draft.graph.nodes):
        if node.op == "get_attr":
            key: Hashable = (node.target,)
        elif draft.is_pure(node):
            key = (node.target, _frozen(node.args), _frozen(node.kwargs))
        else:
            continue
        other = first.setdefault(key, node)
        if other is not node:
            draft.replace(node, other)


def _frozen(arguments: Any) -> Hashable:
    """Arguments as a hashable value, in which 1, 1.0 and True differ."""
    if isinstance(arguments, list | tuple):
        return (*map(_frozen, arguments),)
    if isinstance(arguments, dict):
        return tuple((name, _frozen(value)) for name, value in sorted(arguments.items()))
    return (type(arguments), repr(arguments) if isinstance(arguments, float) else arguments)


def shorten_views(draft: Draft) -> None:
    """Take each view from the memory's owner, in one step, and each different view once.

    A view reads nothing, so that it does not matter whether something writes to what it shows.
    """
    seen: dict[Hashable, fx.Node] = {}
    for node in list(draft.graph.nodes):
        view = draft.views.get(node)
        if not isinstance(view, View) or is_writing(node):
            continue
        key = (view.base, view.layout)
        if key in seen:
            draft.replace(node, seen[key])
        else:
            is_long = _is_long_way(draft, node, view)
            seen[key] = _take_from_base(draft, node, view) if is_long else node


def _is_long_way(draft: Draft, node: fx.Node, view: View) -> bool:
    """Tell whether a node is a view of a view that one step from its base can give.

    Inputs may lie anywhere in their storage, so that an offset known now says nothing of later.
    """
    base = draft.views[view.base]
    is_plain = view.layout[0] == base.layout[0] and view.layout[4:] == base.layout[4:]
    return (
        node is not view.base
        and is_plain
        and view.base.op == "call_function"
        and view.base not in node.all_input_nodes
    )


def _take_from_base(draft: Draft, node: fx.Node, view: View) -> fx.Node:
    _, shape, strides, offset, *_ = view.layout
    with draft.graph.inserting_before(node):
        made = draft.graph.call_function(
            aten.as_strided.default, (view.base, list(shape), list(strides), view.first + offset)
        )
    made.meta.update(node.meta)
    draft.views[made] = view
    draft.replace(node, made)
    return made


def drop_copies(draft: Draft) -> None:
    """Let a copy's source stand for it where both lie alike and nothing writes to either.

    What is copied onto itself, as `x[1:] += y` does at its end, is no operation at all.
    """
    for node in list(draft.graph.nodes):
        if node.target is aten.copy_.default and _is_own_copy(draft, node):
            node.replace_all_uses_with(node.args[0])
            draft.erase(node)
        if node.target not in COPIES or not draft.is_pure(node) or len(node.all_input_nodes) != 1:
            continue
        (source,) = node.all_input_nodes
        if _without_offset(draft.views[source]) == _without_offset(draft.views[node]):
            draft.replace(node, source)


def join_conjugations(draft: Draft) -> None:
    """Conjugate in one operation what is conjugated lazily and then copied."""
    for node in list(draft.graph.nodes):
        if node.target is not aten.clone.default or not draft.is_pure(node):
            continue
        lazy = source_of(node)
        if lazy.target is not aten._conj.default or not draft.is_contiguous(node):
            continue
        source = source_of(lazy)
        if draft.is_contiguous(source) and draft.is_pure(lazy):
            shape = draft.views[node].shape
            draft.replace(node, draft.call(node, aten.conj_physical.default, (source,), shape))


def drop_paddings(draft: Draft) -> None:
    """View a tensor anew where an axis of one place is all that is put around it."""
    for node in list(draft.graph.nodes):
        if node.target is not aten.select_backward.default or not draft.is_pure(node):
            continue
        source, sizes, dim, _ = node.args
        if sizes[dim] == 1 and draft.is_contiguous(source) and draft.is_contiguous(node):
            draft.replace(node, draft.view(node, source, sizes))


def _is_own_copy(draft: Draft, node: fx.Node) -> bool:
    nodes: Any = node.args[:2]
    own, given = (draft.views.get(source) for source in nodes)
    return own is not None and own == given


def _without_offset(view: View) -> tuple[Any, ...]:
    return view.layout[:3] + view.layout[4:]


def separate_results(draft: Draft, count: int) -> None:
    """Give each of the first results memory that is no argument's, constant's or other result's."""
    drop_unused(draft)
    output = next(iter(reversed(draft.graph.nodes)))
    given: tuple[fx.Node, ...] = tuple(source_of(output))
    results, rest = list(given[:count]), given[count:]
    taken = {draft.views[result].base for result in rest}
    for i, result in enumerate(results):
        base = draft.views[result].base
        if base in taken or base.op != "call_function":
            with draft.graph.inserting_before(output):
                results[i] = draft.graph.call_function(aten.clone.default, (result,))
            results[i].meta.update(result.meta)
        taken.add(base)
    output.args = ((*results, *rest),)
