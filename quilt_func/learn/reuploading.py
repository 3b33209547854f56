"""The circuit that estimators take where none is given: re-uploading, of any number of features."""

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor

from quilt_func import ansatz
from quilt_func._checks import (
    COMPLEX_OF,
    check_count,
    check_is,
    check_tensor,
    common_dtype_and_device,
    message,
)
from quilt_func.circuits import circuit
from quilt_func.gates import ry, rz
from quilt_func.ops import Op
from quilt_func.states import uniforms


def reuploaded(params: dict[str, Tensor], x: Tensor) -> Tensor:
    """State of a circuit that encodes a sample anew before every layer, on any number of qubits.

    Each layer turns the wires by the features times their factors, feature `i` on wire
    `i mod n_qubits`: by RY for the first `n_qubits`, by RZ for the next, and so on in turns. Fewer
    features than wires are repeated. Then come RY and RZ by trained angles, and a ring of CX. Where
    there is one row of factors more than layers, the sample is encoded once more at the end, as
    kernels need it: trained gates at the end are the same for all samples, and drop out.

    Args:
        params: `{"theta": ..., "scale": ...}`, as `init_reuploaded` makes them. `theta` (real,
            (n_layers, n_qubits, 2)): angles. `scale` (real, (n_layers, n_features)), or one row
            more: factors of the features.
        x (real, (n_features,)): One sample.

    Returns:
        (complex, (2**n_qubits,)): State.

    Raises:
        TypeError: If a tensor is not real, or dtypes differ.
        ValueError: If keys or shapes do not fit.

    Transforms:
        vmap, grad, jvp, hessian.

    Examples:
        >>> from quilt_func import uniforms
        >>> params = init_reuploaded(uniforms((2, 3, 2), 0), n_features=5)
        >>> reuploaded(params, torch.ones(5)).shape
        torch.Size([8])

    References:
        Pérez-Salinas et al. (2020), Quantum 4, 226.
    """
    theta, scale = _leaves(params, x)
    place = partial(_placed, n_qubits=theta.shape[1])
    n_layers = theta.shape[0]
    layer = partial(ansatz.hardware_efficient, entangler="ring")
    layers = {"theta": theta, "scale": scale[:n_layers]}
    parts = ansatz.data_reuploading(x, layers, place, layer)
    last = place(x * scale[-1]) if scale.shape[0] > n_layers else ()
    return circuit(theta.shape[1], parts, last)()


def init_reuploaded(u: Tensor, n_features: int, *, last: bool = False) -> dict[str, Tensor]:
    """Parameters of `reuploaded`: angles uniform in [0, 2π), factors of one.

    Args:
        u (real, (n_layers, n_qubits, 2)): Uniform numbers in [0, 1), from `uniforms`.
        n_features: Length of a sample.
        last: Whether the sample is encoded once more at the end.

    Returns:
        `{"theta": ..., "scale": ...}` of the dtype and device of `u`.

    Raises:
        TypeError: If `u` is not a real tensor, or `n_features` not an int.
        ValueError: If the shape does not fit, or `n_features` is below 1.

    Transforms:
        vmap (an ensemble), grad, jvp.

    Examples:
        >>> from quilt_func import uniforms
        >>> params = init_reuploaded(uniforms((2, 3, 2), 0), n_features=5, last=True)
        >>> {name: tuple(leaf.shape) for name, leaf in params.items()}
        {'theta': (2, 3, 2), 'scale': (3, 5)}
    """
    form, remedy = ("n_layers", "n_qubits", 2), "Draw them: `uniforms((n_layers, n_qubits, 2), 0)`."
    check_tensor("init_reuploaded", "u", u, tuple(COMPLEX_OF), form, remedy)
    check_count("init_reuploaded", "n_features", n_features, minimum=1)
    return {"theta": 2 * math.pi * u, "scale": u.new_ones(u.shape[0] + bool(last), n_features)}


def started(
    n_features: int, n_qubits: int, n_layers: int, seed: int, *, last: bool = False
) -> dict[str, Tensor]:
    """Parameters of `reuploaded` by a seed."""
    u = uniforms((n_layers, n_qubits, 2), seed, dtype=torch.float64)
    return init_reuploaded(u, n_features, last=last)


def _leaves(params: Any, x: Any) -> tuple[Tensor, Tensor]:
    one = "Give one sample; map over a batch with `torch.func.vmap`."
    check_tensor("reuploaded", "x", x, tuple(COMPLEX_OF), ("n_features",), one, least=1)
    remedy = "Make them with `init_reuploaded(u, n_features)`."
    check_is("reuploaded", "params", params, dict, "be a dict", remedy)
    if set(params) != {"theta", "scale"}:
        need, got = "have the keys 'theta' and 'scale'", f"{[*params]}"
        raise ValueError(message("reuploaded", "params", [*params], need, got, remedy))
    real, form = tuple(COMPLEX_OF), ("n_layers", "n_qubits", 2)
    check_tensor("reuploaded", "theta", params["theta"], real, form, remedy, least=1)
    theta, scale, n = params["theta"], params["scale"], x.shape[0]
    rows = theta.shape[0] + (isinstance(scale, Tensor) and scale.shape[:1] == (theta.shape[0] + 1,))
    check_tensor("reuploaded", "scale", scale, real, (rows, n), remedy)
    common_dtype_and_device("reuploaded", (x, theta, scale))
    return theta, scale


def _placed(x: Tensor, n_qubits: int) -> tuple[Op, ...]:
    """Features on wires, by RY and RZ in turns."""
    filled = x.repeat(-(-n_qubits // x.shape[0]))[:n_qubits] if x.shape[0] < n_qubits else x
    rows = enumerate(torch.split(filled, n_qubits))
    return tuple((ry, rz)[k % 2](row, range(row.shape[0])) for k, row in rows)
