"""The token bucket: never more requests in any period than the source allows."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.builders.prices import instant
from trading_lib.market_data.config import RateLimit
from trading_lib.market_data.resilience.rate_limit import Bucket, take

NOW = instant("2024-03-04 21:00")


@given(
    requests=st.integers(2, 30),
    data=st.data(),
    pauses=st.lists(st.floats(0, 50), min_size=1, max_size=60),
)
def test_no_period_holds_more_than_is_allowed(requests: int, data: st.DataObject, pauses: list[float]) -> None:
    burst = data.draw(st.integers(1, requests - 1))
    limit = RateLimit(requests=requests, seconds=60, burst=burst)
    bucket, now, sent = None, NOW, []
    for pause in pauses:
        now += timedelta(seconds=pause)
        bucket, wait = take(bucket, limit, 1, now)
        now += timedelta(seconds=wait)
        sent.append(now)
    for start in sent:
        inside = [moment for moment in sent if start <= moment < start + timedelta(seconds=60 - 1e-3)]
        assert len(inside) <= requests


def test_a_burst_is_free_and_the_rest_waits_its_turn() -> None:
    limit = RateLimit(requests=5, seconds=60, burst=3)
    bucket, wait = take(None, limit, 3, NOW)
    assert (bucket.tokens, wait) == (0, 0)
    bucket, first = take(bucket, limit, 1, NOW)
    _, second = take(bucket, limit, 1, NOW)
    assert (first, second) == (30.0, 60.0)


def test_a_full_bucket_does_not_overflow() -> None:
    limit = RateLimit(requests=5, seconds=60, burst=3)
    bucket, _ = take(Bucket(3, NOW), limit, 1, NOW + timedelta(days=2))
    assert bucket.tokens == 2


def test_a_clock_that_went_back_gives_no_tokens() -> None:
    limit = RateLimit(requests=3, seconds=60, burst=1)
    ahead = Bucket(0.0, NOW + timedelta(seconds=90))
    bucket, wait = take(ahead, limit, 1, NOW)
    assert bucket.at == ahead.at
    assert wait == pytest.approx(30 + 90)


@pytest.mark.parametrize("wrong", [{"burst": 5}, {"burst": 1, "per_symbol": 2}, {"requests": 1}])
def test_a_limit_that_cannot_be_kept_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        RateLimit(**({"requests": 5, "seconds": 60} | wrong))
