"""Measurement in the middle of a circuit: outcomes, and gates that depend on them.

`measure`, `reset`, `conditional`, `lookup` and `postselect` stand in circuits beside gates.
`run_branches` gives a state for each outcome, exactly, and the functions `branch_...` read it;
`run_trajectory` gives one outcome by uniform numbers, `run_density` the mixture of all.
"""

from quilt_func.instruments.branch_walk import BranchWalk as BranchWalk
from quilt_func.instruments.conditions import OfTable as OfTable
from quilt_func.instruments.conditions import all_bits as all_bits
from quilt_func.instruments.conditions import check_width as check_width
from quilt_func.instruments.conditions import number as number
from quilt_func.instruments.conditions import parity
from quilt_func.instruments.conditions import truth as truth
from quilt_func.instruments.explaining import bits_of as bits_of
from quilt_func.instruments.explaining import explain_branches as explain_branches
from quilt_func.instruments.feed_forward import Conditional as Conditional
from quilt_func.instruments.feed_forward import Lookup as Lookup
from quilt_func.instruments.feed_forward import conditional, lookup
from quilt_func.instruments.feed_forward import holds_of as holds_of
from quilt_func.instruments.feed_forward import innermost as innermost
from quilt_func.instruments.feed_forward import resolved as resolved
from quilt_func.instruments.instrument_rows import Instrument, measure, postselect, reset
from quilt_func.instruments.instrument_rows import Measurement as Measurement
from quilt_func.instruments.instrument_rows import Postselection as Postselection
from quilt_func.instruments.instrument_rows import Reset as Reset
from quilt_func.instruments.instrument_rows import as_bits as as_bits
from quilt_func.instruments.instrument_rows import check_key as check_key
from quilt_func.instruments.instrument_rows import measurement_row as measurement_row
from quilt_func.instruments.instrument_rows import postselection_row as postselection_row
from quilt_func.instruments.instrument_rows import projectors as projectors
from quilt_func.instruments.instrument_rows import reset_row as reset_row
from quilt_func.instruments.keys import check_keys as check_keys
from quilt_func.instruments.keys import has_instruments as has_instruments
from quilt_func.instruments.keys import is_read_later as is_read_later
from quilt_func.instruments.keys import outcomes_of as outcomes_of
from quilt_func.instruments.reading import (
    Conditioned,
    branch_expval,
    branch_mean,
    branch_probabilities,
    conditional_expval,
)
from quilt_func.instruments.running import BUDGET as BUDGET
from quilt_func.instruments.running import Branches, run_branches
from quilt_func.instruments.running import check_budget as check_budget

__all__ = [
    "Branches",
    "Conditioned",
    "Instrument",
    "branch_expval",
    "branch_mean",
    "branch_probabilities",
    "conditional",
    "conditional_expval",
    "lookup",
    "measure",
    "parity",
    "postselect",
    "reset",
    "run_branches",
]
