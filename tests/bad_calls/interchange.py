"""Bad calls of OpenQASM, saving and `QuantumLayer`: call, kind of error, message."""

# ruff: noqa: E501
# fmt: off

CALLS = [
    ('from_qasm(3)', TypeError, 'from_qasm(text=3): `text` must be a string, but got a int. Read a file first, `Path(name).read_text()`; ask another library for its text, such as `qiskit.qasm3.dumps(circuit)`.'),
    ('from_qasm("qubit q; h q;")', ValueError, 'from_qasm(text=\'qubit q; h q;\'): `text` must be OpenQASM that can be simulated, but got the unknown gate `h` at line 1, column 10. Write `include "stdgates.inc";` before.'),
    ('from_qasm("qreg q[1]; h q;")', ValueError, 'from_qasm(text=\'qreg q[1]; h q;\'): `text` must be OpenQASM that can be simulated, but got the unknown gate `h` at line 1, column 12. Write `include "qelib1.inc";` before.'),
    ('from_qasm("qreg q[2]; CX q[0], q[1]")', ValueError, "from_qasm(text='qreg q[2]; CX q[0], q[1]'): `text` must be OpenQASM that can be simulated, but got no `;` at line 1, column 25. Write `;` here, or `,` if the list goes on."),
    ('from_qasm("qreg q[2]; CX r[0], q[1];")', ValueError, "from_qasm(text='qreg q[2]; CX r[0], q[1];'): `text` must be OpenQASM that can be simulated, but got the unknown qubit register `r` at line 1, column 15. Declare it before: `qreg r[2];`."),
    ('from_qasm("qubit q; U(0, 0, 0) $0;")', ValueError, "from_qasm(text='qubit q; U(0, 0, 0) $0;'): `text` must be OpenQASM that can be simulated, but got the physical qubit `$0` at line 1, column 21. Declare a register, such as `qubit[1] q;`, and use it."),
    ('from_qasm("int a = 1; a = 2;")', ValueError, "from_qasm(text='int a = 1; a = 2;'): `text` must be OpenQASM that can be simulated, but got an assignment to `a` at line 1, column 12. Values are set once, where they are declared; only `measure` sets bits."),
    ('from_qasm("opaque g a; qubit q; g q;")', ValueError, "from_qasm(text='opaque g a; qubit q; g q;'): `text` must be OpenQASM that can be simulated, but got the opaque gate `g` at line 1, column 22. Define it instead: `gate g ... { ... }`."),
    ('from_qasm("qubit[3] q; U(0, 0, 0) q;", max_gates=2)', ValueError, "from_qasm(text='qubit[3] q; U(0, 0, 0) q;'): `text` must be OpenQASM that can be simulated, but got more than max_gates=2 gates at line 1, column 13. Raise `max_gates` if you trust the text."),
    ('from_qasm("qubit[2] q; U(0, 0, 0) q; reset q;")', ValueError, "from_qasm(text='qubit[2] q; U(0, 0, 0) q; reset q;'): `text` must be OpenQASM that can be simulated, but got `reset` of qubit 0, which a gate has acted on at line 1, column 27. A reset is not unitary unless the qubit is still 0. Leave it out."),
    ('from_qasm("qubit q;", max_gates=0)', ValueError, 'from_qasm(max_gates=0): `max_gates` must be at least 1, but got 0. Give 1 or more.'),
    ('from_qasm("input float a;")()', TypeError, 'from_inputs(): takes the inputs a, but got 0 value(s) and []. Give each once, in this order or by name.'),
    ('from_qasm("input float a;")(1, a=2)', TypeError, "from_inputs(): takes the inputs a, but got 1 value(s) and ['a']. Give each once, in this order or by name."),
    ('from_qasm("input float a;")("1")', TypeError, "from_inputs(a='1'): `a` must be a Python number or a real tensor of shape (), but got a str. Map over many values with `torch.func.vmap`."),
    ('from_qasm("input float a;")(zeros(2))', TypeError, 'from_inputs(a=Tensor(shape=(2,), dtype=float32)): `a` must be a Python number or a real tensor of shape (), but got torch.float32 of shape (2,). Map over many values with `torch.func.vmap`.'),
    ('to_qasm(h(0))', TypeError, 'to_qasm(circuit=<h on (0,)>): `circuit` must be a circuit, but got a Op. Make one with `circuit`.'),
    ('to_qasm(circuit(1), 4)', ValueError, 'to_qasm(version=4): `version` must be 2 or 3, but got 4. Version 2 is read by most tools, version 3 has modifiers.'),
    ('to_qasm(circuit(1, unitary(eye(2, dtype=c64), 0)))', ValueError, 'to_qasm(circuit=<gate unitary>): `circuit` must hold gates that OpenQASM can say, but got `unitary`. OpenQASM has no matrices. Write it as gates.'),
    ('to_qasm(circuit(2, controlled(sx)(0, 1)), 2)', ValueError, 'to_qasm(circuit=<gate csx>): `circuit` must hold gates that OpenQASM can say, but got `csx`, which has no definition in version 2. Give the gate `qasm=Qasm(name, definition)`, or write version 3.'),
    ('to_json({1, 2})', TypeError, 'to_json(value={1, 2}): `value` must hold circuits, Pauli sums, tensors, numbers, strings, dicts, lists, tuples, but got a set. Convert it to one of these.'),
    ('to_json([h(0)])', TypeError, 'to_json(value=<h on (0,)>): `value` must hold circuits, Pauli sums, tensors, numbers, strings, dicts, lists, tuples, but got an Op. Convert it to one of these.'),
    ('to_json(meta)', TypeError, 'to_json(value=Tensor(shape=(), dtype=float32)): `value` must hold dense tensors of numbers, such as float16, bfloat16, float32, float64, complex64, complex128, but got Tensor(shape=(), dtype=float32). Convert them, outside of `torch.func` transforms.'),
    ('to_json(1, gates=["h"])', TypeError, "to_json(gates=['h']): `gates` must be gates, but got a str. Give the gates themselves: `[mine]`."),
    ('to_json(1, gates=[gate(n_wires=1)(lambda: eye(2))] * 2 + [gate(n_wires=1)(lambda: eye(2))])', ValueError, 'to_json(gates=[<gate <lambda>>, <gate <lambda>>, <gate <lambda>>]): `gates` must have names of their own, but got two named <lambda>. Rename one.'),
    ('to_json(circuit(11, controlled(x, 10)(*range(11))))', ValueError, 'to_json(value=<gate ccccccccccx>): `value` must use gates of at most 10 wires, but got ccccccccccx. Write it as others.'),
    ('from_json(3)', TypeError, 'from_json(text=3): `text` must be a string, but got an int. Read the file first: `Path(name).read_text()`.'),
    ('from_json("{")', ValueError, "from_json(text='{'): `text` must be a whole file of `to_json`, but got no JSON at line 1, column 2. Save it again with `to_json`."),
    ('from_json("1")', ValueError, "from_json(text='1'): `text` must be a whole file of `to_json`, but got a file of another format. Give what `to_json` returned."),
    ('nn.QuantumLayer(3, zeros(2))', TypeError, 'QuantumLayer(model=3): `model` must be a function, but got a int. Give a function `model(params, x)`.'),
    ('nn.QuantumLayer(max, {"a": 1})', ValueError, "QuantumLayer(params={'a': 1}): `params` must hold tensors, but got none. Give a tree such as `{'theta': torch.zeros(3)}`."),
    ('nn.QuantumLayer(max, {"forward": zeros(2)})', ValueError, "QuantumLayer(params={'forward': tensor([0., 0.])}): `params` must have names that are free, but got 'forward'. Give the entry another key."),
    ('nn.QuantumLayer(max, {"a.b": zeros(2)})', ValueError, "QuantumLayer(params={'a.b': tensor([0., 0.])}): `params` must have names that are free, but got 'a.b'. Give the entry another key."),
]
