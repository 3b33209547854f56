"""From a function and example arguments to a program that an executor runs."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx

from quilt_func._checks import a_kind
from quilt_func._torch import (
    Flat,
    has_tag,
    is_about_shapes,
    is_about_values,
    schema_of,
    trace_flat,
    tree_flatten,
    tree_unflatten,
    with_plain_views,
)
from quilt_func.replay.arguments import TENSOR, Arguments
from quilt_func.replay.draft import Draft, is_needed, peak_bytes, record, written_arguments
from quilt_func.replay.executors import Executor, choose
from quilt_func.replay.passes import separate_results, simplify

PLAIN = (type(None), bool, int, float, complex, str, bytes, torch.dtype, torch.device)
"""What may stand among results beside tensors; it is the same at each call."""


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
    _check_leaves(name, leaves)
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
    try:
        graph, constants = trace_flat(flat, tensors)
    except Exception as error:
        if is_about_values(error):
            raise _looks_at_values(name) from error
        if is_about_shapes(error):
            raise _shapes_of_values(name, str(error)) from error
        raise
    for node in graph.nodes:
        _check_node(name, node)
    _check_writes(name, graph)
    _check_constants(name, constants)
    with_plain_views(graph)
    graph.eliminate_dead_code(is_needed)
    draft = Draft(graph, constants)
    with torch.no_grad():
        return draft, record(draft, tensors)


def _check_node(name: str, node: fx.Node) -> None:
    """Refuse an operation whose result depends on more than its inputs."""
    if has_tag(node, torch.Tag.nondeterministic_seeded):
        raise _refusal(
            name, "not draw random numbers", f"a call of `{node.target}`",
            "Uniforms are arguments: draw them outside, with `uniforms(shape, seed)`.",
        )  # fmt: skip


def _shapes_of_values(name: str, operation: str) -> TypeError:
    return _refusal(
        name, "give tensors whose shapes depend on shapes alone",
        f"a call of `{operation}`, whose result's shape depends on values",
        "Use `torch.where` or a mask of weights instead of picking entries.",
    )  # fmt: skip


def _looks_at_values(name: str) -> TypeError:
    return _refusal(
        name, "not look at values of tensors", "a call such as `.item()`, `.tolist()`, `if tensor`",
        "Use `torch.where` for a choice, or make the value a static argument.",
    )  # fmt: skip


def _refusal(name: str, need: str, got: str, remedy: str) -> TypeError:
    return TypeError(f"jit(fn={name}): `fn` must {need}, but got {got}. {remedy}")


def _check_writes(name: str, graph: fx.Graph) -> None:
    """Refuse to change an argument, or a tensor of the closure, in place."""
    owners: dict[fx.Node, set[fx.Node]] = {}
    for node in graph.nodes:
        if any(owners[changed] for changed in written_arguments(node)):
            raise _refusal(
                name, "not change its arguments, or tensors of its closure, in place",
                f"a call of `{node.target}`", "Return the new value, or change a clone.",
            )  # fmt: skip
        schema = schema_of(node)
        is_view = schema is None or any(result.alias_info for result in schema.returns)
        own = {node} if node.op in ("placeholder", "get_attr") else set()
        sources = node.all_input_nodes if is_view else []
        owners[node] = own.union(*(owners[source] for source in sources))


def _check_constants(name: str, constants: dict[str, Tensor]) -> None:
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in constants.values()):
        raise _refusal(
            name, "not close over tensors that require grad", "one that does",
            "Make it an argument, so that its gradient is known.",
        )  # fmt: skip


def _check_leaves(name: str, leaves: Sequence[Any]) -> None:
    for leaf in leaves:
        if leaf is not TENSOR and not isinstance(leaf, PLAIN):
            raise _refusal(
                name, "return a pytree of tensors, numbers and strings", a_kind(leaf),
                "Return its tensors, or register its class as a pytree node.",
            )  # fmt: skip
