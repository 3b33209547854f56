"""Densities by dense numpy: each operator on all wires, one op and one wire set at a time."""

import numpy as np
import torch

import quilt_func as qf
from quilt_func import noise


def random_density(n, seed=0, rank=3):
    u = qf.uniforms((rank, 2, 2**n), seed, dtype=torch.float64)
    states = torch.stack([qf.random_state(one) for one in u.unbind(0)])
    return (states.mT @ states.conj()) / rank


def dense_run(circuit, rho):
    """`Σ K ρ K†` with matrices on all wires, one op and one wire set at a time."""
    n = circuit.n_qubits
    for op in circuit.ops:
        for slot, wires in enumerate(op.wires):
            params = [
                torch.tensor([p], dtype=torch.float64)
                if isinstance(p, float)
                else p[slot : slot + 1]
                for p in op.params
            ]
            if isinstance(op.gate, noise.Channel):
                operators = op.gate.kraus(*params)[0].resolve_conj().numpy()
            elif op.gate.n_params:
                operators = op.gate.matrices(*params).resolve_conj().numpy()
            else:
                operators = np.asarray(op.gate.matrix)[None]
            whole = [on_wires(operator, wires, n) for operator in operators]
            rho = sum(operator @ rho @ operator.conj().T for operator in whole)
    return rho


def on_wires(matrix, wires, n):
    k = len(wires)
    identity = np.eye(2**n).reshape((2,) * (2 * n))
    split = np.tensordot(matrix.reshape((2,) * (2 * k)), identity, (range(k, 2 * k), wires))
    return np.moveaxis(split, range(k), wires).reshape(2**n, 2**n)
