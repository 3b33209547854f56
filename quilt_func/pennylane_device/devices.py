"""The classes that PennyLane makes of `qml.device("quilt.qubit")` and `qml.device("quilt.mixed")`.

References:
    PennyLane 0.45, `pennylane.devices.Device`: what its methods are given, and return.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from quilt_func._checks import message
from quilt_func.pennylane_device.boundaries import BOUNDARIES, is_hidden
from quilt_func.pennylane_device.jacobians import Derivatives
from quilt_func.pennylane_device.library import qml
from quilt_func.pennylane_device.preprocessing import pipeline
from quilt_func.pennylane_device.running import Engine
from quilt_func.pennylane_device.sampling import sampled
from quilt_func.pennylane_device.seeds import Seeds

Device: Any = qml.devices.Device
OWN_METHODS = frozenset({"backprop", "device", "adjoint", "best"})
DTYPES = {np.dtype("complex64"): torch.complex64, np.dtype("complex128"): torch.complex128}


class _Base(Device):
    """What both devices share."""

    is_density = False

    def __init__(
        self,
        wires: Any = None,
        shots: Any = None,
        seed: Any = "global",
        c_dtype: Any = "complex128",
    ) -> None:
        super().__init__(wires=wires, shots=shots)
        self._engine = Engine(_dtype(self.name, c_dtype), self.is_density)
        self._derivatives = Derivatives(self._engine)
        self._seeds = Seeds(seed)

    # --- what PennyLane asks before it runs ---

    def supports_derivatives(self, execution_config: Any = None, circuit: Any = None) -> bool:
        """Whether derivatives are this device's own: of all that is measured exactly."""
        if execution_config is None:
            return True
        if execution_config.gradient_method not in OWN_METHODS:
            return False
        return circuit is None or not circuit.shots

    def supports_vjp(self, execution_config: Any = None, circuit: Any = None) -> bool:
        """As for all derivatives."""
        return self.supports_derivatives(execution_config, circuit)

    def supports_jvp(self, execution_config: Any = None, circuit: Any = None) -> bool:
        """As for all derivatives."""
        return self.supports_derivatives(execution_config, circuit)

    def setup_execution_config(self, config: Any = None, circuit: Any = None) -> Any:
        """Choose how to differentiate and how to measure in the middle."""
        config = config or qml.devices.ExecutionConfig()
        for option in config.device_options:
            raise qml.exceptions.DeviceError(f"device option {option} not present on {self}")
        method = config.gradient_method
        method = "backprop" if method == "best" else method
        is_own = method in OWN_METHODS
        products = config.use_device_jacobian_product
        updated = {
            "gradient_method": method,
            "use_device_gradient": is_own if config.use_device_gradient is None
            else config.use_device_gradient,
            "use_device_jacobian_product": is_own and method != "backprop"
            if products is None or _is_complex(circuit)
            else products,
            "grad_on_execution": False if config.grad_on_execution is None
            else config.grad_on_execution,
            "mcm_config": self._mcm_config(config.mcm_config, circuit),
        }  # fmt: skip
        return replace(config, **updated)

    def _mcm_config(self, given: Any, circuit: Any) -> Any:
        """Deferred measurements, or, of statevectors, branches."""
        fills = given.postselect_mode == "fill-shots"
        has_shots = bool(getattr(circuit, "shots", None))
        is_native = has_shots and not fills and not self.is_density
        method = given.mcm_method or ("tree-traversal" if is_native else "deferred")
        if method == "device":
            method = "deferred" if self.is_density else "tree-traversal"
        known = {"deferred"} if self.is_density else {"deferred", "tree-traversal", "one-shot"}
        if method not in known:
            raise qml.exceptions.DeviceError(
                f"mcm_method {method} not supported on {self.name}. Supported: {sorted(known)}"
            )
        if fills and method != "deferred":
            raise qml.exceptions.DeviceError(
                "postselect_mode='fill-shots' is supported with mcm_method='deferred' only"
            )
        return replace(given, mcm_method=method)

    def preprocess_transforms(self, execution_config: Any = None) -> Any:
        """What turns a tape into tapes that run."""
        return pipeline(self, execution_config or qml.devices.ExecutionConfig())

    # --- what runs ---

    def execute(self, circuits: Sequence[Any], execution_config: Any = None) -> Any:
        """What each tape measures."""
        exact = [tape for tape in circuits if not tape.shots]
        values = iter(self._exact(exact, execution_config)) if exact else iter(())
        mode = execution_config and execution_config.mcm_config.postselect_mode
        return tuple(
            sampled(self._engine, tape, self._seeds, mode) if tape.shots else next(values)
            for tape in circuits
        )

    def _exact(self, tapes: Sequence[Any], config: Any) -> list[Any]:
        interface = config and config.interface
        if config is None or config.gradient_method not in ("backprop", None):
            interface = None
        if interface == qml.math.Interface.TORCH:
            return [_result(values) for values in self._engine.values(tapes)]
        lifted = BOUNDARIES.get(interface) if config and config.gradient_method else None
        if lifted is not None and any(map(is_hidden, tapes)):
            return [_result(lifted(self._derivatives, tape)) for tape in tapes]
        return [_result([*map(_array, values)]) for values in self._engine.values(tapes)]

    def compute_derivatives(self, circuits: Sequence[Any], execution_config: Any = None) -> Any:
        """The Jacobian of each tape in its trainable parameters."""
        del execution_config
        return self._derivatives.jacobians(circuits)

    def execute_and_compute_derivatives(self, circuits: Any, execution_config: Any = None) -> Any:
        """Values and Jacobians."""
        values = self.execute(circuits, execution_config)
        return values, self.compute_derivatives(circuits, execution_config)

    def compute_vjp(self, circuits: Any, cotangents: Any, execution_config: Any = None) -> Any:
        """The product of a cotangent with each tape's Jacobian, by the walk back."""
        del execution_config
        return self._derivatives.vjps(circuits, cotangents)

    def execute_and_compute_vjp(
        self, circuits: Any, cotangents: Any, execution_config: Any = None
    ) -> Any:
        """Values, and products with cotangents."""
        values = self.execute(circuits, execution_config)
        return values, self.compute_vjp(circuits, cotangents, execution_config)

    def compute_jvp(self, circuits: Any, tangents: Any, execution_config: Any = None) -> Any:
        """The product of each tape's Jacobian with a tangent."""
        del execution_config
        return tuple(map(self._derivatives.jvp, circuits, tangents))

    def execute_and_compute_jvp(
        self, circuits: Any, tangents: Any, execution_config: Any = None
    ) -> Any:
        """Values, and products with tangents."""
        values = self.execute(circuits, execution_config)
        return values, self.compute_jvp(circuits, tangents, execution_config)


