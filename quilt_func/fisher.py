r"""The geometry of parametrised states: tangent vectors, quantum and classical Fisher information.

Matrices are `(n, n)` over all `n` entries of the parameters, leaf after leaf in traversal order.
The quantum Fisher information of a normalised |ψ⟩ is $F_{ij} = 4 \mathrm{Re}(⟨∂_iψ|∂_jψ⟩ -
⟨∂_iψ|ψ⟩⟨ψ|∂_jψ⟩)$; the Fubini-Study metric is a quarter of it.

Derivatives cost one forward-mode run per parameter, in one vmapped call, and memory for as many
states; `qfi_vp` alone needs neither.
"""

import itertools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.func import jvp, vjp, vmap

from quilt_func._checks import (
    COMPLEX_OF,
    check_chunk_size,
    check_function,
    check_tensor,
    describe,
    message,
    shape_error,
)
from quilt_func._model_checks import StateFn, returning_state
from quilt_func._parameter_trees import flatten, ravel, with_tangent
from quilt_func._torch import is_within_transform, matmul, unconjugated
from quilt_func.typing import PyTree


def jacobian_state(state_fn: StateFn, params: PyTree, *, chunk_size: int | None = None) -> PyTree:
    """Derivatives of a state by real parameters, as `jacfwd` would give if it took complex values.

    Args:
        state_fn: Function from parameters to a state, (complex, (2**n_qubits,)).
        params: Tree of real tensors.
        chunk_size: Number of tangents at once, which bounds memory; default: all.

    Returns:
        Tree like `params` with leaves (complex, `(2**n_qubits, *leaf.shape)`).

    Raises:
        TypeError: If a parameter is not real or `state_fn` does not return a complex tensor.
        ValueError: If there are no parameters or the state is not flat.

    Transforms:
        vmap, jvp, grad (of real functions of it); `torch.view_as_real` makes it fit for `jacrev`.

    Examples:
        >>> from quilt_func import circuit, ry
        >>> params = {"a": torch.tensor([0.0])}
        >>> jacobian_state(lambda p: circuit(1, ry(p["a"], 0))(), params)["a"].real.abs()
        tensor([[0.0000],
                [0.5000]])
    """
    _, tangents, unravel = _tangents("jacobian_state", state_fn, params, chunk_size)
    return vmap(unravel)(tangents.mT)


def qfi(state_fn: StateFn, params: PyTree, *, chunk_size: int | None = None) -> Tensor:
    r"""Quantum Fisher information matrix of a pure state.

    $F_{ij} = 4 \mathrm{Re}(⟨∂_iψ|∂_jψ⟩ - ⟨∂_iψ|ψ⟩⟨ψ|∂_jψ⟩)$, by tangent states whose part along
    the state is taken out, and one product of all with all.

    Args:
        state_fn: Function from parameters to a normalised state, (complex, (2**n_qubits,)).
        params: Tree of real tensors with `n` entries in all.
        chunk_size: Number of tangents at once, which bounds the memory of the runs; default: all.

    Returns:
        (real, (n, n)): Symmetric, positive semi-definite matrix.

    Raises:
        TypeError: If a parameter is not real or `state_fn` does not return a complex tensor.
        ValueError: If there are no parameters or the state is not flat.

    Transforms:
        vmap, grad, jvp.

    Examples:
        >>> from quilt_func import circuit, h, rx, rz
        >>> def state(p):
        ...     return circuit(1, h(0), rz(p[0], 0), rx(p[1], 0))()
        >>> qfi(state, torch.tensor([torch.pi / 4, 0.1])).diag()
        tensor([1.0000, 0.5000])

    References:
        Meyer (2021), Quantum 5, 539, equation 8.
    """
    return 4 * _gram(_horizontal("qfi", state_fn, params, chunk_size)[0])


def fubini_study(state_fn: StateFn, params: PyTree, *, chunk_size: int | None = None) -> Tensor:
    """Fubini-Study metric of a pure state: a quarter of the quantum Fisher information.

    The fidelity of neighbours is $1 - δᵀ g δ$, to second order in the parameters' change δ.

    Args:
        state_fn: Function from parameters to a normalised state, (complex, (2**n_qubits,)).
        params: Tree of real tensors with `n` entries in all.
        chunk_size: Number of tangents at once, which bounds the memory of the runs; default: all.

    Returns:
        (real, (n, n)): Symmetric, positive semi-definite matrix.

    Raises:
        TypeError: If a parameter is not real or `state_fn` does not return a complex tensor.
        ValueError: If there are no parameters or the state is not flat.

    Transforms:
        vmap, grad, jvp.

    Examples:
        >>> from quilt_func import circuit, ry
        >>> fubini_study(lambda theta: circuit(1, ry(theta, 0))(), torch.tensor(0.3))
        tensor([[0.2500]])

    References:
        Provost and Vallee (1980), Commun. Math. Phys. 76, 289.
    """
    return _gram(_horizontal("fubini_study", state_fn, params, chunk_size)[0])


