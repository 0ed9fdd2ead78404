"""Alerts as tests need them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from trading_lib.monitoring.alert import Alert, AlertLevel
from trading_lib.monitoring.outbox import StoredAlert

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PLAIN = Alert(AlertLevel.CRITICAL, "place failed", "ValueError: no bar of SPY", "trade_daily.place", "task:place")


def alert(number: int = 1, level: AlertLevel = AlertLevel.CRITICAL, **changes: Any) -> Alert:
    """An alert of a fault of its own."""
    return replace(PLAIN, level=level, title=f"fault {number}", key=f"fault:{number}", **changes)


def stored(
    number: int = 1, level: AlertLevel = AlertLevel.CRITICAL, at: datetime = NOON, **changes: Any
) -> StoredAlert:
    """The same in an outbox."""
    return StoredAlert(str(number), alert(number, level, **changes), at, 1, at)
