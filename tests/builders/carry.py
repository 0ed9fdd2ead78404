"""A market of SPY and Bitcoin with funding, for the tests of the carry sleeve."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd

from tests.builders.markets import CALENDAR, UNIVERSE
from tests.builders.prices import bars_of, price_rows
from trading_lib.adapters.sources.shared.positioning_windows import stamp_funding
from trading_lib.decision import DecisionConfig
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.positioning import FundingRates
from trading_lib.domain.market.prices import MacroSeries
from trading_lib.execution.config import PaperConfig
from trading_lib.session.inputs import SessionInput
from trading_lib.strategies.config import CarryConfig, SleeveConfig, StrategySettings
from trading_lib.workflows.data.market import Market, build_market

SHORT = "BINANCE:BTC-USDT"
HOURS = (0, 8, 16)


def carry_config(**changes: Any) -> CarryConfig:
    """The shipped rules with Binance allowed."""
    return CarryConfig(**{"allowed_venues": ("binance",), **changes})


def hedged_universe(config: CarryConfig) -> Universe:
    """The shipped universe with the perpetual of ``config``."""
    return replace(UNIVERSE, perpetuals=config.contract)


def rates_of(
    first: date, last: date, rate: Callable[[datetime], float], venue: str = "binance", hours: Sequence[int] = HOURS
) -> FundingRates:
    """Settlements at these hours of every UTC day from ``first`` to ``last``; a rate of NaN is a missing row."""
    days = (last - first).days + 1
    moments = [
        datetime(first.year, first.month, first.day) + timedelta(days=d, hours=h) for d in range(days) for h in hours
    ]
    rows = pd.DataFrame(
        {"venue": venue, "symbol": "BTC-USDT", "settled_at": pd.to_datetime(moments).tz_localize("UTC")}
    )
    rows["rate"] = [float(rate(moment)) for moment in moments]
    return stamp_funding(rows.dropna(subset="rate"), "test")


def joined(*parts: FundingRates) -> FundingRates:
    """Rates of several venues."""
    return FundingRates.from_frame(pd.concat([part.frame for part in parts]))


def carry_market(
    first: date,
    last: date,
    price: Callable[[date], float],
    rates: FundingRates,
    config: CarryConfig,
    missing: Sequence[date] = (),
) -> Market:
    """SPY at 100, Bitcoin at ``price`` of each UTC day from open to close, except on days of ``missing``."""
    spy = price_rows("SPY", CALENDAR.between(first, last).astype(object))
    days = [d.date() for d in pd.date_range(first, last) if d.date() not in missing]
    level = pd.Series([price(day) for day in days])
    following = pd.Series([price(day + timedelta(days=1)) for day in days])
    columns = {"open": level, "close": following}
    high, low = pd.concat([level, following], axis=1).max(axis=1), pd.concat([level, following], axis=1).min(axis=1)
    bitcoin = price_rows("BTC-USD", days, high=high, low=low, **columns)
    bars = bars_of(spy, bitcoin)
    return build_market(bars, MacroSeries.empty(), hedged_universe(config), CALENDAR, last, rates)


def carry_input(
    market: Market, config: CarryConfig, sleeves: Mapping[str, float] | None = None, **changes: Any
) -> SessionInput:
    """Everything a run depends on; carry alone unless told otherwise."""
    budgets = sleeves or {"carry": 1.0}
    strategy = StrategySettings(
        sleeves=tuple(SleeveConfig(name=n, strategy=n, budget=b) for n, b in budgets.items()), carry=config
    )
    return SessionInput(
        universe=hedged_universe(config),
        calendar=CALENDAR,
        panel=market.panel,
        factors=market.factors,
        config=DecisionConfig(strategy=strategy, **changes),
        paper=PaperConfig(),
        initial_cash=Decimal(100_000),
        funding=market.funding,
    )
