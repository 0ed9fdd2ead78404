"""The file of the day keeps what no server takes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.contracts.notifier_contract import SHORT, NotifierContract
from trading_lib.adapters.alerts.mail_file import MailFile
from trading_lib.monitoring.notifier import Notifier

NOW = datetime(2024, 1, 3, 21, 15, tzinfo=UTC)


class TestContract(NotifierContract):
    folder: Path

    @pytest.fixture
    def notifier(self, tmp_path: Path) -> Notifier:
        self.folder = tmp_path / "mail"
        return MailFile(self.folder, lambda: NOW)

    def arrived(self) -> list[str]:
        texts = [path.read_text(encoding="utf-8") for path in sorted(self.folder.glob("*.txt"))]
        return [part for text in texts for part in text.split("--- 2024-01-03 21:15:00 UTC\n") if part]


def test_every_day_has_a_file_of_its_own(tmp_path: Path) -> None:
    for day in (3, 4):
        MailFile(tmp_path, lambda day=day: NOW.replace(day=day)).send(SHORT)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["2024-01-03.txt", "2024-01-04.txt"]
