"""Returns tied to published levels. Input: log returns, facts. Output: log price paths through every waypoint."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np

from trading_lib.adapters.sources.simulated.axis import MarketAxis
from trading_lib.adapters.sources.simulated.facts import CRISES, CRYPTO_WINTERS, LEVELS, largest_fall
from trading_lib.domain.market.prices import FloatArray

# A leg smaller than this has its walls moved out to it, else the price would be squeezed into a narrow band.
WIDEST_ROOM, ROOM_SHARE = 0.25, 0.6


@dataclass(frozen=True, slots=True)
class Waypoint:
    """A day on which the price is known.

    Attributes
    ----------
    walls
        Lowest and highest log price on the way from the waypoint before to this one, None where it is free.
    """

    day: date
    log_price: float
    walls: tuple[float, float] | None = None


def waypoints(symbol: str) -> tuple[Waypoint, ...]:
    """Return the published levels and turning points of an asset in order, its first day first."""
    points = {day: Waypoint(day, float(np.log(price))) for day, price in LEVELS[symbol]}
    for episode in sorted((*CRISES, *CRYPTO_WINTERS), key=lambda episode: episode.first):
        legs = episode.legs.get(symbol, ())
        if not legs:
            continue
        steps = np.log1p([move for _, move in legs])
        turns = points[episode.first].log_price + np.concatenate([[0.0], steps.cumsum()])
        trough = float(turns[int(steps.argmin()) + 1])
        room = min(WIDEST_ROOM, -ROOM_SHARE * float(np.log1p(largest_fall(legs))))
        for (day, _), start, end in zip(legs, turns[:-1].tolist(), turns[1:].tolist(), strict=True):
            points[day] = Waypoint(day, end, _walls(start, end, room, trough))
    return tuple(points[day] for day in sorted(points))


def log_price_path(symbol: str, axis: MarketAxis, returns: FloatArray, volatility: FloatArray) -> FloatArray:
    """Log price of each day, shape (n_days,), NaN before the asset's first day.

    Parameters
    ----------
    returns
        Log price returns, shape (n_days,); 0 on days without trading.
    volatility
        Their expected standard deviation, shape (n_days,): what is missing to a waypoint is spread in proportion
        to its square, so that quiet days stay quiet.
    """
    points = waypoints(symbol)
    first = axis.position(points[0].day)
    path = np.full(len(axis), np.nan)
    path[first] = points[0].log_price
    trades = returns != 0
    for start, end in pairwise(points):
        span = slice(axis.position(start.day) + 1, axis.position(end.day) + 1)
        move = end.log_price - start.log_price
        weight = np.where(trades[span], volatility[span] ** 2, 0.0)
        steps = returns[span] + (move - returns[span].sum()) * weight / weight.sum()
        walk = steps.cumsum()
        if end.walls is not None:
            walk = _fold(walk, end.walls[0] - start.log_price, end.walls[1] - start.log_price)
        path[span] = start.log_price + walk
    last = axis.position(points[-1].day)
    path[last:] = points[-1].log_price + np.concatenate([[0.0], returns[last + 1 :].cumsum()])
    return path


def _walls(start: float, end: float, room: float, trough: float) -> tuple[float, float]:
    """Range of a leg: its ends, and for a small one room on the side where it cannot deepen the largest fall."""
    lowest, highest = min(start, end), max(start, end)
    if highest - lowest >= room:
        return lowest, highest
    if lowest == trough:
        return lowest, lowest + room
    return highest - room, highest


def _fold(walk: FloatArray, lowest: float, highest: float) -> FloatArray:
    """Reflect a walk at two walls: steps keep their size, the walk stays between, its ends stay where they are."""
    width = highest - lowest
    folded: FloatArray = lowest + np.abs((walk - lowest + width) % (2 * width) - width)
    return folded
