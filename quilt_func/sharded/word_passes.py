"""Which Pauli words are measured together on a sharded state, and what is sent for them.

A word with I and Z only on the wires of a rank's number is one on the rank's own amplitudes, with
the sign of its bits. Others have X or Y there: one exchange that brings those wires in serves all
words that flip no other wires than are local then, and sends `1 - 2**-k` of a rank's amplitudes for
`k` wires. A partner's amplitudes are all of them, for all words that flip the same wires of the
rank's number: they are asked for where a word flips more wires than a rank has, or where exchanges
would send more.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from quilt_func._collectives import Ranks
from quilt_func.sharded.moving import Move
from quilt_func.sharded.planning import planned_exchange
from quilt_func.typing import WireSet


class Pass(NamedTuple):
    """Words that are measured on the same amplitudes.

    Attributes:
        terms: Their numbers.
        letters: What each is on the local wires, in the layout's order.
        signs: What each has on the wires of the rank's number: ±1, and bits of that number whose
            parity is another sign.
        move: The exchange before; None where none is needed.
        partner: Bits of the rank's number that the words flip.
        is_odd: Whether they have an odd number of Y there, and so a factor of i.
    """

    terms: tuple[int, ...]
    letters: tuple[str, ...]
    signs: tuple[tuple[int, int], ...]
    move: Move | None = None
    partner: int = 0
    is_odd: bool = False

    def signs_on(self, ranks: Ranks) -> list[float]:
        """The sign of each word at this rank, by the bits of the rank whose amplitudes it takes."""
        source = ranks.rank ^ self.partner
        return [sign * (-1.0) ** (bits & source).bit_count() for sign, bits in self.signs]


@lru_cache(maxsize=256)
def passes_for(words: tuple[str, ...], order: WireSet, n_bits: int) -> tuple[Pass, ...]:
    """Passes over the state that measure all words, with few exchanges.

    Args:
        words: Pauli words, a letter for each wire.
        order: All wires, the first `n_bits` of which are those of the rank's number.
        n_bits: How many these are.
    """
    masks = [_mask([word[wire] for wire in order[:n_bits]], "XY") for word in words]
    most = len(order) - n_bits
    here = [term for term, mask in enumerate(masks) if not mask]
    across = [term for term, mask in enumerate(masks) if mask]
    wide = {masks[term] for term in across if len(_flipped(words[term])) > most}
    groups = _groups(words, [term for term in across if masks[term] not in wide], most)
    moves = [_move(group.flipped, order, n_bits) for group in groups]
    by_exchange = sum(1 - 2 ** -len(move.places) for move in moves)
    if by_exchange > len({masks[term] for term in across} - wide):
        groups, moves, wide = [], [], set(masks)
    found = [_pass(words, here, order, n_bits)] if here else []
    for group, move in zip(groups, moves, strict=True):
        after = planned_exchange(order, n_bits, *move).order
        found.append(_pass(words, group.terms, after, n_bits)._replace(move=move))
    left = [term for term in across if masks[term] in wide]
    return (*found, *_by_partner(words, left, order, n_bits))


@lru_cache(maxsize=256)
def passes_in_place(words: tuple[str, ...], order: WireSet, n_bits: int) -> tuple[Pass, ...]:
    """Passes that leave the layout as it is: one for each set of wires flipped across ranks."""
    return tuple(_by_partner(words, range(len(words)), order, n_bits))


@dataclass
class _Group:
    """Words that flip no more wires together than a rank has."""

    flipped: frozenset[int] = frozenset()
    terms: list[int] = field(default_factory=list)


def _groups(words: Sequence[str], terms: Sequence[int], most: int) -> list[_Group]:
    """Each word joins the group that flips most of its wires already, if there is room."""
    found: list[_Group] = []
    for term in sorted(terms, key=lambda term: -len(_flipped(words[term]))):
        own = _flipped(words[term])
        fitting = [group for group in found if len(group.flipped | own) <= most]
        if not fitting:
            found.append(_Group())
        group = min(fitting or found[-1:], key=lambda one: len(own - one.flipped))
        group.flipped |= own
        group.terms.append(term)
    return found


def _flipped(word: str) -> frozenset[int]:
    return frozenset(wire for wire, letter in enumerate(word) if letter in "XY")


def _move(needed: frozenset[int], order: WireSet, n_bits: int) -> Move:
    places = tuple(place for place in range(n_bits) if order[place] in needed)
    free = [wire for wire in reversed(order[n_bits:]) if wire not in needed]
    return Move(places, tuple(free[: len(places)]))


def _by_partner(
    words: Sequence[str], terms: Sequence[int], order: WireSet, n_bits: int
) -> Iterator[Pass]:
    groups: dict[tuple[int, bool], list[int]] = {}
    for term in terms:
        letters = [words[term][wire] for wire in order[:n_bits]]
        key = _mask(letters, "XY"), letters.count("Y") % 2 == 1
        groups.setdefault(key, []).append(term)
    for (partner, is_odd), members in sorted(groups.items()):
        found = _pass(words, members, order, n_bits)
        yield found._replace(partner=partner, is_odd=is_odd)


def _pass(words: Sequence[str], terms: Sequence[int], order: WireSet, n_bits: int) -> Pass:
    """A pass in a layout. A word maps `|b⟩` to `i^y (-1)^(b·z) |b ⊕ x⟩` on a rank's number, too."""
    letters = tuple("".join(words[term][wire] for wire in order[n_bits:]) for term in terms)
    across = [[words[term][wire] for wire in order[:n_bits]] for term in terms]
    signs = tuple(((-1) ** (one.count("Y") // 2), _mask(one, "YZ")) for one in across)
    return Pass(tuple(terms), letters, signs)


def _mask(letters: Sequence[str], which: str) -> int:
    """Bits of the rank's number, the first letter's most significant."""
    return sum(1 << place for place, one in enumerate(reversed(letters)) if one in which)
