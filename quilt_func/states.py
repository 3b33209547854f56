"""Statevectors and what can be read off them; the one place that draws random numbers.

A state of `n` qubits is a flat complex tensor `(2**n,)`; wire 0 is the most significant bit.
"""

import math
import operator
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from quilt_func._checks import (
    COMPLEX_OF,
    REAL_OF,
    check_amplitudes,
    check_complex_dtype,
    check_count,
    check_is,
    check_mixed,
    check_real_dtype,
    check_state,
    check_state_size,
    check_tensor,
    check_wires,
    common_dtype_and_device,
    describe,
    is_density,
    is_index,
    kind_error,
    message,
)
from quilt_func._torch import unconjugated
from quilt_func.densities import entropy_of, fidelity_of_densities, partial_trace
from quilt_func.typing import Device


def zero_state(
    n_qubits: int, *, dtype: torch.dtype = torch.complex64, device: Device = None
) -> Tensor:
    """The state |0...0⟩.

    Args:
        n_qubits: Number of qubits, 0 or more.
        dtype: complex64 or complex128.
        device: Where to make it; default: the CPU.

    Returns:
        (complex, (2**n_qubits,)): Statevector.

    Raises:
        TypeError: If `n_qubits` is not an int or `dtype` not complex.
        ValueError: If `n_qubits` is negative.

    Transforms:
        None: it has no tensor argument.

    Examples:
        >>> zero_state(1)
        tensor([1.+0.j, 0.+0.j])
    """
    check_complex_dtype("zero_state", dtype)
    check_count("zero_state", "n_qubits", n_qubits)
    check_amplitudes("zero_state", n_qubits)
    return basis_state("0" * n_qubits, dtype=dtype, device=device)


def basis_state(
    bits: str, *, dtype: torch.dtype = torch.complex64, device: Device = None
) -> Tensor:
    """The computational basis state of a bit string; its first bit is wire 0.

    Args:
        bits: A string of 0 and 1.
        dtype: complex64 or complex128.
        device: Where to make it; default: the CPU.

    Returns:
        (complex, (2**len(bits),)): Statevector.

    Raises:
        TypeError: If `bits` is not a string or `dtype` not complex.
        ValueError: If `bits` has other letters, or more than 60.

    Transforms:
        None: it has no tensor argument.

    Examples:
        >>> basis_state("10").real
        tensor([0., 0., 1., 0.])
    """
    check_complex_dtype("basis_state", dtype)
    check_is("basis_state", "bits", bits, str, "be a string", 'Write "010".')
    if set(bits) - {"0", "1"}:
        need, remedy = "hold only 0 and 1", 'Write "010".'
        raise ValueError(message("basis_state", "bits", bits, need, repr(bits), remedy))
    check_amplitudes("basis_state", len(bits))
    state = torch.zeros(2 ** len(bits), dtype=dtype, device=device or "cpu")
    state[int(bits or "0", 2)] = 1
    return state


def product_state(factors: Sequence[Tensor]) -> Tensor:
    """Tensor product of states; the first factor holds the most significant wires.

    Args:
        factors (complex, (2**k,) each): Statevectors of any numbers of qubits.

    Returns:
        (complex, (product of sizes,)): Statevector.

    Raises:
        TypeError: If a factor is not a complex tensor or dtypes differ.
        ValueError: If there is no factor or one is not flat.

    Transforms:
        vmap, grad, jvp.

    Examples:
        >>> product_state([basis_state("1"), basis_state("0")]).real
        tensor([0., 0., 1., 0.])
    """
    if isinstance(factors, str) or (isinstance(factors, Tensor) and factors.ndim < 2):
        remedy = "Write `[state]` for one."
        if isinstance(factors, str):
            remedy = f"Write `basis_state({factors!r})` for a state of the basis."
        raise kind_error("product_state", "factors", factors, "be a sequence of states", remedy)
    factors = list(factors)
    if not factors:
        remedy = "Give at least one state."
        raise ValueError(message("product_state", "factors", [], "not be empty", "none", remedy))
    for factor in factors:
        check_state("product_state", factor, "factors")
    common_dtype_and_device("product_state", factors)
    state = factors[0]
    for factor in factors[1:]:
        state = (state[:, None] * factor).flatten()
    return state


