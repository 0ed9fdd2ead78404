"""Capital of a book: recorded once, booked at the opening, the same as in a backtest, and apart from its profit."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.builders.parity import fill_figures, order_figures
from tests.builders.price_folder import write_price_folder
from tests.builders.settings import configured, make_settings
from tests.environment.database import MakeDatabase, table_contents
from trading_lib.adapters.sources.files.flows import read_flows
from trading_lib.adapters.stores.books.flow_store import FlowStore
from trading_lib.adapters.stores.books.order_store import OrderStore
from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.adapters.stores.postgres.schema import metadata
from trading_lib.domain.book.accounts import Accounts
from trading_lib.domain.book.flows import Flow
from trading_lib.domain.errors import DataFileError, InputError, TradingError
from trading_lib.domain.market.sessions import exchange_sessions
from trading_lib.workflows.books.flows import flows_listing, record_flow
from trading_lib.workflows.books.trade_history import listing
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.operations import bootstrap as history
from trading_lib.workflows.research import backtest as backtesting
from trading_lib.workflows.setup.configuration import load_configuration
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.trade import tasks as trading
from trading_lib.workflows.trade.book_run import BookRun
from trading_lib.workflows.trade.daily import run_daily
from trading_lib.workflows.trade.summary import render, session_summary

pytestmark = pytest.mark.postgres

CALENDAR = exchange_sessions()
BOOK = "demo-capital"
LAST = date(2021, 6, 10)
OPENED = CALENDAR.offset(LAST, -59)
NEXT, THEN = CALENDAR.next(LAST), CALENDAR.offset(LAST, 2)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_price_folder(tmp_path_factory.mktemp("capital") / "prices", date(2020, 1, 2), date(2021, 6, 30))


@pytest.fixture(scope="module")
def traded(make_database: MakeDatabase, tmp_path_factory: pytest.TempPathFactory, data: Path) -> str:
    """Database with a book that has traded a quarter of a year up to `LAST`."""
    url = make_database()
    made = make_settings(url, tmp_path_factory.mktemp("traded"))
    run = history.bootstrap("files", str(data), NEXT.isoformat(), BOOK, lambda line: None, made, track_backtest=False)
    assert run["replayed_sessions"] == 60
    return url


@pytest.fixture
def settings(traded: str, make_database: MakeDatabase, tmp_path: Path) -> Settings:
    """The book of `traded` in a database of the test's own."""
    return make_settings(make_database(of=traded), tmp_path)


def record(settings: Settings, kind: str, amount: str, session: date = NEXT, **more: Any) -> dict[str, Any]:
    source, target = {"deposit": (None, "main"), "withdrawal": ("main", None)}[kind]
    arguments = {"source": source, "target": target, "recorded_by": "ana"} | more
    return record_flow(BOOK, session, amount, settings=settings, **arguments)


def trade(settings: Settings, data: Path, session: date) -> dict[str, Any]:
    return run_daily(market_data.plan(session.isoformat(), "files", str(data), BOOK, settings), settings)


def test_both_roads_tell_the_same_and_say_capital_apart_from_profit(settings: Settings, data: Path) -> None:
    record(settings, "deposit", "25000")
    cash = StateStore(settings.engine()).latest_portfolio(BOOK).cash  # type: ignore[union-attr]
    record(settings, "withdrawal", "2500.50", THEN)
    for session in (NEXT, THEN):
        done = trade(settings, data, session)
        assert done["reconcile"]["differences"] == 0
    flows = (Flow(NEXT, Decimal(25000), target="main"), Flow(THEN, Decimal("2500.50"), source="main"))
    run = backtesting.backtest(settings, OPENED, THEN, data, flows=flows)
    state, orders = StateStore(settings.engine()), OrderStore(settings.engine())
    assert [float(nav) for _, nav in state.nav_history(BOOK)][-1] == run.result.nav[-1]
    assert [nav for _, nav in state.adjusted_nav_history(BOOK)] == pytest.approx(run.result.adjusted_nav.tolist())
    stored = [order for order, _ in orders.orders(BOOK)]
    assert sorted(map(order_figures, stored)) == sorted(map(order_figures, run.result.orders))
    assert sorted(map(fill_figures, orders.fills(BOOK))) == sorted(map(fill_figures, run.result.fills))
    held = state.latest_portfolio(BOOK)
    assert held == run.result.portfolio
    assert state.risk_state(BOOK, THEN).peak == run.result.risk.peak  # type: ignore[union-attr]
    summary = session_summary(BOOK, THEN.isoformat(), settings)
    assert (summary["deposits"], summary["withdrawals"]) == ("25000.00", "2500.50")
    assert Decimal(summary["profit"]) == held.nav - 100_000 - Decimal("22499.50")
    assert run.report["profit"] == float(summary["profit"])
    assert f"profit ${float(summary['profit']):,.2f}   (the return is time-weighted)" in render(summary)
    assert summary["time_weighted_return"] == pytest.approx(run.result.adjusted_nav[-1] / 100_000 - 1)
    assert run.report["annual_return"] == pytest.approx((1 + summary["time_weighted_return"]) ** (252 / 61) - 1)
    assert listing(BOOK, settings=settings)["capital"] == {"deposits": "25000.00", "withdrawals": "2500.50"}
    assert cash < held.cash + 100_000
    assert done["report"]["deposits"] == "25000.00"


