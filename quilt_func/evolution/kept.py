"""What a run leaves for its vjp, and for how long.

A `KeptRun` is made where a run begins, and the run puts itself in. A small tensor, the *owner*,
holds the run; autograd saves the owner among the tensors for the backward pass, and lets go of it,
and so of the run, when that pass has been taken for the last time. `KeptRun` itself has a weak
reference only.
"""

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from quilt_func._torch import is_same_view
from quilt_func.evolution.batching import BatchAxes
from quilt_func.evolution.reversible_run import Run
from quilt_func.evolution.signature import Signature


@dataclass
class KeptRun:
    """Where a vjp finds the run of the forward call, while that lives.

    Attributes:
        recorded: Which packed leaves may be asked for a gradient.
        owner: An empty tensor that holds the run, until autograd has saved it.
    """

    recorded: tuple[bool, ...]
    owner: Tensor | None = None
    run: Callable[[], Run | None] = lambda: None

    def keep(self, run: Run) -> None:
        """Note a run, and give it an owner."""
        self.owner, self.run = torch.empty(0), weakref.ref(run)
        self.owner.run = run  # type: ignore[attr-defined]

    def rerun(
        self, circuit: Signature, axes: BatchAxes, from_zero: bool, packed: Sequence[Tensor],
        wanted: Sequence[bool],
    ) -> Run:  # fmt: skip
        """The kept run, if it is of the same tensors, or a new one.

        Args:
            circuit: Signature of the ops.
            axes: Batch axes of the state, then of the packed leaves.
            from_zero: Whether the run starts with |0...0⟩.
            packed: Packed leaves.
            wanted: Whether gradients of the state and of each of the leaves are.
        """
        carrying = axes.levels[1:] if from_zero else axes.levels
        if all(set(axes.outer) <= set(own) for own in carrying):
            axes = replace(axes, inner=len(axes.sizes))
        run = self.run()
        has_graph = all(was or not now for was, now in zip(self.recorded, wanted[1:], strict=True))
        if (
            run is not None
            and has_graph
            and run.axes == axes
            and all(map(is_same_view, run.packed, packed))
        ):
            return run
        return Run(circuit, axes, from_zero, packed, wanted[1:])
