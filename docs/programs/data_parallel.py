"""Train a hybrid network on data that is split over processes, by torch's own tools.

`torchrun --nproc-per-node=2 data_parallel.py`
"""

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

import quilt_func as qf

N_QUBITS, N_EPOCHS, BATCH = 4, 3, 16


def model(params, x):
    """Expectation values of a circuit that encodes a sample."""
    wires = range(N_QUBITS)
    layers = [
        [qf.ry(x, wires), qf.rx(angles, wires), qf.cx(0, 1), qf.cx(2, 3)] for angles in params
    ]
    return qf.expval(qf.circuit(N_QUBITS, layers)(), qf.pauli_sum({"ZZII": 1.0, "IIZZ": 1.0}))


def data():
    """Samples and the numbers to be learnt from them."""
    samples = qf.uniforms((128, N_QUBITS), 0) * 3
    return TensorDataset(samples, samples.sin().prod(1))


def train():
    """Train for some epochs, and return the parameters, the same on each process."""
    start = qf.uniforms((2, N_QUBITS), 1)
    network = DistributedDataParallel(qf.nn.QuantumLayer(model, start, in_shape=(N_QUBITS,)))
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    sampler = DistributedSampler(data(), seed=0)  # each process has its own part of each epoch
    share = BATCH // distributed.get_world_size()
    for epoch in range(N_EPOCHS):
        sampler.set_epoch(epoch)
        for samples, targets in DataLoader(data(), share, sampler=sampler):
            optimiser.zero_grad()
            nn.functional.mse_loss(network(samples), targets).backward()  # means of gradients
            optimiser.step()
    return [parameter.detach() for parameter in network.parameters()]


if __name__ == "__main__":
    distributed.init_process_group("gloo")
    found = train()
    if distributed.get_rank() == 0:
        print(found)
    distributed.destroy_process_group()
