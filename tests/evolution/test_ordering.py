"""Orders of wires: amplitudes move as plain axes do, and every part finds its wires."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles.compare import assert_close
from torch.func import grad, hessian, jvp, vmap

import quilt_func as qf
from quilt_func._amplitudes import gathering, inverse, is_window, reorder_wires
from quilt_func.evolution import ordering, partitioning, planner, reference
from quilt_func.evolution.steps import BLOCK, DIAGONAL, Applied, Kind, Part, WireOrder, wire_order

F64, C128 = torch.float64, torch.complex128


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=C128)


def moved(order, state):
    """By an axis for each wire."""
    lead, _, last = state.shape
    axes = state.reshape(lead, *(2,) * len(order), last)
    return axes.permute(0, *(1 + wire for wire in order), len(order) + 1).reshape(state.shape)


ORDERS = {
    "last wires stay": lambda n: (n // 2, 0, *range(1, n // 2), *range(n // 2 + 1, n)),
    "last wire first": lambda n: (n - 1, *range(n - 1)),
    "all turned": lambda n: tuple(reversed(range(n))),
    "odd ones first": lambda n: (*range(1, n, 2), *range(0, n, 2)),
    "as it was": lambda n: tuple(range(n)),
}


@pytest.mark.parametrize(("lead", "last"), [(1, 1), (1, 3), (2, 1), (2, 2)])
@pytest.mark.parametrize("n", [2, 9, 14, 15, 16])
@pytest.mark.parametrize("name", ORDERS)
@pytest.mark.parametrize("most_axes", [gathering._AXES, 2])
def test_wires_move_as_axes_do(name, n, lead, last, most_axes, monkeypatch):
    monkeypatch.setattr(gathering, "_AXES", most_axes)
    order, state = ORDERS[name](n), drawn(lead, 2**n, last)
    out, back = torch.empty_like(state), torch.empty_like(state)
    reorder_wires(order, state, out)
    assert torch.equal(out, moved(order, state))
    reorder_wires(inverse(order), out, back)
    assert torch.equal(back, state)


class Fixed(Kind):
    name = "fixed"


N = 9
SETS = st.sets(st.integers(0, N - 1), min_size=1, max_size=4).map(lambda s: tuple(sorted(s)))
PARTS = st.lists(
    st.tuples(st.sampled_from([BLOCK, BLOCK, BLOCK, DIAGONAL, Fixed()]), SETS), max_size=20
).map(
    lambda own: [Part(kind, wires, [Applied(0, 0, qf.h, wires[::-1], ())]) for kind, wires in own]
)


def check_orders(parts):
    """Every part finds its own wires, as it wants them, and the last order is the first."""
    order, rest = tuple(range(N)), list(parts)
    found = ordering.with_orders(N, parts)
    for before, part in zip([None, *found], found, strict=False):
        if part.kind is wire_order.WIRE_ORDER:
            assert before is None or before.kind is not part.kind, "two could be one"
            order = tuple(order[place] for place in part.wires)
            continue
        own = rest.pop(0)
        assert part.kind is own.kind
        assert tuple(sorted(order[place] for place in part.wires)) == own.wires
        for gate, asked in zip(part.gates, own.gates, strict=True):
            assert tuple(order[place] for place in gate.wires) == asked.wires
        assert part.kind.placing == "anywhere" or is_window(part.wires) or part.kind.name == "fixed"
        assert part.kind.name != "fixed" or part.wires == own.wires
    assert not rest
    assert order == tuple(range(N))


@given(parts=PARTS)
def test_every_part_finds_its_wires(parts):
    check_orders(parts)


@given(rows=st.lists(SETS, min_size=2, max_size=6))
def test_groups_in_a_row_hold_all_sets(rows):
    groups: list[set[int]] = []
    held = []
    for wires in rows:
        more = ordering._joined(groups, set(wires))
        if more is None:
            continue
        groups, held = more, [*held, wires]
        flat = [wire for group in groups for wire in sorted(group)]
        assert sorted(flat) == sorted(set().union(*held)), "each wire once"
        assert all(is_window(tuple(sorted(map(flat.index, own)))) for own in held)


def test_an_order_stays_while_it_serves():
    """A chain from the last wire around the corner is turned once, and back at the end."""
    chain = [Part(BLOCK, tuple(sorted({i % N, (i + 1) % N})), []) for i in range(N - 1, 2 * N - 2)]
    kinds = [part.kind.name for part in ordering.with_orders(N, chain * 3)]
    assert kinds.count("order") == 2


def crossed(theta, n):
    far = [(0, n - 1), (2, n - 2), (1, n // 2), (n - 1, 3)]
    return qf.circuit(
        n, qf.h(range(n)), [qf.rxx(t, *pair) for pair in far for t in theta],
        qf.pauli_rot(theta[0], "XYZ", [(n - 1, 0, 4), (1, n - 2, 2)]), qf.cx(far),
        qf.ry(theta[1], range(n)), qf.rzz(theta[2], far), qf.rx(theta[0], n - 1),
    )  # fmt: skip


def check_transforms(n):
    theta = torch.tensor([0.4, -1.1, 0.7], dtype=F64)
    words = qf.pauli_sum({"X" + "I" * (n - 2) + "Y": 1.0, "ZZ" + "I" * (n - 2): 0.5})

    def ours(t):
        return qf.expval(crossed(t, n)(dtype=C128), words)

    def plain(t):
        return qf.expval(reference.run(crossed(t, n).ops, qf.zero_state(n, dtype=C128)), words)

    both = torch.stack([theta, -theta])
    for transform in (
        lambda f: f(theta),
        lambda f: grad(f)(theta),
        lambda f: vmap(grad(f))(both),
        lambda f: jvp(grad(f), (theta,), (theta.flip(0),))[1],
    ):
        assert_close(transform(ours), transform(plain), n_gates=64, scale=512.0)
    if n < 10:
        assert_close(hessian(ours)(theta), hessian(plain)(theta), n_gates=64, scale=4096.0)


@pytest.mark.parametrize("n", [6, 8, 15])
def test_wires_apart_under_transforms(n):
    circuit = crossed(torch.zeros(3), n)
    acting = tuple(op.structure for op in circuit.ops)
    found = planner.plan(n, acting, ((),) * len(acting), True).steps
    assert any(isinstance(step, WireOrder) for step in found)
    assert all(is_window(step.wires) for step in found)
    check_transforms(n)


def no_return(n_qubits, parts):
    """A mutant: the last order stays."""
    found = ordering_with_orders(n_qubits, parts)
    return found[:-1] if found and found[-1].kind is wire_order.WIRE_ORDER else found


def gates_stay(part, order):
    """A mutant: gates keep the circuit's wires."""
    return Part(part.kind, tuple(sorted(map(order.index, part.wires))), part.gates)


