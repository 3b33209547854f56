"""Functions of autograd: rules, written once, and two routes through the levels of transforms.

The *public* route is `torch.autograd.Function` as torch documents it. It meets each level of
`torch.func` in Python: it makes a class and walks its arguments as trees, many times over. The
*fast* route keeps arguments flat and makes classes once. It needs names that torch does not promise
to keep; without one of them everything takes the public route.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, Self, TypeAlias

from torch import Tensor

Results: TypeAlias = Tensor | tuple[Tensor, ...]
Dims: TypeAlias = Sequence[int | None]
"""The axis of each tensor that is mapped over; None where there is none."""


class StaticArgument(Protocol):
    """What a Function is told besides tensors. No tuple: torch would take it apart."""

    def __hash__(self) -> int: ...

    def mapped(self, dims: Dims, size: int) -> Self:
        """The argument below one more level of `vmap`, whose axis tensors with a dim have first."""


class Primitive:
    """A Function of one static argument and of tensors, some of which may be None.

    It returns new tensors. What a rule is given are the values at the level that it is for.
    """

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Static argument and tensors -> results, below all levels."""
        raise NotImplementedError

    @staticmethod
    def setup_context(ctx: Any, tensors: Sequence[Tensor | None], output: Any) -> None:
        """Save what `backward` needs, beside `ctx.static`: by default, the tensors."""
        del output
        ctx.save_for_backward(*tensors)

    @staticmethod
    def wanted(ctx: Any) -> tuple[bool, ...]:
        """Whether `backward` is asked for a gradient of each tensor."""
        needed: tuple[bool, ...] = ctx.needs_input_grad[1:]
        return needed

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """Gradients of results -> those of the tensors, or None (the vjp)."""
        raise NotImplementedError

    @staticmethod
    def push(
        static: Any, values: Sequence[Any], tangents: Sequence[Tensor | None]
    ) -> tuple[Results, Results]:
        """Tensors, and tangents that are not all None -> results and their tangents (the jvp)."""
        raise NotImplementedError

    @staticmethod
    def batch_first(tensor: Tensor, dim: int | None) -> Tensor:
        """The tensor with the axis that is mapped over, if any, in front."""
        return tensor if dim is None else tensor.movedim(dim, 0)

    @staticmethod
    def result_dims(dims: Dims, n_results: int) -> Dims:
        """The axis of each result that is mapped over, by those of the tensors."""
        del dims
        return (0,) * n_results

    @classmethod
    def vmap(
        cls, size: int, dims: Dims, static: StaticArgument, tensors: Sequence[Tensor | None]
    ) -> tuple[Results, Dims]:
        """Tensors with an axis to map over -> results, and that axis of each."""
        pairs = zip(tensors, dims, strict=True)
        if size == 1:  # `jacrev` makes it of a scalar; it needs no axis
            plain = (t if t is None or dim is None else t.squeeze(dim) for t, dim in pairs)
            found = cls.apply(static, *plain)
            if isinstance(found, Tensor):
                return found[None], (0,)
            return tuple(one[None] for one in found), (0,) * len(found)
        first = (t if t is None else cls.batch_first(t, dim) for t, dim in pairs)
        found = cls.apply(static.mapped(dims, size), *first)
        return found, cls.result_dims(dims, 1 if isinstance(found, Tensor) else len(found))

    @classmethod
    def apply(cls, static: StaticArgument, *tensors: Tensor | None) -> Any:
        """Static argument and tensors -> results, by the rules of the levels around the caller."""
        return route(cls, static, tensors)


def _fastest() -> Callable[[type[Primitive], StaticArgument, Sequence[Tensor | None]], Any]:
    try:
        from quilt_func._torch.fast_functions import apply
    except ImportError:
        from quilt_func._torch.public_functions import apply
    return apply


route = _fastest()
"""The route of all Primitives; tests put the other one in its place."""
