"""Pauli words on sharded states: what a rank has of the value of each, and of their images."""

from collections.abc import Sequence
from itertools import groupby

import torch
from torch import Tensor

from quilt_func._collectives import Ranks, of_partner
from quilt_func._torch import as_seen_here, constant
from quilt_func.pauli import PauliSum, word_image, word_overlaps, word_values
from quilt_func.sharded.layouts import ShardedState
from quilt_func.sharded.moving import moved
from quilt_func.sharded.word_passes import Pass, passes_for, passes_in_place


def own_values(words: tuple[str, ...], state: ShardedState) -> Tensor:
    """What each word's expectation value has from this rank, `(n_words,)`: their sum is the value.

    Amplitudes that were sent for a pass are let go after it, unless autograd keeps them.
    """
    layout = state.layout
    plan = passes_for(words, layout.order, layout.ranks.n_bits)
    found: list[Tensor] = []
    for (move, partner), group in groupby(plan, lambda one: (one.move, one.partner)):
        here = state if move is None else moved(state, move)
        ket = of_partner(layout.ranks, partner, state.local)
        for one in group:
            values = _values(one, here.local, ket)
            found.append(values * _signs(one, layout.ranks, state.local))
    order = [term for one in plan for term in one.terms]
    joined = torch.cat(found)
    return joined if order == sorted(order) else joined[_inverse(order)]


def own_image(observable: PauliSum, coefficients: Tensor, state: ShardedState) -> Tensor:
    """This rank's part of the state `O|ψ⟩`, in the state's layout.

    Args:
        observable: Pauli sum.
        coefficients (real, (n_words,)): Its coefficients, as this rank's own.
        state: State.
    """
    layout = state.layout
    total: Tensor | None = None
    plan = passes_in_place(observable.words, layout.order, layout.ranks.n_bits)
    for partner, group in groupby(plan, lambda one: one.partner):
        ket = of_partner(layout.ranks, partner, state.local)
        for one in group:
            chosen = coefficients[list(one.terms)] * _signs(one, layout.ranks, state.local)
            part = word_image(one.letters, chosen, _turned(one, ket))
            total = part if total is None else total + part
    assert total is not None, "there is a word"
    return total


def coefficients_of(observable: PauliSum, like: Tensor) -> Tensor:
    """The coefficients as a tensor; numbers take the precision and device of a state."""
    given = observable.coefficients
    if isinstance(given, Tensor):
        return given
    return as_seen_here(constant(given, like.dtype.to_real(), like.device))


def _values(one: Pass, local: Tensor, ket: Tensor) -> Tensor:
    if not one.partner:
        return word_values(one.letters, local)
    return word_overlaps(one.letters, local, _turned(one, ket))


def _turned(one: Pass, ket: Tensor) -> Tensor:
    """A partner's amplitudes with the factor of i that an odd number of Y has."""
    return 1j * ket if one.is_odd else ket


def _signs(one: Pass, ranks: Ranks, like: Tensor) -> Tensor:
    signs = one.signs_on(ranks)
    return as_seen_here(constant(signs, like.dtype.to_real(), like.device))


def _inverse(order: Sequence[int]) -> list[int]:
    return sorted(range(len(order)), key=order.__getitem__)
