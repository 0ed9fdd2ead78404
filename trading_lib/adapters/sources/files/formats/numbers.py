"""Numbers as vendors write them: "$1,234.50", "12.3M", "45,74", "2:1", "-". Input: text. Output: float64."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd

from trading_lib.domain.market.prices import FloatArray

MISSING = frozenset(
    {"", "-", "--", ".", "n/a", "na", "null", "none", "nan", "#n/a", "<na>", "\N{EN DASH}", "\N{EM DASH}"}
)
SUFFIXES = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
POINT, COMMA = ".", ","

_PLAIN = re.compile(r"([+-]?)\$?([+-]?)(\d[\d.,'\u00a0\u202f ]*|\.\d+)(e[+-]?\d+)?([kmbt]?)", re.IGNORECASE)
_RATIO = re.compile(r"(\d+(?:\.\d+)?)\s*(?::|/|-?for-?)\s*(\d+(?:\.\d+)?)", re.IGNORECASE)
_GROUPED = {
    POINT: re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d*)?|\d*\.?\d*"),
    COMMA: re.compile(r"\d{1,3}(?:\.\d{3})+(?:,\d*)?|\d*,?\d*"),
}


def decimal_mark(texts: Iterable[str]) -> str | None:
    """Which of "." and "," separates decimals in all of ``texts``.

    Returns
    -------
    None when nothing shows it: "1,234" alone is a thousand and a bit, or a little more than one.

    Raises
    ------
    ValueError
        Two cells show different marks; the message holds both.
    """
    shown: dict[str, str] = {}
    for text in texts:
        mark = _shown_mark(text)
        if mark:
            shown.setdefault(mark, text)
    if len(shown) == 2:
        raise ValueError(f"{shown[POINT]!r} and {shown[COMMA]!r} use different decimal marks")
    return next(iter(shown), None)


def parse(texts: pd.Series, mark: str | None) -> FloatArray:
    """Numbers of ``texts``, NaN where a cell is missing or is none; shape (n,).

    Parameters
    ----------
    mark
        See `decimal_mark`; without one a cell that needs it stays NaN.
    """
    codes, unique = pd.factorize(texts.astype("str").str.strip())
    values = np.array([_number(str(text), mark) for text in unique], dtype=np.float64)
    return np.where(codes >= 0, values[codes], np.nan) if len(values) else np.full(len(texts), np.nan)


def is_missing(texts: pd.Series) -> pd.Series:
    """Where a cell says that there is no number."""
    return texts.isna() | texts.astype("str").str.strip().str.lower().isin(MISSING)


def ratio(text: str) -> float:
    """Read a split such as "2:1", "3/2" or "4-for-1" as new shares per old one; NaN when it is none."""
    match = _RATIO.fullmatch(text.strip())
    return float(match[1]) / float(match[2]) if match and float(match[2]) else float("nan")


def _shown_mark(text: str) -> str | None:
    match = _PLAIN.fullmatch(text.strip())
    if match is None:
        return None
    digits = match[3]
    point, comma = digits.rfind(POINT), digits.rfind(COMMA)
    if point >= 0 and comma >= 0:
        return POINT if point > comma else COMMA
    # Several of one kind, or one with three digits behind a short group, may group thousands.
    for mark, other in ((POINT, COMMA), (COMMA, POINT)):
        if mark in digits:
            if digits.count(mark) > 1:
                return other
            if mark == POINT or not re.fullmatch(r"[1-9]\d{0,2},\d{3}", digits):
                return mark
    return None


def _number(text: str, mark: str | None) -> float:
    if text.lower() in MISSING:
        return float("nan")
    match = _PLAIN.fullmatch(text)
    if match is None:
        return float("nan")
    digits = re.sub(r"['\u00a0\u202f ]", "", match[3])
    if mark is None and COMMA in digits:
        return float("nan")
    decimal = mark or POINT
    if not _GROUPED[decimal].fullmatch(digits):
        return float("nan")
    grouping = COMMA if decimal == POINT else POINT
    plain = digits.replace(grouping, "").replace(decimal, POINT)
    sign = -1.0 if "-" in (match[1] + match[2]) else 1.0
    try:
        return sign * float(plain + (match[4] or "")) * SUFFIXES.get(match[5].lower(), 1.0)
    except ValueError:
        return float("nan")
