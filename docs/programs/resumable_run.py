"""A long run on a sharded state, which goes on where it was ended.

`torchrun --nproc-per-node=2 --max-restarts=3 resumable_run.py checkpoints`
"""

import sys

from torch import distributed

import quilt_func as qf
from quilt_func import sharded


def far_apart(n_qubits=12, n_layers=4):
    """Layers of rotations and of gates between the first wires and the last."""
    angles = qf.uniforms((n_layers, n_qubits), 0)
    half = n_qubits // 2
    pairs = [(wire, wire + half) for wire in range(half)]
    return qf.circuit(n_qubits, [[qf.ry(row, range(n_qubits)), qf.cx(pairs)] for row in angles])


def main(directory, device_type=None, seconds=60.0):
    """Run, save every minute, and print the probability that no qubit is 1."""
    mesh = sharded.mesh(device_type)
    state = sharded.run_in_stages(far_apart(), mesh=mesh, directory=directory, seconds=seconds)
    if distributed.get_rank() == 0:  # it has the first amplitude, wherever the wires are
        print(f"probability of zeros: {state.local[0].abs() ** 2:.6f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
