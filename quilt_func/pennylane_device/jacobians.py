"""Derivatives of tapes of numbers: vector-Jacobian products by the walk back, and others.

Where all that is trainable is an angle, the derivative is by the vector of angles, tapes of one key
at once, and compiled. Else parameters are put in the tape as tensors, and torch differentiates.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import jacfwd, jacrev, jvp, vjp, vmap

from quilt_func.pennylane_device.programs import Inputs
from quilt_func.pennylane_device.running import Engine, Ready, stacked

Values = tuple[Tensor, ...]


class Derivatives:
    """Derivatives of what an engine runs."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def vjps(self, tapes: Sequence[Any], cotangents: Sequence[Any]) -> tuple[Any, ...]:
        """For each tape, the product with each trainable parameter's derivative."""
        found: list[Any] = [None] * len(tapes)
        groups: dict[Any, list[int]] = {}
        prepared: dict[int, tuple[Ready, list[int], Values]] = {}
        for i, tape in enumerate(tapes):
            cots = _cotangents(tape, cotangents[i])
            ready, places = self._angles(tape)
            if places is None or ready.axes is not None:
                found[i] = self._pulled(tape, cots)
            else:
                prepared[i] = ready, places, cots
                groups.setdefault((ready.key, tuple(c.shape for c in cots)), []).append(i)
        for members in groups.values():
            gradients = self._together([prepared[i] for i in members])
            for i, gradient in zip(members, gradients, strict=True):
                found[i] = tuple(_array(gradient[..., place]) for place in prepared[i][1])
        return tuple(found)

    def _together(self, some: Sequence[tuple[Ready, list[int], Values]]) -> Tensor:
        """Gradients by all angles, `(n_tapes, [n_cotangents,] n_angles)`, of tapes of one key."""
        ready = some[0][0]
        values = self.engine.measured(ready)

        def pulled(angles: Tensor, slots: Any, cots: Values) -> Tensor:
            out, pull, *_ = vjp(lambda own: values(Inputs(own, angles[:0], slots)), angles)
            if not cots[0].ndim > out[0].ndim:
                gradient: Tensor = pull(cots)[0]
                return gradient
            found: Tensor = vmap(lambda *c: pull(c)[0])(*cots)
            return found

        rows = [(one.inputs.shared, one.inputs.slots, cots) for one, _, cots in some]
        if len(rows) == 1:
            alone: Tensor = self.engine.replayed(ready, "vjp", pulled)(*rows[0])
            return alone[None]
        angles, slots, cots = zip(*rows, strict=True)
        columns = [tuple(map(torch.stack, zip(*part, strict=True))) for part in (slots, cots)]
        return self.engine.replayed(ready, "vjps", vmap(pulled))(torch.stack(angles), *columns)

    def _angles(self, tape: Any) -> tuple[Ready, list[int] | None]:
        """The tape, and the positions of what is trainable among its angles, if all is there."""
        ready = self.engine.ready(tape)
        where = {place: i for i, place in enumerate(ready.layout.program.angles)}
        trainable = tape.trainable_params
        if all(place in where for place in trainable):
            return ready, [where[place] for place in trainable]
        return ready, None

    # --- by torch, of whatever is trainable ---

    def _function(self, tape: Any) -> tuple[Callable[..., Values], Values]:
        """The function of the trainable parameters to what is measured, and their values."""
        parameters = tape.get_parameters()
        given = tuple(torch.from_numpy(np.array(one)) for one in parameters)

        def values(*tensors: Tensor) -> Values:
            bound = tape.bind_new_parameters([*tensors], tape.trainable_params)
            return self.engine.values([bound])[0]

        return values, given

    def _pulled(self, tape: Any, cots: Values) -> tuple[Any, ...]:
        values, given = self._function(tape)
        out, pull, *_ = vjp(values, *given)
        is_many = cots[0].ndim > out[0].ndim
        found = vmap(lambda *c: pull(c))(*cots) if is_many else pull(cots)
        return tuple(map(_array, found))

    def jvp(self, tape: Any, tangents: Sequence[Any]) -> Any:
        """The product with a tangent, for each measurement."""
        values, given = self._function(tape)
        moved = tuple(
            torch.as_tensor(np.asarray(t)).to(g) for t, g in zip(tangents, given, strict=True)
        )
        _, found, *_ = jvp(values, given, moved)
        return _one_or_all([_array(one) for one in found])

    def jacobians(self, tapes: Sequence[Any]) -> tuple[Any, ...]:
        """For each tape its Jacobian: by measurement, and by trainable parameter."""
        found: list[Any] = [None] * len(tapes)
        groups: dict[Any, list[int]] = {}
        prepared: dict[int, tuple[Ready, list[int]]] = {}
        for i, tape in enumerate(tapes):
            ready, places = self._angles(tape)
            if places is None or ready.axes is not None:
                found[i] = self._jacobian(tape)
            else:
                prepared[i] = ready, places
                groups.setdefault(ready.key, []).append(i)
        for members in groups.values():
            rows = self._slopes([prepared[i][0] for i in members])
            for k, i in enumerate(members):
                own = [_array(row[k]) for row in rows]
                parts = [[row[..., place] for place in prepared[i][1]] for row in own]
                found[i] = _one_or_all([_one_or_all(part) for part in parts])
        return tuple(found)

    def _slopes(self, some: Sequence[Ready]) -> Values:
        """Jacobians `(n_tapes, *shape, n_angles)` of each measurement, of tapes of one key."""
        ready = some[0]
        values = self.engine.measured(ready)

        angles, slots = ready.inputs.shared, ready.inputs.slots
        route = _route(self._n_outputs(ready), len(angles))

        def slopes(angles: Tensor, slots: Any) -> Values:
            found: Values = route(lambda own: values(Inputs(own, own[:0], slots)))(angles)
            return found

        if len(some) == 1:
            found = self.engine.replayed(ready, "jacobian", slopes)(angles, slots)
            return tuple(one[None] for one in found)
        inputs, _ = stacked(some)
        many: Values = self.engine.replayed(ready, "jacobians", vmap(slopes))(
            inputs.shared, inputs.slots
        )
        return many

    def _n_outputs(self, ready: Ready) -> int:
        """Numbers that a tape measures, which its layout keeps."""
        kept, key = ready.layout.kept, ("n_outputs", id(ready.plan))
        if key not in kept:
            values = self.engine.measured(ready)(ready.inputs)
            kept[key] = sum(one.numel() for one in values), ready.plan
        return int(kept[key][0])

    def _jacobian(self, tape: Any) -> Any:
        """Of whatever is trainable, by torch."""
        values, given = self._function(tape)
        n_outputs = sum(one.numel() for one in values(*given))
        route = _route(n_outputs, sum(one.numel() for one in given))
        found = route(values, argnums=tuple(range(len(given))))(*given)
        return _one_or_all([_one_or_all([_array(one) for one in row]) for row in found])