def ghz_state(
    n_qubits: int, *, dtype: torch.dtype = torch.complex64, device: Device = None
) -> Tensor:
    """The state (|0...0⟩ + |1...1⟩) / √2.

    Args:
        n_qubits: Number of qubits, at least 1.
        dtype: complex64 or complex128.
        device: Where to make it; default: the CPU.

    Returns:
        (complex, (2**n_qubits,)): Statevector.

    Raises:
        TypeError: If `n_qubits` is not an int or `dtype` not complex.
        ValueError: If `n_qubits` is less than 1.

    Transforms:
        None: it has no tensor argument.

    Examples:
        >>> ghz_state(2).real
        tensor([0.7071, 0.0000, 0.0000, 0.7071])

    References:
        Greenberger, Horne and Zeilinger (1989).
    """
    state = _no_amplitudes("ghz_state", n_qubits, dtype, device)
    state[0] = state[-1] = math.sqrt(0.5)
    return state


def w_state(
    n_qubits: int, *, dtype: torch.dtype = torch.complex64, device: Device = None
) -> Tensor:
    """The equal superposition of all basis states with a single 1.

    Args:
        n_qubits: Number of qubits, at least 1.
        dtype: complex64 or complex128.
        device: Where to make it; default: the CPU.

    Returns:
        (complex, (2**n_qubits,)): Statevector.

    Raises:
        TypeError: If `n_qubits` is not an int or `dtype` not complex.
        ValueError: If `n_qubits` is less than 1.

    Transforms:
        None: it has no tensor argument.

    Examples:
        >>> w_state(2).real
        tensor([0.0000, 0.7071, 0.7071, 0.0000])

    References:
        Dür, Vidal and Cirac (2000), Phys. Rev. A 62, 062314.
    """
    state = _no_amplitudes("w_state", n_qubits, dtype, device)
    state[[2**wire for wire in range(n_qubits)]] = n_qubits**-0.5
    return state


def _no_amplitudes(function: str, n_qubits: int, dtype: torch.dtype, device: Device) -> Tensor:
    check_complex_dtype(function, dtype)
    check_count(function, "n_qubits", n_qubits, 1)
    return torch.zeros(2**n_qubits, dtype=dtype, device=device or "cpu")


def random_state(u: Tensor) -> Tensor:
    r"""A Haar-random state from uniform numbers: normalised complex Gaussian amplitudes.

    Args:
        u (real, (2, 2**n_qubits)): Uniform numbers in [0, 1), from `uniforms`.

    Returns:
        (complex, (2**n_qubits,)): Statevector of the precision of `u`.

    Raises:
        TypeError: If `u` is not a real floating-point tensor.
        ValueError: If its shape is not `(2, 2**n_qubits)`.

    Transforms:
        vmap, grad, jvp.

    Examples:
        >>> state = random_state(uniforms((2, 4), 0))
        >>> state.shape, bool((state.abs().square().sum() - 1).abs() < 1e-6)
        (torch.Size([4]), True)

    References:
        Box and Muller (1958); Życzkowski and Sommers (2001), J. Phys. A 34, 7111.
    """
    form, remedy = (2, "2**n_qubits"), "Make it with `uniforms((2, 2**n_qubits), seed)`."
    check_tensor("random_state", "u", u, COMPLEX_OF, form, remedy, need="be a real tensor")
    squares = (-torch.log1p(-u[0])).clamp(min=torch.finfo(u.dtype).tiny)  # a root has no slope at 0
    radius = squares.sqrt()
    angle = 2 * math.pi * u[1]
    state = torch.complex(radius * angle.cos(), radius * angle.sin())
    return state / radius.square().sum().sqrt()


