"""What is freed in one call is taken again in the next, without the system."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import platform, resource, sys
import torch

if platform.libc_ver()[0] != "glibc":
    sys.exit(77)
empty = torch.empty
if sys.argv[1] == "planted":
    torch.empty = lambda *size, **kind: None
import quilt_func as qf
torch.empty = empty

n = 17
words = {"I" * i + "X" + "I" * (n - 1 - i): 1.0 for i in range(n)}
energy = lambda p: qf.expval(qf.circuit(n, qf.ry(p, range(n)), qf.rx(p, range(n)))(), words)
step, p = torch.func.grad(energy), torch.rand(n)
faults = []
for _ in range(12):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    step(p)
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(sorted(faults)[len(faults) // 2])
"""


def page_faults(how, tmp_path):
    """Page faults of a gradient on 17 qubits, the median of twelve, in a process of its own."""
    (tmp_path / "program.py").write_text(PROGRAM, "utf8")
    told = subprocess.run(
        [sys.executable, "-W", "ignore", tmp_path / "program.py", how],
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if told.returncode == 77:
        pytest.skip("another C library than glibc")
    assert told.returncode == 0, told.stderr
    return int(told.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's limits")
def test_gradients_take_no_memory_from_the_system_anew(tmp_path):
    assert page_faults("as it is", tmp_path) < 64


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's limits")
def test_they_would_without_a_large_block_that_was_freed(tmp_path):
    assert page_faults("planted", tmp_path) > 256
