"""Measurements: from a state to numbers. Sampling takes its random numbers as an argument."""

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from quilt_func._amplitudes import split_wires
from quilt_func._checks import (
    COMPLEX_OF,
    check_count,
    check_device,
    check_is,
    check_mixed,
    check_state,
    check_tensor,
    check_wires,
    common_dtype_and_device,
    describe,
    is_density,
    message,
    shape_error,
)
from quilt_func._density_measurement import expectation, populations, product_of_deviations
from quilt_func._model_checks import check_not_differentiated, check_observable
from quilt_func._sampling import place_of
from quilt_func._torch import matmul, tree_leaves, unconjugated
from quilt_func.observables import Diagonal
from quilt_func.pauli import PauliSum, SumLike, as_sum, expectations_at_once
from quilt_func.typing import Observable, ObservableLike


def expval(state: Tensor, observable: ObservableLike | Sequence[ObservableLike]) -> Tensor:
    r"""Expectation value ⟨ψ|O|ψ⟩, or tr(O ρ), of one observable, or of several.

    Equal to `torch.vdot(state, O @ state).real`, without building the matrix `O`.

    Args:
        state (complex, (2**n_qubits,) or (2**n_qubits, 2**n_qubits)): Normalised statevector, or
            density matrix; wire 0 is the most significant bit.
        observable: A Pauli sum, Hermitian or diagonal observable, or a dict that `pauli_sum` would
            take; or a sequence of `k` of them.

    Returns:
        (real, () or (k,)): Expectation values, in the units of the coefficients.

    Raises:
        TypeError: If the state is not complex, or dtypes or devices differ.
        ValueError: If the observable acts on another number of qubits.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in the state and in the observable's leaves.

    Examples:
        >>> from quilt_func import pauli_sum, zero_state
        >>> expval(zero_state(2), pauli_sum({"ZI": 1.0}))
        tensor(1.)
        >>> expval(zero_state(2), [{"ZI": 1.0, "XX": 0.5}, {("Z", (1,)): 2.0}])
        tensor([1., 2.])

    References:
        Nielsen and Chuang (2010), section 2.2.5.
    """
    n = check_mixed("expval", state)
    if not isinstance(observable, (list, tuple)):
        return _expectation(state, check_observable("expval", observable, n))
    if not observable:
        remedy = "Give at least one observable."
        raise ValueError(message("expval", "observable", [], "not be empty", "none", remedy))
    given = [check_observable("expval", one, n) for one in observable]
    sums = [one for one in given if isinstance(one, PauliSum)]
    if len(sums) == len(given) and not is_density(state):
        return expectations_at_once(sums, state)
    return torch.stack([_expectation(state, one) for one in given])


def _expectation(state: Tensor, observable: Observable) -> Tensor:
    if not is_density(state):
        return observable.expectation(state)
    _check_alike("expval", state, observable)
    return expectation(state, observable)


def _check_alike(function: str, state: Tensor, observable: Observable) -> None:
    """Check that a state and an observable's leaves have one dtype and device."""
    leaves = (leaf for leaf in tree_leaves(observable) if isinstance(leaf, Tensor))
    common_dtype_and_device(function, (state, *leaves))


def variance(state: Tensor, observable: ObservableLike) -> Tensor:
    """Variance ⟨O²⟩ - ⟨O⟩², computed as ‖(O - ⟨O⟩)ψ‖² so that it does not cancel.

    Args:
        state (complex, (2**n_qubits,) or (2**n_qubits, 2**n_qubits)): Normalised statevector, or
            density matrix.
        observable: One observable, or a dict that `pauli_sum` would take.

    Returns:
        (real, ()): Variance, in squared units of the coefficients.

    Raises:
        TypeError: If the state is not complex, or dtypes or devices differ.
        ValueError: If the observable acts on another number of qubits.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in the state and in the observable's leaves.

    Examples:
        >>> from quilt_func import pauli_sum, zero_state
        >>> variance(zero_state(1), pauli_sum({"X": 2.0}))
        tensor(4.)
    """
    if is_density(state):
        return _of_densities("variance", state, observable, observable)
    centred = _centred("variance", state, observable, "observable")
    return _product(centred, centred)


def covariance(state: Tensor, a: ObservableLike, b: ObservableLike) -> Tensor:
    """Symmetrised covariance ½⟨AB + BA⟩ - ⟨A⟩⟨B⟩ of two observables.

    Args:
        state (complex, (2**n_qubits,) or (2**n_qubits, 2**n_qubits)): Normalised statevector, or
            density matrix.
        a: Observable, or a dict that `pauli_sum` would take.
        b: Likewise.

    Returns:
        (real, ()): Covariance, in the product of the observables' units.

    Raises:
        TypeError: If the state is not complex, or dtypes or devices differ.
        ValueError: If an observable acts on another number of qubits.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in the state and in the observables' leaves.

    Examples:
        >>> from quilt_func import ghz_state, pauli_sum
        >>> covariance(ghz_state(2), pauli_sum({"ZI": 1.0}), pauli_sum({"IZ": 1.0}))
        tensor(1.0000)

    References:
        Robertson (1929), Phys. Rev. 34, 163.
    """
    if is_density(state):
        return _of_densities("covariance", state, a, b)
    left = _centred("covariance", state, a, "a")
    return _product(left, left if a is b else _centred("covariance", state, b, "b"))


