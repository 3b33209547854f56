"""A round of the 5-qubit code by PennyLane and by Aer: wrong readings are as frequent as they are.

Each peer is skipped where it is not installed; `nox -s peers` installs all.
"""

import math

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("tqdm")

from experiments.codes import bench, model, peers, reading

pytestmark = pytest.mark.filterwarnings("ignore")
P = 0.15
SHOTS = {"pennylane": 200, "qiskit_aer": 2000, "quilt_func": 2000}
EACH = pytest.mark.parametrize("name", peers.PEERS)
FORMS = pytest.mark.parametrize("form", reading.FORMS)


def deviation(name, form):
    """In standard errors, from the sum over all errors."""
    peer = peers.PEERS[name]
    pytest.importorskip(peer.requires)
    shots, sure = SHOTS[peer.requires], bench.expected(P)
    wrong = peer.make(form, P, shots).run(1)
    return abs(wrong / shots - sure) / math.sqrt(sure * (1 - sure) / shots)


@EACH
@FORMS
def test_readings_agree(name, form):
    assert deviation(name, form) <= bench.SIGMAS


@pytest.mark.parametrize("name", [peers.OURS, "Aer, statevector", "PennyLane, tree-traversal"])
def test_a_wrong_table_shows(name, monkeypatch):
    """Corrections of the syndromes before."""
    right = model.corrections(model.FIVE)
    turned = [*right[-1:], *right[:-1]]
    for module in ("model", "rivals"):
        monkeypatch.setattr(f"experiments.codes.{module}.corrections", lambda code: turned)
    assert deviation(name, reading.FOUR) > bench.SIGMAS
