"""Every source of market data by name: the one list for registry, command line and forms. It imports none."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

CHAIN = "chain"


class Delivers(StrEnum):
    """What a source has."""

    BARS = "bars"
    MACRO = "macro"
    FUNDING = "funding"
    POSITIONING = "positioning"


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """A source by the name that ``--source`` and sources.yaml give it.

    Attributes
    ----------
    title
        What forms call it.
    """

    name: str
    title: str
    delivers: frozenset[Delivers]


_BARS = frozenset({Delivers.BARS})
_EXCHANGE = frozenset({Delivers.BARS, Delivers.FUNDING})
SOURCES = (
    SourceEntry("simulated", "simulated: made-up prices, offline", _BARS | {Delivers.MACRO}),
    SourceEntry("files", "files: a folder of prices", frozenset(Delivers)),
    SourceEntry(CHAIN, "chain: several vendors in order", frozenset(Delivers)),
    SourceEntry("polygon", "Polygon", _BARS),
    SourceEntry("tiingo", "Tiingo", _BARS),
    SourceEntry("yfinance", "Yahoo Finance", _BARS),
    SourceEntry("binance", "Binance", _EXCHANGE),
    SourceEntry("bybit", "Bybit", _EXCHANGE),
    SourceEntry("fred", "FRED", frozenset({Delivers.MACRO})),
    SourceEntry("cftc", "CFTC", frozenset({Delivers.POSITIONING})),
)


def of(*wanted: Delivers) -> tuple[str, ...]:
    """Name the sources, the chain of them left out, that deliver any of ``wanted``."""
    return tuple(entry.name for entry in SOURCES if entry.name != CHAIN and entry.delivers & frozenset(wanted))


def is_own(name: str) -> bool:
    """Whether ``name`` refers to a user's class: ``file.py:Class`` in include/sources, or ``package.module:Class``.

    ``files:FOLDER`` is what rows of a folder are stored under.
    """
    return ":" in name and not name.startswith("files:")


# What a run's source may be: everything with bars.
TITLES = {entry.name: entry.title for entry in SOURCES if Delivers.BARS in entry.delivers}
