"""Market data as a decision sees it: `FactorPanel` and `MarketView`, a panel cut off at one session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trading_lib.domain.market.funding import FundingPanel, FundingView
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.prices import BoolArray, DateArray, FloatArray, IntegerArray, PricePanel


@dataclass(frozen=True, slots=True)
class FactorPanel:
    """Factor values of every session.

    Attributes
    ----------
    names
        Factor names, the first axis of ``values``.
    values
        Shape (n_factors, T, n); NaN where a factor's lookback is not complete. Price-like factors (SMA, ATR)
        are in total-return prices of `NativeSeries`.
    total_return_close
        Shape (T, n): the price to compare them with.
    price_factor
        Shape (T, n): divide a price-like factor by this to read it in raw dollars of that session.
    """

    names: tuple[str, ...]
    values: FloatArray
    total_return_close: FloatArray
    price_factor: FloatArray


@dataclass(frozen=True, slots=True)
class MarketView:
    """Market data as known at the decision time of ``session``; n assets in universe order.

    Every array is a read-only view of rows up to the session; it contains no later row.

    Attributes
    ----------
    close, fresh, volume
        Shape (n,): newest known raw close, whether it is of this session, its volume. Without a fresh bar (none
        came, or it is quarantined) there is no new risk in the asset.
    price_day, price_age
        Shape (n,): day of the newest known bar and its age in sessions; see `PricePanel`.
    total_return_close
        Shape (n,): comparable with the price-like factors.
    price_factor
        Shape (n,): total-return price divided by raw price.
    factors
        Factor name -> shape (n,), NaN where missing.
    mark_returns
        Shape (rows, n): simple total returns between marks, newest last.
    common_returns
        Shape (rows, n): log returns over common sessions, newest last; see `PricePanel.common_return`.
    common_lag
        Shape (n,): see `PricePanel.common_lag`.
    volatility_index, volatility_index_age
        Newest ^VIX close and its age in sessions; NaN and -1 when none.
    month_end
        Whether the session is the last of its month by the exchange's calendar.
    remembered
        What was computed from nothing but the view, by what it is; see `SessionViews`.
    funding
        Funding rates of the perpetual that the universe names; None where none are read.
    """

    universe: Universe
    session: date
    close: FloatArray
    fresh: BoolArray
    price_day: DateArray
    price_age: IntegerArray
    volume: FloatArray
    total_return_close: FloatArray
    price_factor: FloatArray
    factors: Mapping[str, FloatArray]
    mark_returns: FloatArray
    common_returns: FloatArray
    common_lag: NDArray[np.int64]
    volatility_index: float
    volatility_index_age: int
    month_end: bool
    remembered: dict[object, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    funding: FundingView | None = None


def view_at(
    universe: Universe,
    panel: PricePanel,
    factors: FactorPanel,
    row: int,
    session: date | None = None,
    funding: FundingPanel | None = None,
) -> MarketView:
    """Cut the panel off after ``row``.

    Parameters
    ----------
    session
        The row's date when the caller has it at hand.
    """
    return MarketView(
        universe=universe,
        session=session or _date(panel.sessions[row]),
        close=panel.close[row],
        fresh=panel.fresh[row],
        price_day=panel.price_day[row],
        price_age=panel.price_age[row],
        volume=panel.volume[row],
        total_return_close=factors.total_return_close[row],
        price_factor=factors.price_factor[row],
        factors=dict(zip(factors.names, factors.values[:, row], strict=True)),
        mark_returns=panel.mark_return[: row + 1],
        common_returns=panel.common_return[: row + 1],
        common_lag=panel.common_lag,
        volatility_index=float(panel.volatility_index[row]),
        volatility_index_age=int(panel.volatility_index_age[row]),
        month_end=bool(panel.month_end[row]),
        funding=None if funding is None else funding.view(row),
    )


class SessionViews:
    """The views of a panel, each built once.

    Many runs over one market, such as a sweep's points, look at the same views, and what depends on nothing but a view
    (correlations, their average) is then computed once for all of them.
    """

    def __init__(
        self, universe: Universe, panel: PricePanel, factors: FactorPanel, funding: FundingPanel | None = None
    ) -> None:
        self._universe, self._panel, self._factors, self._funding = universe, panel, factors, funding
        self._days: list[date] = panel.sessions.astype(object).tolist()
        self._views: dict[int, MarketView] = {}
        # What was computed from several of the views, by what it is.
        self.remembered: dict[object, Any] = {}

    def forget(self, row: int) -> None:
        """Release a view's memory; the next access builds it anew."""
        self._views.pop(row, None)

    def __getitem__(self, row: int) -> MarketView:
        view = self._views.get(row)
        if view is None:
            view = view_at(self._universe, self._panel, self._factors, row, self._days[row], self._funding)
            self._views[row] = view
        return view


def _date(day: DateArray) -> date:
    value: date = day.astype("datetime64[D]").item()
    return value
