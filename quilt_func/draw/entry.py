"""Figures: circuits, outcomes, Bloch vectors, density matrices, training, energy landscapes.

Each function returns a `matplotlib.figure.Figure` of its own, for `figure.savefig(...)`, and leaves
matplotlib's global state alone. This room needs the extra `plot`.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.func import vmap

try:
    from matplotlib.figure import Figure
except ModuleNotFoundError as _error:
    if _error.name != "matplotlib":
        raise
    raise ImportError(
        "quilt_func.draw: `matplotlib` must be installed, but it is not. Install the extra with "
        "`pip install 'quilt-func[plot]'`."
    ) from _error

from quilt_func._checks import (
    check_count,
    check_positive,
    check_state,
    describe,
    is_hidden,
    message,
    shape_error,
)
from quilt_func._text_drawing import Labels, shown_texts
from quilt_func._torch import is_transformed, tree_leaves, tree_map
from quilt_func.circuits import Circuit, check_circuit
from quilt_func.diagonals import bit_strings
from quilt_func.draw.circuit_figure import INK, WIRE, draw_row, placed, rows
from quilt_func.states import reduced_density
from quilt_func.typing import PyTree

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Told apart by most eyes (Okabe and Ito, 2008)."""
_FAINT = "#DDE2E6"
_ENDS = torch.tensor([0.05, 0.5, 0.95], dtype=torch.float64)


def draw_mpl(
    circuit: Circuit,
    *,
    width: float = 14.0,
    values: bool = True,
    labels: Labels | None = None,
) -> Figure:
    """Draw a circuit: blue boxes are constant gates, orange ones turn by the angle below.

    Args:
        circuit: Circuit; labels are its gates' `symbol`. Angles that can't be read show as "…".
        width: Width at which the drawing breaks into rows; a simple gate is about 1 wide.
        values: Whether to show angles; without them gates show their names alone.
        labels: Texts in place of angles, such as `["$x_{}$", "θ"]`: one for each angle of each op
            that has angles, op by op. A text is for all wire sets of its op, and `{}` in it is
            their number, from 0; a list has a text for each. Maths goes between dollar signs.

    Returns:
        The figure.

    Raises:
        TypeError: If `circuit` is not a circuit, or a label neither a text nor a list of texts.
        ValueError: If it has no qubits, the width is not positive, or there are not as many labels
            as angles, or as wire sets in a list.

    Transforms:
        None: a figure has no derivative.

    Examples:
        >>> from quilt_func import circuit, cx, h, rz
        >>> draw_mpl(circuit(2, h(0), cx(0, 1), rz(0.5, 1))).axes[0].texts[0].get_text()
        '$q_{0}$'
    """
    check_circuit("draw_mpl", "circuit", circuit)
    n = _some_qubits("draw_mpl", "circuit", circuit, circuit.n_qubits)
    check_positive("draw_mpl", "width", width, "Give about 14 for a page.")
    gates = placed(n, circuit.ops, shown_texts("draw_mpl", circuit.ops, values, labels))
    found = rows(gates, width)
    right, height = max(row.width for row in found) + 0.3, len(found) * (n + 0.5)
    figure = Figure(figsize=(0.62 * (right + 0.8), 0.62 * height), layout="constrained")
    axes = figure.add_subplot()
    for i, row in enumerate(found):
        draw_row(axes, n, gates, row, -i * (n + 0.5))
    axes.set(xlim=(-0.8, right), ylim=(0.75 - height, 0.75), aspect="equal")
    axes.set_axis_off()
    return figure


def plot_outcomes(values: Tensor | Mapping[str, int], *, n_bars: int = 32) -> Figure:
    """Bars of probabilities, or of counts with the error that their number leaves.

    Args:
        values: Probabilities (real, (2**n_qubits,)), as `probs` gives them, or counts by bit
            string, as `counts` gives them.
        n_bars: Largest number of bars; more outcomes are cut to the likeliest, and a note says so.

    Returns:
        The figure. Counts are drawn as shares, with bars of one standard deviation
        `sqrt(p (1 - p) / shots)`.

    Raises:
        TypeError: If `values` is neither, or hidden behind a transform.
        ValueError: If there is nothing to draw.

    Transforms:
        None: a figure has no derivative.

    Examples:
        >>> figure = plot_outcomes({"00": 52, "11": 48})
        >>> [label.get_text() for label in figure.axes[0].get_xticklabels()]
        ['00', '11']
    """
    check_count("plot_outcomes", "n_bars", n_bars, 1)
    shares, shots = _shares(values)
    chosen = sorted(sorted(shares, key=lambda bits: -shares[bits])[:n_bars])
    figure = Figure(figsize=(max(4.0, 0.32 * len(chosen) + 1.5), 3.2), layout="constrained")
    axes = figure.add_subplot()
    heights = [shares[bits] for bits in chosen]
    errors = [math.sqrt(p * (1 - p) / shots) for p in heights] if shots else None
    axes.bar(range(len(chosen)), heights, 0.72, color=COLOURS[0], yerr=errors,
             ecolor=INK, capsize=2.5, error_kw={"lw": 1.0})  # fmt: skip
    is_long = len(chosen) * (len(chosen[0]) + 1) > 40
    axes.set_xticks(range(len(chosen)), chosen, rotation=90 if is_long else 0, family="monospace")
    axes.set(ylabel="share of shots" if shots else "probability", ylim=(0, None))
    axes.set(xlabel="outcome (wire 0 first)", xlim=(-0.7, len(chosen) - 0.3))
    if len(chosen) < len(shares):
        note = f"{len(shares) - len(chosen)} more outcomes, together {1 - sum(heights):.2g}"
        axes.set_title(note, fontsize=9, color=INK, loc="right")
    return _clean(figure)


