"""Who samples a round of the 5-qubit code, and whether it is installed."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from .reading import Sampler, ours
from .rivals import aer, pennylane


@dataclass(frozen=True)
class Peer:
    """A way to sample.

    Attributes:
        requires: Name of the package that it imports.
        make: From a form, a strength and a number of shots to what samples.
    """

    requires: str
    make: Callable[[str, float, int], Sampler]

    @property
    def version(self) -> str | None:
        """The version of the package, or None where it is not installed."""
        if not find_spec(self.requires):
            return None
        return str(import_module(self.requires).__version__)


def _with(make: Callable[..., Sampler], **options: Any) -> Callable[[str, float, int], Sampler]:
    def made(form: str, p: float, shots: int) -> Sampler:
        return make(form, p, shots, **options)

    return made


OURS = "quilt_func, jitted"
PEERS = {
    OURS: Peer("quilt_func", _with(ours, is_jitted=True)),
    "quilt_func": Peer("quilt_func", _with(ours, is_jitted=False)),
    "Aer, statevector": Peer("qiskit_aer", _with(aer, method="statevector")),
    "Aer, statevector, branching": Peer(
        "qiskit_aer", _with(aer, method="statevector", shot_branching_enable=True)
    ),
    "Aer, stabilizer": Peer("qiskit_aer", _with(aer, method="stabilizer")),
    "PennyLane, one-shot": Peer("pennylane", _with(pennylane, method="one-shot")),
    "PennyLane, tree-traversal": Peer("pennylane", _with(pennylane, method="tree-traversal")),
}
