"""How a circuit with channels is run."""

from quilt_func._checks import COMPLEX_OF, common_dtype_and_device
from quilt_func.circuits import Circuit, check_circuit
from quilt_func.evolution import explain_ops
from quilt_func.noise.density import doubled


def explain_density(circuit: Circuit) -> str:
    """Tell how `run_density` runs a circuit: its steps, and what each costs.

    Args:
        circuit: Gates and channels.

    Returns:
        A table, for printing, as of `explain`, of the density matrix as a state of twice as many
        wires: a gate counts for rows and for columns.

    Raises:
        TypeError: If `circuit` is not a circuit.

    Transforms:
        None: it describes a structure.

    Examples:
        >>> from quilt_func import circuit, cx, h, noise
        >>> print(explain_density(circuit(2, h(0), cx(0, 1), noise.bit_flip(0.1, 0))))
        5 gates on 4 qubits: 1 steps in 1 segments
           step  kind      wires                 gates  state moved       arithmetic
                 product   0-3
              1  operator  0-3                       3  1 x 0.000244 MiB  0.00205 Mflop
          total  1 passes over a state of 0.000122 MiB, 0.00205 Mflop
           kept  1 states before steps that cannot be undone, 0.000122 MiB
    """
    check_circuit("explain_density", "circuit", circuit)
    kind = common_dtype_and_device("explain_density", circuit.leaves)
    itemsize = 8 if kind is None else COMPLEX_OF[kind[0]].itemsize
    return explain_ops(2 * circuit.n_qubits, doubled(circuit), itemsize)
