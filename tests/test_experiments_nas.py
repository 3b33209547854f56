"""The architecture search in miniature: questions, judges, intervals, searches, and a kill."""

import json
import math
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import quilt_func as qf
from quilt_func.testing.tolerances import tolerance

pytest.importorskip("sklearn")
pytest.importorskip("tqdm")
pytest.importorskip("optuna")

from experiments._desk import Desk
from experiments._record import Result
from experiments.nas import __main__ as nas
from experiments.nas import (
    circuit_replay,
    comparison,
    intervals,
    jobs,
    judge,
    model,
    page,
    questions,
    replay,
    train,
    vqe,
)
from experiments.nas.judge import Reply

ROOT = Path(__file__).resolve().parents[1]
TINY = {
    "seeds": 1,
    "iterations": 2,
    "train": 60,
    "held_out": 5,
    "starts": 4,
    "epochs": 2,
    "runs": 2,
}


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
    for start in starts.tolist():
        letters = "".join(asked.alphabet[i] for i in text[start : start + 41].tolist())
        assert any(letters.startswith(f"{q.text}\n"[:41]) for q in asked.train)


def test_short_questions_are_all_there_and_held_out_in_both_orders():
    asked = questions.short(300)
    texts = [question.text for question in (*asked.train, *asked.held_out)]
    assert len(asked.held_out) == 300
    sums = [question.text.split(" + ") for question in asked.held_out if "+" in question.text]
    left_out = sum(p != q for p, q in sums)  # the other order
    assert len(set(texts)) == len(texts) == 20_000 - left_out
    for question in (*asked.train, *asked.held_out):
        assert answer(question.text) == Decimal(question.answer)
    trained, held_out = (
        {task(q) for q in part if "+" in q.text} for part in (asked.train, asked.held_out)
    )
    assert not trained & held_out
    assert max(len(q.text) + len(q.answer) + 2 for q in asked.train) <= train.SHORT_BLOCK


def setting(task, **more):
    sizes = {"block": 32, "batch": 8, "train": 60, "held_out": 5, "digits": 1, "decimals": 0}
    return train.Setting(**{"task": task, **sizes, "questions": "", "device": "cpu", **more})


def test_short_batches_ask_for_the_answers_alone():
    short = setting(train.SHORT, block=train.SHORT_BLOCK)
    given, following = train.drawer(short)(np.random.default_rng(0))
    alphabet = train.questions(short).alphabet
    for row, targets in zip(given, following, strict=True):
        line = "".join(alphabet[i] for i in row.tolist())
        text = line.partition("\n")[0]
        said = "".join(alphabet[i] for i in targets[targets >= 0].tolist())
        assert said == f"{answer(text)}\n"
        assert (targets[: len(text)] == -100).all()
        assert targets[len(text)] >= 0


# The judges


class Knows(torch.nn.Module):
    """A network that is sure of what follows: the right answers, or those with every digit off."""

    def __init__(self, asked, wrong=False):
        super().__init__()
        self.head = torch.nn.Linear(1, 1)
        self.alphabet, self.follows = asked.alphabet, {}
        turn = str.maketrans("0123456789", "1234567890" if wrong else "0123456789")
        for question in asked.held_out:
            said, line = question.answer.translate(turn), f"{question.text}\n"
            for place, letter in enumerate(f"{said}\n"):
                self.follows[len(line) + place - 1, question.text] = letter

    def forward(self, text):
        logits = torch.zeros(*text.shape, len(self.alphabet))
        for row, line in zip(logits, text.tolist(), strict=True):
            asked = "".join(self.alphabet[i] for i in line).partition("\n")[0]
            for place in range(len(line)):
                letter = self.follows.get((place, asked))
                if letter is not None:
                    row[place, self.alphabet.index(letter)] = 50.0
        return logits


