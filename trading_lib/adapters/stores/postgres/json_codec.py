"""Values as JSON and back, exactly: decimals, dates and instants keep their type, floats every bit.

JSON knows neither, and JSONB stores numbers as decimals: it would turn 1e16 into an integer and refuse NaN. Such
values travel as an object with one key, ``{"$decimal": "1.10"}``.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence, Set
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import numpy as np

from trading_lib.domain.errors import InputError
from trading_lib.domain.market.sessions import require_aware

DECIMAL, DATE, INSTANT, FLOAT, OBJECT = "$decimal", "$date", "$instant", "$float", "$object"

READERS: Mapping[str, Callable[[Any], Any]] = {
    DECIMAL: Decimal,
    DATE: date.fromisoformat,
    INSTANT: datetime.fromisoformat,
    FLOAT: float,
    OBJECT: lambda items: {key: decode(value) for key, value in items},
}


def encode(value: Any) -> Any:
    """Turn a value into JSON types.

    Takes None, bool, int, float, str, Decimal, date, aware datetime, enums of these, numpy scalars and arrays,
    and sequences, sets and string-keyed mappings of them. Sequences come back as lists, sets as sorted lists.

    Raises
    ------
    InputError
        On any other type, and on text PostgreSQL cannot hold.
    """
    if isinstance(value, Enum):
        return encode(value.value)
    if isinstance(value, (np.generic, np.ndarray)):
        return encode(value.tolist())
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return _encode_float(value)
    if isinstance(value, str):
        return _encode_text(value)
    if isinstance(value, Decimal):
        return {DECIMAL: str(value)}
    if isinstance(value, datetime):
        return {INSTANT: require_aware(value, "a stored time").astimezone(UTC).isoformat()}
    if isinstance(value, date):
        return {DATE: value.isoformat()}
    if isinstance(value, Mapping):
        return _encode_mapping(value)
    if isinstance(value, Set):
        return [encode(item) for item in sorted(value)]
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [encode(item) for item in value]
    raise InputError(f"a {type(value).__name__} cannot be stored in a payload", "convert it to text or numbers")


def decode(value: Any) -> Any:
    """Undo `encode`."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if isinstance(value, dict):
        if len(value) == 1:
            ((key, content),) = value.items()
            if key in READERS:
                return READERS[key](content)
        return {key: decode(content) for key, content in value.items()}
    return value


def content_hash(encoded: Any) -> str:
    """Hash an encoded value; 1.10 and 1.1 as decimals are the same amount and hash alike."""
    canonical = json.dumps(_normalised(encoded), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _encode_float(value: float) -> Any:
    text = repr(value)
    if "e" in text or not math.isfinite(value):
        return {FLOAT: text}
    # Decimals know no negative zero, so it must not make a difference here either.
    return value if value else 0.0


def _encode_text(value: str) -> str:
    # NUL and half surrogate pairs are the only characters PostgreSQL has no place for.
    if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise InputError(f"the text {value[:40]!r} holds a character that cannot be stored", "remove it")
    return str(value)


def _encode_mapping(value: Mapping[Any, Any]) -> Any:
    keys = [key.value if isinstance(key, Enum) else key for key in value]
    wrong = next((key for key in keys if not isinstance(key, str)), None)
    if wrong is not None:
        raise InputError(f"the payload key {wrong!r} is no text", "use text keys")
    items = [(_encode_text(key), encode(content)) for key, content in zip(keys, value.values(), strict=True)]
    if len(items) == 1 and items[0][0] in READERS:
        # A mapping that looks like one of our marks is wrapped, so that it comes back as itself.
        return {OBJECT: [list(items[0])]}
    return dict(items)


def _normalised(encoded: Any) -> Any:
    if isinstance(encoded, list):
        return [_normalised(item) for item in encoded]
    if isinstance(encoded, dict):
        if DECIMAL in encoded and len(encoded) == 1:
            amount = Decimal(encoded[DECIMAL])
            return {DECIMAL: str(amount.normalize() if amount else Decimal(0))}
        return {key: _normalised(content) for key, content in encoded.items()}
    return encoded
