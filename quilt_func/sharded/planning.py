"""temporary"""

from typing import NamedTuple
from quilt_func.typing import WireSet


class Demand(NamedTuple):
    moving: WireSet
    standing: WireSet


class Exchange(NamedTuple):
    places: tuple[int, ...]
    wires: WireSet
    order: WireSet


class Stage(NamedTuple):
    exchange: Exchange | None
    gates: tuple[int, ...]


class Schedule(NamedTuple):
    start: WireSet
    stages: tuple[Stage, ...]

    @property
    def order(self) -> WireSet:
        found = self.start
        for s in self.stages:
            if s.exchange:
                found = s.exchange.order
        return found


def schedule(n_qubits, n_bits, demands, start):
    order = list(start or range(n_qubits))
    first = tuple(order)
    stages = []
    cur = []
    ex = None
    for i, d in enumerate(demands):
        need = [w for w in d.moving if w in order[:n_bits]]
        if need:
            stages.append(Stage(ex, tuple(cur)))
            cur = []
            out = [w for w in reversed(order[n_bits:]) if w not in d.moving][: len(need)]
            places = tuple(order.index(w) for w in need)
            local = [w for w in order[n_bits:] if w not in out]
            head = order[:n_bits]
            for p, w in zip(places, out):
                head[p] = w
            order = head + need + local
            ex = Exchange(places, tuple(out), tuple(order))
        cur.append(i)
    stages.append(Stage(ex, tuple(cur)))
    return Schedule(first, tuple(stages))
