"""Operations on amplitudes: they know wires, no gates."""

from quilt_func._amplitudes.gathering import inverse, reorder_wires, runs
from quilt_func._amplitudes.products import apply_block, outer_product, reorder
from quilt_func._amplitudes.walsh import sign_table, walsh_transform
from quilt_func._amplitudes.wires import axes_of, is_window, split_wires

__all__ = [
    "apply_block",
    "axes_of",
    "inverse",
    "is_window",
    "outer_product",
    "reorder",
    "reorder_wires",
    "runs",
    "sign_table",
    "split_wires",
    "walsh_transform",
]
