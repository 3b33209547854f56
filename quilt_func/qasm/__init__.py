"""OpenQASM in and out."""

from quilt_func.qasm.entry import from_qasm, to_qasm
from quilt_func.qasm.powers import PHASE as PHASE
from quilt_func.qasm.powers import Placed as Placed
from quilt_func.qasm.powers import composed as composed
from quilt_func.qasm.powers import root as root

__all__ = [
    "from_qasm",
    "to_qasm",
]
