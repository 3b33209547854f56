"""Gates `swap`, taken out of a circuit: from there on, two wires have each other's names."""

from collections.abc import Iterable
from typing import NamedTuple

from quilt_func.gates import swap
from quilt_func.sharded.localising import Application
from quilt_func.typing import WireSet


class Relabelled(NamedTuple):
    """Gates without `swap`.

    Attributes:
        gates: All others, on wires by their names at the start.
        names: For each wire the name at the start of what it has in the end.
    """

    gates: list[Application]
    names: WireSet

    def by_wires(self, order: WireSet) -> WireSet:
        """An order of names in the end as one of wires."""
        wires = {name: wire for wire, name in enumerate(self.names)}
        return tuple(wires[name] for name in order)


def relabelled(n_qubits: int, gates: Iterable[Application]) -> Relabelled:
    """Take gates `swap` out: those after it act on the other wire instead.

    Args:
        n_qubits: Number of wires.
        gates: Gates in order.
    """
    names = list(range(n_qubits))
    kept: list[Application] = []
    for gate in gates:
        if gate.gate is swap:
            a, b = gate.wires
            names[a], names[b] = names[b], names[a]
        else:
            kept.append(gate._replace(wires=tuple(names[wire] for wire in gate.wires)))
    return Relabelled(kept, tuple(names))
