"""Values of Alpaca's answers. Input: JSON as it came. Output: amounts and times, or an error that names the field."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any


class UnreadableError(ValueError):
    """A field is missing, or is not what it should be; names it."""


def text_of(content: Mapping[str, Any], name: str) -> str:
    """Return a text that must be there."""
    value = content.get(name)
    if not isinstance(value, str) or not value:
        raise UnreadableError(f"no {name}")
    return value


def amount_of(content: Mapping[str, Any], name: str) -> Decimal:
    """Return an amount, which Alpaca writes as text; a number is taken, too."""
    value = content.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise UnreadableError(f"no {name}")
    try:
        amount = Decimal(value)
    except InvalidOperation:
        raise UnreadableError(f"{name} is no number") from None
    if not amount.is_finite():
        raise UnreadableError(f"{name} is no number")
    return amount


def time_of(content: Mapping[str, Any], name: str) -> datetime:
    """Return a time that must be there, in UTC."""
    try:
        at = datetime.fromisoformat(text_of(content, name))
    except ValueError:
        raise UnreadableError(f"{name} is no time") from None
    if at.tzinfo is None:
        raise UnreadableError(f"{name} has no time zone")
    return at.astimezone(UTC)


def time_or_none(content: Mapping[str, Any], name: str) -> datetime | None:
    """Return a time, None where there is none that can be read."""
    try:
        return time_of(content, name)
    except UnreadableError:
        return None


def records(content: Any, what: str) -> list[Mapping[str, Any]]:
    """Return a list of objects; anything else is unreadable."""
    if not isinstance(content, list) or not all(isinstance(one, dict) for one in content):
        raise UnreadableError(f"no list of {what}")
    return content


def plain(amount: Decimal) -> str:
    """Write an amount without exponent and without zeros at its end."""
    text = f"{amount:f}"
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text
