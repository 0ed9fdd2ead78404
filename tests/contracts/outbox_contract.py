"""What every `Outbox` must do, in a database as in files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import date, timedelta

import pytest

from tests.cases.alerts import NOON, alert
from trading_lib.monitoring.alert import Alert, AlertLevel, Picture
from trading_lib.monitoring.escalation import PlannedDelivery
from trading_lib.monitoring.outbox import Outbox

Add = Callable[..., None]
WINDOW = timedelta(hours=1)


class OutboxContract(ABC):
    """Inherit it, and say where the outbox is and how an alert gets in."""

    @abstractmethod
    @pytest.fixture
    def outbox(self) -> Outbox:
        """An empty outbox."""

    @abstractmethod
    def add(self, outbox: Outbox, added: Alert, minutes: float = 0, reference: str = "") -> None:
        """Store an alert so long after noon."""

    def test_an_alert_comes_back_as_it_was(self, outbox: Outbox) -> None:
        full = alert(session=date(2026, 3, 2), book="paper", link="http://x", pictures=(Picture("equity", b"\x89P"),))
        self.add(outbox, full)
        (found,) = outbox.unplanned()
        assert (found.alert, found.raised_at, found.occurrences) == (full, NOON, 1)
        assert outbox.find([found.reference]) == [found]

    def test_what_is_planned_waits_until_it_is_due_and_is_planned_once(self, outbox: Outbox) -> None:
        self.add(outbox, alert())
        (found,) = outbox.unplanned()
        later = NOON + timedelta(minutes=5)
        plan = [PlannedDelivery(1, "slack", NOON), PlannedDelivery(2, "mail", later)]
        outbox.plan(found.reference, plan)
        outbox.plan(found.reference, [PlannedDelivery(1, "other", NOON)])
        assert outbox.unplanned() == []
        assert [entry.channel for entry in outbox.waiting(NOON)] == ["slack"]
        assert [entry.channel for entry in outbox.waiting(later)] == ["slack", "mail"]

    def test_what_was_sent_waits_no_more(self, outbox: Outbox) -> None:
        self.add(outbox, alert())
        outbox.plan(outbox.unplanned()[0].reference, [PlannedDelivery(1, "slack", NOON)])
        assert outbox.unfinished()
        outbox.note_sent(outbox.waiting(NOON), NOON)
        assert outbox.waiting(NOON + timedelta(days=1)) == []
        assert not outbox.unfinished()

    def test_what_failed_is_tried_again_then_or_never(self, outbox: Outbox) -> None:
        self.add(outbox, alert())
        outbox.plan(outbox.unplanned()[0].reference, [PlannedDelivery(1, "slack", NOON)])
        later = NOON + timedelta(seconds=2)
        outbox.note_failed(outbox.waiting(NOON), "no answer", later)
        assert outbox.waiting(NOON) == []
        (again,) = outbox.waiting(later)
        assert (again.attempts, again.due_at) == (1, NOON)
        outbox.note_failed([again], "no answer", None)
        assert not outbox.unfinished()

    @pytest.mark.parametrize(("minutes", "occurrences"), [(59, [2]), (61, [1, 1])])
    def test_the_same_fault_within_the_window_is_counted(
        self, outbox: Outbox, minutes: float, occurrences: list[int]
    ) -> None:
        self.add(outbox, alert())
        self.add(outbox, alert(), minutes)
        self.add(outbox, alert(2), minutes)
        assert [found.occurrences for found in outbox.unplanned()] == [*occurrences, 1]

    def test_one_that_a_wrong_clock_has_put_ahead_suppresses_nothing(self, outbox: Outbox) -> None:
        self.add(outbox, alert(), minutes=24 * 60)
        self.add(outbox, alert())
        assert len(outbox.unplanned()) == 2

    def test_the_same_fault_at_a_higher_level_is_told(self, outbox: Outbox) -> None:
        self.add(outbox, alert(level=AlertLevel.WARNING))
        self.add(outbox, alert(level=AlertLevel.EMERGENCY))
        assert len(outbox.unplanned()) == 2

    def test_what_is_told_once_is_never_told_again(self, outbox: Outbox) -> None:
        self.add(outbox, alert(once=True))
        self.add(outbox, alert(once=True), minutes=60 * 24 * 300)
        assert len(outbox.unplanned()) == 1

    def test_the_same_reference_is_stored_once(self, outbox: Outbox) -> None:
        self.add(outbox, alert(), reference="same")
        self.add(outbox, alert(), minutes=100, reference="same")
        assert [found.occurrences for found in outbox.unplanned()] == [1]
