"""A cached source answer: bars or macro series as bytes, and when they were retrieved."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar

import pandas as pd
import pyarrow as pa

from trading_lib.domain.errors import UnreadableAnswerError
from trading_lib.domain.market.prices import Bars, MacroSeries
from trading_lib.domain.market.sessions import require_aware

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CachedAnswer:
    """An answer of a source.

    Attributes
    ----------
    retrieved_at
        When the source was asked; it stays the same wherever the answer is copied to.
    as_of
        The instant the question was about: the answer holds nothing that became known later.
    body
        A Parquet file, which is data and never code.
    """

    retrieved_at: datetime
    as_of: datetime
    body: bytes


def request_key(source: str, symbol: str, first: date, last: date) -> str:
    """Name of a question about the bars of one symbol."""
    return f"bars/{source}/{symbol}/{first.isoformat()}/{last.isoformat()}"


def macro_key(source: str, first: date, last: date) -> str:
    """Name of a question about the macro series of a source."""
    return f"macro/{source}/{first.isoformat()}/{last.isoformat()}"


def encode_bars(bars: Bars) -> bytes:
    """Bars as a Parquet file; floats keep every bit."""
    return _encode(bars.frame)


def decode_bars(body: bytes) -> Bars:
    """Bars from `encode_bars`; `UnreadableAnswerError` when the bytes are damaged."""
    return _decode(body, Bars.from_frame)


def encode_macro(series: MacroSeries) -> bytes:
    """Macro series as a Parquet file."""
    return _encode(series.frame)


def decode_macro(body: bytes) -> MacroSeries:
    """Macro series from `encode_macro`; `UnreadableAnswerError` when the bytes are damaged."""
    return _decode(body, MacroSeries.from_frame)


def _encode(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False, compression="zstd")
    return buffer.getvalue()


def _decode(body: bytes, typed: Callable[[pd.DataFrame], T]) -> T:
    try:
        return typed(pd.read_parquet(io.BytesIO(body)))
    except (pa.ArrowException, KeyError, ValueError, TypeError, OSError) as error:
        raise UnreadableAnswerError(
            f"a cached answer is damaged ({type(error).__name__})", "it is fetched anew"
        ) from error


def pack(cached: CachedAnswer) -> bytes:
    """Answer as one value for a store of keys and values: a line of JSON, then the body."""
    header = {"retrieved_at": cached.retrieved_at.isoformat(), "as_of": cached.as_of.isoformat()}
    return json.dumps(header).encode() + b"\n" + cached.body


def unpack(value: bytes) -> CachedAnswer:
    """Answer from `pack`; `UnreadableAnswerError` when the value is something else."""
    line, separator, body = value.partition(b"\n")
    try:
        header = json.loads(line)
        moments = [datetime.fromisoformat(header[name]) for name in ("retrieved_at", "as_of")]
        retrieved_at, as_of = (require_aware(moment, "a cached time") for moment in moments)
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableAnswerError("a cached answer has no readable head", "it is fetched anew") from error
    if not separator:
        raise UnreadableAnswerError("a cached answer is cut off", "it is fetched anew")
    return CachedAnswer(retrieved_at, as_of, body)
