"""Carry in the pipeline: the same orders, fills, funding and net asset value as in the backtest, and all reconciled."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from tests.builders.parity import BOOK, assert_same_as_backtest, pipeline
from tests.builders.settings import make_settings
from trading_lib.adapters.files.include_folder import include_folder
from trading_lib.adapters.stores.books.order_store import OrderStore
from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.domain.market.perpetuals import is_perpetual
from trading_lib.workflows.research import backtest as backtesting
from trading_lib.workflows.setup.configuration import load_configuration
from trading_lib.workflows.stages.plans import SessionPlan
from trading_lib.workflows.trade.book_run import BookRun
from trading_lib.workflows.trade.tasks import reconcile

# Long runs of code whose coverage other tests measure: tracing them would only take time.
pytestmark = [pytest.mark.postgres, pytest.mark.no_cover]
# Binance's rate rises above its entry on 7 February and falls below its exit on 12 March 2020.
LAST = date(2020, 4, 9)


@pytest.mark.parametrize("sleeves", ["{trend: 0.5, carry: 0.5}"])
def test_backtest_and_pipeline_agree_with_carry_on_real_funding(
    database_url: str, tmp_path: Path, shared_market_data: Path, sleeves: str
) -> None:
    chosen = {"TRADING_STRATEGY__SLEEVES": sleeves, "TRADING_STRATEGY__CARRY__ALLOWED_VENUES": "[binance]"}
    configuration = load_configuration(include_folder() / "config", chosen)
    settings = replace(make_settings(database_url, tmp_path), configuration=configuration)
    pipeline(settings, shared_market_data, LAST)
    assert assert_same_as_backtest(settings, shared_market_data, LAST) > 10
    engine = settings.engine()
    legs = [fill for fill in OrderStore(engine).fills(BOOK) if is_perpetual(fill.symbol)]
    assert len({fill.side for fill in legs}) == 2
    curve = StateStore(engine).nav_history(BOOK)
    stored = [StateStore(engine).portfolio(BOOK, session) for session, _ in curve]
    assert any(portfolio and portfolio.perpetuals for portfolio in stored)
    run = backtesting.backtest(settings, curve[0][0], LAST, shared_market_data)
    assert stored[-1] == run.result.portfolio
    assert run.result.portfolio.funding > 0
    source = f"files:{shared_market_data.name}"
    plan = SessionPlan(session=LAST, source="files", source_name=source, book=BOOK, data=str(shared_market_data))
    assert reconcile(plan, BookRun.open(plan, settings))["differences"] == 0