def _of_densities(function: str, rho: Tensor, a: ObservableLike, b: ObservableLike) -> Tensor:
    n = check_mixed(function, rho)
    names = ("observable",) * 2 if a is b else ("a", "b")
    left = check_observable(function, a, n, names[0])
    right = left if a is b else check_observable(function, b, n, names[1])
    for one in (left, right):
        _check_alike(function, rho, one)
    return product_of_deviations(rho, left, right)


def _product(left: Tensor, right: Tensor) -> Tensor:
    """The real part of an inner product."""
    return (left.real * right.real + left.imag * right.imag).sum()


def _centred(function: str, state: Tensor, given: ObservableLike, argument: str) -> Tensor:
    """The state (O - ⟨O⟩)ψ."""
    observable = check_observable(function, given, check_state(function, state), argument)
    _check_alike(function, state, observable)
    state = unconjugated(state)
    image = observable.apply(state)
    return image - _product(state, image) * state


def probs(state: Tensor, wires: None = None) -> Tensor:
    """Probabilities |ψ_b|², or ρ_bb, of the basis states.

    Args:
        state (complex, (2**n_qubits,) or (2**n_qubits, 2**n_qubits)): Normalised statevector, or
            density matrix.
        wires: Nothing: `marginal` takes wires.

    Returns:
        (real, (2**n_qubits,)): Probabilities.

    Raises:
        TypeError: If the state is not a complex tensor, or wires are given.
        ValueError: If it is not flat.

    Transforms:
        vmap, grad (of a component), jvp, jacrev, jacfwd, hessian.

    Examples:
        >>> from quilt_func import ghz_state
        >>> probs(ghz_state(2))
        tensor([0.5000, 0.0000, 0.0000, 0.5000])
    """
    if wires is not None:
        remedy = "Write `marginal(state, wires)` for the bits of some wires."
        raise TypeError(message("probs", "wires", wires, "be left out", describe(wires), remedy))
    check_mixed("probs", state)
    if is_density(state):
        return populations(state)
    state = unconjugated(state)
    return state.real.square() + state.imag.square()


def marginal(state: Tensor, wires: Sequence[int]) -> Tensor:
    """Probabilities of the bits of some wires.

    Args:
        state (complex, (2**n_qubits,) or (2**n_qubits, 2**n_qubits)): Normalised statevector, or
            density matrix.
        wires: `k` distinct wires; the first is the most significant bit of the result.

    Returns:
        (real, (2**k,)): Probabilities.

    Raises:
        TypeError: If the state is not a complex tensor or a wire is not an int.
        ValueError: If wires repeat or are out of range.

    Transforms:
        vmap, grad (of a component), jvp, jacrev, jacfwd, hessian.

    Examples:
        >>> from quilt_func import basis_state
        >>> marginal(basis_state("011"), [2, 0])
        tensor([0., 0., 1., 0.])
    """
    kept = check_wires("marginal", wires, check_mixed("marginal", state))
    split, axes = split_wires(probs(state), kept)
    return split.movedim(axes, list(range(len(kept)))).reshape(2 ** len(kept), -1).sum(-1)


def sample(state: Tensor, u: Tensor) -> Tensor:
    """Basis states measured on a state, one for each uniform number, by the inverse of the CDF.

    Samples are integers and have no gradient: a state that is being differentiated is refused.
    Use `expval`, or a shift rule or SPSA on the sampled objective.

    Args:
        state (complex, (2**n_qubits,) or (2**n_qubits, 2**n_qubits)): Statevector, which is
            normalised here, or density matrix.
        u (real, any shape): Uniform numbers in [0, 1), from `uniforms`.

    Returns:
        (int64, u.shape): Indices of basis states; `to_bits` makes bits of them.

    Raises:
        TypeError: If the state is not complex or is being differentiated, `u` is not real, or
            devices differ.
        ValueError: If the state is not flat.

    Transforms:
        vmap, over states and over uniform numbers.

    Examples:
        >>> from quilt_func import ghz_state, uniforms
        >>> sorted(set(sample(ghz_state(2), uniforms(100, 0)).tolist()))
        [0, 3]
    """
    check_mixed("sample", state)
    remedy = "Draw them with `uniforms(shots, seed)`."
    check_tensor("sample", "u", u, COMPLEX_OF, (...,), remedy, need="be a real tensor")
    check_device("sample", state, u)
    check_not_differentiated("sample", "state", state)
    cumulative = probs(state).to(torch.float64).cumsum(-1)
    positions = u.to(torch.float64).flatten() * cumulative[-1]
    return place_of(cumulative, positions).reshape(u.shape)


