"""A quantum model as an ordinary `torch.nn.Module`, for networks that are built of modules."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.func import vmap
from torch.nn import Module, Parameter

from quilt_func._checks import (
    COMPLEX_OF,
    a_kind,
    check_count,
    check_is,
    common_dtype_and_device,
    describe,
    is_index,
    kind_error,
    message,
    names_of,
)
from quilt_func._torch import own_precision, tree_flatten, tree_map, tree_paths, tree_unflatten
from quilt_func.replay import jit as replayed
from quilt_func.typing import PyTree

__all__ = ["QuantumLayer"]

Shape: TypeAlias = tuple[int, ...]


class QuantumLayer(Module):
    """A function of parameters and a sample as a module: `(..., *in_shape)` to `(..., *out_shape)`.

    Axes in front of a sample's own are batches, as for `torch.nn.Linear`: none, one or many, also
    of length 0. `QuantumLayer(model, params)(x)` of a batch is `vmap(model, (None, 0))(params, x)`
    with parameters that the module owns: `state_dict`, `.to(device)`, `.double()`,
    `copy.deepcopy`, optimisers of `torch.optim`, `torch.func.functional_call` and `torch.compile`
    work as for any other module. It can be pickled if the model is a function of a module.

    The layer computes in the precision of its parameters, float32 or float64, and gives results of
    it, as loss functions do below `torch.autocast`. Inputs of lower precision, from autocast or
    from neighbours in bfloat16, are cast up, which loses nothing; those of higher are refused.
    After `.half()` or `.bfloat16()` of a whole network call `.float()` on this layer.

    Args:
        model: Function `model(params, *sample)` to a tensor, such as `(n_outputs,)`.
        params: Where the parameters start: any tree of tensors. They are copied. Floating-point and
            complex tensors become parameters, other tensors buffers; a leaf is named by its path,
            such as `theta` or `layers/0/theta`, a tree that is one tensor `params`.
        in_shape: Shape of one sample, such as `(4,)`, or `()` for numbers; for models of several
            inputs a list of shapes, one for each. Without it a sample is the last axis, of any
            length: never the first axis, so that one sample is not taken for a batch of numbers.
        out_shape: Shape of the model's result for one sample. Without it, but with `in_shape`, the
            model is run once on zeros to find it; give it for a model that zeros won't do for.
        jit: Whether the model of a batch, and its gradients, are traced once per shape and replayed
            by `quilt_func.jit`: faster for models of up to some twelve qubits, and subject to what
            `jit` refuses.

    Raises:
        TypeError: If `model` can't be called or does not return a tensor, or shapes are not
            ints, or `jit` is not a bool.
        ValueError: If the tree has no tensor, a name is taken by the module itself, or a length is
            negative.

    Transforms:
        vmap, grad, jvp, hessian, in what `torch.func.functional_call` is given.

    Examples:
        >>> import torch
        >>> import quilt_func as qf
        >>> def model(params, x):
        ...     circuit = qf.circuit(2, qf.ry(x, range(2)), qf.cx(0, 1), qf.ry(params["theta"], 1))
        ...     return qf.expval(circuit(), [qf.pauli_sum({"ZI": 1.0}), qf.pauli_sum({"IZ": 1.0})])
        >>> layer = QuantumLayer(model, {"theta": torch.tensor(0.1)}, in_shape=(2,))
        >>> layer
        QuantumLayer(model, theta=Tensor(shape=(), dtype=float32), in_shape=(2,), out_shape=(2,))
        >>> network = torch.nn.Sequential(torch.nn.Linear(5, 2), layer, torch.nn.Linear(2, 3))
        >>> network(torch.zeros(7, 5)).shape, network(torch.zeros(5)).shape
        (torch.Size([7, 3]), torch.Size([3]))
    """

    in_shape: Shape | tuple[Shape, ...] | None
    out_shape: Shape | None

    def __init__(
        self,
        model: Callable[..., Tensor],
        params: PyTree,
        in_shape: int | Sequence[Any] | None = None,
        out_shape: int | Sequence[int] | None = None,
        *,
        jit: bool = False,
    ) -> None:
        super().__init__()
        remedy = "Give a function `model(params, x)`."
        check_is("QuantumLayer", "model", model, Callable, "be a function", remedy)
        self.model = model
        self.in_shape, self._shapes = _in_shapes(in_shape)
        self.out_shape = None if out_shape is None else _shape("out_shape", out_shape)
        remedy = "Give `jit=True` to replay the model, or leave it out."
        check_is("QuantumLayer", "jit", jit, bool, "be a bool", remedy)
        self._of_batch = replayed(self._mapped) if jit else self._mapped
        leaves, structure = tree_flatten(params)
        self._places: list[tuple[str, Any]] = []
        for name, leaf in zip(tree_paths(params), leaves, strict=True):
            self._own(name or "params", leaf, params)
        # a tree of numbers can be copied and pickled, torch's description of one can't
        self._numbered = tree_unflatten(range(len(leaves)), structure)
        if not any(name for name, _ in self._places):
            got, remedy = "none", "Give a tree such as `{'theta': torch.zeros(3)}`."
            raise ValueError(message("QuantumLayer", "params", params, "hold tensors", got, remedy))
        if self._shapes is not None and self.out_shape is None:
            dtype, device = self._kind() or (torch.float32, None)
            found = self._of_zeros(
                [torch.zeros(s, dtype=dtype, device=device) for s in self._shapes]
            )
            self.out_shape = tuple(found.shape)

    def _own(self, name: str, leaf: Any, params: PyTree) -> None:
        """Register a tensor under its name; anything else is kept as it is."""
        if not isinstance(leaf, Tensor):
            self._places.append(("", leaf))
            return
        # not by `hasattr`: it would ask for the tree, which is not there yet
        own = {*dir(type(self)), *vars(self), "_numbered"}
        if "." in name or name in {*own, *self._parameters, *self._buffers, *self._modules}:
            need, remedy = "have names that are free", "Give the entry another key."
            raise ValueError(message("QuantumLayer", "params", params, need, repr(name), remedy))
        value = leaf.detach().clone()
        if value.is_floating_point() or value.is_complex():
            self.register_parameter(name, Parameter(value))
        else:
            self.register_buffer(name, value)
        self._places.append((name, None))

    @property
    def tree(self) -> PyTree:
        """The parameters, in the form that the model takes."""
        leaves = [getattr(self, name) if name else leaf for name, leaf in self._places]
        return tree_map(leaves.__getitem__, self._numbered)

    def forward(self, *samples: Tensor) -> Tensor:
        """Apply the model to each sample.

        Args:
            *samples (..., *in_shape): The model's arguments beside its parameters, with equal axes
                in front, if any.

        Returns:
            (..., *out_shape): What the model gives for each sample, in the layer's precision.

        Raises:
            TypeError: If an input is not a tensor, its precision is higher than the layer's, or the
                layer's is neither float32 nor float64.
            ValueError: If a sample is of another shape than `in_shape`, or inputs are of another
                number or have other axes in front than the first.
        """
        batch, shapes = self._split(samples)
        kind = self._kind()
        if kind is not None:
            samples = tuple(_cast_up(sample, kind[0]) for sample in samples)
        with own_precision(samples[0].device):
            if 0 in batch:
                return self._nothing(batch, samples, shapes)
            size = torch.Size(batch).numel()
            flat = (s.reshape((size, *shape)) for s, shape in zip(samples, shapes, strict=True))
            found: Tensor = self._of_batch(self.tree, *flat)
            return found.reshape((*batch, *found.shape[1:]))

    def _split(self, samples: Sequence[Tensor]) -> tuple[Shape, list[Shape]]:
        """The axes in front, which all inputs share, and each sample's own."""
        shapes = [None] * max(1, len(samples)) if self._shapes is None else self._shapes
        if len(samples) != len(shapes):
            raise ValueError(
                f"QuantumLayer(): a call must give {len(shapes)} input(s), but got {len(samples)}. "
                "Give one for each shape of `in_shape`."
            )
        split = [_split(sample, shape) for sample, shape in zip(samples, shapes, strict=True)]
        batch = split[0][0]
        for sample, (own, _) in zip(samples, split, strict=True):
            if own != batch:
                need, remedy = f"have axes {batch} in front, as the first input", "Expand one side."
                raise ValueError(message("QuantumLayer", "x", sample, need, f"{own}", remedy))
        return batch, [shape for _, shape in split]

    def _kind(self) -> tuple[torch.dtype, torch.device] | None:
        """Precision and device of the parameters; None if there are only buffers."""
        kind = common_dtype_and_device("QuantumLayer", self.parameters())
        if kind is None or kind[0] in COMPLEX_OF:
            return kind
        name, given = next(self.named_parameters())
        need, got = f"be {names_of(COMPLEX_OF)}", names_of([kind[0]])
        remedy = "Call `.float()` on this layer after `.half()` or `.bfloat16()` on its network."
        raise TypeError(message("QuantumLayer", name, given, need, got, remedy))

    def _result(self, tree: PyTree, *sample: Tensor) -> Tensor:
        """What the model gives for one sample, checked."""
        found = self.model(tree, *sample)
        if not isinstance(found, Tensor):
            need, got = "return one tensor", a_kind(found)
            remedy = "Join several with `torch.stack` or `torch.cat`."
            raise TypeError(message("QuantumLayer", "model", self.model, need, got, remedy))
        if self.out_shape is not None and tuple(found.shape) != self.out_shape:
            need, got = f"return shape {self.out_shape}", f"{tuple(found.shape)}"
            remedy = "Mend the model, or give its `out_shape`."
            raise ValueError(message("QuantumLayer", "model", self.model, need, got, remedy))
        return found

    def _mapped(self, tree: PyTree, *batch: Tensor) -> Tensor:
        """What the model gives for each sample of a batch."""
        found: Tensor = vmap(self._result, (None, *(0 for _ in batch)))(tree, *batch)
        return found

    def _of_zeros(self, zeros: Iterable[Tensor]) -> Tensor:
        with torch.no_grad():
            return self._result(self.tree, *zeros)

    def _nothing(self, batch: Shape, samples: Sequence[Tensor], shapes: Sequence[Shape]) -> Tensor:
        """The result for an empty batch, with gradients of zeros."""
        pairs = zip(samples, shapes, strict=True)
        found = self._of_zeros(sample.new_zeros(shape) for sample, shape in pairs)
        leaves = (*self.parameters(), *samples)
        moving = (leaf for leaf in leaves if leaf.is_floating_point() or leaf.is_complex())
        nothing = sum(leaf.flatten()[:0].abs().sum() for leaf in moving)
        return found.new_zeros((*batch, *found.shape)) + nothing

    def extra_repr(self) -> str:
        """Model and shapes, for `repr`."""
        parts = [getattr(self.model, "__name__", type(self.model).__name__)]
        parts += [f"{name}={describe(getattr(self, name))}" for name, _ in self._places if name]
        known = (("in_shape", self.in_shape), ("out_shape", self.out_shape))
        return ", ".join(parts + [f"{name}={shape}" for name, shape in known if shape is not None])


