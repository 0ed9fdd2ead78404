"""Cache tier in an S3 bucket, at Amazon or any compatible server.

A lifecycle rule of the bucket removes old objects; until it does, they are not given any more.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from trading_lib.adapters.cache.answers import CachedAnswer, pack, unpack
from trading_lib.domain.errors import CacheTierError, ConfigurationError

TIMEOUT_SECONDS = 5
ENDPOINT_VARIABLE = "AWS_ENDPOINT_URL_S3"
ABSENT = ("NoSuchKey", "404")


class S3Tier:
    """Answers below a prefix of one bucket.

    Parameters
    ----------
    url
        ``s3://bucket/prefix``. Credentials and region come from where boto3 always looks for them, another server's
        address from AWS_ENDPOINT_URL_S3.

    Raises
    ------
    ConfigurationError
        When ``url`` names no bucket. Nothing is sent yet.
    """

    def __init__(
        self,
        url: str,
        retention_days: int,
        clock: Callable[[], datetime],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.netloc:
            raise ConfigurationError("the cache's remote_url is no S3 address", "write it as s3://bucket/prefix")
        import boto3
        from botocore.config import Config

        variables = os.environ if environment is None else environment
        patience = Config(
            connect_timeout=TIMEOUT_SECONDS, read_timeout=TIMEOUT_SECONDS, retries={"total_max_attempts": 2}
        )
        self._client: Any = boto3.client("s3", endpoint_url=variables.get(ENDPOINT_VARIABLE) or None, config=patience)
        self._bucket = parts.netloc
        self._prefix = parts.path.strip("/")
        self._retention = timedelta(days=retention_days)
        self._clock = clock

    @property
    def name(self) -> str:
        """Always "s3"."""
        return "s3"

    def get(self, key: str, as_of: datetime) -> CachedAnswer | None:
        """Newest answer, unless it is past the retention; see `CacheTier.get`."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            content = self._client.get_object(Bucket=self._bucket, Key=self._object(key))["Body"].read()
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in ABSENT:
                return None
            raise _unusable(self._bucket, error) from error
        except BotoCoreError as error:
            raise _unusable(self._bucket, error) from error
        cached = unpack(content)
        return cached if cached.retrieved_at >= self._clock() - self._retention else None

    def put(self, key: str, cached: CachedAnswer) -> None:
        """Remember an answer in place of an earlier one; see `CacheTier.put`."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._client.put_object(Bucket=self._bucket, Key=self._object(key), Body=pack(cached))
        except (BotoCoreError, ClientError) as error:
            raise _unusable(self._bucket, error) from error

    def _object(self, key: str) -> str:
        return f"{self._prefix}/{key}" if self._prefix else key


def _unusable(bucket: str, error: Exception) -> CacheTierError:
    response: Any = getattr(error, "response", {})
    cause = response.get("Error", {}).get("Code") or type(error).__name__
    return CacheTierError(
        f"the S3 cache in bucket {bucket} cannot be used ({cause})", "it is left out until the next run"
    )
