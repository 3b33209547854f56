"""A quantum model as an ordinary `torch.nn.Module`, for networks that are built of modules."""

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.func import vmap
from torch.nn import Module, Parameter

from quilt_func._checks import describe, message
from quilt_func._tree import tree_flatten, tree_map, tree_paths, tree_unflatten
from quilt_func.typing import PyTree

__all__ = ["QuantumLayer"]


class QuantumLayer(Module):
    """A function of parameters and one sample as a module that takes batches.

    `QuantumLayer(model, params)(x)` is `vmap(model, (None, 0))(params, x)` with parameters that the
    module owns: `state_dict`, `.to(device)`, `.double()`, `copy.deepcopy`, optimisers of
    `torch.optim` and `torch.func.functional_call` work as for any other module, and
    `torch.compile` for circuits of up to five qubits. It can be pickled if the model is a function
    of a module.

    Args:
        model: Function `model(params, *sample)` to a tensor, such as `(n_outputs,)`.
        params: Where the parameters start: any tree of tensors. They are copied. Floating-point and
            complex tensors become parameters, other tensors buffers; a leaf is named by its path,
            such as `theta` or `layers/0/theta`, a tree that is one tensor `params`.

    Raises:
        TypeError: If `model` can't be called.
        ValueError: If the tree has no tensor, or a name is taken by the module itself.

    Transforms:
        vmap, grad, jvp, hessian, in what `torch.func.functional_call` is given.

    Examples:
        >>> import torch
        >>> import quilt_func as qf
        >>> def model(params, x):
        ...     circuit = qf.circuit(2, qf.ry(x, range(2)), qf.cx(0, 1), qf.ry(params["theta"], 1))
        ...     return qf.expval(circuit(), [qf.pauli_sum({"ZI": 1.0}), qf.pauli_sum({"IZ": 1.0})])
        >>> layer = QuantumLayer(model, {"theta": torch.tensor(0.1)})
        >>> network = torch.nn.Sequential(torch.nn.Linear(5, 2), layer, torch.nn.Linear(2, 3))
        >>> network(torch.zeros(7, 5)).shape, list(layer.state_dict())
        (torch.Size([7, 3]), ['theta'])
    """

    def __init__(self, model: Callable[..., Tensor], params: PyTree) -> None:
        super().__init__()
        if not callable(model):
            got, remedy = f"a {type(model).__name__}", "Give a function `model(params, x)`."
            raise TypeError(message("QuantumLayer", "model", model, "be a function", got, remedy))
        self.model = model
        leaves, structure = tree_flatten(params)
        self._places: list[tuple[str, Any]] = []
        for name, leaf in zip(tree_paths(params), leaves, strict=True):
            self._own(name or "params", leaf, params)
        # a tree of numbers can be copied and pickled, torch's description of one can't
        self._numbered = tree_unflatten(range(len(leaves)), structure)
        if not any(name for name, _ in self._places):
            got, remedy = "none", "Give a tree such as `{'theta': torch.zeros(3)}`."
            raise ValueError(message("QuantumLayer", "params", params, "hold tensors", got, remedy))

    def _own(self, name: str, leaf: Any, params: PyTree) -> None:
        """Register a tensor under its name; anything else is kept as it is."""
        if not isinstance(leaf, Tensor):
            self._places.append(("", leaf))
            return
        if hasattr(self, name) or "." in name:
            requirement, remedy = "have names that are free", "Give the entry another key."
            raise ValueError(
                message("QuantumLayer", "params", params, requirement, repr(name), remedy)
            )
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
        """Apply the model to a batch.

        Args:
            *samples: The model's arguments beside its parameters, each with a first axis for the
                batch.

        Returns:
            (batch, ...): What the model gives for each sample.
        """
        outputs: Tensor = vmap(self.model, (None, *(0 for _ in samples)))(self.tree, *samples)
        return outputs

    def extra_repr(self) -> str:
        """Model and shapes, for `repr`."""
        shapes = (f"{name}={describe(getattr(self, name))}" for name, _ in self._places if name)
        return ", ".join([getattr(self.model, "__name__", type(self.model).__name__), *shapes])
