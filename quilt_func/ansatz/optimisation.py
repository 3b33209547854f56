"""Quantum approximate optimisation: layers of a cost and a mixer, their starts, warm or cold."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from quilt_func._checks import (
    check_count,
    check_is,
    check_number,
    common_dtype_and_device,
    describe,
    message,
)
from quilt_func.ansatz.layers import angles_of, check_argument
from quilt_func.circuits import circuit
from quilt_func.derived import controlled
from quilt_func.diagonals import z_coefficients, z_wires
from quilt_func.gates import h, p, pauli_rot, rx, rxx, ry, ryy, rz, rzz, x
from quilt_func.pauli import SumLike, as_sum
from quilt_func.typing import Device, Parts, WireSet

Mixer = str | Callable[[Tensor], Parts]
"""One of "x", "xy", "grover", or a function from a layer's β (real, ()) to circuit parts."""

MIXERS = ("x", "xy", "grover")
_LAYERS = "Give γ and β of every layer."


def qaoa(
    params: Tensor, cost: SumLike, mixer: Mixer = "x", start: Parts | None = None
) -> tuple[Parts, ...]:
    r"""Quantum approximate optimisation: from |+...+⟩, layers of $e^{-i\gamma C}$ and a mixer.

    A word of the cost with the coefficient $c$ becomes a rotation by $2 \gamma c$; the constant,
    a global phase, is left out. Costs here are minimised: a cut that others maximise comes with
    the opposite sign, and so does its $\gamma$. Mixers are

    - `"x"`: RX(2β) on every wire;
    - `"xy"`: $e^{-iβ (XX + YY) / 2}$ on the pairs of a ring, even ones, then odd ones, which keeps
      the number of ones: it needs a `start` that has that number;
    - `"grover"`: $e^{-iβ |s⟩⟨s|}$ about the start $|s⟩$, which treats all strings of one cost
      alike; one gate on all wires, whose matrix has `4**n_qubits` entries;
    - your own function of β.

    Args:
        params (real, (n_layers, 2)): γ and β of every layer.
        cost: Pauli sum of the letters I and Z, or a dict that `pauli_sum` would take.
        mixer: A name or a function from β (real, ()) to circuit parts.
        start: Circuit parts that make the first state of |0...0⟩; default: Hadamard gates.

    Returns:
        The start, then, in every layer, one op for each number of Zs in a word up to five
        (more take CNOTs), and the mixer, on wires `range(cost.n_qubits)`.

    Raises:
        TypeError: If `params` is not a real tensor, `cost` not a Pauli sum, `mixer` neither a name
            nor a function, or dtypes differ.
        ValueError: If the shape does not fit, a word has the letters X or Y, the mixer's name is
            unknown, or `"xy"` has no start.

    Transforms:
        vmap, grad, jvp, hessian; differentiable in `params` and the coefficients.

    Examples:
        >>> from quilt_func import circuit, pauli_sum
        >>> cost = pauli_sum({"ZZI": 1.0, "IIZ": 1.0})
        >>> [op.gate.name for op in qaoa(torch.zeros(1, 2), cost)]
        ['h', 'rz', 'rzz', 'rx']
        >>> one = circuit(3, qaoa(torch.ones(2, 2), cost, "xy", start=x(1)))().abs().square()
        >>> bool((one[[1, 2, 4]].sum() - 1).abs() < 1e-5)  # there still is one 1
        True

    References:
        Farhi, Goldstone and Gutmann (2014), arXiv:1411.4028; Hadfield et al. (2019), Algorithms 12,
        34, and Wang et al. (2020), Phys. Rev. A 101, 012320, for XY mixers; Bärtschi and Eidenbenz
        (2020), arXiv:2006.00354, for Grover's.
    """
    check_argument("qaoa", "params", params, ("n_layers", 2), _LAYERS)
    cost = as_sum(cost)
    common_dtype_and_device("qaoa", (params, *getattr(cost, "leaves", ())))
    given = z_coefficients("qaoa", "cost", cost, params.dtype, params.device)
    sets = [z_wires(word) for word in cost.words]
    sizes = sorted({len(found) for found in sets if found})
    places = [[i for i, found in enumerate(sets) if len(found) == size] for size in sizes]
    rotations = [(chosen, [sets[i] for i in chosen]) for chosen in places]
    mix = _mixer(mixer, cost.n_qubits, start)
    parts: list[Parts] = [h(range(cost.n_qubits)) if start is None else start]
    for gamma, beta in zip(*params.unbind(-1), strict=True):
        doubled = gamma + gamma
        parts += [_z_rotation(doubled * given[chosen], found) for chosen, found in rotations]
        parts.append(mix(beta))
    return tuple(parts)


