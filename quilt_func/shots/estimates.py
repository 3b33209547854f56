r"""Expectation values from samples, with standard errors.

Each group of words that commute is turned to words of I and Z and sampled. A shot's value is the
sum over its group's words, so that covariances of words are in the variance of that; the errors of
groups, which are independent, add in quadrature.

References:
    McClean, Romero, Babbush and Aspuru-Guzik (2016), New J. Phys. 18, 023023, section 4.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from quilt_func._checks import (
    COMPLEX_OF,
    check_device,
    check_mixed,
    check_tensor,
    common_dtype_and_device,
    describe,
    is_density,
    is_index,
    message,
    qubits,
    shape_error,
)
from quilt_func._model_checks import check_not_differentiated
from quilt_func._torch import constant, matmul, remembered
from quilt_func.measurement import probs, sample
from quilt_func.noise import readout as read_by
from quilt_func.noise import run_density
from quilt_func.pauli import PauliSum
from quilt_func.shots.corrections import check_confusion, corrected_signs, signs
from quilt_func.shots.grouping import LEAST, MeasuredGroup, groups_of
from quilt_func.shots.sums import Sums, are_several, check_sums, coefficient_table
from quilt_func.shots.values import Estimate, JointEstimate, root


def estimate(
    state: Tensor,
    observable: Sums,
    u: Tensor,
    *,
    shots: Sequence[int] | None = None,
    commuting: str = "qubit_wise",
    readout: Tensor | None = None,
    undo_readout: Tensor | None = None,
) -> Estimate:
    """Expectation value of a sum of any Pauli words, estimated from samples.

    Its mean over uniform numbers is `expval(state, observable)`, and the error is the standard
    deviation of that, estimated from how far the shots of each group spread. Samples have no
    gradient: a state that is being differentiated is refused. Coefficients may be.

    Args:
        state (complex, (2**n,) or (2**n, 2**n)): Statevector, or density matrix.
        observable: A Pauli sum, or a dict that `pauli_sum` would take; or a sequence of `k` of
            them, estimated from the same shots.
        u (real, (n_shots,)): Uniform numbers in [0, 1), from `uniforms`: one for each shot, those
            of the first group first.
        shots: How many of them each group gets, as of `allocate_shots`; default: equally many.
        commuting: As for `measurement_groups`.
        readout (real, (2, 2), (n, 2, 2) or (2**n, 2**n)): Confusion matrices `A[measured, true]`
            of the measurement, as for `noise.readout`; default: what is there is read.
        undo_readout (real, like `readout`): Confusion matrices whose errors are undone: the mean is
            that without them, and the error larger; default: what is read counts.

    Returns:
        Estimate, (real, ()) or (real, (k,)). Errors of several are each for itself: of sums and
        differences of them, use `estimate_jointly`.

    Raises:
        TypeError: If the observable is no Pauli sum, the state or confusion matrices are being
            differentiated, or dtypes or devices differ.
        ValueError: If sizes differ, a group has fewer than two shots, `shots` do not sum to their
            number, or there is no way of that name.

    Transforms:
        vmap, over states, coefficients and uniform numbers; grad, jvp, hessian, in coefficients and
        in confusion matrices that are undone.

    Examples:
        >>> from quilt_func import ghz_state, pauli_sum, uniforms
        >>> energy = pauli_sum({"ZZ": 1.0, "XX": 0.5, "XI": 0.1})
        >>> estimate(ghz_state(2), energy, uniforms(10_000, 0))
        Estimate(mean=tensor(1.4976), error=tensor(0.0014))
        >>> confusion = torch.tensor([[0.95, 0.1], [0.05, 0.9]])
        >>> read = estimate(ghz_state(2), energy, uniforms(10_000, 0), readout=confusion)
        >>> undone = estimate(
        ...     ghz_state(2), energy, uniforms(10_000, 0), readout=confusion, undo_readout=confusion
        ... )
        >>> read.mean < 1.2, (undone.mean - 1.5).abs() < 3 * undone.error
        (tensor(True), tensor(True))

    References:
        McClean et al. (2016), New J. Phys. 18, 023023.
    """
    found = _jointly("estimate", state, observable, u, shots, commuting, readout, undo_readout)
    each = Estimate(found.mean, root(found.covariance.diagonal()))
    return each if are_several(observable) else _first(each)


def estimate_jointly(
    state: Tensor,
    observable: Sums,
    u: Tensor,
    *,
    shots: Sequence[int] | None = None,
    commuting: str = "qubit_wise",
    readout: Tensor | None = None,
    undo_readout: Tensor | None = None,
) -> JointEstimate:
    """Expectation values of several sums from the same samples, with their covariances.

    Args:
        state (complex, (2**n,) or (2**n, 2**n)): Statevector, or density matrix.
        observable: A sequence of `k` Pauli sums; one alone is `k = 1`.
        u (real, (n_shots,)): As for `estimate`.
        shots: As for `estimate`.
        commuting: As for `measurement_groups`.
        readout (real, (2, 2), (n, 2, 2) or (2**n, 2**n)): As for `estimate`.
        undo_readout (real, like `readout`): As for `estimate`.

    Returns:
        Means (real, (k,)) and the covariance matrix of these (real, (k, k)).

    Raises:
        TypeError: As for `estimate`.
        ValueError: As for `estimate`.

    Transforms:
        vmap, over states, coefficients and uniform numbers; grad, jvp, hessian, in coefficients.

    Examples:
        >>> from quilt_func import ghz_state, pauli_sum, uniforms
        >>> both = [pauli_sum({"ZI": 1.0}), pauli_sum({"IZ": 2.0})]
        >>> mean, covariance = estimate_jointly(ghz_state(2), both, uniforms(1000, 0))
        >>> (covariance * 1000).round(decimals=2)  # one bit, read twice
        tensor([[1., 2.],
                [2., 4.]])
    """
    function = "estimate_jointly"
    return _jointly(function, state, observable, u, shots, commuting, readout, undo_readout)


def sample_groups(
    state: Tensor,
    observable: Sums,
    u: Tensor,
    *,
    shots: Sequence[int] | None = None,
    commuting: str = "qubit_wise",
    readout: Tensor | None = None,
) -> Tensor:
    """What is measured after the gates of each group: the first half of `estimate`.

    Args:
        state (complex, (2**n,) or (2**n, 2**n)): Statevector, or density matrix.
        observable: As for `estimate`.
        u (real, (n_shots,)): As for `estimate`.
        shots: As for `estimate`.
        commuting: As for `measurement_groups`.
        readout (real, (2, 2), (n, 2, 2) or (2**n, 2**n)): As for `estimate`.

    Returns:
        (int64, (n_shots,)): Indices of basis states, those of the first group first.

    Raises:
        TypeError: As for `estimate`.
        ValueError: As for `estimate`.

    Transforms:
        vmap, over states and uniform numbers.

    Examples:
        >>> from quilt_func import ghz_state, pauli_sum, uniforms
        >>> sample_groups(ghz_state(2), pauli_sum({"ZZ": 1.0, "YY": 1.0}), uniforms(8, 0))
        tensor([0, 3, 0, 0, 1, 2, 1, 2])
    """
    sums = check_sums("sample_groups", observable, check_mixed("sample_groups", state))
    groups = groups_of("sample_groups", sums, commuting)
    return _sampled("sample_groups", state, sums, u, shots, groups, readout)


def estimate_from_samples(
    indices: Tensor,
    observable: Sums,
    *,
    shots: Sequence[int] | None = None,
    commuting: str = "qubit_wise",
    undo_readout: Tensor | None = None,
    dtype: torch.dtype = torch.float32,
) -> Estimate:
    """Expectation value from what was measured: the second half of `estimate`.

    Samples may come from elsewhere, or through `noise.sample_readout`, if they were measured after
    the gates that `measurement_groups` tells.

    Args:
        indices (int64, (n_shots,)): Indices of basis states, those of the first group first.
        observable: As for `estimate`.
        shots: As for `estimate`.
        commuting: As for `measurement_groups`.
        undo_readout (real, (2, 2), (n, 2, 2) or (2**n, 2**n)): As for `estimate`.
        dtype: Of the result, where all coefficients are Python numbers.

    Returns:
        Estimate, as of `estimate`.

    Raises:
        TypeError: If `indices` is not int64, the observable is no Pauli sum, or dtypes or devices
            differ.
        ValueError: As for `estimate`.

    Transforms:
        vmap, over samples and coefficients; grad, jvp, hessian, in coefficients.

    Examples:
        >>> from quilt_func import pauli_sum
        >>> estimate_from_samples(torch.tensor([0, 1, 1, 1]), pauli_sum({"Z": 1.0}))
        Estimate(mean=tensor(-0.5000), error=tensor(0.5000))
    """
    function = "estimate_from_samples"
    sums = check_sums(function, observable)
    groups = groups_of(function, sums, commuting)
    need, remedy = "be an int64 tensor", "Make them with `sample_groups`."
    check_tensor(function, "indices", indices, (torch.int64,), (...,), remedy, need=need)
    _check_row(function, "indices", indices)
    if dtype not in COMPLEX_OF:
        remedy, got = "Choose torch.float32 or torch.float64.", f"{dtype}"
        raise TypeError(message(function, "dtype", dtype, "be real", got, remedy))
    split = checked_shots(function, "indices", indices, shots, groups)
    leaves = [leaf for one in sums for leaf in one.leaves]
    kind = common_dtype_and_device(function, leaves)
    if kind is not None:
        check_device(function, indices, leaves[0])
    like = torch.empty(0, dtype=dtype if kind is None else kind[0], device=indices.device)
    check_confusion(function, undo_readout, sums[0].n_qubits, like)
    found = _moments(indices, sums, split, groups, like, undo_readout)
    each = Estimate(found.mean, root(found.covariance.diagonal()))
    return each if are_several(observable) else _first(each)


def _first(each: Estimate) -> Estimate:
    return Estimate(each.mean[0], each.error[0])


def _jointly(
    function: str, state: Tensor, observable: Any, u: Tensor, shots: Any, commuting: str,
    readout: Tensor | None, undo: Tensor | None,
) -> JointEstimate:  # fmt: skip
    sums = check_sums(function, observable, check_mixed(function, state))
    groups = groups_of(function, sums, commuting)
    indices = _sampled(function, state, sums, u, shots, groups, readout)
    split = checked_shots(function, "u", u, shots, groups)
    check_confusion(function, undo, sums[0].n_qubits, state)
    return _moments(indices, sums, split, groups, state.real, undo)


def _sampled(
    function: str, state: Tensor, sums: Sequence[PauliSum], u: Tensor, shots: Any,
    groups: Sequence[MeasuredGroup], readout: Tensor | None,
) -> Tensor:  # fmt: skip
    """Indices of basis states after the gates of each group."""
    _check_size(function, state, sums[0].n_qubits)
    leaves = [leaf for one in sums for leaf in one.leaves]
    common_dtype_and_device(function, [state, *leaves, *([] if readout is None else [readout])])
    for argument, one in (("state", state), ("readout", readout)):
        if one is not None:
            check_not_differentiated(function, argument, one)
    remedy = "Draw them with `uniforms(n_shots, seed)`."
    check_tensor(function, "u", u, COMPLEX_OF, (...,), remedy, need="be a real tensor")
    _check_row(function, "u", u)
    check_device(function, state, u)
    split = checked_shots(function, "u", u, shots, groups)
    found = [torch.empty(0, dtype=torch.int64, device=u.device)]
    for group, numbers in zip(groups, u.split(split) if split else (), strict=True):
        found.append(sample(_read(turned(state, group), readout), numbers))
    return torch.cat(found)


def turned(state: Tensor, group: MeasuredGroup) -> Tensor:
    """A state, or a density matrix, after the gates of a group."""
    if is_density(state):
        return run_density(group.rotation, state)
    return group.rotation(state)


def _read(state: Tensor, confusion: Tensor | None) -> Tensor:
    """A state with the probabilities of what is read."""
    if confusion is None:
        return state
    amplitudes = read_by(probs(state), confusion).clamp(min=0).sqrt()
    return torch.complex(amplitudes, torch.zeros_like(amplitudes))


def _moments(
    indices: Tensor, sums: Sequence[PauliSum], shots: Sequence[int],
    groups: Sequence[MeasuredGroup], like: Tensor, undo: Tensor | None,
) -> JointEstimate:  # fmt: skip
    """Means, and covariances of the means; `like` has the dtype and device of both."""
    words = [word for group in groups for word in group.words]
    columns = coefficient_table(sums, words, like)
    mean, covariance = columns[-1], columns.new_zeros(len(sums), len(sums))
    first = start = 0
    for group, number in zip(groups, shots, strict=True):
        coefficients = columns[first : first + len(group.words)]
        values = _values(indices[start : start + number], group, coefficients, undo)
        average = values.mean(0)
        rest = values - average
        mean = mean + average
        covariance = covariance + matmul(rest.mT, rest) / (number * (number - 1))
        first, start = first + len(group.words), start + number
    return JointEstimate(mean, covariance)


def _values(
    indices: Tensor, group: MeasuredGroup, coefficients: Tensor, undo: Tensor | None
) -> Tensor:
    """The value of each sum `(shots, k)` at each shot of a group."""
    masks, turns = _tables(group.readings, group.signs, coefficients.dtype, indices.device)
    read = signs(indices, masks) if undo is None else corrected_signs(indices, masks, undo)
    return matmul(read, turns[:, None] * coefficients)


@remembered(1024)
def _tables(
    readings: tuple[str, ...], signs: tuple[int, ...], dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor]:
    masks = [[float(letter == "Z") for letter in word] for word in readings]
    return constant(masks, dtype, device), constant(signs, dtype, device)


def checked_shots(
    function: str, argument: str, given: Tensor, shots: Any, groups: Sequence[MeasuredGroup]
) -> tuple[int, ...]:
    """Shots of each group, after a check that they are as many as there are numbers."""
    total, many = given.shape[0], len(groups)
    if shots is None:
        if total < LEAST * many:
            need = f"hold {LEAST * many} or more, two for each of {many} group(s)"
            remedy = "Give more; `n_groups(observable)` tells the groups."
            raise ValueError(message(function, argument, given, need, f"{total}", remedy))
        return tuple((total * (i + 1)) // many - (total * i) // many for i in range(many))
    remedy = "Make them with `allocate_shots(observable, n_shots)`."
    is_list = isinstance(shots, (list, tuple)) and all(is_index(one) for one in shots)
    if not is_list or any(isinstance(one, bool) for one in shots):
        need, got = "be a sequence of ints", describe(shots)
        raise TypeError(message(function, "shots", shots, need, got, remedy))
    if len(shots) != many or sum(shots) != total or min(shots, default=LEAST) < LEAST:
        need = f"be {many} numbers, each 2 or more, that sum to {total}"
        got = f"{len(shots)} that sum to {sum(shots)}"
        raise ValueError(message(function, "shots", shots, need, got, remedy))
    return tuple(int(one) for one in shots)


def _check_size(function: str, state: Any, n_qubits: int) -> None:
    got = check_mixed(function, state)
    if got != n_qubits:
        need, remedy = f"be of {qubits(n_qubits)}, as the words are", "Give equal sizes."
        raise ValueError(message(function, "state", state, need, qubits(got), remedy))


def _check_row(function: str, argument: str, given: Tensor) -> None:
    if given.ndim != 1:
        remedy = "Give one run of shots; map over several with `torch.func.vmap`."
        raise shape_error(function, argument, given, "have shape (n_shots,)", remedy)