ordering_with_orders = ordering.with_orders
MUTANTS = [
    (ordering, "_placed", gates_stay),
    (ordering, "with_orders", no_return),
    (ordering, "_reordering", lambda a, b: Part(wire_order.WIRE_ORDER, inverse_of(a, b), [])),
]


def inverse_of(order, wanted):
    """A mutant: the way from the new order to the old one."""
    return tuple(wanted.index(wire) for wire in order)


@pytest.mark.parametrize(("room", "name", "mutant"), MUTANTS)
def test_a_wrong_order_is_noticed(room, name, mutant, monkeypatch):
    monkeypatch.setattr(room, name, mutant)
    if name == "with_orders":
        monkeypatch.setattr(partitioning, name, mutant)
    wires = [(0, 4), (2, 8), (0, 1, 5), (3, 7)]
    parts = [Part(BLOCK, own, [Applied(0, 0, qf.h, own, ())]) for own in wires]
    with pytest.raises(AssertionError):
        check_orders(parts)
    planner.plan.cache_clear()
    with pytest.raises((AssertionError, ValueError, KeyError)):
        check_transforms(7)
    planner.plan.cache_clear()


def test_a_wrong_way_back_is_noticed(monkeypatch):
    """A mutant: a step that moves the same way back."""
    monkeypatch.setattr(WireOrder, "undo", WireOrder.apply)
    with pytest.raises(AssertionError):
        check_transforms(7)


def test_explain_names_the_wires_of_the_circuit():
    """Whatever their order is by then."""
    table = qf.explain(qf.circuit(8, qf.rxx(torch.zeros(()), 1, 6), qf.rxx(torch.zeros(()), 6, 3)))
    lines = [line.split()[1:4] for line in table.splitlines() if " block " in line]
    assert lines == [["block", "1,", "3,"]], table
    assert table.count(" order ") == 2
