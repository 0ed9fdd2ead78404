"""One market per session for all its tasks: the same to the last bit, and never a stale one."""

from __future__ import annotations

import logging
from dataclasses import fields, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.builders.price_folder import write_price_folder
from tests.builders.settings import make_settings
from trading_lib.adapters.cache import session_markets
from trading_lib.adapters.cache.session_markets import SessionMarkets
from trading_lib.domain.market.prices import Bars
from trading_lib.workflows.data import fetch as fetching
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.data.market import Market, market_from_store
from trading_lib.workflows.data.sources import market_store
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.stages.plans import SessionPlan
from trading_lib.workflows.trade import session_market
from trading_lib.workflows.trade import tasks as trading
from trading_lib.workflows.trade.book_run import BookRun

pytestmark = pytest.mark.postgres
SESSION = date(2021, 6, 30)


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return make_settings(database_url, tmp_path)


@pytest.fixture
def plan(settings: Settings, tmp_path: Path) -> SessionPlan:
    folder = write_price_folder(tmp_path / "prices", date(2020, 1, 2), SESSION)
    found = market_data.plan(SESSION.isoformat(), "files", str(folder), "demo", settings)
    fetching.ingest_history(found, settings, SESSION)
    return found


@pytest.fixture
def assembled(monkeypatch: pytest.MonkeyPatch) -> list[date]:
    """Sessions whose market was assembled."""
    done: list[date] = []

    def counted(*arguments: Any) -> Market:
        done.append(arguments[-1])
        return market_from_store(*arguments)

    monkeypatch.setattr(session_market, "market_from_store", counted)
    return done


def opened(settings: Settings, plan: SessionPlan) -> Market:
    return session_market.session_market(market_store(settings), plan.source_name, settings, plan.session)


def assert_same_bits(one: Any, other: Any, where: str = "") -> None:
    for field in fields(one):
        left, right, name = getattr(one, field.name), getattr(other, field.name), f"{where}.{field.name}"
        if isinstance(left, np.ndarray):
            assert (left.dtype, left.shape) == (right.dtype, right.shape), name
            assert left.tobytes() == right.tobytes(), name
            # Other flags would be another type to a compiled rule, which would be compiled anew.
            assert (left.flags.c_contiguous, left.flags.writeable, left.flags.aligned) == (
                right.flags.c_contiguous,
                right.flags.writeable,
                right.flags.aligned,
            ), name
        elif isinstance(left, tuple) and left and hasattr(left[0], "__dataclass_fields__"):
            assert len(left) == len(right)
            for number, (a, b) in enumerate(zip(left, right, strict=True)):
                assert_same_bits(a, b, f"{name}[{number}]")
        elif isinstance(left, dict):
            assert list(left) == list(right), name
            for key in left:
                assert_same_bits(left[key], right[key], f"{name}[{key}]")
        else:
            assert left == right, name


def test_the_tasks_of_a_session_assemble_its_market_once(
    settings: Settings, plan: SessionPlan, assembled: list[date]
) -> None:
    market_data.factors(plan, settings)
    for task in (trading.settle, trading.signals, trading.targets, trading.risk, trading.orders, trading.place):
        task(plan, BookRun.open(plan, settings))
    assert assembled == [SESSION]


def test_what_is_read_is_what_was_assembled_to_the_last_bit(
    settings: Settings, plan: SessionPlan, assembled: list[date]
) -> None:
    first, again = opened(settings, plan), opened(settings, plan)
    assert assembled == [SESSION]
    assert list(again.panel.daily) == ["BTC-USD"]
    assert_same_bits(first.panel, again.panel)
    assert_same_bits(first.factors, again.factors)


def test_writing_into_what_was_read_changes_nothing_for_the_next(settings: Settings, plan: SessionPlan) -> None:
    opened(settings, plan)
    read = opened(settings, plan)
    before = read.panel.close.copy()
    read.panel.close[:] = 1.0
    assert opened(settings, plan).panel.close.tobytes() == before.tobytes()


def test_a_revision_of_a_price_is_noticed_and_told(
    settings: Settings, plan: SessionPlan, assembled: list[date], caplog: pytest.LogCaptureFixture
) -> None:
    market_data.factors(plan, settings)
    trading.settle(plan, BookRun.open(plan, settings))
    store = market_store(settings)
    frame = store.read_bars(plan.source_name, settings.calendar.decision_time(SESSION), ["SPY"]).frame
    revised = frame[frame["date"] == pd.Timestamp(SESSION)].copy()
    for name in ("open", "high", "low", "close", "adj_close"):
        revised[name] *= 1.01
    revised["available_at"] += timedelta(seconds=1)
    before = opened(settings, plan)
    store.upsert_bars(Bars.from_frame(revised), settings.calendar.decision_time(SESSION) - timedelta(minutes=1))
    with caplog.at_level(logging.WARNING):
        trading.signals(plan, BookRun.open(plan, settings))
    assert len(assembled) == 2
    assert f"prices of SPY have been revised since the factors of session {SESSION} were stored" in caplog.text
    market_data.factors(plan, settings)
    after = opened(settings, plan)
    column = after.panel.symbols.index("SPY")
    assert after.panel.close[-1, column] == pytest.approx(1.01 * before.panel.close[-1, column])
    # What comes after the decision time is not known at it, whatever has been stored meanwhile.
    for name in ("open", "high", "low", "close", "adj_close"):
        revised[name] *= 1.01
    store.upsert_bars(Bars.from_frame(revised), settings.clock())
    latest = opened(settings, plan)
    assert session_market.revised_factors(store.factors(plan.source_name, SESSION), latest, SESSION) == ()


def test_another_configuration_or_code_makes_it_anew(
    settings: Settings, plan: SessionPlan, assembled: list[date], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(settings, plan)
    universe = settings.configuration.universe
    fewer = replace(universe, instruments=universe.instruments[:-1])
    other = replace(settings, configuration=replace(settings.configuration, universe=fewer))
    assert len(opened(other, plan).panel.symbols) == len(universe.symbols) - 1
    monkeypatch.setattr(session_market, "_code_digest", lambda: "of another version")
    opened(other, plan)
    assert len(assembled) == 3


@pytest.mark.parametrize("damage", ["cut", "other", "empty", "list", "no layout"])
def test_a_damaged_file_is_as_good_as_none(
    settings: Settings, plan: SessionPlan, assembled: list[date], damage: str
) -> None:
    whole = opened(settings, plan)
    [path] = (settings.folders.home / "markets").glob("*.market")
    content = path.read_bytes()
    head = session_markets.MAGIC
    damaged = {
        "cut": content[:-64],
        "other": b"something else\n",
        "empty": b"",
        "list": head + b"[]\n",
        "no layout": head + b'{"bytes": 64, "arrays": []}\n' + bytes(64),
    }
    path.write_bytes(damaged[damage])
    assert_same_bits(opened(settings, plan).panel, whole.panel)
    assert len(assembled) == 2


def test_a_folder_that_cannot_be_written_stops_nothing(
    settings: Settings, plan: SessionPlan, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(session_markets, "write_whole", full)
    assert opened(settings, plan).row(SESSION) > 0
    assert "assembled by every task: [Errno 28] No space left on device" in caplog.text


def test_the_oldest_go(settings: Settings, plan: SessionPlan) -> None:
    market = opened(settings, plan)
    folder = settings.folders.home / "markets"
    markets = SessionMarkets(folder)
    for number in range(6):
        markets.save(f"source-{number}", SESSION, "digest", market.panel, market.factors)
    assert len(list(folder.iterdir())) == session_markets.KEPT
