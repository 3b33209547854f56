"""Devices of PennyLane on the primitive: `quilt.qubit` and `quilt.mixed`, for `qml.device`.

A tape becomes a circuit, tapes of equal structure one circuit of many samples, and derivatives are
those of the circuit. PennyLane finds the classes by the package's entry points.
"""

from quilt_func.pennylane_device.devices import QuiltMixed, QuiltQubit

__all__ = ["QuiltMixed", "QuiltQubit"]
