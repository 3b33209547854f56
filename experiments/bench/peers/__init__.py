"""The peers: which libraries take part, what they need, and how their adapters are found.

Each adapter is a module of this package with one function per task it can do: `state`, `energy`,
`step`, `ensemble`, `hessian`, `kernel`, from a workload to a `Run`. Only a measuring process
imports one.
"""

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType


@dataclass(frozen=True)
class Peer:
    """What is known of a peer without importing it.

    Attributes:
        adapter: Module of this package.
        requires: The package it imports.
        distribution: The name its version is found under.
        family: `ours`, `torch`, `jax` or `native`.
        title: How figures call it.
        precision: `single` or `double`.
    """

    adapter: str
    requires: str
    distribution: str
    family: str
    title: str
    precision: str = "single"


PEERS = {
    "quilt": Peer("quilt", "quilt_func", "quilt-func", "ours", "quilt_func"),
    "quilt-double": Peer(
        "quilt_double", "quilt_func", "quilt-func", "ours", "quilt_func, complex128", "double"
    ),
    "paper": Peer("paper", "torch", "torch", "torch", "the paper's own method"),
    "pennylane": Peer("pennylane_torch", "pennylane", "pennylane", "torch", "PennyLane backprop"),
    "torchquantum": Peer(
        "torchquantum", "torchquantum", "torchquantum", "torch", "TorchQuantum"
    ),
    "flagquantum": Peer("flagquantum", "flagquantum", "flagquantum", "torch", "FlagQuantum"),
    "deepquantum": Peer("deepquantum", "deepquantum", "deepquantum", "torch", "DeepQuantum"),
    "pyqtorch": Peer("pyqtorch", "pyqtorch", "pyqtorch", "torch", "pyqtorch"),
    "tensorcircuit": Peer(
        "tensorcircuit", "tensorcircuit", "tensorcircuit-ng", "jax", "TensorCircuit-NG, JAX"
    ),
    "tensorcircuit-scan": Peer(
        "tensorcircuit_scan", "tensorcircuit", "tensorcircuit-ng", "jax",
        "TensorCircuit-NG, JAX scan",
    ),
    "qujax": Peer("qujax", "qujax", "qujax", "jax", "qujax"),
    "lightning": Peer(
        "lightning", "pennylane_lightning", "pennylane-lightning", "native", "Lightning adjoint"
    ),
    "qulacs": Peer("qulacs", "qulacs", "qulacs", "native", "Qulacs", "double"),
    "qsim": Peer("qsim", "qsimcirq", "qsimcirq", "native", "qsim"),
    "aer": Peer("aer", "qiskit_aer", "qiskit-aer", "native", "Qiskit Aer"),
}  # fmt: skip


def present(name: str) -> bool:
    """Whether the package of a peer is installed."""
    return find_spec(PEERS[name].requires) is not None


def load(name: str) -> ModuleType:
    """Import the adapter of a peer, and with it the library."""
    return import_module(f".{PEERS[name].adapter}", __name__)
