"""What a tape with shots measures: samples by our uniform numbers, values by PennyLane's last steps.

The state is found once. Pauli words that share a basis, qubit by qubit, share samples, and so do
measurements without an observable; others have samples of their own.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.func import vmap

from quilt_func.measurement import probs, sample, to_bits
from quilt_func.pennylane_device.library import qml
from quilt_func.pennylane_device.observing import rotation
from quilt_func.pennylane_device.programs import Inputs
from quilt_func.pennylane_device.running import Engine, Ready
from quilt_func.pennylane_device.seeds import Seeds
from quilt_func.states import uniforms


def sampled(engine: Engine, tape: Any, seeds: Seeds, mode: Any) -> Any:
    """The results of a tape, one for each entry of its shot vector if it has one."""
    with torch.no_grad():
        ready = engine.ready(tape)
        states = prepared(engine, ready)
        shots = _kept(tape.shots, ready, states, seeds, mode)
        final = Final(states, ready.axes is not None, ready.wires or (0,), seeds)
        found = measured(tape.measurements, final, shots)
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
    """

    states: Tensor
    is_batch: bool
    wires: tuple[Any, ...]
    seeds: Seeds


def prepared(engine: Engine, ready: Ready) -> Tensor:
    """States of a tape, not normalised if it projects, with a leading axis."""

    def state(inputs: Inputs) -> Tensor:
        return ready.layout.state(inputs, engine.dtype, engine.is_density, is_raw=True)

    if ready.axes is None:
        return state(ready.inputs)[None]
    found: Tensor = vmap(state, (ready.axes,))(ready.inputs)
    return found


def _kept(shots: Any, ready: Ready, states: Tensor, seeds: Seeds, mode: Any) -> list[int]:
    """Shots of each entry of the vector; those that a postselection loses are drawn."""
    if not ready.layout.program.traced.is_projecting or mode == "fill-shots":
        return [*shots]
    if ready.axes is not None:
        raise ValueError(
            "quilt(): a batch must not be postselected with shots. Give `broadcast_expand(tape)`."
        )
    total = probs(states[0]).sum()
    return [int((uniforms(n, seeds.next(), dtype=torch.float64) < total).sum()) for n in shots]


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
    wires = qml.wires.Wires(final.wires)
    if _is_shadow(own[0]):
        return [[_shadow(own[0], final, n) for n in shots]]
    bits = _bits(final._replace(states=_turned(own, final)), sum(shots))
    ends = np.cumsum([0, *shots])
    parts = [bits[..., a:b, :] for a, b in zip(ends[:-1], ends[1:], strict=True)]
    return [[mp.process_samples(part, wires) for part in parts] for mp in own]


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
    return found if final.is_batch else found[0]


def _shadow(mp: Any, final: Final, n_shots: int) -> Any:
    """PennyLane draws the bases and the outcomes of a classical shadow itself."""
    wires, seed = qml.wires.Wires(final.wires), final.seeds.next()
    one = final.states[0].cpu().numpy()
    if one.ndim == 2:
        shape = (2,) * (2 * len(wires))
        return mp.process_density_matrix_with_shots(one.reshape(shape), wires, n_shots, rng=seed)
    return mp.process_state_with_shots(one.reshape((2,) * len(wires)), wires, n_shots, rng=seed)
