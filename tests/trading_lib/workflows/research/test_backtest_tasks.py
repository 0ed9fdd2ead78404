"""The DAG backtest's functions: windows from forms and intervals, and books that stay untouched."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from tests.builders.price_folder import write_price_folder
from tests.builders.settings import make_settings
from trading_lib.domain.errors import InputError, SessionError
from trading_lib.workflows.research import backtest_tasks as backtest_runs
from trading_lib.workflows.research.backtest import backtest
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.stages.research_results import LoggedRun
from trading_lib.workflows.stages.xcom import plain

YEAR = (datetime(2010, 1, 1, tzinfo=UTC), datetime(2011, 1, 1, tzinfo=UTC))
# What would have to be loaded to reach a book or a broker.
FORBIDDEN = ("trading_lib.adapters.stores.books", "trading_lib.adapters.brokers")
# Nothing answers there: whoever asks the database fails.
NO_DATABASE = "postgresql+psycopg2://nobody@127.0.0.1:9/none"
SCRIPT = """
import json, sys
from trading_lib.workflows.research import backtest_tasks as backtest_runs
from trading_lib.workflows.stages.plans import BacktestPlan
from trading_lib.workflows.stages.xcom import read
plan = read(BacktestPlan, json.loads(sys.argv[1]), "window")
backtest_runs.run(plan)
backtest_runs.tear_sheet(plan)
assert backtest_runs.log(plan).url is None
print(json.dumps(sorted(sys.modules)))
"""


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_price_folder(tmp_path_factory.mktemp("runs") / "prices", date(2020, 1, 2), date(2021, 6, 30))


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return make_settings("", tmp_path)


def test_an_interval_of_a_year_is_that_year() -> None:
    found = backtest_runs.window({}, *YEAR)
    assert (found.first, found.last) == (date(2010, 1, 1), date(2010, 12, 31))


def test_the_form_wins_over_the_interval() -> None:
    found = backtest_runs.window({"from": "2021-01-04", "to": "2021-03-31", "sleeves": {"trend": 1.0}}, *YEAR)
    assert (str(found.first), str(found.last), found.sleeves) == ("2021-01-04", "2021-03-31", {"trend": 1.0})


def test_a_run_names_its_strategy_so_that_an_older_one_is_not_taken_for_it() -> None:
    assert backtest_runs.window({}, *YEAR).strategy == "trend 50 + rotation 50"
    assert backtest_runs.window({"sleeves": {"trend": 0.4}}, *YEAR).strategy == "trend 40"


@pytest.mark.parametrize("params", [{"from": "2021-01-04"}, {"to": "2021-01-04"}, {}])
def test_half_a_window_or_none_is_an_error(params: dict[str, str]) -> None:
    with pytest.raises(InputError, match="window"):
        backtest_runs.window(params)


def test_a_window_that_is_no_date_or_not_in_the_data(settings: Settings, prices: Path) -> None:
    with pytest.raises(SessionError, match="not a date"):
        backtest_runs.window({"from": "yesterday", "to": "2021-01-04"})
    plan = backtest_runs.window({"data": str(prices)}, *YEAR)
    with pytest.raises(InputError):
        backtest_runs.run(plan, settings)


def test_every_task_sees_the_same_run(settings: Settings, prices: Path) -> None:
    plan = backtest_runs.window({"from": "2021-01-04", "to": "2021-06-30", "data": str(prices)})
    found = backtest_runs.run(plan, settings)
    alone = backtest(settings, date(2021, 1, 4), date(2021, 6, 30), prices)
    assert found.final_nav == alone.report["final_nav"]
    sheet = Path(backtest_runs.tear_sheet(plan, settings))
    assert sheet.parent == settings.folders.home / "tear-sheets"
    assert sheet.read_text(encoding="utf-8").lstrip().lower().startswith("<!doctype html>")
    assert backtest_runs.log(plan, settings) == LoggedRun(run_id=None, url=None)


def test_sleeves_of_the_form_are_run(settings: Settings, prices: Path) -> None:
    window = {"from": "2021-01-04", "to": "2021-06-30", "data": str(prices)}
    budgets = [{"trend": 1.0}, {"trend": 0.3}]
    navs = [backtest_runs.run(backtest_runs.window({**window, "sleeves": s}), settings).final_nav for s in budgets]
    assert navs[0] != navs[1]
    with pytest.raises(InputError, match="nonsense"):
        backtest_runs.run(backtest_runs.window({**window, "sleeves": {"nonsense": 1.0}}), settings)


def test_a_backfilled_window_reaches_no_book_and_no_broker(prices: Path, tmp_path: Path) -> None:
    """The code that stores orders or speaks to anybody isn't even loaded."""
    plan = backtest_runs.window({"from": "2021-01-04", "to": "2021-03-31", "data": str(prices)})
    root = Path(__file__).resolve().parents[4]
    environment = {
        "TRADING_HOME": str(tmp_path),
        "TRADING_PROJECT": str(root),
        "TRADING_DATABASE_URL": NO_DATABASE,
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(root),
    }
    command = [sys.executable, "-c", SCRIPT, json.dumps(plain(plan))]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=tmp_path)
    loaded = json.loads(answer.stdout.splitlines()[-1])
    assert "trading_lib.backtest.engine" in loaded
    assert all(importlib.util.find_spec(name) for name in FORBIDDEN)
    assert [name for name in loaded if name.startswith(FORBIDDEN)] == []