def qfi_blocks(
    state_fn: StateFn,
    params: PyTree,
    blocks: Sequence[Sequence[int]] | None = None,
    *,
    chunk_size: int | None = None,
) -> tuple[Tensor, ...]:
    """Diagonal blocks of the quantum Fisher information: one for each leaf, or for each set given.

    Args:
        state_fn: Function from parameters to a normalised state, (complex, (2**n_qubits,)).
        params: Tree of real tensors with `n` entries in all.
        blocks: Sets of distinct places in `range(n)`, in traversal order of the leaves; default:
            the places of each leaf.
        chunk_size: Number of tangents at once, which bounds the memory of the runs; default: all.

    Returns:
        (real, (m, m) each): One matrix for each block.

    Raises:
        TypeError: If a parameter is not real or `state_fn` does not return a complex tensor.
        ValueError: If a place is out of range or repeated, or the state is not flat.

    Transforms:
        vmap, grad, jvp.

    Examples:
        >>> from quilt_func import circuit, ry
        >>> params = {"a": torch.tensor(0.1), "b": torch.tensor([0.2, 0.3])}
        >>> def state(p):
        ...     return circuit(3, ry(p["a"], 0), ry(p["b"], [1, 2]))()
        >>> [block.shape for block in qfi_blocks(state, params)]
        [torch.Size([1, 1]), torch.Size([2, 2])]

    References:
        Stokes, Izaac, Killoran and Carleo (2020), Quantum 4, 269.
    """
    leaves, _ = flatten("qfi_blocks", "params", params)
    places = _places(blocks, [leaf.numel() for leaf in leaves])
    rows, _ = _horizontal("qfi_blocks", state_fn, params, chunk_size)
    return tuple(4 * _gram(rows[place]) for place in places)


def qfi_diagonal(state_fn: StateFn, params: PyTree, *, chunk_size: int | None = None) -> PyTree:
    """Diagonal of the quantum Fisher information, as a tree like the parameters.

    Args:
        state_fn: Function from parameters to a normalised state, (complex, (2**n_qubits,)).
        params: Tree of real tensors.
        chunk_size: Number of tangents at once, which bounds the memory of the runs; default: all.

    Returns:
        Tree like `params`.

    Raises:
        TypeError: If a parameter is not real or `state_fn` does not return a complex tensor.
        ValueError: If there are no parameters or the state is not flat.

    Transforms:
        vmap, grad, jvp.

    Examples:
        >>> from quilt_func import circuit, ry
        >>> qfi_diagonal(lambda p: circuit(2, ry(p["a"], [0, 1]))(), {"a": torch.tensor(0.1)})
        {'a': tensor(2.)}
    """
    rows, unravel = _horizontal("qfi_diagonal", state_fn, params, chunk_size)
    return unravel(4 * rows.square().sum(-1))


def qfi_vp(state_fn: StateFn, params: PyTree, v: PyTree) -> PyTree:
    """Product of the quantum Fisher information with a vector, without the matrix.

    Cost: one forward-mode run and one reverse-mode run, however many parameters there are.

    Args:
        state_fn: Function from parameters to a normalised state, (complex, (2**n_qubits,)).
        params: Tree of real tensors.
        v: Tree of the structure, shapes and dtype of `params`.

    Returns:
        Tree like `params`.

    Raises:
        TypeError: If a leaf is not real, dtypes or devices differ, or `state_fn` does not return
            a complex tensor.
        ValueError: If the structures or shapes differ, or the state is not flat.

    Transforms:
        vmap, grad, jvp.

    Examples:
        >>> from quilt_func import circuit, ry
        >>> params, v = torch.tensor([0.1, 0.2]), torch.tensor([1.0, 0.0])
        >>> qfi_vp(lambda p: circuit(1, ry(p[0], 0), ry(p[1], 0))(), params, v)
        tensor([1.0000, 1.0000])
    """
    point, tangent = with_tangent("qfi_vp", params, v)
    state, pull = vjp(returning_state("qfi_vp", state_fn), point)[:2]
    along = jvp(state_fn, (point,), (tangent,))[1]
    (found,) = pull(4 * _project(along[None], unconjugated(state))[0])
    return found


