"""All branches of a circuit with instruments, exactly."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from quilt_func._checks import (
    check_count,
    check_state_size,
    common_dtype_and_device,
    is_number,
    kind_error,
    message,
)
from quilt_func.circuits import Circuit, check_circuit, default_kind
from quilt_func.instruments.branch_walk import BranchWalk
from quilt_func.instruments.conditions import Bits
from quilt_func.instruments.keys import check_keys, outcomes_of

BUDGET = 2**24
"""Amplitudes of all branches together, unless it is said otherwise: 128 MiB of complex64."""


class Branches(NamedTuple):
    """All outcomes of a circuit, with a state for each.

    Attributes:
        states (complex, (n_branches, 2**n)): States, not normalised: the squared norm is the
            branch's probability. Of `run_density_branches`, density matrices
            `(n_branches, 2**n, 2**n)`, whose trace it is. Measure them by `branch_expval` or
            `vmap`: with all wires measured they are `(2**n, 2**n)`, and a measurement of that
            would take it for one density matrix.
        bits: By key, the bits that were measured last (int64, (n_branches, n_wires)). Branches
            come in the order of their bits as numbers, what was measured first the most
            significant; a reset has a bit there, too, that no key holds.
        dropped (real, ()): Probability of the branches that `prune` left out.

    Examples:
        >>> from quilt_func import circuit, cx, h, measure, run_branches
        >>> found = run_branches(circuit(2, h(0), cx(0, 1), measure([0, 1], "m")))
        >>> found.states.shape, found.bits["m"].tolist()
        (torch.Size([4, 4]), [[0, 0], [0, 1], [1, 0], [1, 1]])
    """

    states: Tensor
    bits: Bits
    dropped: Tensor


def run_branches(
    circuit: Circuit,
    state: Tensor | None = None,
    *,
    budget: float = BUDGET,
    prune: int | None = None,
) -> Branches:
    """All branches of a circuit of gates and instruments: a state for each outcome, exactly.

    Each measured wire doubles the branches, and so does each reset. States are not normalised, and
    nothing is divided: sums over branches are means, with derivatives of every order.

    Args:
        circuit: Gates and instruments; channels need a density matrix or trajectories.
        state (complex, (2**n,)): Statevector before; default: |0...0⟩.
        budget: Most amplitudes that all branches may have together.
        prune: Most branches to keep: after each outcome the likeliest stay. What is left out is
            reported as `dropped`, and lacks in sums. Default: all stay.

    Returns:
        States, bits, and the probability that was left out.

    Raises:
        TypeError: If `circuit` is not a circuit or holds a channel, or dtypes or devices differ.
        ValueError: If there are more amplitudes than `budget`, an outcome is read before it is
            measured, or the state is of the wrong size.

    Transforms:
        vmap, grad, jvp, jacrev, jacfwd, hessian, in the state and in the circuit's leaves.

    Examples:
        >>> from quilt_func import circuit, conditional, h, measure, run_branches, x
        >>> teleported = circuit(2, h(0), measure(0, "m"), conditional("m", x([0, 1]), 1))
        >>> run_branches(teleported).states.abs()
        tensor([[0.7071, 0.0000, 0.0000, 0.0000],
                [0.0000, 0.7071, 0.0000, 0.0000]])

    References:
        Nielsen and Chuang (2010), section 2.2.3.
    """
    function = "run_branches"
    check_circuit(function, "circuit", circuit)
    check_keys(function, circuit)
    if prune is not None:
        check_count(function, "prune", prune, 1)
    outcomes = (n for op in circuit.ops for n in outcomes_of(op))
    check_budget(function, outcomes, 2**circuit.n_qubits, budget, prune)
    kind = kind_of_branches(function, circuit, state)
    walk = BranchWalk(circuit.n_qubits, state, *kind, prune)
    return Branches(walk.run(circuit.ops), walk.bits, walk.dropped)


def kind_of_branches(
    function: str, circuit: Circuit, state: Tensor | None
) -> tuple[torch.dtype, torch.device]:
    """Check a state that a run begins with, and return its dtype and device."""
    if state is None:
        return default_kind(function, circuit.leaves, None, None)
    check_state_size(function, state, circuit.n_qubits)
    common_dtype_and_device(function, [state, *circuit.leaves])
    return state.dtype, state.device


def check_budget(
    function: str, outcomes: Iterable[int], size: int, budget: float, prune: int | None = None
) -> None:
    """Check that branches of so many entries keep within a budget, before any is left out."""
    if not is_number(budget):
        remedy = "Give the most amplitudes that all branches may have together."
        raise kind_error(function, "budget", budget, "be a number", remedy)
    most = now = 1
    for one in outcomes:
        now *= one
        most, now = max(most, now), now if prune is None else min(now, prune)
    if most * size > budget:
        need = f"be {most * size} or more, for {most} branches of {size}"
        remedy = "Raise it, measure less, or use `run_trajectory`."
        raise ValueError(message(function, "budget", budget, need, f"{budget}", remedy))
