"""Differentiable quantum circuits as pure functions, transformed with `torch.func`.

Gates make ops, ops make circuits, a circuit maps a state to a state, a state is measured to a
number, and `torch.func` does the rest.
"""

import sys as _sys
from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from quilt_func import (
    ansatz,
    bitstrings,
    chemistry,
    convert,
    diagnostics,
    instruments,
    learn,
    molecules,
    nn,
    noise,
    optim,
    problems,
    sharded,
    shots,
)
from quilt_func import gates as _gates
from quilt_func._torch import hide as _hide
from quilt_func._torch import keep_freed_memory as _keep_freed_memory
from quilt_func.chosen_gates import choice
from quilt_func.circuits import Circuit, circuit, same_structure
from quilt_func.custom_gates import gate
from quilt_func.densities import mutual_information, trace_distance
from quilt_func.derivatives import hessian_spectrum, hvp, parameter_shift, spsa
from quilt_func.derived import conjugate, controlled, inverse, power
from quilt_func.diagonals import bit_strings, cost_diagonal, from_diagonal, to_diagonal
from quilt_func.evolution import evolve
from quilt_func.explaining import explain
from quilt_func.fisher import (
    classical_fisher,
    fubini_study,
    jacobian_state,
    qfi,
    qfi_blocks,
    qfi_diagonal,
    qfi_vp,
)
from quilt_func.gates import *
from quilt_func.instruments import conditional, measure, postselect, reset, run_branches
from quilt_func.measurement import (
    counts,
    covariance,
    expval,
    expval_from_samples,
    marginal,
    probs,
    sample,
    to_bits,
    variance,
)
from quilt_func.natural_descent import classical_natural_gradient, natural_gradient, varqite
from quilt_func.noise import run_density, run_trajectory
from quilt_func.observables import Diagonal, Hermitian, diagonal, hermitian
from quilt_func.ops import Gate, Op, Qasm
from quilt_func.parameter_files import load_parameters, save_parameters
from quilt_func.pauli import (
    GroundState,
    PauliSum,
    anticommutator,
    commutator,
    ground_state,
    pauli_sum,
)
from quilt_func.qasm import from_qasm, register_bits, to_qasm
from quilt_func.random_structures import random_circuit
from quilt_func.replay import jit
from quilt_func.saving import from_json, to_json
from quilt_func.shots import Estimate, estimate
from quilt_func.states import (
    basis_state,
    entropy,
    fidelity,
    ghz_state,
    overlap,
    product_state,
    purity,
    random_state,
    reduced_density,
    uniforms,
    w_state,
    zero_state,
)

if _TYPE_CHECKING:
    from quilt_func import draw, testing

__all__ = [
    "Circuit",
    "Diagonal",
    "Estimate",
    "Gate",
    "GroundState",
    "Hermitian",
    "Op",
    "PauliSum",
    "Qasm",
    "ansatz",
    "anticommutator",
    "basis_state",
    "bit_strings",
    "bitstrings",
    "chemistry",
    "choice",
    "circuit",
    "classical_fisher",
    "classical_natural_gradient",
    "commutator",
    "conditional",
    "conjugate",
    "controlled",
    "convert",
    "cost_diagonal",
    "counts",
    "covariance",
    "diagnostics",
    "diagonal",
    "draw",
    "entropy",
    "estimate",
    "evolve",
    "explain",
    "expval",
    "expval_from_samples",
    "fidelity",
    "from_diagonal",
    "from_json",
    "from_qasm",
    "fubini_study",
    "gate",
    "ghz_state",
    "ground_state",
    "hermitian",
    "hessian_spectrum",
    "hvp",
    "instruments",
    "inverse",
    "jacobian_state",
    "jit",
    "learn",
    "load_parameters",
    "marginal",
    "measure",
    "molecules",
    "mutual_information",
    "natural_gradient",
    "nn",
    "noise",
    "optim",
    "overlap",
    "parameter_shift",
    "pauli_sum",
    "postselect",
    "power",
    "problems",
    "probs",
    "product_state",
    "purity",
    "qfi",
    "qfi_blocks",
    "qfi_diagonal",
    "qfi_vp",
    "random_circuit",
    "random_state",
    "reduced_density",
    "register_bits",
    "reset",
    "run_branches",
    "run_density",
    "run_trajectory",
    "same_structure",
    "sample",
    "save_parameters",
    "sharded",
    "shots",
    "spsa",
    "testing",
    "to_bits",
    "to_diagonal",
    "to_json",
    "to_qasm",
    "trace_distance",
    "uniforms",
    "variance",
    "varqite",
    "w_state",
    "zero_state",
]
__all__ += _gates.__all__

__version__ = "0.1.0"

_keep_freed_memory()
for _name in [name for name in _sys.modules if name.startswith(f"{__name__}.")]:
    _hide(_sys.modules[_name])


def __getattr__(name: str) -> _Any:
    if name in ("draw", "testing"):  # they need an extra
        return _import_module(f"quilt_func.{name}")
    rooms = {room: getattr(globals().get(room), "__all__", ()) for room in __all__}
    hint: str = _import_module("quilt_func._spellings").hint(name, __all__, rooms)
    raise AttributeError(f"module 'quilt_func' has no attribute {name!r}{hint}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})  # with those that are imported when they are asked for
