r"""Stabiliser codes, the tables that decode them, and circuits that keep a qubit by them.

A stabiliser is a Pauli word that leaves the code's states as they are. An error anticommutes with
some of them, and which these are, its *syndrome*, is all that is measured. A table has a correction
for each syndrome: the error on one wire that has it.

What is kept is half of a Bell pair, whose other half has no noise, so that *any* error of the kept
qubit makes the pair orthogonal to what it was. An ancilla measures each stabiliser in turn, is
reset, and used again. Wires are the data's, then the other half's, then the ancilla's.

References:
    Laflamme, Miquel, Paz and Zurek (1996), Phys. Rev. Lett. 77, 198, and Bennett, DiVincenzo,
    Smolin and Wootters (1996), Phys. Rev. A 54, 3824, for the code of five qubits.
    Gottesman (1997), arXiv:quant-ph/9705052, for stabilisers.
    Nielsen and Chuang (2010), sections 10.1, 10.4 and 10.5.6.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

import quilt_func as qf
from quilt_func import instruments, noise

CONTROLLED = {"X": qf.cx, "Y": qf.cy, "Z": qf.cz}


@dataclass(frozen=True)
class Code:
    """A code of one logical qubit.

    Args:
        name: What tables call it.
        stabilisers: Pauli words that generate the stabiliser group.
        logical: The words of the logical X and of the logical Z.
        letters: Errors on one wire that the table corrects.
        pair: Gates that make the kept half of a Bell pair a state of the code.
    """

    name: str
    stabilisers: tuple[str, ...]
    logical: tuple[str, str]
    letters: str
    pair: tuple[qf.Op, ...]

    @property
    def n_data(self) -> int:
        """Number of wires that hold the state."""
        return len(self.logical[0])

    @property
    def n_qubits(self) -> int:
        """Number of all wires."""
        return self.n_data + 2 if self.stabilisers else self.n_data + 1


BARE = Code("bare qubit", (), ("X", "Z"), "", (qf.h(1), qf.cx(1, 0)))
REPETITION = Code(
    "3-qubit code", ("ZZI", "IZZ"), ("XXX", "ZII"), "X", (qf.h(3), qf.cx([(3, 0), (3, 1), (3, 2)]))
)
RING = tuple((wire, (wire + 1) % 5) for wire in range(5))
FIVE = Code(
    "5-qubit code",
    ("XZZXI", "IXZZX", "XIXZZ", "ZXIXZ"),
    ("XXXXX", "ZZZZZ"),
    "XYZ",
    # the graph state of a ring is a state of the code; a hub that is joined to all is the partner
    (qf.h(range(6)), qf.cz(RING), qf.cz([(5, wire) for wire in range(5)])),
)


def anticommute(a: str, b: str) -> int:
    """1 if two Pauli words anticommute: if they differ on an odd number of common wires."""
    return sum(x != y and "I" not in (x, y) for x, y in zip(a, b, strict=True)) % 2


def syndrome(code: Code, word: str) -> int:
    """The number whose bits tell which stabilisers an error anticommutes with, the first first."""
    bits = (anticommute(stabiliser, word) for stabiliser in code.stabilisers)
    return sum(bit << place for place, bit in enumerate(reversed(tuple(bits))))


def single_errors(code: Code) -> list[str]:
    """The errors on one wire that a code is for."""
    n = code.n_data
    return ["I" * w + letter + "I" * (n - w - 1) for w in range(n) for letter in code.letters]


def corrections(code: Code) -> list[str]:
    """A correction for each syndrome: nothing, or the error on one wire that has it."""
    found = {syndrome(code, word): word for word in ("I" * code.n_data, *single_errors(code))}
    return [found[number] for number in range(2 ** len(code.stabilisers))]


def keys(code: Code) -> list[str]:
    """The keys of a round's outcomes."""
    return [f"s{place}" for place in range(len(code.stabilisers))]


def measured(stabiliser: str, ancilla: int, key: str) -> list[qf.Op]:
    """A stabiliser measured by an ancilla in |0⟩, which is in |0⟩ again."""
    joined = [
        CONTROLLED[letter](ancilla, wire) for wire, letter in enumerate(stabiliser) if letter != "I"
    ]
    return [qf.h(ancilla), *joined, qf.h(ancilla), qf.measure(ancilla, key), qf.reset(ancilla)]


def corrected(code: Code, key: str | list[str], like: Tensor) -> tuple[qf.Op, ...]:
    """Half turns by a table: about x where the correction has an X or a Y, about z for Z or Y.

    Args:
        code: The code.
        key: What the syndrome was measured under.
        like: A real tensor, whose dtype and device the table takes.
    """
    words, n = corrections(code), code.n_data
    table = torch.tensor([
        [[math.pi * (word[w] in letters) for word in words] for w in range(n)]
        for letters in ("XY", "YZ")
    ]).to(like)  # fmt: skip
    gates = zip((qf.rx, qf.rz), table, strict=True)
    return tuple(instruments.lookup(key, gate, angles, range(n)) for gate, angles in gates)


def round_of(code: Code, channel: noise.Channel, p: Tensor) -> list[qf.Op]:
    """Noise on the data, then a perfect measurement of all stabilisers and the correction."""
    ops = [channel(p, range(code.n_data))]
    for key, stabiliser in zip(keys(code), code.stabilisers, strict=True):
        ops += measured(stabiliser, code.n_data + 1, key)
    return [*ops, *corrected(code, keys(code), p)] if code.stabilisers else ops


def memory(code: Code, channel: noise.Channel, p: Tensor, rounds: int) -> qf.Circuit:
    """A Bell pair, half of which is kept by a code for some rounds."""
    return qf.circuit(code.n_qubits, code.pair, [round_of(code, channel, p)] * rounds)


def start(code: Code, like: Tensor) -> Tensor:
    """The Bell pair itself, with the ancilla in |0⟩."""
    return qf.circuit(code.n_qubits, code.pair)(dtype=like.dtype.to_complex(), device=like.device)


def is_lost(code: Code, channel: noise.Channel, p: Tensor, rounds: int, u: Tensor) -> Tensor:
    """Whether one sample has lost the qubit.

    Args:
        code: The code.
        channel: The noise on each wire of the data, before each round.
        p (real, ()): Its strength.
        rounds: Number of rounds.
        u (real, (n_draws,)): Uniform numbers.

    Returns:
        (bool, ()): The pair is either what it was or orthogonal to it.
    """
    kept = qf.run_trajectory(memory(code, channel, p, rounds), u)
    return qf.fidelity(start(code, p), kept.state) < 0.5


def loss(code: Code, channel: noise.Channel, p: Tensor, rounds: int) -> Tensor:
    """The probability that a qubit is lost, by the density matrix (real, ())."""
    rho = qf.run_density(memory(code, channel, p, rounds))
    return 1 - qf.fidelity(start(code, p), rho)