def uniforms(
    shape: int | Sequence[int],
    seed_or_generator: int | torch.Generator,
    *,
    dtype: torch.dtype = torch.float32,
    device: Device = None,
) -> Tensor:
    """Uniform random numbers in [0, 1): the one place in the library that draws.

    A seed draws on the CPU, so that it gives the same numbers for every device.

    Args:
        shape: Shape of the result.
        seed_or_generator: An int, or a `torch.Generator`, which advances.
        dtype: float32 or float64.
        device: Where to put the numbers; default: the generator's device, or the CPU.

    Returns:
        (real, shape): Uniform numbers.

    Raises:
        TypeError: If the shape is of the wrong kind, the seed is neither an int nor a generator,
            or `dtype` is not real.
        ValueError: If a size is negative, the seed too large, or it is called within `vmap`.

    Transforms:
        None: draw outside of `vmap` and map over the numbers.

    Examples:
        >>> bool((uniforms((2, 3), 0) == uniforms((2, 3), 0)).all())
        True
    """
    check_real_dtype("uniforms", dtype)
    if isinstance(seed_or_generator, torch.Generator):
        generator = seed_or_generator
    elif isinstance(seed_or_generator, int) and not isinstance(seed_or_generator, bool):
        if not -(2**63) <= seed_or_generator < 2**64:
            need, got = "have 64 bits", f"{seed_or_generator.bit_length()}"
            named = "uniforms", "seed_or_generator", seed_or_generator
            raise ValueError(message(*named, need, got, "Give a smaller seed."))
        generator = torch.Generator().manual_seed(seed_or_generator)
    else:
        need, remedy = "be an int or a torch.Generator", "Randomness is an argument: give a seed."
        raise kind_error("uniforms", "seed_or_generator", seed_or_generator, need, remedy)
    sizes = _sizes(shape)
    try:
        numbers = torch.rand(sizes, generator=generator, dtype=dtype, device=generator.device)
    except RuntimeError as error:
        if "random operation" not in str(error):
            raise
        raise ValueError(
            "uniforms(): numbers must be drawn outside of `vmap`, but got a call within it. Draw "
            "`u = uniforms((k, ...), seed)` before, and map over `u`."
        ) from None
    return numbers if device is None else numbers.to(device)


def _sizes(shape: Any) -> tuple[int, ...]:
    given = tuple(shape) if isinstance(shape, Iterable) else (shape,)
    if isinstance(shape, str) or not all(map(is_index, given)):
        requirement, remedy = "be an int or ints", "Give a shape such as `(shots,)`."
        raise TypeError(message("uniforms", "shape", shape, requirement, describe(shape), remedy))
    return tuple(check_count("uniforms", "shape", operator.index(size)) for size in given)


def overlap(a: Tensor, b: Tensor) -> Tensor:
    """Inner product ⟨a|b⟩.

    Args:
        a (complex, (2**n,)): State; it is conjugated.
        b (complex, (2**n,)): State.

    Returns:
        (complex, ()): Inner product.

    Raises:
        TypeError: If a state is not a complex tensor or dtypes differ.
        ValueError: If sizes differ.

    Transforms:
        vmap, grad (of real functions of it), jvp.

    Examples:
        >>> overlap(zero_state(1), ghz_state(1))
        tensor(0.7071+0.j)
    """
    return _overlap("overlap", a, b)


def _overlap(function: str, a: Tensor, b: Tensor) -> Tensor:
    check_state_size(function, b, check_state(function, a, "a"), "b")
    common_dtype_and_device(function, (a, b))
    return torch.vdot(a, b)


