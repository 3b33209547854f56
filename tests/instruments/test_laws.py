"""The laws of circuits with instruments, for drawn circuits."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import quilt_func as qf
from quilt_func import instruments
from quilt_func.testing import INSTRUMENT_LAWS, instrument_laws
from quilt_func.testing import strategies as qst
from quilt_func.testing._instrument_laws import instrument_cases


@pytest.mark.parametrize("law", INSTRUMENT_LAWS)
@given(data=st.data(), postselects=st.booleans())
def test_laws_hold_for_drawn_circuits(law, data, postselects):
    circuit = data.draw(qst.dynamic_circuits(postselects=postselects))
    INSTRUMENT_LAWS[law](circuit, data.draw(instrument_cases(circuit)))


THETA = torch.tensor([0.3, 1.2], dtype=torch.float64)
test_feed_forward = instrument_laws(
    qf.circuit(
        3, qf.ry(0.4, range(3)), qf.cx(0, 1), qf.measure([1, 0], "m"),
        qf.conditional("m", qf.crx(0.3, 2, 0), (1, 0)), qf.reset(1),
        instruments.lookup("m", qf.ry, torch.arange(4, dtype=torch.float64), 2),
    )
)  # fmt: skip
test_table = instrument_laws(
    qf.circuit(
        2, qf.rx(THETA, [0, 1]), qf.measure(0, "m"), qf.measure(1, "m"),
        qf.conditional("m", qf.ry(THETA, [0, 0]), table=[1, 0]),
    )
)  # fmt: skip