class Guesses(torch.nn.Module):
    """A network to which all characters are alike."""

    def __init__(self, asked):
        super().__init__()
        self.head, self.n = torch.nn.Linear(1, 1), len(asked.alphabet)

    def forward(self, text):
        return torch.zeros(*text.shape, self.n)


def judged(name, net):
    short = setting(train.SHORT, block=train.SHORT_BLOCK, held_out=40)
    return judge.JUDGES[name](train.replies(short, net))


def asked_40():
    return train.questions(setting(train.SHORT, block=train.SHORT_BLOCK, held_out=40))


def test_networks_that_know_guess_and_err_are_told_apart():
    asked = asked_40()
    nets = Knows(asked), Guesses(asked), Knows(asked, wrong=True)
    scores = {name: [judged(name, net) for net in nets] for name in judge.JUDGES}
    bound = tolerance(torch.float32, 64, scale=10)
    for name in judge.JUDGES:
        right, chance, wrong = scores[name]
        assert abs(right - 10) < bound
        assert right > max(chance, wrong) + 1
    _, chance, wrong = scores[judge.LIKELIHOOD]
    assert abs(chance - (1 + 9 / len(asked.alphabet))) < bound
    assert wrong < chance - 0.3
    assert abs(scores[judge.EXACT][2] - 1) < bound


def test_a_likelihood_read_one_character_early_is_noticed(monkeypatch):
    shifted = model.answers_only
    monkeypatch.setattr(model, "answers_only", lambda text, places: shifted(text, places - 1))
    assert judged(judge.LIKELIHOOD, Knows(asked_40())) < 9


def test_a_likelihood_without_the_end_of_the_line_is_noticed(monkeypatch):
    """It would praise a network that begins right and never ends."""
    asked = asked_40()
    net = Knows(asked)
    net.follows = {key: letter for key, letter in net.follows.items() if letter != "\n"}
    before = judged(judge.LIKELIHOOD, net)
    cut = model.answers_only
    ends = torch.tensor([0, 1])
    monkeypatch.setattr(model, "answers_only", lambda text, places: cut(text, places - ends))
    assert before < 9 < judged(judge.LIKELIHOOD, net)


def test_likelihoods_by_hand():
    replies = [Reply("", "12", "", math.log(1 / 8)), Reply("", "3", "", math.log(1 / 4))]
    bound = tolerance(torch.float64, 16, scale=10)
    assert abs(judge.JUDGES[judge.LIKELIHOOD](replies) - (1 + 9 / 2)) < bound  # one in two
    assert abs(sum(judge.per_answer(replies)) - math.log(1 / 32)) < bound
    assert abs(replies[0].likelihood - 1 / 2) < bound


@pytest.mark.parametrize(
    ("given", "likelihood", "score"),
    [("7", 1.0, 10.0), ("x", 1e-300, 1.0), ("8", 1e-300, 1 + 9 / 8), ("", 0.5, 1 + 9 / 8)],
)
def test_marks_by_hand(given, likelihood, score):
    (mark,) = judge.marks([Reply("3 + 4", "7", given, 2 * math.log(likelihood))])
    assert abs(mark - score) < tolerance(torch.float64, 8, scale=10)


def test_a_number_written_otherwise_is_close_but_not_exact():
    reply = Reply("3 + 4", "7", "7.0", -1.0)
    assert (judge.exact([reply]), judge.close([reply])) == ([0.0], [1.0])
    for nonsense in ("nan", "inf", "1e999", "--3"):
        assert judge.close([reply._replace(given=nonsense)]) == [0]


def strict(replies):
    """A judge of one's own: right or wrong."""
    return [10.0 if reply.given == reply.right else 1.0 for reply in replies]


def test_the_judge_can_be_swapped(monkeypatch):
    monkeypatch.setitem(sys.modules, "strict_judge", sys.modules[__name__])
    own = judge.find(nas.Config(judge="strict_judge:strict").judge)
    replies = [Reply("", "7", given, -1.0) for given in "7777897"]
    assert own(replies) == pytest.approx(judge.JUDGES[judge.EXACT](replies))
    with pytest.raises(ValueError, match=r"`judge` must be one of .* but got No module"):
        nas.Config(judge="no_such_module:marks")


