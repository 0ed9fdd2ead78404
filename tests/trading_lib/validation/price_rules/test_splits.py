"""Splits: raw and adjusted histories are sound, half-adjusted ones are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders.histories import DAYS, history, price_frame, scaled
from trading_lib.validation.price_rules.splits import split_findings
from trading_lib.validation.report import Severity
from trading_lib.validation.rules import QualityRules

ROW = 150
RATIOS = st.sampled_from([0.1, 0.25, 0.5, 1.5, 2.0, 4.0, 20.0])


def stated(frame: pd.DataFrame, ratio: float) -> pd.DataFrame:
    frame = frame.copy()
    frame.loc[ROW, "split"] = ratio
    return frame


def sessions_found(frame: pd.DataFrame) -> list[int]:
    findings = split_findings(history(frame), QualityRules())
    assert {finding.severity for finding in findings} <= {Severity.ERROR}
    return [int(np.searchsorted(DAYS, np.datetime64(finding.session))) for finding in findings]


@settings(max_examples=30, deadline=None)
@given(ratio=RATIOS)
def test_an_adjusted_history_is_sound(ratio: float) -> None:
    assert sessions_found(stated(price_frame(), ratio)) == []


@settings(max_examples=30, deadline=None)
@given(ratio=RATIOS, with_adjusted_close=st.booleans())
def test_a_raw_history_is_sound(ratio: float, with_adjusted_close: bool) -> None:
    frame = stated(price_frame(), ratio)
    raw = scaled(frame, slice(0, ROW), ratio)
    raw["adj_close"] = frame["adj_close"] if with_adjusted_close else np.nan
    assert sessions_found(raw) == []


@settings(max_examples=30, deadline=None)
@given(ratio=RATIOS, days_off=st.integers(1, 9))
def test_a_history_adjusted_up_to_the_wrong_day_is_not(ratio: float, days_off: int) -> None:
    frame = scaled(stated(price_frame(), ratio), slice(0, ROW - days_off), ratio)
    assert sessions_found(frame) == [ROW - days_off]


@pytest.mark.parametrize("ratio", [0.1, 4.0])
def test_a_block_that_was_adjusted_alone(ratio: float) -> None:
    frame = scaled(stated(price_frame(), ratio), slice(ROW - 2, ROW), ratio)
    assert sessions_found(frame) == [ROW - 2, ROW]


@pytest.mark.parametrize("ratio", [0.1, 0.76, 4.0])
def test_a_split_applied_in_the_wrong_direction(ratio: float) -> None:
    frame = scaled(stated(price_frame(), ratio), slice(0, ROW), 1 / ratio)
    assert sessions_found(frame) == [ROW]


def test_a_stock_dividend_within_a_days_moves_is_not_judged() -> None:
    assert sessions_found(scaled(stated(price_frame(), 1.03), slice(0, ROW - 2), 1.03)) == []


def test_the_same_jump_far_from_the_split_is_no_split() -> None:
    assert sessions_found(scaled(stated(price_frame(), 4.0), slice(0, ROW - 40), 4.0)) == []
