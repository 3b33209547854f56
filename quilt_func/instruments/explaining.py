"""What a run on all branches costs: its stretches, and the branches that each is run on."""

from typing import NamedTuple

import torch

from quilt_func.circuits import Circuit, default_kind
from quilt_func.evolution import Cost, cost_of
from quilt_func.instruments.conditions import Bits
from quilt_func.instruments.feed_forward import innermost, resolved
from quilt_func.instruments.instrument_rows import (
    Measurement,
    Postselection,
    Reset,
    projectors,
)
from quilt_func.instruments.keys import outcomes_of
from quilt_func.ops import Op


class Stretch(NamedTuple):
    """Ops that are run at once on all branches.

    Attributes:
        ops: Gates, and whether each depends on the branch.
        n_branches: How many branches there are.
        end: What it is run for.
    """

    ops: list[tuple[Op, bool]]
    n_branches: int
    end: str


def explain_branches(circuit: Circuit) -> tuple[str, int]:
    """The table of the stretches of `run_branches`, and how many branches there are at most."""
    stretches, most = _stretches(circuit)
    n, size = circuit.n_qubits, 2**circuit.n_qubits
    lines = [
        f"{most} branches on {n} qubits, in {len(stretches)} stretches",
        "stretch  gates  steps  passes  branches  amplitudes  arithmetic       up to",
    ]
    passes, work = 0, 0.0
    for number, one in enumerate(stretches, 1):
        cost = _cost(n, one, number == 1)
        own = cost.operations * one.n_branches / 1e6
        passes, work = passes + cost.passes, work + own
        told = f"{own:.3g} Mflop"
        lines.append(
            f"{number:7}  {cost.n_gates:5}  {cost.n_steps:5}  {cost.passes:6}  {one.n_branches:8}  "
            f"{one.n_branches * size:10}  {told:15}  {one.end}"
        )
    lines.append(f"  total  {passes} passes over all branches, {work:.3g} Mflop")
    return "\n".join(lines), most


def _cost(n_qubits: int, one: Stretch, is_first: bool) -> Cost:
    ops = [op for op, _ in one.ops]
    mapped = [is_mapped for _, is_mapped in one.ops]
    return cost_of(n_qubits, ops, from_zero=is_first, mapped=mapped)


def _stretches(circuit: Circuit) -> tuple[list[Stretch], int]:
    """What `run_branches` runs between outcomes, and the branches in the end."""
    kind = default_kind("explain", circuit.leaves, None, None)
    bits: Bits = {}
    found: list[Stretch] = []
    waiting: list[tuple[Op, bool]] = []
    n_branches = 1
    for op in circuit.ops:
        row = innermost(op.gate)
        if isinstance(row, Measurement | Reset):
            for wires, n_outcomes in zip(op.wires, outcomes_of(op), strict=True):
                if waiting:
                    found.append(Stretch(waiting, n_branches, f"{op.gate.name} on {wires}"))
                    waiting = []
                n_branches *= n_outcomes
            bits |= bits_of(row)
        elif isinstance(row, Postselection):
            waiting += [(one, False) for one in projectors(op)]
        else:
            waiting.append((resolved(op, bits, *kind), bool(op.gate.reads)))
    found += [Stretch(waiting, n_branches, "the end")] if waiting else []
    return found, n_branches


def bits_of(row: object) -> Bits:
    """Bits that stand for those that a row measures: which are there, not what they are."""
    if not isinstance(row, Measurement):
        return {}
    return {row.writes: torch.zeros(row.n_wires, dtype=torch.int64)}
