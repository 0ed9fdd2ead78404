"""What each row of the panel knew: publication times, half days, coins, corporate actions, gaps, the cash rate."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.builders.markets import CALENDAR, UNIVERSE, at, random_bars
from tests.builders.prices import bars_of, instant, price_rows
from trading_lib.adapters.sources.files.source import FileSource
from trading_lib.domain.errors import DataFileError
from trading_lib.domain.market.prices import VOLATILITY_INDEX, Bars, MacroSeries, PricePanel
from trading_lib.market_data.panel import assemble_panel, growth_factor

# Thanksgiving week: Friday closes at 13:00 New York time.
WEEK = ["2023-11-20", "2023-11-21", "2023-11-22", "2023-11-24", "2023-11-27"]
HALF_DAY, MONDAY = 3, 4
SPY, BTC = at("SPY"), at("BTC-USD")


def panel_of(*rows: pd.DataFrame, macro: MacroSeries | None = None, last: date | None = None) -> PricePanel:
    return assemble_panel(bars_of(*rows), macro or MacroSeries.empty(), UNIVERSE, CALENDAR, last)


def spy(days: Sequence[str] = WEEK, **columns: object) -> pd.DataFrame:
    return price_rows("SPY", days, **columns)


def closes(*values: float) -> dict[str, object]:
    return {name: list(values) for name in ("open", "high", "low", "close")}


def numbered_days(first: str, last: str) -> pd.DataFrame:
    """Bitcoin bars whose close is the day of the month and whose open is half a dollar less."""
    days = pd.date_range(first, last)
    return price_rows("BTC-USD", days.date, open=days.day - 0.5, close=days.day.astype(float))


def test_an_exchange_bar_is_known_on_the_same_day() -> None:
    panel = panel_of(spy(**closes(1, 2, 3, 4, 5)))
    assert panel.sessions.astype(str).tolist() == WEEK
    assert panel.close[:, SPY].tolist() == [1, 2, 3, 4, 5]
    assert panel.fresh[:, SPY].all()
    assert panel.fill_open[:, SPY].tolist() == [1, 2, 3, 4, 5]
    assert panel.source == "test"


def test_bitcoin_shows_the_utc_day_before_and_fills_on_the_day_after() -> None:
    panel = panel_of(spy(), numbered_days("2023-11-17", "2023-11-28"))
    # Monday's decision knows Sunday.
    rows = {str(day): row for row, day in enumerate(panel.sessions)}
    assert panel.close[[rows[day] for day in WEEK], BTC].tolist() == [19, 20, 21, 23, 26]
    # An order decided on Wednesday fills on Thursday, Thanksgiving; one decided on Friday on Saturday.
    assert panel.fill_open[rows["2023-11-24"], BTC] == 22.5
    assert panel.fill_open[rows["2023-11-27"], BTC] == 24.5
    assert panel.common_lag[BTC] == 1
    assert panel.common_lag[SPY] == 0


def test_a_coins_bar_that_has_opened_only_gives_a_fill_price_and_nothing_else() -> None:
    coin = numbered_days("2023-11-20", "2023-11-25")
    coin.loc[coin.index[-1], ["high", "low", "close"]] = np.nan
    panel = panel_of(spy(), coin)
    assert panel.fill_open[MONDAY, BTC] == 24.5  # Saturday's open
    assert panel.close[MONDAY, BTC] == 24  # Friday's close
    assert not panel.fresh[MONDAY, BTC]
    assert len(panel.native[BTC].dates) == 5


def index_rows(days: Sequence[str], *levels: float) -> pd.DataFrame:
    return price_rows(VOLATILITY_INDEX, days, close=list(levels))


def test_the_index_of_a_half_day_is_not_known_at_its_decision() -> None:
    panel = panel_of(spy(), index_rows(WEEK, 11, 12, 13, 14, 15))
    assert panel.volatility_index.tolist() == [11, 12, 13, 13, 15]
    assert panel.volatility_index_age.tolist() == [0, 0, 0, 1, 0]


def test_a_missing_index_grows_old_and_none_at_all_is_minus_one() -> None:
    panel = panel_of(spy(), index_rows(WEEK[:1], 11))
    assert panel.volatility_index_age.tolist() == [0, 1, 2, 3, 4]
    late = panel_of(spy(), index_rows(WEEK[2:3], 11))
    assert late.volatility_index_age.tolist() == [-1, -1, 0, 1, 2]
    assert np.isnan(late.volatility_index[:2]).all()
    none = panel_of(spy())
    assert (none.volatility_index_age == -1).all()
    assert np.isnan(none.volatility_index).all()


def test_an_empty_index_row_is_no_reading() -> None:
    panel = panel_of(spy(), index_rows(WEEK, 11, np.nan, 13, 14, 15))
    assert panel.volatility_index_age.tolist() == [0, 1, 0, 1, 0]
    assert panel.volatility_index[1] == 11


def test_a_missing_bar_is_carried_but_not_fresh() -> None:
    panel = panel_of(spy([*WEEK[:2], *WEEK[3:]], **closes(1, 2, 4, 5)), price_rows("GLD", WEEK))
    assert panel.close[:, SPY].tolist() == [1, 2, 2, 4, 5]
    assert panel.fresh[:, SPY].tolist() == [True, True, False, True, True]
    assert np.isnan(panel.fill_open[2, SPY])
    assert panel.mark_return[2, SPY] == 0.0
    assert panel.mark_return[3, SPY] == pytest.approx(1.0)
    # Common returns need both ends; the jump over the gap belongs to no common session.
    assert np.isnan(panel.common_return[2:4, SPY]).all()
    assert panel.common_return[4, SPY] == pytest.approx(np.log(5 / 4))


def test_the_bar_that_is_filled_at_brings_its_range_and_volume() -> None:
    panel = panel_of(spy([*WEEK[:2], *WEEK[3:]], high=[3, 4, 6, 7], low=[1, 2, 4, 5], volume=[10, 20, 40, 50]))
    assert panel.fill_low[[0, 1, 3, 4], SPY].tolist() == [1, 2, 4, 5]
    assert panel.fill_high[[0, 1, 3, 4], SPY].tolist() == [3, 4, 6, 7]
    assert panel.fill_volume[[0, 1, 3, 4], SPY].tolist() == [10, 20, 40, 50]
    for column in (panel.fill_low, panel.fill_high, panel.fill_volume):
        assert np.isnan(column[2, SPY])


def test_before_its_first_bar_an_asset_is_unknown() -> None:
    panel = panel_of(price_rows("GLD", WEEK), spy(WEEK[2:], **closes(3, 4, 5)))
    assert np.isnan(panel.close[:2, SPY]).all()
    assert not panel.fresh[:2, SPY].any()
    assert np.isnan(panel.mark_return[:3, SPY]).all()
    assert panel.native[SPY].last_known.tolist() == [-1, -1, 0, 1, 2]
    never = at("TLT")
    assert np.isnan(panel.close[:, never]).all()
    assert np.isnan(panel.fill_open[:, never]).all()
    assert (panel.dividend[:, never] == 0).all()
    assert (panel.split[:, never] == 1).all()


def test_coin_returns_belong_to_the_session_before() -> None:
    panel = panel_of(spy(), numbered_days("2023-11-20", "2023-11-28"))
    # Row of the half day: the return of Wednesday (21 -> 22), which is complete.
    assert panel.common_return[HALF_DAY, BTC] == pytest.approx(np.log(22 / 21))
    assert panel.common_return[MONDAY, BTC] == pytest.approx(np.log(24 / 22))  # Friday over Wednesday
    assert panel.mark_return[MONDAY, BTC] == pytest.approx(26 / 23 - 1)


def test_dividends_and_splits_stand_in_the_session_of_their_ex_date() -> None:
    panel = panel_of(spy(dividend=[0, 0.5, 0, np.nan, 0], split=[1, 1, 2, 1, 1]))
    assert panel.dividend[:, SPY].tolist() == [0, 0.5, 0, 0, 0]
    assert panel.split[:, SPY].tolist() == [1, 1, 2, 1, 1]


def test_a_split_of_zero_or_a_negative_dividend_does_not_exist() -> None:
    panel = panel_of(spy(dividend=[0, -0.5, 0, 0, 0], split=[1, 0, -1, np.nan, 1]))
    assert (panel.dividend[:, SPY] == 0).all()
    assert (panel.split[:, SPY] == 1).all()
    assert (panel.native[SPY].factor == 1).all()


def test_actions_of_a_weekend_move_to_the_next_session() -> None:
    coin = numbered_days("2023-11-20", "2023-11-28").assign(split=1.0)
    coin.loc[coin["date"].isin(pd.to_datetime(["2023-11-25", "2023-11-26"])), "split"] = 2.0
    assert panel_of(spy(), coin).split[MONDAY, BTC] == 4.0


def test_total_returns_survive_dividends_and_splits() -> None:
    panel = panel_of(spy(**closes(100, 100, 49, 49, 49), dividend=[0, 0, 1, 0, 0], split=[1, 1, 2, 1, 1]))
    # Two new shares of 49 and a dollar each, against 100 before.
    native = panel.native[SPY]
    assert native.factor[-1] == pytest.approx(2 / (1 - 1 / 50))
    assert panel.mark_return[2, SPY] == pytest.approx(0.0, abs=1e-12)
    assert native.close[0] == 100
    assert (native.close / native.factor).tolist() == pytest.approx([100, 100, 49, 49, 49])


def test_a_dividend_above_the_price_is_ignored() -> None:
    assert growth_factor(np.array([10.0, 10.0]), np.array([0.0, 10.0]), np.ones(2)).tolist() == [1.0, 1.0]
    assert growth_factor(np.empty(0), np.empty(0), np.empty(0)).shape == (0,)


@pytest.mark.parametrize("symbol", ["SPY", "TLT", "VNQ", "XLE", "TIP"])
def test_total_returns_agree_with_the_vendors_adjusted_close(shared_market_data: Path, symbol: str) -> None:
    prices = pd.read_parquet(shared_market_data / "etf_daily.parquet")
    rows = prices[prices["symbol"] == symbol].sort_values("date")
    columns = [rows[name].to_numpy(np.float64) for name in ("close", "dividend", "adj_close")]
    ours = columns[0] * growth_factor(columns[0], columns[1], np.ones(len(rows)))
    theirs = columns[2]
    assert (columns[1] > 0).sum() > 40
    np.testing.assert_allclose(ours / ours[-1], theirs / theirs[-1], rtol=1e-4)


def observations(*rows: tuple[str, str, float, str]) -> MacroSeries:
    frame = pd.DataFrame(rows, columns=["series", "date", "value", "available_at"])
    known = pd.to_datetime(frame["available_at"]).dt.tz_localize("UTC")
    return MacroSeries.from_frame(frame.assign(date=pd.to_datetime(frame["date"]), available_at=known, source="test"))


def test_the_cash_rate_is_the_newest_known_at_the_decision() -> None:
    macro = observations(
        ("DFF", "2023-11-16", 5.0, "2023-11-21 15:00"),
        ("DFF", "2023-11-20", 5.5, "2023-11-24 18:31"),  # a minute after the half day's decision
    )
    found = panel_of(spy(), macro=macro).cash_rate
    np.testing.assert_allclose(found, [np.nan, 0.05, 0.05, 0.05, 0.055])


def test_a_late_revision_of_an_old_value_does_not_become_the_newest() -> None:
    macro = observations(
        ("DFF", "2023-11-16", 5.0, "2023-11-17"),
        ("DFF", "2023-11-17", 5.2, "2023-11-20"),
        ("DFF", "2023-11-16", 4.0, "2023-11-22"),
        ("DFF", "2023-11-17", 5.3, "2023-11-23"),
    )
    np.testing.assert_allclose(panel_of(spy(), macro=macro).cash_rate, [0.052, 0.052, 0.052, 0.053, 0.053])


def test_the_first_known_series_in_order_is_the_cash_rate() -> None:
    rows = [("DTB3", "2023-11-01", 9.0, "2023-11-02"), ("FEDFUNDS", "2023-11-01", 5.0, "2023-11-02")]
    assert panel_of(spy(), macro=observations(*rows)).cash_rate[0] == 0.05
    other = observations(("CPIAUCSL", "2023-11-01", 300.0, "2023-11-02"))
    assert np.isnan(panel_of(spy(), macro=other).cash_rate).all()


def test_the_panel_can_reach_past_the_last_bar() -> None:
    panel = panel_of(spy(WEEK[:3]), last=date(2023, 11, 27))
    assert panel.sessions.astype(str).tolist() == WEEK
    assert panel.fresh[:, SPY].tolist() == [True, True, True, False, False]


def test_without_a_price_of_the_universe_there_is_no_panel() -> None:
    with pytest.raises(DataFileError, match="no price of any instrument of the universe: load data for at least one"):
        panel_of(index_rows(WEEK, 11, 12, 13, 14, 15))
    with pytest.raises(DataFileError, match="no price of any instrument"):
        assemble_panel(Bars.empty(), MacroSeries.empty(), UNIVERSE, CALENDAR)
    with pytest.raises(DataFileError, match=r"universe up to 2023-11-27: choose a later window, or load data for"):
        assemble_panel(Bars.empty(), MacroSeries.empty(), UNIVERSE, CALENDAR, last=date(2023, 11, 27))


def test_several_sources_are_all_named() -> None:
    frame = pd.concat([bars_of(spy(), source="b").frame, bars_of(price_rows("GLD", WEEK), source="a").frame])
    panel = assemble_panel(Bars.from_frame(frame), MacroSeries.empty(), UNIVERSE, CALENDAR)
    assert panel.source == "a, b"


def known_at(bars: Bars, moment: datetime) -> Bars:
    return Bars(bars.frame[bars.frame["available_at"] <= pd.Timestamp(moment)].reset_index(drop=True))


@pytest.mark.parametrize("cut", [date(2021, 11, 26), date(2021, 12, 6), date(2022, 1, 18)])
def test_no_row_up_to_a_session_depends_on_what_was_published_later(cut: date) -> None:
    bars = random_bars(date(2021, 1, 4), date(2022, 6, 30), seed=9)
    whole = assemble_panel(bars, MacroSeries.empty(), UNIVERSE, CALENDAR)
    less = assemble_panel(known_at(bars, CALENDAR.decision_time(cut)), MacroSeries.empty(), UNIVERSE, CALENDAR, cut)
    rows = len(less.sessions)
    assert less.sessions[-1].item() == cut
    for name in ("close", "fresh", "dividend", "split", "volume", "mark_return", "common_return", "volatility_index"):
        assert getattr(less, name).tobytes() == getattr(whole, name)[:rows].tobytes(), name


def test_what_a_file_says_of_a_half_day_reaches_the_panel_in_time(shared_market_data: Path) -> None:
    source = FileSource(shared_market_data, UNIVERSE)
    bars = source.bars(
        [*UNIVERSE.symbols, VOLATILITY_INDEX], date(2021, 11, 1), date(2021, 12, 10), instant("2022-01-01")
    )
    panel = assemble_panel(bars.bars, MacroSeries.empty(), UNIVERSE, CALENDAR)
    row = int(np.searchsorted(panel.sessions, np.datetime64("2021-11-26")))
    assert panel.fresh[row].all()
    assert panel.volatility_index_age[row] == 1
    assert panel.volatility_index_age[row + 1] == 0
    # ^VIX jumped from 18.58 to 28.62 on that half day; the decision did not know.
    assert panel.volatility_index[row] == pytest.approx(18.58)
