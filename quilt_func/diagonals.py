"""Costs of bit strings: tables of them as diagonal observables, and their Pauli words.

Bit `b` of a string is the basis state of its wire, wire 0 first, with the eigenvalue 1 - 2b of Z.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

from quilt_func._amplitudes import walsh_transform
from quilt_func._checks import (
    check_count,
    check_is,
    check_real_dtype,
    describe,
    kind_error,
    message,
)
from quilt_func.observables import Diagonal
from quilt_func.pauli import PauliSum, SumLike, as_sum
from quilt_func.typing import Device, WireSet

Cost: TypeAlias = Callable[[str], float]


def cost_diagonal(
    cost: Cost | Mapping[str, float] | Sequence[float],
    n_qubits: int,
    *,
    dtype: torch.dtype = torch.float32,
    device: Device = None,
) -> Diagonal:
    """Tabulate the costs of all bit strings.

    Equal costs are kept as they are: any of the cheapest strings is then a solution.

    Args:
        cost: A function from strings such as "010" to numbers, called once for each of the
            `2**n_qubits` strings; or a mapping from strings, or the table, in the order of
            binary numbers with wire 0 as the most significant bit.
        n_qubits: Length of the strings.
        dtype: float32 or float64.
        device: Torch device of the table.

    Returns:
        The observable whose entry `b` is the cost of the string `b`.

    Raises:
        TypeError: If `cost` is of another kind or gives something else than real numbers.
        ValueError: If the table is of the wrong length, or a cost is NaN or infinite.

    Transforms:
        None: it calls a Python function. `diagonal` takes a tensor, with its gradient.

    Examples:
        >>> cost_diagonal(lambda bits: bits.count("1"), 2).values
        tensor([0., 1., 1., 2.])
    """
    check_count("cost_diagonal", "n_qubits", n_qubits)
    check_real_dtype("cost_diagonal", dtype)
    strings = bit_strings(n_qubits)
    given = zip(strings, _listed(cost, strings), strict=True)
    values = [checked_cost("cost_diagonal", string, value) for string, value in given]
    return Diagonal(torch.tensor(values, dtype=dtype, device=device))


def bit_strings(n_qubits: int) -> list[str]:
    """All bit strings of a length, in the order of a statevector's entries.

    Args:
        n_qubits: Length.

    Returns:
        `2**n_qubits` strings; wire 0 comes first.

    Raises:
        TypeError: If `n_qubits` is not an int.
        ValueError: If it is negative.

    Transforms:
        None: it has no tensor argument.

    Examples:
        >>> bit_strings(2)
        ['00', '01', '10', '11']
    """
    check_count("bit_strings", "n_qubits", n_qubits)
    return [f"{index:0{n_qubits}b}"[:n_qubits] for index in range(2**n_qubits)]


def to_diagonal(observable: SumLike, *, dtype: torch.dtype = torch.float32) -> Diagonal:
    r"""Table of a Pauli sum of the letters I and Z, by the Walsh-Hadamard transform.

    Args:
        observable: Pauli sum, or a dict that `pauli_sum` would take.
        dtype: Of the result, where the coefficients are Python numbers.

    Returns:
        The same observable as a `Diagonal`, with entries $\sum_t c_t (-1)^{|m_t \wedge b|}$.

    Raises:
        TypeError: If the observable is not a Pauli sum.
        ValueError: If a word has the letters X or Y.

    Transforms:
        vmap, grad, jvp, hessian, in the coefficients.

    Examples:
        >>> from quilt_func import pauli_sum
        >>> to_diagonal(pauli_sum({"ZI": 1.0, "ZZ": 0.5})).values
        tensor([ 1.5000,  0.5000, -1.5000, -0.5000])

    References:
        Hadfield (2021), ACM Trans. Quantum Comput. 2 (4), 18, section 3.
    """
    observable = as_sum(observable)
    given = z_coefficients("to_diagonal", "observable", observable, dtype)
    digits = str.maketrans("IZ", "01")
    masks = [int(f"0{word.translate(digits)}", 2) for word in observable.words]
    empty = torch.zeros(2**observable.n_qubits, dtype=given.dtype, device=given.device)
    places = torch.tensor(masks, dtype=torch.int64, device=given.device)
    return Diagonal(walsh_transform(empty.index_add(0, places, given)))


def from_diagonal(observable: Diagonal) -> PauliSum:
    r"""Pauli sum of a table: the inverse of `to_diagonal`, with all $2^n$ words of I and Z.

    Args:
        observable: Diagonal observable.

    Returns:
        The same observable as a Pauli sum; coefficients that vanish are kept.

    Raises:
        TypeError: If the observable is not diagonal.

    Transforms:
        vmap, grad, jvp, hessian, in the values.

    Examples:
        >>> from quilt_func import diagonal
        >>> from_diagonal(diagonal(torch.tensor([0.0, 1.0]))).coefficients
        tensor([ 0.5000, -0.5000])
    """
    remedy = "Make one with `diagonal`."
    check_is("from_diagonal", "observable", observable, Diagonal, "be a Diagonal", remedy)
    words = [bits.replace("0", "I").replace("1", "Z") for bits in bit_strings(observable.n_qubits)]
    return PauliSum(tuple(words), walsh_transform(observable.values) / len(words))


def z_coefficients(
    function: str, argument: str, observable: Any, dtype: torch.dtype, device: Device = None
) -> Tensor:
    """Coefficients of a Pauli sum of the letters I and Z; Python numbers take dtype and device."""
    remedy = "Make one with `pauli_sum` or `from_diagonal`."
    check_is(function, argument, observable, PauliSum, "be a PauliSum", remedy)
    for word in observable.words:
        if set(word) - set("IZ"):
            need, remedy = "have words of I and Z", "Only those have a cost for every bit string."
            raise ValueError(message(function, argument, observable, need, repr(word), remedy))
    check_real_dtype(function, dtype)
    given = observable.coefficients
    is_tensor = isinstance(given, Tensor)
    return given if is_tensor else torch.tensor(given, dtype=dtype, device=device)


def z_wires(word: str) -> WireSet:
    """Wires with a Z in a Pauli word."""
    return tuple(wire for wire, letter in enumerate(word) if letter == "Z")


def checked_cost(function: str, string: str, value: Any, argument: str = "cost") -> float:
    """Refuse a cost that is no number, or none that can be compared and averaged."""
    number = value.tolist() if hasattr(value, "tolist") else value  # of numpy or torch
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        need, remedy = "give real numbers", "Return a Python number."
        raise TypeError(message(function, argument, string, need, describe(value), remedy))
    if not math.isfinite(number):
        need, remedy = "give finite numbers", "Give a forbidden string a large cost instead."
        raise ValueError(message(function, argument, string, need, f"{number}", remedy))
    return float(number)


def _listed(cost: Any, strings: list[str]) -> list[Any]:
    """The costs of all strings, whichever way they are given."""
    if isinstance(cost, Mapping):
        missing = [string for string in strings if string not in cost]
        given = [cost[string] for string in strings if string in cost]
        if missing or len(cost) != len(strings):
            need = f"hold all {len(strings)} bit strings and nothing else"
            got = f"{len(cost)} keys without {missing[0]!r}" if missing else f"{len(cost)} keys"
            raise ValueError(message("cost_diagonal", "cost", cost, need, got, "Complete it."))
        return given
    if callable(cost):
        return [cost(string) for string in strings]
    if not isinstance(cost, Sequence) or isinstance(cost, str):
        need = "be a function, a mapping or a sequence"
        remedy = "Give a function of a bit string; for a tensor, call `diagonal`."
        raise kind_error("cost_diagonal", "cost", cost, need, remedy)
    if len(cost) != len(strings):
        need, remedy = f"have {len(strings)} entries", "Give one cost for every bit string."
        raise ValueError(message("cost_diagonal", "cost", cost, need, f"{len(cost)}", remedy))
    return list(cost)
