"""Gates on wires and their powers, where pickles of earlier versions look for them."""

from quilt_func._placed_gates import PHASE, Placed, composed, root

__all__ = ["PHASE", "Placed", "composed", "root"]