def _in_shapes(given: Any) -> tuple[Shape | tuple[Shape, ...] | None, tuple[Shape, ...] | None]:
    """What is shown, and one shape for each input."""
    if given is None:
        return None, None
    if is_index(given) or not isinstance(given, Sequence) or all(map(is_index, given)):
        shape = _shape("in_shape", given)
        return shape, (shape,)
    shapes = tuple(_shape("in_shape", one) for one in given)
    return shapes, shapes


def _shape(argument: str, given: Any) -> Shape:
    """Check a shape; an int is the length of one axis."""
    if not is_index(given) and not isinstance(given, Sequence):
        remedy = "Give a tuple such as `(4,)`."
        raise kind_error("QuantumLayer", argument, given, "be a shape", remedy)
    lengths = (given,) if is_index(given) else given
    return tuple(check_count("QuantumLayer", argument, length) for length in lengths)


def _split(sample: Any, shape: Shape | None) -> tuple[Shape, Shape]:
    """Split an input's shape into the axes in front and the sample's own."""
    check_is("QuantumLayer", "x", sample, Tensor, "be a tensor", "Convert it to a tensor.")
    size = tuple(sample.shape)
    n_batch = len(size) - (1 if shape is None else len(shape))
    if n_batch < 0 or shape not in (None, size[n_batch:]):
        need = f"have shape ({', '.join(['...', *map(str, shape or 'n')])})"
        remedy = "Put the axes of a sample last, or give the layer another `in_shape`."
        raise ValueError(message("QuantumLayer", "x", sample, need, f"{size}", remedy))
    return size[:n_batch], size[n_batch:]


def _cast_up(sample: Tensor, dtype: torch.dtype) -> Tensor:
    """The input in a precision; ints and bools stay."""
    if not sample.is_floating_point() and not sample.is_complex():
        return sample
    if torch.finfo(sample.dtype).bits > torch.finfo(dtype).bits:
        name, got = names_of([dtype]), names_of([sample.dtype])
        need = f"have the layer's precision, {name}, or less"
        remedy = f"Convert it with `.to(torch.{name})`, or the layer with `.double()`."
        raise TypeError(message("QuantumLayer", "x", sample, need, got, remedy))
    return sample.to(COMPLEX_OF[dtype] if sample.is_complex() else dtype)
