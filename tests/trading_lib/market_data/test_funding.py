"""Funding as known at each decision: normal rates, age, volatility, and which session a settlement belongs to."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from tests.builders.carry import SHORT, carry_config, carry_market, joined, rates_of
from tests.builders.prices import instant
from trading_lib.adapters.sources.shared.positioning_windows import stamp_funding
from trading_lib.domain.market.funding import FundingPanel
from trading_lib.domain.market.positioning import FundingRates

FIRST, LAST = date(2021, 1, 4), date(2021, 3, 31)
CONFIG = carry_config()


def waving(moment: datetime) -> float:
    return {0: 0.0002, 8: 0.0, 16: 0.0001}[moment.hour // 8 * 8]


def panel_of(rates: FundingRates, **changes: object) -> tuple[list[date], FundingPanel]:
    market = carry_market(FIRST, LAST, lambda day: 10_000.0 + day.toordinal() % 7, rates, carry_config(**changes))
    assert market.funding is not None
    return market.panel.sessions.astype(object).tolist(), market.funding


@pytest.mark.parametrize(
    ("hours", "rate", "normal", "age"),
    [((0, 8, 16), 0.0003, 0.0003, 5.5), (range(0, 24, 4), 0.0002, 0.0004, 1.5), (range(24), 0.00005, 0.0004, 0.5)],
)
def test_a_rate_is_compared_per_8_hours_whatever_its_interval(
    hours: tuple[int, ...], rate: float, normal: float, age: float
) -> None:
    days, panel = panel_of(rates_of(FIRST, LAST, lambda _: rate, hours=hours))
    row = days.index(date(2021, 3, 1))  # decided at 21:30 UTC
    assert panel.rate[row, 0] == pytest.approx(normal)
    assert panel.annual_carry[row, 0] == pytest.approx(rate * len(hours) * 365)
    assert panel.age_hours[row, 0] == pytest.approx(age)


def test_a_change_of_interval_shows_with_the_first_settlement_after_it() -> None:
    switch = date(2021, 2, 15)
    slow = rates_of(FIRST, switch - timedelta(days=1), lambda _: 0.0002)
    fast = rates_of(switch, LAST, lambda _: 0.0001, hours=range(0, 24, 4))
    rows = pd.concat([slow.frame, fast.frame])[["venue", "symbol", "settled_at", "rate"]]
    days, panel = panel_of(stamp_funding(rows, "test"))
    assert panel.rate[days.index(date(2021, 2, 12)), 0] == pytest.approx(0.0002)
    assert panel.rate[days.index(date(2021, 2, 16)), 0] == pytest.approx(0.0002)


def test_a_stale_rate_is_missing_and_never_neutral() -> None:
    gone = datetime(2021, 2, 26, 20)
    days, panel = panel_of(rates_of(FIRST, LAST, lambda m: math.nan if m > gone else waving(m)))
    friday, monday = days.index(date(2021, 2, 26)), days.index(date(2021, 3, 1))
    assert panel.rate[friday, 0] == pytest.approx(0.0001)
    assert np.isnan([panel.rate[monday, 0], panel.annual_carry[monday, 0], panel.volatility_ratio[monday, 0]]).all()
    assert panel.age_hours[monday, 0] == pytest.approx(3 * 24 + 5.5)


def test_two_intervals_old_is_still_fresh_and_a_minute_more_is_not() -> None:
    # The decision is at 21:30; with 5.75 hours between settlements two of them reach back to 10:00.
    for last_hour, fresh in ((10.0, True), (9.98, False)):
        moments = [pd.Timestamp("2021-03-01", tz="UTC") + pd.Timedelta(hours=last_hour - 5.75 * k) for k in range(200)]
        rows = pd.DataFrame({"venue": "binance", "symbol": "BTC-USDT", "settled_at": moments, "rate": 0.0002})
        days, panel = panel_of(stamp_funding(rows, "test"))
        assert np.isfinite(panel.rate[days.index(date(2021, 3, 1)), 0]) == fresh


def test_a_rate_after_a_gap_says_nothing_until_the_next_one_tells_its_interval() -> None:
    out = datetime(2021, 2, 20), datetime(2021, 3, 1, 12)
    days, panel = panel_of(rates_of(FIRST, LAST, lambda m: math.nan if out[0] <= m < out[1] else 0.0003))
    monday = days.index(date(2021, 3, 1))
    assert np.isnan(panel.rate[monday, 0])
    assert panel.rate[monday + 1, 0] == pytest.approx(0.0003)
    # It was paid all the same.
    assert [s.settled_at for s in panel.settlements[monday]] == [instant("2021-03-01 16:00")]


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
def test_a_rate_that_is_no_number_counts_as_missing(bad: float) -> None:
    frame = rates_of(FIRST, LAST, waving).frame
    at = frame.index[frame["settled_at"] == "2021-03-01 16:00+00:00"]
    frame.loc[at, "rate"] = bad
    days, panel = panel_of(FundingRates(frame))
    row = days.index(date(2021, 3, 1))
    assert panel.rate[row, 0] == pytest.approx(0.0)  # that of 08:00, 13.5 hours old
    assert instant("2021-03-01 16:00") not in {s.settled_at for s in panel.settlements[row]}


def test_volatility_is_compared_with_the_rates_own_history() -> None:
    shock = datetime(2021, 3, 8)
    days, panel = panel_of(rates_of(FIRST, LAST, lambda m: waving(m) * (5.0 if m >= shock else 1.0)))
    calm, later = days.index(date(2021, 3, 5)), days.index(date(2021, 3, 19))
    assert panel.volatility_ratio[calm, 0] == pytest.approx(1.0, abs=0.05)
    # Nobody knows what time the very first rate is for, so it does not count.
    frame = rates_of(FIRST, LAST, lambda m: waving(m) * (5.0 if m >= shock else 1.0)).frame.iloc[1:]
    decision = pd.Timestamp("2021-03-19 20:30", tz="UTC")
    recent = frame[(frame["settled_at"] <= decision) & (frame["settled_at"] > decision - pd.Timedelta(days=7))]["rate"]
    before = frame[frame["settled_at"] <= decision - pd.Timedelta(days=7)]["rate"]
    assert panel.volatility_ratio[later, 0] == pytest.approx(recent.std() / before.std())


def test_volatility_is_missing_until_there_is_history_and_exact_where_rates_stand_still() -> None:
    days, panel = panel_of(rates_of(FIRST, LAST, lambda m: 0.0001 if m < datetime(2021, 3, 22) else 0.0002))
    known = np.isfinite(panel.volatility_ratio[:, 0])
    # Seven recent days and thirty before them.
    assert days[int(np.argmax(known))] == date(2021, 2, 10)
    assert panel.volatility_ratio[days.index(date(2021, 3, 19)), 0] == 0.0
    assert panel.volatility_ratio[days.index(date(2021, 3, 23)), 0] == math.inf


def test_a_settlement_belongs_to_the_decision_after_it_and_is_valued_at_the_days_opening() -> None:
    late = rates_of(FIRST, LAST, waving).frame
    late["settled_at"] += pd.Timedelta(milliseconds=7)
    late["available_at"] = late["settled_at"]
    days, panel = panel_of(FundingRates(late))
    monday = days.index(date(2021, 3, 1))
    found = panel.settlements[monday]
    assert found[0].settled_at == instant("2021-02-27 00:00")
    assert found[-1].settled_at == instant("2021-03-01 16:00")
    assert len(found) == 9
    assert {s.symbol for s in found} == {SHORT}
    for settlement in found:
        assert settlement.price == 10_000.0 + settlement.settled_at.date().toordinal() % 7
    every = [s.settled_at for row in panel.settlements for s in row]
    assert every == sorted(set(every))


def test_cutting_the_future_off_changes_nothing_before() -> None:
    rates = rates_of(FIRST, LAST, lambda m: math.sin(m.day * m.hour) / 5000)
    days, full = panel_of(rates)
    row = days.index(date(2021, 3, 1))
    known = rates.frame["available_at"] <= pd.Timestamp("2021-03-01 21:30", tz="UTC")
    _, cut = panel_of(FundingRates(rates.frame[known]))
    for name in ("rate", "annual_carry", "volatility_ratio", "age_hours"):
        np.testing.assert_array_equal(getattr(full, name)[: row + 1], getattr(cut, name)[: row + 1])
    assert full.settlements[: row + 1] == cut.settlements[: row + 1]


def test_each_venue_has_its_own_column_and_one_without_rates_is_missing() -> None:
    rates = joined(rates_of(FIRST, LAST, waving), rates_of(FIRST, LAST, lambda _: 0.0005, venue="bybit"))
    days, panel = panel_of(rates, allowed_venues=("bybit", "binance", "kraken"))
    assert panel.venues == ("bybit", "binance", "kraken")
    row = days.index(date(2021, 3, 1))
    assert panel.rate[row].tolist()[:2] == pytest.approx([0.0005, 0.0001])
    assert np.isnan(panel.rate[row, 2])
    assert {s.symbol for s in panel.settlements[row]} == {SHORT, "BYBIT:BTC-USDT"}


def test_a_first_rate_without_an_interval_takes_it_from_the_stored_one_before() -> None:
    frame = rates_of(FIRST, LAST, lambda _: 0.0003).frame
    frame.loc[frame["settled_at"] == "2021-03-01 16:00+00:00", "interval_hours"] = np.nan
    days, panel = panel_of(FundingRates(frame))
    assert panel.age_hours[days.index(date(2021, 3, 1)), 0] == pytest.approx(5.5)
