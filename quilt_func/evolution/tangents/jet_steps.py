"""Jets, a state and its tangents in all directions as one tensor, and a segment's steps on them.

A jet is `(pair, lead, 2**n, last, 1 + n_directions)`: first the state, then its tangents. A state
`ψ' = U ψ` has the tangent `ψ̇' = U ψ̇ + U̇ ψ`. The way back is the same step with `U†` and `U̇†`, taken
by the state and its cotangent as a pair; their products are the gradients of the steps, and the
tangents of these. A block brings its wires last, and is then a product of rows, wherever these
wires are.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from quilt_func.evolution.constants import Constants
from quilt_func.evolution.layout import Layout
from quilt_func.evolution.planner import Segment
from quilt_func.evolution.steps import Built, Step
from quilt_func.evolution.tangents.jacobians import ByLeaf, Pushforward


class JetSteps:
    """A segment's steps on jets; on the way back those of the adjoint."""

    def __init__(
        self, segment: Segment, pushforwards: Sequence[Pushforward], constants: Constants,
        layout: Layout, *, is_back: bool,
    ) -> None:  # fmt: skip
        self.segment, self.pushforwards, self.is_back = segment, pushforwards, is_back
        self.built = Built([one.value for one in pushforwards], segment.recipes, constants, layout)
        self.operands: list[tuple[Any, Any]] = [
            recipe.operands_of_tangents(one.value, one.tangent, self.built, is_back=is_back)
            for recipe, one in zip(segment.recipes, pushforwards, strict=True)
        ]
        self.products: list[dict[int, Tensor]] = [{} for _ in pushforwards]

    def taken(self, step: Step, jet: Tensor, known: Tensor | None = None) -> Tensor:
        """The jet after a step, whose gradient is noted on the way back."""
        i = step.recipe
        operand, tangent = (None, None) if i is None else self.operands[i]
        is_wanted = self.is_back and i is not None and self.pushforwards[i].is_wanted
        jet, product = step.push(
            operand, tangent, jet, is_back=self.is_back, is_wanted=is_wanted, known=known
        )
        if product is not None and i is not None:
            self.products[i][step.position] = product
        return jet

    def pulled(self) -> Iterator[ByLeaf]:
        """Gradients of the leaves of all that was built, and their tangents."""
        each = zip(self.segment.recipes, self.pushforwards, self.products, strict=True)
        for recipe, one, products in each:
            if products:
                joined = recipe.join_tangents(products, self.built.constants)
                yield from one.pull(self.built.layout.by_key(joined, recipe.key))