def test_the_same_again_records_nothing_and_another_flow_needs_another_reference(settings: Settings) -> None:
    assert record(settings, "deposit", "500", reference="wire-7")["recorded"]
    assert not record(settings, "deposit", "500.00", reference="wire-7", recorded_by="ben")["recorded"]
    with pytest.raises(InputError, match=r"reference wire-7 .* stands for a deposit of \$500.00 into main"):
        record(settings, "deposit", "501", reference="wire-7")
    assert record(settings, "deposit", "500", reference="wire-8")["recorded"]
    assert [one.recorded_by for one in FlowStore(settings.engine()).history(BOOK)] == ["ana", "ana"]
    first = record(settings, "withdrawal", "1")
    assert first["reference"] == f"withdrawal-{NEXT:%Y%m%d}-main-1.00"
    assert not record(settings, "withdrawal", "1.00")["recorded"]
    assert [one["booked"] for one in flows_listing(BOOK, settings)["flows"]] == [False, False, False]


def test_a_flow_recorded_before_its_session_was_settled_again_is_the_same(settings: Settings, data: Path) -> None:
    record(settings, "deposit", "500")
    trade(settings, data, NEXT)
    before = table_contents(settings.engine(), *metadata.tables)
    trade(settings, data, NEXT)
    assert not record(settings, "deposit", "500")["recorded"]
    assert table_contents(settings.engine(), *metadata.tables) == before
    assert flows_listing(BOOK, settings)["flows"][0]["booked"]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "decided": ({"session": LAST}, f"session {LAST} is over for book {BOOK}, which has come to session {LAST}"),
    "long ago": ({"session": OPENED}, "is over for book"),
    "no session": ({"session": date(2021, 6, 12)}, "2021-06-12 .*is no trading session"),
    "nothing": ({"amount": "0"}, "'0' is no amount that can be moved"),
    "negative": ({"amount": "-5"}, "'-5' is no amount that can be moved"),
    "fractions of a cent": ({"amount": "5.001"}, "at most two decimals"),
    "no book": ({"book": "papre"}, "there is no book 'papre'"),
    "no account": ({"target": "mian"}, "there is no account 'mian' in execution.yaml: did you mean main"),
    "other currency": ({"currency": "EUR"}, f"the accounts of book {BOOK} are kept in USD, not in EUR"),
    "more than there is": ({"target": None, "source": "main", "amount": "90000"}, r"\$90,000.00 cannot leave account"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_one_line_and_stores_nothing(settings: Settings, name: str) -> None:
    changes, message = REFUSED[name]
    arguments: dict[str, Any] = {"book": BOOK, "session": NEXT, "amount": "5", "source": None, "target": "main"}
    with pytest.raises(InputError, match=message) as refused:
        record_flow(**(arguments | changes), recorded_by="ana", settings=settings)
    assert refused.value.exit_code == 2
    assert "\n" not in str(refused.value)
    assert FlowStore(settings.engine()).history(BOOK) == []


def test_what_can_be_withdrawn_is_said_and_can_be(settings: Settings) -> None:
    held = StateStore(settings.engine()).latest_portfolio(BOOK)
    assert held is not None
    free = held.cash - (held.nav * Decimal("0.05")).quantize(Decimal("0.01"))
    with pytest.raises(InputError, match=f"{free:,.2f} can: its cash less the buffer of 5%"):
        record(settings, "withdrawal", str(free + Decimal("0.01")))
    assert not record(settings, "withdrawal", str(free), dry_run=True)["recorded"]
    assert FlowStore(settings.engine()).history(BOOK) == []
    record(settings, "withdrawal", str(free))
    with pytest.raises(InputError, match=r"\$0.00 can"):
        record(settings, "withdrawal", "0.01", THEN)
    # What comes before it may leave again; what comes later may not.
    record(settings, "deposit", "10", THEN)
    record(settings, "withdrawal", "4", THEN)
    with pytest.raises(InputError, match=r"\$0.00 can"):
        record(settings, "withdrawal", "4", NEXT)


def test_a_withdrawal_does_not_move_drawdown(settings: Settings, data: Path) -> None:
    held = StateStore(settings.engine()).latest_portfolio(BOOK)
    free = held.cash - held.nav / 20 - 1  # type: ignore[union-attr]
    record(settings, "withdrawal", str(free.quantize(Decimal("0.01"))))
    done = trade(settings, data, NEXT)
    run = backtesting.backtest(settings, OPENED, NEXT, data)
    state = StateStore(settings.engine()).risk_state(BOOK, NEXT)
    after = StateStore(settings.engine()).portfolio(BOOK, NEXT)
    assert state is not None
    assert after is not None
    assert state.reference_peak / after.capital_factor == pytest.approx(run.result.risk.reference_peak, rel=2e-3)
    assert done["report"]["drawdown_from_peak"] == pytest.approx(
        1 - run.result.nav[-1] / run.result.nav.max(), abs=2e-3
    )


def test_a_flow_that_vanishes_does_not_reconcile(settings: Settings, data: Path) -> None:
    record(settings, "deposit", "500")
    trade(settings, data, NEXT)
    with settings.engine().begin() as connection:
        connection.exec_driver_sql("DELETE FROM capital_flows")
    run = BookRun.open(market_data.plan(NEXT.isoformat(), "files", str(data), BOOK, settings), settings)
    with pytest.raises(TradingError, match=r"does not reconcile .* cash: "):
        trading.reconcile(run.plan, run)


def test_two_accounts_are_the_same_on_both_roads_and_transfers_are_kept_apart(
    database_url: str, tmp_path: Path, data: Path
) -> None:
    accounts = [
        {"name": "etf", "asset_classes": ["US_ETF"], "share": 0.97},
        {"name": "coins", "asset_classes": ["CRYPTO"], "share": 0.03},
    ]
    configuration = load_configuration(configured(tmp_path, accounts), {})
    settings = replace(make_settings(database_url, tmp_path), configuration=configuration)
    history.bootstrap("files", str(data), NEXT.isoformat(), BOOK, lambda line: None, settings, track_backtest=False)
    with pytest.raises(InputError, match=r"there is no account 'main' in execution.yaml: use one of etf, coins"):
        record(settings, "deposit", "5")
    with pytest.raises(InputError, match=r"cannot leave account coins of book demo-capital: \$[\d,.]+ can"):
        record(settings, "withdrawal", "50000", source="coins", target=None)
    record(settings, "deposit", "1234.56", source="coins", target="etf")
    done = trade(settings, data, NEXT)
    assert done["reconcile"]["differences"] == 0
    flow = Flow(NEXT, Decimal("1234.56"), "coins", "etf")
    run = backtesting.backtest(settings, OPENED, NEXT, data, flows=(flow,))
    held = StateStore(settings.engine()).latest_portfolio(BOOK)
    assert held == run.result.portfolio
    assert held.accounts.keys() == {"etf", "coins"}
    assert (held.deposits, held.withdrawals, held.capital_factor) == (0, 0, 1.0)
    assert "Cash by account: " in render(session_summary(BOOK, NEXT.isoformat(), settings))
    with settings.engine().connect() as connection:
        rows = connection.exec_driver_sql(
            f"SELECT account, cash FROM account_state WHERE book = '{BOOK}' AND session = '{NEXT}' ORDER BY account"
        ).all()
    assert [tuple(row) for row in rows] == sorted(held.accounts.items())


Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(content: str, name: str = "flows.csv") -> Path:
        (tmp_path / name).write_text(content)
        return tmp_path / name

    return written


def test_a_file_of_flows_as_csv_and_as_yaml(write: Callable[..., Path]) -> None:
    two = Accounts(tuple(replace(Accounts().accounts[0], name=name) for name in ("etf", "coins")))
    expected = (
        Flow(date(2021, 6, 10), Decimal("10.50"), "etf"),
        Flow(date(2021, 6, 11), Decimal(7), "etf", "coins"),
        Flow(date(2021, 6, 14), Decimal(25000), target="coins"),
    )
    text = "session,amount,account,to\n2021-06-14,25000,coins,\n2021-06-10,-10.50,etf,\n2021-06-11,7,etf,coins\n"
    assert read_flows(write(text), two) == expected
    entries = [
        {"session": "2021-06-14", "amount": 25000, "account": "coins"},
        {"session": "2021-06-10", "amount": -10.5, "account": "etf"},
        {"session": "2021-06-11", "amount": 7, "account": "etf", "to": "coins"},
    ]
    assert read_flows(write(json.dumps(entries), "flows.yaml"), two) == expected


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("2021-06-10,0,main", "entry 1: '0' is no amount"),
        ("2021-06-10,1.001,main", "entry 1: '1.001' is no amount"),
        ("2021-06-12,5,main", "entry 1: .*2021-06-12"),
        ("soon,5,main", "entry 1: session 'soon' is no date: write YYYY-MM-DD"),
        ("2021-06-10,5,other", "entry 1: there is no account 'other'"),
        ("2021-06-10,,main", "entry 1 has no session or no amount"),
        ("2021-06-10,5,main,more", "entry 1 is not of session, amount, account, to"),
    ],
)
def test_a_bad_entry_names_file_and_entry(write: Write, row: str, message: str) -> None:
    path = write(f"session,amount,account\n{row}\n")
    with pytest.raises(DataFileError, match=f"flows.csv, {message}") as refused:
        read_flows(path, Accounts())
    assert "\n" not in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"none\.csv does not exist"):
        read_flows(tmp_path / "none.csv", Accounts())
