"""What is wrong with a text that `to_json` did not write."""

from collections.abc import Mapping
from typing import Any

from quilt_func._checks import describe

SAVE_AGAIN = "Save it again with `to_json`."


class DamageError(Exception):
    """A text that nothing can be read from, and what to do."""

    def __init__(self, got: str, remedy: str = SAVE_AGAIN) -> None:
        super().__init__(got)
        self.remedy = remedy


def unstopped(error: Exception) -> str:
    """An error's text as a part of a sentence."""
    return str(error).rstrip(".")


def refuse_constant(name: str) -> float:
    """Refuse NaN and infinities, which JSON has no numbers for."""
    raise DamageError(f"the constant {name}")


def fields(entry: Any, kinds: Mapping[str, Any]) -> list[Any]:
    """The fields of an object, which has these and no others."""
    if not isinstance(entry, dict) or set(entry) != set(kinds):
        raise DamageError(f"{describe(entry)} where {' and '.join(kinds)} should be")
    for name, kind in kinds.items():
        if not isinstance(entry[name], kind) or isinstance(entry[name], bool):
            raise DamageError(f"{name} {describe(entry[name])}")
    return [entry[name] for name in kinds]