# Intervals


def synthetic(seed, n_seeds=6, n_questions=60):
    """Values of eight pairs of architectures that are truly alike, with every kind of noise."""
    draw = torch.Generator().manual_seed(seed)

    def noise(*shape):
        return torch.randn(*shape, generator=draw, dtype=torch.float64)

    each = 0.3 * noise(16, n_seeds, 1) + noise(n_questions) + 2 * noise(16, 1, n_questions)
    return each + noise(16, n_seeds, n_questions)


def coverage(plant=lambda values: values):
    """How often the intervals of true differences, which are 0, hold 0."""
    held = []
    for seed in range(40):
        draws = intervals.resampled(plant(synthetic(seed)), 300, seed)
        low, high = intervals.interval(draws[:, :8] - draws[:, 8:])
        held.append(((low < 0) & (high > 0)).double().mean())
    return torch.stack(held).mean().item()


def test_intervals_hold_the_truth_as_often_as_they_say():
    assert 0.9 < coverage() <= 0.99


def test_intervals_that_forget_the_questions_or_the_seeds_are_noticed():
    assert coverage(lambda values: values.mean(2, keepdim=True)) < 0.85
    assert coverage(lambda values: values.mean(1, keepdim=True)) < 0.9


def test_the_spread_of_means_of_seeds_is_not_too_small():
    values = torch.tensor([0.0, 1.0, 5.0]).double()[None, :, None]
    draws = intervals.resampled(values, 200_000)
    expected = values.flatten().var() / 3  # of the mean of three; plain resampling has 2/3 of it
    error = 5 / math.sqrt(len(draws))  # five standard errors, of nearly normal draws
    assert abs(draws.var() / expected - 1) < 2 * error
    assert abs(draws.mean() - 2) < error * expected.sqrt()


def test_one_seed_has_an_interval_from_its_questions():
    values = synthetic(0, n_seeds=1)
    draws = intervals.resampled(values, 4000)
    error = values.std(2).flatten() / math.sqrt(values.shape[2])
    assert ((draws.std(0) / error - 1).abs() < 5 / math.sqrt(len(draws))).all()


def test_the_chance_of_being_above():
    draws = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [2.0, 1.0]])
    assert intervals.above(draws, 0, 1) == 2.5 / 4
    assert intervals.above(draws, 1, 0) == 1.5 / 4


@given(st.lists(st.integers(0, 6), min_size=3, max_size=12), st.integers(0, 2**31 - 1))
@settings(max_examples=30, deadline=None)
def test_spearman_is_scipys(values, seed):
    stats = pytest.importorskip("scipy.stats")
    a, b = torch.tensor(values).double(), torch.tensor(values).double()
    b = b[torch.randperm(len(b), generator=torch.Generator().manual_seed(seed))]
    found = intervals.spearman(a, b)
    if len(set(values)) == 1:
        assert found.isnan()
    else:
        assert abs(found - stats.spearmanr(a, b).statistic) < tolerance(torch.float64, 64)


def test_ranks_count_from_the_best_and_share_ties():
    assert intervals.ranks(torch.tensor([2.0, 5.0, 2.0, 1.0])).tolist() == [2.5, 1, 2.5, 4]


def test_a_difference_is_told_from_noise():
    noise = qf.uniforms((16, 3), 0, dtype=torch.float64)
    assert intervals.chance(noise) > 0.05
    assert intervals.chance(noise + torch.arange(16)[:, None]) == 0


# Searches replayed

CHECKPOINTS = (60, 125, 250, 500, 1000, 2000)
HOW = {"layers": 2, "epochs": 2, "learning_rate": 0.1}


