"""Remembered answers come back bit for bit, or not at all."""

from __future__ import annotations

from datetime import date, datetime

import pandas as pd
import pytest

from tests.builders.prices import instant
from tests.builders.stored_bars import random_bars
from trading_lib.adapters.cache.answers import CachedAnswer, decode_bars, encode_bars, pack, request_key, unpack
from trading_lib.domain.errors import UnreadableAnswerError
from trading_lib.domain.market.prices import Bars

ANSWER = CachedAnswer(instant("2024-03-08 22:00"), instant("2024-03-08 21:30"), b"body\nof two lines")


def test_bars_come_back_bit_for_bit() -> None:
    bars = random_bars(["SPY", "^VIX"], 50)
    pd.testing.assert_frame_equal(decode_bars(encode_bars(bars)).frame, bars.frame, check_exact=True)
    assert len(decode_bars(encode_bars(Bars.empty()))) == 0


@pytest.mark.parametrize("body", [b"", b"no parquet", encode_bars(random_bars(["SPY"], 5))[:-20]])
def test_damaged_bars_are_refused(body: bytes) -> None:
    with pytest.raises(UnreadableAnswerError, match="a cached answer is damaged"):
        decode_bars(body)


def test_a_packed_answer_keeps_its_times() -> None:
    assert unpack(pack(ANSWER)) == ANSWER


@pytest.mark.parametrize("value", [b"", b"{}", b"{}\nbody", b"[1]\nbody", b'{"retrieved_at": 1, "as_of": 2}\n'])
def test_what_is_no_packed_answer_is_refused(value: bytes) -> None:
    with pytest.raises(UnreadableAnswerError):
        unpack(value)


def test_a_time_without_zone_is_refused() -> None:
    naive = datetime(2024, 3, 8)
    with pytest.raises(UnreadableAnswerError):
        unpack(pack(CachedAnswer(naive, naive, b"")))


def test_keys_differ_by_every_part() -> None:
    days = date(2024, 3, 1), date(2024, 3, 8)
    keys = {request_key(source, symbol, *days) for source in ("tiingo", "polygon") for symbol in ("SPY", "GLD")}
    assert keys | {request_key("tiingo", "SPY", days[0], days[0])} > keys
    assert len(keys) == 4
