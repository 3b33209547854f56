"""What turns a tape into tapes that run: PennyLane's own transforms, with our gates to stop at."""

from typing import Any

from quilt_func.pennylane_device.library import qml
from quilt_func.pennylane_device.native import (
    GENERATED,
    NAMED,
    is_native,
    is_native_to_densities,
)

STEPS: Any = qml.devices.preprocess
TARGETS = frozenset(NAMED | GENERATED) - {"Adjoint(S)", "Adjoint(T)", "Adjoint(SX)"}


def pipeline(device: Any, config: Any) -> Any:
    """The transforms for a device and a configuration."""
    found = qml.CompilePipeline()
    is_density = device.is_density
    is_deferred = config.mcm_config.mcm_method in (None, "deferred")
    if is_deferred:
        found.add_transform(qml.defer_measurements, allow_postselect=True)
    found.add_transform(
        STEPS.decompose,
        stopping_condition=is_native_to_densities if is_density else is_native,
        device_wires=device.wires,
        target_gates=set(TARGETS),
        name=device.name,
    )
    found.add_transform(
        STEPS.device_resolve_dynamic_wires, wires=device.wires, allow_resets=not is_deferred
    )
    found.add_transform(_controls_of_one)
    found.add_transform(STEPS.validate_device_wires, device.wires, name=device.name)
    found.add_transform(
        STEPS.validate_measurements,
        analytic_measurements=_is_exact,
        sample_measurements=_is_sampled,
        name=device.name,
    )
    found.add_transform(_singly)
    if config.gradient_method in ("backprop", "device", "adjoint"):
        found.add_transform(STEPS.no_sampling, name=f"{config.gradient_method} + {device.name}")
    if config.gradient_method in ("device", "adjoint"):
        found.add_transform(qml.transforms.broadcast_expand)
    return found


def _is_exact(mp: Any) -> bool:
    """Whether a measurement is one of a state."""
    if not isinstance(mp, qml.measurements.StateMeasurement):
        return False
    is_mean = isinstance(mp, qml.measurements.ExpectationMP)
    return mp.obs is None or _has_basis(mp.obs, is_mean)


def _is_sampled(mp: Any) -> bool:
    """Whether a measurement is one of samples."""
    kinds = (
        qml.measurements.SampleMeasurement,
        qml.measurements.ClassicalShadowMP,
        qml.measurements.ShadowExpvalMP,
    )
    return isinstance(mp, kinds) and (mp.obs is None or _has_basis(mp.obs, False))


def _has_basis(obs: Any, is_mean: bool) -> bool:
    """Whether gates are known that turn an observable's basis to the computational one."""
    if isinstance(obs, qml.ops.CompositeOp):
        return all(_has_basis(one, is_mean) for one in obs.operands)
    if isinstance(obs, qml.ops.LinearCombination):
        return all(_has_basis(one, is_mean) for one in obs.terms()[1])
    if isinstance(obs, qml.ops.SymbolicOp):
        return _has_basis(obs.base, is_mean)
    if is_mean and obs.name in ("SparseHamiltonian", "Hermitian"):
        return True
    return bool(obs.has_diagonalizing_gates)


def _first(results: Any) -> Any:
    return results[0]


@qml.transform  # type: ignore[untyped-decorator]
def _controls_of_one(tape: Any) -> Any:
    """Controls by 0 of a matrix as flips: PennyLane 0.45 loses them where it binds parameters."""
    if not any(map(_is_controlled_by_zero, tape.operations)):
        return (tape,), _first
    found: list[Any] = []
    for op in tape.operations:
        if not _is_controlled_by_zero(op):
            found.append(op)
            continue
        pairs = zip(op.control_wires, op.control_values, strict=True)
        flips = [qml.X(wire) for wire, value in pairs if not value]
        inner = qml.ControlledQubitUnitary(op.data[0], wires=op.wires)
        found += [*flips, inner, *flips]
    return (tape.copy(operations=found),), _first


def _is_controlled_by_zero(op: Any) -> bool:
    return isinstance(op, qml.ControlledQubitUnitary) and not all(op.control_values)


@qml.transform  # type: ignore[untyped-decorator]
def _singly(tape: Any) -> Any:
    """Sums of observables term by term where they are sampled, and shadows sample by sample."""
    if not tape.shots:
        return (tape,), _first
    shadows = (qml.measurements.ClassicalShadowMP, qml.measurements.ShadowExpvalMP)
    if tape.batch_size and any(isinstance(mp, shadows) for mp in tape.measurements):
        return qml.transforms.broadcast_expand(tape)
    return qml.transforms.split_to_single_terms(tape)
