"""Encodings: circuit parts, or a state, of a sample."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from quilt_func._checks import (
    COMPLEX_OF,
    REAL_OF,
    check_count,
    check_is,
    common_dtype_and_device,
    message,
)
from quilt_func.ansatz.layers import (
    SAMPLE_REMEDY,
    Entangler,
    angles_of,
    check_argument,
    check_gate,
    hardware_efficient,
    pairs_of,
)
from quilt_func.gates import h, ry, rz, rzz
from quilt_func.ops import Gate, Op
from quilt_func.typing import AnsatzFn, Parts


def angle_encoding(
    x: Tensor, gate: Gate = ry, wires: Iterable[int] | None = None
) -> tuple[Op, ...]:
    """One rotation per feature: feature `i` is the angle on wire `i`.

    On |0...0⟩ RY and RX measure 0 with probability cos²(x/2). RZ alone encodes only a phase.

    Args:
        x (real, (n_features,)): One sample, in radians.
        gate: Gate of one wire and one angle.
        wires: Wire of each feature; default: `range(n_features)`.

    Returns:
        One op.

    Raises:
        TypeError: If `x` is not a real tensor, or `gate` not a gate.
        ValueError: If `x` is not one sample, its length differs from `wires`, or the gate does
            not fit.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in `x`.

    Examples:
        >>> from quilt_func import circuit, marginal
        >>> x = torch.tensor([math.pi / 3, math.pi])
        >>> marginal(circuit(2, angle_encoding(x))(), [0])
        tensor([0.7500, 0.2500])

    References:
        Schuld and Petruccione (2021), Machine Learning with Quantum Computers, chapter 4.
    """
    check_argument("angle_encoding", "x", x, ("n_features",), SAMPLE_REMEDY)
    check_gate("angle_encoding", gate, n_wires=1, n_params=1)
    return (gate(x, range(x.shape[0]) if wires is None else wires),)


def amplitude_encoding(x: Tensor) -> Tensor:
    """The state whose amplitudes are the features, normalised and padded with zeros.

    The zero vector, which has no direction, gives |0...0⟩ with a gradient of zero, so that one
    blank sample does not spoil a batch. Scale does not matter, however small or large the
    features; NaN and infinite ones give NaN.

    Args:
        x (real or complex, (n_features,)): One sample.

    Returns:
        (complex, (2**n_qubits,)): Normalised statevector of the precision and device of `x`, where
        `2**n_qubits` is the next power of two from `n_features`: a state to call a circuit on.

    Raises:
        TypeError: If `x` is not a floating-point tensor.
        ValueError: If it is not one sample.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in `x` but at zero.

    Examples:
        >>> amplitude_encoding(torch.tensor([3.0, 0.0, 4.0])).real
        tensor([0.6000, 0.0000, 0.8000, 0.0000])

    References:
        Schuld and Petruccione (2021), Machine Learning with Quantum Computers, chapter 4.
    """
    dtypes = (*COMPLEX_OF, *REAL_OF)
    check_argument("amplitude_encoding", "x", x, ("n_features",), SAMPLE_REMEDY, dtypes)
    size = 1 << max(x.shape[0] - 1, 0).bit_length()
    padded = pad(x, (0, size - x.shape[0]))
    re, im = (padded.real, padded.imag) if x.is_complex() else (padded, torch.zeros_like(padded))
    largest = torch.maximum(re.abs(), im.abs()).amax().detach()
    is_zero = largest == 0
    first = pad(torch.ones_like(re[:1]), (0, size - 1))
    scale = torch.where(is_zero, 1.0, largest)
    re, im = torch.where(is_zero, first, re / scale), im / scale
    norm = (re.square() + im.square()).sum().sqrt()
    return torch.complex(re / norm, im / norm)


def iqp_encoding(x: Tensor, repeats: int = 1, entangler: Entangler = "all") -> tuple[Op, ...]:
    r"""Hadamards, then the diagonal gates RZ(x_i) and RZZ(x_i x_j), all of it repeated.

    The diagonal is $\exp(-\frac{i}{2} (\sum_i x_i Z_i + \sum_{ij} x_i x_j Z_i Z_j))$. Angles are
    those of PennyLane's `IQPEmbedding`; Havlíček et al. take $(\pi - x_i)(\pi - x_j)$ for the
    products, no half and the opposite sign, and two repeats. One repeat has uniform probabilities.

    Args:
        x (real, (n_features,)): One sample, one feature per wire, in radians.
        repeats: Number of repeats.
        entangler: Pairs whose products are encoded, as in `entangler_pairs`; order is no matter.

    Returns:
        Three ops a repeat on wires `range(n_features)`; two if there are no pairs.

    Raises:
        TypeError: If `x` is not a real tensor, or `repeats` not an int.
        ValueError: If `x` is not one sample, `repeats` is negative or the entangler does not fit.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in `x`.

    Examples:
        >>> iqp_encoding(torch.zeros(3), entangler="chain")
        (<h on (0,), (1,), (2,)>, <rz on (0,), (1,), (2,)>, <rzz on (0, 1), (1, 2)>)

    References:
        Havlíček et al. (2019), Nature 567, 209.
    """
    check_argument("iqp_encoding", "x", x, ("n_features",), SAMPLE_REMEDY)
    check_count("iqp_encoding", "repeats", repeats)
    wires = range(x.shape[0])
    pairs = pairs_of("iqp_encoding", len(wires), entangler)
    ops = [h(wires), rz(x, wires)]
    if pairs:
        left, right = x[torch.tensor(pairs, device=x.device).mT]
        ops.append(rzz(left * right, pairs))
    return tuple(ops) * repeats


def data_reuploading(
    x: Tensor,
    params: Mapping[str, Tensor],
    encoding: Callable[[Tensor], Parts] = angle_encoding,
    layer: AnsatzFn = hardware_efficient,
) -> tuple[Parts, ...]:
    """Encode the sample anew before every layer: encoding, layer, encoding, layer, ...

    With the defaults a wire turns by RY(w x), RY(θ), RZ(φ) in each layer. Other choices are
    functions too: `partial(angle_encoding, gate=rx)`, `partial(hardware_efficient, gate=cz)`,
    `brickwork`, your own. Layers may have more wires than there are features; the rest has no data.

    Args:
        x (real, (n_features,)): One sample.
        params: `{"theta": ..., "scale": ...}`. `theta` (real, (n_layers, ...)): angles of the
            layers. `scale` (real, (n_layers, n_features)): factors of the features; may be left
            out.
        encoding: Function from features (real, (n_features,)) to circuit parts.
        layer: Function from a layer's angles (real, (1, ...)) to circuit parts, such as a template.
            Each call is a first layer: `strongly_entangling` has range 1 throughout.

    Returns:
        Two parts a layer, in order.

    Raises:
        TypeError: If `x`, `theta` or `scale` is not a real tensor, `params` not a mapping, or
            dtypes or devices differ.
        ValueError: If keys or shapes do not fit.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in `x` and `params`.

    Examples:
        >>> from quilt_func import circuit, uniforms
        >>> params = init_data_reuploading(uniforms((2, 3, 2), 0), n_features=3)
        >>> [op.gate.name for op in circuit(3, data_reuploading(torch.ones(3), params)).ops]
        ['ry', 'ry', 'rz', 'cx', 'ry', 'ry', 'rz', 'cx']

    References:
        Pérez-Salinas et al. (2020), Quantum 4, 226; Schuld, Sweke and Meyer (2021), Phys. Rev. A
        103, 032430.
    """
    check_argument("data_reuploading", "x", x, ("n_features",), SAMPLE_REMEDY)
    theta, *scale = _reuploading_params(x, params)
    common_dtype_and_device("data_reuploading", (x, theta, *scale))
    features = scale[0] * x if scale else x.expand(theta.shape[0], -1)
    rows = zip(features, theta[:, None], strict=True)
    return tuple(part for row, angles in rows for part in (encoding(row), layer(angles)))


def _reuploading_params(x: Tensor, params: Any) -> list[Tensor]:
    """The checked values of `theta` and, if there is one, `scale`."""
    remedy = "Make them with `init_data_reuploading(u, n_features)`."
    check_is("data_reuploading", "params", params, Mapping, "be a mapping", remedy)
    if set(params) not in ({"theta"}, {"theta", "scale"}):
        need, keys = "have the keys 'theta' and optionally 'scale'", [*params]
        raise ValueError(message("data_reuploading", "params", keys, need, f"{keys}", remedy))
    check_argument("data_reuploading", "theta", params["theta"], ("n_layers", ...), remedy)
    if "scale" in params:
        form = (params["theta"].shape[0], x.shape[0])
        check_argument("data_reuploading", "scale", params["scale"], form, remedy)
    return [params[key] for key in ("theta", "scale") if key in params]


def init_data_reuploading(
    u: Tensor,
    n_features: int | None = None,
    *,
    low: float = 0.0,
    high: float = 2 * math.pi,
) -> dict[str, Tensor]:
    """Parameters of `data_reuploading`: angles uniform in [low, high), scales of one.

    Args:
        u (real, (n_layers, ...)): Uniform numbers in [0, 1), from `uniforms`; for the default
            layer of shape `(n_layers, n_qubits, 2)`.
        n_features: Length of a sample, for trainable scales; default: no scales.
        low: Smallest angle.
        high: Upper end, excluded but for rounding.

    Returns:
        `{"theta": ...}` of the shape of `u` and, with `n_features`, `"scale"` of the shape
        `(n_layers, n_features)`; of the dtype and device of `u`.

    Raises:
        TypeError: If `u` is not a real tensor, or `n_features` not an int.
        ValueError: If `u` has no layers' axis, or `n_features` is negative.

    Transforms:
        vmap (an ensemble), grad, jvp.

    Examples:
        >>> from quilt_func import uniforms
        >>> params = init_data_reuploading(uniforms((2, 3, 2), 0), n_features=3)
        >>> {name: tuple(leaf.shape) for name, leaf in params.items()}
        {'theta': (2, 3, 2), 'scale': (2, 3)}
    """
    theta = angles_of("init_data_reuploading", u, ("n_layers", ...), low, high)
    if n_features is None:
        return {"theta": theta}
    check_count("init_data_reuploading", "n_features", n_features)
    return {"theta": theta, "scale": u.new_ones(u.shape[0], n_features)}
