"""A token bucket as a value. Input: bucket, limit, the present. Output: the next bucket and how long to wait.

A bucket starts full and holds ``burst`` tokens. It refills slowly enough that a full bucket and what flows in during a
period together are no more than the source allows in a period, wherever that period begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from trading_lib.market_data.config import RateLimit


@dataclass(frozen=True, slots=True)
class Bucket:
    """Tokens at an instant; negative when places in the future are given out already."""

    tokens: float
    at: datetime


def take(bucket: Bucket | None, limit: RateLimit, cost: int, now: datetime) -> tuple[Bucket, float]:
    """Reserve ``cost`` requests.

    Parameters
    ----------
    bucket
        None for one that was never used.
    now
        Timezone-aware. A clock that went back counts as one that stood still.

    Returns
    -------
    The bucket after the reservation, and the seconds to wait before the requests may be sent. A caller that does not
    want to wait so long keeps the old bucket, and nothing is reserved.
    """
    if bucket is None:
        available, moment = float(limit.burst), now
    else:
        moment = max(now, bucket.at)
        refilled = bucket.tokens + (moment - bucket.at).total_seconds() * refill_rate(limit)
        available = min(float(limit.burst), refilled)
    left = available - cost
    backwards = (moment - now).total_seconds()
    wait = max(0.0, -left / refill_rate(limit)) + (backwards if left < 0 else 0.0)
    return Bucket(left, moment), wait


def refill_rate(limit: RateLimit) -> float:
    """Tokens per second."""
    return (limit.requests - limit.burst) / limit.seconds