def _shares(values: Any) -> tuple[dict[str, float], int]:
    """Share of each outcome, and the number of shots where they were counted."""
    if isinstance(values, Mapping):
        shots = sum(values.values())
        if shots:
            return {bits: count / shots for bits, count in values.items()}, shots
        remedy, got = "Give counts of at least one shot.", "no shots"
        requirement = "hold something to draw"
        raise ValueError(message("plot_outcomes", "values", values, requirement, got, remedy))
    is_real = isinstance(values, Tensor) and values.ndim == 1 and values.is_floating_point()
    n = values.shape[0].bit_length() - 1 if is_real else -1
    if n < 0 or values.shape[0] != 2**n or is_transformed(values):
        requirement = "be counts by bit string, or probabilities of shape (2**n_qubits,)"
        remedy = "Give `probs(state)` or `counts(samples, n_qubits)`, outside of transforms."
        got = describe(values)
        raise TypeError(message("plot_outcomes", "values", values, requirement, got, remedy))
    return dict(zip(bit_strings(n), values.tolist(), strict=True)), 0


def plot_bloch(state: Tensor) -> Figure:
    """Bloch vector of each qubit; a short arrow is a qubit entangled with the others.

    Args:
        state (complex, (2**n_qubits,)): Statevector.

    Returns:
        The figure, one sphere per wire.

    Raises:
        TypeError: If the state is not a complex tensor, or hidden behind a transform.
        ValueError: If it is of the wrong size, or has no qubits.

    Transforms:
        None: a figure has no derivative.

    Examples:
        >>> from quilt_func import ghz_state
        >>> len(plot_bloch(ghz_state(3)).axes)
        3

    References:
        Nielsen and Chuang (2010), section 1.2.
    """
    n = check_state("plot_bloch", state)
    _some_qubits("plot_bloch", "state", state, n)
    _check_readable("plot_bloch", "state", state)
    n_columns = min(n, 5)
    n_rows = -(-n // n_columns)
    figure = Figure(figsize=(2.6 * n_columns, 3.0 * n_rows), layout="constrained")
    for wire in range(n):
        axes: Any = figure.add_subplot(n_rows, n_columns, wire + 1, projection="3d")
        _sphere(axes)
        (up, across), (_, down) = reduced_density(state.detach(), [wire]).tolist()
        vector = [2 * across.real, -2 * across.imag, (up - down).real]
        axes.quiver(0, 0, 0, *vector, color=COLOURS[1], lw=2.6, arrow_length_ratio=0.16)
        axes.scatter(*vector, color=COLOURS[1], s=24)
        title = f"$q_{{{wire}}}$, length {math.hypot(*vector):.2f}"
        axes.set_title(title, fontsize=11, color=INK, y=-0.13)
    return figure


def _sphere(axes: Any) -> None:
    angles = torch.linspace(0, 2 * math.pi, 61)
    c, s, zero = angles.cos().numpy(), angles.sin().numpy(), 0 * angles.numpy()
    for ring in ((c, s, zero), (c, zero, s), (zero, c, s)):
        axes.plot(*ring, color=WIRE, lw=0.7, alpha=0.7)
    for i, (plus, minus) in enumerate((("|+⟩", ""), ("|i⟩", ""), ("|0⟩", "|1⟩"))):
        end = [1.0 if axis == i else 0.0 for axis in range(3)]
        axes.plot(*([-e, e] for e in end), color=WIRE, lw=0.7)
        for far, label in ((1.22, plus), (-1.22, minus)):
            place = [far * e for e in end]
            axes.text(*place, label, fontsize=9.5, ha="center", va="center", color=INK)
    axes.set(xlim=(-0.8, 0.8), ylim=(-0.8, 0.8), zlim=(-0.8, 0.8))
    axes.set_box_aspect((1, 1, 1), zoom=1.1)
    axes.view_init(elev=18, azim=32)
    axes.set_axis_off()


def plot_city(state: Tensor) -> Figure:
    """Real and imaginary parts of a density matrix as bars.

    Args:
        state (complex, (2**n_qubits,) or (2**n_qubits, 2**n_qubits)): Statevector, or density
            matrix of at most 5 qubits.

    Returns:
        The figure: positive entries in blue, negative ones in orange, small ones (below 1 % of the
        largest) in grey.

    Raises:
        TypeError: If the state is not a complex tensor, or hidden behind a transform.
        ValueError: If it is of another shape, or has more than 5 qubits.

    Transforms:
        None: a figure has no derivative.

    Examples:
        >>> from quilt_func import ghz_state
        >>> [axes.get_title() for axes in plot_city(ghz_state(2)).axes]
        ['Re ρ', 'Im ρ']
    """
    rho = _density(state)
    size = rho.shape[0]
    n = size.bit_length() - 1
    figure = Figure(figsize=(9.0, 4.4), layout="constrained")
    top = float(torch.view_as_real(rho).abs().max()) or 1.0
    lowest = min(0.0, float(torch.view_as_real(rho).min()))
    labels = bit_strings(n)
    x, y = (torch.cartesian_prod(*[torch.arange(size)] * 2).double() - 0.35).T.numpy()
    for i, part in enumerate((rho.real, rho.imag)):
        axes: Any = figure.add_subplot(1, 2, i + 1, projection="3d")
        heights = part.flatten().tolist()
        colours = [_FAINT if abs(h) < 0.01 * top else COLOURS[int(h < 0)] for h in heights]
        bottoms, tops = [min(h, 0.0) for h in heights], [abs(h) for h in heights]
        axes.bar3d(x, y, bottoms, 0.7, 0.7, tops, color=colours, alpha=0.92, shade=True,
                   edgecolor="white", linewidth=0.3)  # fmt: skip
        axes.set_xticks(range(size), labels, fontsize=8 if size <= 8 else 6)
        axes.set_yticks(range(size), labels, fontsize=8 if size <= 8 else 6)
        axes.set(zlim=(lowest, top), xlabel="row", ylabel="column")
        axes.set_title(("Re ρ", "Im ρ")[i], fontsize=12, color=INK)
        axes.view_init(elev=32, azim=-58)
    return figure


def _density(state: Any) -> Tensor:
    """A statevector's or a given density matrix, on the CPU."""
    is_matrix = isinstance(state, Tensor) and state.ndim == 2 and state.is_complex()
    n = check_state("plot_city", state[:, 0] if is_matrix else state)
    _check_readable("plot_city", "state", state)
    if n > 5 or (is_matrix and state.shape[0] != state.shape[1]):
        need = "have shape (2**n_qubits,) or (2**n_qubits, 2**n_qubits), of at most 5 qubits"
        remedy = "Reduce it with `reduced_density` first."
        raise shape_error("plot_city", "state", state, need, remedy)
    rho = state.detach() if is_matrix else reduced_density(state.detach(), range(n))
    return rho.cpu().resolve_conj()


def plot_training(
    losses: Tensor | Mapping[str, Tensor], *, log: bool = False, ylabel: str = "loss"
) -> Figure:
    """Training curves: the median over seeds and the band that holds 90 % of them.

    Args:
        losses (real, (steps,) or (steps, seeds)): One value per step, and per seed if there are
            several; or such tensors by name.
        log: Whether the axis of the losses is logarithmic.
        ylabel: What the values are.

    Returns:
        The figure.

    Raises:
        TypeError: If losses are not real tensors, or hidden behind a transform.
        ValueError: If they are of another shape, or empty.

    Transforms:
        None: a figure has no derivative.

    Examples:
        >>> figure = plot_training({"a": torch.rand(9, 4, generator=torch.Generator())})
        >>> len(figure.axes[0].lines), len(figure.axes[0].collections)
        (1, 1)
    """
    named = losses if isinstance(losses, Mapping) else {"": losses}
    figure = Figure(figsize=(5.4, 3.6), layout="constrained")
    axes = figure.add_subplot()
    seeds = 1
    for i, (name, values) in enumerate(named.items()):
        table = _table(values)
        low, middle, high = table.quantile(_ENDS, dim=1)
        steps, colour = range(1, len(table) + 1), COLOURS[i % len(COLOURS)]
        if table.shape[1] > 1:
            axes.fill_between(steps, low, high, color=colour, alpha=0.2, linewidth=0)
            seeds = max(seeds, table.shape[1])
        axes.plot(steps, middle, color=colour, lw=2, label=name)
    axes.set(xlabel="step", ylabel=ylabel, yscale="log" if log else "linear")
    if seeds > 1:
        axes.set_title(f"median and 5–95 % of {seeds} seeds", fontsize=9.5, color=INK, loc="left")
    if "" not in named:
        axes.legend(frameon=False, fontsize=9.5)
    return _clean(figure)


def _table(values: Any) -> Tensor:
    """Losses as (steps, seeds) in double precision."""
    if not isinstance(values, Tensor) or not values.is_floating_point():
        requirement, got = "be real tensors", describe(values)
        remedy = "Stack the losses of the steps with `torch.stack`."
        raise TypeError(message("plot_training", "losses", values, requirement, got, remedy))
    _check_readable("plot_training", "losses", values)
    if values.ndim not in (1, 2) or not values.numel():
        need, remedy = "have shape (steps,) or (steps, seeds)", "Put the steps first."
        raise shape_error("plot_training", "losses", values, need, remedy)
    return values.detach().cpu().double().reshape(len(values), -1)


def plot_landscape(
    energy: Callable[[PyTree], Tensor],
    params: PyTree,
    directions: tuple[PyTree, PyTree],
    *,
    span: float = math.pi,
    points: int = 41,
) -> Figure:
    """A slice of a landscape: `energy(params + a * directions[0] + b * directions[1])`.

    All values come from one vmapped call.

    Args:
        energy: Function of parameters to a real number.
        params: Tree of real tensors, the middle of the slice.
        directions: Two trees like `params`.
        span: Largest |a| and |b|.
        points: Number of values along each side.

    Returns:
        The figure: the slice, its middle (○) and its lowest point (×).

    Raises:
        ValueError: If `directions` are not two, or there are fewer than two points.

    Transforms:
        None: a figure has no derivative.

    Examples:
        >>> from quilt_func import circuit, expval, pauli_sum, rx, ry
        >>> def energy(p):
        ...     return expval(circuit(1, rx(p[0], 0), ry(p[1], 0))(), pauli_sum({"Z": 1.0}))
        >>> unit = torch.eye(2).unbind(0)
        >>> figure = plot_landscape(energy, torch.zeros(2), unit, points=5)
        >>> figure.axes[0].get_xlabel()
        'first direction'

    References:
        Li et al., "Visualizing the loss landscape of neural nets", NeurIPS (2018).
    """
    check_count("plot_landscape", "points", points, 2)
    if len(directions) != 2:
        need, got, remedy = "be two trees", f"{len(directions)}", "Give two trees like `params`."
        raise ValueError(message("plot_landscape", "directions", directions, need, got, remedy))
    like = tree_leaves(params)[0]
    axis = torch.linspace(-span, span, points, dtype=like.dtype, device=like.device)

    def at(a: Tensor, b: Tensor) -> Tensor:
        return energy(tree_map(lambda p, u, v: p + a * u + b * v, params, *directions))

    values = vmap(vmap(at, (0, None)), (None, 0))(axis, axis).detach().cpu()
    figure = Figure(figsize=(5.2, 4.2), layout="constrained")
    axes = figure.add_subplot()
    sides = axis.cpu().numpy()
    shades = axes.contourf(sides, sides, values.numpy(), levels=24, cmap="viridis")
    axes.contour(sides, sides, values.numpy(), levels=12, colors="white", linewidths=0.4, alpha=0.5,
                 linestyles="solid")  # fmt: skip
    row, column = divmod(int(values.argmin()), points)
    axes.plot(0, 0, "o", ms=9, mfc="none", mec="white", mew=2, label="middle")
    lowest = f"lowest: {float(values.min()):.3g}"
    axes.plot(sides[column], sides[row], "x", ms=9, color=COLOURS[1], mew=2.5, label=lowest)
    axes.set(xlabel="first direction", ylabel="second direction", aspect="equal")
    axes.legend(fontsize=9, facecolor="#444444", edgecolor="none", framealpha=0.7,
                labelcolor="white")  # fmt: skip
    figure.colorbar(shades, label="energy", shrink=0.9)
    return figure


def _some_qubits(function: str, argument: str, given: object, n_qubits: int) -> int:
    if not n_qubits:
        need, remedy = "have a qubit or more", "Without qubits there is nothing to draw."
        raise ValueError(message(function, argument, given, need, "none", remedy))
    return n_qubits


def _check_readable(function: str, argument: str, tensor: Tensor) -> None:
    if is_hidden(tensor):
        got, remedy = describe(tensor), "Draw outside of `torch.func` transforms."
        requirement = "have values that can be read"
        raise TypeError(message(function, argument, tensor, requirement, got, remedy))


def _clean(figure: Figure) -> Figure:
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=INK, labelsize=9)
    return figure
