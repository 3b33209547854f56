"""The benchmark: its reference against closed forms, its workers, its rows and its record."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from experiments.bench import __main__ as program
from experiments.bench import (
    chain,
    families,
    family_table,
    fusion,
    hunt,
    limit,
    measure,
    peers,
    plots,
    reference,
    targets,
)
from experiments.bench.circuits import (
    Circuit,
    Observable,
    Row,
    ising,
    regular_graph,
    rotations,
    single_z,
)
from experiments.bench.peers.base import Run
from experiments.bench.worker import Job, repeat
from experiments.bench.workloads import STRENGTH, TASKS, Work, parse

SMALL = [
    "vqc(3,2,4)", "vqe(4,2)", "fwd(5,2)", "seeds(2,3,1,4)", "hessian(3,1)", "qfi(3,2)",
    "shifts(3,2)", "train(3,1,4,2)", "kernel(3,2,4)", "brick(4,1)", "ring(4,1)", "far(4,1)",
    "qaoa(4,1)", "noise(3,2)", "trajectories(3,2,20)", "sampled(3,2,20)",
    "branches(3,2,1)",
]  # fmt: skip
ENERGIES = ["vqe(4,2)", "brick(4,2)", "ring(4,2)", "far(4,2)", "qaoa(4,2)"]
ROUNDING = 1e-10
STEP = np.finfo(float).eps ** (1 / 3)
DIFFERENCE = 1e-8
PROMPT = {"threads": 1, "budget_s": 0.0, "max_repeats": 3}
TIMEOUT = 60.0
RATES = limit.Rates(((2**20, 1e10), (2**30, 2e9)), 1e11)


def slope_along(value, theta, direction):
    ahead, behind = value(theta + STEP * direction), value(theta - STEP * direction)
    return (ahead - behind) / (2 * STEP)


def directions(theta):
    return np.random.default_rng(1).normal(size=(3, *theta.shape))


@pytest.mark.parametrize("name", ENERGIES)
def test_energy_gradient_is_the_slope(name):
    work = parse(name)
    gradient = reference.energy(work, work.theta)[1]
    for direction in directions(work.theta):
        slope = slope_along(lambda t: reference.energy(work, t)[0], work.theta, direction)
        assert abs(np.sum(gradient * direction) - slope) < DIFFERENCE * work.circuit.n_gates


def test_classifier_gradient_is_the_slope():
    work = parse("vqc(3,2,5)")
    gradient = reference.step(work, work.theta)[1]
    for direction in directions(work.theta):
        slope = slope_along(lambda t: reference.step(work, t)[0], work.theta, direction)
        assert abs(np.sum(gradient * direction) - slope) < DIFFERENCE


def test_hessian_is_symmetric_and_the_slope_of_the_gradient():
    work = parse("hessian(3,1)")
    hessian = reference.solve(work)["hessian"]
    np.testing.assert_allclose(hessian, hessian.T, atol=ROUNDING)
    for direction in directions(work.theta):
        slope = slope_along(lambda t: reference.energy(work, t)[1], work.theta, direction)
        np.testing.assert_allclose(
            hessian @ direction.reshape(-1), slope.reshape(-1), atol=DIFFERENCE * hessian.size
        )


def test_noisy_gradient_is_the_slope():
    work = parse("noise(3,2)")
    gradient = reference.solve(work)["gradient"]
    for direction in directions(work.theta):
        slope = slope_along(lambda t: reference.noise(work, t)[0], work.theta, direction)
        assert abs(np.sum(gradient * direction) - slope) < DIFFERENCE * work.circuit.n_gates


def test_gradient_over_outcomes_is_the_slope():
    work = parse("branches(4,3,1)")
    gradient = reference.solve(work)["gradient"]
    for direction in directions(work.theta):
        slope = slope_along(lambda t: reference.outcomes(work, t)[0], work.theta, direction)
        assert abs(np.sum(gradient * direction) - slope) < DIFFERENCE * work.circuit.n_gates


def test_an_outcome_sets_the_sign_of_an_angle():
    """RY(a), measured, then RY(b) or RY(-b) on the next wire, in which X tells them apart."""
    a, b = 0.7, 0.4
    layers = ((rotations("ry", [0]),), (rotations("ry", [1]),), ())
    work = Work(
        "outcomes", "branches", Circuit(2, (), layers, 1), Observable(("IX",), (1.0,)), n_measured=1
    )
    value, gradient = reference.outcomes(work, np.array([[a], [b], [0.0]]))
    assert math.isclose(value, math.cos(a) * math.sin(b), abs_tol=ROUNDING)
    slopes = [-math.sin(a) * math.sin(b), math.cos(a) * math.cos(b), 0.0]
    np.testing.assert_allclose(gradient[:, 0], slopes, atol=ROUNDING)


def test_noise_on_a_rotated_qubit_has_its_closed_form():
    work = Work("noise", "noise", one_layer(1, rotations("ry", [0])), single_z(1))
    value, gradient = reference.noise(work, np.array([[0.7]]))
    kept = 1 - 4 * STRENGTH / 3
    assert math.isclose(value, kept * math.cos(0.7), abs_tol=ROUNDING)
    assert math.isclose(gradient[0, 0], -kept * math.sin(0.7), abs_tol=ROUNDING)


def test_trajectories_have_the_mean_of_the_density_matrix():
    """Up to five standard errors, and each error where its uniform number says."""
    work = parse("sampled(3,1,4000)")
    shares = np.bincount(work.errors.reshape(-1), minlength=4) / work.errors.size
    assert abs(shares[0] - (1 - STRENGTH)) < 5 * math.sqrt(STRENGTH / work.errors.size)
    edges = np.cumsum([1 - STRENGTH, STRENGTH / 3, STRENGTH / 3])
    np.testing.assert_array_equal(np.searchsorted(edges, work.u), work.errors)
    exact, _ = reference.noise(work, work.theta)
    spread = sum(map(abs, work.measured.coefficients))
    found = reference.solve(work)["value"]
    assert found != exact
    assert abs(found - exact) < 5 * spread * math.sqrt(0.1 / work.n_trajectories)


def test_slopes_of_trajectories_are_those_of_the_circuits_without_errors_if_there_are_none():
    work = parse("trajectories(3,2,1)")
    assert not work.errors.any()
    slopes = np.tensordot(work.directions, reference.energy(work, work.theta)[1], 2)
    np.testing.assert_allclose(reference.solve(work)["slopes"], slopes, atol=DIFFERENCE)


def test_fisher_information_is_the_gram_of_slopes_without_their_part_along_the_state():
    work = parse("qfi(3,2)")
    psi = reference.evolve(work.circuit, work.theta).reshape(-1)
    slopes = [
        slope_along(lambda t: reference.evolve(work.circuit, t).reshape(-1), work.theta, direction)
        for direction in np.eye(work.theta.size).reshape(-1, *work.theta.shape)
    ]
    rows = np.array(slopes)
    rows -= np.outer(rows @ psi.conj(), psi)
    fisher = reference.solve(work)["qfi"]
    np.testing.assert_allclose(fisher, 4 * (rows.conj() @ rows.T).real, atol=DIFFERENCE)
    assert np.linalg.eigvalsh(fisher).min() > -ROUNDING


def one_layer(n, *rows, width=1):
    return Circuit(n, (), (rows,), width)


def test_rotated_qubit_has_its_closed_form():
    work = Work("ry", "energy", one_layer(1, rotations("ry", [0])), single_z(1))
    value, gradient = reference.energy(work, np.array([[0.7]]))
    assert math.isclose(value, math.cos(0.7), abs_tol=ROUNDING)
    assert math.isclose(gradient[0, 0], -math.sin(0.7), abs_tol=ROUNDING)


def test_bell_state_has_its_closed_form():
    circuit = one_layer(2, Row("h", ((0,),)), Row("cx", ((0, 1),)))
    state = reference.evolve(circuit, np.zeros((1, 1))).reshape(-1)
    np.testing.assert_allclose(state, np.sqrt([0.5, 0, 0, 0.5]), atol=ROUNDING)


def test_wire_zero_is_the_most_significant_bit():
    circuit = one_layer(3, rotations("rx", [0]))
    state = reference.evolve(circuit, np.array([[np.pi]])).reshape(-1)
    np.testing.assert_allclose(state, [0, 0, 0, 0, -1j, 0, 0, 0], atol=ROUNDING)


def test_rzz_is_the_phase_it_says():
    start = (Row("h", ((0,), (1,))),)
    circuit = Circuit(2, start, ((Row("rzz", ((0, 1),), (0,)),),), 1)
    state = reference.evolve(circuit, np.array([[0.8]])).reshape(-1)
    np.testing.assert_allclose(state, np.exp([-0.4j, 0.4j, 0.4j, -0.4j]) / 2, atol=ROUNDING)


@pytest.mark.parametrize("name", ["vqe(5,3)", "brick(6,2)"])
def test_chains_agree_with_statevectors(name):
    work = parse(name)
    value, gradient = reference.energy(work, work.theta)
    assert math.isclose(chain.energy(work, work.theta), value, abs_tol=ROUNDING)
    np.testing.assert_allclose(chain.gradient(work, work.theta), gradient, atol=ROUNDING)


@pytest.mark.parametrize("word", ["XX", "YXY", "XYZ", "ZZ"])
def test_a_rotated_word_has_its_closed_form(word):
    """A word maps |0...0⟩ to a phase times one basis state."""
    n = len(word)
    flipped = int("".join(str(int(letter in "XY")) for letter in word), 2)
    row = Row(word, (tuple(range(n)),), (0,))
    state = reference.evolve(one_layer(n, row), np.array([[0.7]])).reshape(-1)
    expected = np.zeros(2**n, complex)
    expected[0] = math.cos(0.35)
    expected[flipped] += -1j * math.sin(0.35) * 1j ** word.count("Y")
    np.testing.assert_allclose(state, expected, atol=ROUNDING)


def test_chain_amplitudes_agree_with_statevectors():
    work = parse("fwd(6,3)")
    assert (
        reference.mismatch(chain.solve(work, reference.probes(6)), reference.solve(work)) < ROUNDING
    )


def test_mismatch_sees_a_wrong_result_and_a_missing_one():
    expected = reference.solve(parse("vqe(3,1)"))
    wrong = {**expected, "gradient": 1.01 * expected["gradient"]}
    assert reference.mismatch(expected, expected) == 0.0
    assert math.isclose(reference.mismatch(wrong, expected), 0.01)
    assert math.isnan(reference.mismatch({**expected, "value": np.array(np.nan)}, expected))
    assert math.isinf(reference.mismatch({"value": expected["value"]}, expected))
    assert math.isinf(reference.mismatch({**expected, "gradient": np.zeros(1)}, expected))


@pytest.mark.parametrize("text", ["vqc", "vqc(4)", "nothing(4,4)", "vqe(4;2)"])
def test_unknown_workloads_are_refused(text):
    with pytest.raises(ValueError, match=r"must be written|is no workload"):
        parse(text)


def test_random_graphs_are_regular_and_simple():
    edges = regular_graph(10, seed=3)
    assert len(set(edges)) == len(edges) == 15
    assert np.bincount(np.ravel(edges)).tolist() == [3] * 10


def measured(name, peer, expected, timeout=TIMEOUT):
    return measure.measure(Job(name, peer, **PROMPT), expected, timeout)


def test_every_adapter_has_a_module_and_a_family():
    folder = measure.ROOT / "experiments" / "bench" / "peers"
    for peer in peers.PEERS.values():
        assert (folder / f"{peer.adapter}.py").exists()
        assert peer.family in plots.COLOURS


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("peer", peers.PEERS)
def test_adapters_do_the_tasks_they_say_and_agree_with_the_reference(peer):
    if not peers.present(peer):
        pytest.skip(f"{peers.PEERS[peer].requires} is not installed")
    tasks = peers.load(peer)
    assert set(tasks) == set(TASKS) - set(peers.PEERS[peer].lacks)
    for name in SMALL:
        work = parse(name)
        if work.task in tasks:
            run = tasks[work.task](work)
            found = run.read(run.step(run.theta))
            assert reference.mismatch(found, reference.solve(work)) < measure.TOLERANCE, name


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("peer", [name for name, peer in peers.PEERS.items() if peer.words])
def test_adapters_rotate_words_as_the_reference_does(peer):
    if not peers.present(peer):
        pytest.skip(f"{peers.PEERS[peer].requires} is not installed")
    layer = (rotations("ry", range(3)), Row("ZXY", ((0, 1, 2),), (3,)), Row("YX", ((0, 2),), (4,)))
    work = Work("words", "energy", one_layer(3, *layer, width=5), ising(3))
    run = peers.load(peer)["energy"](work)
    assert reference.mismatch(run.read(run.step(run.theta)), reference.solve(work)) < (
        measure.TOLERANCE
    )


@pytest.mark.parametrize("writing", families.WRITINGS)
@pytest.mark.parametrize("name", ["vqc(3,2,4)", "ring(4,2)", "qaoa(4,2)", "hunt(0,1,4)"])
def test_a_circuit_is_the_same_however_it_is_written(name, writing):
    work = replace(parse(name), writing=writing)
    run = peers.load("quilt")[work.task](work)
    found = run.read(run.step(run.theta))
    assert reference.mismatch(found, reference.solve(work)) < measure.TOLERANCE


@pytest.mark.parametrize("name", ["vqc(3,1,4)", "train(3,1,4,2)"])
def test_workers_measure_the_papers_method(name):
    row = measured(name, "paper", reference.solve(parse(name)))
    assert row["status"] == "ok", row["note"]
    assert row["q25_ms"] <= row["median_ms"] <= row["q75_ms"]
    assert row["repeats"] == 3
    assert row["mismatch_ppm"] < 1e6 * measure.TOLERANCE


def test_wrong_results_have_no_times():
    expected = {"value": np.array(3.0), "gradient": np.zeros((1, 6))}
    row = measured("vqe(3,1)", "paper", expected)
    assert row["status"] == "wrong"
    assert "median_ms" not in row


def test_absent_and_unsupported_peers_are_rows(monkeypatch):
    gone = peers.Peer("nothing", "nothing", "no_such_package", "nothing", "torch")
    monkeypatch.setitem(peers.PEERS, "nothing", gone)
    assert measured("vqe(3,1)", "nothing", {})["status"] == "absent"
    assert measured("seeds(2,3,1,2)", "paper", {})["status"] == "unsupported"
    assert measured("hunt(0,1,4)", "paper", {})["status"] == "unsupported"


def test_slow_processes_are_ended():
    assert measured("vqe(3,1)", "paper", {}, timeout=0.05)["status"] == "timeout"


def test_very_slow_steps_are_taken_once_unless_they_are_compiled():
    run = Run(0.0, lambda theta: theta, lambda found: {})
    job = Job("vqe(3,1)", "paper", budget_s=0.001, max_repeats=5)
    assert repeat(run, job, first=60.0) == [60.0]
    assert 60.0 not in repeat(run, replace(job, peer="qujax"), first=60.0)


def timed(work, peer, median, precision="single"):
    family = peers.PEERS[peer].family
    return {
        "work": work, "peer": peer, "family": family, "precision": precision, "status": "ok",
        "median_ms": median, "q25_ms": median, "q75_ms": median, "peak_mib": median,
        "first_s": median,
    }  # fmt: skip


def test_ratios_compare_equal_precisions_with_the_fastest_library():
    rows = [
        timed("w", "quilt", 2.0), timed("w", "paper", 8.0), timed("w", "lightning", 4.0),
        timed("w", "qulacs", 1.0, "double"), timed("w", "quilt-double", 5.0, "double"),
        {**timed("w", "aer", 1.0), "status": "failed"},
    ]  # fmt: skip
    ratios = [row.get("ratio") for row in measure.add_ratios(rows)]
    assert ratios == [2.0, 0.5, 1.0, 1.0, 0.2, None]


def test_verdicts_know_floor_and_stretch():
    rows = [timed("vqc(4,4,70)", "quilt", 1.0), timed("vqc(4,4,70)", "paper", 500.0)]
    found = {row["peer"]: row["status"] for row in targets.verdicts(rows)}
    assert found == {"vqc(4,4,70): paper": "met", "vqc(4,4,70): torch": "stretch"}
    fisher = [timed("qfi(8,2)", "quilt", 1.0), timed("qfi(8,2)", "qujax", 0.3)]
    slow, fast = (targets.verdicts([*fisher, timed("qfi(8,2)", "paper", ms)]) for ms in (4.0, 50.0))
    jax = ("qfi(8,2): jax", "met", "at least 0.1, stretch 0.5")
    floor = "at least 5"
    for found, word in ((slow, "missed"), (fast, "met")):
        said = {(row["peer"], row["status"], row["note"]) for row in found}
        assert said == {jax, ("qfi(8,2): torch", word, floor)}
    widths = [timed("fwd(16,4)", "quilt", 1.0), timed("fwd(22,4)", "quilt", 64 * 3.0)]
    assert [row["status"] for row in targets.verdicts(widths)] == ["missed"]


def test_blocks_are_counted_and_never_split_a_gate():
    assert fusion.count_blocks(parse("vqe(4,3)").circuit, 4) == 1
    assert fusion.count_blocks(parse("vqe(20,4)").circuit, 5) == 12
    for name in ENERGIES:
        circuit = parse(name).circuit
        counts = [fusion.count_blocks(circuit, size) for size in range(1, 5)]
        assert counts == sorted(counts, reverse=True)
        assert counts[-1] == 1


def test_limit_grows_with_the_work():
    one, more = limit.seconds(parse("vqe(10,2)"), RATES), limit.seconds(parse("vqe(10,4)"), RATES)
    assert 0 < one < more
    assert limit.seconds(parse("vqe(10,2)"), RATES, "double") > one
    noise, pure = (limit.seconds(parse(name), RATES) for name in ("noise(8,2)", "vqe(8,2)"))
    assert noise > 2**8 * pure
    state, fisher = (limit.seconds(parse(name), RATES) for name in ("fwd(8,2)", "qfi(8,2)"))
    assert fisher > parse("qfi(8,2)").theta.size * state


def test_program_records_rows_and_figures(tmp_path, monkeypatch, capsys):
    rates = {
        "copy": [[2**20, 1e10]],
        "cgemm": 1e11,
        "cpu": "a machine",
        "date": "a day",
        "python": "3",
    }
    ask = measure.answer
    monkeypatch.setattr(
        measure, "answer", lambda module, *rest: rates if module == "limit" else ask(module, *rest)
    )
    page = tmp_path / "page.md"
    places = ["--out", str(tmp_path), "--markdown", str(page)]
    program.main(["--work", "vqe3,1", "--peers", "quilt", "paper", "--quick", *places])
    entry = json.loads((tmp_path / "bench-quick.json").read_text())
    assert entry["status"] == "complete"
    assert [row["peer"] for row in entry["rows"]] == ["quilt", "paper"]
    assert entry["figures"]
    assert all((tmp_path / figure).stat().st_size > 0 for figure in entry["figures"])
    assert "vqe(3,1)" in capsys.readouterr().out
    assert "| `vqe(3,1)` | the paper's own method |" in page.read_text()


def test_program_refuses_unknown_peers(capsys):
    with pytest.raises(SystemExit):
        program.main(["--peers", "nobody"])
    assert "nobody" in capsys.readouterr().err


# --- the hunt ---


def test_draws_repeat_and_keep_within_bounds():
    turns, seen = len(families.FAMILIES), set()
    for index in range(3 * turns):
        one, again = families.draw(5, index, 9), families.draw(5, index, 9)
        assert one == again
        assert families.NARROWEST <= one.circuit.n <= 9 + 1  # a graph has an even number of nodes
        n_gates = one.circuit.n_gates * 2**one.circuit.n * max(1, one.n_samples)
        assert n_gates <= 2 * families.WORK or len(one.circuit.layers) == 1
        assert all(len(word) == one.circuit.n for word in one.observable.words)
        seen |= {one.family, one.writing, one.n_samples}
    assert {*families.FAMILIES, *families.WRITINGS, 0} <= seen
    assert families.draw(6, 0, 9) != families.draw(5, 0, 9)


@pytest.mark.parametrize("index", range(len(families.FAMILIES)))
def test_drawn_circuits_agree_with_the_reference(index):
    work = parse(f"hunt(1,{index},4)")
    for peer in ("quilt", "quilt-double"):
        run = peers.load(peer)[work.task](work)
        found = run.read(run.step(run.theta))
        assert reference.mismatch(found, reference.solve(work)) < measure.TOLERANCE


def test_the_worst_ratio_comes_first_and_counts_equal_precisions_only():
    rows = [
        timed("hunt(0,0,4)", "quilt", 2.0), timed("hunt(0,0,4)", "lightning", 8.0),
        timed("hunt(0,1,4)", "quilt", 2.0), timed("hunt(0,1,4)", "pennylane", 1.0),
        timed("hunt(0,1,4)", "lightning", 9.0), timed("hunt(0,1,4)", "quilt-jit", 0.5),
        timed("hunt(0,2,4)", "quilt", 2.0), timed("hunt(0,2,4)", "qulacs", 1.0, "double"),
        {**timed("hunt(0,2,4)", "paper", 0.1), "status": "wrong"},
    ]  # fmt: skip
    found = hunt.worst_first(rows)
    assert [(row["work"], row["peer"]) for row in found] == [
        ("hunt(0,1,4)", "quilt"), ("hunt(0,1,4)", "quilt-jit"), ("hunt(0,0,4)", "quilt"),
        ("hunt(0,2,4)", "quilt"),
    ]  # fmt: skip
    assert [row.get("ratio") for row in found] == [0.5, 2.0, 4.0, None]
    assert found[0]["rival"] == "pennylane"
    text = hunt.plans(found, 1)
    assert "hunt(0,1,4)" in text
    assert "hunt(0,0,4)" not in text
    assert "passes over a state" in text


def test_the_hunt_records_ratios_and_plans(tmp_path, monkeypatch, capsys):
    gone = peers.Peer("nothing", "nothing", "no_such_package", "nothing", "torch")
    monkeypatch.setitem(peers.PEERS, "nothing", gone)
    words = [
        "--circuits",
        "2",
        "--widest",
        "4",
        "--budget",
        "0",
        "--repeats",
        "3",
        "--threads",
        "1",
    ]
    program.main(["--hunt", *words, "--peers", "quilt", "paper", "nothing", "--out", str(tmp_path)])
    entry = json.loads((tmp_path / "hunt.json").read_text())
    assert entry["status"] == "complete"
    assert [row["work"] for row in entry["rows"]] == ["hunt(0,0,4)", "hunt(0,1,4)"]
    assert entry["rows"][0]["rival"] == "paper"
    assert "steps" in entry["rows"][0]["plan"]
    assert "ratio" not in entry["rows"][1]  # the paper's method has no words
    statuses = [(row["peer"], row["status"]) for row in entry["baselines"]]
    assert statuses == [
        ("quilt", "ok"), ("paper", "ok"), ("quilt", "ok"), ("paper", "unsupported"),
        ("nothing", "absent"),
    ]  # fmt: skip
    printed = capsys.readouterr().out
    assert printed.index(hunt.WORST) < printed.index(hunt.EVERY) < printed.index("passes over")


@pytest.mark.parametrize(
    "words",
    [["--widest", "19"], ["--circuits", "0"], ["--peers", "nobody"], ["--device", "cuda"]],
    ids=str,
)
def test_the_hunt_refuses_what_it_does_not_do(words, capsys):
    with pytest.raises(SystemExit):
        program.main(["--hunt", *words])
    assert "error" in capsys.readouterr().err


def test_the_benchmark_has_replays_beside_the_rest():
    assert set(peers.PEERS) == set(peers.BENCHED)
    assert ("vqc(4,4,70)", "quilt-jit") in program.Config().pairs()


def test_ising_energy_of_the_zero_state():
    n = 5
    observable = ising(n)
    state = reference.evolve(Circuit(n, (), (), 0), np.zeros((0, 0)))
    energy = np.vdot(state, reference.apply_observable(observable, state)).real
    assert math.isclose(energy, -(n - 1), abs_tol=ROUNDING)


# --- the table of families ---


def test_the_table_of_families_has_a_row_for_each(capsys):
    program.main(["--families", "5", "6", "--only", "chain", "words", "--peers", "--threads", "1",
                  "--budget", "0"])  # fmt: skip
    lines = capsys.readouterr().out.strip().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert [row[:2] for row in cells[2:]] == [
        ["chain", "5"], ["words", "5"], ["chain", "6"], ["words", "6"]
    ]  # fmt: skip
    for row in cells[2:]:
        forward, gradient, ratio, replayed = map(float, row[3:7])
        assert min(forward, gradient, replayed) > 0
        assert abs(ratio - gradient / forward) < 0.06 * ratio


def test_a_rival_with_another_value_is_no_rival(monkeypatch):
    circuit, observable = families.FAMILIES["chain"].make(4, 1, 0)
    work = Work("chain(4)", "energy", circuit, observable)
    assert set(family_table._runs(work, ["quilt-double"])) == {
        "forward", "quilt", "quilt-jit", "quilt-double"
    }  # fmt: skip
    values = iter([1.0, 2.0])
    monkeypatch.setattr(family_table, "_value", lambda run: next(values))
    with pytest.raises(ValueError, match="quilt-double has another value"):
        family_table._runs(work, ["quilt-double"])


def test_turns_stop_after_the_budget():
    calls = []
    found = family_table.in_turns({"a": lambda: calls.append("a")}, 0.0)
    assert len(calls) == 1 + family_table.LEAST
    assert found["a"] > 0
