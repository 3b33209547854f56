"""What a kind of step is: a row, like a gate. The engine is loops over rows.

A kind says which gates it takes and at what price, and collects them: into `Step`s, which act on
states, and `Recipe`s, which build what several steps of a segment act with. All three are integers
and constants only, cached with the plan. A new kind is one file, and one entry of `KINDS`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from quilt_func.evolution.batching import BatchKey
from quilt_func.evolution.constants import Constants
from quilt_func.evolution.layout import Layout
from quilt_func.ops import Gate, Structure
from quilt_func.typing import WireSet

Index: TypeAlias = NDArray[np.int64]

Params: TypeAlias = Sequence[Sequence[Tensor]] | Mapping[int, Sequence[Tensor]]
"""Of each op that is built, its parameters `(m, *event)` or, batched, `(m, batch, *event)`."""


@dataclass(frozen=True, eq=False, slots=True)
class Applied:
    """One gate on one wire set: set number `slot` of op number `op`."""

    op: int
    slot: int
    gate: Gate
    wires: WireSet
    key: BatchKey

    @property
    def is_constant(self) -> bool:
        """Whether the gate has no parameters."""
        return not self.gate.n_params


Windows: TypeAlias = Iterator[WireSet]


class Part(NamedTuple):
    """Gates of one step in order, its kind and its wires."""

    kind: "Kind"
    wires: WireSet
    gates: list[Applied]


class Price(NamedTuple):
    """What a step costs.

    Attributes:
        passes: How often the state is read and written.
        operations: Real operations per amplitude; a cosine and a sine count as 16.
        cost: What the planner compares, in passes over the state.
    """

    passes: int
    operations: int
    cost: float


@dataclass(frozen=True)
class CostModel:
    """Relative costs, in passes over a state.

    Fitted by hand to runs of 8 to 22 qubits in complex64 on two cores of an AMD EPYC, torch 2.13,
    in November 2026; nothing has been fitted on a GPU.

    Attributes:
        products: Complex products per amplitude that cost as much as a pass.
        call: Amplitudes of the state over which a pass takes as long as a call.
        order: Passes in which wires are put in another order.
        short_window: Passes for the many tiny products of a window 1 to 3 wires before the last.
        phases: Passes that a cosine and a sine per amplitude take.
        phases_calls: Calls of a step of phases.
        gates_per_pass: Diagonal gates whose words cost a pass.
    """

    products: float = 8.0
    call: float = 2.0**12
    order: float = 2.0
    short_window: float = 2.0
    phases: float = 4.0
    phases_calls: float = 6.0
    gates_per_pass: float = 40.0

    def call_share(self, n_qubits: int) -> float:
        """Passes in the time of a call; a state of a few qubits costs as much as one of 12."""
        return self.call / 2.0 ** max(n_qubits, 12)


COSTS = CostModel()


@dataclass(frozen=True)
class Step:
    """One step of a run: what it does to contiguous states `(lead, 2**n, last)`.

    As it stands it is a step with nothing to build, such as a permutation, for which a kind says
    how to `apply` and to `undo` it.

    Attributes:
        wires: Wires that it acts on, ascending.
        n_gates: Gates that it stands for.
        recipe: Which of its segment's recipes builds what it acts with, or None.
        position: Which of the recipe's tensors that is.
    """

    wires: WireSet
    n_gates: int
    recipe: int | None = None
    position: int = 0
    name: ClassVar[str]
    """Its kind's name."""
    is_reversible: ClassVar[bool] = True
    """Whether the state before it follows from the state after it."""

    def operand(self, built: "Built") -> Any:
        """What the step acts with, taken from what its segment built: a matrix, say, or None."""

    def apply(self, operand: Any, state: Tensor, out: Tensor) -> None:
        """Write the state after the step to `out`."""
        raise NotImplementedError

    def undo(self, operand: Any, state: Tensor, out: Tensor) -> None:
        """Write the state before the step to `out`."""
        raise NotImplementedError

    def pull(
        self, operand: Any, cotangent: Tensor, state: Tensor, out: Tensor, *, is_wanted: bool
    ) -> Tensor | None:
        """The vjp at the state before the step.

        Args:
            operand: What the step acts with.
            cotangent: Conjugate of the gradient after the step, so that no product conjugates it.
            state: State before the step.
            out: Where the cotangent before the step is written.
            is_wanted: Whether the gradient of what was built is.

        Returns:
            That gradient, `(lead, *shape)`, or None, as the recipe's `join` takes several of them.
        """
        self.undo(operand, cotangent, out)
        return None

    def starts_from_zero(self, n_qubits: int) -> bool:
        """Whether `apply_plainly` takes None for |0...0⟩."""
        return False

    def apply_plainly(self, built: "Built", state: Tensor | None) -> Tensor:
        """The flat state after the step in ordinary torch calls; None stands for |0...0⟩."""
        raise NotImplementedError

    def push(
        self, operand: Any, tangent: Any, jet: Tensor, *, is_back: bool, is_wanted: bool,
        known: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:  # fmt: skip
        """The jvp: the jet after the step, or the jets of state and cotangent before it.

        Args:
            operand: What the step acts with, by `Recipe.operands_of_tangents`.
            tangent: Its tangents, or None.
            jet: See `tangents.tangent_run`.
            is_back: Whether to go back.
            is_wanted: Whether the gradient of what was built is.
            known: The jet before an irreversible step, on the way back.

        Returns:
            The jet, and the gradient of what was built with its tangents, if that is wanted.
        """
        flat = jet.contiguous().view(-1, jet.shape[2], jet.shape[3] * jet.shape[4])
        out = torch.empty_like(flat)
        (self.undo if is_back else self.apply)(operand, flat, out)
        return out.view(jet.shape), None

    def price(self, n_qubits: int) -> Price:
        """What the step costs."""
        raise NotImplementedError


class Recipe(Protocol):
    """How parameters become the tensor that steps act with, and how its gradients are joined.

    Attributes:
        key: Batch key of the parameters.
        ops: Ops whose parameters it is built of.
        rotations: Table and angles, if it is built of rotations, whose slopes can be had; or None.
    """

    @property
    def rotations(self) -> Any: ...
    @property
    def key(self) -> BatchKey: ...
    @property
    def ops(self) -> tuple[int, ...]: ...

    def build(self, params: Params, constants: Constants, derived: Tensor | None = None) -> Tensor:
        """One tensor `(batch, ...)` in plain torch calls; see `block_build.blocks`."""

    def join(self, parts: Mapping[int, Tensor], constants: Constants) -> Tensor:
        """The gradient of what was built, `(..., *shape)`, of those of the steps by position."""

    def operands_of_tangents(
        self, value: Tensor, tangent: Tensor | None, built: "Built", *, is_back: bool
    ) -> tuple[Any, Any]:
        """What `Step.push` takes, of what was built and of its tangents."""


class Built(NamedTuple):
    """What a segment built, one tensor for each recipe, and what steps need beside it."""

    tensors: Sequence[Tensor]
    recipes: Sequence[Recipe]
    constants: Constants
    layout: Layout


class Kind:
    """A kind of step: which gates it takes, at what price, and what it makes of them.

    Attributes:
        name: One word for tables.
        looks_ahead: Whether a step may be taken for the sake of the one after it.
        placing: Where its steps find their wires: at any places that their gates name, at such
            that are neighbours, or where the circuit has them.
    """

    name: str
    looks_ahead = False
    placing: Literal["anywhere", "neighbours", "fixed"] = "fixed"

    def fits(self, gate: Gate) -> bool:
        """Whether it takes a gate."""
        raise NotImplementedError

    def is_needed(self, rows: Iterable[Gate]) -> bool:
        """Whether a circuit of some gates may have steps of this kind."""
        return True

    def most(self, width: int) -> int | None:
        """Gates that a step on so many wires takes, at most."""
        return None

    def windows(self, n_qubits: int, pending: Sequence[Applied], *, is_batched: bool) -> Windows:
        """Sets of wires to try, given some pending gates, the first of all first."""
        yield tuple(range(n_qubits))

    def is_worth(self, gates: Iterator[Applied]) -> bool:
        """Whether some gates are worth a step."""
        return True

    def price(self, n_qubits: int, wires: WireSet, n_gates: int) -> Price:
        """What a step costs."""
        raise NotImplementedError

    def collect(
        self, ops: Sequence[Structure], n_qubits: int, first: int, parts: Mapping[int, Part]
    ) -> tuple[list[Recipe], dict[int, Step]]:
        """The recipes and, by number, the steps of a segment's parts.

        Args:
            ops: Structures of all ops.
            n_qubits: Number of qubits.
            first: The number that the first of these recipes has in the segment.
            parts: Parts of this kind by their number in the segment.
        """
        raise NotImplementedError
