"""Pauli words measured together: groups that commute, and shots for each.

Words commute *qubit by qubit* where on each wire they have one letter, or one of them I: turning
wires one by one then makes them diagonal. Words that only commute as a whole need gates on pairs of
wires, and there are fewer groups.

References:
    Crawford et al. (2021), Quantum 5, 385, for sorted insertion.
    Verteletskyi, Yen and Izmaylov (2020), J. Chem. Phys. 152, 124114, for words qubit by qubit.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from quilt_func._checks import (
    check_count,
    check_mixed,
    is_hidden,
    message,
)
from quilt_func.circuits import Circuit
from quilt_func.measurement import variance
from quilt_func.pauli import PauliSum
from quilt_func.shots.rotations import bits_of, rotation_of
from quilt_func.shots.sums import Sums, check_sums, ordered_words

COMMUTING = ("qubit_wise", "general")

LEAST = 2
"""Shots of a group that tell how far its values spread."""


class MeasuredGroup(NamedTuple):
    """Pauli words that are measured together.

    Attributes:
        words: Pauli words, of which any two commute.
        rotation: Clifford gates, after which the words are words of I and Z, up to a sign.
        readings: These words, in the order of `words`.
        signs: Their signs, 1 or -1.

    Examples:
        >>> from quilt_func import pauli_sum
        >>> (group,) = measurement_groups(pauli_sum({"XY": 1.0, "XI": 0.5}))
        >>> group.words, group.readings, group.signs
        (('XY', 'XI'), ('ZZ', 'ZI'), (1, 1))
        >>> [op.gate.name for op in group.rotation.ops]
        ['h', 'sdg', 'h']
    """

    words: tuple[str, ...]
    rotation: Circuit
    readings: tuple[str, ...]
    signs: tuple[int, ...]


def measurement_groups(
    observable: Sums, *, commuting: str = "qubit_wise"
) -> tuple[MeasuredGroup, ...]:
    """Groups of Pauli words that are measured together, by sorted insertion.

    Words come in the order of the size of their coefficients where these are Python numbers, and
    in their own where they are tensors; each goes to the first group all of which it commutes
    with. The word of I alone needs no measurement, and is in no group.

    Args:
        observable: A Pauli sum, or a dict that `pauli_sum` would take; or a sequence of several,
            which are measured together.
        commuting: "qubit_wise" for gates on single wires, "general" for fewer groups, and gates on
            pairs of wires.

    Returns:
        Groups, each with the gates before its measurement.

    Raises:
        TypeError: If the observable is no Pauli sum.
        ValueError: If sums are on different numbers of qubits, there is none, or there is no way
            of that name.

    Transforms:
        None: it reads a structure.

    Examples:
        >>> from quilt_func import pauli_sum
        >>> energy = pauli_sum({"ZZ": 1.0, "XX": 0.5, "YY": 0.4, "ZI": 0.1})
        >>> [group.words for group in measurement_groups(energy)]
        [('ZZ', 'ZI'), ('XX',), ('YY',)]
        >>> [group.words for group in measurement_groups(energy, commuting="general")]
        [('ZZ', 'XX', 'YY'), ('ZI',)]

    References:
        Crawford et al. (2021), Quantum 5, 385.
    """
    function = "measurement_groups"
    return groups_of(function, check_sums(function, observable), commuting)


def n_groups(observable: Sums, *, commuting: str = "qubit_wise") -> int:
    """Number of groups of Pauli words that are measured together: of circuits to run.

    Args:
        observable: As for `measurement_groups`.
        commuting: As for `measurement_groups`.

    Returns:
        The number.

    Raises:
        TypeError: If the observable is no Pauli sum.
        ValueError: As for `measurement_groups`.

    Transforms:
        None: it reads a structure.

    Examples:
        >>> from quilt_func import molecules
        >>> energy = molecules.molecule("LiH", 1.6)
        >>> len(energy.words), n_groups(energy), n_groups(energy, commuting="general")
        (100, 25, 13)
    """
    return len(groups_of("n_groups", check_sums("n_groups", observable), commuting))


def allocate_shots(
    observable: Sums, total: int, *, state: Tensor | None = None, commuting: str = "qubit_wise"
) -> tuple[int, ...]:
    """How many shots each group gets, so that the error of the sum is least.

    By the standard deviation of each group in a state, which may be a guess, or without one by the
    sum of its absolute coefficients, which bounds that. At least 2 for each group.

    Args:
        observable: As for `measurement_groups`; of several, their deviations add.
        total: Number of shots in all.
        state (complex, (2**n,) or (2**n, 2**n)): What is to be measured, or something like it.
        commuting: As for `measurement_groups`.

    Returns:
        Shots of each group, which sum to `total`.

    Raises:
        TypeError: If coefficients or the state can't be read: behind a transform, or on no device.
        ValueError: If there are too few shots, or sizes differ; else as for `measurement_groups`.

    Transforms:
        None: it reads values. Call it outside, and give what it returns to `estimate`.

    Examples:
        >>> from quilt_func import pauli_sum, zero_state
        >>> energy = pauli_sum({"Z": 3.0, "X": 1.0})
        >>> allocate_shots(energy, 1000)
        (750, 250)
        >>> allocate_shots(energy, 1000, state=zero_state(1))
        (2, 998)

    References:
        Rubin, Babbush and McClean (2018), New J. Phys. 20, 053020; Arrasmith et al. (2020),
        arXiv:2004.06252.
    """
    n_qubits = None if state is None else check_mixed("allocate_shots", state)
    sums = check_sums("allocate_shots", observable, n_qubits)
    groups = groups_of("allocate_shots", sums, commuting)
    check_count("allocate_shots", "total", total)
    if total < LEAST * len(groups):
        need, remedy = f"be at least {LEAST * len(groups)}", "Give two shots for each group."
        raise ValueError(message("allocate_shots", "total", total, need, f"{total}", remedy))
    if state is not None:
        check_mixed("allocate_shots", state, n_qubits=sums[0].n_qubits)
    leaves = [leaf for one in sums for leaf in one.leaves]
    for one in (*leaves, *([] if state is None else [state])):
        if is_hidden(one):
            raise TypeError(
                "allocate_shots(): values are read, but a tensor is behind a transform or has "
                "none. Call it outside, and give what it returns to `estimate(..., shots=...)`."
            )
    weights = np.array([_spread(sums, group, state) for group in groups])
    return _apportioned(weights, total)


def groups_of(function: str, sums: Sequence[PauliSum], commuting: Any) -> tuple[MeasuredGroup, ...]:
    """Groups of words of sums, after a check of the way."""
    if commuting not in COMMUTING:
        remedy = f"Choose from {list(COMMUTING)}."
        need, got = "be a known name", repr(commuting)
        raise ValueError(message(function, "commuting", commuting, need, got, remedy))
    return _groups(ordered_words(sums), commuting)


@lru_cache(maxsize=256)
def _groups(words: tuple[str, ...], commuting: str) -> tuple[MeasuredGroup, ...]:
    if not words:
        return ()
    agree = _qubit_wise(words) if commuting == "qubit_wise" else _general(words)
    return tuple(_measured(group, commuting) for group in _coloured(words, agree))


def _coloured(
    words: Sequence[str], agree: Callable[[int], NDArray[np.bool_]]
) -> Iterator[tuple[str, ...]]:
    """Put each word into the first group that it agrees with."""
    members: list[list[str]] = []
    welcome: list[NDArray[np.bool_]] = []
    for place, word in enumerate(words):
        row = agree(place)
        index = next((i for i, one in enumerate(welcome) if one[place]), len(members))
        if index == len(members):
            members.append([])
            welcome.append(np.ones(len(words), dtype=bool))
        members[index].append(word)
        welcome[index] &= row
    return map(tuple, members)


def _qubit_wise(words: Sequence[str]) -> Callable[[int], NDArray[np.bool_]]:
    letters = bits_of(words, "XY") + 2 * bits_of(words, "YZ")

    def agree(place: int) -> NDArray[np.bool_]:
        own = letters[place]
        return np.asarray(((letters == 0) | (own == 0) | (letters == own)).all(1))

    return agree


def _general(words: Sequence[str]) -> Callable[[int], NDArray[np.bool_]]:
    x, z = (bits_of(words, letters).astype(np.int64) for letters in ("XY", "YZ"))

    def agree(place: int) -> NDArray[np.bool_]:
        return np.asarray((x @ z[place] + z @ x[place]) % 2 == 0)

    return agree


def _measured(words: tuple[str, ...], commuting: str) -> MeasuredGroup:
    first = _single(words) if commuting == "qubit_wise" else ()
    rotation = rotation_of(words, first)
    return MeasuredGroup(words, rotation.circuit, rotation.readings, rotation.signs)


def _single(words: Sequence[str]) -> Iterator[str]:
    """A word on each wire, of the letter that words have there."""
    n = len(words[0])
    for wire in range(n):
        letter = max(word[wire] for word in words)  # I stands before the others
        yield "I" * wire + letter + "I" * (n - wire - 1)


def _spread(sums: Sequence[PauliSum], group: MeasuredGroup, state: Tensor | None) -> float:
    """The deviation of a group's value in a state, or a bound on it."""
    found = 0.0
    for one in sums:
        own = [place for place, word in enumerate(one.words) if word in group.words]
        coefficients = torch.as_tensor(one.coefficients, dtype=torch.float64).detach()[own]
        if state is None:
            found += float(coefficients.abs().sum())
        elif own:
            part = coefficients.to(state.device, state.real.dtype)
            words = tuple(one.words[place] for place in own)
            found += float(variance(state.detach(), PauliSum(words, part))) ** 0.5
    return found


def _apportioned(weights: NDArray[np.float64], total: int) -> tuple[int, ...]:
    """Split a number as weights are, at least two each, by largest remainders."""
    if not len(weights):
        return ()
    is_even = not weights.sum() > 0
    parts = np.ones_like(weights) if is_even else weights
    above = np.maximum(parts / parts.sum() * total - LEAST, 0)
    above = above if above.sum() > 0 else np.ones_like(above)
    shares = LEAST + above / above.sum() * (total - LEAST * len(weights))
    whole = np.floor(shares).astype(int)
    for place in np.argsort(whole - shares, kind="stable")[: total - int(whole.sum())]:
        whole[place] += 1
    return tuple(map(int, whole))
