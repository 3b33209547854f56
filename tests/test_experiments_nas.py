"""The architecture search in miniature: questions, judge, space, eigensolver, and a kill."""

import json
import math
import re
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest
import torch

import quilt_func as qf
from quilt_func.testing.tolerances import tolerance

pytest.importorskip("sklearn")
pytest.importorskip("tqdm")

from experiments.nas import __main__ as nas
from experiments.nas import judge, model, questions, report, train, vqe
from experiments.nas.judge import Reply

ROOT = Path(__file__).resolve().parents[1]
TINY = {"seeds": 2, "iterations": 1, "train": 60, "held_out": 5, "starts": 4, "epochs": 2}


def tiny(out, *more):
    words = [f"--{name.replace('_', '-')}={value}" for name, value in TINY.items()]
    return [*words, "--workers=1", f"--out={out}", *more]


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


# Questions

NUMBER = r"-?\d+(?:\.\d+)?"


def answer(text):
    """Read a question again, by its words, and work it out."""
    p, q = (Decimal(n) for n in re.findall(rf"(?<![\d.]){NUMBER}", text.replace("+", "+ ")))
    if re.search(r"less than|Subtract", text):
        return q - p
    is_difference = re.search(r"minus|take away|[\d.] - ", text)
    return p - q if is_difference else p + q


@pytest.mark.parametrize(("digits", "decimals"), [(2, 0), (6, 5)])
def test_answers_are_right_and_written_shortly(digits, decimals):
    asked = questions.generate(400, 40, digits=digits, decimals=decimals)
    for question in (*asked.train, *asked.held_out):
        value = answer(question.text)
        assert Decimal(question.answer) == value
        assert re.fullmatch(r"-?(0|[1-9]\d*)(\.\d*[1-9])?", question.answer)
        assert question.answer != "-0"
    phrases = {re.sub(NUMBER, "", question.text) for question in asked.train}
    assert len(phrases) == len(questions.SUMS) + len(questions.DIFFERENCES)


def test_the_examples_of_the_data_set_are_in_its_form():
    for text, value in {
        "What is 472.95 minus -0.116?": "473.066",
        "Sum 0.059 and 162.": "162.059",
        "What is -0.0484 less than -2?": "-1.9516",
        "0.003 + -225": "-224.997",
        "Subtract -21 from -21.4.": "-0.4",
    }.items():
        assert questions.written(answer(text)) == value
        phrase = re.sub(rf"(?<![\d.]){NUMBER}", "#", text)
        forms = (*questions.SUMS, *questions.DIFFERENCES)
        assert phrase in {re.sub(r"\{.\}", "#", form) for form in forms}


def task(question):
    """What is asked, in whatever words: two numbers, in any order, and the answer."""
    numbers = re.findall(rf"(?<![\d.]){NUMBER}", question.text.replace("+", "+ "))
    return (*sorted(numbers), question.answer)


def test_held_out_questions_are_never_trained_on():
    asked = questions.generate(3000, 300, digits=2, decimals=0)
    assert (len(asked.train), len(asked.held_out)) == (3000, 300)
    texts = {question.text for question in (*asked.train, *asked.held_out)}
    assert len(texts) == 3300
    trained, held_out = (
        [task(q) for q in part if "+" in q.text] for part in (asked.train, asked.held_out)
    )
    assert not set(trained) & set(held_out)
    assert len(set(trained)) == len(trained)


def test_a_file_of_the_data_set_is_read_and_split(tmp_path):
    path = tmp_path / "arithmetic__add_or_sub.txt"
    lines = [line for i in range(30) for line in (f"What is {i} + 1?", str(i + 1))]
    path.write_text("\n".join([*lines, "What is 3 + 1?", "4"]) + "\n")
    asked = questions.read(path, 10)
    assert len(asked.train) == 20
    assert [q.answer for q in asked.held_out] == [str(i + 1) for i in range(20, 30)]
    with pytest.raises(ValueError, match="`path` must hold at least 40 questions, but got 30"):
        questions.read(path, 20)


def test_windows_begin_with_a_question():
    asked = questions.generate(50, 5, digits=2, decimals=1)
    text, starts = questions.windows(asked.train, asked.alphabet, 40)
    rows, following = next(questions.batches(text, starts, 40, 64, seed=0))
    assert torch.equal(rows[:, 1:], following[:, :-1])
    for row in rows:
        letters = "".join(asked.alphabet[i] for i in row)
        assert any(letters.startswith(f"{q.text}\n"[:40]) for q in asked.train)


