r"""Classical shadows by random Clifford circuits: for fidelities, and observables of many letters.

A Clifford circuit permutes Pauli words; up to signs and a phase, it is a symplectic matrix of bits.
Every such matrix is a product of *transvections*, one for each word `h`: the gate
$(1 + i P_h) / \sqrt 2$, which multiplies words that do not commute with `h` by it. Four of them
bring the first X and Z letters to any pair of words that do not commute, and then the same is done
on one wire less: all choices are equally likely, and each gives another matrix.

A measurement then tells a stabilizer state $φ$, and $(2^n + 1) ⟨φ|O|φ⟩ - \mathrm{tr}\, O$ has
$\mathrm{tr}\, O ρ$ as its mean. Signs are left out: they would permute outcomes.

References:
    Koenig and Smolin (2014), J. Math. Phys. 55, 122202, arXiv:1406.2170, for the matrices.
    Huang, Kueng and Preskill (2020), Nature Physics 16, 1050, arXiv:2002.08953, for shadows.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.func import vmap

from quilt_func._checks import (
    COMPLEX_OF,
    REAL_OF,
    check_device,
    check_is,
    check_mixed,
    check_tensor,
    is_density,
    message,
    qubits,
    shape_error,
)
from quilt_func._model_checks import check_not_differentiated, check_observable
from quilt_func._torch import adjoint, matmul, unconjugated
from quilt_func.measurement import expval, sample, to_bits
from quilt_func.observables import Diagonal, Hermitian
from quilt_func.pauli import PauliSum
from quilt_func.shots.shadows import median_of_means
from quilt_func.shots.sums import are_several, coefficient_table, listed, ordered_words
from quilt_func.shots.values import Estimate
from quilt_func.typing import ObservableLike

MOST_QUBITS = 10
"""Beyond, single-precision uniform numbers would not tell all choices apart."""


class CliffordShadow(NamedTuple):
    """What was measured after random Clifford circuits.

    Attributes:
        states (complex, (n_shots, 2**n)): The state that each outcome stands for: the circuit's
            inverse, applied to a basis state.

    Examples:
        >>> CliffordShadow(torch.eye(2, dtype=torch.complex64)).states.shape
        torch.Size([2, 2])
    """

    states: Tensor


def clifford_shadow(state: Tensor, u: Tensor) -> CliffordShadow:
    """Measure a state after a random Clifford circuit, another one for each shot.

    Cost: `8 n` passes over `n_shots` statevectors, or as many matrices where the state is one.

    Args:
        state (complex, (2**n,) or (2**n, 2**n)): Statevector, or density matrix, `n <= 10`.
        u (real, (n_shots, 2 n + 1)): Uniform numbers in [0, 1), from `uniforms`: of each shot,
            those that choose the circuit, and one for the outcome.

    Returns:
        The state that each outcome stands for.

    Raises:
        TypeError: If the state is not complex or is being differentiated, `u` is not real, or
            devices differ.
        ValueError: If the state is not flat or too large, or `u` is not of this shape.

    Transforms:
        vmap, over states and uniform numbers.

    Examples:
        >>> from quilt_func import ghz_state, uniforms
        >>> clifford_shadow(ghz_state(3), uniforms((100, 7), 0)).states.shape
        torch.Size([100, 8])

    References:
        Koenig and Smolin (2014), J. Math. Phys. 55, 122202; Huang, Kueng and Preskill (2020),
        Nature Physics 16, 1050.
    """
    n = check_mixed("clifford_shadow", state)
    if n > MOST_QUBITS:
        need, got = f"have {MOST_QUBITS} qubits or fewer", qubits(n)
        remedy = "Measure wire by wire, with `shadow`."
        raise ValueError(message("clifford_shadow", "state", state, need, got, remedy))
    remedy = "Draw them with `uniforms((n_shots, 2 * n + 1), seed)`."
    check_tensor("clifford_shadow", "u", u, COMPLEX_OF, ("n_shots", 2 * n + 1), remedy)
    check_device("clifford_shadow", state, u)
    check_not_differentiated("clifford_shadow", "state", state)
    if not len(u):
        raise shape_error("clifford_shadow", "u", u, "hold one shot or more", remedy)
    steps = transvections(u[:, : 2 * n], n)
    outcomes = vmap(sample)(_after(steps, unconjugated(state), len(u)), u[:, 2 * n])
    basis = torch.arange(2**n, device=u.device)
    found = (outcomes[:, None] == basis).to(state.dtype)[..., None]
    for x, z in reversed(steps):
        found = _turned(found, x, z, -1)
    return CliffordShadow(found[..., 0])


def clifford_shadow_estimate(
    shadow: CliffordShadow,
    observable: ObservableLike | Sequence[ObservableLike],
    *,
    n_groups: int = 1,
) -> Estimate:
    """Expectation value from a shadow by Clifford circuits: the mean, or a median of means.

    The variance of a shot's value is at most `3 tr(O**2)` for an observable without trace, whatever
    its letters: 3 for a fidelity with a pure state, but `3 * 2**n` for a Pauli word.

    Args:
        shadow: As of `clifford_shadow`.
        observable: Pauli sum, Hermitian or diagonal observable, or a dict that `pauli_sum` would
            take; or a sequence of `k` of them.
        n_groups: As for `shadow_estimate`.

    Returns:
        Estimate, (real, ()) or (real, (k,)); as for `shadow_estimate`.

    Raises:
        TypeError: If the shadow is not one of complex tensors, the observable is of another kind,
            or dtypes or devices differ.
        ValueError: If sizes differ, there are fewer than two shots, or `n_groups` is even or does
            not divide the number of shots.

    Transforms:
        vmap, over shadows and observables' leaves; grad, jvp, hessian, in those leaves.

    Examples:
        >>> from quilt_func import ghz_state, hermitian, uniforms
        >>> state = ghz_state(3)
        >>> found = clifford_shadow(state, uniforms((1000, 7), 0))
        >>> clifford_shadow_estimate(found, hermitian(torch.outer(state, state.conj())))
        Estimate(mean=tensor(1.0216), error=tensor(0.0377))

    References:
        Huang, Kueng and Preskill (2020), Nature Physics 16, 1050, supplementary section 5.
    """
    function, remedy = "clifford_shadow_estimate", "Make it with `clifford_shadow(state, u)`."
    check_is(function, "shadow", shadow, CliffordShadow, "be a Clifford shadow", remedy)
    check_tensor(function, "shadow", shadow.states, REAL_OF, ("n_shots", "2**n"), remedy)
    n_shots, size = shadow.states.shape
    if n_shots < 2:
        need, got = "have two shots or more", f"{n_shots}"
        raise ValueError(message(function, "shadow", shadow.states, need, got, remedy))
    given = [check_observable(function, one, size.bit_length() - 1) for one in listed(observable)]
    traces = []
    for one in given:
        remedy = "Make one with `pauli_sum`, `hermitian` or `diagonal`."
        kinds = (PauliSum, Hermitian, Diagonal)
        check_is(function, "observable", one, kinds, "be of a known kind", remedy)
        traces.append(_trace(one, shadow.states.real))
    means = vmap(lambda state: expval(state, given))(shadow.states)
    values = (size + 1) * means - torch.stack(traces)
    found = median_of_means(function, values, n_groups)
    return found if are_several(observable) else Estimate(*(one[0] for one in found))


def transvections(u: Tensor, n: int) -> list[tuple[Tensor, Tensor]]:
    """Words `(x, z)` of bits `(n_shots, n)`, whose gates in this order are a random Clifford."""
    steps: list[tuple[Tensor, Tensor]] = []
    for level in range(1, n + 1):  # on the last wires
        numbers = u[:, 2 * (n - level) : 2 * (n - level) + 2]
        for word in _level(numbers, level):
            padded = torch.nn.functional.pad(word, (2 * (n - level), 0))
            steps.append((padded[:, 0::2], padded[:, 1::2]))
    return steps


def _level(numbers: Tensor, n: int) -> list[Tensor]:
    """Words `(n_shots, 2 n)` of four transvections; bits are x and z of one wire, then the next.

    The first two bring the first X to a word `f`, by way of a word that commutes with neither; the
    other two then bring the first Z to any word that does not commute with `f`.
    """
    choices = (numbers.to(torch.float64) * numbers.new_tensor([4**n - 1, 2 ** (2 * n - 1)])).floor()
    first = choices[:, 0].clamp(max=4**n - 2).to(torch.int64) + 1
    second = to_bits(choices[:, 1].clamp(max=2 ** (2 * n - 1) - 1).to(torch.int64), 2 * n - 1)
    f = to_bits(first, 2 * n)
    start = torch.zeros_like(f)
    start[:, 0] = 1
    middle = _between(f)
    one, two = start ^ middle, middle ^ f
    rest = torch.cat([start[:, :1], torch.zeros_like(f[:, :1]), second[:, 1:]], 1)
    three = _carried(_carried(rest, one), two)
    return [one, two, three, f * (1 - second[:, :1])]


def _between(f: Tensor) -> Tensor:
    """A word that commutes neither with the first X nor with a word `f`."""
    is_beyond = (f[:, :1] | f[:, 1:2]) == 0
    head = torch.cat([f[:, 1:2] & (1 ^ f[:, :1]), torch.ones_like(f[:, :1])], 1)
    tail = f[:, 2:]
    leading = tail * (tail.cumsum(1) == 1) * is_beyond
    partner = leading.unflatten(1, (-1, 2)).flip(-1).flatten(1) if tail.shape[1] else tail
    return torch.cat([head, partner], 1)


def _carried(word: Tensor, h: Tensor) -> Tensor:
    """A word after the transvection of another."""
    x, z = word[:, 0::2], word[:, 1::2]
    product = (x * h[:, 1::2] + z * h[:, 0::2]).sum(1, keepdim=True) % 2
    return word ^ (product * h)


def _after(steps: Sequence[tuple[Tensor, Tensor]], state: Tensor, n_shots: int) -> Tensor:
    """Amplitudes `(n_shots, 2**n)` of the outcomes' probabilities after each shot's circuit."""
    matrix = state if is_density(state) else state[:, None]
    found = matrix.expand(n_shots, *matrix.shape)
    for x, z in steps:
        found = _turned(found, x, z, 1)
    if not is_density(state):
        return found[..., 0]
    whole = torch.eye(len(state), dtype=state.dtype, device=state.device).expand_as(found)
    for x, z in steps:
        whole = _turned(whole, x, z, 1)
    p = (found * adjoint(whole).mT).real.sum(-1).clamp(min=0)
    return torch.complex(p.sqrt(), torch.zeros_like(p))


def _turned(columns: Tensor, x: Tensor, z: Tensor, sign: int) -> Tensor:
    """Columns `(n_shots, 2**n, m)` after `(1 ± i P) / √2`, with the word of each shot.

    `P|b⟩ = i^y (-1)^(b·z) |b ⊕ x⟩`, with `y` the number of Y.
    """
    n, real = x.shape[1], columns.dtype.to_real()
    basis = torch.arange(2**n, device=x.device)
    powers = 1 << torch.arange(n - 1, -1, -1, device=x.device)
    source = basis ^ (x * powers).sum(1, keepdim=True)
    parities = matmul(z.to(real), to_bits(basis, n).to(real).mT) % 2
    turns = torch.tensor([1, -1j, -1, 1j], dtype=columns.dtype, device=x.device)
    phases = turns[(x * z).sum(1) % 4][:, None] * (1 - 2 * parities)
    index = source[..., None].expand_as(columns)
    return (columns + sign * 1j * phases[..., None] * columns.gather(1, index)) / 2**0.5


def _trace(observable: Any, like: Tensor) -> Tensor:
    found: Tensor
    if isinstance(observable, PauliSum):
        table = coefficient_table([observable], ordered_words([observable]), like)
        found = table[-1, 0] * 2**observable.n_qubits
    elif isinstance(observable, Diagonal):
        found = observable.values.sum()
    else:
        found = observable.matrix.diagonal().real.sum()
    return found
