"""Programs for arguments that require grad: results, and the vjp from what these leave."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress

import torch
from torch import Tensor, fx

from quilt_func.replay.arguments import Arguments
from quilt_func.replay.draft import Draft, source_of, written_arguments
from quilt_func.replay.executors import Executor, choose
from quilt_func.replay.passes import separate_results, simplify
from quilt_func.replay.tracing import Program, draft_of, plain

Vjp = Callable[[list[Tensor], list[Tensor]], list[Tensor]]
"""From tensors and cotangents of the results to gradients of tensors."""


@dataclass(frozen=True)
class DifferentiableProgram:
    """Two programs of a function, as a trace of its results and their vjp falls into them.

    Attributes:
        first: From the tensors to the results, and to what `second` needs of the way there.
        second: From tensors, cotangents and that to gradients.
        vjp: The vjp as a jitted function, for derivatives of gradients.
        wanted: Which tensors gradients are of.
        carries: Which results cotangents are of.
    """

    first: Executor
    second: Executor
    vjp: Vjp
    wanted: tuple[bool, ...]
    carries: tuple[bool, ...]

    def forward(self, tensors: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Results, and what is kept for the backward pass."""
        found = self.first.run(tensors)
        return found[: len(self.carries)], found[len(self.carries) :]

    def backward(
        self, tensors: Sequence[Tensor], kept: Sequence[Tensor], cotangents: Sequence[Tensor]
    ) -> list[Tensor | None]:
        """Gradients of the tensors, None where none is wanted."""
        carried = list(compress(cotangents, self.carries))
        if torch.is_grad_enabled():
            gradients = iter(self.vjp(list(tensors), carried))
        else:
            gradients = iter(self.second.run([*map(plain, (*tensors, *carried)), *kept]))
        return [next(gradients) if is_wanted else None for is_wanted in self.wanted]


def make_differentiable(
    program: Program, arguments: Arguments, jit: Callable[[Vjp], Vjp]
) -> DifferentiableProgram:
    """Trace a function's results together with their vjp, and part the trace."""
    wanted = tuple(tensor.requires_grad for tensor in arguments.tensors)
    carries = tuple(map(is_differentiable, program.examples))
    count = len(wanted)

    def with_vjp(
        tensors: Sequence[Tensor], cotangents: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        def values(*chosen: Tensor) -> tuple[list[Tensor], list[Tensor]]:
            rest = iter(chosen)
            merged = [next(rest) if own else t for t, own in zip(tensors, wanted, strict=True)]
            results = program.flat(*merged)
            return list(compress(results, carries)), results

        # the stub of `vjp` does not know of `has_aux`
        _, pull, results = torch.func.vjp(values, *compress(tensors, wanted), has_aux=True)  # type: ignore[misc]
        return results, list(pull(list(cotangents)))

    def joint(*given: Tensor) -> list[Tensor]:
        results, gradients = with_vjp(given[:count], given[count:])
        return [*results, *gradients]

    def vjp(tensors: list[Tensor], cotangents: list[Tensor]) -> list[Tensor]:
        return with_vjp(tensors, cotangents)[1]

    tensors = [plain(tensor) for tensor in arguments.tensors]
    cotangents = [
        torch.zeros(result.shape, dtype=result.dtype, device=tensors[0].device)
        for result in compress(program.examples, carries)
    ]
    draft, _ = draft_of(joint, program.name, [*tensors, *cotangents])
    simplify(draft)
    early, late = _part(draft, count, len(carries))
    first = choose(early, tensors)
    kept = first.run(tensors)[len(carries) :]
    second = choose(late, [*tensors, *cotangents, *kept])
    return DifferentiableProgram(first, second, jit(vjp), wanted, carries)


def is_differentiable(tensor: Tensor) -> bool:
    """Tell whether a tensor's entries are numbers that gradients are defined for."""
    return tensor.is_floating_point() or tensor.is_complex()


def _part(draft: Draft, n_tensors: int, n_results: int) -> tuple[Draft, Draft]:
    """Part a trace of results and gradients: what does not need cotangents, and the rest.

    Returns:
        A draft from tensors to results and to what the second needs; a draft from tensors,
        cotangents and that to gradients.
    """
    nodes = list(draft.graph.nodes)
    inputs = [node for node in nodes if node.op == "placeholder"]
    output = list(source_of(nodes[-1]))
    late = _late(draft, inputs[n_tensors:])
    early = [node for node in nodes if node.op == "call_function" and node not in late]
    kept = [node for node in early if any(user in late for user in node.users)]
    results = output[:n_results]
    if late.intersection(results):  # one buffer serves both ways: go the first way once more
        early, kept, late = nodes, [], set(nodes)
    rest = [node for node in nodes if node in late]
    first = draft.part(inputs[:n_tensors], early, [*results, *kept])
    second = draft.part([*inputs, *kept], rest, output[n_results:])
    separate_results(first, n_results)
    separate_results(second, len(output) - n_results)
    return first, second


def _late(draft: Draft, cotangents: Sequence[fx.Node]) -> set[fx.Node]:
    """What depends on cotangents, and all that shows memory which such an operation writes to."""
    late, viewers = set(cotangents), draft.viewers()
    while True:
        before = len(late)
        for node in draft.graph.nodes:
            if node.op == "call_function" and late.intersection((node, *node.all_input_nodes)):
                late.add(node)
                for changed in written_arguments(node):
                    for view in draft.views_of(changed):
                        late |= viewers[view.base]
        if len(late) == before:
            return late
