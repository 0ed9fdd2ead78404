"""The audit of features passes on them as they are, and names every planted leak."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from tests.builders.markets import CALENDAR, backtest_input, market_of, random_bars, random_macro
from trading_lib.backtest.audits.features import FeatureAudit, FeatureBuild, audit_features, choose_sessions
from trading_lib.backtest.audits.truncation import BARS, MACRO, RawHistory
from trading_lib.domain.market.prices import Bars, FloatArray, MacroSeries
from trading_lib.learning.dataset import FeaturePanel
from trading_lib.session.inputs import SessionInput
from trading_lib.workflows.learning.feature_audit import feature_build, feature_report

FIRST, LAST = date(2020, 1, 2), date(2021, 8, 31)
# At the first of them one asset has no price yet.
CUTS = [date(2020, 5, 15), date(2021, 6, 30)]


@pytest.fixture(scope="module")
def history() -> RawHistory:
    bars, macro = random_bars(FIRST, LAST, 11), random_macro(FIRST, LAST, 11)
    return RawHistory({BARS: bars.frame, MACRO: macro.frame}, ("BTC-USD",))


def data_of(history: RawHistory, last: date) -> SessionInput:
    return backtest_input(market_of(Bars(history.frames[BARS]), MacroSeries(history.frames[MACRO]), last))


honest = feature_build(data_of, CALENDAR)


def with_feature(name: str, change: Callable[[FloatArray], FloatArray]) -> FeatureBuild:
    def build(history: RawHistory, last: date) -> FeaturePanel:
        features = honest(history, last)
        values, position = features.values.copy(), features.names.index(name)
        values[position] = change(values[position])
        return replace(features, values=values)

    return build


def audited(history: RawHistory, build: FeatureBuild) -> FeatureAudit:
    return audit_features(history, build, CUTS, LAST, CALENDAR)


def tomorrow(values: FloatArray) -> FloatArray:
    return np.concatenate([values[1:], values[-1:]])


def standardised_over_everything(values: FloatArray) -> FloatArray:
    result: FloatArray = (values - np.nanmean(values)) / np.nanstd(values)
    return result


def filled_backwards(values: FloatArray) -> FloatArray:
    filled = values.copy()
    for row in range(len(values) - 2, -1, -1):
        filled[row] = np.where(np.isnan(filled[row]), filled[row + 1], filled[row])
    return filled


def test_the_features_as_they_are_have_seen_no_future(history: RawHistory) -> None:
    audit = audited(history, honest)
    assert len(audit.features) == 27
    assert audit.cuts == tuple(CUTS)
    assert audit.leaks == ()


@pytest.mark.parametrize("change", [tomorrow, standardised_over_everything, filled_backwards])
def test_a_leak_is_named_with_session_symbol_and_both_values(
    history: RawHistory, change: Callable[[FloatArray], FloatArray]
) -> None:
    (leak,) = audited(history, with_feature("momentum_63", change)).leaks
    assert leak.feature == "momentum_63"
    assert leak.symbol in data_of(history, LAST).universe.symbols
    assert leak.session <= CUTS[0]
    assert leak.full != leak.known
    assert 1 <= leak.cuts <= 2


def test_a_history_that_begins_otherwise_is_a_finding(history: RawHistory) -> None:
    def later(history: RawHistory, last: date) -> FeaturePanel:
        return honest(history if last == LAST else history.since(date(2020, 2, 3)), last)

    assert {leak.feature for leak in audited(history, later).leaks} == {"sessions"}


def test_sessions_to_cut_at_are_drawn_by_the_seed_and_never_the_last() -> None:
    sessions = CALENDAR.between(FIRST, LAST)
    drawn = choose_sessions(sessions, 5, 1)
    assert drawn == sorted(set(drawn)) == choose_sessions(sessions, 5, 1) != choose_sessions(sessions, 5, 2)
    assert choose_sessions(sessions[:3], 10, 0) == sessions[:2].tolist()


def test_the_report_names_what_was_compared(history: RawHistory) -> None:
    report = feature_report(history, data_of, CALENDAR, date(2021, 3, 1), LAST, cuts=2, seed=0)
    assert len(report["compared"]) == 27
    assert len(report["cuts"]) == 2
    assert report["findings"] == []
