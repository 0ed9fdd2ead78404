"""Windows need exactly their length, Wilder's averages fade by 13/14 a bar, and what never forgets is said so."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from tests.builders.markets import backtest_input, market_of, random_bars, random_macro
from trading_lib.backtest.audits.truncation import BARS, MACRO, RawHistory
from trading_lib.backtest.audits.warm_up import DECISION, FACTOR, REGIME, SLEEVE, WarmUp, WarmUpReport, audit_warm_up
from trading_lib.domain.errors import SessionError
from trading_lib.domain.market.prices import Bars, MacroSeries
from trading_lib.session.inputs import SessionInput

FIRST, LAST = date(2019, 1, 2), date(2021, 10, 29)
START = date(2020, 2, 3)


@pytest.fixture(scope="module")
def history() -> RawHistory:
    bars = random_bars(FIRST, LAST, 5, daily_volatility=0.016, missing=0.0).frame
    # A gap adds its own length to what an asset needs, and SLV has one.
    bars = bars[bars["symbol"] != "SLV"].reset_index(drop=True)
    return RawHistory({BARS: bars, MACRO: random_macro(FIRST, LAST, 5).frame}, ("BTC-USD",))


def build(history: RawHistory, last: date) -> SessionInput:
    return backtest_input(market_of(Bars(history.frames[BARS]), MacroSeries(history.frames[MACRO]), last))


@pytest.fixture(scope="module")
def report(history: RawHistory) -> WarmUpReport:
    return audit_warm_up(history, build, START, LAST, beginnings=1)


def need(report: WarmUpReport, kind: str, name: str) -> WarmUp:
    (row,) = (row for row in report.rows if (row.kind, row.name) == (kind, name))
    return row


@pytest.mark.parametrize(
    ("name", "sessions"),
    [("SMA_20", 20), ("SMA_50", 50), ("SMA_200", 200), ("Momentum_60", 61), ("Momentum_120", 121),
     ("Volatility_20", 21), ("Volatility_60", 61)],
)  # fmt: skip
def test_a_window_is_enough_once_it_is_full(report: WarmUpReport, name: str, sessions: int) -> None:
    found = need(report, FACTOR, name)
    assert (found.loose, found.tight) == (sessions, sessions)


def test_a_year_of_momentum_needs_a_year_and_the_coins_first_bar(report: WarmUpReport) -> None:
    assert need(report, FACTOR, "Momentum_12_1").loose in (253, 254)
    assert need(report, SLEEVE, "rotation").loose in (253, 254)


@pytest.mark.parametrize("name", ["RSI_14", "ATR_14"])
def test_wilders_memory_fades_by_thirteen_fourteenths_a_bar(report: WarmUpReport, name: str) -> None:
    found = need(report, FACTOR, name)
    assert found.loose is not None
    assert found.tight is not None
    assert found.tight - found.loose == pytest.approx(np.log(1e-3) / np.log(13 / 14), abs=10)
    assert found.loose == pytest.approx(np.log(1e-6) / np.log(13 / 14), abs=40)


def test_the_regime_asks_for_one_session_and_a_sleeve_for_its_slowest_factor(report: WarmUpReport) -> None:
    assert need(report, REGIME, "regime").tight == 1
    assert need(report, SLEEVE, "trend").loose == 200
    assert need(report, DECISION, "as configured").loose == need(report, SLEEVE, "rotation").loose
    assert report.recommended == max(row.loose or 0 for row in report.rows if row.kind != FACTOR)


def test_what_never_forgets_the_beginning_is_said_so(history: RawHistory) -> None:
    def expanding(history: RawHistory, last: date) -> SessionInput:
        data = build(history, last)
        values = data.factors.values.copy()
        at = data.factors.names.index("Momentum_60")
        known = np.where(np.isfinite(values[at]), values[at], 0.0)
        # Deviation from the average since the beginning, which begins anew with every history.
        values[at] -= known.cumsum(axis=0) / np.arange(1, len(known) + 1)[:, None]
        return replace(data, factors=replace(data.factors, values=values))

    found = need(audit_warm_up(history, expanding, START, LAST, beginnings=1), FACTOR, "Momentum_60")
    assert (found.loose, found.tight) == (None, None)


def test_a_history_too_short_to_begin_later_is_refused(history: RawHistory) -> None:
    with pytest.raises(SessionError, match="the warm-up audit needs more than 400"):
        audit_warm_up(history, build, date(2021, 6, 1), LAST)
