"""Bad calls of what concerns processes: meshes, `spawn` and checkpoints."""

# ruff: noqa: E501
# fmt: off

CALLS = [
    ('sharded.spawn(0, int)', ValueError, 'spawn(n=0): `n` must be at least 1, but got 0. Give 1 or more.'),
    ('sharded.spawn("2", int)', TypeError, "spawn(n='2'): `n` must be an int, but got a str. Give a Python int of at least 1."),
    ('sharded.spawn(2, 3)', TypeError, 'spawn(fn=3): `fn` must be a function, but got an int. Give the function itself, not what it returns.'),
    ('sharded.spawn(2, int, start="thread")', ValueError, "spawn(start='thread'): `start` must be a way to start processes, but got 'thread'. Choose from ['spawn', 'forkserver', 'fork']."),
    ('sharded.spawn(2, int, start="fork", threads=2)', ValueError, 'spawn(threads=2): `threads` must be 1 after a fork, but got 2. Leave it at 1, or write `start="spawn"`.'),
    ('sharded.spawn(2, int, threads=0)', ValueError, 'spawn(threads=0): `threads` must be at least 1, but got 0. Give 1 or more.'),
    ('sharded.spawn(2, int, timeout=0)', ValueError, 'spawn(timeout=0): `timeout` must be finite and in [0.001, inf), but got 0. Give a number in this range.'),
    ('sharded.mesh("tpu")', ValueError, "mesh(device_type='tpu'): `device_type` must be 'cpu' or 'cuda', but got 'tpu'. Leave it out for what there is."),
    ('sharded.mesh(3)', TypeError, 'mesh(device_type=3): `device_type` must be a string, but got an int. Write "cpu" or "cuda".'),
    ('sharded.mesh("cpu", timeout=0)', ValueError, 'mesh(timeout=0): `timeout` must be finite and in [0.001, inf), but got 0. Give a number in this range.'),
    ('sharded.mesh("cpu", timeout="1 s")', TypeError, "mesh(timeout='1 s'): `timeout` must be a Python number, but got a str. Give an int or a float."),
    ('sharded.ranks_of("cpu")', TypeError, "ranks_of(mesh='cpu'): `mesh` must be a `DeviceMesh`, but got a str. Write `mesh=sharded.mesh()`."),
    ('sharded.save_state(s2, "checkpoints")', TypeError, 'save_state(state=Tensor(shape=(4,), dtype=complex64)): `state` must be a sharded state, but got a Tensor. Make one with `sharded.run_sharded` or `sharded.shard`.'),
    ('sharded.save_state(sharded.ShardedState(s2, sharded.Layout((0, 1), sharded.Ranks(1))), 3)', TypeError, 'save_state(directory=3): `directory` must be the name of a directory, but got an int. Write "checkpoints".'),
    ('sharded.save_state(sharded.ShardedState(s2, sharded.Layout((0, 1), sharded.Ranks(1))), "checkpoints", step=(1, 2))', TypeError, 'save_state(step=(1, 2)): `step` must be a tensor that can be read, or of numbers, strings, None, lists and dicts, but got a tuple. Give each tensor a name of its own.'),
    ('sharded.load_state("checkpoints", "cpu")', TypeError, "load_state(mesh='cpu'): `mesh` must be a `DeviceMesh`, but got a str. Write `mesh=sharded.mesh()`."),
    ('sharded.load_state("checkpoints", None)', TypeError, 'load_state(mesh=None): `mesh` must be a `DeviceMesh`, but got None. Write `mesh=sharded.mesh()`.'),
    ('sharded.run_in_stages(h(0), directory="checkpoints")', TypeError, 'run_in_stages(circuit=<h on (0,)>): `circuit` must be a circuit, but got an Op. Make one with `circuit`.'),
    ('sharded.run_in_stages(circuit(1, h(0)), directory="checkpoints")', TypeError, 'run_in_stages(mesh=None): `mesh` must be given without a state, but got None. Give `mesh=sharded.mesh()`.'),
    ('sharded.run_in_stages(circuit(1, h(0)), s2, directory="checkpoints")', TypeError, 'run_in_stages(state=Tensor(shape=(4,), dtype=complex64)): `state` must be a sharded state, but got a Tensor. Make one with `sharded.run_sharded` or `sharded.shard`.'),
    ('sharded.run_in_stages(circuit(1, noise.bit_flip(0.1, 0)), directory="checkpoints")', TypeError, 'run_in_stages(circuit=Circuit(1 qubits, 1 gates) q0: ─BF(0.1)─): `circuit` must be of gates alone, but got <bit_flip on (0,)>. Channels run on ranks by `sharded.run_sharded_density`, or one sample at a time by `noise.sampled_circuit`; instruments on one process.'),
    ('sharded.run_in_stages(circuit(2, rx(tensor(0.1).requires_grad_(), 0)), sharded.ShardedState(s2, sharded.Layout((0, 1), sharded.Ranks(1))), directory="checkpoints")', TypeError, "run_in_stages(circuit=Circuit(2 qubits, 1 gates) q0: ─RX(0.1)─ q1: ─────────): `circuit` must have no gradient and be no transform's, but got Tensor(shape=(1,), dtype=float32). Use `run_sharded`, or `detach` the parameters."),
    ('sharded.run_in_stages(circuit(2, h(0)), sharded.ShardedState(s2, sharded.Layout((0, 1), sharded.Ranks(1))), directory="checkpoints", seconds=-1)', ValueError, 'run_in_stages(seconds=-1): `seconds` must be finite and in [0, inf), but got -1. Give a number in this range.'),
    ('sharded.run_in_stages(circuit(2, h(0)), sharded.ShardedState(s2, sharded.Layout((0, 1), sharded.Ranks(1))), directory=None)', TypeError, 'run_in_stages(directory=None): `directory` must be the name of a directory, but got None. Write "checkpoints".'),
    ('sharded.minimise_in_stages(3, tensor(0.1), optim.sgd(0.1), 3, directory="checkpoints")', TypeError, 'minimise(loss=3): `loss` must be a function, but got an int. Give the function itself, not what it returns.'),
    ('sharded.minimise_in_stages(abs, tensor(0.1), optim.sgd(0.1), -1, directory="checkpoints")', ValueError, 'minimise_in_stages(n_steps=-1): `n_steps` must be at least 0, but got -1. Give 0 or more.'),
    ('sharded.minimise_in_stages(abs, tensor(0.1), optim.sgd(0.1), 3, directory="checkpoints", every=0)', ValueError, 'minimise_in_stages(every=0): `every` must be at least 1, but got 0. Give 1 or more.'),
    ('sharded.minimise_in_stages(abs, tensor(0.1).requires_grad_(), optim.sgd(0.1), 3, directory="checkpoints")', TypeError, 'minimise_in_stages(params=Tensor(shape=(), dtype=float32)): `params` must be of tensors that require no grad, but got Tensor(shape=(), dtype=float32). Stack batches, one for each step, or `detach` the tensors.'),
    ('sharded.minimise_in_stages(abs, tensor(0.1), optim.sgd(0.1), 3, directory="checkpoints", batches=3)', TypeError, 'minimise_in_stages(batches=3): `batches` must be of tensors that require no grad, but got 3. Stack batches, one for each step, or `detach` the tensors.'),
    ('sharded.minimise_in_stages(abs, tensor(0.1), optim.sgd(0.1), 3, directory=3)', TypeError, 'minimise_in_stages(directory=3): `directory` must be the name of a directory, but got an int. Write "checkpoints".'),
    ('sharded.minimise_in_stages(abs, tensor(0.1), optim.sgd(0.1), 3, directory="checkpoints", mesh=4)', TypeError, 'minimise_in_stages(mesh=4): `mesh` must be a `DeviceMesh`, but got an int. Write `mesh=sharded.mesh()`.'),
]
