"""What a run leaves for its vjp, and for how long.

A `KeptRun` is made where a run begins, and the run puts itself in. A small tensor, the *owner*,
holds the run; autograd saves the owner among the tensors for the backward pass, and lets go of it,
and so of the run, when that pass has been taken for the last time. `KeptRun` itself has a weak
reference only.
"""

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from quilt_func._torch import is_same_view
from quilt_func.evolution.batching import BatchAxes
from quilt_func.evolution.reversible_run import Run


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

    def find(self, axes: BatchAxes, packed: Sequence[Tensor], wanted: Sequence[bool]) -> Run | None:
        """The run, if it lives and is of these packed leaves, of which gradients are wanted."""
        run = self.run()
        has_graph = all(was or not now for was, now in zip(self.recorded, wanted, strict=True))
        if run is None or not has_graph or run.axes != axes:
            return None
        return run if all(map(is_same_view, run.packed, packed)) else None