def _z_rotation(theta: Tensor, wires: list[WireSet]) -> Parts:
    """Rotations about words of Z of one size."""
    size = len(wires[0])
    if size > 2:
        return pauli_rot(theta, "Z" * size, wires)
    return rzz(theta, wires) if size == 2 else rz(theta, [wire for (wire,) in wires])


def _mixer(mixer: Any, n: int, start: Parts | None) -> Callable[[Tensor], Parts]:
    """The function of a mixer's name, or the one that is given."""
    need, remedy = f"be one of {', '.join(map(repr, MIXERS))}", "Or give a function of β."
    if not isinstance(mixer, str):
        check_is("qaoa", "mixer", mixer, Callable, f"{need}, or a function", remedy)
        mix: Callable[[Tensor], Parts] = mixer
        return mix
    if mixer not in MIXERS:
        raise ValueError(message("qaoa", "mixer", mixer, need, repr(mixer), remedy))
    if mixer == "x":
        return lambda beta: rx(beta + beta, range(n))
    if mixer == "xy":
        if start is None:
            need, remedy = "be given with the mixer 'xy'", "Give `x(range(k))` for k ones."
            raise ValueError(message("qaoa", "start", start, need, "None", remedy))
        return lambda beta: _xy(beta, n)
    first = circuit(n, h(range(n)) if start is None else start)
    return lambda beta: _about(beta, first.n_qubits, first)


def _xy(beta: Tensor, n: int) -> Parts:
    """Exchange along a ring: even pairs, odd pairs, and the pair that closes an odd ring."""
    ring = [(wire, (wire + 1) % n) for wire in range(n if n > 2 else n - 1)]
    last = ring[n - 1 :] if n % 2 else []
    runs = ring[: n - 1 if last else n][::2], ring[: n - 1 if last else n][1::2], last
    return [(rxx(beta, pairs), ryy(beta, pairs)) for pairs in runs if pairs]


def _about(beta: Tensor, n: int, start: Any) -> Parts:
    """Phase -β of the state that a circuit makes."""
    if not n:
        return ()
    phase = controlled(p, n - 1)(-beta, *range(n))
    return start.inverse(), x(range(n)), phase, x(range(n)), start


def init_qaoa(u: Tensor, *, low: float = 0.0, high: float = 2 * math.pi) -> Tensor:
    """Parameters of `qaoa`: angles uniform in [low, high).

    Args:
        u (real, (n_layers, 2)): Uniform numbers in [0, 1), from `uniforms`.
        low: Smallest angle.
        high: Upper end, excluded but for rounding.

    Returns:
        (real, (n_layers, 2)): Angles in radians, of the dtype and device of `u`.

    Raises:
        TypeError: If `u` is not a real tensor.
        ValueError: If its shape does not fit.

    Transforms:
        vmap (an ensemble), grad, jvp.

    Examples:
        >>> from quilt_func import uniforms
        >>> init_qaoa(uniforms((3, 2), 0)).shape
        torch.Size([3, 2])
    """
    return angles_of("init_qaoa", u, ("n_layers", 2), low, high)


def ramp_qaoa(
    n_layers: int,
    step: float = 0.75,
    *,
    dtype: torch.dtype = torch.float32,
    device: Device = None,
) -> Tensor:
    r"""Parameters of `qaoa` as of slow annealing: the cost grows and the mixer fades, linearly.

    In layer $l = 1, ..., p$, $γ = Δ (l - ½) / p$ and $β = -Δ (1 - (l - ½) / p)$. The sign of β is
    that of costs which are minimised: |+...+⟩ is the lowest state of $-\sum X$.

    Args:
        n_layers: Number $p$ of layers.
        step: $Δ$, the time of a layer; costs should be scaled to about 1 a wire.
        dtype: float32 or float64.
        device: Of the result.

    Returns:
        (real, (n_layers, 2)): γ and β of every layer.

    Raises:
        TypeError: If `n_layers` is not an int, `step` no number, or the dtype not real.
        ValueError: If one is negative.

    Transforms:
        None: it has no tensor argument.

    Examples:
        >>> ramp_qaoa(2, 1.0)
        tensor([[ 0.2500, -0.7500],
                [ 0.7500, -0.2500]])

    References:
        Sack and Serbyn (2021), Quantum 5, 491.
    """
    check_count("ramp_qaoa", "n_layers", n_layers)
    check_number("ramp_qaoa", "step", step)
    if dtype not in (torch.float32, torch.float64):
        need, remedy = "be real", "Choose torch.float32 or torch.float64."
        raise TypeError(message("ramp_qaoa", "dtype", dtype, need, f"{dtype}", remedy))
    layers = torch.arange(n_layers, dtype=dtype, device=device)
    gamma = step * (layers + 0.5) / max(1, n_layers)
    return torch.stack([gamma, gamma - step], -1)


