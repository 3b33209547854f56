"""OpenQASM in and out."""

from quilt_func.qasm.entry import from_qasm, to_qasm

__all__ = [
    "from_qasm",
    "to_qasm",
]
