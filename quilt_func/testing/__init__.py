"""Laws for gates, circuits, ansätze, observables and noise; strategies, and tolerances.

    import quilt_func as qf

    test_givens = qf.testing.gate_laws(givens)

A law is a property that holds for every input; hypothesis draws the inputs. `import quilt_func`
does not load this package, `quilt_func.testing` does.
"""

try:
    import hypothesis as _hypothesis
except ModuleNotFoundError as _error:
    if _error.name != "hypothesis":
        raise
    raise ImportError(
        "quilt_func.testing: `hypothesis` must be installed, but it is not. Install the extra "
        "with `pip install 'quilt-func[test]'`."
    ) from _error

from quilt_func.testing import strategies
from quilt_func.testing.laws import (
    ANSATZ_LAWS,
    CHANNEL_LAWS,
    CIRCUIT_LAWS,
    GATE_LAWS,
    INSTRUMENT_LAWS,
    NOISE_LAWS,
    OBSERVABLE_LAWS,
    REWRITE_LAWS,
    LawError,
    ansatz_laws,
    channel_laws,
    circuit_laws,
    gate_laws,
    instrument_laws,
    noise_laws,
    observable_laws,
    rewrite_laws,
)
from quilt_func.testing.tolerances import fd_tolerance, tolerance
from quilt_func.testing.transforms import TRANSFORM_LAWS, transform_laws, transform_table

del _hypothesis

__all__ = [
    "ANSATZ_LAWS",
    "CHANNEL_LAWS",
    "CIRCUIT_LAWS",
    "GATE_LAWS",
    "INSTRUMENT_LAWS",
    "NOISE_LAWS",
    "OBSERVABLE_LAWS",
    "REWRITE_LAWS",
    "TRANSFORM_LAWS",
    "LawError",
    "ansatz_laws",
    "channel_laws",
    "circuit_laws",
    "fd_tolerance",
    "gate_laws",
    "instrument_laws",
    "noise_laws",
    "observable_laws",
    "rewrite_laws",
    "strategies",
    "tolerance",
    "transform_laws",
    "transform_table",
]