def fidelity(a: Tensor, b: Tensor) -> Tensor:
    """Squared overlap |⟨a|b⟩|² of two normalised states; of mixed ones, Uhlmann's fidelity.

    That is ⟨a|ρ|a⟩ of a state and a matrix, and `(tr sqrt(sqrt(ρ) σ sqrt(ρ)))²` of two matrices.

    Args:
        a (complex, (2**n,) or (2**n, 2**n)): Normalised statevector, or density matrix.
        b (complex, (2**n,) or (2**n, 2**n)): The other.

    Returns:
        (real, ()): Fidelity in [0, 1].

    Raises:
        TypeError: If one is not a complex tensor, or dtypes or devices differ.
        ValueError: If sizes differ.

    Transforms:
        vmap, grad, jvp, hessian of real parameters. Of two matrices, grad and jvp where their ranks
        do not change, hessian where both have full rank.

    Examples:
        >>> fidelity(zero_state(1), ghz_state(1))
        tensor(0.5000)

    References:
        Nielsen and Chuang (2010), section 9.2.2.
    """
    if is_density(a) or is_density(b):
        return fidelity_of_densities(a, b)
    product = _overlap("fidelity", a, b)
    return product.real.square() + product.imag.square()


def reduced_density(state: Tensor, wires: Sequence[int]) -> Tensor:
    """Density matrix of some wires, the others traced out.

    Args:
        state (complex, (2**n,) or (2**n, 2**n)): Normalised statevector, or density matrix.
        wires: `k` distinct wires; the first is the most significant bit of the result.

    Returns:
        (complex, (2**k, 2**k)): Density matrix.

    Raises:
        TypeError: If the state is not a complex tensor or a wire is not an int.
        ValueError: If wires repeat or are out of range.

    Transforms:
        vmap, grad (of real functions of it), jvp.

    Examples:
        >>> reduced_density(ghz_state(2), [0]).real
        tensor([[0.5000, 0.0000],
                [0.0000, 0.5000]])

    References:
        Nielsen and Chuang (2010), section 2.4.3.
    """
    n = check_mixed("reduced_density", state)
    return partial_trace(state, check_wires("reduced_density", wires, n))


def purity(rho: Tensor) -> Tensor:
    """Purity tr(ρ²) of a density matrix.

    Args:
        rho (complex, (N, N)): Hermitian, of trace one.

    Returns:
        (real, ()): Purity in [1/N, 1].

    Raises:
        TypeError: If `rho` is not a complex tensor.
        ValueError: If it is not square.

    Transforms:
        vmap, grad, jvp, hessian of real parameters.

    Examples:
        >>> purity(reduced_density(ghz_state(2), [0]))
        tensor(0.5000)

    References:
        Nielsen and Chuang (2010), section 2.4.1.
    """
    _check_density("purity", rho)
    rho = unconjugated(rho)
    return (rho.real.square() + rho.imag.square()).sum()


def entropy(rho: Tensor) -> Tensor:
    """Von Neumann entropy -tr(ρ ln ρ), in nats.

    Its gradient is exact where no eigenvalue is zero, and counts zero eigenvalues as constant.
    Second derivatives need distinct eigenvalues.

    Args:
        rho (complex, (N, N)): Hermitian, of trace one.

    Returns:
        (real, ()): Entropy in [0, ln N].

    Raises:
        TypeError: If `rho` is not a complex tensor.
        ValueError: If it is not square.

    Transforms:
        vmap, grad, jvp.

    Examples:
        >>> entropy(reduced_density(ghz_state(2), [0]))
        tensor(0.6931)

    References:
        Nielsen and Chuang (2010), section 11.3.
    """
    _check_density("entropy", rho)
    return entropy_of(rho)


def _check_density(function: str, rho: object) -> None:
    remedy = "Give one density matrix; map over a batch with `torch.func.vmap`."
    if isinstance(rho, Tensor) and rho.ndim == 1:
        remedy = "Make one of a state with `reduced_density(state, wires)`."
    need, fix = "be a complex tensor", "Make one with `reduced_density`."
    form = ("N", "N")
    check_tensor(function, "rho", rho, REAL_OF, form, remedy, need=need, dtype_remedy=fix)
