"""Vendors' rows of named fields -> typed columns; a missing or mistyped field is one clear error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from trading_lib.adapters.sources.shared.http import Vendor
from trading_lib.domain.market.prices import DateArray, FloatArray
from trading_lib.domain.market.sessions import NEW_YORK

ZONES = {"UTC": ZoneInfo("UTC"), "New York": NEW_YORK}


def list_of_rows(vendor: Vendor, subject: str, content: Any) -> list[Mapping[str, Any]]:
    """Return ``content`` if it is a list of objects, else raise `UnreadableAnswerError`."""
    if not isinstance(content, list) or not all(isinstance(row, Mapping) for row in content):
        raise vendor.unreadable(subject, f"is no list of rows but {vendor.safe(str(content))!r}")
    return content


def numbers(vendor: Vendor, subject: str, rows: Sequence[Mapping[str, Any]], name: str) -> FloatArray:
    """Field ``name`` of every row as float64, null as NaN; absent or not a number raises `UnreadableAnswerError`."""
    values = np.empty(len(rows))
    for position, row in enumerate(rows):
        value = required(vendor, subject, row, name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise vendor.unreadable(subject, f"has {str(value)!r} in {name!r}, which is no number")
        values[position] = np.nan if value is None else value
    return values


def required(vendor: Vendor, subject: str, row: Mapping[str, Any], name: str) -> Any:
    """Field ``name`` of a row; an absent one raises `UnreadableAnswerError` that lists what is there."""
    if name not in row:
        raise vendor.unreadable(subject, f"has no field {name!r}, only {', '.join(map(str, row))}")
    return row[name]


def midnight_dates(vendor: Vendor, subject: str, texts: Sequence[Any]) -> DateArray:
    """ISO timestamps -> dates (datetime64[us]); anything but midnight UTC raises `UnreadableAnswerError`.

    A daily bar stamped at another hour would mean that the vendor changed its time zone, and dates taken from it
    could be off by one.
    """
    days: list[datetime] = []
    for text in texts:
        try:
            moment = datetime.fromisoformat(text)
        except (TypeError, ValueError):
            raise vendor.unreadable(subject, f"has {str(text)!r} as a date") from None
        if moment.tzinfo is None or moment.astimezone(UTC).time() != datetime.min.time():
            raise vendor.unreadable(subject, f"dates a daily bar {text}, not midnight UTC")
        days.append(moment.astimezone(UTC).replace(tzinfo=None))
    return np.array(days, dtype="datetime64[us]")


def millisecond_dates(vendor: Vendor, subject: str, stamps: Sequence[Any], zone: str) -> DateArray:
    """Milliseconds since 1970 -> dates (datetime64[us]); anything but midnight in ``zone`` raises, as above.

    Parameters
    ----------
    zone
        "UTC" or "New York".
    """
    for stamp in stamps:
        if isinstance(stamp, bool) or not isinstance(stamp, (int, float)) or not 0 <= stamp < 1e14:
            raise vendor.unreadable(subject, f"has {str(stamp)!r} as a time in milliseconds")
    moments = pd.to_datetime(np.array(stamps, dtype="int64"), unit="ms", utc=True).tz_convert(ZONES[zone])
    off = moments != moments.normalize()
    if off.any():
        raise vendor.unreadable(subject, f"dates a daily bar {moments[off][0]}, not midnight in {zone}")
    days: DateArray = moments.tz_localize(None).to_numpy().astype("datetime64[us]")
    return days
