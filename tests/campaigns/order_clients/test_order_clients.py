"""The short form of the histories with the real clients, bugs planted in their order path, and a replay."""

from __future__ import annotations

import asyncio

import pytest

from tests.campaigns.order_clients.accounts import BINANCE, CLIENTS
from tests.campaigns.order_clients.campaign import play, played
from trading_lib.execution.order_path.sending_policy import SendingPolicy
from trading_lib.execution.simulation.mutants import planted

pytestmark = pytest.mark.no_cover

SEEDS = range(1, 26)
# Where an id of a filled order is taken again, a mistake becomes a second order.
PLANTED = {"unknown-treated-as-not-sent": 60, "fill-stored-after-status": 60}


def test_histories_of_the_real_clients_lose_and_double_nothing() -> None:
    found = play(SEEDS)
    print(f"seeds {SEEDS.start} to {SEEDS.stop - 1}, {found.events} requests, {found.crashes} crashes")
    assert found.findings == []
    assert found.crashes > len(SEEDS)
    assert found.orders > len(SEEDS) * len(CLIENTS)
    assert found.fills > 0.8 * found.orders


@pytest.mark.parametrize("client", CLIENTS)
def test_a_history_repeats_itself_byte_for_byte(client: str) -> None:
    loop = asyncio.new_event_loop()
    first, second = (played(5, client, loop) for _ in range(2))
    loop.close()
    assert first.trace == second.trace
    assert len(first.trace) > 20


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_found_with_the_real_clients(name: str) -> None:
    with planted(name, SendingPolicy()) as policy:
        found = play(range(1, PLANTED[name]), [BINANCE], policy, until_found=True)
    print(f"{name}: found at seed {found.seeds}: {found.findings[:1]}")
    assert found.findings
