"""The outbox in the database: nothing is lost, nothing is told twice, and an answer ends an escalation."""

from __future__ import annotations

import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.cases.alerts import NOON, alert
from tests.contracts.outbox_contract import WINDOW, OutboxContract
from trading_lib.adapters.alerts.spool import Spool
from trading_lib.adapters.stores.operations.alert_store import AlertStore
from trading_lib.domain.errors import InputError
from trading_lib.monitoring.alert import Alert, AlertLevel
from trading_lib.monitoring.escalation import PlannedDelivery
from trading_lib.monitoring.outbox import Outbox

pytestmark = pytest.mark.postgres
SLACK = PlannedDelivery(1, "slack", NOON)


def planned(store: AlertStore, added: Alert, *deliveries: PlannedDelivery) -> int:
    store.add(added, NOON, WINDOW)
    (found,) = store.unplanned()
    store.plan(found.reference, deliveries or (SLACK,))
    return int(found.reference)


class TestAlertStore(OutboxContract):
    """The outbox in a database."""

    @pytest.fixture
    def outbox(self, engine: Engine) -> AlertStore:
        return AlertStore(engine)

    def add(self, outbox: Outbox, added: Alert, minutes: float = 0, reference: str = "") -> None:
        assert isinstance(outbox, AlertStore)
        outbox.add(added, NOON + timedelta(minutes=minutes), WINDOW, reference)

    def test_an_answer_ends_the_escalation(self, outbox: AlertStore) -> None:
        number = planned(outbox, alert(), SLACK, PlannedDelivery(2, "mail", NOON))
        assert outbox.acknowledge([number], "ana", "on it", NOON) == [number]
        assert outbox.waiting(NOON + timedelta(hours=1)) == []
        assert outbox.acknowledge([number], "ben", "", NOON) == []
        (record,) = outbox.records()
        assert record.acknowledgement is not None
        assert (record.acknowledgement.by, record.acknowledgement.note) == ("ana", "on it")
        assert outbox.records(unacknowledged=True) == []

    def test_an_unknown_number_acknowledges_nothing(self, outbox: AlertStore) -> None:
        number = planned(outbox, alert())
        with pytest.raises(InputError, match="there is no alert 999"):
            outbox.acknowledge([number, 999], "ana", "", NOON)
        assert outbox.records()[0].acknowledgement is None

    def test_a_known_fault_is_counted_but_an_emergency_is_told_again(self, outbox: AlertStore) -> None:
        for level, told in ((AlertLevel.CRITICAL, 0), (AlertLevel.EMERGENCY, 1)):
            number = planned(outbox, alert(level=level))
            outbox.acknowledge([number], "ana", "", NOON)
            outbox.add(alert(level=level), NOON + timedelta(minutes=1), WINDOW)
            assert len(outbox.unplanned()) == told

    def test_a_second_sender_is_turned_away(self, outbox: AlertStore, engine: Engine) -> None:
        assert not outbox.sender_is_there()
        with outbox.only_sender() as first, AlertStore(engine).only_sender() as second:
            assert (first, second) == (True, False)
            assert outbox.sender_is_there()
        assert not outbox.sender_is_there()

    def test_what_channels_took_is_remembered_by_message(self, outbox: AlertStore) -> None:
        for number in (1, 2):
            planned(outbox, alert(number, (AlertLevel.WARNING, AlertLevel.CRITICAL)[number - 1]))
        outbox.note_sent(outbox.waiting(NOON), NOON)
        (sent,) = outbox.sent_since(NOON - timedelta(minutes=1))["slack"]
        assert (sent.at, sent.level) == (NOON, AlertLevel.CRITICAL)

    def test_old_alerts_are_forgotten_with_their_deliveries(self, outbox: AlertStore) -> None:
        planned(outbox, alert())
        assert outbox.forget(NOON) == 0
        assert outbox.forget(NOON + timedelta(seconds=1)) == 1
        assert outbox.records() == []


class TestSpool(OutboxContract):
    """The outbox in files."""

    @pytest.fixture
    def outbox(self, tmp_path: Path) -> Spool:
        return Spool(tmp_path / "alerts")

    def add(self, outbox: Outbox, added: Alert, minutes: float = 0, reference: str = "") -> None:
        assert isinstance(outbox, Spool)
        outbox.add(added, NOON + timedelta(minutes=minutes), WINDOW, reference or uuid.uuid4().hex)

    def test_files_are_closed_to_others(self, outbox: Spool, tmp_path: Path) -> None:
        self.add(outbox, alert())
        (path,) = (tmp_path / "alerts").iterdir()
        assert path.stat().st_mode & 0o077 == 0

    @pytest.mark.parametrize("content", ["", "{", "[]", '{"alert": {}}', '{"alert": {"level": "loud"}}'])
    def test_a_broken_file_is_put_aside_and_kept(self, outbox: Spool, tmp_path: Path, content: str) -> None:
        self.add(outbox, alert())
        (tmp_path / "alerts" / "torn.json").write_text(content)
        assert len(outbox.unplanned()) == 1
        assert (tmp_path / "alerts" / "torn.broken").read_text() == content

    def test_everything_moves_into_the_database_with_what_became_of_it(self, outbox: Spool, engine: Engine) -> None:
        store = AlertStore(engine)
        self.add(outbox, alert(1))
        outbox.plan(outbox.unplanned()[0].reference, [SLACK, PlannedDelivery(2, "mail", NOON)])
        outbox.note_sent([entry for entry in outbox.waiting(NOON) if entry.channel == "slack"], NOON)
        self.add(outbox, alert(2))
        assert outbox.move_into(store, WINDOW) == 2
        assert outbox.move_into(store, WINDOW) == 0
        assert [found.alert for found in store.unplanned()] == [alert(2)]
        assert [(entry.channel, entry.step) for entry in store.waiting(NOON)] == [("mail", 2)]

    def test_an_alert_that_reached_the_database_after_all_is_there_once(self, outbox: Spool, engine: Engine) -> None:
        store = AlertStore(engine)
        store.add(alert(), NOON, WINDOW, "same")
        self.add(outbox, alert(), reference="same")
        outbox.move_into(store, WINDOW)
        assert [record.stored.occurrences for record in store.records()] == [1]
