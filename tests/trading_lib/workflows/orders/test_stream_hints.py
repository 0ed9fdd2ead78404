"""A stream only lets the next look come sooner: what it tells is not believed, and its end is no news."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.builders.own_code.broker import ROOT, OwnBroker, make_project
from trading_lib.domain.book.orders import Order, OrderStatus
from trading_lib.workflows.orders.stream_hints import wait_for_hint
from trading_lib.workflows.orders.watching import watch

pytestmark = pytest.mark.postgres

BOOK = "paper"
STREAMING = """

    async def subscribe(self, cursor):
        if (self._folder / "ends.txt").is_file():
            return
        for fill in (await self.fills_since(cursor)).fills:
            yield fill
        await asyncio.Event().wait()
"""


@pytest.fixture
def own(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OwnBroker:
    monkeypatch.setenv("BY_HAND_FOLDER", str(tmp_path / "server"))
    example = (ROOT / "docs" / "examples" / "by_hand.py").read_text(encoding="utf-8")
    said = "frozenset(AssetClass), fractional=True"
    source = "import asyncio\n" + example.replace(said, f"{said}, streams=True") + STREAMING
    return OwnBroker(database_url, make_project(tmp_path / "project", source, "own.py:ByHand"), tmp_path / "server")


def sent(own: OwnBroker) -> Order:
    order = own.order()
    own.send()
    return order


def test_a_fill_that_is_not_stored_yet_ends_the_wait_and_a_stored_one_does_not(own: OwnBroker) -> None:
    order = sent(own)
    assert not wait_for_hint(0.05, BOOK, own.settings)
    own.fill(("1", order.client_order_id, "4", "144", "0", "2023-02-13T14:30:01+00:00"))
    began = time.monotonic()
    assert wait_for_hint(300, BOOK, own.settings)
    assert time.monotonic() - began < 60
    # Nothing was stored of what it told.
    assert (own.status(order), own.run().orders.fills(BOOK)) == (OrderStatus.WORKING, [])
    watch(BOOK, own.settings)
    assert own.status(order) is OrderStatus.PARTIALLY_FILLED
    assert not wait_for_hint(0.05, BOOK, own.settings)


def test_a_stream_that_ends_or_cannot_be_had_is_no_news(own: OwnBroker) -> None:
    sent(own)
    (own.folder / "ends.txt").write_text("")
    assert not wait_for_hint(0.05, BOOK, own.settings)
    own.folder.rename(own.folder.with_name("away"))
    assert not wait_for_hint(0.05, BOOK, own.settings)


def test_without_open_orders_nobody_is_listened_to(own: OwnBroker) -> None:
    own.folder.rmdir()
    assert not wait_for_hint(0.01, None, own.settings)
