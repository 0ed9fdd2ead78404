"""Percentile ranks of one session."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_lib.domain.kernels import python_version
from trading_lib.domain.ranking import cross_sectional_rank

NUMBERS = st.lists(st.one_of(st.floats(-5, 5).map(lambda x: round(x, 1)), st.just(float("nan"))), max_size=30)


def test_ranks_average_ties_and_leave_missing_out() -> None:
    found = cross_sectional_rank(np.array([0.3, np.nan, 0.1, 0.3, 0.2]))
    np.testing.assert_allclose(found, [0.875, np.nan, 0.25, 0.875, 0.5])
    assert np.isnan(cross_sectional_rank(np.full(3, np.nan))).all()
    assert cross_sectional_rank(np.array([np.inf, 1.0])).tolist()[1] == 1.0


@settings(max_examples=500, deadline=None)
@given(NUMBERS)
def test_ranks_equal_pandas(values: list[float]) -> None:
    expected = pd.Series(values, dtype=float).rank(pct=True).to_numpy()
    np.testing.assert_allclose(cross_sectional_rank(np.array(values, dtype=float)), expected)


@settings(max_examples=50, deadline=None)
@given(NUMBERS)
def test_compiled_and_uncompiled_agree(values: list[float]) -> None:
    array = np.array(values, dtype=float)
    np.testing.assert_array_equal(cross_sectional_rank(array), python_version(cross_sectional_rank)(array))
