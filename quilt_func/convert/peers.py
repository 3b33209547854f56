"""Other libraries, imported where they are needed, and the kinds of their objects."""

from importlib import import_module
from types import ModuleType

from quilt_func._checks import a_kind, message

EXTRAS = {"pennylane": "pennylane", "qiskit": "qiskit", "qiskit_aer": "qiskit", "cirq": "cirq",
          "sympy": "cirq", "openfermion": "openfermion"}  # fmt: skip
"""The extra that brings a module."""


def imported(function: str, name: str) -> ModuleType:
    """A module of another library.

    Raises:
        ImportError: If the library is not installed; the message names the extra.
    """
    library = name.split(".")[0]
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != library:
            raise
        raise ImportError(
            f"{function}(): `{library}` must be installed, but it is not. Install the extra with "
            f"`pip install 'quilt-func[{EXTRAS[library]}]'`."
        ) from error


def is_a(given: object, *names: str) -> bool:
    """Tell whether a value is of a class of one of some names, or of a class made of one."""
    return any(kind.__name__ in names for kind in type(given).__mro__)


def library_of(given: object) -> str:
    """The package that a value's class is defined in."""
    return type(given).__module__.split(".")[0]


def refusal(function: str, argument: str, given: object, what: str, remedy: str) -> ValueError:
    """The error for a part of an object of another library, by its name."""
    need = "hold what has a counterpart here"
    return ValueError(message(function, argument, given, need, what, remedy))


def refusal_of_kind(
    function: str, argument: str, given: object, need: str, remedy: str
) -> TypeError:
    """The error for an object of another kind."""
    return TypeError(message(function, argument, given, need, a_kind(given), remedy))
