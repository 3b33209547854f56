"""Files of parameters: what comes back is what went in, bit for bit, and the tree with it."""

import json
import math
import sys
from collections import OrderedDict, namedtuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import quilt_func as qf
from quilt_func import parameter_files

pytest.importorskip("safetensors")
DTYPES = list(parameter_files._DTYPES.values())


@st.composite
def tensors(draw):
    dtype = draw(st.sampled_from(DTYPES))
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    seed = draw(st.integers(0, 99))
    u = 100 * qf.uniforms((*shape, 2), seed, dtype=torch.float64) - 50
    made = torch.view_as_complex(u) if dtype.is_complex else u[..., 0]
    made = (made.abs() if dtype == torch.uint8 else made).to(dtype)
    if draw(st.booleans()) and made.ndim > 1:
        made = made.transpose(0, 1)
    return made.conj() if draw(st.booleans()) else made


LEAVES = (
    tensors() | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text()
)
KEYS = st.text(max_size=4) | st.integers(-3, 3)
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=3)
    ),
    max_leaves=8,
)


def assert_same(a, b):
    """The same kinds, keys in the same order, and the same bits."""
    assert type(a) is type(b)
    if isinstance(a, torch.Tensor):
        assert (a.dtype, a.shape, a.device) == (b.dtype, b.shape, b.device)
        assert _bits(a) == _bits(b)
    elif isinstance(a, dict):
        assert [*a] == [*b]
        assert_same([*a.values()], [*b.values()])
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            assert_same(one, other)
    elif isinstance(a, float):
        assert a.hex() == b.hex()
    else:
        assert a == b


def _bits(tensor):
    plain = tensor.resolve_conj().contiguous()
    plain = torch.view_as_real(plain) if plain.is_complex() else plain
    return (
        plain.view(torch.uint8).tolist() if plain.ndim else plain[None].view(torch.uint8).tolist()
    )


def there_and_back(tree, folder):
    path = folder / "params.safetensors"
    qf.save_parameters(path, tree)
    assert [one.name for one in folder.iterdir()] == [path.name]
    return qf.load_parameters(str(path))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


@given(tree=TREES)
def test_there_and_back(folder, tree):
    assert_same(there_and_back(tree, folder), tree)


def test_mutants_are_noticed(folder):
    """The comparison sees a lost bit, another dtype, order, kind of sequence, and sign of zero."""
    tree = {"b": torch.tensor([1.0, 2.0]), "a": (0.0, [1])}
    wrong = [
        {"b": torch.tensor([1.0, 2.0000002]), "a": (0.0, [1])},
        {"b": torch.tensor([1.0, 2.0]).double(), "a": (0.0, [1])},
        {"a": (0.0, [1]), "b": torch.tensor([1.0, 2.0])},
        {"b": torch.tensor([1.0, 2.0]), "a": [0.0, [1]]},
        {"b": torch.tensor([1.0, 2.0]), "a": (-0.0, [1])},
        {"b": torch.tensor([1.0, 2.0]), "a": (0.0, [True])},
    ]
    assert_same(there_and_back(tree, folder), tree)
    for one in wrong:
        with pytest.raises(AssertionError):
            assert_same(there_and_back(one, folder), tree)


def test_views_parameters_and_shared_memory_are_kept_as_values(folder):
    whole = torch.arange(6.0).reshape(2, 3)
    tree = [whole, whole[0], whole.T, torch.nn.Parameter(whole), whole.expand(2, 2, 3)]
    found = there_and_back(tree, folder)
    for one, other in zip(found, tree, strict=True):
        assert torch.equal(one, other)
        assert not one.requires_grad


def test_other_programs_read_the_tensors(folder):
    from safetensors.torch import load_file

    qf.save_parameters(folder / "some.safetensors", {"theta": torch.ones(2)})
    assert torch.equal(load_file(folder / "some.safetensors")["0"], torch.ones(2))
    (folder / "some.safetensors").unlink()


