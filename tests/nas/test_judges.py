"""Judges: networks that know, guess and err are told apart, and marks by hand."""

import math
import sys

import pytest
import torch

from quilt_func.testing.tolerances import tolerance

pytest.importorskip("sklearn")
pytest.importorskip("tqdm")
pytest.importorskip("optuna")

from nas_settings import setting

from experiments.nas import __main__ as nas
from experiments.nas import judge, model, train
from experiments.nas.judge import Reply


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
