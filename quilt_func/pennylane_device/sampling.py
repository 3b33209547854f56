"""What a tape with shots measures: samples by our uniforms, values by PennyLane's last steps.

The state is found once. Pauli words that share a basis, qubit by qubit, share samples, and so do
measurements without an observable; others have samples of their own.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.func import vmap

from quilt_func.measurement import probs, sample, to_bits
from quilt_func.ops import ROUNDING
from quilt_func.pennylane_device.library import qml
from quilt_func.pennylane_device.observing import rotation
from quilt_func.pennylane_device.programs import Inputs
from quilt_func.pennylane_device.running import Engine, Ready
from quilt_func.pennylane_device.seeds import Seeds
from quilt_func.pennylane_device.tracing import mark
from quilt_func.states import uniforms


def sampled(engine: Engine, tape: Any, seeds: Seeds, mode: Any) -> Any:
    """The results of a tape, one for each entry of its shot vector if it has one."""
    with torch.no_grad():
        ready = engine.ready(tape)
        is_batch, wires = ready.axes is not None, ready.wires or (0,)
        if ready.outcomes:
            final, measurements = branched(engine, ready, tape, seeds)
        else:
            final = Final(prepared(engine, ready), is_batch, wires, seeds)
            measurements = tape.measurements
        shots = _kept(tape.shots, ready, final, mode)
        found = measured(measurements, final, shots)
    if not tape.shots.has_partitioned_shots:
        first = tuple(one[0] for one in found)
        return first[0] if len(first) == 1 else first
    parts = [tuple(part) for part in zip(*found, strict=True)]
    return tuple(part[0] for part in parts) if len(found) == 1 else tuple(parts)


class Final(NamedTuple):
    """What is sampled.

    Attributes:
        states (complex, (b, 2**n) or (b, 2**n, 2**n)): States, or density matrices.
        is_batch: Whether they are a batch, or one.
        wires: Labels of wires 0, 1, ...
        seeds: Where seeds come from.
        outcomes: Labels of outcomes in the middle, and their bits `(n_branches, n_outcomes)`.
            The first wires are then the branch's number.
    """

    states: Tensor
    is_batch: bool
    wires: tuple[Any, ...]
    seeds: Seeds
    outcomes: tuple[tuple[Any, ...], Any] | None = None


def branched(engine: Engine, ready: Ready, tape: Any, seeds: Seeds) -> tuple[Final, list[Any]]:
    """Branches side by side as one state of more wires, and measurements on their labels."""
    if ready.axes is not None:
        raise qml.exceptions.DeviceError(
            "quilt.qubit: a batch with shots and native measurements in the middle is not "
            'supported. Give `mcm_method="deferred"`, or `broadcast_expand`.'
        )
    found = ready.layout.branches(ready.inputs, engine.dtype)
    n_bits = (len(found.states) - 1).bit_length()
    numbers = tuple(f"branch {i}" for i in range(n_bits))
    labels = {uid: f"outcome {key}" for uid, key in ready.outcomes.items()}
    keys = [*ready.outcomes.values()]
    bits = torch.cat([found.bits[key] for key in keys], -1).numpy()
    measurements = [_relabelled(mp, labels) for mp in tape.measurements]
    outcomes = tuple(f"outcome {key}" for key in keys), bits
    state = found.states.reshape(1, -1)
    return Final(state, False, (*numbers, *ready.wires), seeds, outcomes), measurements


def _relabelled(mp: Any, labels: Any) -> Any:
    """A measurement of outcomes in the middle, on their labels."""
    if mp.mv is None:
        return mp
    given = mp.mv if isinstance(mp.mv, list | tuple) else [mp.mv]
    made = [
        qml.ops.MeasurementValue(
            [qml.map_wires(m, {m.wires[0]: labels[mark(m)]}) for m in one.measurements],
            one.processing_fn if one.has_processing else None,
        )
        for one in given
    ]
    facts = {"all_outcomes": mp.all_outcomes} if hasattr(mp, "all_outcomes") else {}
    return type(mp)(obs=made if isinstance(mp.mv, list | tuple) else made[0], **facts)


def prepared(engine: Engine, ready: Ready) -> Tensor:
    """States of a tape, not normalised if it projects, with a leading axis."""

    def state(inputs: Inputs) -> Tensor:
        return ready.layout.state(inputs, engine.dtype, engine.is_density, is_raw=True)

    if ready.axes is None:
        return state(ready.inputs)[None]
    found: Tensor = vmap(state, (ready.axes,))(ready.inputs)
    return found


def _kept(shots: Any, ready: Ready, final: Final, mode: Any) -> list[int]:
    """Shots of each entry of the vector; those that a postselection loses are drawn."""
    is_whole = not ready.layout.program.traced.is_projecting and final.outcomes is None
    if is_whole or mode == "fill-shots":
        return [*shots]
    if ready.axes is not None:
        raise ValueError(
            "quilt(): a batch must not be postselected with shots. Give `broadcast_expand(tape)`."
        )
    total = float(probs(final.states[0]).sum()) + ROUNDING
    draws = (uniforms(n, final.seeds.next(), dtype=torch.float64) for n in shots)
    return [int((u < total).sum()) for u in draws]


def measured(measurements: Sequence[Any], final: Final, shots: Sequence[int]) -> list[list[Any]]:
    """Values of measurements: of each, one by one of the shot vector."""
    found: dict[int, list[Any]] = {}
    for members in groups(measurements):
        own = [measurements[i] for i in members]
        found |= zip(members, _measured(own, final, shots), strict=True)
    return [found[i] for i in range(len(found))]


def groups(measurements: Sequence[Any]) -> list[list[int]]:
    """Places of measurements that share samples."""
    words = {i: mp.obs for i, mp in enumerate(measurements) if _is_word(mp)}
    bare = [i for i, mp in enumerate(measurements) if mp.obs is None and not _is_shadow(mp)]
    alone = [[i] for i, _ in enumerate(measurements) if i not in words and i not in bare]
    found = [bare] if bare else []
    if words:
        places, observed = [*words], [*words.values()]
        parts = qml.pauli.compute_partition_indices(observed)
        found += [[places[k] for k in part] for part in parts]
    return found + alone


def _is_shadow(mp: Any) -> bool:
    kinds = qml.measurements.ClassicalShadowMP, qml.measurements.ShadowExpvalMP
    return isinstance(mp, kinds)


def _is_word(mp: Any) -> bool:
    return mp.obs is not None and not _is_shadow(mp) and bool(qml.pauli.is_pauli_word(mp.obs))


def _measured(own: Sequence[Any], final: Final, shots: Sequence[int]) -> list[list[Any]]:
    """Values of measurements that share samples."""
    wires = qml.wires.Wires(_columns(final))
    if _is_shadow(own[0]):
        return [[_shadow(own[0], final, n) for n in shots]]
    bits = _bits(final._replace(states=_turned(own, final)), sum(shots))
    ends = np.cumsum([0, *shots])
    parts = [bits[..., a:b, :] for a, b in pairwise(ends)]
    return [[mp.process_samples(part, wires) for part in parts] for mp in own]


def _columns(final: Final) -> tuple[Any, ...]:
    """Labels of the columns of `_bits`."""
    if final.outcomes is None:
        return final.wires
    labels, table = final.outcomes
    return (*labels, *final.wires[(len(table) - 1).bit_length() :])


def _turned(own: Sequence[Any], final: Final) -> Tensor:
    """States in the basis that measurements share."""
    if len(own) == 1:
        gates = own[0].diagonalizing_gates()
    elif own[0].obs is not None:
        gates = qml.pauli.diagonalize_qwc_pauli_words([mp.obs for mp in own])[0]
    else:
        return final.states
    turn = rotation(gates, {wire: i for i, wire in enumerate(final.wires)})
    found: Tensor = vmap(turn)(final.states)
    return found


def _bits(final: Final, n_shots: int) -> Any:
    """Bits `(n_shots, n_wires)`, of a batch with a leading axis."""
    states, size = final.states, (len(final.states), n_shots)
    u = uniforms(size, final.seeds.next(), dtype=torch.float64, device=states.device)
    found = to_bits(vmap(sample)(states, u), len(final.wires)).cpu().numpy()
    if final.outcomes is None:
        return found if final.is_batch else found[0]
    table = final.outcomes[1]
    n_bits = (len(table) - 1).bit_length()
    branch = found[0, :, :n_bits] @ (1 << np.arange(n_bits)[::-1])
    return np.concatenate([table[branch], found[0, :, n_bits:]], -1)


def _shadow(mp: Any, final: Final, n_shots: int) -> Any:
    """PennyLane draws the bases and the outcomes of a classical shadow itself."""
    wires, seed = qml.wires.Wires(final.wires), final.seeds.next()
    one = final.states[0].cpu().numpy()
    if one.ndim == 2:
        shape = (2,) * (2 * len(wires))
        return mp.process_density_matrix_with_shots(one.reshape(shape), wires, n_shots, rng=seed)
    return mp.process_state_with_shots(one.reshape((2,) * len(wires)), wires, n_shots, rng=seed)
