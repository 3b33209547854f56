"""The primitive `evolve`: a state and ops in, a state out."""

from quilt_func.evolution.entry import evolve, evolve_from, evolve_zero
from quilt_func.evolution.explaining import explain_ops

__all__ = [
    "evolve",
    "evolve_from",
    "evolve_zero",
    "explain_ops",
]
