"""Noise of a machine, put on any circuit: rules that say which channel comes where."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from quilt_func._checks import (
    COMPLEX_OF,
    check_is,
    check_tensor,
    describe,
    fits,
    is_index,
    message,
    shape_error,
)
from quilt_func._torch import register
from quilt_func.circuits import Circuit, check_circuit
from quilt_func.instruments import Instrument, Lookup, innermost
from quilt_func.noise.channels import Channel
from quilt_func.ops import Gate, Op, make_op
from quilt_func.typing import WireSet

WHEN = ("before", "after", "idle")


@dataclass(frozen=True, eq=False)
class NoiseRule:
    """Which channel comes where; make one with `rule`. A pytree: its leaves are the strengths.

    Attributes:
        channel: The channel.
        strengths: Numbers, or tensors of shape `()` or, of channels on one wire, `(n_qubits,)`.
        gates: The gates that it is for; None for all.
        wires: The wires, or sets of wires in any order, that it is for; None for all.
        when: "before" or "after" a gate, or "idle": where a layer leaves a wire alone.

    Examples:
        >>> from quilt_func import noise, cx
        >>> noise.rule(noise.two_qubit_depolarizing, 0.01, gates=[cx]).when
        'after'
    """

    channel: Channel
    strengths: tuple[Any, ...]
    gates: frozenset[Gate] | None
    wires: frozenset[frozenset[int]] | None
    when: str

    def targets(self, gate: Gate, wires: WireSet) -> tuple[WireSet, ...]:
        """Where the channel acts at a gate: on the gate's wires, or on each of them."""
        if self.gates is not None and gate not in self.gates:
            return ()
        single = self.channel.n_wires == 1
        sets = tuple((wire,) for wire in wires) if single else (wires,)
        if not single and self.channel.n_wires != len(wires):
            return ()
        return tuple(one for one in sets if self.wires is None or frozenset(one) in self.wires)

    def op(self, targets: Sequence[WireSet]) -> Op:
        """The channel on some wire sets."""
        params = tuple(self._at(strength, targets) for strength in self.strengths)
        return make_op(self.channel, params, tuple(targets))

    def _at(self, strength: Any, targets: Sequence[WireSet]) -> Any:
        if isinstance(strength, Tensor) and strength.ndim == 1 and not self.channel.param_shape:
            return strength[[wires[0] for wires in targets]]
        return strength


def rule(
    channel: Channel,
    *strengths: Any,
    gates: Gate | Iterable[Gate] | None = None,
    wires: Iterable[int | WireSet] | None = None,
    when: str = "after",
) -> NoiseRule:
    """Say which channel comes where, for `noise_model`.

    A channel on one wire comes on each wire of a gate, one on several wires on gates of as many.

    Args:
        channel: A channel, such as `noise.depolarizing`.
        *strengths: Its strengths: Python numbers, or tensors, `()`, or `(n_qubits,)` for one on
            each wire.
        gates: Gates that it is for; default: all.
        wires: Wires that it is for, or, for channels on several, sets of wires in any order.
        when: "before" or "after" each such gate, or "idle": once for each layer of gates in which a
            wire is idle, whatever the gates.

    Returns:
        The rule.

    Raises:
        TypeError: If `channel` is not a channel, or `gates` are not gates, or wires not ints.
        ValueError: If there are too few or too many strengths or of another shape, gates have
            another number of wires than a channel on several, or `when` is another word.

    Transforms:
        vmap, grad, jvp, hessian, in the strengths.

    Examples:
        >>> from quilt_func import noise
        >>> sorted(map(sorted, noise.rule(noise.amplitude_damping, 0.01, wires=[0, 2]).wires))
        [[0], [2]]
    """
    remedy = "Give the channel itself, such as `noise.depolarizing`, not a call of it."
    check_is("rule", "channel", channel, Channel, "be a channel", remedy)
    if len(strengths) != channel.n_params:
        names = ", ".join(channel.param_names)
        need, got = f"come with {channel.n_params} strength(s)", str(len(strengths))
        raise ValueError(message("rule", "channel", channel, need, got, f"Give {names}."))
    if when not in WHEN:
        remedy = f"Choose from {list(WHEN)}."
        raise ValueError(message("rule", "when", when, "be a known word", repr(when), remedy))
    if when == "idle" and channel.n_wires > 1:
        need = "be on one wire for idle wires"
        remedy = "Give a channel on one wire."
        got = f"one on {channel.n_wires}"
        raise ValueError(message("rule", "channel", channel, need, got, remedy))
    for strength in strengths:
        _check_strength(channel, strength)
    return NoiseRule(channel, strengths, _gates(channel, gates), _wire_sets(channel, wires), when)


def _check_strength(channel: Channel, strength: Any) -> None:
    most = 1 if channel.n_wires == 1 else 0
    if isinstance(strength, Tensor) and not channel.param_shape and strength.ndim > most:
        forms = "() or (n_qubits,)" if most else "()"
        remedy = "Give a number for each wire to channels on one wire only."
        raise shape_error("rule", "strengths", strength, f"have shape {forms}", remedy)


