"""What every backup destination must do; subclass and provide the fixture ``destination``."""

from __future__ import annotations

import io
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from trading_lib.adapters.backups.destination import Destination, fetch, measure, read_all


class DestinationContract:
    """Objects by key."""

    def test_it_is_empty_at_first(self, destination: Destination) -> None:
        assert list(destination.objects()) == []

    def test_an_object_comes_back(self, destination: Destination, tmp_path: Path) -> None:
        # More than two parts of an upload.
        content = os.urandom(40 * 1024**2 + 17)
        (tmp_path / "file").write_bytes(content)
        destination.put("logs/logs-1/content.tar", tmp_path / "file")
        copied = io.BytesIO()
        assert fetch(destination, "logs/logs-1/content.tar", copied) == measure(destination, "logs/logs-1/content.tar")
        assert copied.getvalue() == content
        assert read_all(destination, "logs/logs-1/content.tar", 10) == content[:10]
        (found,) = destination.objects("logs/")
        assert (found.key, found.size) == ("logs/logs-1/content.tar", len(content))
        assert abs(datetime.now(UTC) - found.written_at) < timedelta(minutes=5)

    def test_another_object_of_the_same_key_replaces_it(self, destination: Destination, tmp_path: Path) -> None:
        for content in (b"first", b"second"):
            (tmp_path / "file").write_bytes(content)
            destination.put("state/state-1/manifest.json", tmp_path / "file")
        assert read_all(destination, "state/state-1/manifest.json", 100) == b"second"

    def test_an_empty_object_is_one(self, destination: Destination, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        destination.put("state/state-1/content.tar", tmp_path / "file")
        assert read_all(destination, "state/state-1/content.tar", 100) == b""

    def test_a_missing_object_is_told_from_a_missing_server(self, destination: Destination) -> None:
        with pytest.raises(FileNotFoundError):
            measure(destination, "state/none/content.tar")

    def test_a_removed_object_is_gone_and_may_be_removed_again(self, destination: Destination, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"x")
        for name in ("a", "b"):
            destination.put(f"state/state-{name}/content.tar", tmp_path / "file")
        destination.delete("state/state-a/content.tar")
        destination.delete("state/state-a/content.tar")
        assert [found.key for found in destination.objects()] == ["state/state-b/content.tar"]

    def test_nothing_unfinished_is_left_of_whole_objects(self, destination: Destination, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"x")
        destination.put("state/state-a/content.tar", tmp_path / "file")
        assert destination.delete_unfinished(datetime.now(UTC) + timedelta(days=1)) == 0
        assert [found.key for found in destination.objects()] == ["state/state-a/content.tar"]
