"""How a circuit is run, told as a table: from |0...0⟩, or with outcomes in the middle."""

from quilt_func._checks import COMPLEX_OF, common_dtype_and_device
from quilt_func.circuits import Circuit, check_circuit
from quilt_func.evolution import explain_ops
from quilt_func.instruments import check_keys, explain_branches, has_instruments, innermost
from quilt_func.noise import (
    Channel,
    explain_trajectory,
    most_matrices,
    trajectory_cost,
)


def explain(circuit: Circuit) -> str:
    """Tell how a circuit is run from |0...0⟩: its steps, and what each costs.

    A step is a *block*, gates multiplied into one matrix on a few wires; a *permute*, gates that
    only reorder amplitudes; *phases*, a run of diagonal gates; an *operator*, gates that are not
    known to be unitary, before which a gradient keeps the state; or an *order*, in which wires that
    are apart become neighbours for the steps after it. The estimate counts passes over
    the state (memory) and real operations (arithmetic).

    A circuit with measurements is run in *stretches*, each up to an outcome. Then the table has the
    stretches of `run_branches`, with the branches that each is run on and the amplitudes that these
    hold; or of `run_trajectory`, if there are channels, which branches have none of. What all three
    runs hold is told below: of `run_density`, at the time when most outcomes are yet to be read.

    Args:
        circuit: Circuit.

    Returns:
        A table, for printing.

    Raises:
        TypeError: If the argument is not a circuit, or holds channels and nothing that measures.
        ValueError: If an outcome is read before it is measured.

    Transforms:
        None: it reads structure only.

    Examples:
        >>> from quilt_func import circuit, cx, h
        >>> print(explain(circuit(8, h(range(8)), cx([(i, i + 1) for i in range(7)]))))
        15 gates on 8 qubits: 1 steps in 1 segments
           step  kind      wires                 gates  state moved       arithmetic
                 product   0-7
              1  permute   0-7                       7  1 x 0.00391 MiB   0 Mflop
          total  1 passes over a state of 0.00195 MiB, 0 Mflop
        >>> from quilt_func import conditional, measure, x
        >>> print(explain(circuit(2, h(0), cx(0, 1), measure(0, "m"), conditional("m", x(1), 1))))
        2 branches on 2 qubits, in 2 stretches
        stretch  gates  steps  passes  branches  amplitudes  arithmetic       up to
              1      2      1       1         1           4  0.000128 Mflop   measure[m] on (0,)
              2      1      1       1         2           8  0.000256 Mflop   the end
          total  2 passes over all branches, 0.000384 Mflop
        run_branches    2 branches of 4 amplitudes, 6.1e-05 MiB
        run_trajectory  1 uniform numbers, 2 stretches, 2 passes over a state of 3.05e-05 MiB
        run_density     2 matrices of 16 entries, 0.000244 MiB
    """
    check_circuit("explain", "circuit", circuit)
    if has_instruments(circuit):
        check_keys("explain", circuit)
        return "\n".join(_with_outcomes(circuit))
    return explain_ops(circuit.n_qubits, circuit.ops, _itemsize(circuit))


def _with_outcomes(circuit: Circuit) -> list[str]:
    """Stretches of a run, and what each kind of run holds."""
    n, mib = circuit.n_qubits, _itemsize(circuit) / 2**20
    rows = [innermost(op.gate) for op in circuit.ops]
    channels = [row for row in rows if isinstance(row, Channel)]
    lines, branches, trajectory = [], "refuses channels", "refuses what has no Kraus operators"
    if not channels:
        table, most = explain_branches(circuit)
        lines = [table]
        branches = f"{most} branches of {2**n} amplitudes, {most * 2**n * mib:.3g} MiB"
    if all(channel.kraus is not None for channel in channels):
        lines = lines or [explain_trajectory(circuit)]
        numbers, n_stretches, passes = trajectory_cost(circuit)
        trajectory = f"{numbers} uniform numbers, {n_stretches} stretches, {passes} passes over a "
        trajectory += f"state of {2**n * mib:.3g} MiB"
    matrices = most_matrices(circuit)
    density = f"{matrices} matrices of {4**n} entries, {matrices * 4**n * mib:.3g} MiB"
    return [
        *lines,
        f"run_branches    {branches}",
        f"run_trajectory  {trajectory}",
        f"run_density     {density}",
    ]


def _itemsize(circuit: Circuit) -> int:
    """Bytes of an amplitude."""
    kind = common_dtype_and_device("explain", circuit.leaves)
    return 8 if kind is None else COMPLEX_OF[kind[0]].itemsize
