"""The space of architectures, the transformer, and training that goes on from checkpoints."""

import math

import pytest
import torch

import quilt_func as qf
from quilt_func.testing.tolerances import tolerance

pytest.importorskip("sklearn")
pytest.importorskip("tqdm")
pytest.importorskip("optuna")

from nas_settings import setting

from experiments._desk import Desk
from experiments.nas import jobs, model, questions, train


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
