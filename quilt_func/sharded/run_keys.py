"""Which run it is: a short text of a circuit, its parameters and the state before."""

import hashlib

import torch
from torch import Tensor, distributed

from quilt_func.circuits import Circuit
from quilt_func.sharded.layouts import ShardedState

_CHUNK = 2**20
"""Amplitudes that are read at once."""


def key_of(circuit: Circuit, dtype: torch.dtype, state: ShardedState | None) -> str:
    """A digest of all that a run's result depends on, the same for any number of ranks.

    Args:
        circuit: The circuit; gates of one name are taken to be one.
        dtype: Of states.
        state: State before, if it is given.
    """
    digest = hashlib.sha256(repr((circuit.n_qubits, dtype)).encode())
    for op in circuit.ops:
        digest.update(repr((op.gate.name, op.wires)).encode())
        for param in op.params:
            digest.update(_bits(param))
    if state is not None:
        digest.update(repr((state.layout.order, fingerprint(state))).encode())
    return digest.hexdigest()


def _bits(param: Tensor | float) -> bytes:
    if isinstance(param, Tensor):
        return param.resolve_conj().cpu().numpy().tobytes()
    return param.hex().encode()


def fingerprint(state: ShardedState) -> int:
    """A number of all amplitudes' bits and places, modulo 2**64, whoever holds them."""
    real = torch.view_as_real(state.local.resolve_conj())
    found = torch.zeros((), dtype=torch.int64, device=real.device)
    first = state.layout.ranks.rank * len(real)
    for part in real.split(_CHUNK):
        bits = part.contiguous().view(torch.int64)
        place = torch.arange(first, first + len(part), device=real.device)
        found += ((2 * place + 1)[:, None] * (bits ^ bits >> 29)).sum()
        first += len(part)
    if state.layout.ranks.n > 1:
        distributed.all_reduce(found, group=state.layout.ranks.group)
    return int(found)
