"""Cache tier in Redis, shared by all machines that use it; entries expire after the retention."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import redis

from trading_lib.adapters.cache.answers import CachedAnswer, pack, unpack
from trading_lib.domain.errors import CacheTierError, ConfigurationError

PREFIX = "trading:"
TIMEOUT_SECONDS = 2.0
SECONDS_A_DAY = 86_400


class RedisTier:
    """Answers in one Redis database.

    Parameters
    ----------
    url
        ``redis://[user:password@]host:port/number``, or ``rediss://`` for TLS. It never appears in an error.

    Raises
    ------
    ConfigurationError
        When ``url`` cannot be understood. Nothing is sent yet.
    """

    def __init__(self, url: str, retention_days: int) -> None:
        try:
            self._client: Any = redis.Redis.from_url(
                url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
            )
        except (ValueError, TypeError):
            raise ConfigurationError(
                "the cache's remote_url is no Redis address", "write it as redis://host:6379/0"
            ) from None
        self._seconds = retention_days * SECONDS_A_DAY

    @property
    def name(self) -> str:
        """Always "redis"."""
        return "redis"

    def get(self, key: str, as_of: datetime) -> CachedAnswer | None:
        """Newest answer; see `CacheTier.get`."""
        try:
            value = self._client.get(PREFIX + key)
        except redis.RedisError as error:
            raise _unusable(error) from error
        return None if value is None else unpack(value)

    def put(self, key: str, cached: CachedAnswer) -> None:
        """Remember an answer in place of an earlier one; see `CacheTier.put`."""
        try:
            self._client.set(PREFIX + key, pack(cached), ex=self._seconds)
        except redis.RedisError as error:
            raise _unusable(error) from error


def _unusable(error: redis.RedisError) -> CacheTierError:
    return CacheTierError(
        f"the Redis cache cannot be used ({type(error).__name__})", "it is left out until the next run"
    )
