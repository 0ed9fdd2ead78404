"""Fields of Binance's answers, read strictly: an amount is an exact decimal, and what is none is an error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

# Beyond it nothing on this exchange makes sense; the largest supply of a coin has 15 digits.
LARGEST = Decimal(10) ** 24
# The years 1970 and 2286.
LAST_MILLISECOND = 9_999_999_999_999


class UnreadableError(ValueError):
    """An answer lacks a field it should have, or has nonsense in it; its text continues "the answer"."""


def items(content: Any) -> list[dict[str, Any]]:
    """Return a list of objects."""
    if not isinstance(content, list) or not all(isinstance(each, dict) for each in content):
        raise UnreadableError("is no list of objects")
    return content


def amount(record: Mapping[str, Any], name: str) -> Decimal:
    """Return an amount of zero or more."""
    value = record.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise UnreadableError(f"has no {name}")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise UnreadableError(f"has a {name} that is no number") from None
    if not number.is_finite() or not 0 <= number <= LARGEST:
        raise UnreadableError(f"has an impossible {name}")
    return number


def text(record: Mapping[str, Any], name: str) -> str:
    """Return a text that is not empty."""
    value = record.get(name)
    if not isinstance(value, str) or not value:
        raise UnreadableError(f"has no {name}")
    return value


def whole(record: Mapping[str, Any], name: str) -> int:
    """Return an id."""
    value = record.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise UnreadableError(f"has no {name}")
    return value


def when(record: Mapping[str, Any], name: str) -> datetime:
    """Return a time."""
    stamp = whole(record, name)
    if stamp > LAST_MILLISECOND:
        raise UnreadableError(f"has an impossible {name}")
    return moment(stamp)


def written(record: Mapping[str, Any]) -> str:
    """Return an object as it was sent, save for spaces."""
    return json.dumps(record, separators=(",", ":"), default=str)


def moment(stamp: int) -> datetime:
    """Return the time that Binance writes as milliseconds."""
    return datetime.fromtimestamp(stamp // 1000, UTC) + timedelta(milliseconds=stamp % 1000)


def milliseconds(when: datetime) -> int:
    """Return a time as Binance writes it."""
    return (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
