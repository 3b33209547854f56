"""Operations on amplitudes: they know wires, no gates."""

from quilt_func._amplitudes.products import apply_block, outer_product, reorder

__all__ = [
    "apply_block",
    "outer_product",
    "reorder",
]
