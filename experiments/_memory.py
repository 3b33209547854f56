"""Resident memory of this process, in bytes."""

import resource
import sys
from contextlib import suppress
from pathlib import Path

STATUS = Path("/proc/self/status")
CLEAR_REFS = Path("/proc/self/clear_refs")


def resident_bytes() -> int:
    """Memory held now; where the system does not tell, the peak so far."""
    return _status("VmRSS") or _maxrss()


def peak_bytes() -> int:
    """Highest memory held, since `reset_peak` where the system can reset it."""
    return _status("VmHWM") or _maxrss()


def reset_peak() -> None:
    """Forget the peak so far, where the system can."""
    with suppress(OSError):
        CLEAR_REFS.write_text("5", encoding="ascii")


def _status(key: str) -> int:
    if not STATUS.exists():
        return 0
    for line in STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith(f"{key}:"):
            return 1024 * int(line.split()[1])
    return 0


def _maxrss() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
