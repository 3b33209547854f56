"""Block matrices and their Jacobians: pushforward along many tangents, pullback to the angles.

A block's matrix `M(θ)` has the tangent `Ṁ = Σ_j ∂_j M t_j` along a direction `t` of its angles. A
gradient `G` by `M`, with the tangent `Ġ`, gives angle `j` the gradient `Re tr(∂_j M† G)`, whose
tangent is `Re tr(∂_j M† Ġ) + Σ_k Re tr(∂_j ∂_k M† G) t_k`. Two classes compute all this.

`Slopes` is for rotations, whose derivative is half of the rotation by π more: a block is built once
as it is and once for each of its few angles, with that turned by π. The number of directions does
not matter, as they enter small matrix products only. `Duals` is for all else: one copy for each
direction, in torch's forward mode.

References:
    Crooks (2019), arXiv:1905.13311, for derivatives of gates as gates of other angles.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from quilt_func._torch import push_forward
from quilt_func.evolution.constants import Constants
from quilt_func.evolution.steps.block_recipe import OfTable, Stack

Make: TypeAlias = Callable[[Mapping[int, Sequence[Tensor]], Tensor | None], Tensor]
"""Builds `(batch, n_blocks, *shape)` of some ops' parameters `(m, batch, *event)`, some angles of
which are turned by π; see `block_build.blocks`."""


FEW = 16
"""A block of at most so many slopes is built by them, however few directions there are."""


class Leaf(NamedTuple):
    """A parameter of an op.

    Attributes:
        value: `(m, batch, *event)`.
        tangent: `(m, batch, n_directions, *event)`, or None for zero.
        place: Its number among the leaves; None if it is a number, not a leaf.
        is_wanted: Whether its gradient is.
    """

    value: Tensor
    tangent: Tensor | None
    place: int | None
    is_wanted: bool


Leaves: TypeAlias = Mapping[int, Sequence[Leaf]]
"""Of some ops, their parameters."""


class ByLeaf(NamedTuple):
    """Gradient of a leaf and its tangents, `(m, batch, 1 + n_directions, *event)`."""

    place: int
    jet: Tensor


class Pushforward:
    """The tensor that a recipe builds, its tangents, and the way back to the leaves.

    Attributes:
        value: `(batch, n_blocks, *shape)`.
        tangent: `(batch, n_directions, n_blocks, *shape)`, or None for zero.
        is_wanted: Whether the gradient of any leaf is.
    """

    value: Tensor
    tangent: Tensor | None = None
    is_wanted: bool = False

    def pull(self, by: Tensor) -> Iterator[ByLeaf]:
        """The vjp and its tangents: gradients of leaves, by that of the value.

        Args:
            by: `(batch, 1 + n_directions, n_blocks, *shape)`, the gradient and its tangents.
        """
        raise NotImplementedError


class Fixed(Pushforward):
    """A tensor without tangents whose gradient nobody asks for."""

    def __init__(self, make: Make, leaves: Leaves) -> None:
        self.value = make({op: [leaf.value for leaf in own] for op, own in leaves.items()}, None)


def pushforward(
    make: Make, recipe: OfTable | None, leaves: Leaves, n_directions: int,
    constants: Constants,
) -> Pushforward:  # fmt: skip
    """Build a tensor and its tangents: by slopes if it has few of them, else by duals."""
    if not _is_active(leaves):
        return Fixed(make, leaves)
    if recipe is not None and not recipe.table.rows and has_few_slopes(recipe, n_directions):
        return Slopes(make, recipe, leaves, constants)
    return Duals(make, leaves, n_directions)


def has_few_slopes(recipe: OfTable, n_directions: int) -> bool:
    """Tell whether slopes cost less than directions; of a product state each is a whole state."""
    n_slopes = recipe.angles.shape[1]
    return n_slopes < 2 * n_directions or (isinstance(recipe, Stack) and n_slopes <= FEW)


def _is_active(leaves: Leaves) -> bool:
    flat = (leaf for own in leaves.values() for leaf in own)
    return any(leaf.is_wanted or leaf.tangent is not None for leaf in flat)


class Duals(Pushforward):
    """Copies in forward mode, one for each direction; before them one without, for gradients."""

    def __init__(self, make: Make, leaves: Leaves, n_directions: int) -> None:
        flat = [leaf for own in leaves.values() for leaf in own]
        batch = max((leaf.value.shape[1] for leaf in flat), default=1)
        self.is_wanted = any(leaf.is_wanted for leaf in flat)
        self.copies = n_directions + self.is_wanted
        self.wanted = [leaf for leaf in flat if leaf.is_wanted]
        values = [self._copied(leaf) for leaf in flat]
        self.sources = [v for v, leaf in zip(values, flat, strict=True) if leaf.is_wanted]
        tangents = [self._with_rest(leaf.tangent) for leaf in flat]

        def make_one(given: Sequence[Tensor]) -> list[Tensor]:
            remaining = iter(given)
            return [make({op: [next(remaining) for _ in own] for op, own in leaves.items()}, None)]

        with torch.inference_mode(False), torch.enable_grad():
            ((self.built, self.tangents_built),) = push_forward(make_one, values, tangents)
        self.value = self._split(self.built, batch)[:, 0].detach()
        if self.tangents_built is not None:
            self.tangent = self._split(self.tangents_built, batch)[
                :, self.copies - n_directions :
            ].detach()

    def pull(self, by: Tensor) -> Iterator[ByLeaf]:
        """See `Pushforward`."""
        first, pairs = by[:, :1], [(self.built, by)]
        if self.tangents_built is not None and self.tangents_built.requires_grad:
            rest = first.expand(-1, self.copies - 1, *first.shape[2:])
            pairs.append((self.tangents_built, torch.cat([torch.zeros_like(first), rest], 1)))
        outputs, gradients = zip(*pairs, strict=True)
        flat = [gradient.flatten(0, 1) for gradient in gradients]
        found = torch.autograd.grad(outputs, self.sources, flat, allow_unused=True)
        for leaf, both in zip(self.wanted, found, strict=True):
            if both is not None and leaf.place is not None:
                yield ByLeaf(leaf.place, both.unflatten(1, (-1, self.copies)))

    def _copied(self, leaf: Leaf) -> Tensor:
        copies = leaf.value.unsqueeze(2).expand(-1, -1, self.copies, *leaf.value.shape[2:])
        return copies.flatten(1, 2).detach().requires_grad_(leaf.is_wanted)

    def _with_rest(self, tangent: Tensor | None) -> Tensor | None:
        if tangent is None:
            return None
        rest = torch.zeros_like(tangent[:, :, :1])
        copies = torch.cat([rest, tangent], 2) if self.is_wanted else tangent
        return copies.flatten(1, 2).detach()

    def _split(self, tensor: Tensor, batch: int) -> Tensor:
        split: Tensor = tensor.unflatten(0, (batch, self.copies))
        return split


class Slopes(Pushforward):
    """Blocks of rotations, and each block's derivatives by its own angles."""

    def __init__(self, make: Make, recipe: OfTable, leaves: Leaves, constants: Constants) -> None:
        turns = recipe.table.rotations
        self.leaves = [leaf for op in turns for leaf in leaves[op]]
        self.is_wanted = any(leaf.is_wanted for leaf in self.leaves)
        values = [leaf.value for leaf in self.leaves]
        self.sizes = [len(value) for value in values]
        theta = torch.cat(values)
        self.places = constants.index(recipe, "angles")
        self.weights = constants.real(recipe, "weights")
        turned = constants.mask(recipe, "turned")
        turned = turned if theta.shape[1] == 1 else turned.repeat(1, theta.shape[1])
        copies = theta.repeat_interleave(len(self.weights), 1)
        self.theta = copies.detach().requires_grad_(self.is_wanted)
        with torch.inference_mode(False), torch.enable_grad():
            parts = zip(turns, self.theta.split(self.sizes), strict=True)
            self.built = make({op: [part] for op, part in parts}, turned)
        copies = self.built.detach().unflatten(0, (theta.shape[1], -1))
        self.value = copies[:, 0]
        self.slopes = 0.5 * _reals(copies[:, 1:]).movedim(2, 1)
        self.along = self._along()
        self.tangent = self._tangent()

    def pull(self, by: Tensor) -> Iterator[ByLeaf]:
        """See `Pushforward`."""
        weights = self.weights.view(-1, *(1,) * (by.ndim - 2))
        halves = (by[:, :1] * weights).flatten(0, 1)
        (flat,) = torch.autograd.grad(self.built, self.theta, halves)
        found = flat.unflatten(1, (-1, len(self.weights)))
        tangents = _reals(by[:, 1:]).movedim(2, 1) @ self.slopes.mT
        if self.along is not None:
            curvature = self._of_blocks(found)[..., 1:].permute(2, 0, 3, 1)
            tangents = tangents + self.along @ curvature
        by_theta = torch.cat([found[..., :1], self._of_angles(tangents, len(found))], -1)
        for leaf, part in zip(self.leaves, by_theta.split(self.sizes), strict=True):
            if leaf.is_wanted and leaf.place is not None:
                yield ByLeaf(leaf.place, part)

    def _along(self) -> Tensor | None:
        """Tangents of each block's angles, `(batch, n_blocks, n_directions, n_slopes)`."""
        given = [leaf.tangent for leaf in self.leaves if leaf.tangent is not None]
        if not given:
            return None
        shape = given[0].shape[1:]
        filled = [
            leaf.value.new_zeros(len(leaf.value), *shape) if leaf.tangent is None else leaf.tangent
            for leaf in self.leaves
        ]
        return self._of_blocks(torch.cat(filled)).permute(2, 0, 3, 1).contiguous()

    def _tangent(self) -> Tensor | None:
        if self.along is None:
            return None
        flat = (self.along @ self.slopes).unflatten(-1, (-1, 2)).movedim(2, 1)
        tangents_built = torch.view_as_complex(flat.contiguous())
        split: Tensor = tangents_built.unflatten(-1, self.value.shape[2:])
        return split

    def _of_blocks(self, of_angles: Tensor) -> Tensor:
        """`(n_blocks, n_slopes, *rest)` of `(n_angles, *rest)`, zero for blocks of few angles."""
        padded = torch.cat([of_angles, torch.zeros_like(of_angles[:1])])
        shape = self.slopes.shape[1], self.slopes.shape[2]
        split: Tensor = padded.index_select(0, self.places).unflatten(0, shape)
        return split

    def _of_angles(self, of_blocks: Tensor, n_angles: int) -> Tensor:
        """`(n_angles, batch, n_directions)` of `(batch, n_blocks, n_directions, n_slopes)`."""
        rows = of_blocks.permute(1, 3, 0, 2).flatten(0, 1)
        out = rows.new_zeros(n_angles + 1, *rows.shape[1:])
        return out.index_copy(0, self.places, rows)[:n_angles]


def _reals(tensor: Tensor) -> Tensor:
    """`(a, b, n_blocks, 2 * size)` of complex `(a, b, n_blocks, *shape)`."""
    return torch.view_as_real(tensor.resolve_conj()).flatten(3)
