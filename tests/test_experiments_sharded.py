"""Plans on paper: the families, others' methods on circuits small enough to count, the command."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

pytest.importorskip("matplotlib")
pytest.importorskip("tqdm")

from experiments import _record
from experiments.sharded import __main__ as experiment
from experiments.sharded import families, measured, methods, report
from experiments.sharded.methods import METHODS, Traffic
from quilt_func.sharded.planning import Demand

ROOT = Path(__file__).resolve().parents[1]


def on(*sets):
    """Gates that move all their wires."""
    return tuple(Demand(wires, ()) for wires in sets)


# of four wires, 3 is sharded at the start; counted by hand
CASES = {
    "nothing sharded": (on((0, 1), (2,)), (0, 0, 0, 0, 0, 0)),
    "one wire, twice": (on((3,), (3,)), (0, 1, 1, 1, 1, 2)),
    "a pair, twice": (on((0, 3), (1, 3)), (0, 1, 1, 1, 1, 4)),
    "all in turns": (on((0,), (1,), (2,), (3,), (0,)), (1, 1, 1, 1, 1, 1)),
    "a control": ((Demand((0,), (3,)),), (0, 0, 0, 0, 1, 0)),
}


@pytest.mark.parametrize("name", CASES)
def test_exchanges_counted_by_hand(name):
    demands, expected = CASES[name]
    found = {method: of(4, 1, demands).n_exchanges for method, of in METHODS.items()}
    assert found == dict(zip(METHODS, expected, strict=True))


def test_what_an_exchange_sends():
    assert methods.for_each_gate(4, 2, (Demand((2,), (0, 3)),)) == Traffic(1, 0.5)
    assert methods.for_each_gate(4, 2, on((2, 3))) == Traffic(4, 2.0)
    assert methods.fused_swaps(4, 2, on((2, 3))) == Traffic(1, 0.75)
    assert methods.farthest_use(4, 2, on((2, 3))) == Traffic(2, 1.0)


@pytest.mark.parametrize("family", families.FAMILIES)
@pytest.mark.parametrize(("n_qubits", "n_bits"), [(30, 4), (40, 10)])
def test_no_method_sends_less(family, n_qubits, n_bits):
    """And one exchange for each gate at least twice as much: of whole plans, on 30 wires and more.

    The strongest of the others sends as little on chains and bricks, where a wave of gates passes.
    """
    demands = families.demands(families.FAMILIES[family](n_qubits, 12, 1))
    found = {name: method(n_qubits, n_bits, demands) for name, method in METHODS.items()}
    assert min(found.values(), key=lambda one: one.shards).shards == found["quilt_func"].shards
    assert found["swap for each gate"].shards >= 2 * found["quilt_func"].shards


def test_random_graphs_are_regular():
    edges = families.regular_graph(20, 3)
    ends = [vertex for edge in edges for vertex in edge]
    assert len(set(edges)) == 30
    assert all(ends.count(vertex) == 3 for vertex in range(20))
    assert families.regular_graph(20, 4) != edges


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    out = tmp_path_factory.mktemp("sharded")
    page = out / "page.md"
    page.write_text("# Page\n\n<!-- table: brick -->\nold\n<!-- end -->\nEnd.\n", "utf-8")
    experiment.main(["--paper", "--quick", "--page", str(page), "--out", str(out)])
    return out


def test_the_command_leaves_a_complete_record(quick):
    entry = json.loads((quick / "sharded-paper-quick.json").read_text("utf-8"))
    assert (entry["schema"], entry["status"]) == (_record.SCHEMA, "complete")
    assert len(entry["rows"]) == 4 * 2 * len(METHODS) + 4
    assert all((quick / name).stat().st_size > 10_000 for name in entry["figures"])
    page = (quick / "page.md").read_text("utf-8")
    assert page.startswith("# Page\n\n<!-- table: brick -->\n|  | 14 on 4 |")
    assert "old" not in page


@pytest.mark.parametrize(
    "bad",
    [
        {"seeds": 0},
        {"sizes": ((30, 12),)},
        {"sizes": ((8, 128),)},
        {"timed": ((8, 4),)},
        {"device": "tpu"},
    ],
)
def test_bad_configs_are_refused(bad):
    with pytest.raises(ValueError, match=r"Config\(\w+="):
        replace(experiment.Config(), **bad)


def test_the_pages_tables_are_the_committed_record():
    page = (ROOT / "docs" / "experiments" / "sharded.md").read_text("utf-8")
    names = set()
    for record in ("sharded-paper", "sharded-run"):
        entry = json.loads((ROOT / "docs" / "_static" / f"{record}.json").read_text("utf-8"))
        names |= {row["part"] for row in entry["rows"]}
        assert entry["status"] == "complete"
        assert report.filled(page, _record.Result(tuple(entry["rows"]))) == page
    assert {name for _, name, _ in report.BLOCK.findall(page)} == names


def test_ranks_measure_what_one_process_does():
    found = measured.rows(4, 1, 2, torch.float64)
    energies = {round(row["energy"], 12) for row in found}
    assert len(energies) == 1
    slopes = {round(row["slope"], 12) for row in found}
    assert len(slopes) == 1
    assert [row["process"] for row in found] == ["one process", "rank 0 of 2", "rank 1 of 2"]
