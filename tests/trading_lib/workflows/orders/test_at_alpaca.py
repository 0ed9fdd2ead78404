"""A book at Alpaca's own client on the broker simulator: it agrees with its broker, and knows where it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tests.builders.markets import FRIDAY, MONDAY
from tests.builders.own_code.broker import BOOK
from tests.peers.broker_clients import Clients
from tests.peers.brokers.alpaca_book import EVENING, OPENED, AtAlpaca, at_alpaca
from trading_lib.adapters.broker_simulator.control.actions import Actions
from trading_lib.adapters.broker_simulator.faults.script import read_script
from trading_lib.adapters.broker_simulator.transport import in_process
from trading_lib.adapters.stores.books.account_store import AccountStore
from trading_lib.adapters.stores.orders.break_store import BreakStore
from trading_lib.adapters.stores.orders.snapshot_store import SnapshotStore
from trading_lib.domain.book.orders import Order, OrderStatus, Side
from trading_lib.domain.errors import OversoldError
from trading_lib.execution.broker import BrokerAccount
from trading_lib.execution.reconciliation.breaks import BreakStatus
from trading_lib.execution.reconciliation.snapshot import BrokerSnapshot, SnapshotRefusedError
from trading_lib.workflows.books.flows import record_flow
from trading_lib.workflows.books.repair import repair_book
from trading_lib.workflows.orders.guarding.preflight import preflight
from trading_lib.workflows.orders.reconciling import halt_of, reconcile_book
from trading_lib.workflows.orders.recovery import recover_book
from trading_lib.workflows.orders.settling_breaks import accept_break

BEFORE_THE_BOOK = datetime(2023, 2, 9, 16, 0, tzinfo=UTC)
# When orders are taken for the next opening, and after the close of the session that follows the first one traded.
MONDAY_EVENING = datetime(2023, 2, 14, 0, 30, tzinfo=UTC)
TUESDAY_EVENING = datetime(2023, 2, 14, 21, 30, tzinfo=UTC)
TUESDAY, WEDNESDAY, THURSDAY, FRIDAY_AFTER = (date(2023, 2, day) for day in (14, 15, 16, 17))

pytestmark = pytest.mark.postgres


@pytest.fixture
def own(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AtAlpaca]:
    with at_alpaca(database_url, tmp_path, monkeypatch) as made:
        yield made


def unnamed_snapshot() -> BrokerSnapshot:
    cash = Decimal(100_000)
    return BrokerSnapshot(BrokerAccount("", "USD", cash, cash), {}, (), (), (), EVENING, EVENING, "")


def by_hand(own: AtAlpaca, symbol: str, side: str, quantity: str) -> None:
    client = Clients(own.simulator, lambda session: in_process(session, own.simulator)).alpaca()
    order = {"symbol": symbol, "side": side, "qty": quantity, "type": "market", "time_in_force": "day"}
    client.post("/orders", order)


def test_a_day_at_alpaca_agrees_from_the_order_to_the_settled_book(own: AtAlpaca) -> None:
    order = own.order()
    own.send()
    assert own.reconciled() == []
    own.at(OPENED)
    assert own.reconciled() == [("unbooked-fill", "explained")]
    portfolio = own.settled()
    assert portfolio.positions["SPY"].quantity == 10
    found = reconcile_book(BOOK, own.settings)
    assert (found["breaks"], found["halted"], found["orders"], found["positions"]) == ([], False, 1, 1)
    assert own.status(order) is OrderStatus.FILLED


def test_a_trade_by_hand_at_alpaca_halts_purchases_until_it_is_adopted(own: AtAlpaca) -> None:
    own.at(OPENED)
    by_hand(own, "GLD", "buy", "3")
    assert own.reconciled() == [("manual-trade", "open")]
    last = own.run().state.latest_portfolio(BOOK)
    assert last is not None
    assert "manual-trade of GLD" in halt_of(own.run(), last)(own.order("QQQ"))
    accept_break(BOOK, 1, "Ada", "mine", "adopted", own.settings)
    assert own.settled().positions["GLD"].quantity == 3
    assert own.reconciled() == []


def test_an_order_whose_answer_was_lost_is_recovered_with_its_fill_and_the_same_again_finds_nothing(
    own: AtAlpaca,
) -> None:
    lost = [{"do": "accept_then_drop", "method": "POST"}, {"do": "drop_before", "method": "GET", "path": "*orders*"}]
    own.simulator.use_script(read_script({"faults": lost}, "lost"))
    order = own.order()
    own.send()
    assert own.status(order) is OrderStatus.UNKNOWN
    own.simulator.use_script(read_script({"faults": []}, "well"))
    own.at(OPENED)
    done = recover_book(BOOK, settings=own.settings)
    assert (done["resolved"], done["fills_added"], done["unknown"], done["halted"]) == (1, 1, 0, False)
    assert own.status(order) is OrderStatus.FILLED
    again = recover_book(BOOK, settings=own.settings)
    assert (again["resolved"], again["fills_added"], again["seconds"] < 60) == (0, 0, True)
    assert own.simulator.judge().duplicates() == []


def test_an_account_that_the_configuration_does_not_name_is_known_again(own: AtAlpaca) -> None:
    assert own.reconciled() == []
    own.simulator.use_script(read_script({"faults": [{"do": "other_account"}]}, "other"))
    with pytest.raises(SnapshotRefusedError, match="the snapshot is of account 'mark:") as caught:
        reconcile_book(BOOK, own.settings)
    for account in own.simulator.exchange.state.accounts.values():
        assert account.number not in str(caught.value)
    own.simulator.use_script(read_script({"faults": []}, "well"))
    assert own.reconciled() == []


def test_an_account_whose_first_snapshot_named_none_is_known_by_the_next(own: AtAlpaca) -> None:
    store = SnapshotStore(own.engine)
    store.add(BOOK, "main", FRIDAY, unnamed_snapshot())
    assert store.account_id(BOOK, "main") == ""
    assert own.reconciled() == []
    assert store.account_id(BOOK, "main") != ""
    own.simulator.use_script(read_script({"faults": [{"do": "other_account"}]}, "other"))
    with pytest.raises(SnapshotRefusedError, match="the snapshot is of account 'mark:"):
        reconcile_book(BOOK, own.settings)


def test_a_sale_of_more_than_alpaca_holds_is_kept_back(own: AtAlpaca) -> None:
    own.order()
    own.send()
    own.at(OPENED)
    portfolio = own.settled()
    own.at(datetime(2023, 2, 14, 15, 0, tzinfo=UTC))
    by_hand(own, "SPY", "sell", "4")
    assert own.reconciled() == [("manual-trade", "open")]
    halt = halt_of(own.run(MONDAY), portfolio)
    assert halt(own.order("SPY", Side.SELL, "7", MONDAY)) == "the broker has 6 SPY and not 10, as an open break says"


@pytest.mark.parametrize("how", ["known", "adopted"])
@pytest.mark.parametrize("what", ["manual-trade", "liquidation"])
def test_a_trade_of_others_stays_the_same_question_over_settlements_until_it_is_answered(
    own: AtAlpaca, what: str, how: str
) -> None:
    own.order()
    own.send()
    own.at(OPENED)
    own.settled()
    happen(own, what)
    (first,) = reconcile_book(BOOK, own.settings)["breaks"]
    own.settled(TUESDAY)
    own.settled(WEDNESDAY)
    (still,) = reconcile_book(BOOK, own.settings)["breaks"]
    assert (still["number"], still["kind"], still["status"]) == (first["number"], what, "open")
    accept_break(BOOK, first["number"], "Ada", "looked at it", how, own.settings)
    for session in (THURSDAY, FRIDAY_AFTER):
        portfolio = own.settled(session)
        after = reconcile_book(BOOK, own.settings)
        assert (after["breaks"], after["halted"]) == ([], False)
    held = {symbol: position.quantity for symbol, position in portfolio.positions.items()}
    adopted = {"SPY": 10, "GLD": 3} if what == "manual-trade" else {}
    assert held == (adopted if how == "adopted" else {"SPY": 10})
    assert len(own.run().orders.fills(BOOK)) == (2 if how == "adopted" else 1)
    # What is settled is not read again for ever.
    assert AccountStore(own.engine).cursors(BOOK)["main"] != ""
    assert len(BreakStore(own.engine).breaks(BOOK, statuses=[BreakStatus.OPEN, BreakStatus.ACCEPTED])) == 1


def sold_with_a_split(own: AtAlpaca) -> Order:
    """Send a sale of all that is held, and let the shares and the order be split before it trades."""
    own.order()
    own.send()
    own.at(OPENED)
    own.settled()
    order = own.order("SPY", Side.SELL, "10", MONDAY)
    own.at(MONDAY_EVENING)
    own.send(MONDAY)
    Actions(own.simulator).split({"symbol": "SPY", "ratio": "3", "orders": "adjust"})
    return order


def test_a_sale_that_alpaca_adjusted_for_a_split_is_ours_and_its_fill_is_booked_on_the_split_holding(
    own: AtAlpaca,
) -> None:
    order = sold_with_a_split(own)
    own.follow()
    assert own.status(order) is OrderStatus.WORKING
    (told,) = [detail for _, _, _, detail in own.run().orders.events(order.client_order_id) if "adjusted" in detail]
    assert told == "the broker has adjusted it from 10 to 30 SPY (3 for 1), as it does for a split"
    split = own.market.panel.split.copy()
    split[own.market.row(TUESDAY), own.market.panel.symbols.index("SPY")] = 3.0
    own.market = replace(own.market, panel=replace(own.market.panel, split=split))
    assert own.settled(TUESDAY).positions == {}
    assert own.status(order) is OrderStatus.FILLED
    assert own.run().orders.filled_quantity(order.client_order_id) == 30


def test_a_sale_adjusted_for_a_split_that_the_prices_lack_is_said_in_one_line_and_nothing_is_struck(
    own: AtAlpaca,
) -> None:
    order = sold_with_a_split(own)
    (differs,) = [one for one in reconcile_book(BOOK, own.settings)["breaks"] if one["kind"] == "order-differs"]
    assert "adjusted it from 10 to 30 SPY (3 for 1), as it does for a split; the prices know" in differs["explanation"]
    own.at(datetime(2023, 2, 14, 14, 31, tzinfo=UTC))
    own.follow()
    before = own.run().orders.fills(BOOK)
    assert sum(fill.quantity for fill in before if fill.client_order_id == order.client_order_id) == 30
    with pytest.raises(OversoldError, match="alpaca did trade it, so nothing is struck; it adjusted an") as caught:
        own.settled(TUESDAY)
    assert "probably for a split that the prices lack" in str(caught.value)
    assert "repair" not in str(caught.value)
    assert "\n" not in str(caught.value)
    repair_book(BOOK, "Ada", settings=own.settings)
    assert own.run().orders.fills(BOOK) == before


def happen(own: AtAlpaca, what: str) -> None:
    """Something that the book has no part in."""
    actions = Actions(own.simulator)
    calls: dict[str, Callable[[], object]] = {
        "transfer": lambda: actions.deposit({"account": "alpaca", "asset": "USD", "amount": "250.25"}),
        "withdrawal": lambda: actions.deposit({"account": "alpaca", "asset": "USD", "amount": "-0.37"}),
        "dividend": lambda: actions.dividend({"symbol": "SPY", "per_share": "1.7731"}),
        "position": lambda: actions.deposit({"account": "alpaca", "asset": "GLD", "amount": "7"}),
        "liquidation": lambda: actions.liquidate({"account": "alpaca", "symbol": "SPY"}),
        "manual-trade": lambda: actions.trade(
            {"account": "alpaca", "symbol": "GLD", "side": "buy", "quantity": "3", "price": "180.5"}
        ),
        "split": lambda: actions.split({"symbol": "SPY", "ratio": "2"}),
        "bust": lambda: actions.bust({"execution": own.simulator.judge().executions()[0]["id"]}),
    }
    calls[what]()


HAPPENINGS = [
    ("transfer", [("transfer", "")]),
    ("withdrawal", [("transfer", "")]),
    # Of a dividend that no data tells of nothing is known but the money.
    ("dividend", [("transfer", "")]),
    ("position", [("position", "GLD")]),
    ("liquidation", [("liquidation", "SPY")]),
    ("manual-trade", [("manual-trade", "GLD")]),
    ("split", [("position", "SPY")]),
    ("bust", [("bust", "SPY")]),
]


@pytest.mark.parametrize(("what", "found"), HAPPENINGS, ids=[what for what, _ in HAPPENINGS])
def test_what_happens_at_alpaca_without_the_book_is_one_break_until_it_is_settled(
    own: AtAlpaca, what: str, found: list[tuple[str, str]]
) -> None:
    own.order()
    own.send()
    own.at(OPENED)
    own.settled()
    assert own.reconciled() == []
    happen(own, what)
    breaks = reconcile_book(BOOK, own.settings)
    assert [(one["kind"], one["symbol"]) for one in breaks["breaks"]] == found
    assert breaks["halted"]
    done = accept_break(BOOK, 1, "Ada", "looked at it", settings=own.settings)
    assert done["settled_as"] == ("flow" if found[0][0] == "transfer" else "known")
    after = reconcile_book(BOOK, own.settings)
    assert (after["breaks"], after["halted"]) == ([], False)


def test_fees_of_a_sale_interest_and_a_recorded_deposit_halt_nothing_and_a_cent_more_does(own: AtAlpaca) -> None:
    actions = Actions(own.simulator)
    actions.settings({"account": "alpaca", "settings": {"sale_fees": True}})
    actions.deposit({"account": "alpaca", "asset": "USD", "amount": "-0.31", "activity": "FEE", "note": "before"})
    actions.deposit({"account": "alpaca", "asset": "USD", "amount": "0.31", "activity": "INT", "note": "before"})
    own.order()
    own.send()
    assert own.reconciled() == []
    own.at(OPENED)
    own.settled()
    own.order("SPY", Side.SELL, "4", MONDAY)
    own.at(MONDAY_EVENING)
    own.send(MONDAY)
    own.at(TUESDAY_EVENING)
    assert own.reconciled() == [("unbooked-fill", "explained")]
    fees = reconcile_book(BOOK, own.settings)["movements"]["main"]["newest"]
    assert [one["kind"] for one in fees] == ["FEE", "FEE"]
    assert all("fee for proceed of 4 shares" in one["explanation"] for one in fees)
    actions.deposit({"account": "alpaca", "asset": "USD", "amount": "1.07", "activity": "INT"})
    actions.deposit({"account": "alpaca", "asset": "USD", "amount": "500", "activity": "CSD"})
    tuesday = own.settings.calendar.next(MONDAY)
    record_flow(BOOK, tuesday, "500", None, "main", "Ada", settings=own.settings)
    found = reconcile_book(BOOK, own.settings)
    assert [(one["kind"], one["status"]) for one in found["breaks"]] == [
        ("unbooked-fill", "explained"),
        ("transfer", "explained"),
    ]
    assert (found["halted"], found["movements"]["main"]["count"]) == (False, 3)
    actions.deposit({"account": "alpaca", "asset": "USD", "amount": "0.01", "activity": "CSD"})
    found = reconcile_book(BOOK, own.settings)
    (left,) = [one for one in found["breaks"] if one["status"] == "open"]
    assert "`trading book deposit --book paper --account main --amount 0.01 --session NEXT`" in left["explanation"]


def test_a_used_account_is_said_by_preflight_and_its_earlier_trades_are_no_breaks(own: AtAlpaca) -> None:
    assert not [one for one in preflight(BOOK, own.settings)["findings"] if one["subject"] == "beginning"]
    own.at(BEFORE_THE_BOOK)
    for quantity in ("3", "2", "1"):
        by_hand(own, "GLD", "buy", quantity)
    own.at(EVENING)
    (said,) = [one for one in preflight(BOOK, own.settings)["findings"] if one["subject"] == "beginning"]
    assert said["state"] == "warning"
    assert "it has 6 GLD, " in said["detail"]
    assert own.reconciled() == [("position", "open"), ("cash", "open")]
    for number in (1, 2):
        accept_break(BOOK, number, "Ada", "what was there", "known", own.settings)
    assert own.reconciled() == []
    own.order()
    own.send()
    own.at(OPENED)
    own.settled()
    assert own.reconciled() == []
