"""How many threads a library may use that does not ask the system."""

import os


def threads() -> int:
    """The number of threads given to this process."""
    return int(os.environ.get("OMP_NUM_THREADS", "1"))
