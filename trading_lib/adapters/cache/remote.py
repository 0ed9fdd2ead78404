"""The shared tier by its address: Redis, S3, or none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from trading_lib.adapters.cache.tiers import CacheTier
from trading_lib.domain.errors import ConfigurationError


def open_remote_tier(url: str | None, retention_days: int, clock: Callable[[], datetime]) -> CacheTier | None:
    """Return the tier of ``url``, None without one; the client library is imported only when it is needed.

    Raises
    ------
    ConfigurationError
        When the address is of another kind; the message never repeats it, as it may hold a password.
    """
    if not url:
        return None
    scheme = url.split("://", 1)[0]
    if scheme in ("redis", "rediss", "unix"):
        from trading_lib.adapters.cache.redis_tier import RedisTier

        return RedisTier(url, retention_days)
    if scheme == "s3":
        from trading_lib.adapters.cache.s3_tier import S3Tier

        return S3Tier(url, retention_days, clock)
    raise ConfigurationError(
        "the cache's remote_url is of no known kind", "use redis://host:port/number or s3://bucket/prefix"
    )
