"""Objects and the compiled loop trade any market alike: splits, dividends, bad openings, series that end."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders.markets import UNIVERSE, backtest_input, market_of, random_bars
from tests.builders.runs import CRASHES, FIRST, assert_same, changed, slow_path, with_openings
from trading_lib.backtest.engine import run_backtest
from trading_lib.domain.market.prices import Bars
from trading_lib.session.inputs import SessionInput

BEGIN, STOP, LAST = date(2021, 1, 4), date(2022, 4, 29), date(2022, 12, 30)


def with_actions(frame: pd.DataFrame, generator: np.random.Generator, splits: int, dividends: float) -> pd.DataFrame:
    """Split assets, later prices with them, and pay dividends on a share of all days."""
    frame = frame.copy()
    traded = frame["symbol"].isin(UNIVERSE.symbols)
    pays = traded & (generator.random(len(frame)) < dividends)
    frame.loc[pays, "dividend"] = (frame.loc[pays, "close"] * 0.004).round(3)
    late = np.flatnonzero(traded & (frame["date"].dt.date > FIRST) & (frame["split"] == 1.0))
    for place in generator.choice(late, splits, replace=False):
        ratio = float(generator.choice([0.1, 0.5, 1.5, 2.0, 3.0]))
        after = (frame["symbol"] == frame["symbol"].iloc[place]) & (frame["date"] >= frame["date"].iloc[place])
        prices = ["open", "high", "low", "close", "dividend"]
        frame.loc[after, prices] = (frame.loc[after, prices] / ratio).round(4)
        frame.iloc[place, frame.columns.get_loc("split")] = ratio
    return frame


def random_market(seed: int, splits: int, dividends: float, ended: int, cash: str) -> SessionInput:
    """A market of which some series end in its last months."""
    generator = np.random.default_rng(seed)
    frame = with_actions(random_bars(BEGIN, LAST, seed, 0.02, crashes=CRASHES).frame, generator, splits, dividends)
    for symbol in generator.choice(UNIVERSE.symbols, ended, replace=False):
        last = pd.Timestamp(2022, 1, 3) + pd.Timedelta(days=int(generator.integers(0, 60)))
        frame = frame[(frame["symbol"] != symbol) | (frame["date"] <= last)]
    return backtest_input(market_of(Bars(frame.reset_index(drop=True))), cash=cash)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    splits=st.sampled_from([0, 2, 12]),
    dividends=st.sampled_from([0.0, 0.02, 0.3]),
    wrong=st.sampled_from([0.0, 0.1]),
    gap=st.sampled_from([0.0, 0.3]),
    ended=st.sampled_from([0, 3]),
    cash=st.sampled_from(["900", "100000"]),
    buffer=st.sampled_from([0.0, 0.05]),
    trades=st.sampled_from([2, 15]),
)
def test_both_roads_come_to_the_same(
    seed: int, splits: int, dividends: float, wrong: float, gap: float, ended: int, cash: str, buffer: float,
    trades: int,
) -> None:  # fmt: skip
    data = with_openings(
        changed(
            random_market(seed, splits, dividends, ended, cash),
            constraints={"cash_buffer": buffer},
            orders={
                "cash_buffer": buffer,
                "max_daily_trades": trades,
                "max_daily_turnover": 2.0,
                "min_trade_value": Decimal(10),
            },
            risk={"retire_after_sessions": 10},
        ),
        wrong,
        gap,
        seed,
    )
    assert_same(run_backtest(data, FIRST, STOP), slow_path(data, last=STOP))


def test_the_markets_have_what_they_are_made_for() -> None:
    data = with_openings(random_market(7, 12, 0.02, 3, "100000"), 0.1, 0.3, 7)
    result = run_backtest(data, FIRST, STOP)
    rows = np.searchsorted(data.panel.sessions, result.sessions)
    assert ((data.panel.split[rows] != 1.0) & (result.quantity > 0)).any()
    assert result.portfolio.dividends > 0
    assert result.cancelled
    assert {event.kind for event in result.events} >= {"retired"}
