"""Drawings: the text of circuits, and figures by their artists and labels."""

import builtins
import math
import re
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles.compare import assert_close
from systems import beam_splitter
from torch.func import grad, jvp, vmap

import quilt_func as qf
from quilt_func.testing import strategies as qst

pytest.importorskip("matplotlib")

from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch

from quilt_func import draw
from quilt_func.draw.circuit_figure import angle_text

# --- text ---


@given(circuit=qst.circuits(min_qubits=0, max_qubits=4), width=st.integers(20, 120))
def test_text_keeps_to_its_width(circuit, width):
    text = circuit.draw(width)
    longest = max((len(line) for line in text.splitlines()), default=0)
    widest_gate = max((len(op.gate.name) + 26 * len(op.params) for op in circuit.ops), default=0)
    assert longest <= max(width, widest_gate + 12)
    named = sum(line.startswith("q") for line in text.splitlines())
    assert named == circuit.n_qubits == 0 or (named > 0 == named % circuit.n_qubits)


@given(circuit=qst.circuits(max_qubits=4))
def test_plain_text_has_the_same_shape(circuit):
    text, plain = circuit.draw(100), circuit.draw(100, ascii=True)
    assert plain.isascii()
    assert [len(line) for line in text.splitlines()] == [len(line) for line in plain.splitlines()]
    assert not set("●⊕×─│┼") & set(plain)


def test_what_plain_text_looks_like():
    circuit = qf.circuit(3, qf.h(0), qf.cx(0, 2), qf.swap(1, 2), qf.rx(0.25, 0), qf.sdg(0))
    assert circuit.draw(ascii=True).splitlines() == [
        "q0: -H--@--RX(0.25)--S'-",
        "        |",
        "q1: ----+-----x---------",
        "        |     |",
        "q2: ----X-----x---------",
    ]


def test_repr_wraps_at_the_terminals_width(monkeypatch):
    circuit = qf.circuit(1, [qf.h(0)] * 60)
    lines = {}
    for width in (40, 200):
        monkeypatch.setenv("COLUMNS", str(width))
        lines[width] = max(map(len, repr(circuit).splitlines()))
        assert circuit.draw() == circuit.draw(width)
    assert 30 < lines[40] <= 40 < 150 < lines[200] <= 200


def test_wires_without_gates():
    assert qf.circuit(2).draw(ascii=True).splitlines() == ["q0: ---", "", "q1: ---"]
    assert qf.circuit(0).draw() == ""


def test_digits():
    circuit = qf.circuit(1, qf.u(0.123456, -1e-9, 12345.678, 0))
    assert circuit.draw().splitlines() == ["q0: ─U(0.123, -1e-09, 1.23e+04)─"]


@pytest.mark.parametrize(
    "transform",
    [
        grad,
        vmap,
        lambda f: lambda x: jvp(f, (x,), (x,)),
        lambda f: vmap(grad(f)),
        lambda f: lambda x: torch.func.hessian(f)(x[0]),
        lambda f: lambda x: f(x[0].to("meta")),
    ],
)
def test_drawing_under_transforms_shows_shapes(transform):
    drawn = []

    def model(theta):
        circuit = qf.circuit(2, qf.rx(theta, range(2)), beam_splitter(theta.reshape(-1)[0], 0, 1))
        drawn.append((repr(circuit), draw.draw_mpl(circuit)))
        return qf.expval(qf.circuit(2, qf.rx(theta, range(2)))(), qf.pauli_sum({"ZZ": 1.0}))

    x = torch.tensor([0.1, 0.2])
    transform(model)(x[0] if transform is grad else x)
    for text, figure in drawn:
        assert "RX(float32[2])" in text
        assert "…" in [t.get_text() for t in figure.axes[0].texts]


# --- symbols in place of values ---


def test_labels_in_text():
    layer = qf.ry(0.5, range(2)), qf.u(0.1, 0.2, 0.3, 0), qf.cx(0, 1), qf.rzz(0.4, 0, 1)
    circuit = qf.circuit(2, layer, qf.unitary(torch.eye(2, dtype=torch.complex64), 1))
    drawn = circuit.draw(labels=["x{}", "α", "β", "γ", ["2γ"]])
    assert drawn.splitlines() == [
        "q0: ─RY(x0)──U(α, β, γ)──●──RZZ(2γ)────",
        "                         │     │",
        "q1: ─RY(x1)──────────────⊕──RZZ(2γ)──U─",
    ]
    assert circuit.draw(values=False).splitlines()[0] == "q0: ─RY──U──●──RZZ────"
    assert qf.circuit(2, qf.h(0)).draw(labels=[]) == qf.circuit(2, qf.h(0)).draw()


