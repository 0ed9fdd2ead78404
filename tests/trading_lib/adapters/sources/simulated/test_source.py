"""The simulated market: contract, prefix stability, published crises, and the habits of real prices."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders.prices import instant, universe
from tests.contracts.source_contract import SourceContract
from trading_lib.adapters.sources.simulated.assets import ASSETS
from trading_lib.adapters.sources.simulated.axis import MarketAxis, market_axis
from trading_lib.adapters.sources.simulated.bars import simulate_bars
from trading_lib.adapters.sources.simulated.facts import CRISES, CRYPTO_WINTERS, LEVELS, Episode, largest_fall
from trading_lib.adapters.sources.simulated.returns import market_shocks
from trading_lib.adapters.sources.simulated.source import SimulatedMarket
from trading_lib.domain.market.prices import VOLATILITY_INDEX, Bars
from trading_lib.domain.market.sessions import exchange_sessions
from trading_lib.validation.price_rules.structural import validate_bars

AS_OF = instant("2026-07-01")
START, END = date(2004, 1, 2), date(2026, 6, 30)
SYMBOLS = (*universe().symbols, VOLATILITY_INDEX)
SEEDS = (20040102, 1, 7)


def closes(frame: pd.DataFrame, symbol: str) -> pd.Series:
    return frame[frame["symbol"] == symbol].set_index("date")["close"]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return SimulatedMarket(universe()).bars(SYMBOLS, START, END, AS_OF).bars.frame


class TestContract(SourceContract):
    known = ("SPY", "BTC-USD", "TLT", "^VIX")
    first, last = date(2020, 2, 3), date(2020, 4, 30)
    as_of = instant("2020-06-30")
    cut = instant("2020-03-11 20:20")

    @pytest.fixture
    def source(self) -> SimulatedMarket:
        return SimulatedMarket(universe())


@settings(max_examples=15, deadline=None)
@given(
    moment=st.datetimes(min_value=datetime(2004, 2, 1), max_value=datetime(2026, 6, 30)),
    days=st.integers(min_value=0, max_value=4000),
)
def test_the_same_history_whatever_date_it_is_read_at(frame: pd.DataFrame, moment: datetime, days: int) -> None:
    as_of = moment.replace(tzinfo=AS_OF.tzinfo)
    last = moment.date() + timedelta(days=days)
    early = SimulatedMarket(universe()).bars(SYMBOLS, START, last, as_of).bars.frame
    known = frame[(frame["available_at"] <= pd.Timestamp(as_of)) & (frame["date"] <= pd.Timestamp(last))]
    pd.testing.assert_frame_equal(early, known.reset_index(drop=True), check_exact=True)


@settings(max_examples=5, deadline=None)
@given(end=st.dates(min_value=date(2022, 12, 31), max_value=date(2030, 1, 1)))
def test_the_model_generates_forward_only(end: date) -> None:
    """History generated up to any day is the beginning of the history generated to the end of the axis."""
    whole = market_axis()
    count = whole.position(end) + 1
    short = MarketAxis(whole.days[:count], whole.is_session[:count])
    for symbol in ("SPY", "BTC-USD"):
        long_run = simulate_bars(symbol, ASSETS[symbol], whole, market_shocks(whole, 3), 3)
        cut = simulate_bars(symbol, ASSETS[symbol], short, market_shocks(short, 3), 3)
        pd.testing.assert_frame_equal(cut, long_run.iloc[: len(cut)], check_exact=True)
        assert long_run["date"].iloc[len(cut)] > pd.Timestamp(end)


def test_a_smaller_universe_has_the_same_prices(frame: pd.DataFrame) -> None:
    few = SimulatedMarket(universe().select(("BTC-USD", "XLF"))).bars(["XLF", "BTC-USD"], START, END, AS_OF).bars.frame
    expected = frame[frame["symbol"].isin(["XLF", "BTC-USD"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(few, expected, check_exact=True)


def test_another_seed_gives_another_market(frame: pd.DataFrame) -> None:
    other = SimulatedMarket(universe(), seed=5).bars(["SPY"], START, END, AS_OF).bars.frame
    moves = closes(frame, "SPY").pct_change(), closes(other, "SPY").pct_change()
    assert abs(moves[0].corr(moves[1])) < 0.2


def test_rows_say_that_they_are_simulated(frame: pd.DataFrame) -> None:
    assert set(frame["source"]) == {"simulated"}


def test_a_symbol_without_a_model_is_a_failure_that_says_so() -> None:
    answer = SimulatedMarket(universe()).bars(["TSLA", "SPY"], START, END, AS_OF)
    assert "no model of TSLA" in answer.failures["TSLA"]
    assert answer.bars.symbols == ("SPY",)


def test_assets_trade_on_their_calendar_from_their_first_day(frame: pd.DataFrame) -> None:
    sessions = exchange_sessions()
    for symbol in universe().symbols:
        first = LEVELS[symbol][0][0]
        days = closes(frame, symbol).index.to_numpy().astype("datetime64[D]")
        if symbol == "BTC-USD":
            expected = np.arange(np.datetime64(first), np.datetime64(END) + 1)
        else:
            expected = sessions.between(first, END)
        np.testing.assert_array_equal(days, expected)


def test_every_bar_is_structurally_sound(frame: pd.DataFrame) -> None:
    assert validate_bars(Bars(frame), universe(), AS_OF).findings == ()
    assert (frame.loc[frame["symbol"] != VOLATILITY_INDEX, "volume"] > 0).all()


CASES = [
    pytest.param(seed, episode, symbol, id=f"{seed}-{episode.name}-{symbol}")
    for seed in SEEDS
    for episode in (*CRISES, *CRYPTO_WINTERS)
    for symbol in episode.legs
]


@pytest.mark.parametrize(("seed", "episode", "symbol"), CASES)
def test_the_largest_fall_of_a_crisis_is_the_published_one(seed: int, episode: Episode, symbol: str) -> None:
    answer = SimulatedMarket(universe(), seed).bars([symbol], episode.first, episode.last, AS_OF)
    close = answer.bars.frame["close"]
    assert (close / close.cummax() - 1).min() == pytest.approx(largest_fall(episode.legs[symbol]), abs=0.005)


@pytest.mark.parametrize(
    ("symbol", "peak", "trough", "move"),
    [
        ("SPY", "2007-10-09", "2009-03-09", -0.565),
        ("QQQ", "2007-10-31", "2008-11-20", -0.536),
        ("XLF", "2007-10-09", "2009-03-06", -0.827),
        ("TLT", "2007-10-09", "2008-12-19", 0.39),
        ("GLD", "2008-03-17", "2008-11-12", -0.294),
        ("SPY", "2020-02-19", "2020-03-23", -0.341),
        ("BTC-USD", "2020-02-23", "2020-03-12", -0.499),
        ("SPY", "2022-01-03", "2022-10-12", -0.254),
        ("TLT", "2022-01-03", "2022-10-10", -0.311),
        ("BTC-USD", "2021-11-08", "2022-11-21", -0.767),
        ("BTC-USD", "2017-12-16", "2018-12-15", -0.834),
    ],
)
def test_turning_points_agree_with_published_price_histories(
    frame: pd.DataFrame, symbol: str, peak: str, trough: str, move: float
) -> None:
    close = closes(frame, symbol)
    assert close[trough] / close[peak] - 1 == pytest.approx(move, abs=0.015)


class TestHabitsOfRealPrices:
    """Facts every market shows: fat tails, clustering, correlation, gaps, dividends, a nervous ^VIX."""

    def test_tails_are_fat_and_volatility_clusters(self, frame: pd.DataFrame) -> None:
        moves = np.log(closes(frame, "SPY")).diff().dropna()
        assert 0.14 < moves.std() * np.sqrt(252) < 0.23
        assert moves.kurt() > 3
        assert np.mean([(moves.abs()).autocorr(lag) for lag in range(1, 21)]) > 0.15
        assert abs(moves.autocorr(1)) < 0.1

    def test_assets_move_together_as_they_do(self, frame: pd.DataFrame) -> None:
        prices = frame.pivot(index="date", columns="symbol", values="close").reindex(closes(frame, "SPY").index)
        correlation = np.log(prices).diff().corr()
        assert correlation.loc["SPY", "QQQ"] > 0.7
        assert correlation.loc["XLK", "QQQ"] > 0.9
        assert correlation.loc["GLD", "SLV"] > 0.6
        assert correlation.loc["SPY", "TLT"] < -0.1
        assert abs(correlation.loc["SPY", "GLD"]) < 0.2
        assert correlation.loc["SPY", VOLATILITY_INDEX] < -0.5

    def test_bonds_stop_being_a_refuge_when_inflation_comes(self, frame: pd.DataFrame) -> None:
        prices = frame.pivot(index="date", columns="symbol", values="close")[["SPY", "TLT"]].dropna()
        moves = np.log(prices).diff()
        before = moves["2008":"2019"].corr().iloc[0, 1]
        after = moves["2022-01":"2023-12"].corr().iloc[0, 1]
        assert before < -0.2 < 0 < after

    def test_crises_bind_assets_together(self, frame: pd.DataFrame) -> None:
        equities = ["SPY", "XLF", "XLV", "EFA", "EEM", "VNQ"]
        prices = frame.pivot(index="date", columns="symbol", values="close")[equities].dropna()
        moves = np.log(prices).diff()
        crisis = moves["2008-09-15":"2008-11-14"].corr().to_numpy().mean()
        calm = moves["2012-01":"2013-12"].corr().to_numpy().mean()
        assert crisis > calm

    def test_the_volatility_index_reads_calm_and_panic(self, frame: pd.DataFrame) -> None:
        index = closes(frame, VOLATILITY_INDEX)
        assert 13 < index.median() < 19
        assert 60 <= index["2008-09":"2009-03"].max() <= 90
        assert 60 <= index["2020-03"].max() <= 90
        assert index.min() >= 9

    def test_the_open_is_not_the_close_before(self, frame: pd.DataFrame) -> None:
        for symbol in universe().symbols:
            rows = frame[frame["symbol"] == symbol]
            gap = (rows["open"] / rows["close"].shift() - 1).dropna()
            assert (gap != 0).mean() > 0.8

    def test_funds_that_pay_go_ex_when_they_do(self, frame: pd.DataFrame) -> None:
        paid = frame[frame["dividend"] > 0]
        per_year = paid.groupby(["symbol", paid["date"].dt.year])["dividend"].size().unstack(fill_value=0)
        assert per_year.loc["SPY", 2005:2025].eq(4).all()
        assert per_year.loc["TLT", 2005:2025].eq(12).all()
        assert per_year.loc["EFA", 2005:2025].eq(2).all()
        assert not {"GLD", "SLV", "BTC-USD", "DBC"} & set(per_year.index)
        spy = frame[frame["symbol"] == "SPY"]
        assert 0.012 < spy["dividend"].sum() / spy["close"].mean() / 22.5 < 0.025

    def test_long_run_growth_is_plausible(self, frame: pd.DataFrame) -> None:
        for symbol, low, high in (("SPY", 0.04, 0.12), ("QQQ", 0.06, 0.18), ("TLT", -0.03, 0.04), ("GLD", 0.01, 0.12)):
            close = closes(frame, symbol)
            years = (close.index[-1] - close.index[0]).days / 365.25
            assert low < (close.iloc[-1] / close.iloc[0]) ** (1 / years) - 1 < high


class TestMacro:
    """Policy rate, yields and consumer prices."""

    @pytest.fixture(scope="class")
    def macro(self) -> pd.DataFrame:
        rows = SimulatedMarket(universe()).macro(START, END, AS_OF).frame
        return rows.pivot(index="date", columns="series", values="value")

    def test_the_series_are_there_from_the_first_day(self, macro: pd.DataFrame) -> None:
        assert set(macro.columns) == {"DFF", "DGS2", "DGS10", "CPIAUCSL"}
        assert macro["DFF"].first_valid_index() == pd.Timestamp(START)

    def test_the_funds_rate_follows_what_was_decided(self, macro: pd.DataFrame) -> None:
        assert macro["DFF"]["2007-01"].mean() == pytest.approx(5.25, abs=0.3)
        assert macro["DFF"]["2012"].mean() < 0.3
        assert macro["DFF"]["2023-10"].mean() == pytest.approx(5.33, abs=0.1)

    def test_yields_rise_when_the_bond_fund_falls(self, macro: pd.DataFrame, frame: pd.DataFrame) -> None:
        change = macro["DGS10"].dropna().diff()
        fund = np.log(closes(frame, "TLT")).diff()
        assert change.corr(fund) < -0.8
        assert (macro["DGS10"].dropna() > 0).all()

    def test_consumer_prices_rose_as_published(self, macro: pd.DataFrame) -> None:
        level = macro["CPIAUCSL"].dropna()
        assert level["2021-12-01"] / level["2020-12-01"] - 1 == pytest.approx(0.07, abs=0.01)
        assert level["2015-12-01"] / level["2014-12-01"] - 1 == pytest.approx(0.007, abs=0.01)
