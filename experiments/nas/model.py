"""The paper's 16 architectures, bit for bit, and the picoTransformer that they describe."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, gelu, scaled_dot_product_attention

from .questions import Questions, batches, encode, windows

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


class Block(nn.Module):
    """Causal attention and a network on every character, each added to what comes in."""

    def __init__(self, width: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.n_heads, self.dropout = n_heads, dropout
        self.before_attention, self.before_network = nn.LayerNorm(width), nn.LayerNorm(width)
        self.queries_keys_values, self.project = (
            nn.Linear(width, 3 * width),
            nn.Linear(width, width),
        )
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map features (batch, length, width) to features."""
        x = x + self.drop(self.project(self._attention(self.before_attention(x))))
        added: Tensor = self.drop(self.down(gelu(self.up(self.before_network(x)))))
        return x + added

    def _attention(self, x: Tensor) -> Tensor:
        heads = self.queries_keys_values(x).unflatten(-1, (3, self.n_heads, -1))
        q, k, v = heads.permute(2, 0, 3, 1, 4).unbind(0)
        rate = self.dropout if self.training else 0.0
        mixed = scaled_dot_product_attention(q, k, v, dropout_p=rate, is_causal=True)
        joined: Tensor = mixed.transpose(1, 2).flatten(2)
        return joined


class PicoTransformer(nn.Module):
    """A character-level causal decoder."""

    def __init__(self, form: Architecture, n_characters: int, block: int) -> None:
        super().__init__()
        self.characters = nn.Embedding(n_characters, form.width)
        self.places = nn.Embedding(block, form.width)
        self.drop = nn.Dropout(form.dropout)
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


def train(
    form: Architecture,
    questions: Questions,
    *,
    iterations: int,
    block: int,
    batch: int,
    seed: int,
    device: str = "cpu",
) -> PicoTransformer:
    """Train one model with AdamW. All architectures of a seed see the same batches."""
    text, starts = windows(questions.train, questions.alphabet, block)
    drawn = batches(text, starts, block, batch, seed)
    with torch.random.fork_rng(devices=[] if device == "cpu" else [device]):
        torch.manual_seed(seed)  # initial weights and dropout
        model = PicoTransformer(form, len(questions.alphabet), block).to(device).train()
        optimiser = torch.optim.AdamW(model.parameters(), lr=form.learning_rate)
        for _ in range(iterations):
            given, following = (part.to(device) for part in next(drawn))
            loss = cross_entropy(model(given).flatten(0, 1), following.flatten())
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
    return model.eval()


@torch.no_grad()
def answers(model: PicoTransformer, texts: list[str], alphabet: str, block: int) -> list[str]:
    """The likeliest next characters, one at a time, up to the end of the line or of the block."""
    found: list[str] = []
    device = model.head.weight.device
    for text in texts:
        given = encode(f"{text}\n", alphabet).to(device)
        start = len(given)
        while len(given) < block and (len(given) == start or alphabet[int(given[-1])] != "\n"):
            given = torch.cat([given, model(given[None])[0, -1].argmax()[None]])
        found.append("".join(alphabet[int(i)] for i in given[start:]).rstrip("\n"))
    return found


@torch.no_grad()
def likelihoods(
    model: PicoTransformer, texts: list[str], replies: list[str], alphabet: str
) -> list[float]:
    """Geometric mean of the probabilities of a right answer's characters and of its line's end."""
    found: list[float] = []
    device = model.head.weight.device
    for text, reply in zip(texts, replies, strict=True):
        line = encode(f"{text}\n{reply}\n", alphabet).to(device)
        losses = cross_entropy(model(line[None, :-1])[0], line[1:], reduction="none")
        found.append(float((-losses[len(text) :].mean()).exp()))
    return found
