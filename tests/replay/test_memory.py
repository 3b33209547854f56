"""What jitted functions hold: no more than plain ones while they run, and nothing once dropped.

Memory is read in a process of its own, with an allocator that gives large blocks back at once: by
default it keeps what is freed, and more so for programs that free in another order.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STATUS = Path("/proc/self/status")
MIB = 2**20

READING = '''
import gc
import sys
from pathlib import Path

import torch
from torch import Tensor
from torch.func import grad_and_value

import quilt_func as qf


def resident(name):
    """Bytes of memory of this process: now, `VmRSS`, or at most, `VmHWM`."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name))


def added(fn):
    """Bytes that a call holds at its most, beside what there was before."""
    fn()
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    fn()
    return resident("VmHWM") - before
'''

PEAKS = """
n = 20
words = {"I" * i + "ZZ" + "I" * (n - 2 - i): -1.0 for i in range(n - 1)}
energy = qf.pauli_sum(words | {"I" * i + "X" + "I" * (n - 1 - i): -1.0 for i in range(n)})


def value(angles):
    layers = [
        (qf.ry(y, range(n)), qf.rz(z, range(n)), qf.cx([(i, i + 1) for i in range(n - 1)]))
        for y, z in angles.unbind(0)
    ]
    return qf.expval(qf.circuit(n, layers)(), energy)


step, angles = grad_and_value(value), torch.linspace(-2, 2, 4 * n).reshape(2, 2, n)
replayed = qf.jit(step)
print(added(lambda: step(angles)), added(lambda: replayed(angles)))
print(replayed.explain(angles))
"""

STRUCTURES = """
def objects():
    gc.collect()
    found = gc.get_objects()
    return len(found), sum(isinstance(one, Tensor) for one in found)


fn, x = qf.jit(lambda x, k: (x * k).sin().sum()), torch.ones(3)
for k in range(1, 201):
    fn(x, k)
before, held = objects(), resident("VmRSS")
for k in range(201, 1201):
    fn(x, k)
print(*before, *objects(), resident("VmRSS") - held)
"""


def told(program):
    """Lines that a program prints, run with an allocator that keeps nothing."""
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", READING + program],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


@pytest.mark.skipif(not STATUS.exists(), reason="reads /proc")
def test_a_replay_holds_no_more_than_a_plain_call():
    peaks, *report = told(PEAKS)
    plain, replayed = map(int, peaks.split())
    constants = float(report[1].split()[1]) * MIB
    state = 8 * MIB
    assert replayed <= plain + constants + state / 2
    assert replayed >= 2 * state  # of a state and its cotangent: something was measured


@pytest.mark.skipif(not STATUS.exists(), reason="reads /proc")
def test_a_thousand_structures_leave_nothing():
    objects, tensors, later_objects, later_tensors, grown = map(int, told(STRUCTURES)[0].split())
    assert later_tensors == tensors
    assert later_objects <= objects + 50
    assert grown < 4 * MIB
