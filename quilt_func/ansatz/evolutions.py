"""Evolution under a Pauli sum as circuit parts: exact where its words commute, else in steps."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import torch
from torch import Tensor

from quilt_func._checks import (
    COMPLEX_OF,
    a_kind,
    check_count,
    check_is,
    common_dtype_and_device,
    describe,
    is_number,
    message,
)
from quilt_func.gates import pauli_rot, rx, rxx, ry, ryy, rz, rzz
from quilt_func.ops import Gate
from quilt_func.pauli import PauliSum, SumLike, as_sum
from quilt_func.typing import Parts, Scalar, WireSet

ORDERS = (1, 2, 4)
_NAMED: dict[str, Gate] = {"X": rx, "Y": ry, "Z": rz, "XX": rxx, "YY": ryy, "ZZ": rzz}
_INNER = 1 / (4 - 4 ** (1 / 3))
"""The share of time in Suzuki's fourth-order formula of each of its outer steps."""


class _Group(NamedTuple):
    """Terms of the same letters: their places in the sum and their wires."""

    letters: str
    places: list[int]
    wires: list[WireSet]


def pauli_evolution(
    observable: SumLike, t: Scalar, order: int = 2, *, n_steps: int = 1
) -> tuple[Parts, ...]:
    r"""Evolution $e^{-iHt}$ under a Pauli sum $H$, by the formulas of Trotter and Suzuki.

    Where all words commute it is exact, and one step is made whatever `n_steps` is. Otherwise a
    step of order 1 turns about one word after another, words of the same letters next to each
    other; order 2 does so with half the angles there and back; order 4 is five steps of order 2.
    The error of the whole falls as `n_steps ** -order`. Words of I alone give a global phase.

    Args:
        observable: Pauli sum $H$, or a dict that `pauli_sum` would take.
        t (real, ()): Time: a Python number or a tensor.
        order: 1, 2 or 4.
        n_steps: Number of equal steps.

    Returns:
        Rotations about words, one op for equal letters on different wires.

    Raises:
        TypeError: If `observable` is not a Pauli sum, `t` no real number, or dtypes differ.
        ValueError: If `t` is not 0-d, `order` is another, or there are no steps.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in `t` and the coefficients.

    Examples:
        >>> from quilt_func import circuit, problems
        >>> chain = problems.transverse_field_ising(3, field=0.5)
        >>> [op.gate.name for op in circuit(3, pauli_evolution(chain, 0.1, order=1)).ops]
        ['rzz', 'rx']
        >>> exact = torch.linalg.matrix_exp(-0.4j * chain.to_matrix())
        >>> for order in (1, 2, 4):
        ...     steps = circuit(3, pauli_evolution(chain, 0.4, order, n_steps=2))
        ...     print(f"{(steps.unitary(dtype=torch.complex128) - exact).abs().max():.0e}")
        7e-02
        5e-03
        3e-05

    References:
        Trotter (1959), Proc. Am. Math. Soc. 10, 545; Suzuki (1991), J. Math. Phys. 32, 400; Childs
        et al. (2021), Phys. Rev. X 11, 011020, for the errors.
    """
    observable, remedy = as_sum(observable), "Make one with `pauli_sum`."
    check_is("pauli_evolution", "observable", observable, PauliSum, "be a PauliSum", remedy)
    if isinstance(order, bool) or order not in ORDERS:
        need = "be 1, 2 or 4"
        got, remedy = describe(order), "Order 2 is the usual choice."
        raise ValueError(message("pauli_evolution", "order", order, need, got, remedy))
    check_count("pauli_evolution", "n_steps", n_steps, minimum=1)
    angles = _angles(observable, t)
    groups = _groups(observable.words, angles)
    if _all_commute(observable.words):
        return _product(groups, angles, 1.0)
    shares = [share / n_steps for share in _shares(order)]
    if order == 1:
        return _product(groups, angles, shares[0]) * n_steps
    steps = [_there_and_back(groups, angles, share, observable.words) for share in shares]
    return tuple(part for step in steps for part in step) * n_steps


def _angles(observable: PauliSum, t: Any) -> Tensor | list[float]:
    """The angle of each term's rotation, $2 c t$."""
    given = observable.coefficients
    if isinstance(t, Tensor):
        if t.dtype not in COMPLEX_OF or t.ndim:
            need, remedy = "be a real number, 0-d", "Map over times with `torch.func.vmap`."
            kind = ValueError if t.dtype in COMPLEX_OF else TypeError
            raise kind(message("pauli_evolution", "t", t, need, describe(t), remedy))
        common_dtype_and_device("pauli_evolution", [t, *observable.leaves])
        if isinstance(given, Tensor):
            return (given + given) * t
        return torch.tensor([2 * c for c in given], dtype=t.dtype, device=t.device) * t
    if not is_number(t):
        need, remedy = "be a real number", "Give a Python number or a 0-d tensor."
        raise TypeError(message("pauli_evolution", "t", t, need, a_kind(t), remedy))
    return given * (2 * t) if isinstance(given, Tensor) else [2 * c * t for c in given]


def _groups(words: Sequence[str], angles: Tensor | list[float]) -> list[_Group]:
    """Terms of the same letters together; Python numbers are shared, so they must be equal too."""
    found: dict[Any, _Group] = {}
    for i, word in enumerate(words):
        wires = tuple(wire for wire, letter in enumerate(word) if letter != "I") or (0,)
        letters = "".join(word[wire] for wire in wires)
        key = letters if isinstance(angles, Tensor) else (letters, angles[i])
        group = found.setdefault(key, _Group(letters, [], []))
        group.places.append(i)
        group.wires.append(wires)
    return list(found.values())


def _product(
    groups: Sequence[_Group], angles: Tensor | list[float], share: float, *, is_back: bool = False
) -> tuple[Parts, ...]:
    """One rotation after another, through a share of their angles."""
    parts = []
    for letters, places, wires in reversed(groups) if is_back else groups:
        ways = slice(None, None, -1 if is_back else 1)
        places, wires = places[ways], wires[ways]
        if isinstance(angles, Tensor):
            theta: Any = angles[places] * share
        else:
            theta = angles[places[0]] * share
        row = _NAMED.get(letters)
        sets: Any = [wire for (wire,) in wires] if len(letters) == 1 else wires
        parts.append(row(theta, sets) if row else pauli_rot(theta, letters, sets))
    return tuple(parts)


def _there_and_back(
    groups: Sequence[_Group], angles: Tensor | list[float], share: float, words: Sequence[str]
) -> tuple[Parts, ...]:
    """Half the angles in order and in reverse; in the middle a group that commutes turns once."""
    last = groups[-1]
    joins = _all_commute([words[place] for place in last.places])
    middle = [last] if joins else []
    outer = groups[:-1] if joins else groups
    there = _product(outer, angles, share / 2), _product(middle, angles, share)
    return (*there[0], *there[1], *_product(outer, angles, share / 2, is_back=True))


def _shares(order: int) -> tuple[float, ...]:
    """Shares of time of the steps of lower order that one of an order is made of."""
    if order < 4:
        return (1.0,)
    return (_INNER, _INNER, 1 - 4 * _INNER, _INNER, _INNER)


def _all_commute(words: Sequence[str]) -> bool:
    return all(_commute(a, b) for a, b in combinations(dict.fromkeys(words), 2))


def _commute(a: str, b: str) -> bool:
    """Words commute if they differ, but for I, on an even number of wires."""
    return sum("I" not in (x, y) and x != y for x, y in zip(a, b, strict=True)) % 2 == 0