@given(circuit=qst.circuits(min_qubits=1, max_qubits=4))
def test_labels_stand_at_their_angle(circuit):
    """One text for each angle of each op: all are shown, as often as there are wire sets."""
    angled = [op for op in circuit.ops if op.params and not op.gate.param_shape]
    n_angles = sum(len(op.params) for op in angled)
    names = [f"<{i}:{{}}>" for i in range(n_angles)]
    text, shown = circuit.draw(10**6, labels=names), circuit.draw(10**6, values=False)
    found = re.findall(r"<(\d+):(\d+)>", text)
    place = iter(range(n_angles))
    expected = [
        (str(next_), str(i))
        for op in angled
        for next_ in [next(place) for _ in op.params]
        for i in range(len(op))
    ]
    assert set(found) <= set(expected)
    boxes = [sum(s != "●" for s in op.gate.symbol) for op in angled]
    assert len(found) == sum(
        box * len(op) * len(op.params) for box, op in zip(boxes, angled, strict=True)
    )
    assert "(" not in re.sub(r"pauli_rot\[\w+\]", "", shown)


def test_labels_in_figures():
    circuit = qf.circuit(2, qf.ry(0.5, range(2)), qf.rzz(0.4, 0, 1))
    figure = draw.draw_mpl(circuit, labels=["$x_{}$", "γ"])
    assert {"$x_0$", "$x_1$", "γ"} <= set(texts(figure))
    plain = texts(draw.draw_mpl(circuit, values=False))
    assert plain == ["$q_{0}$", "$q_{1}$", "RY", "RY", "RZZ"]
    with pytest.raises(ValueError, match=r"draw_mpl\(labels=.*must hold 2 label"):
        draw.draw_mpl(circuit, labels=["x"])


def test_boxes_are_as_wide_as_what_they_show():
    """Marks of mathematics take no room."""
    circuit = qf.circuit(1, qf.ry(0.5, 0))
    widths = [
        artists(draw.draw_mpl(circuit, labels=[label]), FancyBboxPatch)[0].get_width()
        for label in ("θ0", "$\\theta_{0}$", "a long label")
    ]
    assert widths[0] == widths[1] < widths[2]


# --- circuits ---


def artists(figure, kind):
    return [patch for patch in figure.axes[0].patches if isinstance(patch, kind)]


def texts(figure, axes=0):
    return [text.get_text() for text in figure.axes[axes].texts]


@given(circuit=qst.circuits(max_qubits=4), width=st.sampled_from([3.0, 14.0]))
def test_every_gate_is_drawn(circuit, width):
    """By its row's symbols: a box for each label, or one where neighbours share it; marks."""
    figure = draw.draw_mpl(circuit, width=width)
    symbols = [(op.gate.symbol, ws) for op in circuit.ops for ws in op.wires]
    dots = sum(symbol.count("●") + symbol.count("⊕") for symbol, _ in symbols)
    assert len(artists(figure, Circle)) == dots
    boxes = 0
    for symbol, wires in symbols:
        own = [label for label in symbol if label not in "●⊕×"]
        is_whole = max(wires) - min(wires) + 1 == len(wires) == len(own)
        boxes += 1 if is_whole and len(set(own)) == 1 else len(own)
    assert len(artists(figure, FancyBboxPatch)) == boxes
    names = [text for text in texts(figure) if text.startswith("$q_")]
    assert len(names) % circuit.n_qubits == 0


def test_boxes_of_a_row_do_not_overlap():
    theta = torch.linspace(0, 3, 4)
    layer = (
        qf.h(range(4)),
        qf.u(0.1, theta, 2.5, range(4)),
        qf.rxx(theta[1:], [(0, 1), (1, 2), (2, 3)]),
    )
    figure = draw.draw_mpl(qf.circuit(4, [layer] * 2))
    boxes = [box.get_bbox() for box in artists(figure, FancyBboxPatch)]
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            assert a.x1 <= b.x0 or b.x1 <= a.x0 or a.y1 <= b.y0 or b.y1 <= a.y0


