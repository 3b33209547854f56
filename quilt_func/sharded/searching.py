"""The search for plans: which wires are sharded in each stage, and which gates that lets be done.

Partial plans of equal numbers of exchanges stand side by side. Those go on that have done most, and
those that promise to send least in the end if they go on as they did.
"""

from array import array
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from quilt_func.sharded.choosing import Needs, choices
from quilt_func.sharded.dependencies import Dependencies

WIDTH = 8
"""Partial plans that are followed side by side, by each of two measures."""

SEEN = 2**11
"""Blocks that are looked at before an exchange, at most."""

FEW = 2**8
"""Blocks of circuits that are searched more thoroughly, at most."""


class State(NamedTuple):
    """A partial plan.

    Attributes:
        sharded: Sharded wires, as a set of bits.
        waits: How many blocks each block waits for.
        ready: Blocks that wait for nothing, and have not been done.
        done: Worth of the blocks that have.
        cost: Bytes sent, in parts of which a shard has as many as there are ranks.
        n_exchanges: Number of exchanges.
        taken: Blocks of the last stage.
        before: The plan without the last stage.
    """

    sharded: int
    waits: "array[int]"
    ready: tuple[int, ...]
    done: int
    cost: int
    n_exchanges: int
    taken: tuple[int, ...]
    before: "State | None"


class Search:
    """Partial plans of equal numbers of exchanges, the most promising of which go on."""

    def __init__(self, n_qubits: int, n_bits: int, found: Dependencies) -> None:
        self.n_qubits = n_qubits
        self.n_bits = n_bits
        self.n_local = n_qubits - n_bits
        self.blocks = found.blocks
        self.worth = [int(block.moving > 0) for block in found.blocks]
        self.total = sum(self.worth)
        self.is_small = len(found.blocks) <= FEW

    def run(self, sharded: int | None) -> list[State]:
        """The states of the cheapest plan found, one for each stage."""
        waits = array("i", [block.n_before for block in self.blocks])
        ready = tuple(number for number, wait in enumerate(waits) if not wait)
        root = State(0, waits, ready, 0, 0, 0, (), None)
        if sharded is None:
            front = self._promising(self._opened(root))
        else:
            front = [self._after(root, sharded, is_start=True)]
        best: State | None = None
        while front:
            whole = [state for state in front if not state.ready]
            best = min([*whole, *([best] if best else [])], key=_price, default=None)
            going = [state for state in front if state.ready]
            if best is not None:
                going = [s for s in going if s.cost + 2 ** (self.n_bits - 1) < best.cost]
            front = self._promising(child for state in going for child in self._next(state))
        return _path(best)

    def _promising(self, children: Iterable[State]) -> list[State]:
        """The best of some plans, by the cost that they promise."""
        distinct: dict[tuple[int, tuple[int, ...]], State] = {}
        for child in children:
            key = (child.sharded, child.ready)
            if key not in distinct or _price(child) < _price(distinct[key]):
                distinct[key] = child
        found = list(distinct.values())
        if not found:
            return []
        rate = max(state.done / max(state.cost, 1) for state in found) or 1.0
        by_worth = sorted(found, key=lambda s: (-s.done, s.cost))
        by_rate = sorted(found, key=lambda s: s.cost + (self.total - s.done) / rate)
        chosen = {id(state): state for state in (*by_worth[:WIDTH], *by_rate[:WIDTH])}
        return list(chosen.values())

    def _seen(self, state: State) -> tuple[list[int], list[int]]:
        """Blocks that an exchange may make possible, and the wires that each needs for that."""
        queue = list(state.ready)
        needs: dict[int, int] = {}
        waits: dict[int, int] = {}
        asked = dict.fromkeys(queue, 0)
        for number in queue:
            block = self.blocks[number]
            need = needs[number] = asked[number] | block.moving
            if need.bit_count() > self.n_local or len(queue) > SEEN:
                continue
            for after in block.after:
                left = waits.get(after, state.waits[after]) - 1
                waits[after] = left
                asked[after] = asked.get(after, 0) | need
                if not left:
                    queue.append(after)
        return list(needs), list(needs.values())

    def _needs(self, numbers: Sequence[int], masks: Sequence[int]) -> Needs:
        worth: dict[int, float] = {}
        for number, mask in zip(numbers, masks, strict=True):
            if mask.bit_count() <= self.n_local:
                worth[mask] = worth.get(mask, 0) + self.worth[number]
        return Needs(self.n_qubits, worth)

    def _opened(self, root: State) -> Iterable[State]:
        numbers, masks = self._seen(root)
        identity = tuple(range(self.n_bits))
        last = tuple(range(self.n_local, self.n_qubits))
        options: list[Sequence[int]] = [identity, last]
        if masks:
            needs = self._needs(numbers, masks)
            options += [*choices(needs, self.n_bits, None)]
            options += [needs.better(option, option, self.n_bits) for option in (identity, last)]
        for chosen in dict.fromkeys(tuple(sorted(option)) for option in options):
            sharded = sum(1 << wire for wire in chosen)
            yield self._after(root, sharded, is_start=True)

    def _next(self, state: State) -> Iterable[State]:
        """Plans with one more exchange."""
        numbers, masks = self._seen(state)
        needs = self._needs(numbers, masks)
        old = [wire for wire in range(self.n_qubits) if state.sharded >> wire & 1]
        options = choices(needs, self.n_bits, old, thorough=self.is_small)
        for chosen in dict.fromkeys(tuple(sorted(option)) for option in options):
            sharded = sum(1 << wire for wire in chosen)
            child = self._after(state, sharded)
            if child.taken:
                yield child

    def _after(self, state: State, sharded: int, *, is_start: bool = False) -> State:
        """A plan with one more stage: all that can be done with some wires sharded."""
        waits, ready, taken = state.waits[:], list(state.ready), list[int]()
        left = []
        for number in ready:
            block = self.blocks[number]
            if block.moving & sharded:
                left.append(number)
                continue
            taken.append(number)
            for after in block.after:
                waits[after] -= 1
                if not waits[after]:
                    ready.append(after)
        k = (sharded & ~state.sharded).bit_count()
        cost = 0 if is_start else 2**self.n_bits - 2 ** (self.n_bits - k)
        return State(
            sharded, waits, tuple(sorted(left)),
            state.done + sum(self.worth[number] for number in taken),
            state.cost + cost, state.n_exchanges + (not is_start), tuple(taken), state,
        )  # fmt: skip


def _price(state: State) -> tuple[int, int]:
    return state.cost, state.n_exchanges


def _path(last: State | None) -> list[State]:
    """The states up to a last one, without the one that all start from."""
    found = []
    while last is not None and last.before is not None:
        found.append(last)
        last = last.before
    return found[::-1]
