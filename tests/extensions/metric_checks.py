"""What the entry of metric.patch brings along; `test_metric_entry` runs this on a copy of the package that has it."""

from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from tests.builders.price_folder import write_price_folder
from tests.contracts.metric_contract import MetricContract, run_of
from tests.environment.command_line import run
from trading_lib.performance.metrics.metric import Metric
from trading_lib.performance.metrics.table import METRICS

WINDOW = ("--from", "2021-01-04", "--to", "2021-03-31")


class TestContract(MetricContract):
    """The new entry is a metric like any other."""

    @pytest.fixture
    def metric(self) -> Metric:
        return METRICS["longest_drawdown"]


@pytest.mark.parametrize(
    ("values", "sessions"), [([100, 90, 95, 100, 99, 101], 3), ([100, 90, 100, 99, 98, 97], 3), ([100, 101, 102], 0)]
)
def test_it_is_computed(values: list[float], sessions: int) -> None:
    assert METRICS["longest_drawdown"].value(run_of(np.array(values, np.float64))) == sessions


def test_one_entry_shows_it_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from mlflow import MlflowClient

    prices = write_price_folder(tmp_path / "prices", date(2020, 1, 2), date(2021, 3, 31))
    sheet, out, grid = tmp_path / "sheet.html", tmp_path / "out.csv", tmp_path / "grid.yaml"
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRADING_CONFIG", raising=False)
    monkeypatch.delenv("TRADING_INCLUDE", raising=False)
    monkeypatch.setenv("TRADING_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'runs.db'}")
    monkeypatch.setenv("TRADING_PERFORMANCE__TARGETS__LONGEST_DRAWDOWN", "{target: 999, minimum: 999}")
    asked = ("backtest", *WINDOW, "--data", str(prices))
    assert run(*asked, "--tear-sheet", str(sheet), "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["longest_drawdown"] >= max(one["sessions"] for one in report["worst_drawdowns"])
    assert report["targets"]["longest_drawdown"]["meets_target"] is True
    assert report["benchmarks"]["SPY"]["longest_drawdown"] > 0
    assert ">Longest drawdown</span></th>" in sheet.read_text()
    logged = MlflowClient(f"sqlite:///{tmp_path / 'runs.db'}").get_run(report["mlflow_run_id"]).data.metrics
    assert logged["longest_drawdown"] == report["longest_drawdown"]
    assert run(*asked, "--no-track") == 0
    assert "  Longest drawdown " in capsys.readouterr().out
    grid.write_text("strategy.signals.momentum_high: [0.08]\n")
    assert run("sweep", *WINDOW, "--grid", str(grid), "--out", str(out), "--data", str(prices), "--processes", "1") == 0
    assert float(next(csv.DictReader(out.open()))["longest_drawdown"]) > 0