def recorded(seed=0):
    """Costs (16, 6) of made-up learning curves whose noise fades."""
    rng = np.random.default_rng(seed)
    fading = rng.normal(size=(16, 6)) * [3.0, 2.0, 1.0, 0.5, 0.2, 0.0]
    return rng.permutation(16)[:, None] + fading


def owed(looks):
    """Steps that looks cost: each architecture up to the furthest place where it was seen."""
    furthest = {form: 0 for _, form, _, _ in looks}
    for _, form, place, _ in looks:
        furthest[form] = max(furthest[form], CHECKPOINTS[place])
    return sum(furthest.values())


LOOKS = st.lists(st.tuples(st.integers(0, 15), st.integers(0, 5)), max_size=40)


def after(ledger, looks):
    with suppress(replay.BrokeError):
        for form, place in looks:
            ledger.look(form, place)
    return ledger


@given(LOOKS, st.integers(0, 32_000))
@settings(max_examples=60, deadline=None)
def test_a_ledger_counts_what_is_looked_at(looks, budget):
    ledger = after(replay.Ledger(recorded(), CHECKPOINTS, budget), looks)
    assert ledger.paid == owed(ledger.looks) <= budget
    if len(ledger.looks) < len(looks):
        assert owed([*ledger.looks, (0, *looks[len(ledger.looks)], 0)]) > budget


def test_a_ledger_that_gives_looks_away_is_noticed():
    class Generous(replay.Ledger):
        def look(self, form, place):
            self.trained[form] = self.checkpoints[place]
            return super().look(form, place)

    ledger = after(Generous(recorded(), CHECKPOINTS, 9000), [(0, 5), (1, 3), (0, 5)])
    assert ledger.paid != owed(ledger.looks)


def picked(name, costs, allowed, runs=2):
    return comparison.methods(HOW)[name](costs, CHECKPOINTS, allowed, runs, 0)


@pytest.mark.parametrize("name", list(comparison.methods(HOW)))
def test_all_searches_draw_from_the_same_budget(name, monkeypatch):
    ledgers = []

    class Watched(replay.Ledger):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            ledgers.append(self)

    for room in (replay, circuit_replay):
        monkeypatch.setattr(room, "Ledger", Watched)
    allowed = [500, 3000, 9000]
    picks = picked(name, recorded(), allowed)
    assert ledgers
    for ledger in ledgers:
        assert ledger.paid == owed(ledger.looks) <= ledger.budget
    for run in picks:
        for budget, form in zip(allowed, run, strict=True):
            seen = {look.form for each in ledgers for look in each.looks if look.paid <= budget}
            assert form is None or form in seen


@pytest.mark.parametrize("name", [replay.RANDOM, replay.ALL, replay.HALVING])
def test_with_the_whole_budget_the_best_is_found(name):
    costs = recorded()
    assert picked(name, costs, [32_000]) == [[int(costs[:, -1].argmin())]] * 2


def test_circuits_that_need_all_costs_pay_for_all():
    for name in circuit_replay.EXACT:
        assert picked(name, recorded(), [959, 960])[0][0] is None
        assert picked(name, recorded(), [959, 960])[0][1] is not None


def test_halving_by_hand():
    """All at 60 steps, the better half at 125, and so on; the budget is that of all rounds."""
    costs = np.arange(16.0)[:, None] + np.zeros((16, 6))
    budget = 16 * 60 + 8 * 65 + 4 * 125 + 2 * 250 + 500 + 1000
    ledger = replay.Ledger(costs, CHECKPOINTS, budget)
    replay.halving(ledger, np.random.default_rng(0))
    assert ledger.paid == budget
    reached = [ledger.trained[form] for form in range(16)]
    assert reached == [2000, 500, *[250] * 2, *[125] * 4, *[60] * 8]