# The judge


@pytest.mark.parametrize(
    ("given", "likelihood", "score"),
    [("7", 1.0, 10.0), ("x", 0.0, 1.0), ("8", 0.0, 1 + 9 / 8), ("", 0.5, 1 + 9 / 8)],
)
def test_marks_by_hand(given, likelihood, score):
    (mark,) = judge.marks([Reply("3 + 4", "7", given, likelihood)])
    assert abs(mark - score) < tolerance(torch.float64, 8, scale=10)


def test_a_number_written_otherwise_is_close_but_not_exact():
    parts = judge.parts(Reply("3 + 4", "7", "7.0", 0.0))
    assert parts == {"exact": 0.0, "close": 1.0, "likely": 0.0}
    for nonsense in ("nan", "inf", "1e999", "--3"):
        assert judge.parts(Reply("3 + 4", "7", nonsense, 0.0))["close"] == 0


def strict(replies):
    """A judge of one's own: right or wrong."""
    return [10.0 if reply.given == reply.right else 1.0 for reply in replies]


def test_the_judge_can_be_swapped(monkeypatch):
    monkeypatch.setitem(sys.modules, "strict_judge", sys.modules[__name__])
    config = nas.Config(**TINY, judge="strict_judge:strict")
    marks = train.marks(config.setting, "0000", 0)
    assert marks["score"] == 1 + 9 * marks["exact"]
    with pytest.raises(ValueError, match=r"`judge` must name a function, but got No module"):
        nas.Config(judge="no_such_module:marks")


# The space and the model


def test_the_papers_space_bit_for_bit():
    forms = {form.bits: form for form in model.ARCHITECTURES}
    assert list(forms) == qf.bit_strings(4)
    assert forms["1010"] == model.Architecture("1010", "Large", 6, 128, 8, 0.2, 1e-3)
    assert forms["0100"] == model.Architecture("0100", "Medium-Deep", 6, 96, 6, 0.0, 1e-3)
    assert forms["1101"] == model.Architecture("1101", "Large-Wide", 4, 192, 8, 0.0, 5e-4)
    assert forms["0011"] == model.Architecture("0011", "Medium-Standard", 4, 96, 6, 0.2, 5e-4)
    assert (model.PAPERS_BLOCK, model.PAPERS_BATCH) == (128, 32)
    assert model.PAPERS_ITERATIONS == 2000


def test_the_model_never_looks_ahead():
    torch.manual_seed(0)
    net = model.PicoTransformer(model.architecture("0100"), 12, 16).eval()
    text = torch.arange(16).remainder(12)[None]
    changed = text.clone()
    changed[0, 9:] = 3
    before, after = net(text), net(changed)
    bound = tolerance(torch.float32, 512)
    assert (before[:, :9] - after[:, :9]).abs().max() < bound
    assert (before[:, 9:] - after[:, 9:]).abs().max() > bound


def test_training_replays_and_learns():
    asked = questions.generate(60, 5, digits=1, decimals=0)
    how = {"block": 32, "batch": 8, "seed": 0}
    form = model.architecture("0010")
    nets = [model.train(form, asked, iterations=40, **how) for _ in range(2)]
    texts, right = map(list, zip(*asked.train[:20], strict=True))
    found = [model.likelihoods(net, texts, right, asked.alphabet) for net in nets]
    assert found[0] == found[1]
    fresh = model.train(form, asked, iterations=0, **how)
    first = model.likelihoods(fresh, texts, right, asked.alphabet)
    assert sum(found[0]) > 2 * sum(first)


def test_an_answer_ends_with_its_line():
    class Parrot(torch.nn.Module):
        """Says "7" and then ends the line."""

        def __init__(self):
            super().__init__()
            self.head = torch.nn.Linear(1, 1)

        def forward(self, text):
            following = torch.where(text == 1, 0, 1)  # of the alphabet "\n7+"
            return torch.nn.functional.one_hot(following, 3).float()

    alphabet = "\n7+"
    assert model.answers(Parrot(), ["+7+"], alphabet, 16) == ["7"]
    probability = math.e / (math.e + 2)
    (found,) = model.likelihoods(Parrot(), ["+7+"], ["7"], alphabet)
    assert abs(found - probability) < tolerance(torch.float32, 8)


# The eigensolver


def test_the_notebooks_costs_have_one_optimum():
    costs = torch.tensor(vqe.NOTEBOOK_COSTS).float()
    assert int(costs.argmin()) == int("0100", 2)
    assert (costs == costs.min()).sum() == 1