def _gates(channel: Channel, given: Any) -> frozenset[Gate] | None:
    if given is None:
        return None
    found = (given,) if isinstance(given, Gate) else tuple(given)
    for one in found:
        remedy = "Give gates themselves, such as `[cx, h]`."
        check_is("rule", "gates", one, Gate, "hold gates", remedy)
        if channel.n_wires not in (1, one.n_wires):
            need, got = f"hold gates on {channel.n_wires} wires", f"{one.name} on {one.n_wires}"
            remedy = "A channel on several wires comes on gates of as many."
            raise ValueError(message("rule", "gates", one, need, got, remedy))
    return frozenset(found)


def _wire_sets(channel: Channel, given: Any) -> frozenset[frozenset[int]] | None:
    if given is None:
        return None
    found = [(one,) if is_index(one) else tuple(one) for one in given]
    for one in found:
        if len(one) != channel.n_wires or not all(map(is_index, one)):
            need = f"hold sets of {channel.n_wires} wire(s)"
            remedy = "Give ints for a channel on one wire, and tuples of ints for others."
            raise TypeError(message("rule", "wires", given, need, describe(one), remedy))
    return frozenset(map(frozenset, found))


@dataclass(frozen=True, eq=False)
class NoiseModel:
    """Rules in order; make one with `noise_model`. A pytree of strengths and confusion matrices.

    Attributes:
        rules: What comes where; at one place in this order.
        readout: Confusion matrices `A[measured, true]`, or None.

    Examples:
        >>> from quilt_func import noise
        >>> len(noise.noise_model(noise.rule(noise.bit_flip, 0.1)).rules)
        1
    """

    rules: tuple[NoiseRule, ...]
    readout: Tensor | None = None


def _model(parts: list[Any], n_rules: int) -> NoiseModel:
    """A model of its rules and, if there are any, its confusion matrices; of any kind."""
    return NoiseModel(tuple(parts[:n_rules]), parts[n_rules] if parts[n_rules:] else None)


register(
    NoiseRule,
    lambda r: (list(r.strengths), (r.channel, r.gates, r.wires, r.when)),
    lambda strengths, fixed: NoiseRule(fixed[0], tuple(strengths), *fixed[1:]),
    "quilt_func.noise.model.NoiseRule",
)
register(
    NoiseModel,
    lambda m: ([*m.rules, *([] if m.readout is None else [m.readout])], len(m.rules)),
    lambda parts, n_rules: _model([*parts], n_rules),
    "quilt_func.noise.model.NoiseModel",
)


def noise_model(*rules: NoiseRule, readout: Tensor | None = None) -> NoiseModel:
    """Put rules together to the noise of a machine.

    Args:
        *rules: From `rule`; where several apply at one place, they act in this order.
        readout (real, (2, 2), (n, 2, 2) or (2**n, 2**n)): Confusion matrices of the measurement,
            `A[measured, true]`, as `readout` takes them; default: none.

    Returns:
        The model. `with_noise` puts its rules on a circuit; its matrices are the attribute
        `readout`, for `noise.readout(p, model.readout)`, `sample_readout` and `undo_readout`.

    Raises:
        TypeError: If one is not a rule, or `readout` is not a real tensor.
        ValueError: If `readout` does not hold square matrices of a size that is a power of 2.

    Transforms:
        vmap, grad, jvp, hessian, in the strengths and in the confusion matrices.

    Examples:
        >>> import quilt_func as qf
        >>> from quilt_func import noise
        >>> model = noise.noise_model(
        ...     noise.rule(noise.two_qubit_depolarizing, 0.02, gates=qf.cx),
        ...     noise.rule(noise.depolarizing, 0.001, gates=[qf.ry, qf.rz]),
        ... )
        >>> noise.with_noise(qf.circuit(2, qf.ry(0.5, 0), qf.cx(0, 1)), model)
        Circuit(2 qubits, 4 gates)
        q0: ─RY(0.5)──Dep(0.001)──●──Dep(0.02)─
                                  │      │
        q1: ──────────────────────⊕──Dep(0.02)─
    """
    for one in rules:
        remedy = "Make rules with `rule(channel, *strengths, gates=...)`."
        check_is("noise_model", "rules", one, NoiseRule, "be rules", remedy)
    if readout is not None:
        _check_readout(readout)
    return NoiseModel(rules, readout)


def _check_readout(confusion: Tensor) -> None:
    remedy = "Give `A[measured, true]` of each wire, or of all of them at once."
    check_tensor("noise_model", "readout", confusion, COMPLEX_OF, (...,), remedy)
    if not (fits(confusion.shape, ("n", 2, 2)) or fits(confusion.shape, ("2**n", "2**n"), 1)):
        need = "have shape (2, 2), (n, 2, 2) or (2**n, 2**n)"
        raise shape_error("noise_model", "readout", confusion, need, remedy)