def test_a_long_circuit_breaks_into_rows():
    circuit = qf.circuit(2, [qf.h(range(2)), qf.cx(0, 1)] * 20)
    n_rows = {
        w: sum(t == "$q_{0}$" for t in texts(draw.draw_mpl(circuit, width=w))) for w in (5, 90)
    }
    assert n_rows[90] == 1
    assert n_rows[5] > 5


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (math.pi, "π"), (-math.pi / 2, "−π/2"), (3 * math.pi / 4, "3π/4"), (2 * math.pi, "2π"),
        (0.0, "0"), (0.5, "0.5"), (-0.123456, "−0.123"), (math.pi / 7, "0.449"), (1e-12, "1e−12"),
        (1e9, "1e+09"),
    ],
)  # fmt: skip
def test_angles_are_read_as_people_write_them(value, text):
    assert angle_text(value) == text


@given(value=st.floats(-30, 30))
def test_angle_texts_are_true(value):
    text = angle_text(value).replace("−", "-")
    number = re.sub(r"^(-?)(\d*)π", lambda m: f"{m[1]}{m[2] or 1}*{math.pi}", text)
    assert abs(eval(number) - value) <= 0.005 * abs(value)


# --- plots ---


def test_outcomes_of_probabilities():
    state = qf.circuit(2, qf.ry(0.3, 0), qf.cx(0, 1))()
    axes = draw.plot_outcomes(qf.probs(state)).axes[0]
    heights = torch.tensor([bar.get_height() for bar in axes.patches])
    assert torch.equal(heights, qf.probs(state))
    assert [label.get_text() for label in axes.get_xticklabels()] == ["00", "01", "10", "11"]
    assert axes.get_ylabel() == "probability"


def test_outcomes_of_counts_have_errors():
    axes = draw.plot_outcomes({"0": 75, "1": 25}).axes[0]
    bars = axes.containers[-1]
    assert [bar.get_height() for bar in bars] == [0.75, 0.25]
    ends = bars.errorbar.lines[2][0].get_segments()[0]
    assert math.isclose(ends[1][1] - ends[0][1], 2 * math.sqrt(0.75 * 0.25 / 100))


def test_outcomes_that_are_cut_are_told():
    axes = draw.plot_outcomes(torch.arange(16) / 120.0, n_bars=4).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == [
        "1100",
        "1101",
        "1110",
        "1111",
    ]
    assert axes.get_title(loc="right") == "12 more outcomes, together 0.55"


def test_bloch_vectors():
    state = qf.circuit(3, qf.h(0), qf.ry(1.0, 1), qf.cx(1, 2))()
    figure = draw.plot_bloch(state)
    titles = [axes.get_title() for axes in figure.axes]
    short = f"{math.cos(1.0):.2f}"
    assert titles == ["$q_{0}$, length 1.00", *(f"$q_{{{w}}}$, length {short}" for w in (1, 2))]
    tip = torch.tensor([float(part[0]) for part in figure.axes[0].collections[-1]._offsets3d])
    assert_close(tip, torch.tensor([1.0, 0.0, 0.0]), n_gates=64)


def test_city():
    state = qf.circuit(1, qf.h(0), qf.s(0))()
    figure = draw.plot_city(state)
    assert [axes.get_title() for axes in figure.axes] == ["Re ρ", "Im ρ"]
    again = draw.plot_city(torch.outer(state, state.conj()))
    for one, other in zip(figure.axes, again.axes, strict=True):
        assert one.get_zlim() == other.get_zlim()
        assert len(one.collections) == 1
        assert [t.get_text() for t in one.get_xticklabels()] == ["0", "1"]


def test_training_curves():
    losses = torch.arange(12.0).reshape(4, 3)
    axes = draw.plot_training({"a": losses, "b": losses[:, 0]}, log=True).axes[0]
    assert [line.get_ydata().tolist() for line in axes.lines] == [[1, 4, 7, 10], [0, 3, 6, 9]]
    assert len(axes.collections) == 1
    assert (axes.get_yscale(), axes.get_title(loc="left")) == (
        "log",
        "median and 5–95 % of 3 seeds",
    )
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]


