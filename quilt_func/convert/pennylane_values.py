"""What a QNode measures, of a state or a density matrix."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from quilt_func._checks import is_density
from quilt_func.convert.observables import of_pauli_rep
from quilt_func.convert.peers import refusal
from quilt_func.measurement import expval, marginal, probs, variance
from quilt_func.observables import hermitian
from quilt_func.states import entropy, purity, reduced_density

NAME = "from_pennylane"


def measured_value(mp: Any, state: Tensor, wires: Mapping[Any, int], phase: Any) -> Any:
    """The exact value of one measurement process."""
    kind = type(mp).__name__
    own = [wires[wire] for wire in mp.wires]
    if mp.mv is not None:
        remedy = "Read outcomes with `run_branches(circuit)`."
        raise refusal(NAME, "given", mp, f"`{kind}` of a measurement in the middle", remedy)
    if kind in ("ExpectationMP", "VarianceMP"):
        return _moment(mp, state, wires, expval if kind == "ExpectationMP" else variance)
    if mp.obs is None and kind == "ProbabilityMP":
        return marginal(state, own) if own else probs(state)
    if kind == "DensityMatrixMP":
        return reduced_density(state, own)
    if kind == "StateMP":
        return state if is_density(state) else _turned(state, phase)
    if kind == "PurityMP":
        return purity(reduced_density(state, own))
    if kind == "VnEntropyMP":
        base = mp.log_base
        found = entropy(reduced_density(state, own))
        return found if base is None else found / math.log(base)
    remedy = "Return `expval`, `var`, `probs`, `state`, `density_matrix`, `purity` or `vn_entropy`."
    raise refusal(NAME, "given", mp, f"`{kind}`", remedy)


def _turned(state: Tensor, phase: Any) -> Tensor:
    """The state with the global phase that its circuit has lost."""
    if isinstance(phase, Tensor):
        return state * torch.exp(1j * phase)
    return state if phase == 0 else state * complex(math.cos(phase), math.sin(phase))


def _moment(mp: Any, state: Tensor, wires: Mapping[Any, int], moment: Any) -> Tensor:
    """Of a Pauli sum; of another observable by its matrix on its own wires."""
    n_qubits = state.shape[0].bit_length() - 1
    if mp.obs is None:
        raise refusal(NAME, "given", mp, "eigenvalues without an observable", "Give an observable.")
    if mp.obs.pauli_rep is not None:
        found: Tensor = moment(state, of_pauli_rep(NAME, mp.obs, wires, n_qubits))
        return found
    matrix = torch.as_tensor(mp.obs.matrix()).to(state)
    own = [wires[wire] for wire in mp.obs.wires]
    value: Tensor = moment(reduced_density(state, own), hermitian(matrix))
    return value