def test_random_search_is_as_good_as_arithmetic_says():
    costs = np.arange(16.0)[:, None] + np.zeros((16, 6))
    allowed = [2000 * k for k in (1, 4, 8)]
    runs = picked(replay.RANDOM, costs, allowed, runs=1500)
    for column, k in zip(np.array(runs, dtype=float).T, (1, 4, 8), strict=True):
        expected = 17 / (k + 1) - 1  # mean of the least of k of 16 ranks from 0
        assert abs(column.mean() - expected) < 5 * column.std() / math.sqrt(len(column))


def test_regret_is_that_of_the_last_checkpoint_and_blind_picks_have_its_mean():
    scores = -torch.from_numpy(recorded()).T[:, :, None]
    rows = [
        row
        for each in comparison.compare("task", scores, CHECKPOINTS, 2, HOW, Desk())
        for row in each
        if row["model"] in (replay.ALL, replay.RANDOM)
    ]
    found = {(row["model"], row["budget"]): row["regret"] for row in rows}
    assert found[replay.ALL, 32_000] == 0
    assert found[replay.RANDOM, 960] == pytest.approx(7.5)


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


def test_training_learns():
    words = setting(train.WRITTEN)
    form, trainee = model.architecture("0010"), None
    trainee = train.fresh(words, form, 0)
    asked = train.questions(words)
    nets = []
    for steps in (0, 40):
        trainee = train.trained(words, trainee, steps, 0)
        found = model.log_likelihoods(trainee.model, asked.train[:20], asked.alphabet, 32)
        nets.append(sum(found))
    assert nets[1] > nets[0] / 1.5


def test_dropout_keeps_the_mean_and_is_off_in_judgement():
    drop, x = model.Drop(0.2), torch.ones(100_000)
    torch.manual_seed(0)
    kept = drop.train()(x)
    assert set(kept.tolist()) == {0.0, 1.25}
    assert abs(kept.mean() - 1) < 5 * 0.5 / math.sqrt(len(x))
    assert torch.equal(drop.eval()(x), x)
    form = model.architecture("0110")
    net = model.PicoTransformer(form, 12, 16)
    text = torch.arange(16).remainder(12)[None]
    bound = tolerance(torch.float32, 512)
    for part in net.modules():
        if isinstance(part, model.Drop):
            part.rate = 1e-12  # the way of training, with next to nothing dropped
    assert (net.train()(text) - net.eval()(text)).abs().max() < bound


def course(path, task=train.WRITTEN):
    return jobs._Course(setting(task), "0010", 1, path)


@pytest.mark.parametrize("task", train.TASKS)
def test_training_goes_on_from_a_checkpoint_with_the_same_numbers(tmp_path, task):
    whole = course(None, task).replies(4)
    first = course(tmp_path / "state.pt", task)
    assert first.replies(2) != whole
    again = course(tmp_path / "state.pt", task)
    assert again._begun(4).steps == 2
    assert again.replies(4) == whole
    assert course(tmp_path / "state.pt", task)._begun(3).steps == 0  # never from beyond


def test_a_state_without_its_optimiser_is_noticed(tmp_path, monkeypatch):
    whole = course(None).replies(4)
    course(tmp_path / "state.pt").replies(2)
    monkeypatch.setattr(torch.optim.AdamW, "load_state_dict", lambda *_: None)
    assert course(tmp_path / "state.pt").replies(4) != whole


def test_a_long_run_contains_the_shorter(monkeypatch, tmp_path):
    monkeypatch.setattr(jobs, "CHECKPOINTS", (1, 3))
    job = (setting(train.SHORT, block=train.SHORT_BLOCK), "0000", 0)
    _, short = jobs.curve(Desk(), 3, job)
    _, long = jobs.curve(Desk(tmp_path), 5, job)
    assert (list(short), list(long)) == ([1, 3], [1, 3, 5])
    assert short[3] == long[3]
    assert not list(tmp_path.glob("states/*"))


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
    assert model.answers(Parrot(), ["+7+", "+", "7+7"], alphabet, 16) == ["7"] * 3
    one = math.log(math.e / (math.e + 2))
    asked = [questions.Question("+7+", "7"), questions.Question("+", "7")]
    for found in model.log_likelihoods(Parrot(), asked, alphabet, 16):
        assert abs(found - 2 * one) < tolerance(torch.float32, 8)


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


