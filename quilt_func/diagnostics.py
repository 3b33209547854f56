r"""What a parametrised circuit can do: gradients, expressibility, entanglement, frequencies.

Ensembles are stacked on a first axis, as `torch.func.vmap` gives them; nothing here draws:

    >>> from quilt_func import ansatz, circuit, uniforms
    >>> params = vmap(ansatz.init_hardware_efficient)(uniforms((200, 2, 3, 2), 0))
    >>> states = vmap(lambda p: circuit(3, ansatz.hardware_efficient(p))())(params)
    >>> round(float(entangling_capability(states)), 1)  # random states of three qubits have 2/3
    0.6
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.func import grad, vmap

from quilt_func._checks import (
    COMPLEX_OF,
    REAL_OF,
    check_chunk_size,
    check_count,
    check_function,
    check_is,
    check_iterable,
    check_number,
    check_real_dtype,
    check_state,
    check_tensor,
    common_dtype_and_device,
    describe,
    message,
    shape_error,
)
from quilt_func._parameter_trees import flatten
from quilt_func._shift_rules import gaps_of
from quilt_func._torch import is_differentiated, tree_map
from quilt_func.ops import Gate
from quilt_func.states import fidelity, purity, reduced_density
from quilt_func.typing import Device, PyTree

__all__ = [
    "allowed_frequencies",
    "effective_dimension",
    "entangling_capability",
    "expressibility",
    "fourier_coefficients",
    "gradient_snr",
    "gradient_variance",
    "meyer_wallach",
]


def gradient_variance(
    fn: Callable[[Any], Tensor], params: PyTree, *, chunk_size: int | None = None
) -> PyTree:
    r"""Variance of each derivative over an ensemble of parameters.

    Where the circuit after a Pauli rotation is a 2-design, the derivative of a Pauli word's
    expectation has mean 0 and variance $N (1 - ⟨P⟩^2) / (2 (N^2 - 1))$: a barren plateau, since
    $N = 2^n$. $⟨P⟩$ is the generator's expectation before the rotation, such as 0 for a first RY.

    Cost: one gradient per member, in one vmapped call.

    Args:
        fn: Function from one member's parameters to a number, (real, ()).
        params: Ensemble: tree of real tensors (k, ...), k >= 2.
        chunk_size: Number of members at once, which bounds memory; default: all.

    Returns:
        Tree like one member's parameters: unbiased variances.

    Raises:
        TypeError: If `params` are not real tensors.
        ValueError: If there are no parameters, or fewer than two members.

    Transforms:
        vmap, grad, jvp.

    Examples:
        >>> from quilt_func import circuit, expval, pauli_sum, ry, uniforms
        >>> def energy(theta):
        ...     return expval(circuit(1, ry(theta, 0))(), pauli_sum({"Z": 1.0}))
        >>> angles = 2 * torch.pi * uniforms(10000, 0)
        >>> round(float(gradient_variance(energy, angles)), 2)  # the mean of sin²
        0.5

    References:
        McClean et al. (2018), Nature Communications 9, 4812.
    """
    check_function("gradient_variance", "fn", fn)
    leaves, _ = flatten("gradient_variance", "params", params)
    check_chunk_size("gradient_variance", chunk_size)
    _check_several("gradient_variance", "params", params, leaves, "members", "Stack an ensemble.")
    slopes = vmap(grad(fn), chunk_size=chunk_size)(params)
    return tree_map(lambda leaf: leaf.var(0), slopes)


def gradient_snr(gradient_fn: Callable[[PyTree, Any], PyTree], params: PyTree, u: Any) -> PyTree:
    """Signal-to-noise ratio of sampled derivatives: |mean| / standard deviation over repeats.

    Below one, a step has about as often the wrong sign as the right one.

    Cost: one estimate per repeat, in one vmapped call.

    Args:
        gradient_fn: Function from parameters and one repeat's uniform numbers to a gradient, such
            as `parameter_shift` or `spsa` of a sampled objective.
        params: Tree of parameters, the same for all repeats.
        u: Tensor or tree of uniform numbers (k, ...), one row per repeat, k >= 2.

    Returns:
        Tree like the gradient of ratios (real), infinite where there is no noise.

    Raises:
        TypeError: If `u` holds no real tensors.
        ValueError: If there are fewer than two repeats.

    Transforms:
        vmap.

    Examples:
        >>> from quilt_func import circuit, expval_from_samples, parameter_shift, pauli_sum
        >>> from quilt_func import ry, sample, uniforms
        >>> def estimate(theta, u):
        ...     def mean(circuit):
        ...         return expval_from_samples(sample(circuit(), u), pauli_sum({"Z": 1.0}))
        ...     return parameter_shift(mean, theta, lambda t: circuit(1, ry(t, 0)))
        >>> ratio = gradient_snr(estimate, torch.tensor(0.5), uniforms((500, 100), 0))
        >>> bool((ratio > 5) & (ratio < 12))  # tan(0.5) sqrt(2 shots) = 7.7
        True
    """
    check_function("gradient_snr", "gradient_fn", gradient_fn)
    leaves, _ = flatten("gradient_snr", "u", u, "Draw them with `uniforms(shape, seed)`.")
    _check_several("gradient_snr", "u", u, leaves, "repeats", "Draw a row for each repeat.")
    estimates = vmap(gradient_fn, (None, 0))(params, u)
    return tree_map(lambda leaf: leaf.mean(0).abs() / leaf.std(0), estimates)


def _check_several(
    function: str, argument: str, tree: PyTree, leaves: list[Tensor], members: str, remedy: str
) -> None:
    if any(leaf.ndim < 1 or leaf.shape[0] < 2 for leaf in leaves):
        need = f"have two {members} or more on the first axis"
        got = f"shapes {[tuple(leaf.shape) for leaf in leaves]}"
        raise ValueError(message(function, argument, tree, need, got, remedy))


def expressibility(states: Tensor, others: Tensor, n_bins: int = 75) -> Tensor:
    r"""Divergence of an ensemble's fidelities from those of Haar-random states; 0 is best.

    The relative entropy $\sum_b p_b \ln(p_b / q_b)$, in nats, of the histogram $p$ of fidelities
    of pairs against $q_b = (1 - a)^{N-1} - (1 - b)^{N-1}$ for a bin $[a, b]$ and $N = 2^n$. A
    finite ensemble of $k$ pairs adds about $(m - 1)/(2k)$, with $m$ the bins that random states
    reach.

    Args:
        states (complex, (k, 2**n_qubits)): One state of each pair.
        others (complex, (k, 2**n_qubits)): The other, from independent parameters.
        n_bins: Number of bins in [0, 1].

    Returns:
        (real, ()): Relative entropy, at least 0.

    Raises:
        TypeError: If the states are not complex or are being differentiated, or dtypes or devices
            differ.
        ValueError: If shapes differ or are not `(k, 2**n_qubits)`.

    Transforms:
        vmap. It counts, so that it has no gradient.

    Examples:
        >>> from quilt_func import random_state, uniforms
        >>> random = vmap(random_state)(uniforms((2000, 2, 4), 0))
        >>> round(float(expressibility(random[:1000], random[1000:], n_bins=10)), 1)
        0.0

    References:
        Sim, Johnson and Aspuru-Guzik (2019), Advanced Quantum Technologies 2, 1900070.
    """
    check_count("expressibility", "n_bins", n_bins, minimum=1)
    n_qubits = _check_states("expressibility", "states", states)
    _check_states("expressibility", "others", others)
    common_dtype_and_device("expressibility", (states, others))
    if states.shape != others.shape:
        need, remedy = f"have shape {tuple(states.shape)}", "Give one partner for each state."
        raise shape_error("expressibility", "others", others, need, remedy)
    for argument, given in (("states", states), ("others", others)):
        if is_differentiated(given):
            raise TypeError(
                f"expressibility(): a histogram has no gradient, but the {argument} are being "
                f"differentiated. Use `{argument}.detach()`."
            )
    found = vmap(fidelity)(states, others)
    places = (found * n_bins).to(torch.int64).clamp(0, n_bins - 1)
    bins = torch.arange(n_bins, device=found.device)
    share = (places[:, None] == bins).to(found.dtype).mean(0)
    edges = torch.arange(n_bins + 1, dtype=torch.float64, device=found.device) / n_bins
    log_haar = _log_haar(edges, 2**n_qubits).to(found.dtype)
    return torch.xlogy(share, share).sum() - (share * log_haar).sum()


def _log_haar(edges: Tensor, size: int) -> Tensor:
    """Logarithm of the probability that two random states' fidelity lies between two edges.

    In logarithms, since beyond some qubits the probabilities are too small for their difference.
    """
    low, high = (size - 1) * torch.log1p(-edges[:-1]), (size - 1) * torch.log1p(-edges[1:])
    return low + torch.log(-torch.expm1(high - low))


def meyer_wallach(state: Tensor) -> Tensor:
    r"""Entanglement $Q = 2 (1 - \frac1n \sum_w \mathrm{tr} ρ_w^2)$ of each wire with the rest.

    Args:
        state (complex, (2**n_qubits,)): Normalised statevector of one qubit or more.

    Returns:
        (real, ()): 0 for product states; 1 if every wire is maximally mixed.

    Raises:
        TypeError: If the state is not a complex tensor.
        ValueError: If it is not flat, or has no qubits.

    Transforms:
        vmap, grad, jvp, hessian of real parameters.

    Examples:
        >>> from quilt_func import ghz_state
        >>> meyer_wallach(ghz_state(3))
        tensor(1.0000)

    References:
        Meyer and Wallach (2002), J. Math. Phys. 43, 4273; Brennen (2003), Quantum Inf. Comput. 3,
        619.
    """
    n_qubits = check_state("meyer_wallach", state)
    if not n_qubits:
        need, got, remedy = "have a qubit or more", "none", "Give a state of some qubits."
        raise ValueError(message("meyer_wallach", "state", state, need, got, remedy))
    purities = [purity(reduced_density(state, [wire])) for wire in range(n_qubits)]
    return 2 * (1 - torch.stack(purities).mean())


def entangling_capability(states: Tensor) -> Tensor:
    """Mean of `meyer_wallach` over an ensemble of states.

    For Haar-random states it is (N - 2) / (N + 1), with N = 2**n_qubits.

    Args:
        states (complex, (k, 2**n_qubits)): Ensemble of normalised states.

    Returns:
        (real, ()): Mean entanglement in [0, 1].

    Raises:
        TypeError: If the states are not complex.
        ValueError: If the shape is not `(k, 2**n_qubits)`.

    Transforms:
        vmap, grad, jvp, hessian of real parameters.

    Examples:
        >>> from quilt_func import ghz_state, zero_state
        >>> entangling_capability(torch.stack([ghz_state(2), zero_state(2)]))
        tensor(0.5000)

    References:
        Sim, Johnson and Aspuru-Guzik (2019), Advanced Quantum Technologies 2, 1900070.
    """
    _check_states("entangling_capability", "states", states)
    return vmap(meyer_wallach)(states).mean()


def fourier_coefficients(
    fn: Callable[[Tensor], Tensor],
    degree: int,
    n_features: int = 1,
    *,
    dtype: torch.dtype = torch.float32,
    device: Device = None,
) -> Tensor:
    r"""Coefficients $c_ω$ of a model $f(x) = \sum_ω c_ω e^{i ω·x}$ with whole frequencies.

    Exact if no frequency is larger than `degree`; larger ones are folded onto smaller ones.

    Cost: `(2 degree + 1)**n_features` evaluations of `fn`, in one vmapped call.

    Args:
        fn: Function from features (real, (n_features,)) to a number, (real, ()).
        degree: Largest frequency, 0 or more; `allowed_frequencies` knows it from the gates.
        n_features: Number of features, 1 or more.
        dtype: Of the features: float32 or float64.
        device: Theirs.

    Returns:
        (complex, (2 * degree + 1,) * n_features): Coefficients; index `degree` is frequency 0.

    Raises:
        TypeError: If a count is not an int, or `dtype` is not real.
        ValueError: If a count is too small.

    Transforms:
        vmap and jvp of what `fn` closes over; grad of real functions of it.

    Examples:
        >>> fourier_coefficients(lambda x: 1 + x[0].cos(), 1).real.round(decimals=4)
        tensor([0.5000, 1.0000, 0.5000])

    References:
        Schuld, Sweke and Meyer (2021), Phys. Rev. A 103, 032430.
    """
    check_count("fourier_coefficients", "degree", degree)
    check_count("fourier_coefficients", "n_features", n_features, minimum=1)
    size = 2 * degree + 1
    check_real_dtype("fourier_coefficients", dtype)
    axis = 2 * math.pi / size * torch.arange(size, dtype=dtype, device=device)
    points = torch.stack(torch.meshgrid(*[axis] * n_features, indexing="ij"), -1)
    values = vmap(fn)(points.reshape(-1, n_features)).reshape((size,) * n_features)
    coefficients: Tensor = torch.fft.fftshift(torch.fft.fftn(values, norm="forward"))
    return coefficients


def allowed_frequencies(gates: Sequence[Gate]) -> tuple[float, ...]:
    """Frequencies that a model can have in a feature that is the angle of some gates.

    These are all sums of one gap, or none, of each gate's generator: in number and size they grow
    with re-uploading. Negative ones come with the same coefficients, conjugated.

    Args:
        gates: Gates of one angle, once for each time that the feature enters.

    Returns:
        Frequencies from 0 up, each once.

    Raises:
        TypeError: If an entry is not a gate.
        ValueError: If a gate has not one angle, or no spectrum in it.

    Transforms:
        None: it has no tensor argument.

    Examples:
        >>> from quilt_func import crx, ry
        >>> allowed_frequencies([ry, ry])
        (0.0, 1.0, 2.0)
        >>> allowed_frequencies([ry, crx])
        (0.0, 0.5, 1.0, 1.5, 2.0)

    References:
        Schuld, Sweke and Meyer (2021), Phys. Rev. A 103, 032430.
    """
    check_iterable("allowed_frequencies", "gates", gates, "Write `[ry]` for one gate.")
    sums = {0.0}
    for gate in gates:
        gaps = _gaps(gate)
        steps = [0.0, *gaps, *(-gap for gap in gaps)]
        # Sums of binary fractions are exact; others meet again up to rounding.
        sums = {round(total + step, 9) for total in sums for step in steps}
    return tuple(sorted(total for total in sums if total >= 0))


def _gaps(gate: Any) -> Sequence[float]:
    function = "allowed_frequencies"
    check_is(function, "gates", gate, Gate, "hold gates", "Give rows such as `ry`, not ops.")
    gaps = gaps_of(gate, 0) if gate.n_params == 1 else None
    if gaps is None:
        need, got = "hold gates exp(-i θ G / 2) of one angle", describe(gate)
        remedy = "Others have no spectrum."
        raise ValueError(message(function, "gates", gate, need, got, remedy))
    return gaps


def effective_dimension(fishers: Tensor, n_data: int, gamma: float = 1.0) -> Tensor:
    r"""Number of directions in parameter space that a model of `n_data` samples can tell apart.

    $d = 2 \ln \langle \sqrt{\det(1 + κ \hat F)} \rangle / \ln κ$ with $κ = γ n / (2π \ln n)$, the
    mean over parameters, and $\hat F$ the Fisher information, scaled so that its mean trace is the
    number of parameters.

    Args:
        fishers (real, (k, p, p)): Fisher information at `k` parameters, from `classical_fisher`.
        n_data: Number of samples $n$.
        gamma: Constant $γ$ in (0, 1].

    Returns:
        (real, ()): Effective dimension.

    Raises:
        TypeError: If the matrices are not real, or a number is of the wrong kind.
        ValueError: If the shape is not `(k, p, p)`, `gamma` is not in (0, 1], or `n_data` is so
            small that $κ \le 1$.

    Transforms:
        vmap, grad, jvp.

    Examples:
        >>> d = effective_dimension(torch.eye(3).expand(5, 3, 3), n_data=10**6)
        >>> round(float(d), 2)
        3.0

    References:
        Abbas, Sutter, Zoufal, Lucchi, Figalli and Woerner (2021), Nature Computational Science 1,
        403.
    """
    kappa = _resolution(n_data, gamma)
    remedy, need = "Stack results of `classical_fisher`.", "be a real tensor"
    check_tensor(
        "effective_dimension", "fishers", fishers, COMPLEX_OF, ("k", "p", "p"), remedy, need=need,
        got=describe, least=1,
    )  # fmt: skip
    k, p, _ = fishers.shape
    trace = fishers.diagonal(dim1=1, dim2=2).sum(-1).mean(0, keepdim=True)
    scaled = p * fishers / trace.clamp(min=torch.finfo(fishers.dtype).tiny)
    identity = torch.eye(p, dtype=fishers.dtype, device=fishers.device)
    # rules of `torch.linalg.slogdet` are silently wrong under nested forward mode
    roots = torch.linalg.cholesky(identity + kappa * scaled)
    halves = roots.diagonal(dim1=1, dim2=2).log().sum(-1)
    dimension = (halves.logsumexp(0, keepdim=True) - math.log(k)) * (2 / math.log(kappa))
    found: Tensor = dimension[0]
    return found


def _resolution(n_data: int, gamma: float) -> float:
    """κ, checked to be above 1."""
    check_count("effective_dimension", "n_data", n_data, minimum=2)
    check_number("effective_dimension", "gamma", gamma)
    if not 0 < gamma <= 1:
        need, remedy = "be in (0, 1]", "Give 1, say."
        raise ValueError(message("effective_dimension", "gamma", gamma, need, f"{gamma}", remedy))
    kappa = gamma * n_data / (2 * math.pi * math.log(n_data))
    if kappa <= 1:
        need, got = "make γ n / (2π ln n) larger than 1", f"{kappa:.3g}"
        remedy = "Give more samples or a larger `gamma`."
        raise ValueError(message("effective_dimension", "n_data", n_data, need, got, remedy))
    return kappa


def _check_states(function: str, argument: str, states: Any) -> int:
    """Check an ensemble of states and return the number of qubits."""
    remedy = "Stack states of some qubits on a first axis."
    check_tensor(
        function, argument, states, REAL_OF, ("k", "2**n_qubits"), remedy, least=1, got=describe,
        need="be a complex tensor", dtype_remedy="Make them with `vmap`.",
    )  # fmt: skip
    return int(states.shape[1]).bit_length() - 1
