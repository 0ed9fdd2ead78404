"""Backups in a bucket of Amazon S3 or any compatible server.

Credentials and region come from where boto3 always looks for them, another server's address from AWS_ENDPOINT_URL_S3.
No server is trusted to have stored what it was sent: whoever puts an object reads it back.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from trading_lib.adapters.backups.destination import (
    CHUNK,
    DestinationRefusedError,
    DestinationUnavailableError,
    StoredObject,
)
from trading_lib.domain.errors import InputError

ENDPOINT_VARIABLE = "AWS_ENDPOINT_URL_S3"
CONNECT_SECONDS = 10
READ_SECONDS = 60
ATTEMPTS = 3
PART = 16 * 1024**2
ABSENT = ("NoSuchKey", "404")
EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired", "InvalidToken")
# rclone calls it NoSuchUpload while there has been none.
UNSUPPORTED = ("NotImplemented", "MethodNotAllowed", "NoSuchUpload", "501", "405")
REFUSED = ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AllAccessDisabled", "403", "401")


@contextmanager
def _passing_over_unsupported(kind: type[Any]) -> Iterator[None]:
    """Pass over what a server does not offer at all: it then has no such uploads either."""
    try:
        yield
    except kind as error:
        if error.response.get("Error", {}).get("Code") not in UNSUPPORTED:
            raise


class S3Destination:
    """Objects below a prefix of one bucket.

    Parameters
    ----------
    address
        ``s3://bucket/prefix``.
    """

    def __init__(self, address: str, environment: Mapping[str, str] | None = None) -> None:
        parts = urlsplit(address)
        if parts.scheme != "s3" or not parts.netloc or "@" in parts.netloc or parts.query:
            raise InputError("the backup destination is no S3 address", "write it as s3://bucket/prefix")
        self._bucket = parts.netloc
        self._prefix = parts.path.strip("/")
        variables = os.environ if environment is None else environment
        self._endpoint = variables.get(ENDPOINT_VARIABLE) or None
        with self._one_line():
            import boto3
            from botocore.config import Config

            behaviour = Config(
                connect_timeout=CONNECT_SECONDS,
                read_timeout=READ_SECONDS,
                retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
                # Servers other than Amazon's answer trailing checksums with an error; we compare ourselves.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            )
            # A session of its own: the common one would keep credentials that were renewed meanwhile.
            session: Any = boto3.session.Session()
            self._client: Any = session.client("s3", endpoint_url=self._endpoint, config=behaviour)

    @property
    def address(self) -> str:
        """``s3://bucket/prefix``."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def put(self, key: str, source: Path) -> None:
        """Store a file in parts, which the server joins at the end; see `Destination.put`."""
        with self._one_line():
            from boto3.s3.transfer import TransferConfig

            plan = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, max_concurrency=2)
            self._client.upload_file(str(source), self._bucket, self._name(key), Config=plan)

    def objects(self, prefix: str = "") -> Iterator[StoredObject]:
        """All objects; see `Destination.objects`."""
        below = f"{self._prefix}/" if self._prefix else ""
        with self._one_line():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=below + prefix)
            for page in pages:
                for entry in page.get("Contents", []):
                    key = entry["Key"].removeprefix(below)
                    yield StoredObject(key, int(entry["Size"]), entry["LastModified"].astimezone(UTC))

    def chunks(self, key: str) -> Iterator[bytes]:
        """Yield the content of an object; see `Destination.chunks`."""
        with self._one_line(key):
            body = self._client.get_object(Bucket=self._bucket, Key=self._name(key))["Body"]
            yield from body.iter_chunks(CHUNK)

    def delete(self, key: str) -> None:
        """Remove an object; see `Destination.delete`."""
        with self._one_line():
            self._client.delete_object(Bucket=self._bucket, Key=self._name(key))

    def delete_unfinished(self, before: datetime) -> int:
        """End uploads in parts that nobody finished; see `Destination.delete_unfinished`."""
        from botocore.exceptions import ClientError

        removed = 0
        with self._one_line(), _passing_over_unsupported(ClientError):
            answer = self._client.list_multipart_uploads(Bucket=self._bucket, Prefix=self._prefix)
            for upload in answer.get("Uploads") or []:
                if upload["Initiated"].astimezone(UTC) < before:
                    self._client.abort_multipart_upload(
                        Bucket=self._bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                    )
                    removed += 1
        return removed

    def _name(self, key: str) -> str:
        return f"{self._prefix}/{key}" if self._prefix else key

    @contextmanager
    def _one_line(self, key: str = "") -> Iterator[None]:
        """Translate whatever boto3 raises into one of our errors, which never repeats what the server said."""
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

        try:
            yield
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise DestinationRefusedError(
                f"there are no credentials for {self.address}",
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile",
            ) from error
        except ClientError as error:
            raise self._refusal(error, key) from error
        except (BotoCoreError, Boto3Error, OSError) as error:
            # An upload wraps what the server said.
            cause = error.__context__
            if isinstance(cause, ClientError):
                raise self._refusal(cause, key) from error
            # A disk of ours is none of the server's; some of the library's errors are of both kinds.
            ours = isinstance(error, OSError) and not isinstance(error, BotoCoreError)
            if ours and not isinstance(error, ConnectionError | TimeoutError):
                raise
            raise self._unavailable(type(error).__name__) from error
        except ValueError as error:
            # An address of a server or a bucket's name that cannot be one.
            raise DestinationRefusedError(f"{self.address} cannot be used ({error})", "check its address") from error

    def _refusal(self, error: Any, key: str) -> Exception:
        code = str(error.response.get("Error", {}).get("Code") or "unknown")
        if key and code in ABSENT:
            return FileNotFoundError(key)
        if code in ("NoSuchBucket", "404"):
            return DestinationRefusedError(f"there is no bucket {self._bucket} on this server", "create it first")
        if code in EXPIRED:
            return DestinationRefusedError(f"the credentials for {self.address} have expired ({code})", "renew them")
        if code in REFUSED:
            return DestinationRefusedError(
                f"{self.address} refuses these credentials ({code})", "check them and the rights they give"
            )
        return self._unavailable(code)

    def _unavailable(self, reason: str) -> DestinationUnavailableError:
        server = f" at {self._endpoint}" if self._endpoint else ""
        return DestinationUnavailableError(
            f"{self.address}{server} cannot be used ({reason})", "check the server and the network; try again later"
        )
