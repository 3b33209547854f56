"""Circuits, Pauli sums and trees of parameters as JSON: versioned, readable, exact.

Loading reads data and looks names up; it imports nothing and calls nothing that a file names.
"""

from quilt_func.saving.entry import from_json, to_json

__all__ = ["from_json", "to_json"]
