"""Macro series of the simulated market: DFF, DGS2, DGS10 and CPIAUCSL. Output: (series, date, value) rows.

The policy rate and yearly inflation follow what was decided and published, rounded; yields answer the simulated bond
fund, so that a fall of TLT is a rise of DGS10.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd

from trading_lib.adapters.sources.simulated.axis import MarketAxis, stream
from trading_lib.domain.market.prices import DateArray, FloatArray

# Upper bound of the federal funds target after each change that mattered (Federal Open Market Committee), per cent.
POLICY_RATES: tuple[tuple[date, float], ...] = (
    (date(2004, 1, 2), 1.00), (date(2004, 6, 30), 1.25), (date(2004, 12, 14), 2.25), (date(2005, 6, 30), 3.25),
    (date(2005, 12, 13), 4.25), (date(2006, 6, 29), 5.25), (date(2007, 9, 18), 4.75), (date(2007, 12, 11), 4.25),
    (date(2008, 1, 22), 3.50), (date(2008, 3, 18), 2.25), (date(2008, 4, 30), 2.00), (date(2008, 10, 8), 1.50),
    (date(2008, 12, 16), 0.25), (date(2015, 12, 16), 0.50), (date(2016, 12, 14), 0.75), (date(2017, 6, 14), 1.25),
    (date(2017, 12, 13), 1.50), (date(2018, 6, 13), 2.00), (date(2018, 12, 19), 2.50), (date(2019, 7, 31), 2.25),
    (date(2019, 10, 30), 1.75), (date(2020, 3, 3), 1.25), (date(2020, 3, 16), 0.25), (date(2022, 3, 16), 0.50),
    (date(2022, 5, 4), 1.00), (date(2022, 6, 15), 1.75), (date(2022, 7, 27), 2.50), (date(2022, 9, 21), 3.25),
    (date(2022, 11, 2), 4.00), (date(2022, 12, 14), 4.50), (date(2023, 3, 22), 5.00), (date(2023, 7, 26), 5.50),
    (date(2024, 9, 18), 5.00), (date(2024, 12, 18), 4.50), (date(2025, 9, 17), 4.25), (date(2025, 12, 10), 3.75),
)  # fmt: skip
# Consumer prices, December on December (Bureau of Labor Statistics), per cent; later years run at the last value.
INFLATION: Mapping[int, float] = {
    2004: 3.3, 2005: 3.4, 2006: 2.5, 2007: 4.1, 2008: 0.1, 2009: 2.7, 2010: 1.5, 2011: 3.0, 2012: 1.7, 2013: 1.5,
    2014: 0.8, 2015: 0.7, 2016: 2.1, 2017: 2.1, 2018: 1.9, 2019: 2.3, 2020: 1.4, 2021: 7.0, 2022: 6.5, 2023: 3.4,
    2024: 2.9, 2025: 2.7,
}  # fmt: skip
FIRST_PRICE_LEVEL = 185.0
BELOW_TARGET = 0.17
# Half-lives in days with which yields follow the policy rate and forget what the bond fund did.
SHORT_MEMORY, LONG_MEMORY = 90.0, 540.0
BOND_MEMORY = 0.996
# A yield rests at base + share x the remembered policy rate (per cent): long yields move less than short ones.
RESTING_YIELD = {"DGS2": (0.25, 1.0), "DGS10": (2.4, 0.55)}
# Yield change in per cent points per log return of TLT; the inverse of its duration of about 17 years.
YIELD_RESPONSE = {"DGS2": 3.0, "DGS10": 5.5}
LOWEST_YIELD = {"DGS2": 0.10, "DGS10": 0.45}


def simulate_macro(axis: MarketAxis, treasury_fund: pd.DataFrame, seed: int) -> pd.DataFrame:
    """All macro rows up to the end of the axis; ``treasury_fund`` holds the simulated bars of TLT."""
    policy = np.empty(len(axis))
    for day, rate in POLICY_RATES:
        policy[axis.position(day) :] = rate
    draws = stream(seed, "macro").standard_normal((len(axis), 3))
    funds_rate = np.maximum(policy - BELOW_TARGET + 0.01 * draws[:, 0], 0.04)
    rows = [_rows("DFF", axis.days, funds_rate)]
    bonds = _bond_moves(axis, treasury_fund)
    for column, (series, memory) in enumerate((("DGS2", SHORT_MEMORY), ("DGS10", LONG_MEMORY)), start=1):
        base, share = RESTING_YIELD[series]
        anchor = base + share * pd.Series(policy).ewm(halflife=memory, adjust=False).mean().to_numpy()
        response = -YIELD_RESPONSE[series] * bonds
        level = np.maximum(anchor + response + 0.01 * draws[:, column], LOWEST_YIELD[series])
        rows.append(_rows(series, axis.days[axis.is_session], level[axis.is_session]))
    rows.append(_consumer_prices(axis, seed))
    return pd.concat(rows, ignore_index=True)


def _bond_moves(axis: MarketAxis, treasury_fund: pd.DataFrame) -> FloatArray:
    """Recent log returns of the bond fund, added up with fading memory, shape (n_days,)."""
    positions = (treasury_fund["date"].to_numpy().astype("datetime64[D]") - axis.days[0]).astype(int)
    moves = np.zeros(len(axis))
    moves[positions[1:]] = np.diff(np.log(treasury_fund["close"].to_numpy(dtype=np.float64)))
    faded = np.empty(len(axis))
    state = 0.0
    for day, (is_session, move) in enumerate(zip(axis.is_session.tolist(), moves.tolist(), strict=True)):
        state = (BOND_MEMORY * state if is_session else state) + move
        faded[day] = state
    return faded


def _consumer_prices(axis: MarketAxis, seed: int) -> pd.DataFrame:
    months = np.arange(axis.days[0].astype("datetime64[M]"), axis.days[-1].astype("datetime64[M]") + 1)
    years = months.astype("datetime64[Y]").astype(int) + 1970
    newest = max(INFLATION)
    yearly = np.array([INFLATION[min(year, newest)] for year in years.tolist()]) / 100
    noise = 0.001 * stream(seed, "CPIAUCSL").standard_normal(len(months))
    steps = np.log1p(yearly) / 12 + np.diff(noise, prepend=0.0)
    level = FIRST_PRICE_LEVEL * np.exp(steps.cumsum())
    return _rows("CPIAUCSL", months.astype("datetime64[D]"), level, decimals=3)


def _rows(series: str, days: DateArray, values: FloatArray, decimals: int = 2) -> pd.DataFrame:
    return pd.DataFrame({"series": series, "date": days.astype("datetime64[us]"), "value": np.round(values, decimals)})
