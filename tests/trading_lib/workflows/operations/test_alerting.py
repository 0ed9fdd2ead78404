"""An alert is stored within a second, whatever is broken around it."""

from __future__ import annotations

from pathlib import Path

from trading_lib.monitoring.alert import Alert, AlertLevel
from trading_lib.workflows.operations.alerting import raise_alert

ALERT = Alert(AlertLevel.CRITICAL, "backup failed", "password=hunter2", source="backup", key="backup:failed")


def test_an_alert_is_kept_without_secrets(tmp_path: Path) -> None:
    raise_alert(ALERT, {"TRADING_HOME": str(tmp_path)})
    (file,) = (tmp_path / "mail").glob("*.txt")
    assert "password=***" in file.read_text()


def test_a_home_that_cannot_be_written_raises_nothing(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    raise_alert(ALERT, {"TRADING_HOME": str(tmp_path / "home")})
