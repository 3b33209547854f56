"""The primitive `evolve`: a state and ops in, a state out."""

from collections.abc import Sequence

from torch import Tensor

from quilt_func import kernel
from quilt_func._checks import check_state_size, common_dtype_and_device
from quilt_func.ops import Op


def evolve(n_qubits: int, ops: Sequence[Op], state: Tensor) -> Tensor:
    """Apply ops to a state.

    Args:
        n_qubits: Number of qubits.
        ops: Ops whose wires lie in `range(n_qubits)`, in order of application.
        state (complex, (2**n_qubits,)): Statevector.

    Returns:
        (complex, (2**n_qubits,)): New statevector of the same dtype and device.

    Raises:
        TypeError: If dtypes or devices differ.
        ValueError: If the state is of the wrong size.

    Transforms:
        vmap, grad, jvp, jacrev, jacfwd, hessian, in the state and in the ops' leaves.

    Examples:
        >>> from quilt_func import h, cx, zero_state
        >>> evolve(2, [h(0), cx(0, 1)], zero_state(2)).real
        tensor([0.7071, 0.0000, 0.0000, 0.7071])
    """
    check_state_size("evolve", state, n_qubits)
    common_dtype_and_device("evolve", [state, *(leaf for op in ops for leaf in op.leaves)])
    return kernel.run(ops, state)
