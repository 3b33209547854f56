"""What can be said of the devices of PennyLane where that is not installed."""

import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENTRIES = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
DOOR = "quilt_func.pennylane_device"


def without_pennylane(monkeypatch):
    """Hide PennyLane, and what has been imported of the room."""
    for name in list(sys.modules):
        if name.split(".")[0] == "pennylane" or name.startswith(DOOR):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pennylane", None)


def test_the_missing_library_names_its_extra(monkeypatch):
    without_pennylane(monkeypatch)
    with pytest.raises(ImportError) as caught:
        import quilt_func.pennylane_device  # noqa: F401
    assert str(caught.value) == (
        "quilt_func.pennylane_device(): `pennylane` must be installed, but it is not. Install the "
        "extra with `pip install 'quilt-func[pennylane]'`."
    )


@pytest.mark.parametrize("name", ["quilt.qubit", "quilt.mixed"])
def test_entry_points_name_what_the_room_hands_on(name):
    module, kind = ENTRIES["pennylane.plugins"][name].split(":")
    door = ROOT.joinpath(*module.split("."), "__init__.py").read_text()
    assert module == DOOR
    assert f'"{kind}"' in door
