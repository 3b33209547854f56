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
from quilt_func.sharded import explain_sharded


def explain(
    circuit: Circuit,
    *,
    n_ranks: int | None = None,
    bandwidth: float = 100e9,
    latency: float = 2e-5,
) -> str:
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

    With a number of ranks it tells how `sharded.run_sharded` runs the circuit over as many
    processes: the exchanges of wires, the bytes that each rank sends for each, and how long that
    takes. No process is needed, so that a laptop can plan for a thousand GPUs; `plan_sharded`
    gives the same as data.

    Args:
        circuit: Circuit.
        n_ranks: Number of processes that share the state, a power of two; None for one alone.
        bandwidth: Bytes that each rank sends in a second, to all others together.
        latency: Seconds before the first byte of an exchange.

    Returns:
        A table, for printing.

    Raises:
        TypeError: If the argument is not a circuit, or holds channels and nothing that measures;
            with ranks, if it measures at all, or a number is none.
        ValueError: If an outcome is read before it is measured, there are more ranks than
            amplitudes, their number is no power of two, or a gate moves more wires than a rank has.

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
        >>> layers = 6 * [h(range(34)), cx([(wire, wire + 1) for wire in range(33)])]
        >>> print(explain(circuit(34, layers), n_ranks=16))
        402 gates on 34 qubits, 16 ranks of 30 wires each: 1 exchange(s)
          stage  gates  steps  passes  sent        wires in        wires out
              1    328     36      36  0 MiB
              2     74     23      23  7.5 GiB     30, 31, 32, 33  0, 1, 2, 3
          total  59 steps, 59 passes over 8 GiB; each rank sends 7.5 GiB
         memory  16 GiB of each rank: 2 states of 8 GiB
           time  0.0806 s for exchanges, of 100 GB/s from each rank and 2e-05 s of latency
    """
    check_circuit("explain", "circuit", circuit)
    if n_ranks is not None:
        return explain_sharded(circuit, n_ranks, bandwidth, latency)
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
