"""Gate results form a chain that shows every change; sweep points replace themselves."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, text

from trading_lib.adapters.stores.research.sweeps_and_gates import NO_RECORD, GateStore, SweepStore

pytestmark = pytest.mark.postgres

RESULT = {
    "gate": "gate_1_backtest",
    "passed": False,
    "criteria": [{"name": "sharpe", "value": 0.5, "rule": ">", "threshold": 0.7, "passed": False}],
    "config_hash": "abc",
    "code_version": "1",
    "data_source": "files",
    "data_hash": "d",
    "evidence": {"backtest": "e"},
    "recorded_at": datetime(2026, 11, 20, 22, 0, 0, 123456, tzinfo=UTC),
}


def test_every_record_names_the_one_before(engine: Engine) -> None:
    store = GateStore(engine)
    first, second = store.append(RESULT), store.append({**RESULT, "passed": True})
    assert (first["number"], second["number"]) == (1, 2)
    assert first["previous_hash"] == NO_RECORD
    assert second["previous_hash"] == first["record_hash"] != second["record_hash"]
    assert store.results() == [first, second]
    assert store.broken_links() == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE gate_results SET passed = true WHERE number = 2",
        "UPDATE gate_results SET config_hash = 'other' WHERE number = 2",
        "UPDATE gate_results SET criteria = '[]' WHERE number = 2",
        "UPDATE gate_results SET recorded_at = recorded_at + interval '1 day' WHERE number = 2",
    ],
)
def test_a_changed_record_is_seen(engine: Engine, change: str) -> None:
    store = GateStore(engine)
    for _ in range(3):
        store.append(RESULT)
    with engine.begin() as connection:
        connection.execute(text(change))
    assert store.broken_links() == [2]


def test_a_record_taken_out_is_seen(engine: Engine) -> None:
    store = GateStore(engine)
    for _ in range(3):
        store.append(RESULT)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM gate_results WHERE number = 2"))
    assert store.broken_links() == [3]


def test_a_naive_time_is_refused(engine: Engine) -> None:
    with pytest.raises(TypeError):
        GateStore(engine).append({**RESULT, "recorded_at": datetime(2026, 11, 20)})


def test_points_come_back_in_order_and_replace_themselves(engine: Engine) -> None:
    store = SweepStore(engine)
    row = {"values": {"a.b": 1}, "status": "ok", "reason": "", "metrics": {"sharpe": 0.5}, "config_hash": "x"}
    store.save("one", [{**row, "point": 1}, {**row, "point": 0}])
    store.save("two", [{**row, "point": 0}])
    store.save("one", [{**row, "point": 1, "status": "failed", "reason": "why", "metrics": {}}])
    store.save("one", [])
    assert [(p["point"], p["status"]) for p in store.points("one")] == [(0, "ok"), (1, "failed")]
    assert store.points("one")[0]["values"] == {"a.b": 1}
    assert len(store.points("two")) == 1
