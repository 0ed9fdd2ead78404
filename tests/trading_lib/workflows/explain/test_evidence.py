"""From data to constraint: a stored decision and a recomputed one explain the same session in the same words."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from tests.builders.price_folder import write_price_folder
from tests.builders.settings import make_settings
from tests.environment.database import table_contents
from trading_lib.adapters.stores.books.order_store import OrderStore
from trading_lib.adapters.stores.postgres.schema import metadata
from trading_lib.backtest.engine import run_backtest
from trading_lib.domain.book.orders import Order
from trading_lib.domain.errors import InputError, SessionError, UnknownSymbolError
from trading_lib.workflows.data.market import market_from_source, session_input
from trading_lib.workflows.explain.evidence import explain
from trading_lib.workflows.operations import bootstrap as history
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.setup.source_choice import offline_source

FIRST, LAST = date(2020, 1, 2), date(2021, 6, 30)
BOOK = "demo-explained"
NO_DATABASE = "postgresql://nobody@127.0.0.1:9/none"
OWN = ("origin", "fill")


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_price_folder(tmp_path_factory.mktemp("data") / "prices", FIRST, LAST)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_settings(NO_DATABASE, tmp_path)


@pytest.fixture(scope="module")
def orders(prices: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Order, ...]:
    """Every order of the backtest that an explanation of these prices runs."""
    settings = make_settings(NO_DATABASE, tmp_path_factory.mktemp("home"))
    universe = settings.configuration.universe
    source = offline_source("files", prices, settings)
    market = market_from_source(source, universe, settings.calendar, LAST, settings.clock()).market
    first = market.panel.sessions[252].item()
    return run_backtest(session_input(settings, market), first, LAST).orders


def test_a_cancelled_order_is_explained_with_its_reason(
    settings: Settings, prices: Path, orders: tuple[Order, ...], tmp_path: Path
) -> None:
    order = next(order for order in orders if order.session < LAST and order.symbol != "BTC-USD")
    following = settings.calendar.next(order.session)
    table = pd.read_parquet(prices / "prices.parquet")
    table.loc[(table["symbol"] == order.symbol) & (table["date"] == pd.Timestamp(following)), "open"] *= 10
    shutil.copytree(prices, tmp_path / "wrong")
    table.to_parquet(tmp_path / "wrong" / "prices.parquet", index=False)
    found = explain(settings, order.session, order.symbol, data=tmp_path / "wrong")
    assert found["order"]["outcome"].startswith(f"CANCELLED: {order.symbol} {following}: the opening ")


def test_an_order_is_explained_from_the_bar_to_the_fill(
    settings: Settings, prices: Path, orders: tuple[Order, ...]
) -> None:
    order = next(order for order in orders if order.session < LAST)
    found = explain(settings, order.session, order.symbol, data=prices)
    assert found["order"]["client_order_id"] == order.client_order_id
    assert (found["order"]["quantity"], found["order"]["reason"]) == (str(order.quantity), order.reason)
    assert found["order"]["outcome"] == "FILLED"
    assert found["fill"]["quantity"] == str(order.quantity)
    assert found["fill"]["session"] == settings.calendar.next(order.session).isoformat()
    assert float(found["bar"]["close"]) == pytest.approx(float(order.expected_price))
    assert found["blended_weight"] == pytest.approx(sum(sleeve["wanted_of_nav"] for sleeve in found["sleeves"]))
    chain = [found["blended_weight"]]
    for step in (*found["constraints"], *found["risk"]["steps"]):
        assert step["before"] == pytest.approx(chain[-1])
        chain.append(step["after"])
    assert chain[-1] == pytest.approx(found["approved_weight"])
    assert found["signal"]["reason"]
    assert set(found["factors"]) >= {"Momentum_60", "SMA_200", "RSI_14"}


def test_what_did_not_become_an_order_says_what_held_it_back(settings: Settings, prices: Path) -> None:
    day = date(2021, 3, 15)
    explained = [explain(settings, day, s, data=prices) for s in ("SPY", "GLD", "BTC-USD")]
    for found in explained:
        assert (found["order"] is None) == bool(found["held_back"] and not found["held_back"].startswith("cut by"))
        assert found["order"] is not None or found["fill"] is None


def test_the_last_session_has_no_fill_yet(settings: Settings, prices: Path, orders: tuple[Order, ...]) -> None:
    found = explain(settings, LAST, "SPY", data=prices)
    assert found["fill"] is None
    shorter = explain(settings, LAST, "SPY", data=prices, first=date(2021, 6, 1))
    assert shorter["origin"] == "recomputed by a backtest from 2021-06-01"


def test_a_stop_of_buying_is_told_by_its_rule(settings: Settings, prices: Path) -> None:
    configuration = settings.configuration
    constraints = configuration.decision.constraints.model_copy(update={"cash_buffer": 0.9})
    decision = configuration.decision.model_copy(update={"constraints": constraints})
    tight = replace(settings, configuration=replace(configuration, decision=decision))
    day = date(2021, 3, 31)
    lowered = [explain(tight, day, symbol, data=prices) for symbol in ("GLD", "XLK", "SPY", "QQQ", "TLT", "XLE")]
    rules = {step["rule"] for found in lowered for step in found["constraints"]}
    assert "cash_buffer" in rules
    details = {step["detail"] for found in lowered for step in found["constraints"] if step["rule"] == "cash_buffer"}
    assert all(detail.endswith("more than 10.0%") for detail in details)


@pytest.mark.parametrize(
    ("session", "symbol", "error", "message"),
    [
        (date(2021, 3, 13), "SPY", SessionError, "2021-03-13 .Saturday. is no trading session"),
        (date(2021, 3, 15), "SPX", UnknownSymbolError, r"'SPX' is not in the universe: did you mean SPY\? use one of"),
        (date(2021, 8, 2), "SPY", SessionError, "there are no prices of session 2021-08-02"),
    ],
)
def test_what_does_not_exist_is_named(
    settings: Settings, prices: Path, session: date, symbol: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        explain(settings, session, symbol, data=prices)


def test_a_backtest_cannot_begin_after_the_session(settings: Settings, prices: Path) -> None:
    with pytest.raises(SessionError, match="would begin at 2021-04-01, after session 2021-03-15"):
        explain(settings, date(2021, 3, 15), "SPY", data=prices, first=date(2021, 4, 1))
    with pytest.raises(InputError, match="leave out --data and --from, or --book"):
        explain(settings, date(2021, 3, 15), "SPY", book="demo", data=prices)


@pytest.mark.postgres
def test_a_stored_decision_reads_like_the_recomputed_one_and_nothing_is_written(
    database_url: str, tmp_path: Path, prices: Path
) -> None:
    settings = make_settings(database_url, tmp_path)
    last = date(2021, 4, 15)
    history.bootstrap("files", str(prices), last.isoformat(), BOOK, lambda line: None, settings, track_backtest=False)
    decided = settings.calendar.previous(last)
    opened = settings.calendar.offset(decided, 1 - history.WARM_UP_SESSIONS)
    engine = settings.engine()
    tables = [table.name for table in metadata.sorted_tables]
    before = table_contents(engine, *tables)
    traded = [order for order, _ in OrderStore(engine).orders(BOOK) if order.session < decided]
    asked = [(order.session, order.symbol) for order in traded[:2] + traded[-2:]]
    assert len(asked) == 4
    for day, symbol in [*asked, (decided, "SPY"), (decided, "BTC-USD")]:
        stored = explain(settings, day, symbol, book=BOOK)
        again = explain(settings, day, symbol, data=prices, first=opened)
        assert (stored["order"] is not None) == ((day, symbol) in asked) or day == decided
        for order in (stored["order"], again["order"]):
            if order is not None:
                # The id and the outcome know the book's name and how far it has come.
                del order["client_order_id"], order["outcome"]
        for known, alone in zip(stored["risk"]["event_details"], again["risk"]["event_details"], strict=True):
            # Only a book knows what later sessions ended.
            later = known["resolved_session"] not in (None, day.isoformat())
            assert alone.pop("resolved_session") == (None if later else known["resolved_session"])
            del known["resolved_session"]
        assert {k: v for k, v in stored.items() if k not in OWN} == {k: v for k, v in again.items() if k not in OWN}
        if day != decided:
            assert stored["fill"] is not None
            assert stored["fill"] == again["fill"]
    assert stored["origin"] == f"book {BOOK}, stored decision"
    assert table_contents(engine, *tables) == before
    with pytest.raises(InputError, match=f"has not decided session {last}: its newest decision is of {decided}"):
        explain(settings, last, "SPY", book=BOOK)
    with pytest.raises(InputError, match=r"there is no book 'demo-none': did you mean demo-explained\? use one of"):
        explain(settings, decided, "SPY", book="demo-none")
