"""Expectation values in sharded states. Every rank calls them alike, and has the same result.

Each rank sums over its own amplitudes; what all have is summed once for all observables of a call.
So the gradient that a rank has is that of the whole, too.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from quilt_func._checks import common_dtype_and_device, kind_error, message
from quilt_func._collectives import copied, summed
from quilt_func._model_checks import check_observable
from quilt_func._torch import matmul, unconjugated
from quilt_func.observables import Diagonal
from quilt_func.pauli import PauliSum
from quilt_func.sharded.layouts import ShardedState, check_sharded
from quilt_func.sharded.measuring import inner, own_probabilities
from quilt_func.sharded.mixed import ShardedDensity, check_density, word_traces
from quilt_func.sharded.moving import own_part
from quilt_func.sharded.words import coefficients_of, own_image, own_values
from quilt_func.typing import ObservableLike, PauliTerms


def expval(state: ShardedState, observable: ObservableLike | Sequence[ObservableLike]) -> Tensor:
    """Expectation value of one observable, or of several, in a sharded state.

    Words with I and Z on the wires of the rank's number send nothing. For others, the wires that
    they flip are exchanged: less than a rank's amplitudes are sent for as many words as flip no
    more wires together than a rank has. The layout that the state has is the same afterwards. What
    has been sent is let go after each exchange; for a gradient, autograd keeps it: as much again
    as the rank's amplitudes for each exchange.

    Args:
        state: Normalised sharded state.
        observable: A Pauli sum or diagonal observable, or a dict that `pauli_sum` would take; or a
            sequence of `k` of them. Words are measured once for all.

    Returns:
        (real, () or (k,)): Expectation values, the same on every rank.

    Raises:
        TypeError: If the state is not sharded, an observable is of another kind, or dtypes or
            devices differ.
        ValueError: If an observable acts on another number of qubits.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in the state and in the observable's leaves.

    Examples:
        >>> from quilt_func import circuit, cx, h, sharded
        >>> def energy():
        ...     state = sharded.run_sharded(circuit(2, h(0), cx(0, 1)), mesh=sharded.mesh("cpu"))
        ...     return sharded.expval(state, {"ZZ": 1.0, "XX": 0.5})
        >>> sharded.spawn(2, energy, start="fork")
        [tensor(1.5000), tensor(1.5000)]

    References:
        Nielsen and Chuang (2010), section 2.2.5.
    """
    check_sharded("expval", state)
    if not isinstance(observable, (list, tuple)):
        return _expectations([_checked("expval", observable, state)], state)[0]
    if not observable:
        remedy = "Give at least one observable."
        raise ValueError(message("expval", "observable", [], "not be empty", "none", remedy))
    return torch.stack(_expectations([_checked("expval", one, state) for one in observable], state))


def variance(state: ShardedState, observable: ObservableLike) -> Tensor:
    """Variance ⟨O²⟩ - ⟨O⟩² of an observable in a sharded state, as ‖(O - ⟨O⟩)ψ‖².

    A rank's amplitudes are sent for each set of wires of the rank's number that words flip.

    Args:
        state: Normalised sharded state.
        observable: A Pauli sum or diagonal observable, or a dict that `pauli_sum` would take.

    Returns:
        (real, ()): Variance, in squared units of the coefficients, the same on every rank.

    Raises:
        TypeError: If the state is not sharded, the observable is of another kind, or dtypes or
            devices differ.
        ValueError: If the observable acts on another number of qubits.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in the state and in the observable's leaves.

    Examples:
        >>> from quilt_func import ghz_state, sharded
        >>> def spread():
        ...     state = sharded.shard(ghz_state(2), sharded.mesh("cpu"))
        ...     return sharded.variance(state, {"ZI": 1.0})
        >>> sharded.spawn(2, spread, start="fork")
        [tensor(1.0000), tensor(1.0000)]
    """
    check_sharded("variance", state)
    checked, ranks = _checked("variance", observable, state), state.layout.ranks
    local = unconjugated(state.local)
    if isinstance(checked, Diagonal):
        image = _own_diagonal(checked, state) * local
    else:
        image = own_image(checked, copied(ranks, coefficients_of(checked, local)), state)
    mean = copied(ranks, summed(ranks, inner(local, image)))
    centred = image - mean * local
    return summed(ranks, inner(centred, centred))


def density_expval(rho: ShardedDensity, observable: PauliSum | PauliTerms) -> Tensor:
    """Expectation value tr(O ρ) of a Pauli sum in a sharded density matrix.

    One pass of gates makes the matrix' entries values of Pauli words, all of them at once: it costs
    as much as a layer of two-qubit gates, and memory for one more matrix, for any number of words.

    Args:
        rho: Density matrix.
        observable: A Pauli sum, or a dict that `pauli_sum` would take.

    Returns:
        (real, ()): Expectation value, the same on every rank.

    Raises:
        TypeError: If it is no sharded density matrix, the observable no Pauli sum, or dtypes or
            devices differ.
        ValueError: If the observable acts on another number of qubits.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in the matrix and in the coefficients.

    Examples:
        >>> from quilt_func import circuit, h, noise, sharded
        >>> def energy():
        ...     noisy = circuit(2, h(0), noise.phase_flip(0.25, 0))
        ...     rho = sharded.run_sharded_density(noisy, mesh=sharded.mesh("cpu"))
        ...     return sharded.density_expval(rho, {"XI": 1.0, "IZ": 2.0})
        >>> sharded.spawn(2, energy, start="fork")[0]
        tensor(2.5000)

    References:
        Nielsen and Chuang (2010), section 2.4.
    """
    check_density("density_expval", rho)
    checked = check_observable("density_expval", observable, rho.n_qubits)
    if not isinstance(checked, PauliSum):
        need, remedy = "be a Pauli sum", "Make one with `pauli_sum` or `from_diagonal`."
        raise kind_error("density_expval", "observable", observable, need, remedy)
    local = rho.vector.local
    common_dtype_and_device("density_expval", [local, *checked.leaves])
    return matmul(word_traces(checked.words, rho), coefficients_of(checked, local))


def _expectations(given: Sequence[PauliSum | Diagonal], state: ShardedState) -> list[Tensor]:
    """The expectation value of each observable, after one sum over ranks for all."""
    words = tuple(dict.fromkeys(w for one in given if isinstance(one, PauliSum) for w in one.words))
    tables = [one for one in given if isinstance(one, Diagonal)]
    own = [own_values(words, state)] if words else []
    own += [_own_mean(_own_diagonal(one, state), state)[None] for one in tables]
    values = summed(state.layout.ranks, torch.cat(own))
    by_word = dict(zip(words, range(len(words)), strict=True))
    of_tables = iter(values[len(words) :].unbind(0))
    return [
        next(of_tables) if isinstance(one, Diagonal)
        else matmul(values[[by_word[w] for w in one.words]], coefficients_of(one, state.local))
        for one in given
    ]  # fmt: skip


def _own_diagonal(observable: Diagonal, state: ShardedState) -> Tensor:
    """Values of a diagonal observable at this rank's basis states."""
    return own_part(copied(state.layout.ranks, observable.values), state.layout)


def _own_mean(values: Tensor, state: ShardedState) -> Tensor:
    return (values * own_probabilities(state)).sum()


def _checked(function: str, given: Any, state: ShardedState) -> PauliSum | Diagonal:
    observable = check_observable(function, given, state.layout.n_qubits)
    if isinstance(observable, PauliSum):
        leaves = observable.leaves
    elif isinstance(observable, Diagonal):
        leaves = [observable.values]
    else:
        need, remedy = "be a Pauli sum or a diagonal observable", "Write it in Pauli words."
        raise kind_error(function, "observable", given, need, remedy)
    common_dtype_and_device(function, [state.local, *leaves])
    return observable
