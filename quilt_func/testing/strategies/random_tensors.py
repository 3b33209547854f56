"""Strategies for what fills a tensor: angles, states, matrices, parameters, data; and for wires."""

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from hypothesis import strategies as st
from torch import Tensor

import quilt_func as qf
from quilt_func._checks import COMPLEX_OF
from quilt_func._torch import tree_flatten, tree_unflatten
from quilt_func.testing._lazy import (
    check_bounds,
    check_complex,
    check_count,
    check_real,
    check_shape,
    lazily,
    require,
)
from quilt_func.typing import PyTree, WireSet

Strategy = st.SearchStrategy

_SEEDS = st.integers(0, 2**16 - 1)


@lazily
def uniforms(
    shape: int | Sequence[int] = (), *, dtype: torch.dtype = torch.float64
) -> Strategy[Tensor]:
    """Tensors of uniform numbers in [0, 1), as `quilt_func.uniforms` makes them of a seed.

    Args:
        shape: Shape of the tensors.
        dtype: float32 or float64.

    Returns:
        Strategy of tensors (real, shape). Shrinks towards the numbers of seed 0.

    Examples:
        >>> from hypothesis import find
        >>> find(uniforms(2), lambda u: True).shape
        torch.Size([2])
    """
    check_real("uniforms", dtype)
    return uniforms_of(check_shape("uniforms", shape), dtype)


def uniforms_of(shape: tuple[int, ...], dtype: torch.dtype) -> Strategy[Tensor]:
    """Uniform numbers of a drawn seed."""
    return _SEEDS.map(lambda seed: qf.uniforms(shape, seed, dtype=dtype))


@lazily
def angles(
    shape: int | Sequence[int] = (),
    *,
    min_value: float = -2 * math.pi,
    max_value: float = 2 * math.pi,
    dtype: torch.dtype = torch.float64,
) -> Strategy[Tensor]:
    """Tensors of angles in radians.

    Args:
        shape: Shape of the tensors.
        min_value: Smallest angle.
        max_value: Largest angle.
        dtype: float32 or float64.

    Returns:
        Strategy of tensors (real, shape). One angle shrinks towards 0, several towards the first
        angle shared by all, then towards those of seed 0.

    Examples:
        >>> from hypothesis import find
        >>> find(angles(), lambda theta: theta > 1)
        tensor(2., dtype=torch.float64)
    """
    check_bounds("angles", "max_value", min_value, max_value)
    check_real("angles", dtype)
    return angles_of(check_shape("angles", shape), min_value, max_value, dtype)


@lru_cache(maxsize=256)
def angles_of(
    shape: tuple[int, ...], min_value: float, max_value: float, dtype: torch.dtype
) -> Strategy[Tensor]:
    """Angles: one that all share, or different ones."""
    width = max_value - min_value
    drawn = uniforms_of(shape, dtype).map(lambda u: min_value + width * u)
    same = st.floats(min_value, max_value, allow_subnormal=False).map(
        lambda theta: torch.full(shape, theta, dtype=dtype)
    )
    return same if math.prod(shape) == 1 else same | drawn


@lazily
def wires(n_qubits: int, *, size: int = 1) -> Strategy[WireSet]:
    """Tuples of distinct wires.

    Args:
        n_qubits: Number of qubits.
        size: Number of wires in a tuple.

    Returns:
        Strategy of tuples of ints. Shrinks towards `(0, 1, ...)`.

    Examples:
        >>> from hypothesis import find
        >>> find(wires(3, size=2), lambda pair: pair[0] > 0)
        (1, 0)
    """
    check_count("wires", "n_qubits", n_qubits)
    check_count("wires", "size", size)
    remedy = "Give no more wires than qubits."
    require(size <= n_qubits, "wires", "size", size, f"be at most {n_qubits}", remedy)
    return wire_sets_of(n_qubits, size)


@lru_cache(maxsize=256)
def wire_sets_of(n_qubits: int, size: int) -> Strategy[WireSet]:
    """Distinct wires."""
    if size == 1:
        return st.integers(0, n_qubits - 1).map(lambda wire: (wire,))
    return st.permutations(range(n_qubits)).map(lambda order: tuple(order[:size]))


