"""Exchanges of wires between ranks, for states that are split over processes.

No gate of a user asks for such a step: `quilt_func.sharded` puts its row between gates. All local
wires wait for it, as what a gate does to them may depend on the rank.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from torch import Tensor

from quilt_func._collectives import Exchange, exchanged
from quilt_func.evolution.steps.kind import COSTS, Built, Kind, Part, Price, Recipe, Step
from quilt_func.ops import Gate, Structure
from quilt_func.typing import WireSet


@dataclass(frozen=True, eq=False, repr=False)
class ExchangeRow(Gate):
    """The row of an exchange; its first wires go out. It acts on all local wires."""

    exchange: Exchange | None = None


@lru_cache(maxsize=1024)
def exchange_row(exchange: Exchange, n_wires: int) -> ExchangeRow:
    """The row of an exchange on so many local wires."""
    nothing = np.zeros((0, 0), dtype=np.complex128)
    return ExchangeRow("exchange", n_wires, 0, nothing, exchange=exchange)


@dataclass(frozen=True)
class ExchangeStep(Step):
    """A step that puts local wires in an order, and exchanges the first of them.

    Attributes:
        order: All local wires.
        exchange: What is exchanged.
    """

    name: ClassVar[str] = "exchange"

    order: WireSet = ()
    exchange: Exchange | None = None

    def apply(self, operand: None, state: Tensor, out: Tensor) -> None:
        """Write the state after the exchange."""
        assert self.exchange is not None
        self.exchange.forward(self.order, state, out)

    def undo(self, operand: None, state: Tensor, out: Tensor) -> None:
        """Write the state before it; a cotangent goes back alike."""
        assert self.exchange is not None
        self.exchange.backward(self.order, state, out)

    def apply_plainly(self, built: Built, state: Tensor | None) -> Tensor:
        """Exchange wires of a flat state."""
        assert state is not None, "only a block starts without a state"
        assert self.exchange is not None
        return exchanged(self.exchange, self.order, state)

    def price(self, n_qubits: int) -> Price:
        """A slow pass over the state; what messages cost is not counted."""
        return EXCHANGE.price(n_qubits, self.wires, self.n_gates)


class ExchangeKind(Kind):
    """Exchanges, each a step of its own, between the stretches of gates that are planned."""

    name = "exchange"

    def fits(self, gate: Gate) -> bool:
        """Whether a row is that of an exchange."""
        return isinstance(gate, ExchangeRow)

    def is_needed(self, rows: Iterable[Gate]) -> bool:
        """Never among gates."""
        return False

    def price(self, n_qubits: int, wires: WireSet, n_gates: int) -> Price:
        """One slow pass over the state, and a call."""
        return Price(1, 0, COSTS.order + COSTS.call_share(n_qubits))

    def collect(
        self, ops: Sequence[Structure], n_qubits: int, first: int, parts: Mapping[int, Part]
    ) -> tuple[list[Recipe], dict[int, Step]]:
        """A part's wires are the order."""
        wires = tuple(range(n_qubits))
        made: dict[int, Step] = {}
        for number, part in parts.items():
            row = part.gates[0].gate
            assert isinstance(row, ExchangeRow)
            made[number] = ExchangeStep(wires, 0, order=part.wires, exchange=row.exchange)
        return [], made


EXCHANGE = ExchangeKind()
