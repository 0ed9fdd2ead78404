"""Published facts that the simulated market reproduces, rounded to whole per cents.

Moves are of the unadjusted close in today's share units; the sources are the funds' own price histories as any chart
service shows them (for the S&P 500: -57 % from 2007-10-09 to 2009-03-09, -34 % from 2020-02-19 to 2020-03-23, -25 %
from 2022-01-03 to 2022-10-12; Bitcoin: -83 % in 2018, -77 % from 2021-11-08 to 2022-11-21).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

Legs = tuple[tuple[date, float], ...]


@dataclass(frozen=True, slots=True)
class Episode:
    """A stretch of history whose turning points are given.

    Attributes
    ----------
    legs
        Symbol -> (date of the turning point, move since the one before as a fraction), the first one since
        ``first``. Between turning points the price never leaves the range that would make another fall of the
        episode larger than the largest of its legs.
    """

    name: str
    first: date
    last: date
    legs: Mapping[str, Legs]


def _fall(last: date, move: float) -> Legs:
    return ((last, move),)


_2009, _2020, _2022 = date(2009, 3, 9), date(2020, 3, 23), date(2022, 10, 12)

FINANCIAL_CRISIS = Episode(
    "2008",
    date(2007, 10, 9),
    _2009,
    {
        "SPY": _fall(_2009, -0.56),
        "QQQ": ((date(2007, 10, 31), 0.03), (date(2008, 11, 20), -0.54), (_2009, 0.01)),
        "XLK": ((date(2007, 10, 31), 0.03), (date(2008, 11, 20), -0.54), (_2009, 0.01)),
        "XLF": ((date(2009, 3, 6), -0.83), (_2009, 0.02)),
        "XLE": ((date(2008, 5, 20), 0.19), (date(2009, 3, 2), -0.58), (_2009, 0.02)),
        "XLV": ((date(2007, 12, 10), 0.01), (_2009, -0.41)),
        "EFA": ((date(2007, 10, 31), 0.02), (_2009, -0.63)),
        "EEM": ((date(2007, 10, 31), 0.06), (date(2008, 11, 20), -0.67), (_2009, 0.13)),
        "VNQ": ((date(2009, 3, 6), -0.72), (_2009, 0.02)),
        "DBC": ((date(2008, 7, 2), 0.70), (date(2009, 3, 2), -0.61), (_2009, 0.05)),
        "GLD": ((date(2008, 3, 17), 0.36), (date(2008, 11, 12), -0.29), (date(2009, 2, 20), 0.40), (_2009, -0.08)),
        "SLV": ((date(2008, 3, 5), 0.54), (date(2008, 10, 27), -0.57), (date(2009, 2, 23), 0.62), (_2009, -0.11)),
        "TLT": ((date(2008, 12, 19), 0.39), (date(2009, 2, 27), -0.17), (_2009, 0.02)),
        "TIP": ((date(2008, 3, 10), 0.10), (date(2008, 11, 24), -0.19), (_2009, 0.07)),
    },
)

PANDEMIC = Episode(
    "2020",
    date(2020, 2, 19),
    _2020,
    {
        "SPY": _fall(_2020, -0.34),
        "QQQ": ((date(2020, 3, 16), -0.29), (_2020, 0.01)),
        "XLK": _fall(_2020, -0.32),
        "XLF": _fall(_2020, -0.43),
        "XLE": _fall(_2020, -0.57),
        "XLV": _fall(_2020, -0.28),
        "EFA": _fall(_2020, -0.33),
        "EEM": _fall(_2020, -0.31),
        "VNQ": ((date(2020, 2, 21), 0.01), (_2020, -0.43)),
        "DBC": ((date(2020, 3, 18), -0.27), (_2020, 0.02)),
        "GLD": ((date(2020, 3, 9), 0.04), (date(2020, 3, 19), -0.13), (_2020, 0.06)),
        "SLV": ((date(2020, 2, 24), 0.01), (date(2020, 3, 18), -0.36), (_2020, 0.10)),
        "TLT": ((date(2020, 3, 9), 0.18), (date(2020, 3, 18), -0.16), (_2020, 0.15)),
        "TIP": ((date(2020, 3, 6), 0.03), (date(2020, 3, 18), -0.11), (_2020, 0.08)),
        "BTC-USD": ((date(2020, 2, 23), 0.03), (date(2020, 3, 12), -0.50), (_2020, 0.29)),
    },
)

INFLATION_SHOCK = Episode(
    "2022",
    date(2022, 1, 3),
    _2022,
    {
        "SPY": _fall(_2022, -0.25),
        "QQQ": _fall(_2022, -0.35),
        "XLK": _fall(_2022, -0.34),
        "XLF": ((date(2022, 1, 12), 0.05), (_2022, -0.27)),
        "XLE": ((date(2022, 6, 8), 0.61), (date(2022, 7, 14), -0.27), (_2022, 0.19)),
        "XLV": ((date(2022, 4, 8), 0.02), (date(2022, 6, 17), -0.16), (_2022, 0.02)),
        "EFA": ((date(2022, 1, 12), 0.01), (date(2022, 9, 27), -0.30), (_2022, 0.01)),
        "EEM": ((date(2022, 1, 12), 0.03), (_2022, -0.32)),
        "VNQ": _fall(_2022, -0.33),
        "DBC": ((date(2022, 6, 9), 0.46), (date(2022, 9, 26), -0.23), (_2022, 0.08)),
        "GLD": ((date(2022, 3, 8), 0.14), (date(2022, 9, 26), -0.21), (_2022, 0.03)),
        "SLV": ((date(2022, 3, 8), 0.15), (date(2022, 9, 1), -0.33), (_2022, 0.07)),
        "TLT": ((date(2022, 10, 10), -0.31), (_2022, 0.01)),
        "TIP": ((date(2022, 3, 8), 0.01), (date(2022, 9, 30), -0.19), (_2022, 0.01)),
        "BTC-USD": ((date(2022, 3, 29), 0.02), (date(2022, 9, 21), -0.61), (_2022, 0.03)),
    },
)

CRISES = (FINANCIAL_CRISIS, PANDEMIC, INFLATION_SHOCK)

# Bitcoin's own falls; the two around 2022 join the inflation shock to -77 % from 2021-11-08 to 2022-11-21.
CRYPTO_WINTERS = (
    Episode("crypto 2018", date(2017, 12, 16), date(2018, 12, 15), {"BTC-USD": _fall(date(2018, 12, 15), -0.83)}),
    Episode("crypto 2021", date(2021, 11, 8), date(2022, 1, 3), {"BTC-USD": _fall(date(2022, 1, 3), -0.31)}),
    Episode("crypto 2022", _2022, date(2022, 11, 21), {"BTC-USD": _fall(date(2022, 11, 21), -0.18)}),
)

_SPAN = (date(2007, 10, 9), date(2020, 2, 19), date(2022, 1, 3))
_START = date(2004, 1, 2)


def _levels(first: date, *prices: float) -> tuple[tuple[date, float], ...]:
    return tuple(zip((first, *_SPAN), prices, strict=True))


# Approximate price on the first day (the fund's inception when later than 2004-01-02) and where each crisis begins:
# they keep long-run growth plausible for every seed. Split-adjusted; the simulation has no splits.
LEVELS: Mapping[str, tuple[tuple[date, float], ...]] = {
    "GLD": _levels(date(2004, 11, 18), 44, 73, 152, 168),
    "SPY": _levels(_START, 111, 156, 338, 478),
    "QQQ": _levels(_START, 36, 53, 237, 402),
    "SLV": _levels(date(2006, 4, 28), 13.8, 13.4, 17.2, 21.2),
    "XLK": _levels(_START, 10.3, 13.8, 51, 88),
    "XLF": _levels(_START, 23, 29, 31, 39.5),
    "XLE": _levels(_START, 13.7, 38, 27.4, 28.6),
    "XLV": _levels(_START, 30, 36, 104, 139),
    "TLT": _levels(_START, 86, 88, 146, 144),
    "TIP": _levels(_START, 101, 101, 119, 128),
    "EFA": _levels(_START, 45.6, 84, 69, 79),
    "EEM": _levels(_START, 18.3, 52.6, 44, 49),
    "DBC": _levels(date(2006, 2, 6), 24, 27, 14.9, 20.9),
    "VNQ": _levels(date(2004, 9, 29), 50, 76, 98, 115),
    "BTC-USD": (
        (date(2014, 9, 17), 457.0),
        (date(2015, 1, 14), 178.0),
        (date(2017, 12, 16), 19_500.0),
        (date(2020, 2, 19), 9_630.0),
        (date(2021, 11, 8), 67_500.0),
    ),
}

# Market-wide volatility as a multiple of a normal year's (^VIX of about 16), where history is remembered for it.
VOLATILITY_EPISODES: tuple[tuple[date, date, float], ...] = (
    (date(2007, 10, 9), date(2008, 9, 12), 1.5),
    (date(2008, 9, 15), date(2008, 12, 5), 3.9),
    (date(2008, 12, 8), date(2009, 4, 30), 2.6),
    (date(2009, 5, 1), date(2009, 9, 30), 1.6),
    (date(2010, 5, 6), date(2010, 7, 15), 1.8),
    (date(2011, 8, 4), date(2011, 11, 30), 2.1),
    (date(2015, 8, 20), date(2015, 10, 9), 1.5),
    (date(2018, 12, 3), date(2019, 1, 4), 1.6),
    (date(2020, 2, 19), date(2020, 2, 28), 1.9),
    (date(2020, 3, 2), date(2020, 3, 6), 2.8),
    (date(2020, 3, 9), date(2020, 4, 3), 4.2),
    (date(2020, 4, 6), date(2020, 6, 30), 2.0),
    (date(2022, 1, 3), date(2022, 11, 10), 1.65),
)


def largest_fall(legs: Legs) -> float:
    """Largest peak-to-trough move over consecutive legs, as a negative fraction."""
    level, peak, worst = 1.0, 1.0, 0.0
    for _, move in legs:
        level *= 1 + move
        peak = max(peak, level)
        worst = min(worst, level / peak - 1)
    return worst