@lazily
def states(n_qubits: int, *, dtype: torch.dtype = torch.complex128) -> Strategy[Tensor]:
    """Normalised statevectors: basis states and random ones.

    Args:
        n_qubits: Number of qubits.
        dtype: complex64 or complex128.

    Returns:
        Strategy of tensors (complex, (2**n_qubits,)). Shrinks towards |0...0⟩.

    Examples:
        >>> from hypothesis import find
        >>> find(states(1), lambda state: True).real
        tensor([1., 0.], dtype=torch.float64)
    """
    check_count("states", "n_qubits", n_qubits)
    check_complex("states", dtype)
    drawn = uniforms_of((2, 2**n_qubits), dtype.to_real()).map(qf.random_state)
    return _basis_states(n_qubits, dtype) | drawn


def _basis_states(n_qubits: int, dtype: torch.dtype) -> Strategy[Tensor]:
    return st.integers(0, 2**n_qubits - 1).map(
        lambda index: qf.basis_state(f"{index:b}".zfill(n_qubits)[:n_qubits], dtype=dtype)
    )


@lazily
def product_states(n_qubits: int, *, dtype: torch.dtype = torch.complex128) -> Strategy[Tensor]:
    """Normalised states without entanglement: basis states, and products of random qubits.

    Args:
        n_qubits: Number of qubits.
        dtype: complex64 or complex128.

    Returns:
        Strategy of tensors (complex, (2**n_qubits,)). Shrinks towards |0...0⟩.

    Examples:
        >>> from hypothesis import find
        >>> find(product_states(1), lambda state: state[0] == 0).real
        tensor([0., 1.], dtype=torch.float64)
    """
    check_count("product_states", "n_qubits", n_qubits)
    check_complex("product_states", dtype)

    def product(u: Tensor) -> Tensor:
        none = torch.ones(1, dtype=dtype)
        return qf.product_state([none, *(qf.random_state(one) for one in u.unbind(0))])

    drawn = uniforms_of((n_qubits, 2, 2), dtype.to_real()).map(product)
    return _basis_states(n_qubits, dtype) | drawn


@lazily
def unitaries(n_wires: int, *, dtype: torch.dtype = torch.complex128) -> Strategy[Tensor]:
    """Random unitary matrices.

    Args:
        n_wires: Number of wires.
        dtype: complex64 or complex128.

    Returns:
        Strategy of tensors (complex, (2**n_wires, 2**n_wires)). Shrinks towards that of seed 0.

    Examples:
        >>> from hypothesis import find
        >>> find(unitaries(1), lambda matrix: True).shape
        torch.Size([2, 2])
    """
    check_count("unitaries", "n_wires", n_wires)
    check_complex("unitaries", dtype)
    return unitaries_of(n_wires, dtype)


def unitaries_of(n_wires: int, dtype: torch.dtype) -> Strategy[Tensor]:
    """Orthonormal columns, as many as rows."""
    return isometries_of(1, n_wires, dtype).map(lambda operators: operators[0])


@lru_cache(maxsize=64)
def isometries_of(n_operators: int, n_wires: int, dtype: torch.dtype) -> Strategy[Tensor]:
    """Operators `(n_operators, K, K)` with `Σ A† A = 1`: columns that are orthonormal, in parts."""
    size = 2**n_wires
    rows = n_operators * size
    drawn = 1 << (rows - 1).bit_length()  # a state has a power of 2

    def orthonormal(u: Tensor) -> Tensor:
        columns = torch.stack([qf.random_state(pair) for pair in u.unbind(0)], -1)[:rows]
        basis: Tensor = torch.linalg.qr(columns)[0].unflatten(0, (n_operators, size))
        return basis

    return uniforms_of((size, 2, drawn), dtype.to_real()).map(orthonormal)