def to_bits(indices: Tensor, n_qubits: int) -> Tensor:
    """Bits of basis-state indices; wire 0 comes first.

    Args:
        indices (int64, any shape): Indices, as `sample` gives them.
        n_qubits: Number of bits.

    Returns:
        (int64, (*indices.shape, n_qubits)): Bits.

    Raises:
        TypeError: If the indices are not an int64 tensor.

    Transforms:
        vmap.

    Examples:
        >>> to_bits(torch.tensor([2, 3]), 2)
        tensor([[1, 0],
                [1, 1]])
    """
    _check_indices("to_bits", indices)
    check_count("to_bits", "n_qubits", n_qubits)
    shifts = torch.arange(n_qubits - 1, -1, -1, device=indices.device)
    return (indices[..., None] >> shifts) & 1


def expval_from_samples(indices: Tensor, observable: SumLike | Diagonal) -> Tensor:
    """Mean of an observable, diagonal in the computational basis, over samples.

    Args:
        indices (int64, (shots,)): Basis-state indices, as `sample` gives them.
        observable: Diagonal observable, or Pauli sum of the letters I and Z, or a dict that
            `pauli_sum` would take.

    Returns:
        (real, ()): Sample mean; its standard error is `sqrt(variance / shots)`.

    Raises:
        TypeError: If the indices are not int64 or the observable is of another kind.
        ValueError: If there are no samples, or a word has the letters X or Y.

    Transforms:
        vmap; grad, jvp, in the observable's leaves only.

    Examples:
        >>> from quilt_func import pauli_sum
        >>> expval_from_samples(torch.tensor([0, 1, 1, 1]), pauli_sum({"Z": 1.0}))
        tensor(-0.5000)
    """
    _check_indices("expval_from_samples", indices)
    if indices.ndim != 1 or not indices.shape[0]:
        need = "have shape (shots,), shots > 0"
        remedy = "Give one run of samples; map over several with `torch.func.vmap`."
        raise shape_error("expval_from_samples", "indices", indices, need, remedy)
    if isinstance(observable, Diagonal):
        return observable.values[indices].mean()
    observable = as_sum(observable)
    remedy = "Make one with `diagonal` or `pauli_sum`."
    need = "be a diagonal observable or a Pauli sum"
    check_is("expval_from_samples", "observable", observable, PauliSum, need, remedy)
    return _word_means(indices, observable)


def _word_means(indices: Tensor, observable: PauliSum) -> Tensor:
    off_diagonal = [word for word in observable.words if set(word) - set("IZ")]
    if off_diagonal:
        need, got = "have words of I and Z", repr(off_diagonal[0])
        remedy = "Rotate the state to the word's basis before you sample: `h` for X."
        function = "expval_from_samples"
        raise ValueError(message(function, "observable", observable, need, got, remedy))
    given = observable.coefficients
    if isinstance(given, tuple):
        given = torch.tensor(given, dtype=torch.float32, device=indices.device)
    masks = [[float(letter == "Z") for letter in word] for word in observable.words]
    table = torch.tensor(masks, dtype=given.dtype, device=indices.device)
    parities = matmul(to_bits(indices, observable.n_qubits).to(given.dtype), table.mT)
    return matmul((1 - 2 * (parities % 2)).mean(0), given)


def counts(indices: Tensor, n_qubits: int) -> dict[str, int]:
    """Count samples by bit string, the most frequent first. For printing: it reads values.

    Args:
        indices (int64, any shape): Basis-state indices, as `sample` gives them.
        n_qubits: Number of bits.

    Returns:
        Number of occurrences by bit string; wire 0 comes first.

    Raises:
        TypeError: If the indices are not an int64 tensor.
        ValueError: If one is out of range.

    Transforms:
        None: call it outside of them.

    Examples:
        >>> counts(torch.tensor([0, 3, 3]), 2)
        {'11': 2, '00': 1}
    """
    _check_indices("counts", indices)
    check_count("counts", "n_qubits", n_qubits)
    listed = indices.flatten().sort().values.tolist()
    if listed and not 0 <= listed[0] <= listed[-1] < 2**n_qubits:
        need, got = f"be in range(2**{n_qubits})", f"{listed[0]} to {listed[-1]}"
        remedy = "Give the number of qubits that were measured."
        raise ValueError(message("counts", "indices", indices, need, got, remedy))
    found = Counter(listed).most_common()
    return {f"{index:0{n_qubits}b}": number for index, number in found}


def _check_indices(function: str, indices: object) -> None:
    need, remedy = "be an int64 tensor", "Make them with `sample(state, u)`."
    dtypes = (torch.int64,)
    check_tensor(function, "indices", indices, dtypes, (...,), remedy, need=need, got=describe)
