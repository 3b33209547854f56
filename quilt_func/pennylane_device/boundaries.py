"""What torch computes as a function of autograd's and of JAX's, with derivatives of any order.

A derivative is such a function again, so that it has derivatives. Of parameters that are complex,
gradients are conjugate to torch's.

References:
    Maclaurin, Duvenaud and Adams (2015), "Autograd: effortless gradients in numpy".
    The JAX authors, "Custom derivative rules for Python code".
"""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import jacrev, vjp

from quilt_func.convert import imported
from quilt_func.pennylane_device.jacobians import Derivatives
from quilt_func.pennylane_device.library import qml

Flat = Callable[..., Tensor]
"""A function of tensors to one vector."""


def is_hidden(tape: Any) -> bool:
    """Tell whether a tape's parameters are seen by a transform, and are no plain arrays."""
    kinds = ("ArrayBox", "Tracer")
    return any(_is_hidden(one, kinds) for one in tape.get_parameters(trainable_only=False))


def _is_hidden(value: Any, kinds: Sequence[str]) -> bool:
    names = {kind.__name__ for kind in type(value).__mro__}
    return bool(names & set(kinds))


class Outer:
    """A tape as a function of those of its parameters that are seen by a transform."""

    def __init__(self, derivatives: Derivatives, tape: Any, kinds: Sequence[str]) -> None:
        self.derivatives, self.tape = derivatives, tape
        parameters = tape.get_parameters(trainable_only=False)
        self.places = [i for i, one in enumerate(parameters) if _is_hidden(one, kinds)]
        self.given = [parameters[i] for i in self.places]

    def values(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """What the tape measures."""
        bound = self.tape.bind_new_parameters([*tensors], self.places)
        return self.derivatives.engine.values([bound])[0]

    def flat(self, *tensors: Tensor) -> Tensor:
        """The same, as one real vector."""
        return _joined(self.values(*tensors))

    def split(self, flat: Any, like: Sequence[Tensor]) -> tuple[Any, ...]:
        """A vector as the values that it is made of."""
        found, first = [], 0
        for one in like:
            size = one.numel() * (2 if one.is_complex() else 1)
            part = flat[first : first + size]
            if one.is_complex():
                part = part[0::2] + 1j * part[1::2]
            found.append(part.reshape(tuple(one.shape)))
            first += size
        return tuple(found)


def by_autograd(derivatives: Derivatives, tape: Any) -> tuple[Any, ...]:
    """What a tape measures, as values of autograd."""
    outer = Outer(derivatives, tape, ("ArrayBox",))
    (plain,), _ = qml.transforms.convert_to_numpy_parameters((tape,))
    plain.trainable_params = outer.places
    like = derivatives.engine.values([plain])[0]
    flat = _lifted_to_autograd(outer.flat, lambda *_: _array(_joined(like)))(*outer.given)
    return outer.split(flat, like)


def _joined(values: Sequence[Tensor]) -> Tensor:
    """Values as one real vector; parts of complex numbers side by side."""
    real = (torch.view_as_real(one.resolve_conj()) if one.is_complex() else one for one in values)
    return torch.cat([one.reshape(-1).to(torch.float64) for one in real])


def _lifted_to_autograd(fn: Flat, known: Callable[..., Any] | None = None) -> Any:
    extend = imported("quilt.qubit", "autograd.extend")

    def call(*arrays: Any) -> Any:
        return known(*arrays) if known else _array(fn(*map(_tensor, arrays)))

    def maker(argnums: Sequence[int], answer: Any, args: Any, kwargs: Any) -> Any:
        del answer, kwargs

        def pulled(*tensors: Tensor) -> Tensor:
            _, pull, *_ = vjp(fn, *tensors[:-1])
            parts = pull(tensors[-1])
            return torch.cat([parts[i].conj().reshape(-1) for i in argnums])

        def product(cotangent: Any) -> tuple[Any, ...]:
            flat = _lifted_to_autograd(pulled)(*args, cotangent)
            ends = np.cumsum([0, *(prod(np.shape(args[i])) for i in argnums)])
            spans = zip(argnums, ends[:-1], ends[1:], strict=True)
            return tuple(flat[a:b].reshape(np.shape(args[i])) for i, a, b in spans)

        return product

    found = extend.primitive(call)
    extend.defvjp_argnums(found, maker)
    return found


def by_jax(derivatives: Derivatives, tape: Any) -> tuple[Any, ...]:
    """What a tape measures, as values of JAX; its Jacobian is the rule of its derivative."""
    outer = Outer(derivatives, tape, ("Tracer",))
    like = outer.values(*(torch.zeros(one.shape, dtype=torch.float64) for one in outer.given))
    return outer.split(_lifted_to_jax(outer.flat)(*outer.given), like)


def _lifted_to_jax(fn: Flat) -> Any:
    jax = imported("quilt.qubit", "jax")
    jnp = jax.numpy

    def host(*arrays: Any) -> Any:
        return _array(fn(*map(_tensor, map(np.asarray, arrays))))

    @jax.custom_jvp  # type: ignore[untyped-decorator]
    def call(*args: Any) -> Any:
        example = host(*(np.zeros(one.shape) for one in args))
        dtype = jnp.result_type(jnp.zeros((), example.dtype))
        shape = jax.ShapeDtypeStruct(example.shape, dtype)

        def cast(*arrays: Any) -> Any:
            return host(*arrays).astype(dtype)

        return jax.pure_callback(cast, shape, *args, vmap_method="sequential")

    @call.defjvp  # type: ignore[untyped-decorator]
    def rule(primals: Any, tangents: Any) -> Any:
        slopes = _lifted_to_jax(_slopes(fn))(*primals)
        columns = [jnp.reshape(one, -1) for one in tangents]
        return call(*primals), slopes @ jnp.concatenate(columns).astype(slopes.dtype)

    return call


def _slopes(fn: Flat) -> Flat:
    """The Jacobian of a function by all of its arguments, as one matrix."""

    def slopes(*tensors: Tensor) -> Tensor:
        found = jacrev(fn, argnums=tuple(range(len(tensors))))(*tensors)
        lead = found[0].ndim - tensors[0].ndim
        columns = [one.flatten(lead) if one.ndim > lead else one[..., None] for one in found]
        return torch.cat(columns, -1)

    return slopes


def _tensor(array: Any) -> Tensor:
    found = torch.from_numpy(np.array(array))
    return found.to(torch.complex128 if found.is_complex() else torch.float64)


def _array(value: Tensor) -> Any:
    return value.detach().resolve_conj().cpu().numpy()


BOUNDARIES: dict[Any, Any] = {
    qml.math.Interface.AUTOGRAD: by_autograd,
    qml.math.Interface.JAX: by_jax,
    qml.math.Interface.JAX_JIT: by_jax,
}
