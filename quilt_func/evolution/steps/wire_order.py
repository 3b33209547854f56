"""Wires in another order: the amplitudes are moved so that wires which are apart become neighbours.

No gate asks for such a step. The planner puts it before others, and leaves the order as it is until
a later step wants another one; see `evolution.ordering`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from quilt_func._amplitudes import inverse, reorder_wires
from quilt_func.evolution.steps.kind import COSTS, Built, Kind, Part, Price, Recipe, Step
from quilt_func.ops import Gate, Structure
from quilt_func.typing import WireSet


@dataclass(frozen=True)
class WireOrder(Step):
    """A step that puts the wires in another order.

    Attributes:
        order: Where each of them was before.
    """

    name: ClassVar[str] = "order"

    order: WireSet = ()

    def apply(self, operand: None, state: Tensor, out: Tensor) -> None:
        """Write the moved state."""
        reorder_wires(self.order, state, out)

    def undo(self, operand: None, state: Tensor, out: Tensor) -> None:
        """Write the state in its order before; a cotangent goes back alike."""
        reorder_wires(inverse(self.order), state, out)

    def apply_plainly(self, built: Built, state: Tensor | None) -> Tensor:
        """Move a flat state."""
        assert state is not None, "only a block starts without a state"
        return state.reshape((2,) * len(self.order)).permute(self.order).reshape(-1)

    def price(self, n_qubits: int) -> Price:
        """One slow pass over the state."""
        return WIRE_ORDER.price(n_qubits, self.wires, self.n_gates)


class WireOrderKind(Kind):
    """No gates: the planner adds these steps where others want neighbours."""

    name = "order"

    def fits(self, gate: Gate) -> bool:
        """No gate."""
        return False

    def is_needed(self, rows: Iterable[Gate]) -> bool:
        """By no gate."""
        return False

    def price(self, n_qubits: int, wires: WireSet, n_gates: int) -> Price:
        """One slow pass over the state, and a call."""
        return Price(1, 0, COSTS.order + COSTS.call_share(n_qubits))

    def collect(
        self, ops: Sequence[Structure], n_qubits: int, first: int, parts: Mapping[int, Part]
    ) -> tuple[list[Recipe], dict[int, Step]]:
        """A part's wires are the order."""
        wires = tuple(range(n_qubits))
        return [], {n: WireOrder(wires, 0, order=part.wires) for n, part in parts.items()}


WIRE_ORDER = WireOrderKind()