Pair = namedtuple("Pair", "a b")
REFUSED = {
    "a NamedTuple": (Pair(1, 2), r"but got a Pair\. Write `tuple\(\.\.\.\)`"),
    "another dict": (OrderedDict(a=1), "but got an OrderedDict"),
    "a circuit": (qf.circuit(1, qf.h(0)), "`to_json`"),
    "a complex number": (1j, "but got a complex"),
    "a key": ({1.5: 1}, "strings or ints as keys, but got a float"),
    "a sparse tensor": (torch.eye(2).to_sparse(), "dense tensors"),
    "no values": (torch.ones(2, device="meta"), "that can be read"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_file_can_not_hold_is_refused(folder, name):
    tree, told = REFUSED[name]
    with pytest.raises(TypeError, match=told):
        qf.save_parameters(folder / "refused", {"a": [tree]})
    assert not (folder / "refused").exists()


def test_hidden_tensors_are_refused(folder):
    def save(x):
        qf.save_parameters(folder / "refused", x)
        return x

    with pytest.raises(TypeError, match=r"outside of `torch.func` transforms"):
        torch.func.vmap(save)(torch.ones(2))


def damaged(folder, change):
    path = folder / "damaged"
    qf.save_parameters(path, {"a": torch.ones(2), "b": [1, 2.5]})
    path.write_bytes(change(path.read_bytes()))
    return path


DAMAGE = {
    "cut": lambda data: data[:40],
    "longer": lambda data: data + b"0",
    "text": lambda data: b"{}",
    "no tree": lambda data: data.replace(b"quilt_func", b"quilt_fund"),
    "another kind": lambda data: data.replace(b'\\"dict\\"', b'\\"dice\\"'),
    "another dtype": lambda data: data.replace(b'\\"float32\\"', b'\\"float64\\"'),
    "another place": lambda data: data.replace(b'\\"tensor\\", 0', b'\\"tensor\\", 7'),
    "newer": lambda data: data.replace(b'\\"version\\": 1', b'\\"version\\": 9'),
}


@pytest.mark.parametrize("change", DAMAGE.values(), ids=DAMAGE)
def test_damage_is_said(folder, change):
    path = damaged(folder, change)
    with pytest.raises(ValueError, match="must be a file of `save_parameters`, but got"):
        qf.load_parameters(path)
    path.unlink()


def test_files_of_others_are_refused(folder):
    from safetensors.torch import save_file

    save_file({"a": torch.ones(2)}, folder / "other")
    with pytest.raises(ValueError, match="without a tree"):
        qf.load_parameters(folder / "other")
    (folder / "other").unlink()


def test_devices(folder, monkeypatch):
    tree = {"a": torch.ones(2)}
    qf.save_parameters(folder / "there", tree)
    assert qf.load_parameters(folder / "there", device="meta")["a"].device.type == "meta"
    data = (folder / "there").read_bytes()
    (folder / "there").write_bytes(data.replace(b'\\"cpu\\"', b'\\"xpu\\"'))
    with pytest.raises(ValueError, match=r'but got xpu\. Write `device="cpu"`'):
        qf.load_parameters(folder / "there")
    assert torch.equal(qf.load_parameters(folder / "there", device="cpu")["a"], tree["a"])
    (folder / "there").unlink()


def test_without_the_extra(monkeypatch, folder):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    with pytest.raises(ImportError, match=r"pip install 'quilt-func\[files\]'"):
        qf.save_parameters(folder / "never", 1)


def test_the_tree_is_json_that_anyone_can_read(folder):
    import safetensors

    qf.save_parameters(folder / "read", {"a": (torch.ones(2), math.inf)})
    with safetensors.safe_open(folder / "read", framework="pt") as opened:
        header = json.loads(opened.metadata()["quilt_func"])
    expected = [
        "dict",
        [["a", ["tuple", [["tensor", 0, "float32", [2], "cpu"], ["float", "inf"]]]]],
    ]
    assert header == {"version": 1, "tree": expected}
    (folder / "read").unlink()
