"""The shipped universe, bars of it, instants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd

from trading_lib.adapters.sources.shared.bar_windows import stamp_bars
from trading_lib.domain.market.instruments import AssetClass, Instrument, TradingCalendar, Universe
from trading_lib.domain.market.prices import Bars

# symbol, category, max weight, volatility target, safe haven (docs/specification.md#universe)
_ETFS: tuple[tuple[str, str, float, float, bool], ...] = (
    ("GLD", "safe_haven", 0.50, 0.11, True),
    ("SPY", "core_equity", 0.40, 0.15, False),
    ("QQQ", "growth_equity", 0.30, 0.18, False),
    ("SLV", "precious_metals", 0.15, 0.15, False),
    ("XLK", "sector", 0.20, 0.15, False),
    ("XLF", "sector", 0.15, 0.15, False),
    ("XLE", "sector", 0.15, 0.15, False),
    ("XLV", "sector", 0.15, 0.15, False),
    ("TLT", "bonds", 0.30, 0.15, True),
    ("TIP", "bonds", 0.15, 0.15, True),
    ("EFA", "international", 0.20, 0.15, False),
    ("EEM", "international", 0.15, 0.15, False),
    ("DBC", "commodities", 0.15, 0.15, False),
    ("VNQ", "real_estate", 0.15, 0.15, False),
)


def universe() -> Universe:
    """The 15 assets and their costs (docs/specification.md#universe)."""
    etfs = [
        Instrument(
            symbol=symbol,
            name=symbol,
            asset_class=AssetClass.US_ETF,
            category=category,
            calendar=TradingCalendar.XNYS,
            max_weight=max_weight,
            volatility_target=volatility_target,
            stop_reduce=0.12,
            stop_exit=0.18,
            lot_size=Decimal(1),
            commission_rate=Decimal("0.001"),
            slippage_rate=Decimal("0.0005"),
            safe_haven=safe_haven,
        )
        for symbol, category, max_weight, volatility_target, safe_haven in _ETFS
    ]
    bitcoin = Instrument(
        symbol="BTC-USD",
        name="Bitcoin",
        asset_class=AssetClass.CRYPTO,
        category="crypto",
        calendar=TradingCalendar.ALWAYS,
        max_weight=0.15,
        volatility_target=0.225,
        stop_reduce=None,
        stop_exit=0.18,
        lot_size=Decimal("0.0001"),
        commission_rate=Decimal("0.001"),
        slippage_rate=Decimal("0.0015"),
    )
    return Universe((*etfs[:3], bitcoin, *etfs[3:]))


def instant(text: str) -> datetime:
    """A UTC datetime from ``YYYY-MM-DD`` or ``YYYY-MM-DD HH:MM``."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def price_rows(symbol: str, days: Iterable[str | date], **columns: object) -> pd.DataFrame:
    """Plain price rows, 100 flat unless ``columns`` says otherwise, with every optional column filled."""
    dates = pd.to_datetime(pd.Series(list(days))).astype("datetime64[us]")
    values: Mapping[str, object] = {
        "symbol": symbol,
        "date": dates,
        "open": 100.0,
        "high": 101.0,
        "low": 99.0,
        "close": 100.0,
        "adj_close": np.nan,
        "volume": 1e6,
        "dividend": 0.0,
        "split": 1.0,
        "adjustment": "raw",
    }
    return pd.DataFrame({**values, **columns})


def bars_of(*rows: pd.DataFrame, source: str = "test") -> Bars:
    """`Bars` from `price_rows`, stamped with the time each bar was known."""
    return stamp_bars(pd.concat(rows, ignore_index=True), universe(), source)
