"""The primitive `evolve`: a state and ops in, a state out, with a rule for every transform.

The words of this package, each with one meaning:

- *step kind*: a row, `steps.kind.Kind`: which gates it takes, at what price, and its steps.
- *block*: a step that multiplies by one matrix on a few wires, the product of unitary gates.
- *operator*: a block of gates that need not be unitary; the state before it does not follow from
  the state after it.
- *phases*: a step of diagonal gates, one phase per amplitude.
- *permute*: a step of gates that only reorder amplitudes.
- *order*: a step that puts the wires in another order, so that later steps act on neighbours.
- *exchange*: a step that swaps wires with bits of the rank's number, where a state is split over
  processes.
- *recipe*: integers and constants that say how parameters become the tensor that steps act with.
- *segment*: steps whose tensors are built, and held, together.
- *plan*: the segments of a run, and the product state that it may start from; it is cached.
- *level*: one `torch.func.vmap` around a call.
- *batch key*: the levels that the parameters of a gate are batched over.
- *lead*, *last*: levels before and after the amplitudes, `(lead, 2**n, last)`. Levels that matrices
  carry lead.
- *cotangent*: the gradient by a state on the way back; `Run` holds its complex conjugate.
- *kept run*: what a run leaves to its vjp, held by a `kept.KeptRun` while autograd may ask for it.
- *jet*: a state and its tangents in all directions, as one tensor.
- *slope*: the derivative of a block's matrix by one of the angles in it.
- *plain route*: the steps of a plan in ordinary torch calls, which any transform can see through.
- *reference*: gate by gate, without a plan. Tests compare everything else with it.
"""

from quilt_func.evolution.entry import evolve, evolve_from, evolved
from quilt_func.evolution.explaining import Cost, cost_of, cost_on_paper, explain_ops
from quilt_func.evolution.signature import Packing
from quilt_func.evolution.steps import affine, exchange_row

__all__ = [
    "Cost",
    "Packing",
    "affine",
    "cost_of",
    "cost_on_paper",
    "evolve",
    "evolve_from",
    "evolved",
    "exchange_row",
    "explain_ops",
]
