"""Made-up markets and views of them, for the tests of the decision core and of backtests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from tests.builders.prices import bars_of, price_rows, universe
from trading_lib.decision_config import DecisionConfig
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.prices import VOLATILITY_INDEX, Bars, FloatArray, MacroSeries
from trading_lib.domain.market.sessions import exchange_sessions
from trading_lib.execution.config import PaperConfig
from trading_lib.factors.calculator import FACTOR_NAMES
from trading_lib.session.inputs import SessionInput
from trading_lib.workflows.data.market import Market, build_market

FIRST, LAST = date(2023, 1, 3), date(2023, 3, 31)
# Friday, Monday; the decision of Friday fills on Saturday (Bitcoin) and on Monday (exchange).
FRIDAY, SATURDAY, MONDAY = date(2023, 2, 10), date(2023, 2, 11), date(2023, 2, 13)

UNIVERSE = universe()
ASSETS = len(UNIVERSE)
SESSION = date(2024, 1, 3)
CALENDAR = exchange_sessions()


def at(symbol: str) -> int:
    """Position of a symbol on the asset axis."""
    return UNIVERSE.positions[symbol]


def vector(default: float, **values: float) -> FloatArray:
    """One number per asset; underscores in the names stand for the hyphen of BTC-USD."""
    result = np.full(ASSETS, default)
    for name, value in values.items():
        result[at(name.replace("_", "-"))] = value
    return result


def random_bars(
    first: date,
    last: date,
    seed: int,
    daily_volatility: float = 0.011,
    missing: float = 0.01,
    crashes: Mapping[date, float] = MappingProxyType({}),
) -> Bars:
    """The whole universe with dividends, a split, a late start, a gap, single missing bars, Bitcoin and ^VIX.

    On the days of ``crashes`` every price falls to that share of itself.
    """
    generator = np.random.default_rng(seed)
    sessions = CALENDAR.between(first, last)
    every_day = np.arange(np.datetime64(first), np.datetime64(last) + np.timedelta64(1, "D"))
    market = generator.standard_t(4, len(every_day)) * daily_volatility * 0.5
    # Long swings make trends that begin and break.
    swing = np.sin(np.arange(len(every_day)) / 55.0 + seed) * daily_volatility * 0.25
    crash = np.zeros(len(every_day))
    for day, share in crashes.items():
        crash[np.searchsorted(every_day, np.datetime64(day))] = np.log(share)
    frames = []
    for instrument in UNIVERSE:
        symbol = instrument.symbol
        days = every_day if symbol == "BTC-USD" else sessions
        own = generator.standard_t(5, len(days)) * daily_volatility * 0.6
        shared = (market + swing)[np.searchsorted(every_day, days)] * generator.uniform(-0.3, 1.4)
        close = 90.0 * np.exp(np.cumsum(own + shared + crash[np.searchsorted(every_day, days)]))
        opening = np.r_[close[0], close[:-1]] * np.exp(generator.normal(0, 0.003, len(days)))
        reach = np.abs(generator.normal(0, 0.004, (2, len(days))))
        split, dividend = np.ones(len(days)), np.zeros(len(days))
        if symbol == "XLE":
            split[len(days) // 2] = 2.0
        if symbol in ("SPY", "TLT", "VNQ"):
            dividend[20::63] = np.round(close[20::63] * 0.005, 2)
        if symbol == "EEM":
            dividend[:] = np.nan
        raw = 1.0 / np.cumprod(split)
        rows = price_rows(
            symbol,
            days.astype(object),
            open=(opening * raw).round(4),
            high=(np.maximum(opening, close) * (1 + reach[0]) * raw).round(4),
            low=(np.minimum(opening, close) * (1 - reach[1]) * raw).round(4),
            close=(close * raw).round(4),
            dividend=dividend * raw,
            split=split,
        )
        keep = generator.random(len(days)) >= missing
        keep[0] = True
        keep |= (split != 1.0) | (np.nan_to_num(dividend) > 0)
        if symbol == "DBC":
            keep[: len(days) // 4] = False
        if symbol == "SLV":
            keep[len(days) // 2 : len(days) // 2 + 5] = False
        frames.append(rows[keep])
    level = 17 + 9 * np.sin(np.arange(len(sessions)) / 30.0 + seed) + generator.gamma(2.0, 2.0, len(sessions))
    index = price_rows(VOLATILITY_INDEX, sessions.astype(object), close=level.round(2))
    return bars_of(*frames, index[generator.random(len(index)) >= 0.02])


def random_macro(first: date, last: date, seed: int) -> MacroSeries:
    """A cash rate observed monthly and known ten days later."""
    dates = pd.date_range(first, last, freq="MS").astype("datetime64[us]")
    values = np.random.default_rng(seed).uniform(0.0, 5.0, len(dates)).round(2)
    known = (dates + pd.Timedelta(days=10)).tz_localize("UTC")
    columns = {"series": "FEDFUNDS", "date": dates, "value": values, "source": "test", "available_at": known}
    return MacroSeries.from_frame(pd.DataFrame(columns))


def market_of(bars: Bars, macro: MacroSeries | None = None, last: date | None = None) -> Market:
    """Panel and factors of the shipped universe."""
    return build_market(bars, macro or MacroSeries.empty(), UNIVERSE, CALENDAR, last)


def backtest_input(market: Market, config: DecisionConfig | None = None, cash: str = "100000") -> SessionInput:
    """Everything a run depends on, with the default configuration unless told otherwise."""
    return SessionInput(
        universe=UNIVERSE,
        calendar=CALENDAR,
        panel=market.panel,
        factors=market.factors,
        config=config or DecisionConfig(),
        paper=PaperConfig(),
        initial_cash=Decimal(cash),
    )


def make_view(factors: Mapping[str, FloatArray] | None = None, **columns: Any) -> MarketView:
    """A session in which every asset closed at $100 exactly on its averages, and nothing moved for 80 sessions."""
    values = {name: np.full(ASSETS, 100.0 if name.startswith("SMA") else 0.0) for name in FACTOR_NAMES}
    values |= {"Volatility_20": np.full(ASSETS, 0.10), "Volatility_60": np.full(ASSETS, 0.10)}
    view = MarketView(
        universe=UNIVERSE,
        session=SESSION,
        close=np.full(ASSETS, 100.0),
        fresh=np.ones(ASSETS, dtype=np.bool_),
        price_day=np.full(ASSETS, np.datetime64(SESSION)),
        price_age=np.zeros(ASSETS, dtype=np.int64),
        volume=np.full(ASSETS, 1e6),
        total_return_close=np.full(ASSETS, 100.0),
        price_factor=np.ones(ASSETS),
        factors=values | dict(factors or {}),
        mark_returns=np.zeros((80, ASSETS)),
        common_returns=np.zeros((130, ASSETS)),
        common_lag=UNIVERSE.crypto.astype(np.int64),
        volatility_index=15.0,
        volatility_index_age=0,
        month_end=False,
    )
    return replace(view, **columns)


def small_market(**spy: Any) -> SessionInput:
    """SPY and Bitcoin whose opening prices tell the day: 100 + day of the year."""
    sessions = pd.Series(pd.to_datetime(CALENDAR.between(FIRST, LAST)))
    every_day = pd.Series(pd.date_range(FIRST, LAST))
    frames = []
    for symbol, days, more in (("SPY", sessions, spy), ("BTC-USD", every_day, {})):
        opening = 100.0 + days.dt.dayofyear
        columns = {"open": opening, "close": opening + 0.5, "high": opening + 1, "low": opening - 1, **more}
        frames.append(price_rows(symbol, days.dt.date, **columns))
    return backtest_input(market_of(bars_of(*frames)))


def row_of(data: SessionInput, day: date) -> int:
    """The session's row on the panel."""
    return int(np.searchsorted(data.panel.sessions, np.datetime64(day)))
