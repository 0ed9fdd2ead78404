"""Folders and buckets: the same contract, and one line for everything that a server may answer."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts.destination_contract import DestinationContract
from tests.environment.free_port import free_port
from tests.peers.s3_servers import ACCESS, BUCKET, SECRET, RcloneServer, create_bucket, moto_server, rclone_server
from trading_lib.adapters.backups import s3_destination
from trading_lib.adapters.backups.destination import (
    Destination,
    DestinationRefusedError,
    DestinationUnavailableError,
    measure,
    open_destination,
)
from trading_lib.adapters.backups.folder_destination import UNFINISHED, FolderDestination
from trading_lib.adapters.backups.s3_destination import ENDPOINT_VARIABLE
from trading_lib.domain.errors import InputError

PREFIXES = itertools.count(1)


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    with moto_server() as endpoint:
        create_bucket(endpoint)
        yield endpoint


@pytest.fixture(scope="module")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RcloneServer]:
    with rclone_server(tmp_path_factory.mktemp("rclone")) as server:
        yield server


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setattr(s3_destination, "ATTEMPTS", 1)


def bucket(endpoint: str, name: str = BUCKET) -> Destination:
    return open_destination(f"s3://{name}/test/{next(PREFIXES)}/", {ENDPOINT_VARIABLE: endpoint})


class TestFolder(DestinationContract):
    @pytest.fixture
    def destination(self, tmp_path: Path) -> Destination:
        return open_destination(str(tmp_path / "new" / "backups"))


class TestMoto(DestinationContract):
    @pytest.fixture
    def destination(self, moto: str) -> Destination:
        return bucket(moto)


class TestRclone(DestinationContract):
    @pytest.fixture
    def destination(self, rclone: RcloneServer) -> Destination:
        return bucket(rclone.endpoint)


def test_a_wrong_secret_is_refused_in_one_line(rclone: RcloneServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret")
    with pytest.raises(DestinationRefusedError, match="refuses these credentials") as caught:
        list(bucket(rclone.endpoint).objects())
    assert "wrong-secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_credentials_are_named_by_their_variables(moto: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(DestinationRefusedError, match=r"there are no credentials .* set AWS_ACCESS_KEY_ID"):
        list(bucket(moto).objects())


def test_an_absent_bucket_is_named(moto: str, tmp_path: Path) -> None:
    destination = bucket(moto, "nobodys")
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(DestinationRefusedError, match="there is no bucket nobodys"):
        list(destination.objects())
    with pytest.raises(DestinationRefusedError, match="there is no bucket nobodys"):
        destination.put("state/state-1/content.tar", tmp_path / "file")


def test_a_server_that_is_down_is_one_line(tmp_path: Path) -> None:
    destination = bucket(f"http://127.0.0.1:{free_port(18444)}")
    (tmp_path / "file").write_bytes(b"x")
    for call in (
        lambda: list(destination.objects()),
        lambda: destination.put("state/state-1/content.tar", tmp_path / "file"),
        lambda: measure(destination, "state/state-1/content.tar"),
        lambda: destination.delete("state/state-1/content.tar"),
    ):
        with pytest.raises(DestinationUnavailableError, match=r"cannot be used .*check the server and the network"):
            call()


@pytest.mark.parametrize(
    ("code", "status", "error", "said"),
    [
        ("ExpiredToken", 400, DestinationRefusedError, r"have expired \(ExpiredToken\): renew them"),
        ("AccessDenied", 403, DestinationRefusedError, r"refuses these credentials \(AccessDenied\)"),
        ("ServiceUnavailable", 503, DestinationUnavailableError, r"cannot be used \(ServiceUnavailable\)"),
        ("SlowDown", 503, DestinationUnavailableError, r"cannot be used \(SlowDown\)"),
        ("InternalError", 500, DestinationUnavailableError, r"cannot be used \(InternalError\)"),
    ],
)
def test_every_refusal_is_one_line(code: str, status: int, error: type[Exception], said: str, tmp_path: Path) -> None:
    from tests.peers.s3_servers import refusing_server

    (tmp_path / "file").write_bytes(b"x" * 100)
    with refusing_server(status, code) as endpoint:
        destination = bucket(endpoint)
        for call in (
            lambda: list(destination.objects()),
            lambda: destination.put("state/state-1/content.tar", tmp_path / "file"),
            lambda: measure(destination, "state/state-1/content.tar"),
        ):
            with pytest.raises(error, match=said) as caught:
                call()
            assert "\n" not in str(caught.value)


def test_a_server_that_answers_too_late_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.peers.s3_servers import silent_server

    monkeypatch.setattr(s3_destination, "READ_SECONDS", 0.2)
    with silent_server() as endpoint, pytest.raises(DestinationUnavailableError, match="ReadTimeout"):
        list(bucket(endpoint).objects())


@pytest.mark.parametrize("address", ["s3://", "s3:///prefix", "s3://user@bucket/x", "gs://bucket", "s3://a?b=c"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(InputError):
        open_destination(address, {})


def test_a_folder_is_closed_to_others_and_leaves_no_part_on_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination = FolderDestination(tmp_path / "backups")
    (tmp_path / "file").write_bytes(b"x" * 100)
    destination.put("state/state-1/content.tar", tmp_path / "file")
    assert (tmp_path / "backups").stat().st_mode & 0o077 == 0

    def full(*arguments: object) -> None:
        arguments[1].write(b"half")  # type: ignore[attr-defined]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", full)
    with pytest.raises(DestinationUnavailableError, match="No space left on device"):
        destination.put("state/state-2/content.tar", tmp_path / "file")
    assert [found.key for found in destination.objects()] == ["state/state-1/content.tar"]
    assert not list(tmp_path.rglob(f"*{UNFINISHED}"))


def test_what_a_killed_process_left_in_a_folder_is_no_object_and_goes(tmp_path: Path) -> None:
    from datetime import UTC, datetime, timedelta

    destination = FolderDestination(tmp_path)
    part = tmp_path / "state" / "state-1" / f"content.tar{UNFINISHED}"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"half")
    assert list(destination.objects()) == []
    assert destination.delete_unfinished(datetime.now(UTC) - timedelta(days=1)) == 0
    assert destination.delete_unfinished(datetime.now(UTC) + timedelta(days=1)) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_folder_for_backups(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file: name a folder for backups"):
        open_destination(str(tmp_path / "file"))
