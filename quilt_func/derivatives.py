"""Derivatives beyond `torch.func.grad`: shift rules, random directions, curvature without a matrix.

`fn` maps parameters to a number. Parameters are any tree of tensors, results are trees like them,
and all functions map over ensembles by `torch.func.vmap`.

    >>> from quilt_func import circuit, expval, pauli_sum, ry
    >>> def energy(params):
    ...     return expval(circuit(1, ry(params["a"], 0))(), pauli_sum({"Z": 1.0}))
    >>> params, v = {"a": torch.tensor(0.0)}, {"a": torch.tensor(2.0)}
    >>> hvp(energy, params, v)
    {'a': tensor(-2.)}
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.func import grad, jvp, vmap

from quilt_func._checks import (
    check_chunk_size,
    check_function,
    check_number,
    check_positive,
)
from quilt_func._parameter_trees import ravel, with_tangent
from quilt_func._shifted_runs import directions, one_number, shifted_runs, slope_along_signs
from quilt_func._torch import matmul, tree_map
from quilt_func.circuits import Circuit
from quilt_func.typing import PyTree

ObjectiveFn = Callable[[Any], Tensor]


def parameter_shift(
    fn: ObjectiveFn,
    params: PyTree,
    circuit_fn: Callable[[PyTree], Circuit] | None = None,
    *,
    chunk_size: int | None = None,
) -> PyTree:
    r"""Gradient of `fn(circuit_fn(params))` from values of `fn` alone, exact at finite shifts.

    Every angle of the circuit is shifted by itself, by the rule of its gate's spectral gaps: two
    values for a Pauli rotation, four for a controlled one, twice the number of gaps in general.
    Angles that are shared by wire sets or computed from parameters are several angles of the
    circuit here; the chain rule carries their derivatives back, through `torch.func.vjp`.

    `fn` may be an expectation value or an estimate from samples. It must be linear in the final
    state's density matrix, as these are: of a loss, shift the expectation value within.
    Uniform numbers that `fn` closes over are used for all shifts.

    Cost: two circuit runs per angle of a Pauli rotation or phase, four per controlled rotation,
    all in one vmapped call. Constant angles cost none.

    Args:
        fn: Function from a circuit to a number, (real, ()).
        params: Parameters: any tree that `circuit_fn` takes, or, without it, the circuit itself.
        circuit_fn: Function from parameters to a circuit.
        chunk_size: Number of runs at once, which bounds memory; default: all.

    Returns:
        Tree like `params` of derivatives.

    Raises:
        TypeError: If the circuit is no `Circuit`, or `fn` does not return a real tensor.
        ValueError: If `fn` returns several numbers, no angle depends on the parameters, or an
            angle's gate has no shift rule: one that is not unitary, a given matrix, or a gate
            that is not `exp(-i θ G / 2)` between fixed gates in that angle.

    Transforms:
        vmap; grad, jvp, hessian, if `fn` has them. It nests in itself for second derivatives.

    Examples:
        >>> from quilt_func import circuit, expval, pauli_sum, rx, ry
        >>> def ansatz(params):
        ...     return circuit(2, ry(params["shared"], [0, 1]), rx(2 * params["one"], 0))
        >>> def measured(circuit):
        ...     return expval(circuit(), pauli_sum({"ZZ": 1.0}))
        >>> params = {"shared": torch.tensor(0.5), "one": torch.tensor(0.0)}
        >>> parameter_shift(measured, params, ansatz)
        {'shared': tensor(-0.8415), 'one': tensor(0.)}

    References:
        Mitarai et al. (2018), Phys. Rev. A 98, 032309; Schuld et al. (2019), Phys. Rev. A 99,
        032331; Wierichs et al. (2022), Quantum 6, 677.
    """
    check_function("parameter_shift", "fn", fn)
    check_chunk_size("parameter_shift", chunk_size)
    runs = shifted_runs("parameter_shift", params, circuit_fn)

    def shifted(index: Tensor, shift: Tensor) -> Tensor:
        return one_number("parameter_shift", fn(runs.circuit_at(index, shift)))

    slopes = torch.zeros_like(runs.angles)
    if len(runs.which):
        values = vmap(shifted, chunk_size=chunk_size)(runs.which, runs.shifts).to(slopes.dtype)
        slopes = slopes.index_add(0, runs.which, runs.weights * values)
    return runs.pull(slopes)


def spsa(fn: ObjectiveFn, params: PyTree, u: Tensor, *, step: float = 0.1) -> PyTree:
    r"""Gradient estimate from values along random directions, two for each direction.

    Along a direction $Δ$ of random signs, $[f(p + cΔ) - f(p - cΔ)] / (2c)\; Δ$ has the gradient as
    its mean, up to $O(c^2)$. Its variance grows with the number of parameters; its cost does not.

    Args:
        fn: Function from parameters to a number, (real, ()); it may be sampled.
        params: Tree of real tensors with `n` entries in all.
        u (real, (n,) or (k, n)): Uniform numbers in [0, 1), from `uniforms`: one direction, or
            `k` directions to average over.
        step: Distance $c$ in each parameter; larger steps lessen the noise of samples.

    Returns:
        Tree like `params`.

    Raises:
        TypeError: If `params` or `u` is not real, or `fn` does not return a real tensor.
        ValueError: If the shape of `u` does not fit, `step` is not positive, or `fn` returns
            several numbers.

    Transforms:
        vmap (over parameters and uniform numbers); grad, jvp, hessian, if `fn` has them.

    Examples:
        >>> from quilt_func import uniforms
        >>> params = {"a": torch.tensor([1.0, 2.0])}
        >>> spsa(lambda p: (p["a"] ** 2).sum(), params, uniforms((1000, 2), 0))["a"].round()
        tensor([2., 4.])

    References:
        Spall (1992), IEEE Transactions on Automatic Control 37, 332.
    """
    check_function("spsa", "fn", fn)
    check_number("spsa", "step", step)
    check_positive("spsa", "step", step, "Give a distance between parameters.")
    return slope_along_signs("spsa", fn, params, u, step)


def hvp(fn: ObjectiveFn, params: PyTree, v: PyTree) -> PyTree:
    """Product of the Hessian with a vector, without the Hessian.

    Equal to `torch.func.jvp(torch.func.grad(fn), (params,), (v,))[1]`, after a check.

    Cost: a few gradients, however many parameters there are.

    Args:
        fn: Function from parameters to a number, (real, ()).
        params: Tree of real tensors.
        v: Tree of the structure, shapes and dtype of `params`.

    Returns:
        Tree like `params`.

    Raises:
        TypeError: If a leaf is not real, or dtypes or devices differ.
        ValueError: If the structures or shapes differ.

    Transforms:
        vmap, grad, jvp.

    Examples:
        >>> hvp(lambda x: x.prod(), torch.tensor([2.0, 3.0]), torch.tensor([1.0, 0.0]))
        tensor([0., 1.])

    References:
        Pearlmutter (1994), Neural Computation 6, 147.
    """
    check_function("hvp", "fn", fn)
    point, tangent = with_tangent("hvp", params, v)
    found = jvp(grad(fn), (point,), (tangent,))[1]
    return tree_map(lambda leaf, like: leaf.to(like.dtype), found, point)  # see `own_tangent`


def hessian_spectrum(fn: ObjectiveFn, params: PyTree, u: Tensor) -> Tensor:
    """Eigenvalues of the Hessian, by Lanczos' method with full reorthogonalisation.

    With as many steps as parameters these are all eigenvalues, with their multiplicities. With
    fewer, the outermost are found first and the others are eigenvalues of a compression.

    Cost: `k` products `hvp`, and memory for `k` vectors.

    Args:
        fn: Function from parameters to a number, (real, ()).
        params: Tree of real tensors with `n` entries in all.
        u (real, (k, n) or (n,)): Uniform numbers in [0, 1), from `uniforms`, k <= n. The first row
            is the vector to start from; another takes over where its directions are exhausted.

    Returns:
        (real, (k,)): Eigenvalues, ascending.

    Raises:
        TypeError: If `params` or `u` is not real, or dtypes or devices differ.
        ValueError: If the shape of `u` does not fit.

    Transforms:
        vmap.

    Examples:
        >>> from quilt_func import uniforms
        >>> def saddle(p):
        ...     return (p["x"] ** 2).sum() - 2 * p["y"] ** 2
        >>> params = {"x": torch.zeros(2), "y": torch.tensor(0.0)}
        >>> hessian_spectrum(saddle, params, uniforms((3, 3), 0)).round()
        tensor([-4.,  2.,  2.])

    References:
        Golub and Van Loan (2013), Matrix Computations, section 10.3; Ghorbani, Krishnan and Xiao
        (2019), arXiv:1901.10159.
    """
    check_function("hessian_spectrum", "fn", fn)
    flat, unravel = ravel("hessian_spectrum", "params", params)
    rows = directions("hessian_spectrum", u, flat, at_most=len(flat)).to(flat.dtype) - 0.5
    slope = grad(lambda vector: fn(unravel(vector)))
    basis, diagonal, beside = [_unit(rows[0])], [], []
    scale = flat.new_zeros(())
    for row in (*rows[1:], None):
        image = jvp(slope, (flat,), (basis[-1],))[1]
        diagonal.append(matmul(basis[-1], image))
        scale = torch.maximum(scale, _norm(image))
        if row is None:
            break
        rest = _orthogonal(image, basis)
        beta = _norm(rest)
        is_exhausted = beta <= 64 * torch.finfo(flat.dtype).eps * scale
        fresh = _unit(_orthogonal(row, basis))
        basis.append(torch.where(is_exhausted, fresh, _unit(rest)))
        beside.append(torch.where(is_exhausted, torch.zeros_like(beta), beta))
    matrix = torch.stack(diagonal).diag_embed()
    if beside:
        off = torch.stack(beside)
        matrix = matrix + off.diag_embed(1) + off.diag_embed(-1)
    spectrum: Tensor = torch.linalg.eigvalsh(matrix)
    return spectrum


def _orthogonal(vector: Tensor, basis: list[Tensor]) -> Tensor:
    """Take a basis out of a vector, twice: once leaves the rounding of what was taken out."""
    rows = torch.stack(basis)
    for _ in range(2):
        vector = vector - matmul(matmul(rows, vector), rows)
    return vector


def _norm(vector: Tensor) -> Tensor:
    return vector.square().sum().sqrt()


def _unit(vector: Tensor) -> Tensor:
    return vector / _norm(vector).clamp(min=torch.finfo(vector.dtype).tiny)
