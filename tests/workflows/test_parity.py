"""Backtest and paper pipeline give the same orders, fills and net asset value, to the cent (SPEC section 2)."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from tests.price_folder import write_price_folder
from tests.workflows.workflow_settings import make_settings
from trading_lib.adapters.stores.order_store import OrderStore
from trading_lib.adapters.stores.state_store import StateStore
from trading_lib.domain.orders import Fill, Order
from trading_lib.workflows import backtesting, history, market_data
from trading_lib.workflows.daily import run_daily
from trading_lib.workflows.settings import Settings

pytestmark = pytest.mark.postgres
BOOK = "demo-parity"


def order_figures(order: Order) -> tuple[object, ...]:
    return (order.session, order.symbol, order.side, order.quantity, order.expected_price, order.purpose, order.reason)


def fill_figures(fill: Fill) -> tuple[object, ...]:
    return (fill.session, fill.symbol, fill.side, fill.quantity, fill.price, fill.commission, fill.filled_at)


def assert_same_as_backtest(settings: Settings, data: Path, last: date) -> int:
    engine = settings.engine()
    curve = StateStore(engine).nav_history(BOOK)
    assert curve[-1][0] == last
    run = backtesting.backtest(settings, curve[0][0], last, data)
    assert [(day, float(nav)) for day, nav in curve] == [
        (day.item(), nav) for day, nav in zip(run.result.sessions, run.result.nav, strict=True)
    ]
    stored = OrderStore(engine)
    orders = [order for order, _ in stored.orders(BOOK)]
    assert sorted(map(order_figures, orders)) == sorted(map(order_figures, run.result.orders))
    assert sorted(map(fill_figures, stored.fills(BOOK))) == sorted(map(fill_figures, run.result.fills))
    return len(run.result.fills)


def pipeline(settings: Settings, data: Path, last: date) -> None:
    """Replay 60 sessions, then run the last one the way the DAGs do, ingestion included."""
    history.bootstrap("files", str(data), last.isoformat(), BOOK, lambda line: None, settings, track_backtest=False)
    run_daily(market_data.plan(last.isoformat(), "files", str(data), BOOK, settings), settings)


def test_backtest_and_pipeline_agree_on_made_up_prices(database_url: str, tmp_path: Path) -> None:
    data = write_price_folder(tmp_path / "prices", date(2020, 1, 2), date(2021, 6, 30))
    settings = make_settings(database_url, tmp_path)
    pipeline(settings, data, date(2021, 6, 15))
    assert assert_same_as_backtest(settings, data, date(2021, 6, 15)) > 10


@pytest.mark.parametrize("last", [date(2020, 4, 9), date(2022, 6, 15)])
def test_backtest_and_pipeline_agree_on_sixty_real_sessions(
    database_url: str, tmp_path: Path, shared_market_data: Path, last: date
) -> None:
    settings = make_settings(database_url, tmp_path)
    pipeline(settings, shared_market_data, last)
    assert assert_same_as_backtest(settings, shared_market_data, last) > 10
