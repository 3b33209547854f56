"""Bad calls of diagnostics: call, kind of error, message."""

# ruff: noqa: E501
# fmt: off

CALLS = [
    ('diagnostics.gradient_variance(lambda p: p.sum(), zeros(1, 2))', ValueError, 'gradient_variance(params=Tensor(shape=(1, 2), dtype=float32)): `params` must have two members or more on the first axis, but got shapes [(1, 2)]. Stack an ensemble.'),
    ('diagnostics.gradient_variance(lambda p: p.sum(), tensor(0.5))', ValueError, 'gradient_variance(params=Tensor(shape=(), dtype=float32)): `params` must have two members or more on the first axis, but got shapes [()]. Stack an ensemble.'),
    ('diagnostics.gradient_variance(lambda p: p.sum(), {})', ValueError, 'gradient_variance(params={}): `params` must hold at least one tensor, but got an empty tree. Give a tensor, or a tree of tensors.'),
    ('diagnostics.gradient_snr(lambda p, u: p, a32, zeros(1))', ValueError, 'gradient_snr(u=Tensor(shape=(1,), dtype=float32)): `u` must have two repeats or more on the first axis, but got shapes [(1,)]. Draw a row for each repeat.'),
    ('diagnostics.gradient_snr(lambda p, u: p, a32, 5)', TypeError, 'gradient_snr(u=5): `u` must be float32 or float64 throughout, but got an int. Draw them with `uniforms(shape, seed)`.'),
    ('diagnostics.expressibility(zeros(3, 4), zeros(3, 4))', TypeError, 'expressibility(states=Tensor(shape=(3, 4), dtype=float32)): `states` must be a complex tensor, but got Tensor(shape=(3, 4), dtype=float32). Make them with `vmap`.'),
    ('diagnostics.expressibility(s2[None], s2)', ValueError, 'expressibility(others=Tensor(shape=(4,), dtype=complex64)): `others` must have shape (k, 2**n_qubits), but got shape (4,). Stack states of some qubits on a first axis.'),
    ('diagnostics.expressibility(s2[None], s2.expand(2, 4))', ValueError, 'expressibility(others=Tensor(shape=(2, 4), dtype=complex64)): `others` must have shape (1, 4), but got shape (2, 4). Give one partner for each state.'),
    ('diagnostics.expressibility(s2[None], s2[None].to(c128))', TypeError, 'expressibility(): all tensors must share one precision, but got torch.complex64 and torch.complex128. Convert one side with `.to(...)`; dtypes are never promoted.'),
    ('diagnostics.expressibility(s2[None], s2[None], 0)', ValueError, 'expressibility(n_bins=0): `n_bins` must be at least 1, but got 0. Give 1 or more.'),
    ('diagnostics.meyer_wallach(zeros(4))', TypeError, 'meyer_wallach(state=Tensor(shape=(4,), dtype=float32)): `state` must be complex64 or complex128, but got float32. Convert it with `.to(torch.complex64)`.'),
    ('diagnostics.meyer_wallach(zero_state(0))', ValueError, 'meyer_wallach(state=Tensor(shape=(1,), dtype=complex64)): `state` must have a qubit or more, but got none. Give a state of some qubits.'),
    ('diagnostics.entangling_capability(s2)', ValueError, 'entangling_capability(states=Tensor(shape=(4,), dtype=complex64)): `states` must have shape (k, 2**n_qubits), but got shape (4,). Stack states of some qubits on a first axis.'),
    ('diagnostics.entangling_capability(zeros(2, 3, dtype=c64))', ValueError, 'entangling_capability(states=Tensor(shape=(2, 3), dtype=complex64)): `states` must have shape (k, 2**n_qubits), but got shape (2, 3). Stack states of some qubits on a first axis.'),
    ('diagnostics.fourier_coefficients(lambda x: x[0], -1)', ValueError, 'fourier_coefficients(degree=-1): `degree` must be at least 0, but got -1. Give 0 or more.'),
    ('diagnostics.fourier_coefficients(lambda x: x[0], 1, 0)', ValueError, 'fourier_coefficients(n_features=0): `n_features` must be at least 1, but got 0. Give 1 or more.'),
    ('diagnostics.fourier_coefficients(lambda x: x[0], 1.5)', TypeError, 'fourier_coefficients(degree=1.5): `degree` must be an int, but got a float. Give a Python int of at least 0.'),
    ('diagnostics.allowed_frequencies([u])', ValueError, 'allowed_frequencies(gates=<gate u>): `gates` must hold gates exp(-i θ G / 2) of one angle, but got <gate u>. Others have no spectrum.'),
    ('diagnostics.allowed_frequencies([h])', ValueError, 'allowed_frequencies(gates=<gate h>): `gates` must hold gates exp(-i θ G / 2) of one angle, but got <gate h>. Others have no spectrum.'),
    ('diagnostics.allowed_frequencies([rx(0.5, 0)])', TypeError, 'allowed_frequencies(gates=<rx on (0,)>): `gates` must hold gates, but got an Op. Give rows such as `ry`, not ops.'),
    ('diagnostics.effective_dimension(zeros(2, 3, 3), 10)', ValueError, 'effective_dimension(n_data=10): `n_data` must make γ n / (2π ln n) larger than 1, but got 0.691. Give more samples or a larger `gamma`.'),
    ('diagnostics.effective_dimension(zeros(2, 3, 3), 1)', ValueError, 'effective_dimension(n_data=1): `n_data` must be at least 2, but got 1. Give 2 or more.'),
    ('diagnostics.effective_dimension(zeros(2, 3, 3), 1000, 1.5)', ValueError, 'effective_dimension(gamma=1.5): `gamma` must be in (0, 1], but got 1.5. Give 1, say.'),
    ('diagnostics.effective_dimension(zeros(3, 3), 1000)', ValueError, 'effective_dimension(fishers=Tensor(shape=(3, 3), dtype=float32)): `fishers` must have shape (k, p, p), but got shape (3, 3). Stack results of `classical_fisher`.'),
    ('diagnostics.effective_dimension([[1.0]], 1000)', TypeError, 'effective_dimension(fishers=[[1.0]]): `fishers` must be a real tensor, but got [[1.0]]. Stack results of `classical_fisher`.'),
    ('diagnostics.allowed_frequencies(rx)', TypeError, 'allowed_frequencies(gates=<gate rx>): `gates` must be a sequence, but got a Gate. Write `[ry]` for one gate.'),
    ('diagnostics.gradient_variance(zeros(2), zeros(2))', TypeError, 'gradient_variance(fn=Tensor(shape=(2,), dtype=float32)): `fn` must be a function, but got a Tensor. Give the function itself, not what it returns.'),
    ('diagnostics.gradient_snr(3, a32, zeros(2))', TypeError, 'gradient_snr(gradient_fn=3): `gradient_fn` must be a function, but got an int. Give the function itself, not what it returns.'),
    ('diagnostics.fourier_coefficients(sum, 1, dtype=c64)', TypeError, 'fourier_coefficients(dtype=torch.complex64): `dtype` must be real, but got torch.complex64. Choose torch.float32 or torch.float64.'),
    ('diagnostics.gradient_variance(sum, zeros(3), chunk_size=0)', ValueError, 'gradient_variance(chunk_size=0): `chunk_size` must be at least 1, but got 0. Give 1 or more.'),
]
