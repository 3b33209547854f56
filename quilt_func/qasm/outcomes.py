"""What a program measures: a number for each measurement, and at the end a key.

Every measurement has a key of its own, so that a bit that is measured again is still read as it was
before. The key is the name of the bit that holds it at the end, such as `c[0]`: of several, that of
the bit that it was measured into, or else of the first. Others are `c[0]@1`, `c[0]@2` and so on.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from quilt_func.instruments import conditional, measure
from quilt_func.ops import Op
from quilt_func.qasm.tables import Table, known, outcome


class Measured(NamedTuple):
    """A wire that is measured, and which measurement it is."""

    wire: int
    number: int


class Held(NamedTuple):
    """An op that waits for a condition."""

    op: Op
    condition: Table


Item = Op | Measured | Held


class Outcomes:
    """The bits of a program, what they hold now, and all that was measured."""

    def __init__(self) -> None:
        self.labels: list[str] = []
        self.values: list[Table] = []
        self.measured: list[str] = []

    def declare(self, name: str, size: int | None) -> int | list[int]:
        """Bits that are 0, as no program should rely on, but many do."""
        first, count = len(self.values), 1 if size is None else size
        self.labels += [name] if size is None else [f"{name}[{i}]" for i in range(count)]
        self.values += [known(0, 1)] * count
        return first if size is None else [*range(first, first + count)]

    def measure(self, wire: int, bit: int | None, label: str) -> Measured:
        """Measure a wire into a bit, if into any."""
        number = len(self.measured)
        self.measured.append(label if bit is None else self.labels[bit])
        if bit is not None:
            self.values[bit] = outcome(number)
        return Measured(wire, number)

    def keys(self, bits: Iterable[int]) -> list[str]:
        """The key of each measurement; what some bits hold has their names."""
        names: dict[int, str] = {}
        for bit in bits:
            number, label = _measurement(self.values[bit]), self.labels[bit]
            if number is not None and (number not in names or self.measured[number] == label):
                names[number] = label
        count: Counter[str] = Counter()
        found = []
        for number, label in enumerate(self.measured):
            count[label] += 1
            found.append(names.get(number, f"{label}@{count[label]}"))
        return found


def _measurement(value: Table) -> int | None:
    """The measurement whose bit this is, as it was."""
    is_bit = len(value.measured) == 1 and value.values.tolist() == [0, 1]
    return value.measured[0] if is_bit else None


def ops_of(items: Iterable[Item], keys: Sequence[str]) -> list[Op]:
    """The ops, with keys for numbers."""
    return [_op(item, keys) for item in items]


def _op(item: Item, keys: Sequence[str]) -> Op:
    if isinstance(item, Op):
        return item
    if isinstance(item, Measured):
        return measure(item.wire, keys[item.number])
    condition = item.condition
    read = [keys[number] for number in condition.measured]
    (places,) = np.nonzero(condition.values)
    if len(places) > 1:
        return conditional(read, item.op, table=condition.values.tolist())
    bits = tuple(int(places[0]) >> i & 1 for i in reversed(range(len(read))))
    return conditional(read, item.op, bits if len(bits) > 1 else bits[0])
