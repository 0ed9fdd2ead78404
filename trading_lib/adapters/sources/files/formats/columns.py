"""Meanings of a table's columns. Input: column names as written. Output: canonical name -> position.

Names are compared without case, spaces and punctuation, so "Adj Close", ``adj_close`` and ``adjClose`` are one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from trading_lib.domain.errors import DataFileError

# The first name that a file has is the one that counts: a file may have both `close` and `price`.
MEANINGS: Mapping[str, tuple[str, ...]] = {
    "date": (
        "date", "timestamp", "datetime", "time", "observationdate", "tradedate", "tradingdate", "opentime",
        "windowstart", "timeopen", "indexlevel0", "day", "t", "datum", "data", "fecha", "unix",
    ),
    "symbol": ("symbol", "ticker", "tic", "actsymbol", "stock", "code", "name"),
    "open": ("open", "o", "vixopen", "openprice", "eröffn", "ouv", "apertura", "abertura"),
    "high": ("high", "h", "vixhigh", "highprice", "hoch", "plushaut", "máximo", "massimo", "máxima"),
    "low": ("low", "l", "vixlow", "lowprice", "tief", "plusbas", "mínimo", "minimo", "mínima"),
    "close": (
        "close", "closelast", "c", "vixclose", "closeprice", "last", "lastprice", "price", "zuletzt", "dernier",
        "último", "ultimo", "cierre", "schlusskurs",
    ),
    "volume": ("volume", "vol", "v", "volumebtc", "tottrdqty", "volumen"),
    "adj_close": ("adjclose", "adjustedclose", "adjustedcloseprice", "closeadj", "adjcloseprice"),
    "dividend": ("dividend", "dividends", "divcash", "dividendamount", "exdividend", "cashdividend"),
    "split": ("split", "splits", "stocksplits", "stocksplit", "splitfactor", "splitcoefficient", "splitratio"),
    "capital_gains": ("capitalgains", "capitalgain"),
    "per": ("per", "period", "timeframe"),
    "clock": ("time",),
    "currency": ("currency", "curr"),
}  # fmt: skip
# Single letters, and words of other languages and tables, mean a price only in a table that has all of them.
LOOSE = frozenset(
    {"t", "o", "h", "l", "c", "v", "data", "day", "name", "code", "stock", "unix", "price", "last", "time"}
)
# Two columns for one of these are two opinions about money: nobody but the user can say which is right.
EXCLUSIVE = ("adj_close", "dividend", "split")
# Derived from other columns of the same vendor, or about how the bar came to be: naming them is enough.
DERIVED = frozenset(
    {"adjopen", "adjhigh", "adjlow", "adjvolume", "adjustment", "adjusted", "unadjustedvolume", "isadjusted"}
)
# A column with such a name says something about cash, shares or whose prices these are.
TELLING = re.compile(r"split|div|payout|distribution|coefficient|factor|^adj|ticker|symbol")
PRICES = ("open", "high", "low", "close")


def key(name: str) -> str:
    """``name`` without case, spaces and punctuation."""
    return re.sub(r"[\W_]+", "", name.strip().lower())


def plain_name(name: str) -> str:
    """Write a column nobody gave a meaning to, in the form that ``where`` of a manifest uses."""
    return name.strip().strip("<>").lower().replace(" ", "_")


def meanings(path: Path, written: Sequence[str]) -> dict[str, int]:
    """Canonical name -> position; columns without a known meaning stand under their own names.

    Raises
    ------
    DataFileError
        Two columns that say the same thing.
    """
    keys = [key(name) for name in written]
    chosen: dict[str, int] = {}
    for canonical, names in MEANINGS.items():
        matches = [(names.index(synonym), position) for position, synonym in enumerate(keys) if synonym in names]
        free = sorted(pair for pair in matches if pair[1] not in chosen.values())
        if not free:
            continue
        same = [position for rank, position in free if rank == free[0][0]]
        others = [position for _, position in free] if canonical in EXCLUSIVE else same
        if len(others) > 1:
            raise DataFileError(
                f"{path} has two columns for {canonical}",
                f"remove {written[others[0]]!r} or {written[others[1]]!r}",
            )
        chosen[canonical] = free[0][1]
    _drop_loose(chosen, keys)
    taken = set(chosen.values())
    for position, name in enumerate(written):
        synonym = plain_name(name)
        if position not in taken and synonym and synonym not in chosen:
            chosen[synonym] = position
    return chosen


def _drop_loose(chosen: dict[str, int], keys: Sequence[str]) -> None:
    """Take back meanings that rest on a word such as "price" or "time" in a table that has no bars."""
    if all(name in chosen for name in PRICES):
        return
    for canonical in list(chosen):
        if keys[chosen[canonical]] in LOOSE:
            del chosen[canonical]


def unused(chosen: Mapping[str, int], written: Sequence[str], used: Sequence[str]) -> tuple[str, ...]:
    """Columns that nothing reads, as written; the nameless index of a data frame is none."""
    read = {chosen[name] for name in used if name in chosen}
    return tuple(
        name for position, name in enumerate(written) if position not in read and key(name) not in ("", "index")
        and not re.fullmatch(r"unnamed\d+", key(name))
    )  # fmt: skip


def telling(names: Sequence[str]) -> tuple[str, ...]:
    """Those of ``names`` that may be about dividends, splits, adjustment or symbols: they must not go unread."""
    return tuple(name for name in names if TELLING.search(key(name)) and key(name) not in DERIVED)
