"""Wrong batch keys for parameters that take turns on a wide state: the law of `vmap` fails."""

import re

import pytest
import torch

import quilt_func as qf
from quilt_func.evolution import signature
from quilt_func.testing import LawError
from quilt_func.testing.transforms import transform_laws

F64 = torch.float64
N = 8
WEIGHTS = 3 * qf.uniforms((3, N), 0, dtype=F64)
SAMPLE = 3 * qf.uniforms(N, 1, dtype=F64)
CHAIN = [(i, i + 1) for i in range(N - 1)]
Z = qf.pauli_sum({("Z", (0,)): 1.0}, n_qubits=N)
RIGHT = signature._joined


def uploads(x):
    """Layers that encode the sample again and again, between weights."""
    layers = [(qf.rx(x, range(N)), qf.ry(w, range(N)), qf.cx(CHAIN)) for w in WEIGHTS]
    return qf.expval(qf.circuit(N, layers)(), Z)


def samples_are_one(n_qubits, ops, keys):
    """What is mapped is planned as if it were not."""
    return tuple(() for _ in RIGHT(n_qubits, ops, keys))


def the_last_sample_is_one(n_qubits, ops, keys):
    """Of what is mapped the last gate alone is planned as if it were not."""
    last = max((i for i, key in enumerate(keys) if key), default=-1)
    found = RIGHT(n_qubits, ops, keys)
    return tuple(() if i == last else key for i, key in enumerate(found))


def of_a_level_that_is_not_there(n_qubits, ops, keys):
    """Joined where nothing is mapped over, by a level of its own."""
    return tuple((*key, 7) if op.is_tensor else () for op, key in zip(ops, keys, strict=True))


MUTANTS = [
    (samples_are_one, "vmap"), (samples_are_one, "vmap(grad)"), (the_last_sample_is_one, "vmap"),
    (the_last_sample_is_one, "vmap(grad)"), (of_a_level_that_is_not_there, "vmap"),
    (of_a_level_that_is_not_there, "grad(vmap)"), (samples_are_one, "vmap(hessian)"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def _planned_anew(monkeypatch):
    monkeypatch.setattr(signature, "WIDE", N)
    RIGHT.cache_clear()
    yield
    RIGHT.cache_clear()


@pytest.mark.parametrize(("wrong", "law"), MUTANTS)
def test_mutants_die(wrong, law, monkeypatch):
    monkeypatch.setattr(signature, "_joined", wrong)
    with pytest.raises(LawError, match=rf"law `{re.escape(law)}` fails"):
        transform_laws(uploads, (SAMPLE,), only=[law])()


def test_laws_hold_without_a_mutant(monkeypatch):
    """And the right keys are joined ones, so that it is these that are tested."""
    seen = []

    def watched(n_qubits, ops, keys):
        found = RIGHT(n_qubits, ops, keys)
        seen.append(found != keys)
        return found

    monkeypatch.setattr(signature, "_joined", watched)
    transform_laws(uploads, (SAMPLE,), only=["vmap", "vmap(grad)"])()
    assert any(seen)