def classical_fisher(
    probs_fn: Callable[[Any], Tensor], params: PyTree, *, chunk_size: int | None = None
) -> Tensor:
    r"""Fisher information $\sum_x ∂_i p_x ∂_j p_x / p_x$ of measured probabilities.

    Outcomes of probability 0 are left out: there the information of a smooth family jumps.
    It is at most the quantum Fisher information of the measured state, as matrices.

    Args:
        probs_fn: Function from parameters to probabilities, (real, (n_outcomes,)).
        params: Tree of real tensors with `n` entries in all.
        chunk_size: Number of tangents at once, which bounds the memory of the runs; default: all.

    Returns:
        (real, (n, n)): Symmetric, positive semi-definite matrix.

    Raises:
        TypeError: If a parameter is not real or `probs_fn` does not return a real tensor.
        ValueError: If there are no parameters or the probabilities are not flat.

    Transforms:
        vmap, grad, jvp.

    Examples:
        >>> from quilt_func import circuit, probs, ry
        >>> classical_fisher(lambda theta: probs(circuit(1, ry(theta, 0))()), torch.tensor(0.3))
        tensor([[1.0000]])

    References:
        Braunstein and Caves (1994), Phys. Rev. Lett. 72, 3439; Šafránek (2017), Phys. Rev. A 95,
        052320, for outcomes of probability 0.
    """
    check_function("classical_fisher", "probs_fn", probs_fn)
    values, slopes, _ = _derivatives("classical_fisher", probs_fn, params, chunk_size)
    need, remedy = "return a real tensor", "Return `probs(state)` or `marginal(state, wires)`."
    check_tensor(
        "classical_fisher", "probs_fn", values, COMPLEX_OF, (...,), remedy, need=need, got=describe
    )
    if values.ndim != 1:
        remedy = "Give one distribution; map over a batch with `torch.func.vmap`."
        need = "return shape (n_outcomes,)"
        raise shape_error("classical_fisher", "probs_fn", values, need, remedy)
    is_possible = values > (_AMPLITUDE_ROUNDING * torch.finfo(values.dtype).eps) ** 2
    weights = torch.where(is_possible, 1 / torch.where(is_possible, values, 1.0), 0.0)
    return matmul(slopes * weights, slopes.mT)


_AMPLITUDE_ROUNDING = 32
"""Units in the last place that an amplitude of 0 may be off, after tens of gates."""


def _derivatives(
    function: str, fn: Callable[[Any], Tensor], params: PyTree, chunk_size: int | None
) -> tuple[Tensor, Tensor, Callable[[Tensor], PyTree]]:
    """A function's value, its derivative by each of `n` entries, and what makes trees of `n`."""
    check_chunk_size(function, chunk_size)
    flat, unravel = ravel(function, "params", params)
    if not len(flat):
        need, remedy = "hold at least one number", "Give the angles to differentiate by."
        raise ValueError(message(function, "params", params, need, "none", remedy))
    basis = torch.eye(len(flat), dtype=flat.dtype, device=flat.device)

    def of_entries(vector: Tensor) -> Tensor:
        return fn(unravel(vector))

    def pushed(direction: Tensor) -> Any:
        return jvp(of_entries, (flat,), (direction,))

    if not is_within_transform():
        values, rows = vmap(pushed, chunk_size=chunk_size)(basis)
        return values[0], rows, unravel
    # `vmap(vmap(jvp))` makes rules of `torch.linalg` silently wrong; `vmap(jvp(vmap))` does not
    parts: Any = [
        jvp(vmap(of_entries), (flat.expand_as(part).clone(),), (part,))
        for part in basis.split(chunk_size or len(flat))
    ]
    return parts[0][0][0], torch.cat([rows for _, rows in parts]), unravel


def _tangents(
    function: str, state_fn: StateFn, params: PyTree, chunk_size: int | None
) -> tuple[Tensor, Tensor, Callable[[Tensor], PyTree]]:
    """The state, its derivatives `(n, 2**n_qubits)`, and what makes a tree of `n` numbers."""
    checked = returning_state(function, state_fn)
    return _derivatives(function, lambda p: unconjugated(checked(p)), params, chunk_size)


def _horizontal(
    function: str, state_fn: StateFn, params: PyTree, chunk_size: int | None
) -> tuple[Tensor, Callable[[Tensor], PyTree]]:
    """Derivatives without their part along the state, as real rows, and what makes trees."""
    state, tangents, unravel = _tangents(function, state_fn, params, chunk_size)
    return torch.view_as_real(_project(tangents, state)).flatten(1), unravel


def _project(tangents: Tensor, state: Tensor) -> Tensor:
    """Take the part along a state out of tangents, (n, 2**n_qubits)."""
    return tangents - torch.outer(tangents @ state.conj(), state)


def _gram(rows: Tensor) -> Tensor:
    return matmul(rows, rows.mT)


def _places(blocks: Any, sizes: list[int]) -> list[list[int]]:
    """Check sets of places; by default, those of leaves of some sizes."""
    if blocks is None:
        ends = list(itertools.accumulate(sizes, initial=0))
        return [list(range(*pair)) for pair in itertools.pairwise(ends)]
    need = f"be sequences of distinct ints in range({sum(sizes)})"
    remedy = "Number the entries of all leaves in traversal order."
    try:
        found = [[operator.index(place) for place in block] for block in blocks]
    except TypeError:
        got = describe(blocks)
        raise TypeError(message("qfi_blocks", "blocks", blocks, need, got, remedy)) from None
    for block in found:
        if len(set(block)) < len(block) or not set(block) <= set(range(sum(sizes))):
            raise ValueError(message("qfi_blocks", "blocks", blocks, need, f"{block}", remedy))
    return found