def dense_product(theta):
    """The notebook's circuit, by Kronecker products."""
    state = torch.zeros(16, dtype=torch.complex128)
    state[0] = 1
    for layer in theta:
        matrix = torch.ones(1, 1, dtype=torch.complex128)
        for a, b in layer:
            c, s = (a / 2).cos(), (a / 2).sin()
            turn = torch.stack([c, -s, s, c]).reshape(2, 2).to(torch.complex128)
            phase = torch.stack([-0.5j * b, 0.5j * b]).exp().diag()
            matrix = torch.kron(matrix, phase @ turn)
        state = matrix @ state
    return state.abs().square()


def test_the_search_is_the_notebooks_loop():
    costs = torch.tensor(vqe.NOTEBOOK_COSTS).double()
    theta = 2 * math.pi * qf.uniforms((2, 4, 4, 2), 0, dtype=torch.float64)
    found = qf.bitstrings.minimise_bitstring(qf.diagonal(costs), vqe.product, theta, n_steps=5)
    own = theta[1].clone().requires_grad_()
    optimiser = torch.optim.Adam([own], lr=0.1)
    for energy in found.trace[:, 1]:
        loss = dense_product(own) @ costs
        assert abs(loss - energy) < tolerance(torch.float64, 1000, scale=10)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def test_chances_of_random_search_by_hand():
    rows = vqe.plain_rows("table", torch.tensor([0.0, 1.0, 0.0, 2.0]))
    found = {row["asked"]: row["found"] for row in rows}
    assert found == {1: 0.5, 2: 1 - 1 / 6, 4: 1.0}


# What is said of the scores


def test_spearman_by_hand():
    a = torch.tensor([1.0, 2, 3, 4]).double()
    bound = tolerance(torch.float64, 8)
    assert abs(report.spearman(a, a.square()) - 1) < bound
    assert abs(report.spearman(a, -a) + 1) < bound
    tied = torch.tensor([1.0, 2, 2, 4]).double()
    assert abs(report.spearman(a, tied) - math.sqrt(0.9)) < bound


def test_a_difference_is_told_from_noise():
    noise = qf.uniforms((16, 3), 0, dtype=torch.float64)
    assert report.chance(noise) > 0.05
    assert report.chance(noise + torch.arange(16)[:, None]) == 0


# The run


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("nas")
    nas.main(tiny(out))
    return out


def test_the_command_leaves_a_complete_record(finished):
    entry = read(finished / "nas.json")
    assert (entry["status"], entry["seeds"]) == ("complete", 2)
    bits = [row["bits"] for row in entry["rows"] if "bits" in row]
    assert bits == qf.bit_strings(4)
    methods = [row["model"] for row in entry["rows"] if "starts" in row]
    assert methods == [*vqe.METHODS, *vqe.METHODS]
    assert [row["model"] for row in entry["paper"]] == [row["model"] for row in vqe.PAPER]
    assert len(entry["figures"]) == 2
    assert all((finished / name).stat().st_size > 10_000 for name in entry["figures"])


def test_a_run_compares_itself_with_another(finished):
    nas.main(tiny(finished, f"--compare={finished / 'nas.json'}"))
    rows = {row["model"]: row for row in read(finished / "nas.json")["rows"]}
    for part in ("score", "likely"):
        assert rows[f"rank correlation with 1 iterations: {part}"]["mean"] == pytest.approx(1.0)


def test_finished_architectures_are_never_trained_again(finished, monkeypatch):
    before = read(finished / "nas.json")["rows"][:16]
    monkeypatch.setattr(train, "marks", lambda *_: pytest.fail("trained again"))
    nas.main(tiny(finished))
    assert read(finished / "nas.json")["rows"][:16] == before


@pytest.mark.slow  # it starts processes
@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_run_goes_on_where_it_stopped(finished, tmp_path, stop):
    arguments = [*tiny(tmp_path), "--seeds=1"]
    command = [sys.executable, "-m", "experiments.nas", *arguments, "--workers=2"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and len(list(tmp_path.glob("cache/*.json"))) < 2:
            time.sleep(0.02)
        process.send_signal(stop)
    kept = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("cache/*.json")}
    assert 2 <= len(kept) < 16
    nas.main(arguments)
    after = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("cache/*.json")}
    assert len(after) == 16
    assert kept.items() <= after.items()
    rows = zip(
        *(read(path / "nas.json")["rows"][:16] for path in (tmp_path, finished)), strict=True
    )
    assert all(one["values"] == two["values"][:1] for one, two in rows)