def interpolate_qaoa(params: Tensor) -> Tensor:
    r"""Parameters of one layer more, interpolated from trained ones (the INTERP heuristic).

    The curves of γ and β over layers keep their shape:
    $θ'_i = \frac{i - 1}{p} θ_{i - 1} + \frac{p - i + 1}{p} θ_i$ for $i = 1, ..., p + 1$.

    Args:
        params (real, (n_layers, 2)): Parameters, trained, of at least one layer.

    Returns:
        (real, (n_layers + 1, 2)): Parameters to start from.

    Raises:
        TypeError: If `params` is not a real tensor.
        ValueError: If its shape does not fit, or there is no layer.

    Transforms:
        vmap, grad, jvp, hessian.

    Examples:
        >>> interpolate_qaoa(torch.tensor([[0.2, -0.6], [0.4, -0.3]]))
        tensor([[ 0.2000, -0.6000],
                [ 0.3000, -0.4500],
                [ 0.4000, -0.3000]])

    References:
        Zhou, Wang, Choi, Pichler and Lukin (2020), Phys. Rev. X 10, 021067, section V.
    """
    check_argument("interpolate_qaoa", "params", params, ("n_layers", 2), _LAYERS)
    n = params.shape[0]
    if not n:
        need, remedy = "have at least one layer", "Begin with `ramp_qaoa(1)`."
        raise ValueError(message("interpolate_qaoa", "params", params, need, "none", remedy))
    share = torch.arange(n + 1, dtype=params.dtype, device=params.device)[:, None] / n
    before, after = torch.cat([params[:1], params]), torch.cat([params, params[-1:]])
    return share * before + (1 - share) * after


class WarmStart(NamedTuple):
    """What `qaoa` takes to begin near a solution: `qaoa(params, cost, **start._asdict())`.

    Attributes:
        mixer: Function from β to circuit parts, for which the start is an eigenstate.
        start: Circuit parts that make the first state.

    Examples:
        >>> warm = warm_start(torch.tensor([0.5]))
        >>> warm.start, [op.gate.name for op in warm.mixer(torch.tensor(0.1))]
        ((<ry on (0,)>,), ['ry', 'rz', 'ry'])
    """

    mixer: Callable[[Tensor], Parts]
    start: Parts


def warm_start(solution: Tensor, epsilon: float = 0.25) -> WarmStart:
    r"""Start and mixer of `qaoa` that begin near a solution of a relaxed problem.

    Wire $i$ starts in RY(θ_i)|0⟩ with $θ_i = 2 \arcsin \sqrt{c_i}$, so that it is 1 with the
    probability $c_i$, and its mixer RY(θ_i) RZ(2β) RY(-θ_i) leaves that state alone. At $c = ½$
    both are those of `qaoa`. β has the sign that it has there, the opposite of the paper's.

    Args:
        solution (real, (n_qubits,)): Each bit's value in [0, 1].
        epsilon: Least distance ε from 0 and 1: a wire at 0 or 1 would stay there. ½ is cold.

    Returns:
        Mixer and start.

    Raises:
        TypeError: If `solution` is not a real tensor, or `epsilon` no number.
        ValueError: If the shape does not fit, or `epsilon` is not in [0, 0.5].

    Transforms:
        vmap, grad, jvp, hessian, in the solution where it is not cut to [ε, 1 - ε], through `qaoa`.

    Examples:
        >>> from quilt_func import circuit, marginal, pauli_sum
        >>> warm = warm_start(torch.tensor([0.0, 1.0]), epsilon=0.1)
        >>> marginal(circuit(2, warm.start)(), [1])
        tensor([0.1000, 0.9000])
        >>> cost = pauli_sum({"ZZ": 1.0})
        >>> [op.gate.name for op in circuit(2, qaoa(torch.zeros(1, 2), cost, *warm)).ops]
        ['ry', 'rzz', 'ry', 'rz', 'ry']

    References:
        Egger, Mareček and Woerner (2021), Quantum 5, 479.
    """
    remedy = "Give one value for each wire; map over solutions with `torch.func.vmap`."
    check_argument("warm_start", "solution", solution, ("n_qubits",), remedy)
    check_number("warm_start", "epsilon", epsilon)
    if epsilon > 0.5:
        need, remedy = "be at most 0.5", "Give about 0.25."
        raise ValueError(message("warm_start", "epsilon", epsilon, need, describe(epsilon), remedy))
    theta = 2 * solution.clamp(epsilon, 1 - epsilon).sqrt().asin()
    wires: Sequence[int] = range(solution.shape[0])

    def mixer(beta: Tensor) -> Parts:
        return ry(-theta, wires), rz(beta + beta, wires), ry(theta, wires)

    return WarmStart(mixer, (ry(theta, wires),))