# The run


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("nas")
    nas.main(tiny(out))
    return out


def test_the_command_leaves_a_complete_record(finished):
    entry = read(finished / "nas.json")
    assert (entry["status"], entry["seeds"]) == ("complete", 1)
    bits = [row["bits"] for row in entry["rows"] if "bits" in row]
    assert bits == qf.bit_strings(4) * len(train.TASKS)
    methods = [row["model"] for row in entry["rows"] if "starts" in row]
    assert methods == [*vqe.METHODS] * 3
    replayed = {row["model"] for row in entry["rows"] if "regret" in row}
    assert replayed == set(comparison.methods(HOW))
    assert [row["model"] for row in entry["paper"]] == [row["model"] for row in vqe.PAPER]
    assert len(entry["figures"]) == 4
    assert all((finished / name).stat().st_size > 10_000 for name in entry["figures"])


def test_finished_architectures_are_never_trained_again(finished, monkeypatch):
    before = read(finished / "nas.json")["rows"]
    monkeypatch.setattr(train, "trained", lambda *_: pytest.fail("trained again"))
    config = nas.Config(**TINY, workers=1)
    result = next(iter(nas.results(config, Desk(finished))))
    assert len(result.rows) > 32
    for row, kept in zip(result.rows, before, strict=False):
        assert row["model"] == kept["model"]
        assert row.get("mean") == pytest.approx(kept.get("mean"), nan_ok=True)


@pytest.mark.slow  # it starts processes
@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_run_goes_on_where_it_stopped(finished, tmp_path, stop):
    command = [sys.executable, "-m", "experiments.nas", *tiny(tmp_path), "--workers=2"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and len(list(tmp_path.glob("cache/*.json"))) < 2:
            time.sleep(0.02)
        process.send_signal(stop)
    kept = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("cache/*.json")}
    assert 2 <= len(kept) < 32
    config = nas.Config(**TINY)
    again, first = (
        dict(jobs.curves(config.settings, 1, TINY["iterations"], 1, Desk(out)))
        for out in (tmp_path, finished)
    )
    after = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("cache/*.json")}
    assert len(after) == 32
    assert kept.items() <= after.items()
    assert again == first


def test_searches_are_compared_anew_from_a_record(finished, capsys, monkeypatch):
    kept = {name: comparison.methods(HOW)[name] for name in (replay.RANDOM, replay.ALL)}
    monkeypatch.setattr(comparison, "methods", lambda _: kept)
    comparison.main([str(finished / "nas.json"), "--runs=2"])
    lines = capsys.readouterr().out.splitlines()
    for task in train.TASKS:
        start = lines.index(f"{task}: mean regret with budgets in steps")
        found = {
            line.split("  ")[0]: float(line.split()[-1]) for line in lines[start + 3 : start + 5]
        }
        assert found == {replay.RANDOM: 0.0, replay.ALL: 0.0}  # one checkpoint, all are looked at


# The page

PAGE = ROOT / "docs" / "experiments" / "nas.md"
RECORD = ROOT / "docs" / "_static" / "nas.json"


def test_the_tables_of_the_page_are_those_of_the_record():
    entry = read(RECORD)
    text = PAGE.read_text(encoding="utf-8")
    assert {name.partition(": ")[0] for _, name, _ in page.BLOCK.findall(text)} == set(page.KINDS)
    result = Result(tuple(entry["rows"]), tuple(entry["baselines"]))
    assert page.filled(text, result) == text
    changed = [{**row, "exact": 0.123} if "bits" in row else row for row in entry["rows"]]
    assert page.filled(text, Result(tuple(changed), result.baselines)) != text
