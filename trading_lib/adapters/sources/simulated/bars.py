"""Price paths -> daily bars with dividends and volumes, and ^VIX. Output: one frame per symbol."""

from __future__ import annotations

import numpy as np
import pandas as pd

from trading_lib.adapters.sources.simulated.assets import AssetModel
from trading_lib.adapters.sources.simulated.axis import MarketAxis, stream
from trading_lib.adapters.sources.simulated.paths import log_price_path
from trading_lib.adapters.sources.simulated.returns import MarketShocks, asset_returns, daily_volatility
from trading_lib.domain.market.prices import VOLATILITY_INDEX, BoolArray, FloatArray

# Share of a day's move that happens before the open, and the size of the rest of the gap in daily volatilities.
OVERNIGHT_SHARE, OVERNIGHT_NOISE = 0.3, 0.35
ROUND_THE_CLOCK_NOISE = 0.01
WICK = 0.35
# ^VIX at a volatility multiple of m is 5 + 12.5 m before nerves: it has a floor that realised volatility lacks.
INDEX_FLOOR, INDEX_SLOPE = 5.0, 12.5


def simulate_bars(symbol: str, model: AssetModel, axis: MarketAxis, shocks: MarketShocks, seed: int) -> pd.DataFrame:
    """Bars of one asset on its trading days from its first day to the end of the axis.

    Returns
    -------
    Columns of `BAR_COLUMNS` without source and available_at. Prices are rounded to the cent; ``adj_close`` is NaN,
    because an adjusted history changes with every later dividend and this one must not.
    """
    volatility = daily_volatility(model, shocks)
    returns = asset_returns(symbol, model, axis, shocks, seed)
    ex_dates = _ex_dates(model, axis)
    payout = np.where(ex_dates, model.dividend_yield / max(len(model.dividend_months), 1), 0.0)
    path = log_price_path(symbol, axis, returns + np.log1p(-payout), volatility)
    trading = np.isfinite(path) & (model.every_day | axis.is_session)
    close = np.exp(path[trading])
    frame = _open_high_low(symbol, close, volatility[trading], payout[trading], model.every_day, seed, trading)
    frame.insert(0, "date", axis.days[trading].astype("datetime64[us]"))
    previous = np.concatenate([close[:1], close[:-1]])
    frame["dividend"] = np.round(previous * payout[trading], 4)
    frame["volume"] = _volume(symbol, model, returns, volatility, shocks, seed)[trading]
    return frame.assign(symbol=symbol, adj_close=np.nan, split=1.0, adjustment="raw")


def simulate_volatility_index(spy: pd.DataFrame, axis: MarketAxis, shocks: MarketShocks, seed: int) -> pd.DataFrame:
    """^VIX: what the next session's volatility will be, nervous after falls. Columns as `simulate_bars`.

    Parameters
    ----------
    spy
        The simulated bars of SPY, whose falls it answers.
    """
    positions = (spy["date"].to_numpy().astype("datetime64[D]") - axis.days[0]).astype(int)
    draws = stream(seed, VOLATILITY_INDEX).standard_normal((len(axis), 4))[positions]
    moves = np.diff(np.log(spy["close"].to_numpy(dtype=np.float64)), prepend=np.nan)
    moves[0] = 0.0
    nerves = 2.0 * moves + 1.2 * _shifted(moves, 1) + 0.8 * _shifted(moves, 2)
    level = INDEX_FLOOR + INDEX_SLOPE * shocks.multiple[positions + 1]
    close = np.clip(level * np.exp(-nerves + 0.03 * draws[:, 0]), 9.0, 90.0)
    opening = np.concatenate([close[:1], close[:-1]]) * np.exp(0.03 * draws[:, 1])
    frame = pd.DataFrame(
        {
            "open": opening,
            "high": np.maximum(opening, close) * np.exp(0.025 * np.abs(draws[:, 2])),
            "low": np.minimum(opening, close) * np.exp(-0.025 * np.abs(draws[:, 3])),
            "close": close,
        }
    ).round(2)
    frame.insert(0, "date", spy["date"].to_numpy())
    return frame.assign(
        symbol=VOLATILITY_INDEX, adj_close=np.nan, dividend=0.0, split=1.0, volume=np.nan, adjustment="raw"
    )


def _open_high_low(
    symbol: str,
    close: FloatArray,
    volatility: FloatArray,
    payout: FloatArray,
    every_day: bool,
    seed: int,
    trading: BoolArray,
) -> pd.DataFrame:
    draws = stream(seed, f"bar {symbol}").standard_normal((len(trading), 3))[trading]
    moves = np.diff(np.log(close), prepend=np.log(close[0]))
    cash = np.log1p(-payout)
    if every_day:
        gap = ROUND_THE_CLOCK_NOISE * volatility * draws[:, 0]
    else:
        # The dividend leaves the price before the open; the rest of the day's move is shared with the night.
        gap = cash + OVERNIGHT_SHARE * (moves - cash) + OVERNIGHT_NOISE * volatility * draws[:, 0]
    opening = np.concatenate([close[:1], close[:-1]]) * np.exp(gap)
    high = np.maximum(opening, close) * np.exp(WICK * volatility * np.abs(draws[:, 1]))
    low = np.minimum(opening, close) * np.exp(-WICK * volatility * np.abs(draws[:, 2]))
    return pd.DataFrame({"open": opening, "high": high, "low": low, "close": close}).round(2)


def _volume(
    symbol: str, model: AssetModel, returns: FloatArray, volatility: FloatArray, shocks: MarketShocks, seed: int
) -> FloatArray:
    noise = 0.25 * stream(seed, f"volume {symbol}").standard_normal(len(returns))
    surprise = np.minimum(np.abs(returns) / volatility, 5.0)
    busy = shocks.crypto_multiple if model.every_day else shocks.multiple[:-1]
    return np.round(model.volume * np.sqrt(busy) * np.exp(noise + 0.15 * (surprise - 1.0)))


def _ex_dates(model: AssetModel, axis: MarketAxis) -> BoolArray:
    """Where the asset goes ex dividend: monthly payers on the first session, others on or after the third Friday."""
    marks = np.zeros(len(axis), dtype=bool)
    if not model.dividend_months:
        return marks
    months = axis.days.astype("datetime64[M]")
    month = months.astype(int) % 12 + 1
    day = (axis.days - months.astype("datetime64[D]")).astype(int) + 1
    weekday = (axis.days.astype(int) + 3) % 7
    first_of_month = day == 1
    third_friday = (weekday == 4) & (day >= 15) & (day <= 21)
    due = first_of_month if len(model.dividend_months) == 12 else third_friday
    sessions = np.flatnonzero(axis.is_session)
    due_days = np.flatnonzero(due & np.isin(month, model.dividend_months))
    position = np.searchsorted(sessions, due_days)
    marks[sessions[position[position < len(sessions)]]] = True
    return marks


def _shifted(values: FloatArray, count: int) -> FloatArray:
    return np.concatenate([np.zeros(count), values[:-count]])
