"""From a function and example arguments to a program that an executor runs."""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx

from quilt_func._torch import (
    Flat,
    schema_of,
    trace_flat,
    tree_flatten,
    tree_unflatten,
    with_plain_views,
)
from quilt_func.replay.arguments import TENSOR, Arguments
from quilt_func.replay.draft import Draft, is_needed, peak_bytes, record
from quilt_func.replay.executors import Executor, choose
from quilt_func.replay.passes import separate_results, simplify
from quilt_func.replay.refusals import Refusals, RefusedError, check_leaves


@dataclass(frozen=True)
class Program:
    """A function for arguments of one signature.

    Attributes:
        name: The function's name, for messages.
        flat: The function from the tensors among the arguments to those among the results.
        executor: What runs it.
        leaves: Leaves of the result, `TENSOR` where a tensor stands.
        structure: Tree of the result.
        examples: Tensors of the result, without values.
        report: What `explain` tells.
    """

    name: str
    flat: Flat
    executor: Executor
    leaves: list[Any]
    structure: Any
    examples: list[Tensor]
    report: "Report"

    def rebuilt(self, tensors: Iterable[Tensor]) -> Any:
        """The result with its tensors."""
        rest = iter(tensors)
        leaves = [next(rest) if leaf is TENSOR else leaf for leaf in self.leaves]
        return tree_unflatten(leaves, self.structure)


class Report(NamedTuple):
    """What is known of a program.

    Attributes:
        n_traced: Operations of the trace.
        n_operations: Operations that are left.
        n_bytes: Memory of its constants.
        peak_bytes: Memory of all else, arguments left out, where it is largest.
        seconds: What tracing, shortening and compiling took.
    """

    n_traced: int
    n_operations: int
    n_bytes: int
    peak_bytes: int
    seconds: float


def make_program(fn: Callable[..., Any], name: str, arguments: Arguments) -> Program:
    """Trace a function for arguments of one signature, and find an executor for it."""
    start = time.perf_counter()
    tree: list[Any] = []

    def flat(*given: Tensor) -> list[Tensor]:
        args, kwargs = arguments.rebuilt(given)
        leaves, structure = tree_flatten(fn(*args, **kwargs))
        tree[:] = [TENSOR if isinstance(leaf, Tensor) else leaf for leaf in leaves], structure
        return [leaf for leaf in leaves if isinstance(leaf, Tensor)]

    tensors = [plain(tensor) for tensor in arguments.tensors]
    draft, results = draft_of(flat, name, tensors)
    leaves, structure = tree
    check_leaves(name, leaves)
    n_traced = n_operations(draft.graph)
    simplify(draft)
    separate_results(draft, len(results))
    executor = choose(draft, tensors)
    n_bytes = sum(constant.nbytes for constant in draft.constants.values())
    seconds = time.perf_counter() - start
    report = Report(n_traced, n_operations(draft.graph), n_bytes, peak_bytes(draft), seconds)
    examples = [torch.empty_like(result, device="meta") for result in results]
    return Program(name, flat, executor, leaves, structure, examples, report)


def plain(tensor: Tensor) -> Tensor:
    """A tensor's values, contiguous, detached, and without a lazy conjugation or negation."""
    return tensor.detach().resolve_conj().resolve_neg().contiguous()


def n_operations(graph: fx.Graph) -> int:
    """Number of calls of torch's operations in a graph."""
    return sum(schema_of(node) is not None for node in graph.nodes)


def draft_of(flat: Flat, name: str, tensors: Sequence[Tensor]) -> tuple[Draft, list[Tensor]]:
    """Trace a function of tensors, check that it can be replayed, and run the trace once."""
    refusals = Refusals(name)
    with suppress(RefusedError):
        graph, constants = trace_flat(flat, tensors, refusals.check, refusals.value_error)
        refusals.check_constants(constants)
    if refusals.error is not None:  # also where the function has caught the error
        raise TypeError(str(refusals.error))
    with_plain_views(graph)
    graph.eliminate_dead_code(is_needed)
    draft = Draft(graph, constants)
    with torch.no_grad():
        return draft, record(draft, tensors)
