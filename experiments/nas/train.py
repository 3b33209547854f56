"""Train one architecture from one seed, and ask its held-out questions on the way.

Every step draws from a seed of its own, made of the job's seed and the step's number. So training
goes on from any checkpoint with the same numbers, and a long run contains all shorter ones.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from .judge import Reply
from .model import Architecture, PicoTransformer, answers, answers_only, log_likelihoods
from .questions import Questions, generate, read, rows, short, windows

WRITTEN, SHORT = "in words", "short"
TASKS = (WRITTEN, SHORT)
"""The paper's task: questions in words, every character counts. And one that can be learnt."""
SHORT_BLOCK, SHORT_BATCH = 12, 32


@dataclass(frozen=True)
class Setting:
    """What training depends on, besides the architecture, the seed and the number of steps."""

    task: str
    block: int
    batch: int
    train: int
    held_out: int
    digits: int
    decimals: int
    questions: str
    device: str


@lru_cache(maxsize=len(TASKS))
def questions(setting: Setting) -> Questions:
    """The questions of a setting, the same for all architectures and seeds.

    Held-out questions that don't fit the block with their answers are left out.
    """
    if setting.task == SHORT:
        return short(setting.held_out)
    if setting.questions:
        found = read(Path(setting.questions), setting.held_out)
    else:
        found = generate(
            setting.train, setting.held_out, digits=setting.digits, decimals=setting.decimals
        )
    fitting = (q for q in found.held_out if len(q.text) + len(q.answer) + 2 <= setting.block)
    return Questions(found.train, tuple(fitting))


Batch = tuple[Tensor, Tensor]
"""Characters (batch, length), and what follows each; -100 where nothing is to be learnt."""


@lru_cache(maxsize=len(TASKS))
def drawer(setting: Setting) -> Callable[[np.random.Generator], Batch]:
    """What draws a batch: windows of a text, or whole questions, of which the answers count."""
    asked = questions(setting)
    if setting.task == SHORT:
        lines, places = rows(asked.train, asked.alphabet, setting.block)

        def draw(rng: np.random.Generator) -> Batch:
            chosen = torch.from_numpy(rng.integers(len(lines), size=setting.batch))
            text = lines[chosen]
            return text[:, :-1], answers_only(text[:, 1:], places[chosen] - 1)

        return draw
    text, starts = windows(asked.train, asked.alphabet, setting.block)
    reach = torch.arange(setting.block + 1)

    def draw_windows(rng: np.random.Generator) -> Batch:
        chosen = starts[torch.from_numpy(rng.integers(len(starts), size=setting.batch))]
        found = text[chosen[:, None] + reach]
        return found[:, :-1], found[:, 1:]

    return draw_windows


@dataclass(frozen=True)
class Trainee:
    """A model, its optimiser, and the steps that both have behind them."""

    model: PicoTransformer
    optimiser: torch.optim.AdamW
    steps: int = 0


def fresh(setting: Setting, form: Architecture, seed: int) -> Trainee:
    """An untrained model; architectures of one shape and seed have the same weights."""
    with _own_randomness(setting.device):
        torch.manual_seed(seed)
        model = PicoTransformer(form, len(questions(setting).alphabet), setting.block)
    model = model.to(setting.device)
    return Trainee(model, torch.optim.AdamW(model.parameters(), form.learning_rate, fused=True))


def trained(setting: Setting, trainee: Trainee, steps: int, seed: int) -> Trainee:
    """Train on to a number of steps, in place. All architectures of a seed see the same batches."""
    model, draw = trainee.model.train(), drawer(setting)
    with _own_randomness(setting.device):
        for step in range(trainee.steps, steps):
            rng = np.random.default_rng((seed, step))
            torch.manual_seed(int(rng.integers(2**62)))  # dropout
            given, following = (part.to(setting.device) for part in draw(rng))
            loss = cross_entropy(model(given).flatten(0, 1), following.flatten())
            trainee.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            trainee.optimiser.step()
    model.eval()
    return replace(trainee, steps=steps)


def replies(setting: Setting, model: PicoTransformer) -> list[Reply]:
    """What a model makes of the held-out questions."""
    asked = questions(setting)
    texts, right = map(list, zip(*asked.held_out, strict=True))
    given = answers(model, texts, asked.alphabet, setting.block)
    likely = log_likelihoods(model, asked.held_out, asked.alphabet, setting.block)
    return [Reply(*each) for each in zip(texts, right, given, likely, strict=True)]


def keep(trainee: Trainee, path: Path) -> None:
    """Write a trainee's state whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = {"model": trainee.model.state_dict(), "optimiser": trainee.optimiser.state_dict()}
    temporary = path.with_suffix(".tmp")
    torch.save({**parts, "steps": trainee.steps}, temporary)
    temporary.replace(path)


def restored(trainee: Trainee, path: Path, most: int) -> Trainee:
    """A trainee in the state that was kept, if there is one of no more than so many steps."""
    if not path.exists():
        return trainee
    saved = torch.load(path, map_location="cpu", weights_only=True)
    if saved["steps"] > most:
        return trainee
    trainee.model.load_state_dict(saved["model"])
    trainee.optimiser.load_state_dict(saved["optimiser"])
    return replace(trainee, steps=saved["steps"])


def _own_randomness(device: str) -> Any:
    return torch.random.fork_rng(devices=[] if device == "cpu" else [device])
