"""Readings stand as they were first read, events are numbered, importances add up to one."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import Engine

from tests.environment.stored_models import NOW, store_versions
from trading_lib.adapters.stores.learning.lifecycle_store import IC_READING, LifecycleStore, ModelEvent, Reading
from trading_lib.domain.errors import InputError
from trading_lib.learning.registered import Alias

pytestmark = pytest.mark.postgres

DAY, NEXT = date(2026, 11, 19), date(2026, 11, 20)


@pytest.fixture
def store(engine: Engine) -> LifecycleStore:
    store_versions(engine, Alias.CHAMPION, Alias.CHALLENGER)
    return LifecycleStore(engine)


def test_readings_of_a_version_come_back_by_session(store: LifecycleStore) -> None:
    first = [Reading(1, NEXT, IC_READING, 0.1), Reading(1, DAY, IC_READING, -0.2), Reading(2, DAY, "ks", 0.3)]
    assert store.save_readings(first, NOW) == 3
    assert store.save_readings([Reading(1, DAY, IC_READING, 0.9), Reading(2, DAY, IC_READING, float("nan"))], NOW) == 0
    assert list(store.readings(1, IC_READING).items()) == [(DAY, -0.2), (NEXT, 0.1)]
    assert store.readings(1, IC_READING, last=DAY) == {DAY: -0.2}
    assert store.readings(1, IC_READING, first=NEXT) == {NEXT: 0.1}
    assert store.readings(2, IC_READING) == {}


def test_events_are_numbered_in_their_order(store: LifecycleStore) -> None:
    one = store.add_event(ModelEvent("retrained", "month end", "lifecycle", NOW, 2, DAY, {"ic": float("inf")}))
    two = store.add_event(ModelEvent("retired", "decayed", "Ada", NOW, 1))
    assert (one.number, two.number) == (1, 2)
    assert store.events() == [one, two]
    assert store.events(kind="retired") == store.events(version=1) == [two]
    assert one.detail == {"ic": float("inf")}


def test_importances_come_back_the_largest_first(store: LifecycleStore) -> None:
    store.save_importances(1, {"momentum": 0.25, "volatility": 0.75})
    store.save_importances(1, {"momentum": 1.0})
    assert list(store.importances(1).items()) == [("volatility", 0.75), ("momentum", 0.25)]
    assert store.importances(2) == {}


def test_shares_that_do_not_add_up_are_refused(store: LifecycleStore) -> None:
    with pytest.raises(InputError, match=r"version 1 add up to 0\.9000, not to 1"):
        store.save_importances(1, {"momentum": 0.9})
