"""What an estimator computes of one sample: scores, of a model's state or of its numbers."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.func import vmap

from quilt_func._checks import REAL_OF, describe, message
from quilt_func.learn.gram_matrices import one_qubit_words
from quilt_func.measurement import expval, marginal
from quilt_func.states import uniforms
from quilt_func.typing import PyTree


class Readout(NamedTuple):
    """How scores come of a sample; what a fitted estimator keeps of its options.

    Attributes:
        model: Function `model(params, x)` to a state or to numbers.
        scale: Factor of the features.
        kind: "observables" or "probabilities" of a state, or "numbers".
        n_outputs: Number of scores.
    """

    model: Callable[[PyTree, Tensor], Tensor]
    scale: float
    kind: str
    n_outputs: int

    def scores(self, params: PyTree, x: Tensor) -> Tensor:
        """Scores of one sample, (n_outputs,): of probabilities their logarithms."""
        out = self.model(params["model"], self.scale * x)
        if self.kind == "observables":
            values = expval(out, one_qubit_words(_n_qubits(out), "Z"))
            scores: Tensor = params["weights"] @ values + params["bias"]
            return scores
        if self.kind == "probabilities":
            return _class_probabilities(out, self.n_outputs).log()
        return out.reshape(self.n_outputs)

    def of_members(self, params: PyTree, xs: Tensor, chunk_size: int | None = None) -> Tensor:
        """Scores (n_members, n, n_outputs) of an ensemble, for all samples."""

        def of_member(member: PyTree) -> Tensor:
            return vmap(self.scores, (None, 0), chunk_size=chunk_size)(member, xs)

        return vmap(of_member)(params)


def kind_of(function: str, out: Any, readout: str, n_outputs: int) -> str:
    """What a model's result is read as; an error if it can't be."""
    if isinstance(out, Tensor) and out.dtype in REAL_OF and out.ndim == 1:
        n_states = 2 ** _n_qubits(out)
        if readout == "probabilities" and n_states < n_outputs:
            need, got = f"have a state for each of {n_outputs} classes", f"{n_states}"
            raise ValueError(message(function, "model", out, need, got, "Take more qubits."))
        return readout
    is_real = isinstance(out, Tensor) and out.is_floating_point()
    if is_real and out.numel() == n_outputs:
        return "numbers"
    need = f"return one statevector, or {n_outputs} real number(s)"
    remedy = "They are of one sample: a score for each class, but one for two classes."
    raise ValueError(message(function, "model", out, need, describe(out), remedy))


def head(out: Tensor, kind: str, n_outputs: int, seed: int) -> dict[str, Tensor]:
    """Coefficients of the observables: a sum of Z on every wire, and a constant, for each score."""
    if kind != "observables":
        return {}
    n, dtype = _n_qubits(out), REAL_OF[out.dtype]
    u = uniforms((n_outputs, n), seed, dtype=torch.float64).to(out.device, dtype)
    return {"weights": 2 * (2 * u - 1), "bias": u.new_zeros(n_outputs)}


def _n_qubits(state: Tensor) -> int:
    return state.shape[0].bit_length() - 1


def _class_probabilities(state: Tensor, n_classes: int) -> Tensor:
    """Outcome `i` of as few wires as can be counts for class `i mod n_classes`; never quite 0."""
    n_wires = max(1, (n_classes - 1).bit_length())
    outcomes = marginal(state, range(n_wires))
    filled = torch.nn.functional.pad(outcomes, (0, -(2**n_wires) % n_classes))
    tiny = torch.finfo(outcomes.dtype).eps
    return (filled.reshape(-1, n_classes).sum(0) + tiny) / (1 + n_classes * tiny)