def test_landscape_is_the_energys():
    def energy(p):
        state = qf.circuit(1, qf.rx(p["a"][0], 0), qf.ry(p["a"][1], 0))()
        return qf.expval(state, qf.pauli_sum({"Z": 1.0}))

    params = {"a": torch.zeros(2, dtype=torch.float64)}
    unit = tuple({"a": row} for row in torch.eye(2, dtype=torch.float64))
    axes = draw.plot_landscape(energy, params, unit, points=21).axes[0]
    middle, lowest = axes.lines
    assert (*middle.get_xdata(), *middle.get_ydata()) == (0, 0)
    x, y = lowest.get_xdata()[0], lowest.get_ydata()[0]
    assert math.isclose(math.cos(x) * math.cos(y), -1)
    assert lowest.get_label() == "lowest: -1"


def test_figures_leave_global_state_alone():
    import matplotlib

    before = dict(matplotlib.rcParams)
    assert isinstance(draw.plot_bloch(qf.zero_state(1)), Figure)
    assert dict(matplotlib.rcParams) == before


FORM = re.compile(r"\w+\((\w+)=.*\): `\1` must .+, but got .+\. .+\.", re.DOTALL)
BAD = {
    "a gate": (TypeError, lambda: draw.draw_mpl(qf.h(0))),
    "no qubits": (ValueError, lambda: draw.draw_mpl(qf.circuit(0))),
    "no width": (ValueError, lambda: draw.draw_mpl(qf.circuit(1), width=0)),
    "a state": (TypeError, lambda: draw.plot_outcomes(qf.zero_state(1))),
    "no power of two": (TypeError, lambda: draw.plot_outcomes(torch.ones(3))),
    "a list": (TypeError, lambda: draw.plot_outcomes([0.5, 0.5])),
    "no shots": (ValueError, lambda: draw.plot_outcomes({})),
    "no bars": (ValueError, lambda: draw.plot_outcomes({"0": 1}, n_bars=0)),
    "a real state": (TypeError, lambda: draw.plot_bloch(torch.ones(2))),
    "an empty state": (ValueError, lambda: draw.plot_bloch(qf.zero_state(0))),
    "a hidden state": (
        TypeError,
        lambda: vmap(lambda s: draw.plot_bloch(s) and s)(qf.zero_state(1)[None]),
    ),
    "no qubits on a sphere": (ValueError, lambda: draw.plot_bloch(qf.zero_state(0))),
    "a density matrix": (ValueError, lambda: draw.plot_bloch(torch.eye(2).cfloat())),
    "six qubits": (ValueError, lambda: draw.plot_city(qf.zero_state(6))),
    "not square": (ValueError, lambda: draw.plot_city(torch.ones(2, 4).cfloat())),
    "losses in a list": (TypeError, lambda: draw.plot_training([1.0])),
    "empty losses": (ValueError, lambda: draw.plot_training(torch.zeros(0))),
    "three axes": (ValueError, lambda: draw.plot_training(torch.zeros(1, 1, 1))),
    "one direction": (ValueError, lambda: draw.plot_landscape(sum, torch.zeros(1), (1,))),
    "one point": (
        ValueError,
        lambda: draw.plot_landscape(sum, torch.zeros(1), (1, 1), points=1),
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_calls(name):
    kind, call = BAD[name]
    with pytest.raises(kind) as caught:
        call()
    assert type(caught.value) is kind
    assert FORM.fullmatch(str(caught.value)), str(caught.value)


def test_it_names_its_extra(monkeypatch):
    real = builtins.__import__

    def without_matplotlib(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib")
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "quilt_func.draw.entry")
    monkeypatch.setattr(builtins, "__import__", without_matplotlib)
    with pytest.raises(ImportError, match=r"pip install 'quilt-func\[plot\]'"):
        real("quilt_func.draw.entry")


# --- mutants ---


def test_a_lost_label_is_seen(monkeypatch):
    monkeypatch.setattr(draw.entry, "draw_row", lambda *a: None)
    with pytest.raises((AssertionError, ExceptionGroup)):  # of one failure, or of several
        test_every_gate_is_drawn()
