"""The broker of docs/operations/brokers.md, as the document shows it, keeps the contract."""

from __future__ import annotations

import csv
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.builders.books import order as made_order
from tests.contracts.broker_contract import BrokerContract, BrokerHarness
from trading_lib.adapters.user_code.own_classes import load_class
from trading_lib.domain.book.orders import Order, Side
from trading_lib.domain.market.instruments import AssetClass
from trading_lib.execution.broker import Answer, Broker, BrokerSetting, ClearedOrder

FILE = "by_hand.py"
SYMBOLS = {AssetClass.US_ETF: "SPY", AssetClass.CRYPTO: "BTC-USD"}


class ByHandHarness:
    """A folder, and a person who places every order at the opening and writes the fills down."""

    def __init__(self, folder: Path, examples: Path) -> None:
        self._folder, self._numbers = folder, count()
        self._made: type[Any] = load_class(f"{FILE}:ByHand", examples, "broker")
        self._time = datetime(2023, 2, 13, 14, 30, tzinfo=UTC)
        self.restart()

    @property
    def broker(self) -> Broker:
        return self._broker

    def order(self, asset_class: AssetClass, side: Side = Side.BUY) -> Order:
        return replace(made_order(SYMBOLS[asset_class], side), client_order_id=f"order-{next(self._numbers)}")

    def intend(self, order: Order) -> ClearedOrder:
        return ClearedOrder(order)

    def note(self, order: Order, answer: Answer) -> None:
        pass

    def note_cancelled(self, order: Order) -> None:
        pass

    def opening(self) -> None:
        self._time += timedelta(days=1)
        fills, path = self._broker._fills(), self._folder / "fills.csv"
        done = {fill.client_order_id for fill in fills} | {
            row["client_order_id"] for row in self._broker._rows("ended.csv")
        }
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if not fills:
                writer.writerow(("trade_id", "client_order_id", "quantity", "price", "commission", "filled_at"))
            for identity, row in self._broker._orders().items():
                if identity not in done:
                    told = (row["quantity"], Decimal("100.25"), Decimal("1.5"), self._time.isoformat())
                    writer.writerow((f"trade of {identity}", identity, *told))

    def end_of_day(self) -> None:
        pass

    def restart(self) -> None:
        self._broker = self._made(self._setting)

    def waiting_with(self, wait: Callable[[], Awaitable[object]]) -> Broker:
        made: Broker = self._made(self._setting, wait)
        return made

    @property
    def _setting(self) -> BrokerSetting:
        return BrokerSetting("U1", {"BY_HAND_FOLDER": str(self._folder), "BY_HAND_CASH": "100000"})


class TestByHand(BrokerContract):
    @pytest.fixture
    def harness(self, tmp_path: Path, repository_root: Path) -> BrokerHarness:
        return ByHandHarness(tmp_path, repository_root / "docs" / "examples")


def test_the_document_shows_the_file_that_runs_here(repository_root: Path) -> None:
    document = (repository_root / "docs" / "operations" / "brokers.md").read_text(encoding="utf-8")
    assert (repository_root / "docs" / "examples" / FILE).read_text(encoding="utf-8") in document
