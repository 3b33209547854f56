"""OpenQASM in and out."""

from quilt_func.qasm.entry import from_qasm, to_qasm
from quilt_func.qasm.registers import register_bits

__all__ = [
    "from_qasm",
    "register_bits",
    "to_qasm",
]
