"""The short form of `python -m tests.campaigns.order_races`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.campaigns.order_kills.campaign import desks
from tests.campaigns.order_kills.desk import Desk
from tests.campaigns.order_races.races import campaign

pytestmark = [pytest.mark.postgres, pytest.mark.no_cover]

SEED, ROUNDS = 0, 2


@pytest.fixture(scope="module")
def ready() -> Iterator[dict[str, Desk]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRADING_BROKER_SIMULATOR", "")
        with desks(on_disk=True) as opened:
            yield opened


def test_tasks_at_once_lost_locks_and_dead_databases_make_one_order_of_an_intent(ready: dict[str, Desk]) -> None:
    found = campaign(ready, SEED, ROUNDS, database_kills=ROUNDS)
    print(f"seed {SEED}, {found['intents']} intents")
    assert found["findings"] == []
    assert found["intents"] >= 3 * ROUNDS
    assert found["requests"] >= found["intents"]