def with_noise(circuit: Circuit, model: NoiseModel) -> Circuit:
    """The circuit with the noise of a model on it, but for that of the measurement.

    Channels that the circuit holds already stay, and get no noise of their own; neither do
    measurements, resets and postselections. A conditional gate gets the noise of its gate, whether
    it is applied or not.

    Args:
        circuit: A circuit.
        model: From `noise_model`.

    Returns:
        A circuit with channels; `run_density` runs it.

    Raises:
        TypeError: If one of the two is of another kind.
        ValueError: If a rule has strengths for another number of wires than the circuit.

    Transforms:
        vmap, grad, jvp, hessian, in the circuit's leaves and in the model's.

    Examples:
        >>> import quilt_func as qf
        >>> from quilt_func import noise
        >>> model = noise.noise_model(noise.rule(noise.phase_damping, 0.1, when="idle"))
        >>> noise.with_noise(qf.circuit(2, qf.h(0), qf.cx(0, 1)), model)
        Circuit(2 qubits, 3 gates)
        q0: ────H─────●─
                      │
        q1: ─PD(0.1)──⊕─
    """
    check_circuit("with_noise", "circuit", circuit)
    remedy = "Make one with `noise_model(rule(...), ...)`."
    check_is("with_noise", "model", model, NoiseModel, "be a noise model", remedy)
    for one in model.rules:
        _check_wires(circuit, one)
    idle = [one for one in model.rules if one.when == "idle"]
    parts = _layers(circuit) if idle else [without_overlap(circuit.ops)]
    ops: list[Op] = []
    for layer in parts:
        busy: set[int] = set()
        for op in layer:
            ops += [*_noise(model, "before", op), op, *_noise(model, "after", op)]
            busy.update(wire for wires in op.wires for wire in wires)
        for one in idle:
            rest = [(w,) for w in range(circuit.n_qubits) if w not in busy]
            targets = [w for w in rest if one.wires is None or frozenset(w) in one.wires]
            ops += [one.op(targets)] if targets else []
    return Circuit(circuit.n_qubits, tuple(ops))


def _check_wires(circuit: Circuit, one: NoiseRule) -> None:
    """Check that strengths for each wire are as many as wires."""
    for strength in one.strengths:
        is_of_wires = isinstance(strength, Tensor) and strength.ndim == 1
        if is_of_wires and not one.channel.param_shape and len(strength) != circuit.n_qubits:
            need = f"have {circuit.n_qubits} strengths for {circuit.n_qubits} wire(s)"
            remedy = "Give one for each wire of the circuit, or a 0-d tensor for all."
            raise shape_error("with_noise", "model", strength, need, remedy)


def _noise(model: NoiseModel, when: str, op: Op) -> Iterator[Op]:
    """What comes before or after an op on wire sets that do not overlap."""
    gate: Gate | None = innermost(op.gate)
    gate = gate.base if isinstance(gate, Lookup) else gate
    if gate is None or isinstance(gate, Channel | Instrument):
        return
    for one in model.rules:
        if one.when == when:
            targets = [t for wires in op.wires for t in one.targets(gate, wires)]
            if targets:
                yield one.op(targets)


def without_overlap(ops: Iterable[Op]) -> list[Op]:
    """The ops, cut where their wire sets overlap: noise comes between these."""
    found: list[Op] = []
    for op in ops:
        first, seen = 0, set[int]()
        for slot, wires in enumerate(op.wires):
            if seen & set(wires):
                found.append(slots_of(op, range(first, slot)))
                first, seen = slot, set()
            seen |= set(wires)
        found.append(slots_of(op, range(first, len(op.wires))))
    return found


def _layers(circuit: Circuit) -> list[list[Op]]:
    """The gates in layers, each as early as its wires are free; channels stay with their gates.

    What reads an outcome comes after what writes it, and before what overwrites it.
    """
    level, written, read = [0] * circuit.n_qubits, dict[str, int](), dict[str, int]()
    found: list[list[Op]] = []
    for op in without_overlap(circuit.ops):
        by_layer: dict[int, list[int]] = {}
        for slot, wires in enumerate(op.wires):
            is_channel = isinstance(op.gate, Channel)
            own, others = op.gate.writes, op.gate.reads
            known = [written.get(key, 0) for key in (*others, own)] + [read.get(own, 0)]
            here = max(*(level[wire] for wire in wires), *known) - (1 if is_channel else 0)
            by_layer.setdefault(max(here, 0), []).append(slot)
            written |= {own: here + 1} if own else {}
            read |= {key: max(here + 1, read.get(key, 0)) for key in others}
            for wire in wires:
                level[wire] = max(level[wire], here + 1)
        for layer, slots in by_layer.items():
            found += [[] for _ in range(layer + 1 - len(found))]
            found[layer].append(slots_of(op, slots))
    return found


def slots_of(op: Op, slots: Sequence[int]) -> Op:
    """Some of an op's wire sets."""
    if len(slots) == len(op.wires):
        return op
    params = tuple(p if type(p) is float else p[list(slots)] for p in op.params)
    return Op(op.gate, tuple(op.wires[slot] for slot in slots), params)
