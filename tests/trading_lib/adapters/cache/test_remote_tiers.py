"""Redis against a real server, S3 against moto's server: both over a socket, by the real client libraries."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.contracts.tier_contract import NEWER, NOW, OLDER, TierContract
from tests.environment.moving_clock import MovingClock
from trading_lib.adapters.cache.redis_tier import PREFIX, RedisTier
from trading_lib.adapters.cache.s3_tier import ENDPOINT_VARIABLE, S3Tier
from trading_lib.adapters.cache.tiers import CacheTier, TieredCache
from trading_lib.domain.errors import CacheTierError


@pytest.fixture(scope="module")
def redis_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Redis server of the tests' own on a socket; nothing is written to disk."""
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("redis-server is not installed")
    path = tmp_path_factory.mktemp("redis") / "redis.sock"
    server = subprocess.Popen(
        [binary, "--port", "0", "--unixsocket", str(path), "--save", "", "--appendonly", "no"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    for line in server.stdout:
        if "ready to accept connections" in line.lower():
            break
    yield path
    server.terminate()
    server.wait(10)
    server.stdout.close()


@pytest.fixture
def redis_url(redis_socket: Path) -> str:
    redis.Redis(unix_socket_path=str(redis_socket)).flushall()
    return f"unix://{redis_socket}?db=0"


class TestRedisTier(TierContract):
    @pytest.fixture
    def tier(self, redis_url: str) -> CacheTier:
        return RedisTier(redis_url, 30)


def test_redis_forgets_after_the_retention(redis_url: str, redis_socket: Path) -> None:
    RedisTier(redis_url, 30).put("key", OLDER)
    assert redis.Redis(unix_socket_path=str(redis_socket)).ttl(PREFIX + "key") == pytest.approx(30 * 86_400, abs=5)


def test_two_processes_share_redis(redis_url: str) -> None:
    RedisTier(redis_url, 30).put("key", OLDER)
    assert RedisTier(redis_url, 30).get("key", NOW) == OLDER


def test_something_foreign_under_the_key_is_no_answer(redis_url: str, redis_socket: Path) -> None:
    redis.Redis(unix_socket_path=str(redis_socket)).set(PREFIX + "key", b"foreign")
    cache = TieredCache([RedisTier(redis_url, 30)])
    assert cache.get("key", NOW) is None
    assert cache.problems == {}


@pytest.fixture(scope="module")
def s3_address() -> Iterator[str]:
    moto = pytest.importorskip("moto.server", reason="moto's server is not installed")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_environment(s3_address: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    for name, value in {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "hunter2"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    import boto3

    resource = boto3.resource("s3", endpoint_url=s3_address)
    bucket = resource.Bucket("answers")
    bucket.create()
    bucket.objects.all().delete()
    return {ENDPOINT_VARIABLE: s3_address}


class TestS3Tier(TierContract):
    @pytest.fixture
    def tier(self, s3_environment: dict[str, str]) -> CacheTier:
        return S3Tier("s3://answers/cache/", 30, lambda: NOW, s3_environment)


def test_objects_lie_below_the_prefix(s3_environment: dict[str, str]) -> None:
    import boto3

    S3Tier("s3://answers/a/b", 30, lambda: NOW, s3_environment).put("bars/tiingo/SPY", NEWER)
    client = boto3.client("s3", endpoint_url=s3_environment[ENDPOINT_VARIABLE])
    listed = client.list_objects_v2(Bucket="answers")["Contents"]
    assert [entry["Key"] for entry in listed] == ["a/b/bars/tiingo/SPY"]


def test_an_object_past_the_retention_is_not_given(s3_environment: dict[str, str]) -> None:
    clock = MovingClock(NOW)
    tier = S3Tier("s3://answers", 30, clock, s3_environment)
    tier.put("key", OLDER)
    clock.advance(29 * 86_400)
    assert tier.get("key", NOW) == OLDER
    clock.advance(86_400)
    assert tier.get("key", NOW) is None


def test_a_bucket_that_does_not_exist_is_named_and_no_secret_is(s3_environment: dict[str, str]) -> None:
    tier = S3Tier("s3://nowhere", 30, lambda: NOW, s3_environment)
    with pytest.raises(CacheTierError, match=r"S3 cache in bucket nowhere cannot be used \(NoSuchBucket\)") as caught:
        tier.put("key", NEWER)
    assert "hunter2" not in str(caught.value)
