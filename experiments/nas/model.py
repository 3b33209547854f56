"""The paper's 16 architectures, bit for bit, and the picoTransformer that they describe."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, gelu, scaled_dot_product_attention

from .questions import Question, encode, rows

N_BITS = 4
SHAPES = {
    "00": ("Medium-Standard", 4, 96, 6),
    "01": ("Medium-Deep", 6, 96, 6),
    "10": ("Large", 6, 128, 8),
    "11": ("Large-Wide", 4, 192, 8),
}
"""Name, layers, width and heads by the first two bits."""
PAPERS_BLOCK, PAPERS_BATCH, PAPERS_ITERATIONS = 128, 32, 2000


@dataclass(frozen=True)
class Architecture:
    """One of the paper's architectures."""

    bits: str
    name: str
    n_layers: int
    width: int
    n_heads: int
    dropout: float
    learning_rate: float


def architecture(bits: str) -> Architecture:
    """Read four bits: two for the shape, one for the dropout, one for the learning rate."""
    dropout, rate = 0.2 if bits[2] == "1" else 0.0, 5e-4 if bits[3] == "1" else 1e-3
    return Architecture(bits, *SHAPES[bits[:2]], dropout, rate)


ARCHITECTURES = tuple(architecture(f"{index:04b}") for index in range(2**N_BITS))


class Drop(nn.Module):
    """Dropout; on a CPU its draws take a third of the time that those of `nn.Dropout` do."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Drop features, and scale what is kept; in training alone."""
        if not self.training or self.rate == 0:
            return x
        kept: Tensor = x * (torch.rand_like(x) >= self.rate) / (1 - self.rate)
        return kept


class Block(nn.Module):
    """Causal attention and a network on every character, each added to what comes in."""

    def __init__(self, width: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.before_attention, self.before_network = nn.LayerNorm(width), nn.LayerNorm(width)
        self.queries_keys_values, self.project = (
            nn.Linear(width, 3 * width),
            nn.Linear(width, width),
        )
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.drop = Drop(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map features (batch, length, width) to features."""
        x = x + self.drop(self.project(self._attention(self.before_attention(x))))
        added: Tensor = self.drop(self.down(gelu(self.up(self.before_network(x)))))
        return x + added

    def _attention(self, x: Tensor) -> Tensor:
        heads = self.queries_keys_values(x).unflatten(-1, (3, self.n_heads, -1))
        q, k, v = heads.permute(2, 0, 3, 1, 4).unbind(0)
        joined: Tensor = self._mixed(q, k, v).transpose(1, 2).flatten(2)
        return joined

    def _mixed(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if not self.training or self.drop.rate == 0:
            return scaled_dot_product_attention(q, k, v, is_causal=True)
        later = torch.ones(q.shape[-2], q.shape[-2], dtype=torch.bool, device=q.device).triu(1)
        scores = (q @ k.mT / math.sqrt(q.shape[-1])).masked_fill(later, -math.inf)
        mixed: Tensor = self.drop(scores.softmax(-1)) @ v
        return mixed


class PicoTransformer(nn.Module):
    """A character-level causal decoder."""

    def __init__(self, form: Architecture, n_characters: int, block: int) -> None:
        super().__init__()
        self.characters = nn.Embedding(n_characters, form.width)
        self.places = nn.Embedding(block, form.width)
        self.drop = Drop(form.dropout)
        layers = [Block(form.width, form.n_heads, form.dropout) for _ in range(form.n_layers)]
        self.blocks, self.last = nn.Sequential(*layers), nn.LayerNorm(form.width)
        self.head = nn.Linear(form.width, n_characters, bias=False)

    def forward(self, text: Tensor) -> Tensor:
        """Map characters (batch, length) to logits of the next, (batch, length, n_characters)."""
        places = torch.arange(text.shape[1], device=text.device)
        logits: Tensor = self.head(
            self.last(self.blocks(self.drop(self.characters(text) + self.places(places))))
        )
        return logits


@torch.no_grad()
def answers(model: PicoTransformer, texts: Sequence[str], alphabet: str, block: int) -> list[str]:
    """The likeliest next characters, one at a time, up to the end of the line or of the block."""
    found: dict[str, str] = {}
    for length in sorted({len(text) for text in texts}):  # questions of a length go together
        group = [text for text in texts if len(text) == length]
        found |= dict(zip(group, _continued(model, group, alphabet, block), strict=True))
    return [found[text] for text in texts]


@torch.no_grad()
def log_likelihoods(
    model: PicoTransformer, questions: Sequence[Question], alphabet: str, block: int
) -> list[float]:
    """Log-probability of each right answer, with the end of its line, in nats."""
    device = model.head.weight.device
    text, places = (part.to(device) for part in rows(questions, alphabet, block))
    logits = model(text[:, :-1]).transpose(1, 2)
    losses = cross_entropy(logits, answers_only(text[:, 1:], places - 1), reduction="none")
    found: list[float] = (-losses.double().sum(1)).tolist()
    return found


def answers_only(text: Tensor, places: Tensor) -> Tensor:
    """Characters of the answers alone, in rows (n, length); others become torch's -100."""
    first, last = places[:, :1], places[:, 1:]
    reach = torch.arange(text.shape[1], device=text.device)
    return text.masked_fill((reach < first) | (reach >= last), -100)


def _continued(
    model: PicoTransformer, texts: Sequence[str], alphabet: str, block: int
) -> list[str]:
    lines = torch.stack([encode(f"{text}\n", alphabet) for text in texts])
    lines = lines.to(model.head.weight.device)
    start = lines.shape[1]
    ended = torch.zeros(len(texts), dtype=torch.bool, device=lines.device)
    while lines.shape[1] < block and not ended.all():
        following = model(lines)[:, -1].argmax(-1)
        ended = ended | (following == alphabet.index("\n"))
        lines = torch.cat([lines, following[:, None]], 1)
    said = ("".join(alphabet[i] for i in row) for row in lines[:, start:].tolist())
    return [text.partition("\n")[0] for text in said]
