"""The experiment on codes in miniature, beside matrices and sums that share no code with it."""

import json
import math
from dataclasses import replace
from functools import reduce
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.func import grad, vmap

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")
pytest.importorskip("tqdm")

import quilt_func as qf
from experiments import _record, _run
from experiments.codes import __main__ as experiment
from experiments.codes import bench, exact, model, peers, reading, report
from quilt_func import instruments, noise
from quilt_func.testing.tolerances import tolerance

ROOT = Path(__file__).resolve().parents[1]
F64, C128 = torch.float64, torch.complex128
PAIRS = [(name, code) for name, own in experiment.CODES.items() for code in (model.BARE, own)]
EACH = pytest.mark.parametrize(("name", "code"), PAIRS, ids=lambda one: getattr(one, "name", one))
CODES = pytest.mark.parametrize("code", [model.REPETITION, model.FIVE], ids=lambda one: one.name)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Threads that wait for each other take ten times as long, on a machine that is busy."""
    with _run._threads(1):
        yield


def read(path):
    return json.loads(path.read_text("utf-8"))


# --- matrices: a code is a projector, in numpy ---

PAULIS = {
    "I": np.eye(2),
    "X": np.array([[0, 1], [1, 0]]),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.diag([1, -1]),
}


def matrix(word):
    return reduce(np.kron, [PAULIS[letter] for letter in word])


def projector(code):
    n = 2**code.n_data
    return reduce(np.matmul, [(np.eye(n) + matrix(s)) / 2 for s in code.stabilisers], np.eye(n))


def words(n):
    return ["".join(letters) for letters in product("IXYZ", repeat=n)]


def dense_loss(code, p, shares):
    """1 - Σ |tr(P C E)|² / 4 over errors E, with the correction C of each, by matrices alone.

    `P C E P` is a multiple of `P`, if the code keeps its qubit, and else has no trace.
    """
    project, kept = projector(code), 0.0
    corrections = [matrix(word) for word in model.corrections(code)]
    for word in words(code.n_data):
        chances = [p * shares["XYZ".index(a)] if a != "I" else 1 - p for a in word]
        if math.prod(chances) > 0:
            error = matrix(word)
            number = 0
            for stabiliser in code.stabilisers:
                s = matrix(stabiliser)
                number = 2 * number + int(not np.array_equal(s @ error, error @ s))
            kept += math.prod(chances) * abs(np.trace(project @ corrections[number] @ error)) ** 2
    return 1 - kept / 4


@CODES
def test_stabilisers_make_a_code_of_one_qubit(code):
    project, x, z = projector(code), *map(matrix, code.logical)
    assert np.array_equal(project @ project, project)
    assert np.trace(project) == 2
    assert np.array_equal(x @ z, -z @ x)
    assert all(np.array_equal(project @ one, one @ project) for one in (x, z))


def test_the_stabilisers_of_five_are_shifts_of_one():
    shifts = {"XZZXI"[place:] + "XZZXI"[:place] for place in range(5)}
    assert set(model.FIVE.stabilisers) < shifts
    assert reduce(exact.times, model.FIVE.stabilisers) in shifts


@CODES
def test_a_table_has_each_syndrome_once(code):
    errors = ["I" * code.n_data, *model.single_errors(code)]
    assert sorted(model.syndrome(code, word) for word in errors) == list(range(len(errors)))
    assert len(errors) == 2 ** len(code.stabilisers)
    for number, word in enumerate(model.corrections(code)):
        bits = [int(bit) for bit in format(number, f"0{len(code.stabilisers)}b")]
        for bit, stabiliser in zip(bits, code.stabilisers, strict=True):
            s, error = matrix(stabiliser), matrix(word)
            assert np.array_equal(s @ error, (-1) ** bit * error @ s)


def kept(code, error):
    """Fidelity after an error and one round without noise; summed over all branches."""
    p, like = torch.tensor(0.0, dtype=F64), torch.zeros((), dtype=F64)
    ops = [op for op in model.round_of(code, noise.bit_flip, p) if op.gate is not noise.bit_flip]
    circuit = qf.circuit(code.n_qubits, code.pair, error, ops)
    found = qf.run_branches(circuit, qf.zero_state(code.n_qubits, dtype=C128))
    begun = model.start(code, like)
    return instruments.branch_mean(found, lambda state, bits: qf.fidelity(begun, state))


@CODES
def test_every_error_on_one_wire_is_corrected(code):
    for word in ("I" * code.n_data, *model.single_errors(code)):
        error = [getattr(qf, a.lower())(wire) for wire, a in enumerate(word) if a != "I"]
        assert abs(kept(code, error) - 1) <= tolerance(F64, 100), word


def test_errors_on_two_wires_of_five_are_not():
    for a, b in product("xyz", repeat=2):
        assert kept(model.FIVE, [getattr(qf, a)(0), getattr(qf, b)(3)]) <= tolerance(F64, 100)


def test_a_wrong_table_shows(monkeypatch):
    right = model.corrections(model.FIVE)
    monkeypatch.setattr(model, "corrections", lambda code: [*right[::2], *right[1::2]])
    found = [kept(model.FIVE, qf.x(wire)) for wire in range(5)]
    assert min(found) <= tolerance(F64, 100)


# --- how often a qubit is lost ---


@EACH
def test_sums_over_errors_agree_with_matrices(name, code):
    found = exact.loss(code, name)
    assert abs(found(0.1) - dense_loss(code, 0.1, exact.SHARES[name])) <= tolerance(F64, 1024)


@EACH
@pytest.mark.parametrize("rounds", [1, 3])
def test_densities_agree_with_sums(name, code, rounds):
    p = torch.tensor(0.13, dtype=F64)
    density = model.loss(code, experiment.CHANNELS[name], p, rounds)
    assert abs(density - exact.loss(code, name, rounds)(0.13)) <= tolerance(F64, 500)
    assert abs(density - exact.loss(code, name, rounds + 1)(0.13)) > 0.01, "rounds count"


def test_closed_forms():
    for p in (0.01, 0.2, 0.7):
        flips = exact.loss(model.REPETITION, "bit flips")(p)
        assert abs(flips - (3 * p**2 - 2 * p**3)) <= tolerance(F64, 10)
        bare = exact.loss(model.BARE, "depolarizing", 4)(p)
        assert abs(bare - 0.75 * (1 - (1 - 4 * p / 3) ** 4)) <= tolerance(F64, 10)
    p = torch.tensor(0.2, dtype=F64)
    slope = grad(lambda p: model.loss(model.REPETITION, noise.bit_flip, p, 1))(p)
    assert abs(slope - (6 * p - 6 * p**2)) <= tolerance(F64, 500)


def test_of_five_wires_two_errors_lose_and_one_does_not():
    counted = exact.weights(model.FIVE)
    of_size = [0] * 6
    for place in zip(*np.nonzero(counted[0]), strict=True):
        of_size[sum(place)] += counted[0][place]
    assert of_size[:3] == [1, 15, 0]
    assert counted.sum((1, 2, 3)).tolist() == [256] * 4


def test_crossings():
    flips, five = (
        exact.crossing(exact.loss(code, name), exact.loss(model.BARE, name), 0.01)
        for name, code in experiment.CODES.items()
    )
    assert abs(flips - 0.5) <= tolerance(F64, 10)
    assert abs(dense_loss(model.FIVE, five, exact.SHARES["depolarizing"]) - five) <= tolerance(
        F64, 1024
    )


@EACH
def test_samples_agree_with_sums(name, code):
    """Within four standard errors; and not with a round more."""
    p, rounds, n = torch.tensor(0.1), 2, 3000
    channel = experiment.CHANNELS[name]
    u = qf.uniforms((n, noise.n_draws(model.memory(code, channel, p, rounds))), 3)
    share = vmap(lambda u: model.is_lost(code, channel, p, rounds, u))(u).double().mean().item()
    for number in (rounds, rounds + 1):
        sure = exact.loss(code, name, number)(0.1)
        deviation = abs(share - sure) / math.sqrt(sure * (1 - sure) / n)
        assert (deviation <= 4) == (number == rounds)


@pytest.mark.parametrize("form", reading.FORMS)
def test_readings_are_as_often_wrong_as_they_should_be(form):
    p, n = torch.tensor(0.05), 3000
    sure = bench.expected(0.05)
    u = qf.uniforms((n, noise.n_draws(reading.circuit(form, p))), 5)
    sample = vmap(lambda u: reading.is_wrong(form, p, u))
    plain, jitted = sample(u), qf.jit(sample)(u)
    assert torch.equal(plain, jitted)
    deviation = (plain.double().mean() - sure) / math.sqrt(sure * (1 - sure) / n)
    assert abs(deviation) <= 4
    assert abs(plain.double().mean() - 0.1 / 3) > 4 * math.sqrt(0.1 / 3 / n), "a bare qubit's"


# --- the run ---


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    out = tmp_path_factory.mktemp("codes")
    page = out / "page.md"
    blocks = [f"<!-- table: {name} -->\nold\n<!-- end -->" for name in ("crossing", "times")]
    page.write_text("\n".join(["# Page", *blocks, "End."]), "utf-8")
    arguments = ["--quick", "--page", str(page), "--out", str(out)]
    experiment.main([*arguments, "--seeds", "2", "--samples", "100"])
    experiment.main([*arguments, "--bench", "--peers", peers.OURS, "quilt_func"])
    return out


def test_the_command_leaves_a_complete_record(quick):
    entry = read(quick / "codes-quick.json")
    assert (entry["schema"], entry["status"], entry["seeds"]) == (_record.SCHEMA, "complete", 2)
    rows = [row for row in entry["rows"] if row["part"] != "crossing"]
    assert len(rows) == 2 * 2 * 2 * 3
    assert all(abs(row["exact"] - row["density"]) <= tolerance(F64, 1e8) for row in rows)
    assert all(abs(row["deviation"]) <= 4 for row in rows)
    assert len(entry["rows"]) - len(rows) == 2
    assert all((quick / name).stat().st_size > 10_000 for name in entry["figures"])


def test_times_stand_beside_readings(quick):
    entry = read(quick / "bench-quick.json")
    assert [row["status"] for row in entry["rows"]] == ["ok"] * 4
    assert all(0 < row["q25_ms"] <= row["median_ms"] <= row["q75_ms"] for row in entry["rows"])
    assert [row["ratio"] for row in entry["rows"][::2]] == [1.0, 1.0]


def test_a_page_is_filled_in(quick):
    page = (quick / "page.md").read_text("utf-8")
    assert page.startswith("# Page\n<!-- table: crossing -->\n| code | noise |")
    assert "old" not in page
    for name in ("codes-quick.json", "bench-quick.json"):
        result = _record.Result(rows=tuple(read(quick / name)["rows"]))
        assert report.filled(page, result) == page, "the record says the same"


def test_wrong_readings_have_no_times(monkeypatch):
    always = reading.Sampler(lambda seed: 50)
    monkeypatch.setitem(peers.PEERS, "wrong", peers.Peer("torch", lambda *_: always))
    monkeypatch.setitem(peers.PEERS, "absent", peers.Peer("no_such_package", lambda *_: always))
    config = bench.Config(shots=100, repeats=3)
    wrong, absent = (bench.measured(config, reading.ONE, name) for name in ("wrong", "absent"))
    assert wrong["status"] == "wrong"
    assert absent["status"] == "absent: no_such_package"
    assert "median_ms" not in wrong | absent


def test_crossings_between_samples():
    """Straight lines cross where they should, with the error of a difference."""
    part, code = "depolarizing", model.FIVE
    rows = [
        {"part": part, "rounds": 1, "code": name, "p": p, "mean": mean, "error": error}
        for name, error, means in ((code.name, 0.03, (0.1, 0.4)), ("bare qubit", 0.04, (0.2, 0.2)))
        for p, mean in zip((0.1, 0.2), means, strict=True)
    ]
    row = experiment._crossing(rows, code, part)
    assert abs(row["mean"] - (0.1 + 0.1 / 3)) <= tolerance(F64, 10)
    slopes = 0.1 / 0.3**2 * np.array([0.2, 0.1])
    assert abs(row["error"] - 0.05 * np.linalg.norm(slopes)) <= tolerance(F64, 10)


@pytest.mark.parametrize(
    "bad",
    [
        {"seeds": 0},
        {"samples": 0},
        {"rounds": (2,)},
        {"rounds": ()},
        {"flips": ()},
        {"flips": (0.2, 0.1)},
        {"depolarizing": (0.0, 0.1)},
        {"depolarizing": (0.1, 1.0)},
        {"device": "tpu"},
    ],
)
def test_bad_configs_are_refused(bad):
    with pytest.raises(ValueError, match=r"Config\(\w+="):
        replace(experiment.Config(), **bad)


@pytest.mark.parametrize("bad", [{"shots": 0}, {"peers": ("none",)}, {"strength": 1.5}])
def test_bad_configs_of_times_are_refused(bad):
    with pytest.raises(ValueError, match=r"Config\(\w+="):
        replace(bench.Config(), **bad)


# --- what is committed ---


def test_the_pages_tables_are_the_committed_record():
    entry = read(ROOT / "docs" / "_static" / "codes.json")
    page = (ROOT / "docs" / "experiments" / "codes.md").read_text("utf-8")
    assert entry["status"] == "complete"
    assert report.filled(page, _record.Result(rows=tuple(entry["rows"]))) == page
    samples = entry["config"]["seeds"] * entry["config"]["samples"]
    assert f"{samples:,} samples" in page
    rows = [row for row in entry["rows"] if row["part"] != "crossing"]
    assert all(abs(row["deviation"]) <= 4 for row in rows)
