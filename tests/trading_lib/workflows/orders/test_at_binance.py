"""A book whose coins are at Binance, by the real ccxt on the simulator: fees kept in coins agree to the last unit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from tests.builders.markets import FRIDAY, MONDAY
from tests.builders.own_code.broker import BOOK, OwnBroker, make_project
from tests.peers.broker_clients import served
from trading_lib.adapters.broker_simulator.control.actions import Actions
from trading_lib.adapters.broker_simulator.faults.script import read_script
from trading_lib.adapters.broker_simulator.market.clock import Clock
from trading_lib.adapters.broker_simulator.simulator import DEMO_KEY, DEMO_SECRET, Simulator
from trading_lib.domain.book.orders import OrderPurpose, OrderStatus
from trading_lib.domain.book.portfolio import Portfolio, to_cent
from trading_lib.execution.reconciliation.snapshot import SnapshotRefusedError
from trading_lib.workflows.orders.reconciling import reconcile_book

pytestmark = pytest.mark.postgres

# Just after the opening of the UTC day that follows the session.
OPENED = datetime(2023, 2, 11, 0, 1, tzinfo=UTC)


@pytest.fixture
def simulator() -> Simulator:
    return Simulator(seed=7, clock=Clock(OPENED))


@pytest.fixture
def own(
    simulator: Simulator, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[OwnBroker]:
    with served(simulator) as address:
        monkeypatch.setenv("TRADING_BROKER_SIMULATOR", address)
        monkeypatch.setenv("BINANCE_API_KEY", DEMO_KEY)
        monkeypatch.setenv("BINANCE_API_SECRET", DEMO_SECRET)
        project = make_project(
            tmp_path / "project",
            broker="binance",
            name="coins",
            currency="USDT",
            as_usd=True,
            asset_classes=["CRYPTO"],
            share=0.5,
        )
        path = project / "include" / "config" / "execution.yaml"
        execution = yaml.safe_load(path.read_text(encoding="utf-8"))
        funds = {"name": "funds", "broker": "paper", "asset_classes": ["US_ETF"], "share": 0.5}
        path.write_text(yaml.safe_dump(execution | {"accounts": [*execution["accounts"], funds]}), encoding="utf-8")
        made = OwnBroker(database_url, project, tmp_path / "server", OPENED)
        demo = simulator.account_of("binance", "paper")
        actions = Actions(simulator)
        for asset, amount in (("USDT", Decimal(50_000) - demo.balance("USDT")), ("BNB", -demo.balance("BNB"))):
            if amount:
                actions.deposit({"account": demo.number, "asset": asset, "amount": str(amount)})
        shares = made.settings.configuration.accounts.opening_cash(Decimal(100_000))
        made.run().state.save_portfolio(BOOK, Portfolio.opened(FRIDAY, Decimal(100_000), shares), "coins")
        yield made


def test_coins_and_cash_agree_after_fees_that_were_kept_in_coins(own: OwnBroker, simulator: Simulator) -> None:
    assert reconcile_book(BOOK, own.settings)["breaks"] == []
    order = own.order("BTC-USD", quantity="0.0123")
    own.send()
    assert {one["kind"] for one in reconcile_book(BOOK, own.settings)["breaks"]} == {"unbooked-fill"}
    last = own.run().state.latest_portfolio(BOOK)
    assert last is not None
    own.now = own.settings.calendar.decision_time(MONDAY)
    simulator.clock.stand(own.now)
    portfolio = own.settle(last, MONDAY)
    own.run(MONDAY).state.save_portfolio(BOOK, portfolio, "coins")
    assert own.status(order) is OrderStatus.FILLED
    assert portfolio.positions["BTC-USD"].quantity == Decimal("0.012287")
    found = reconcile_book(BOOK, own.settings)
    assert (found["breaks"], found["accounts"], found["halted"]) == ([], ["coins"], False)
    fees = [one for one, _ in own.run().orders.orders(BOOK) if one.purpose is OrderPurpose.FEE]
    assert [one.quantity for one in fees] == [Decimal("0.0000123")]


def test_fees_that_bnb_paid_halt_nothing_before_and_after_they_are_booked(own: OwnBroker, simulator: Simulator) -> None:
    actions, demo = Actions(simulator), simulator.account_of("binance", "paper")
    actions.deposit({"account": demo.number, "asset": "BNB", "amount": "10"})
    actions.settings({"account": demo.number, "settings": {"fees_in": "BNB"}})
    assert reconcile_book(BOOK, own.settings)["breaks"] == []
    own.order("BTC-USD", quantity="0.0123")
    own.send()
    unbooked = reconcile_book(BOOK, own.settings)
    assert {(one["kind"], one["status"]) for one in unbooked["breaks"]} == {("unbooked-fill", "explained")}
    last = own.run().state.latest_portfolio(BOOK)
    assert last is not None
    own.now = own.settings.calendar.decision_time(MONDAY)
    simulator.clock.stand(own.now)
    portfolio = own.settle(last, MONDAY)
    own.run(MONDAY).state.save_portfolio(BOOK, portfolio, "coins")
    assert portfolio.positions["BTC-USD"].quantity == Decimal("0.0123")
    found = reconcile_book(BOOK, own.settings)
    assert (found["breaks"], found["halted"]) == ([], False)
    fees, cash = found["movements"]["coins"], found["cash"]["coins"]
    # A trade rounds at most a cent away.
    assert abs(Decimal(fees["total"]) - to_cent(Decimal(cash["broker"])) + Decimal(cash["ours"])) <= Decimal("0.01")
    assert [" BNB: " in one["explanation"] for one in fees["newest"]] == [True]
    actions.deposit({"account": demo.number, "asset": "USDT", "amount": "0.05"})
    found = reconcile_book(BOOK, own.settings)
    assert [(one["kind"], one["status"]) for one in found["breaks"]] == [("transfer", "open")]


def test_an_account_that_the_configuration_does_not_name_is_known_again(own: OwnBroker, simulator: Simulator) -> None:
    assert reconcile_book(BOOK, own.settings)["breaks"] == []
    simulator.use_script(read_script({"faults": [{"do": "other_account"}]}, "other"))
    with pytest.raises(SnapshotRefusedError, match="the snapshot is of account 'mark:"):
        reconcile_book(BOOK, own.settings)
