"""A function of any arguments as one of a single real vector, which laws differentiate."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from quilt_func._torch import tree_leaves, tree_unflatten, unconjugated
from quilt_func.testing.tolerances import fd_tolerance, tolerance


class NotApplicableError(Exception):
    """The function has no numbers to differentiate, or no tensors to map over."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A function of some tensors, seen as one of a single real vector.

    Attributes:
        fn: The function.
        leaves: All leaves of its arguments.
        structure: How they make the arguments.
        scale: Size of its third derivatives.
    """

    fn: Callable[..., Any]
    leaves: tuple[Any, ...]
    structure: Any
    scale: float

    @property
    def moving(self) -> list[int]:
        """Which leaves hold real or complex numbers."""
        return [i for i, leaf in enumerate(self.leaves) if is_numeric(leaf)]

    def point(self) -> Tensor:
        """The real vector of all these numbers."""
        if not self.moving:
            raise NotApplicableError
        return torch.cat([real_numbers(self.leaves[i]) for i in self.moving])

    def with_leaves(self, found: dict[int, Any]) -> list[Tensor]:
        """The tensors of the value at other leaves."""
        leaves = [found.get(i, leaf) for i, leaf in enumerate(self.leaves)]
        value = self.fn(*tree_unflatten(leaves, self.structure))
        return [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]

    def apart(self, vector: Tensor) -> dict[int, Tensor]:
        """The leaves that a real vector stands for."""
        found, start = {}, 0
        for i in self.moving:
            leaf = self.leaves[i]
            size = leaf.numel() * (2 if leaf.is_complex() else 1)
            part = vector[start : start + size]
            if leaf.is_complex():
                part = torch.complex(*part.reshape(-1, 2).unbind(-1))
            found[i], start = part.reshape(leaf.shape), start + size
        return found

    def values(self, vector: Tensor) -> Tensor:
        """All real numbers of the value."""
        tensors = [leaf for leaf in self.with_leaves(self.apart(vector)) if is_numeric(leaf)]
        if not tensors:
            raise NotApplicableError
        return torch.cat([real_numbers(leaf) for leaf in tensors])

    def number(self, vector: Tensor) -> Tensor:
        """One number that depends on all of these."""
        found = self.values(vector)
        weighed: Tensor = found @ waves(found, 0.3)
        return weighed


def is_numeric(leaf: object) -> bool:
    return isinstance(leaf, Tensor) and (leaf.is_floating_point() or leaf.is_complex())


def real_numbers(leaf: Tensor) -> Tensor:
    """All numbers in a row; no view, whose gradient would have to start at an even place."""
    if not leaf.is_complex():
        return leaf.reshape(-1)
    plain = unconjugated(leaf)
    return torch.stack([plain.real, plain.imag], -1).reshape(-1)


def waves(like: Tensor, phase: float) -> Tensor:
    """Fixed weights of all sizes in (-1, 1), of a vector's length."""
    steps = torch.arange(like.shape[0], dtype=like.dtype, device=like.device)
    return (1.7 * steps + phase).cos()


def points_near(vector: Tensor) -> Tensor:
    """Three points nearby; none leaves [0, 1) that was in it."""
    steps = [0.0, 0.05, 0.1]
    return torch.stack([vector * (1 - by * (1 + waves(vector, by)) / 2) for by in steps])


def bounds(subject: Subject, order: int) -> tuple[float, float]:
    """Tolerances against finite differences, and against other transforms."""
    point = subject.point()
    size = (1.0 + float(subject.values(point).detach().abs().sum())) * subject.scale
    size *= (1.0 + point.numel() ** 0.5) ** order  # of the direction
    return fd_tolerance(point.dtype, size), tolerance(point.dtype, 4096, size)


def difference(f: Callable[[Tensor], Tensor], point: Tensor, along: Tensor) -> Tensor:
    step = torch.finfo(point.dtype).eps ** (1 / 3)
    change = f(point + step * along) - f(point - step * along)
    slope: Tensor = change.detach() / (2 * step)
    return slope
