"""Seeds of a device, drawn one after the other, as PennyLane asks of a device that has shots.

The one place of this package with a state: uniform numbers are made of the seeds by `uniforms`.
"""

from typing import Any

import numpy as np

HIGHEST = 2**63 - 1


class Seeds:
    """What `seed` says: `"global"` (numpy's state chooses), None (the system's), or a seed."""

    def __init__(self, seed: Any) -> None:
        given = np.random.randint(0, 10_000_000) if isinstance(seed, str) else seed  # noqa: NPY002
        self._generator = np.random.default_rng(given)

    def next(self) -> int:
        """Another seed."""
        return int(self._generator.integers(HIGHEST))
