"""Dates and times as vendors write them. Input: a column. Output: `Stamps`, with everything unreadable as NaT."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from trading_lib.domain.market.prices import DateArray

ISO = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ](?:\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?\s*(Z|UTC|[+-]\d{2}:?\d{2})?)?)?")
ISO_DATE = 10
SLASHED = re.compile(
    r"(\d{1,2})([/-])(\d{1,2})\2(\d{4}|\d{2})(?: ((?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?))?", re.IGNORECASE
)
PATTERNS: Mapping[str, re.Pattern[str]] = {
    "iso": ISO,
    "compact": re.compile(r"(?:19|20)\d{6}T?"),
    "epoch": re.compile(r"-?\d{9,10}(?:\d{3}){0,3}(?:\.0*)?"),
    "slashed": SLASHED,
    "year_first": re.compile(r"\d{4}[/.]\d{1,2}[/.]\d{1,2}"),
    "dotted": re.compile(r"\d{1,2}\.\d{1,2}\.(?:\d{4}|\d{2})"),
    "named": re.compile(r"(?:[A-Za-z]{3,9}\.? \d{1,2},? \d{4}|\d{1,2}[ -][A-Za-z]{3,9}[ -](?:\d{4}|\d{2}))"),
}
EPOCH_UNITS = {10: 1, 9: 1, 13: 10**3, 16: 10**6, 19: 10**9}
NAMED_FORMATS = ("%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%B %d %Y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%d-%b-%y")


@dataclass(frozen=True, slots=True)
class Stamps:
    """One moment per row.

    Attributes
    ----------
    values
        datetime64[us], NaT where a cell is no date; UTC where ``zoned``, else as written.
    zoned
        Whether a cell named its zone, or counted from 1970 in UTC.
    ambiguous
        Whether the column reads both as month/day and as day/month; then ``other`` holds the latter.
    """

    values: DateArray
    zoned: np.ndarray
    ambiguous: bool = False
    other: DateArray | None = None


def read_stamps(column: pd.Series) -> Stamps:
    """Read a column of text, numbers or datetimes; all cells must be written like the first one."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        values = column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("datetime64[us]")
        return Stamps(values, np.ones(len(column), dtype=bool))
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return Stamps(column.to_numpy().astype("datetime64[us]"), np.zeros(len(column), dtype=bool))
    if pd.api.types.is_float_dtype(column.dtype):
        column = column.astype("Int64")
    codes, unique = pd.factorize(column.astype("str"))
    texts = [str(text).strip() for text in unique.to_numpy(dtype=object)]
    read = _read_texts(texts)
    if not len(texts):
        return Stamps(np.full(len(column), np.datetime64("NaT"), "datetime64[us]"), np.zeros(len(column), dtype=bool))

    there = codes >= 0
    values = _spread(read.values, codes)
    other = None if read.other is None else _spread(read.other, codes)
    return Stamps(values, there & read.zoned[codes], read.ambiguous, other)


def _spread(values: DateArray, codes: np.ndarray) -> DateArray:
    result: DateArray = np.where(codes >= 0, values[codes], np.datetime64("NaT", "us"))
    return result


def style_of(texts: Sequence[str]) -> str | None:
    """Name of the first way of writing dates that a cell fits; None when none does."""
    for text in texts[:20]:
        for style, pattern in PATTERNS.items():
            if pattern.fullmatch(text):
                return style
    return None


def _read_texts(texts: Sequence[str]) -> Stamps:
    style = style_of(texts)
    if style == "iso" and all(len(text) == ISO_DATE for text in texts):
        return _iso(texts)
    reader = _READERS.get(style or "", _read_nothing)
    return reader([text if style and PATTERNS[style].fullmatch(text) else "" for text in texts])


def _read_nothing(texts: Sequence[str]) -> Stamps:
    return Stamps(np.full(len(texts), np.datetime64("NaT"), "datetime64[us]"), np.zeros(len(texts), dtype=bool))


def _plain(days: pd.Series | pd.DatetimeIndex) -> DateArray:
    values: DateArray = days.to_numpy().astype("datetime64[us]")
    return values


def _no_zone(values: DateArray) -> Stamps:
    return Stamps(values, np.zeros(len(values), dtype=bool))


