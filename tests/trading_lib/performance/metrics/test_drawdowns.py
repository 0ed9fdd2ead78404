"""Drawdowns one by one: the examples of pyfolio's own tests, and what must hold of any curve."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_lib.performance.metrics.drawdowns import Drawdown, drawdowns
from trading_lib.performance.metrics.formulas import max_drawdown

# quantopian/pyfolio, pyfolio/tests/test_timeseries.py, class TestDrawdown: values from 2000-01-03 on, and the peak,
# valley and recovery of the deepest drawdowns, with their depth in per cent.
FIRST = date(2000, 1, 3)
SIMPLE = [100, 120, 100, 80, 70, 110, 180, 150]
UNFINISHED = [100, 120, 100, 80, 70, 80, 90, 90]
RELATIVE = [100, 110, 120, 150, 180, 200, 100, 120, 160, 180, 200, 300, 400, 500, 600, 800, 900, 1000, 650, 600]


def day(position: int | None) -> str | None:
    return None if position is None else str(FIRST + timedelta(position))


def dated(values: list[int], count: int) -> list[tuple[str | None, ...]]:
    found = drawdowns(np.array(values, np.float64))[:count]
    return [(day(one.peak), day(one.trough), day(one.recovered), f"{one.depth:.0%}") for one in found]


def test_the_examples_of_pyfolio() -> None:
    assert dated(SIMPLE, 1) == [("2000-01-04", "2000-01-07", "2000-01-09", "42%")]
    assert dated(UNFINISHED, 1) == [("2000-01-04", "2000-01-07", None, "42%")]
    # Depth is of the peak, so that 200 to 100 is deeper than 1000 to 600.
    assert dated(RELATIVE, 2) == [
        ("2000-01-08", "2000-01-09", "2000-01-13", "50%"),
        ("2000-01-20", "2000-01-22", None, "40%"),
    ]


def test_the_length_is_from_the_peak_to_the_recovery_or_to_the_end() -> None:
    assert [one.length for one in drawdowns(np.array(SIMPLE, np.float64))] == [5, 1]
    assert [one.length for one in drawdowns(np.array(UNFINISHED, np.float64))] == [6]


def test_reaching_the_peak_again_is_a_recovery_and_of_equal_days_the_last_peak_and_the_first_trough_count() -> None:
    assert drawdowns(np.array([10.0, 10.0, 8.0, 8.0, 10.0, 9.0, 10.5])) == (
        Drawdown(pytest.approx(0.2), 1, 2, 4, 3),
        Drawdown(pytest.approx(0.1), 4, 5, 6, 2),
    )


def test_of_equally_deep_ones_the_earlier_comes_first() -> None:
    assert [one.peak for one in drawdowns(np.array([10.0, 9.0, 10.0, 9.0, 10.0]))] == [0, 2]


@pytest.mark.parametrize("values", [[1.0], [1.0, 1.0], [1.0, 2.0, 3.0], [1.0, 1.0 - 1e-15, 1.0]])
def test_a_curve_that_never_falls_has_none(values: list[float]) -> None:
    assert drawdowns(np.array(values)) == ()


@given(st.lists(st.integers(50, 150), min_size=1, max_size=60))
def test_they_cover_every_session_below_the_peak_and_the_deepest_is_the_maximum(values: list[int]) -> None:
    curve = np.array(values, np.float64)
    found = drawdowns(curve)
    below = set(np.flatnonzero(curve < np.maximum.accumulate(curve)).tolist())
    spans = [range(one.peak + 1, one.recovered or len(curve)) for one in found]
    assert sorted(t for span in spans for t in span) == sorted(below)
    assert max((one.depth for one in found), default=0.0) == pytest.approx(max_drawdown(curve))
    assert [one.depth for one in found] == sorted((one.depth for one in found), reverse=True)
    for one in found:
        assert curve[one.trough] == min(curve[one.peak : (one.recovered or len(curve))])
