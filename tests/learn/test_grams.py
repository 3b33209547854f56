"""Gram matrices: against dense numpy, kernels' laws, derivatives, memory, and repair."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import learning
from oracles.compare import assert_close, assert_close_fd, central_difference
from torch.func import grad, vmap

import quilt_func as qf
from quilt_func.learn import alignment, centred, fidelity_gram, projected_gram, repaired

F64 = torch.float64


def test_fidelities():
    learning.check_fidelity_gram(fidelity_gram)


def test_projected():
    learning.check_projected_gram(projected_gram)


def test_alignment():
    learning.check_alignment(alignment)


def test_centring():
    learning.check_centred(centred)


def test_repair():
    learning.check_repaired(repaired)
    learning.check_repaired_rows(repaired)


@pytest.mark.parametrize("gram", [fidelity_gram, projected_gram])
@given(seed=st.integers(0, 2**20), n=st.integers(1, 6), size=st.integers(1, 4))
def test_kernels_of_any_samples(gram, seed, n, size):
    """Symmetric, positive, 1 of equals and at most 1; permuted as the samples; chunks no matter."""
    xs, params = learning.points(n, seed), learning.kernel_params()
    found = gram(learning.encoding, params, xs, chunk_size=size)
    learning._check_kernel(found)
    assert_close(found.amax(), 1.0, n_gates=40)
    assert_close(found, gram(learning.encoding, params, xs, xs), n_gates=40)
    order = qf.uniforms(n, seed + 1).argsort()
    assert_close(gram(learning.encoding, params, xs[order]), found[order][:, order], n_gates=40)


def aligned(gram, params, xs, ys):
    return alignment(gram(learning.encoding, params, xs, chunk_size=2), ys, centred=True)


@pytest.mark.parametrize("gram", [fidelity_gram, projected_gram])
def test_alignment_is_trained_by_gradients(gram):
    """A gradient through encoding, pairs and alignment, against differences."""
    xs, ys = learning.points(5), torch.tensor([1.0, -1, 1, -1, -1], dtype=F64)
    vector, unravel = qf.optim.ravel(learning.kernel_params())
    value = lambda v: aligned(gram, unravel(v), xs, ys)  # noqa: E731
    assert_close_fd(grad(value)(vector), central_difference(value, vector), scale=10.0)


def test_an_ensemble_of_kernels():
    xs, scales = learning.points(4), torch.tensor([[1.0, 1.0], [0.5, -2.0]], dtype=F64)
    of = lambda s: fidelity_gram(  # noqa: E731
        learning.encoding, {"scale": s, "shift": s[0]}, xs, chunk_size=3
    )
    assert_close(vmap(of)(scales), torch.stack([of(s) for s in scales]), n_gates=40)


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_precision_is_kept(dtype):
    xs, params = learning.points(3, dtype=dtype), learning.kernel_params(dtype)
    for gram in (fidelity_gram, projected_gram):
        assert gram(learning.encoding, params, xs).dtype is dtype
    assert centred(torch.eye(3, dtype=dtype)).dtype is dtype
    assert alignment(torch.eye(3, dtype=dtype), torch.ones(3, dtype=dtype)).dtype is dtype
    assert repaired(torch.eye(3, dtype=dtype), "correlation").dtype is dtype


def test_chunks_bound_what_is_encoded_at_once():
    """Two chunks of states at most, and of one set no pair twice."""
    sizes = []

    def encoding(params, x):
        return learning.encoding(params, x)

    real = vmap

    def counted(fn, *args, **options):
        mapped = real(fn, *args, **options)

        def call(*tensors):
            sizes.append(tensors[0].shape[0])
            return mapped(*tensors)

        return call

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("quilt_func.learn.gram_matrices.vmap", counted)
        fidelity_gram(encoding, learning.kernel_params(), learning.points(7), chunk_size=3)
    assert sizes == [3, 3, 1, 3, 1, 1]


def test_mixed_up_encodings_are_named():
    with pytest.raises(TypeError, match="return one statevector, complex"):
        fidelity_gram(lambda p, x: x, (), learning.points(3))
    with pytest.raises(TypeError, match=r"Return `circuit\(...\)\(\)`"):
        projected_gram(lambda p, x: qf.circuit(1, qf.ry(x[0], 0)), (), learning.points(3))


def test_the_default_circuit():
    """Features beyond the wires go on by RZ; fewer are repeated; a last row encodes once more."""
    params = qf.learn.init_reuploaded(qf.uniforms((1, 2, 2), 0, dtype=F64), 3, last=True)
    theta, x = params["theta"][0], learning.points(1, n_features=3)[0]
    expected = qf.circuit(
        2, qf.ry(x[:2], range(2)), qf.rz(x[2], 0), qf.ry(theta[:, 0], range(2)),
        qf.rz(theta[:, 1], range(2)), qf.cx(0, 1), qf.ry(x[:2], range(2)), qf.rz(x[2], 0),
    )()  # fmt: skip
    assert_close(qf.learn.reuploaded(params, x), expected, n_gates=20)
    one = qf.learn.init_reuploaded(qf.uniforms((1, 3, 2), 0, dtype=F64), 1)
    many = {**one, "scale": one["scale"].expand(1, 3)}
    assert_close(qf.learn.reuploaded(one, x[:1]), qf.learn.reuploaded(many, x[:1].expand(3)))
