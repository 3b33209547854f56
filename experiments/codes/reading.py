"""One round of the 5-qubit code that ends in a reading, and how this library samples it.

The ring's graph state, in which the logical X is -1; an error on each wire of the data with
probability p; stabilisers measured by ancillas; a correction that is looked up; X of each wire. The
reading is wrong if the product of the five is 1. With *four ancillas* there are nine wires, and one
measurement; with *one ancilla*, measured and reset four times, six wires.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import vmap

import quilt_func as qf
from quilt_func import instruments, noise

from .model import CONTROLLED, FIVE, RING, corrected, keys, measured

FOUR, ONE = FORMS = ("four ancillas", "one ancilla")
ANCILLAS = range(5, 9)


@dataclass(frozen=True)
class Sampler:
    """A library that is ready to sample.

    Attributes:
        run: From a seed to how many of the shots read wrong.
        build_ms: What it took to write the circuit, if that is done once.
        compile_ms: What it took to compile or transpile it, if that is done once.
    """

    run: Callable[[int], int]
    build_ms: float | None = None
    compile_ms: float | None = None


def circuit(form: str, p: Tensor) -> qf.Circuit:
    """The circuit of a form at a strength `p` (real, ())."""
    noisy = qf.h(range(5)), qf.cz(RING), noise.depolarizing(p, range(5))
    reading = qf.h(range(5)), qf.measure(range(5), "data")
    if form == ONE:
        each = zip(FIVE.stabilisers, keys(FIVE), strict=True)
        syndrome = [measured(stabiliser, 5, key) for stabiliser, key in each]
        return qf.circuit(6, noisy, syndrome, corrected(FIVE, keys(FIVE), p), reading)
    joined = [
        CONTROLLED[letter](ancilla, wire)
        for ancilla, stabiliser in zip(ANCILLAS, FIVE.stabilisers, strict=True)
        for wire, letter in enumerate(stabiliser)
        if letter != "I"
    ]
    both = qf.h(ANCILLAS)
    joint = [both, *joined, both, qf.measure(ANCILLAS, "s")]
    return qf.circuit(9, noisy, joint, corrected(FIVE, "s", p), reading)


def is_wrong(form: str, p: Tensor, u: Tensor) -> Tensor:
    """Whether one sample reads wrong (bool, ())."""
    found = qf.run_trajectory(circuit(form, p), u)
    return ~instruments.parity(found.bits["data"])


def ours(form: str, p: float, shots: int, *, is_jitted: bool) -> Sampler:
    """This library: all shots in one call of a vmapped function, plain or jitted."""
    strength = torch.tensor(p)
    n = noise.n_draws(circuit(form, strength))
    found: Callable[[Tensor], Tensor] = vmap(lambda u: is_wrong(form, strength, u))
    if is_jitted:
        found = qf.jit(found)
    return Sampler(lambda seed: int(found(qf.uniforms((shots, n), seed)).sum()))