@lazily
def hermitians(n_wires: int, *, dtype: torch.dtype = torch.complex128) -> Strategy[Tensor]:
    """Random Hermitian matrices, exactly equal to their adjoints.

    Args:
        n_wires: Number of wires.
        dtype: complex64 or complex128.

    Returns:
        Strategy of tensors (complex, (2**n_wires, 2**n_wires)), with real and imaginary parts in
        [-1, 1]. Shrinks towards that of seed 0.

    Examples:
        >>> from hypothesis import find
        >>> find(hermitians(1), lambda matrix: bool((matrix == matrix.mH).all())).shape
        torch.Size([2, 2])
    """
    check_count("hermitians", "n_wires", n_wires)
    check_complex("hermitians", dtype)

    def symmetric(u: Tensor) -> Tensor:
        re, im = (2 * u - 1).unbind(0)
        return torch.complex((re + re.mT) / 2, (im - im.mT) / 2)

    return uniforms_of((2, 2**n_wires, 2**n_wires), dtype.to_real()).map(symmetric)


@lazily
def params_like(
    tree: PyTree, *, min_value: float = -2 * math.pi, max_value: float = 2 * math.pi
) -> Strategy[PyTree]:
    """Trees of parameters of the structure, shapes and dtypes of a given one.

    Args:
        tree: Tree of float32 or float64 tensors; their values are not used.
        min_value: Smallest number.
        max_value: Largest number.

    Returns:
        Strategy of trees. Shrinks towards 0 throughout if the bounds allow it, then towards the
        numbers of seed 0.

    Examples:
        >>> from hypothesis import find
        >>> import torch
        >>> find(params_like({"x": torch.ones(2)}), lambda params: True)
        {'x': tensor([0., 0.])}
    """
    check_bounds("params_like", "max_value", min_value, max_value)
    leaves, structure = tree_flatten(tree)
    is_real = bool(leaves) and all(
        isinstance(leaf, Tensor) and leaf.dtype in COMPLEX_OF for leaf in leaves
    )
    need, remedy = "hold float32 or float64 tensors, at least one", "Wrap numbers in tensors."
    require(is_real, "params_like", "tree", tree, need, remedy)
    sizes = [leaf.numel() for leaf in leaves]

    def filled(flat: Tensor) -> PyTree:
        parts = zip(flat.split(sizes), leaves, strict=True)
        return tree_unflatten(
            [part.reshape(leaf.shape).to(leaf.dtype) for part, leaf in parts], structure
        )

    return angles_of((sum(sizes),), min_value, max_value, torch.float64).map(filled)


@st.composite
def datasets(
    draw: st.DrawFn,
    *,
    n_features: int = 2,
    n_classes: int = 2,
    min_samples: int | None = None,
    max_samples: int = 8,
    dtype: torch.dtype = torch.float64,
) -> tuple[Tensor, Tensor]:
    """Labelled samples; every class occurs.

    Args:
        draw: Hypothesis' own.
        n_features: Number of features of a sample.
        n_classes: Number of classes.
        min_samples: Smallest number of samples; default: one per class.
        max_samples: Largest number of samples, at least `n_classes`.
        dtype: Precision of the features.

    Returns:
        Strategy of pairs: features (real, (n_samples, n_features)) in [-π, π), and labels (int64,
        (n_samples,)). Shrinks towards few samples, the features of seed 0, and labels 0, 1, ...

    Examples:
        >>> from hypothesis import find
        >>> find(datasets(), lambda data: len(data[1]) > 2)[1]
        tensor([0, 1, 0])
    """
    check_count("datasets", "n_features", n_features, 1)
    check_count("datasets", "n_classes", n_classes, 1)
    least = n_classes if min_samples is None else min_samples
    check_count("datasets", "min_samples", least, n_classes)
    check_count("datasets", "max_samples", max_samples, 1)
    check_bounds("datasets", "max_samples", least, max_samples)
    check_real("datasets", dtype)
    n_samples = draw(st.integers(least, max_samples))
    xs = 2 * math.pi * draw(uniforms_of((n_samples, n_features), dtype)) - math.pi
    order = torch.tensor(draw(st.permutations(range(n_samples))))
    return xs, order % n_classes
