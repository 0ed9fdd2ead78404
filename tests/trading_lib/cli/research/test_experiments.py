"""trading stress, sweep and gates as a user meets them."""

from __future__ import annotations

import json
import os
import signal
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from sqlalchemy import text

from tests.builders.price_folder import write_price_folder
from tests.environment.command_line import run
from trading_lib.adapters.files.include_folder import include_folder
from trading_lib.workflows.research.sweep.grid import GridPoint
from trading_lib.workflows.research.sweep.point import PointResult, PointRunner

WINDOW = ("--from", "2021-01-04", "--to", "2021-06-30")


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_price_folder(tmp_path_factory.mktemp("cli") / "prices", date(2019, 1, 2), date(2021, 6, 30))


def write_grid(folder: Path, grid: dict[str, Any]) -> Path:
    path = folder / "grid.yaml"
    path.write_text(yaml.safe_dump(grid))
    return path


def test_stress_writes_its_report_page_and_picture(prices: Path, tmp_path: Path) -> None:
    out, page, picture = (tmp_path / name for name in ("stress.json", "stress.html", "stress.png"))
    files = ("--out", str(out), "--page", str(page), "--picture", str(picture))
    code = run("stress", "--data", str(prices), *files, "--no-paths", "--json")
    report = json.loads(out.read_text())
    # 2008 and 2022 lie outside these prices, so the test cannot be passed.
    assert code == 1
    assert report["passed"] is False
    assert report["scenarios"]["2008_crisis"]["status"] == "absent"
    assert report["scenarios"]["covid_crash"]["status"] == "run"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "2008_crisis" in page.read_text()