def _iso(texts: Sequence[str]) -> Stamps:
    written = pd.Series(texts, dtype="object")
    if all(len(text) in (0, ISO_DATE) for text in texts):
        return _no_zone(_plain(pd.to_datetime(written, format="%Y-%m-%d", errors="coerce")))
    matches = [ISO.fullmatch(text) for text in texts]
    zoned = np.array([bool(match and match[1]) for match in matches], dtype=bool)
    cleaned = written.str.replace(r"\s*UTC$", "Z", regex=True).str.rstrip("T ")
    return Stamps(
        _plain(pd.to_datetime(cleaned, format="ISO8601", errors="coerce", utc=True).dt.tz_localize(None)), zoned
    )


def _compact(texts: Sequence[str]) -> Stamps:
    return _no_zone(_plain(pd.to_datetime(pd.Series(texts).str.rstrip("T"), format="%Y%m%d", errors="coerce")))


def _epoch(texts: Sequence[str]) -> Stamps:
    values = np.full(len(texts), np.datetime64("NaT"), "datetime64[us]")
    for at, text in enumerate(texts):
        digits = text.partition(".")[0]
        if digits:
            unit = EPOCH_UNITS[len(digits.lstrip("-"))]
            values[at] = np.datetime64(int(digits) * 10**6 // unit, "us")
    return Stamps(values, np.ones(len(texts), dtype=bool))


def _slashed(texts: Sequence[str]) -> Stamps:
    parts = [SLASHED.fullmatch(text) for text in texts]
    first = [int(match[1]) for match in parts if match]
    second = [int(match[3]) for match in parts if match]
    month_first = all(value <= 12 for value in first)
    day_first = all(value <= 12 for value in second)
    american, european = _ordered(parts, day_first=False), _ordered(parts, day_first=True)
    if month_first and day_first:
        if (american[~np.isnat(american)] == european[~np.isnat(european)]).all():
            return _no_zone(american)
        return Stamps(american, np.zeros(len(texts), dtype=bool), ambiguous=True, other=european)
    return _no_zone(american if month_first or not day_first else european)


def _ordered(parts: Sequence[re.Match[str] | None], *, day_first: bool) -> DateArray:
    texts = []
    for match in parts:
        if match is None:
            texts.append("")
            continue
        month, day = (match[3], match[1]) if day_first else (match[1], match[3])
        clock = f"{pd.Timestamp(match[5]):%H:%M:%S}" if match[5] else "00:00:00"
        texts.append(f"{_year(match[4])}-{int(month):02d}-{int(day):02d} {clock}")
    return _plain(pd.to_datetime(pd.Series(texts, dtype="object"), format="%Y-%m-%d %H:%M:%S", errors="coerce"))


def _year(text: str) -> str:
    if len(text) == 4:
        return text
    return f"20{text}" if int(text) < 70 else f"19{text}"


def _year_first(texts: Sequence[str]) -> Stamps:
    plain = pd.Series(texts, dtype="object").str.replace(".", "/", regex=False)
    return _no_zone(_plain(pd.to_datetime(plain, format="%Y/%m/%d", errors="coerce")))


def _dotted(texts: Sequence[str]) -> Stamps:
    # Dots are written by those who put the day first.
    whole = [".".join((*text.split(".")[:2], _year(text.split(".")[2]))) if text else "" for text in texts]
    return _no_zone(_plain(pd.to_datetime(pd.Series(whole, dtype="object"), format="%d.%m.%Y", errors="coerce")))


def _named(texts: Sequence[str]) -> Stamps:
    written = pd.Series(texts, dtype="object").str.replace(r"([A-Za-z])\.", r"\1", regex=True)
    best = pd.Series(pd.NaT, index=written.index, dtype="datetime64[us]")
    for form in NAMED_FORMATS:
        best = best.fillna(pd.to_datetime(written, format=form, errors="coerce").astype("datetime64[us]"))
    return _no_zone(_plain(best))


_READERS: Mapping[str, Callable[[Sequence[str]], Stamps]] = {
    "iso": _iso,
    "compact": _compact,
    "epoch": _epoch,
    "slashed": _slashed,
    "year_first": _year_first,
    "dotted": _dotted,
    "named": _named,
}
