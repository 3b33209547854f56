"""PennyLane itself: an error that names the extra where it is missing."""

from typing import Any

from quilt_func.convert import imported

qml: Any = imported("quilt_func.pennylane_device", "pennylane")