def _route(n_outputs: int, n_inputs: int) -> Any:
    """Row by row, or column by column; of complex values by their parts."""
    route = jacrev if n_outputs <= n_inputs else jacfwd

    def jacobian(fn: Callable[..., Values], **more: Any) -> Callable[..., Any]:
        axes: list[int | None] = []

        def parts(*args: Tensor) -> Values:
            found = fn(*args)
            axes[:] = [one.ndim if one.is_complex() else None for one in found]
            return tuple(map(_parts, found))

        def whole(*args: Tensor) -> Any:
            found = route(parts, **more)(*args)
            return tuple(_joined(*pair) for pair in zip(found, axes, strict=True))

        return whole

    return jacobian


def _parts(one: Tensor) -> Tensor:
    return torch.view_as_real(one.resolve_conj()) if one.is_complex() else one


def _joined(slopes: Any, axis: int | None) -> Any:
    """Slopes of the parts of complex values as complex ones, by one argument or by each."""
    if isinstance(slopes, tuple):
        return tuple(_joined(one, axis) for one in slopes)
    return slopes if axis is None else torch.complex(*slopes.unbind(axis))


def _one_or_all(found: Sequence[Any]) -> Any:
    return found[0] if len(found) == 1 else tuple(found)


def _cotangents(tape: Any, given: Any) -> Values:
    """A cotangent for each measurement; of a complex one torch wants the conjugate."""
    parts = [given] if len(tape.measurements) == 1 and not isinstance(given, tuple) else [*given]
    found = [torch.as_tensor(np.asarray(part)) for part in parts]
    most = max(one.ndim for one in found)
    shapes = [one.shape for one in found if one.ndim == most]
    kinds = {type(mp).__name__ for mp in tape.measurements}
    if kinds == {"ExpectationMP"}:  # zeros may come without the axis of many cotangents
        found = [one.expand(shapes[0]) for one in found]
    return tuple(one.conj().resolve_conj() for one in found)


def _array(value: Tensor) -> Any:
    return value.detach().resolve_conj().cpu().numpy()[()]