@qml.devices.modifiers.simulator_tracking
@qml.devices.modifiers.single_tape_support
class QuiltQubit(_Base):
    """PennyLane's device `quilt.qubit`: statevectors on the primitive.

    Args:
        wires: A number of wires, or their labels; default: those of each tape.
        shots: Deprecated by PennyLane: set them on the QNode.
        seed: What random numbers are drawn from: an int, None, or "global", which asks numpy.
        c_dtype: Precision: complex128 or complex64, of numpy or torch.

    Raises:
        ImportError: If PennyLane is not installed.
        TypeError: If `c_dtype` is another one.
    """

    @property
    def name(self) -> str:
        """PennyLane's short name."""
        return "quilt.qubit"


@qml.devices.modifiers.simulator_tracking
@qml.devices.modifiers.single_tape_support
class QuiltMixed(_Base):
    """PennyLane's device `quilt.mixed`: density matrices on the primitive, with all channels.

    Args:
        wires: A number of wires, or their labels; default: those of each tape.
        shots: Deprecated by PennyLane: set them on the QNode.
        seed: What random numbers are drawn from: an int, None, or "global", which asks numpy.
        c_dtype: Precision: complex128 or complex64, of numpy or torch.

    Raises:
        ImportError: If PennyLane is not installed.
        TypeError: If `c_dtype` is another one.
    """

    is_density = True

    @property
    def name(self) -> str:
        """PennyLane's short name."""
        return "quilt.mixed"


def _is_complex(circuit: Any) -> bool:
    """Whether a tape measures states: PennyLane's products with their Jacobians are complex."""
    kinds = (qml.measurements.StateMP, qml.measurements.DensityMatrixMP)
    return circuit is not None and any(isinstance(mp, kinds) for mp in circuit.measurements)


def _dtype(name: str, given: Any) -> torch.dtype:
    """A complex dtype of torch of one of torch or numpy."""
    if given in DTYPES.values():
        return given  # type: ignore[no-any-return]
    try:
        return DTYPES[np.dtype(given)]
    except (TypeError, KeyError):
        need, remedy = "be complex64 or complex128", "Give `numpy.complex64` for speed."
        raise TypeError(message(name, "c_dtype", given, need, str(given), remedy)) from None


def _result(values: Sequence[Any]) -> Any:
    """One value, or a tuple of them."""
    return values[0] if len(values) == 1 else tuple(values)


def _array(value: Tensor) -> Any:
    return value.detach().resolve_conj().cpu().numpy()[()]
