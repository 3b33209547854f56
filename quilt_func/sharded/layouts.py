"""Where the wires of a state are that is split over ranks, and the state itself."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from torch import Tensor

from quilt_func._checks import check_is, shape_error
from quilt_func._collectives import Ranks
from quilt_func._torch import register
from quilt_func.typing import WireSet


@dataclass(frozen=True)
class Layout:
    """Where the wires of a sharded state are.

    An amplitude's bits on the first `ranks.n_bits` wires of `order` say which rank holds it, those
    on the others where it is among that rank's amplitudes; the first wire is the most significant
    bit of either.

    Attributes:
        order: All wires.
        ranks: The processes that share the state.

    Examples:
        >>> from quilt_func.sharded import Layout, Ranks
        >>> layout = Layout((2, 0, 1), Ranks(2))
        >>> layout.sharded, layout.local
        ((2,), (0, 1))
    """

    order: WireSet
    ranks: Ranks

    @property
    def n_qubits(self) -> int:
        """Number of wires."""
        return len(self.order)

    @cached_property
    def sharded(self) -> WireSet:
        """The wires whose bits are those of the rank's number."""
        return self.order[: self.ranks.n_bits]

    @cached_property
    def local(self) -> WireSet:
        """The wires of each rank's own amplitudes."""
        return self.order[self.ranks.n_bits :]


@dataclass(frozen=True, eq=False)
class ShardedState:
    """A statevector that is split over ranks: each has its part. A pytree with one leaf.

    Attributes:
        local (complex, (2**n_local,)): The amplitudes of this rank.
        layout: Where the wires are.

    Examples:
        >>> from quilt_func import zero_state
        >>> from quilt_func.sharded import Layout, Ranks, ShardedState
        >>> ShardedState(zero_state(3)[:4], Layout((0, 1, 2), Ranks(2))).local.real
        tensor([1., 0., 0., 0.])
    """

    local: Tensor
    layout: Layout


def check_sharded(function: str, state: object, argument: str = "state") -> None:
    """Check that a value is a sharded state."""
    need, remedy = "be a sharded state", "Make one with `sharded.run_sharded` or `sharded.shard`."
    check_is(function, argument, state, ShardedState, need, remedy)
    assert isinstance(state, ShardedState)
    size = 2 ** len(state.layout.local)
    if state.local.shape != (size,):
        need = f"have amplitudes of shape ({size},) on each rank"
        remedy = "Give one state; map over a batch with `torch.func.vmap`."
        raise shape_error(function, argument, state.local, need, remedy)


def _unflatten(leaves: Iterable[Any], layout: Layout) -> ShardedState:
    (local,) = leaves
    return ShardedState(local, layout)


register(
    ShardedState,
    lambda state: ([state.local], state.layout),
    _unflatten,
    "quilt_func.sharded.ShardedState",
)
