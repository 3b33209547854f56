"""The peers: which libraries take part, what they need, and how their adapters are found.

Each adapter is a module of this package with a dictionary `TASKS`: functions from a workload to a
`Run`. Only a measuring process imports one, but for ours, whose plans the hunt explains.
"""

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from .base import Tasks


@dataclass(frozen=True)
class Peer:
    """What is known of a peer without importing it.

    Attributes:
        title: How figures and tables call it.
        adapter: Module of this package.
        requires: The package it imports.
        distribution: The name its version is found under.
        family: `ours`, `torch`, `jax` or `native`.
        precision: `single` or `double`.
        lacks: Tasks that are not among its adapter's.
        words: Whether its adapter rotates Pauli words.
    """

    title: str
    adapter: str
    requires: str
    distribution: str
    family: str
    precision: str = "single"
    lacks: tuple[str, ...] = ()
    words: bool = False

    @property
    def compiles(self) -> bool:
        """Whether a first step is much slower than the next ones."""
        return self.family == "jax" or self.adapter == "quilt_jit"


BATCHES = ("step", "train", "ensemble")
SAMPLES = ("trajectories", "sampled")
NOISE = ("noise", *SAMPLES)
OUTCOMES = ("branches",)
ONLY_STATES = ("energy", "hessian", "qfi", "shifts", "kernel", *BATCHES, *NOISE, *OUTCOMES)
PEERS = {
    "quilt": Peer("quilt_func", "quilt", "quilt_func", "quilt-func", "ours", words=True),
    "quilt-jit": Peer(
        "quilt_func, jit", "quilt_jit", "quilt_func", "quilt-func", "ours", words=True
    ),
    "quilt-double": Peer(
        "quilt_func, complex128", "quilt_double", "quilt_func", "quilt-func", "ours", "double",
        words=True,
    ),
    "paper": Peer(
        "the paper's own method", "paper", "torch", "torch", "torch",
        lacks=("ensemble", *NOISE, *OUTCOMES),
    ),
    "pennylane": Peer(
        "PennyLane backprop", "pennylane_torch", "pennylane", "pennylane", "torch",
        lacks=SAMPLES, words=True,
    ),
    "torchquantum": Peer(
        "TorchQuantum", "torchquantum", "torchquantum", "torchquantum-ng", "torch",
        lacks=(*NOISE, *OUTCOMES),
    ),
    "flagquantum": Peer(
        "FlagQuantum", "flagquantum", "flagquantum", "flagquantum", "torch",
        lacks=(*SAMPLES, *OUTCOMES),
    ),
    "flagquantum-rows": Peer(
        "FlagQuantum, reverse mode", "flagquantum_rows", "flagquantum", "flagquantum", "torch",
        lacks=("energy", "state", "shifts", "kernel", *BATCHES, *NOISE, *OUTCOMES),
    ),
    "deepquantum": Peer(
        "DeepQuantum", "deepquantum", "deepquantum", "deepquantum", "torch",
        lacks=(*SAMPLES, *OUTCOMES),
    ),
    "pyqtorch": Peer(
        "pyqtorch", "pyqtorch", "pyqtorch", "pyqtorch", "torch", lacks=(*SAMPLES, *OUTCOMES)
    ),
    "tensorcircuit": Peer(
        "TensorCircuit-NG", "tensorcircuit", "tensorcircuit", "tensorcircuit-ng", "jax",
        lacks=OUTCOMES, words=True,
    ),
    "tensorcircuit-scan": Peer(
        "TensorCircuit-NG, scan", "tensorcircuit_scan", "tensorcircuit", "tensorcircuit-ng", "jax",
        lacks=("kernel", *NOISE, *OUTCOMES), words=True,
    ),
    "qujax": Peer("qujax", "qujax", "qujax", "qujax", "jax", lacks=(*NOISE, *OUTCOMES)),
    "lightning": Peer(
        "Lightning adjoint", "lightning", "pennylane_lightning", "pennylane-lightning", "native",
        lacks=("hessian", "qfi", "shifts", "kernel", *BATCHES, *NOISE, *OUTCOMES),
        words=True,
    ),
    "qulacs": Peer(
        "Qulacs, complex128", "qulacs", "qulacs", "qulacs", "native", "double",
        lacks=("qfi", "kernel", *SAMPLES, *OUTCOMES), words=True,
    ),
    "qsim": Peer("qsim", "qsim", "qsimcirq", "qsimcirq", "native", lacks=ONLY_STATES),
    "aer": Peer("Qiskit Aer", "aer", "qiskit_aer", "qiskit-aer", "native", lacks=ONLY_STATES),
}  # fmt: skip

BENCHED = tuple(PEERS)
"""Peers of the benchmark."""


def present(name: str) -> bool:
    """Whether the package of a peer is installed."""
    return find_spec(PEERS[name].requires) is not None


def load(name: str) -> Tasks:
    """Import the adapter of a peer, and with it the library."""
    tasks: Tasks = import_module(f".{PEERS[name].adapter}", __name__).TASKS
    return tasks