def test_stress_passes_with_the_scenarios_that_can(
    prices: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = ("--scenario", "covid_crash", "--scenario", "all_asset_decline", "--no-paths")
    assert run("stress", "--data", str(prices), *chosen) == 0
    assert "covid_crash" in capsys.readouterr().out
    assert run("stress", "--data", str(prices), "--scenario", "nonsense") == 2
    assert "no scenario nonsense" in capsys.readouterr().err


def test_sweep_writes_a_row_per_point(prices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grid = write_grid(tmp_path, {"strategy.signals.momentum_high": [0.08, 0.01]})
    out = tmp_path / "points.json"
    arguments = ("sweep", *WINDOW, "--data", str(prices), "--grid", str(grid), "--out", str(out), "--processes", "1")
    assert run(*arguments) == 0
    shown = capsys.readouterr()
    assert [row["status"] for row in json.loads(out.read_text())] == ["ok", "failed"]
    assert "1 ok, 1 failed" in shown.out
    assert "the thresholds must rise" in shown.out
    assert "points" in shown.err
    assert run(*arguments, "--json") == 0
    assert json.loads(capsys.readouterr().out)["points"] == 2


def test_sweep_walks_its_points_forward(prices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    points = tmp_path / "points.yaml"
    points.write_text("- {name: patient, strategy.sleeves: {patient_trend: 0.5, rotation: 0.5}}")
    out, picture = tmp_path / "points.json", tmp_path / "walk.png"
    window = ("--from", "2020-01-02", "--to", "2021-06-30", "--data", str(prices), "--processes", "1")
    arguments = ("sweep", *window, "--grid", str(points), "--out", str(out), "--walk-forward", "1")
    assert run(*arguments, "--picture", str(picture), "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    found = summary["walk_forward"]
    assert [row.get("name") for row in json.loads(out.read_text())] == ["patient", "as configured"]
    assert (found["from"], found["to"], found["trials"], summary["trials"]) == ("2020-12-31", "2021-06-30", 2, 2)
    assert [point["name"] for point in found["points"]] == ["patient", "as configured"]
    assert found["points"][0]["sharpe"] != found["points"][1]["sharpe"]
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert run(*arguments, "--rolling") == 0
    words = capsys.readouterr().out
    assert "Out of sample 2020-12-31 to 2021-06-30, a choice a year after 1 year (rolling), 2 trials" in words
    assert "patient: return" in words


def test_screened_sweep_runs_only_the_best(prices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("vectorbt", reason="vectorbt is not installed")
    grid = write_grid(tmp_path, {"strategy.signals.momentum_high": [0.06, 0.10], "risk.target_volatility": [0.1]})
    out = tmp_path / "points.csv"
    files = ("--data", str(prices), "--grid", str(grid), "--out", str(out))
    assert run("sweep", *WINDOW, *files, "--processes", "1", "--screen", "1") == 0
    shown = capsys.readouterr()
    rows = pd.read_csv(out)
    assert sorted(rows["status"]) == ["ok", "screened"]
    assert rows["screened_sharpe"].notna().all()
    assert rows.loc[rows["status"] == "ok", "screened_sharpe"].item() == rows["screened_sharpe"].max()
    assert "after 2 trials" in shown.out
    assert "screened only: 1" in shown.out
    assert "screened 2 of 2 points" in shown.err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("--walk-forward", "1"), "leaves nothing out of sample"),
        (("--picture", "walk.png"), "need --walk-forward"),
        (("--rolling",), "need --walk-forward"),
        (("--out", "points.doc"), "no known suffix"),
        (("--grid", "none.yaml"), "cannot be read"),
        (("--from", "2001-01-02"), "not covered"),
        (("--to", "2001-01-02"), "inverted"),
        (("--track",), "no MLflow server"),
    ],
)
def test_sweep_refuses_what_it_cannot_do(
    prices: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    change: tuple[str, ...],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    grid = write_grid(tmp_path, {"risk.target_volatility": [0.1]})
    options = {"--data": str(prices), "--grid": str(grid), "--out": str(tmp_path / "p.csv"), "--processes": "1"}
    options |= dict(zip(WINDOW[::2], WINDOW[1::2], strict=True))
    options = {name: value for name, value in options.items() if name != change[0]}
    assert run("sweep", *(word for option in options.items() for word in option), *change) == 2
    assert words in capsys.readouterr().err


def test_a_stopped_sweep_writes_what_it_had(
    prices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A polite kill arrives while the second of three points is computed."""
    whole = PointRunner.run

    def killed_at_the_second(runner: PointRunner, point: GridPoint) -> PointResult:
        if point.number == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return whole(runner, point)

    monkeypatch.setattr(PointRunner, "run", killed_at_the_second)
    before = signal.getsignal(signal.SIGTERM)
    grid = write_grid(tmp_path, {"risk.target_volatility": [0.10, 0.12, 0.14]})
    out = tmp_path / "points.json"
    arguments = ("--data", str(prices), "--grid", str(grid), "--out", str(out), "--processes", "1")
    assert run("sweep", *WINDOW, *arguments) == 130
    assert [row["status"] for row in json.loads(out.read_text())] == ["ok", "cancelled", "cancelled"]
    shown = capsys.readouterr()
    assert "1 ok, 0 failed, 2 cancelled" in shown.out
    assert "the same command goes on with the points that are left" in shown.err
    assert signal.getsignal(signal.SIGTERM) is before

    ran: list[int] = []

    def noted(runner: PointRunner, point: GridPoint) -> PointResult:
        ran.append(point.number)
        return whole(runner, point)

    monkeypatch.setattr(PointRunner, "run", noted)
    assert run("sweep", *WINDOW, *arguments) == 0
    assert ran == [1, 2]
    resumed = [{**row, "elapsed_seconds": 0} for row in json.loads(out.read_text())]
    assert not out.with_name("points.json.progress").exists()
    assert run("sweep", *WINDOW, *arguments) == 0
    assert ran == [1, 2, 0, 1, 2]
    assert resumed == [{**row, "elapsed_seconds": 0} for row in json.loads(out.read_text())]


def test_a_sweep_says_what_made_no_difference_and_why_all_failed(
    prices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ("--data", str(prices), "--out", str(tmp_path / "points.csv"), "--processes", "1")
    equal = write_grid(tmp_path, {"strategy.carry.entry_rate": [0.0001, 0.0002]})
    assert run("sweep", *WINDOW, "--grid", str(equal), *files) == 0
    assert "all 2 finished points came to the same result; strategy.carry.entry_rate changed nothing" in (
        capsys.readouterr().out
    )
    impossible = write_grid(tmp_path, {"risk.target_volatility": [-1, -2]})
    assert run("sweep", *WINDOW, "--grid", str(impossible), *files) == 1
    assert "no point is ok; 2 of 2 failed by: ConfigurationError" in capsys.readouterr().out


def test_a_grid_nobody_could_wait_for_is_refused_unless_asked_for(
    prices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRADING_SWEEP__MOST_POINTS", "1")
    grid = write_grid(tmp_path, {"risk.target_volatility": [0.10, 0.12]})
    files = ("--data", str(prices), "--grid", str(grid), "--out", str(tmp_path / "p.csv"), "--processes", "1")
    assert run("sweep", *WINDOW, *files) == 2
    assert "the grid has 2 points, about 1 seconds with 1 at once; at most 1 are run" in capsys.readouterr().err
    assert run("sweep", *WINDOW, *files, "--max-points", "2") == 0


def test_gates_from_given_reports(prices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result, stress = tmp_path / "result.json", tmp_path / "stress.json"
    assert run("backtest", *WINDOW, "--data", str(prices), "--no-track", "--out", str(result)) == 0
    run("stress", "--data", str(prices), "--no-paths", "--out", str(stress))
    capsys.readouterr()
    given = ("--backtest", str(result), "--stress", str(stress))
    assert run("gates", *given, "--no-store", "--json") == 1
    report = json.loads(capsys.readouterr().out)
    criteria = {found["name"]: found["passed"] for found in report["criteria"]}
    assert criteria["backtest_configuration"]
    assert criteria["one_data_source"]
    assert not criteria["backtest_sessions"]
    assert not criteria["stress_scenarios"]
    assert report["evidence"].keys() == {"result.json", "stress.json"}
    assert run("gates", *given, "--no-store") == 1
    assert "FAIL" in capsys.readouterr().out
    result.write_text("no json")
    assert run("gates", *given, "--no-store") == 2
    assert "no valid JSON" in capsys.readouterr().err


@pytest.mark.postgres
def test_gates_store_their_result(
    prices: Path, tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from trading_lib.adapters.stores.postgres.database import connect
    from trading_lib.adapters.stores.research.sweeps_and_gates import GateStore

    monkeypatch.setenv("TRADING_DATABASE_URL", database_url)
    (tmp_path / "empty.json").write_text("{}")
    given = ("--backtest", str(tmp_path / "empty.json"), "--stress", str(tmp_path / "empty.json"))
    assert run("gates", *given, "--json") == 1
    assert run("gates", *given, "--json") == 1
    first, second = GateStore(connect(database_url)).results()
    assert second["previous_hash"] == first["record_hash"]
    assert not first["passed"]
    capsys.readouterr()
    with connect(database_url).begin() as connection:
        connection.execute(text("UPDATE gate_results SET passed = true WHERE number = 1"))
    assert run("gates", *given) == 1
    assert "WARNING: record 1 of the gates" in capsys.readouterr().out


def test_every_shipped_scenario_file_key_is_typed() -> None:
    from trading_lib.backtest.stress.scenarios import StressConfig

    content = yaml.safe_load((include_folder() / "config" / "stress.yaml").read_text())
    assert StressConfig.model_validate(content).model_fields_set == content.keys()
