"""The input of a gate's laws, and how they read the gate's matrix."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from quilt_func.ops import Gate
from quilt_func.states import random_state, uniforms
from quilt_func.testing import strategies as qst
from quilt_func.testing._law import Law
from quilt_func.testing.tolerances import tolerance
from quilt_func.typing import WireSet

Array = NDArray[np.complex128]

GATE_LAWS: dict[str, Law] = {}
"""The laws of `gate_laws`, by name."""

N_SETS = 2
"""Wire sets of a case: enough to tell one's angles from another's."""


@dataclass(frozen=True, eq=False)
class GateCase:
    """Angles, and where the gate acts.

    Attributes:
        angles: One float64 tensor `(N_SETS,)` per parameter.
        n_qubits: Number of qubits of the register.
        wires: Where the gate acts.
        seed: Seed of the random states.
        state: A random state of the register, complex128.
        weights: Another one.
    """

    angles: tuple[Tensor, ...]
    n_qubits: int
    wires: WireSet
    seed: int
    state: Tensor
    weights: Tensor

    def __str__(self) -> str:
        """Show what a message needs."""
        angles = ", ".join(str(angle.tolist()) for angle in self.angles)
        return f"angles ({angles}) on wires {self.wires} of {self.n_qubits}, seed {self.seed}"


@st.composite
def gate_cases(draw: st.DrawFn, gate: Gate) -> GateCase:
    """Cases for a gate; they shrink towards angles 0 on the first wires."""
    angles = tuple(draw(qst.angles(N_SETS)) for _ in range(gate.n_params))
    n_qubits = gate.n_wires + draw(st.integers(0, 2))
    wires = draw(qst.wires(n_qubits, size=gate.n_wires))
    seed = draw(st.integers(0, 2**16 - 1))
    state, weights = (
        random_state(u) for u in uniforms((2, 2, 2**n_qubits), seed, dtype=torch.float64).unbind(0)
    )
    return GateCase(angles, n_qubits, wires, seed, state, weights)


def _repeated(gate: Gate) -> Tensor:
    return gate.constant(torch.complex128, torch.device("cpu")).expand(N_SETS, -1, -1)


def arrays(gate: Gate, angles: tuple[Any, ...]) -> Array:
    """Matrices `(N_SETS, K, K)` at some angles; a constant gate's is repeated."""
    given = tuple(torch.as_tensor(angle, dtype=torch.float64) for angle in angles)
    found: Array = (
        (gate.matrices(*given) if gate.n_params else _repeated(gate))
        .detach()
        .resolve_conj()
        .resolve_neg()
        .numpy()
    )
    return found


@lru_cache(maxsize=1024)
def by_matrix(gate: Gate) -> Gate:
    """A row without its generator, of which circuits would make a rotation's matrices."""
    return replace(gate, generator=None)


def rounding(gate: Gate, case: GateCase, dtype: torch.dtype = torch.float64) -> float:
    """Rounding of matrices whose phases are of the size of the angles."""
    size = 1.0 + max((float(angle.abs().max()) for angle in case.angles), default=0.0)
    return tolerance(dtype, n_gates=4**gate.n_wires, scale=4 * size)


def claims_unitary(gate: Gate) -> bool:
    """`@gate` tags what is not declared otherwise; a row by hand may claim it in other words."""
    return "unitary" in gate.tags or gate.inverse is not None or gate.generator is not None
