"""Wrong units and spikes that revert; and what only looks like them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders.histories import DAYS, history, price_frame, scaled, walk
from trading_lib.validation.price_rules.price_path import tick_findings, unit_findings
from trading_lib.validation.report import Finding, Severity
from trading_lib.validation.rules import QualityRules

ROW = 200
RULES = QualityRules()


def units(frame: pd.DataFrame, confirmed: bool = False) -> list[Finding]:
    return unit_findings(history(frame), RULES, np.full(len(frame), confirmed))


def ticks(frame: pd.DataFrame, confirmed: bool = False) -> list[Finding]:
    return tick_findings(history(frame), RULES, np.full(len(frame), confirmed))


def rows(findings: list[Finding]) -> list[int]:
    return [int(np.searchsorted(DAYS, np.datetime64(finding.session))) for finding in findings]


@settings(max_examples=30, deadline=None)
@given(ratio=st.sampled_from([100.0, 0.01, 1000.0]), length=st.integers(1, 8))
def test_every_bar_of_a_block_in_another_unit_is_found(ratio: float, length: int) -> None:
    findings = units(scaled(price_frame(), slice(ROW, ROW + length), ratio))
    assert rows(findings) == list(range(ROW, ROW + length))
    assert {finding.severity for finding in findings} == {Severity.ERROR}
    assert units(price_frame()) == []


def test_a_change_of_unit_that_stays_is_found_once() -> None:
    assert rows(units(scaled(price_frame(), slice(0, ROW), 100.0))) == [ROW]


@pytest.mark.parametrize("ratio", [30.0, 15.4, 250.0])
def test_a_jump_by_another_factor_is_no_unit(ratio: float) -> None:
    assert units(scaled(price_frame(), slice(ROW, None), ratio)) == []


def test_quotes_nobody_traded_at_only_alert() -> None:
    frame = scaled(price_frame(), slice(ROW, ROW + 2), 0.01)
    frame.loc[ROW - 1 : ROW + 3, "volume"] = 0.0
    assert {finding.severity for finding in units(frame)} == {Severity.WARNING}


def test_a_move_another_source_made_too_is_no_unit() -> None:
    assert units(scaled(price_frame(), slice(0, ROW), 100.0), confirmed=True) == []


@settings(max_examples=40, deadline=None)
@given(
    move=st.floats(0.25, 2.0).flatmap(lambda size: st.sampled_from([1 + size, 1 / (1 + size)])),
    row=st.integers(5, len(DAYS) - 6),
)
def test_a_spike_that_reverts_is_found(move: float, row: int) -> None:
    findings = ticks(scaled(price_frame(), slice(row, row + 1), move))
    assert rows(findings) == [row]
    assert findings[0].rule == "bad_tick"


def test_a_move_that_stays_is_no_spike() -> None:
    assert ticks(scaled(price_frame(), slice(ROW, None), 1.4)) == []


def test_a_spike_the_market_made_too_is_none() -> None:
    assert ticks(scaled(price_frame(), slice(ROW, ROW + 1), 1.4), confirmed=True) == []


def test_a_wild_stretch_is_measured_by_itself() -> None:
    calm, wild = walk(), walk(seed=5, scale=0.08)
    close = np.where(np.arange(len(DAYS)) < 120, calm, calm[119] * wild / wild[119])
    frame = scaled(price_frame(close=close), slice(ROW, ROW + 1), 1.3)
    assert ticks(frame) == []
    assert rows(ticks(scaled(price_frame(), slice(ROW, ROW + 1), 1.3))) == [ROW]


def test_bars_of_minutes_are_not_judged_by_daily_rules() -> None:
    frame = scaled(price_frame(), slice(ROW, ROW + 1), 1.4)
    frame["date"] = pd.Timestamp("2022-06-01 09:30") + pd.to_timedelta(np.arange(len(frame)), unit="min")
    assert ticks(frame) == []
    assert units(scaled(frame, slice(0, ROW), 100.0)) == []
