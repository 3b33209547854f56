"""Every public function keeps the transform contract, as the table in the documents says."""

import json

import pytest
import support
import torch
from test_corridor import documented

from quilt_func.testing import LawError
from quilt_func.testing.transforms import TRANSFORM_LAWS, transform_table

PUBLIC = {
    name: function for name, function in documented().items() if not name.startswith("testing.")
}


def test_no_public_function_is_missing():
    missing = [
        name
        for name, function in PUBLIC.items()
        if name not in support.CASES and not support.says_none(function)
    ]
    assert missing == [], "add them to CASES in tests/transforms/support.py"


@pytest.mark.parametrize("name", support.CASES)
def test_transforms(name):
    """The verdicts of the documents' table, which `support.py` writes."""
    expected = json.loads(support.TABLE.read_text("utf8"))
    left_out = support.SLOW.get(name, ())
    found = support.tables([name], left_out)[name]
    assert found == expected.get(name, {}) | dict.fromkeys(left_out, "left out"), (
        "run `python tests/transforms/support.py`"
    )


def test_the_table_is_complete():
    assert list(json.loads(support.TABLE.read_text("utf8"))) == list(support.CASES)
    assert "{{ transform_table }}" in (support.ROOT / "docs" / "api.md").read_text("utf8")


@pytest.mark.parametrize(
    ("name", "transform"),
    [(name, transform) for name, known in support.KNOWN.items() for transform in known],
)
def test_what_is_known_to_fail_still_does(name, transform):
    """Once this fails, take the entry out of KNOWN."""
    fn, args = support.CASES[name]
    with pytest.raises(LawError):
        transform_table(fn, args, only=[transform])


def test_samples_are_refused_a_gradient():
    """A gradient through `searchsorted` would be 0 without a word."""
    table = transform_table(*support.CASES["sample"])
    assert table["vmap"] == "holds"
    assert table["grad"].startswith("refused: sample(): samples have no gradient")
    assert "refused" not in {table[name].split(":")[0] for name in ("vmap", "vjp", "dtype")}
    assert set(table) == set(TRANSFORM_LAWS)


def test_complex_jacobians_go_through_pairs_of_real_numbers():
    """torch refuses complex inputs and outputs; `transform_table` splits both."""
    fn, args = support.CASES["circuit"]
    with pytest.raises(RuntimeError, match="jacrev"):
        torch.func.jacrev(fn, argnums=1)(*args)
    assert transform_table(fn, args, only=["jacrev"]) == {"jacrev": "holds"}
