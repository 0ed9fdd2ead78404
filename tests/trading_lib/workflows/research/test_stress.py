"""Stress tests on a market of two and a half years: what runs, what is absent, and the tail."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.builders.price_folder import write_price_folder
from tests.builders.settings import make_settings
from trading_lib.adapters.files.include_folder import include_folder
from trading_lib.adapters.mlflow.runs import BACKTEST_EXPERIMENT, TrackedRun
from trading_lib.backtest.stress.scenarios import StressConfig
from trading_lib.domain.errors import ConfigurationError, InputError
from trading_lib.workflows.research import stress_tasks as stress_runs
from trading_lib.workflows.research.stress import StressRun, load_stress, stress_test
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.stages.xcom import plain

CONFIG = StressConfig.model_validate(
    {
        "scenarios": {
            "covered": {"from": "2021-06-01", "to": "2021-09-30", "limit": 0.9},
            "strict": {"from": "2021-06-01", "to": "2021-09-30", "limit": 0.0001},
            "too_old": {"from": "2008-01-01", "to": "2009-12-31", "limit": 0.25},
            "no_warm_up": {"from": "2020-06-01", "to": "2020-09-30", "limit": 0.25},
            "too_long": {"from": "2021-01-04", "to": "2023-12-29", "limit": 0.25},
            "weekend": {"from": "2021-06-05", "to": "2021-06-06", "limit": 0.25},
            "one_session": {"from": "2021-06-04", "to": "2021-06-06", "limit": 0.25},
            "fall": {"kind": "decline", "limit": 0.22},
            "earlier_fall": {"kind": "decline", "limit": 0.22, "start": "2021-06-04"},
        },
        "crisis_paths": {"paths": 3, "sessions": 25},
    }
)


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_price_folder(tmp_path_factory.mktemp("stress") / "prices", date(2020, 1, 2), date(2022, 6, 30))


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return make_settings("", tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def run(settings: Settings, prices: Path) -> StressRun:
    return stress_test(settings, CONFIG, prices)


def scenarios(run: StressRun) -> dict[str, Any]:
    found: dict[str, Any] = run.report["scenarios"]
    return found


def test_the_report_keeps_its_contract(run: StressRun) -> None:
    assert isinstance(run.report["passed"], bool)
    for found in scenarios(run).values():
        assert {"from", "to", "max_drawdown", "limit", "passed", "max_risk_level"} <= found.keys()
    assert scenarios(run)["covered"]["from"] == "2021-06-01"
    assert scenarios(run)["covered"]["to"] == "2021-09-30"
    assert scenarios(run)["covered"]["passed"] is True
    assert scenarios(run)["covered"]["lead_sessions"] == 252
    assert scenarios(run)["strict"]["passed"] is False
    assert scenarios(run)["strict"]["max_drawdown"] == scenarios(run)["covered"]["max_drawdown"] > 0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("too_old", "do not cover"),
        ("too_long", "do not cover"),
        ("no_warm_up", "sessions of history"),
        ("weekend", "no trading session"),
    ],
)
def test_a_window_without_data_is_absent_and_never_passed(run: StressRun, name: str, words: str) -> None:
    found = scenarios(run)[name]
    assert found["status"] == "absent"
    assert words in found["reason"]
    assert found["passed"] is None
    assert any(text.startswith(f"{name} could not run") for text in run.report["failures"])
    assert run.report["passed"] is False


def test_one_session_is_a_window(run: StressRun) -> None:
    found = scenarios(run)["one_session"]
    assert (found["from"], found["to"], found["status"]) == ("2021-06-04", "2021-06-04", "run")
    assert sum(found["level_sessions"]) == 1


def test_the_decline_follows_the_data_or_its_own_start_and_hurts(run: StressRun) -> None:
    newest, earlier = scenarios(run)["fall"], scenarios(run)["earlier_fall"]
    assert newest["from"] == "2022-07-01"
    assert earlier["from"] == "2021-06-07"
    for found in (newest, earlier):
        assert sum(found["level_sessions"]) == 20
        assert 0.0 < found["max_drawdown"] < 0.22
        assert found["total_return"] < 0
        assert found["max_risk_level"] >= 1


def test_the_tail_is_drawn_and_repeats(run: StressRun, settings: Settings, prices: Path) -> None:
    # None of the windows above holds a crisis, but paths are drawn from what the data have of them.
    tail = run.report["crisis_paths"]
    assert tail["status"] == "run"
    assert tail["drawn_from"] == ["covered", "strict", "no_warm_up", "too_long", "one_session"]
    quantiles = list(tail["max_drawdown_quantiles"].values())
    assert quantiles == sorted(quantiles)
    assert run.tail is not None
    assert run.tail.shape == (3,)
    again = stress_test(settings, CONFIG, prices, only=["one_session"])
    np.testing.assert_array_equal(again.tail, run.tail)


def test_picture_and_page(run: StressRun) -> None:
    assert run.picture().startswith(b"\x89PNG")
    page = run.page()
    assert "too_old" in page
    assert "could not run" in page


def test_an_unknown_scenario_names_the_known_ones(settings: Settings, prices: Path) -> None:
    with pytest.raises(InputError, match=r"no scenario nonsense.*covered"):
        stress_test(settings, CONFIG, prices, only=["nonsense"])


def test_the_shipped_file_is_as_specified(tmp_path: Path) -> None:
    found = {scenario.name: scenario for scenario in load_stress(include_folder() / "config").scenarios}
    limits = {name: scenario.limit for name, scenario in found.items()}
    assert limits == {"2008_crisis": 0.25, "covid_crash": 0.18, "2022_rates": 0.20, "all_asset_decline": 0.22}
    assert (found["covid_crash"].first, found["covid_crash"].last) == (date(2020, 2, 1), date(2020, 6, 30))  # type: ignore[union-attr]


def test_a_wrong_key_names_file_and_key(tmp_path: Path) -> None:
    text = (include_folder() / "config" / "stress.yaml").read_text()
    (tmp_path / "stress.yaml").write_text(text.replace("lead_sessions", "leed_sessions"))
    with pytest.raises(ConfigurationError, match=r"stress\.yaml: unknown key leed_sessions"):
        load_stress(tmp_path)


def test_the_report_is_written_without_a_server(
    settings: Settings, prices: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stress_runs, "load_stress", lambda: CONFIG)
    monkeypatch.setattr(stress_runs, "tracking_uri", lambda settings: None)
    written = stress_runs.report(stress_runs.scenarios({"scenarios": ["covered"], "data": str(prices)}), settings)
    assert (written.run_id, written.url) == (None, None)
    page = Path(written.page or "")
    assert "covered" in page.read_text()
    assert page.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


def test_the_report_is_logged_with_its_page_and_is_no_trial(
    settings: Settings, prices: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[tuple[TrackedRun, str]] = []

    class Tracker:
        def __init__(self, address: str) -> None:
            self.address = address

        def log(self, run: TrackedRun, experiment: str) -> str:
            logged.append((run, experiment))
            return "7"

    monkeypatch.setattr(stress_runs, "load_stress", lambda: CONFIG)
    monkeypatch.setattr(stress_runs, "tracking_uri", lambda settings: "http://mlflow.local")
    monkeypatch.setattr(stress_runs, "MlflowTracker", Tracker)
    monkeypatch.setattr(stress_runs, "run_address", lambda *parts: "/".join(parts))
    written = stress_runs.report(stress_runs.scenarios({"scenarios": ["covered"], "data": str(prices)}), settings)
    assert written.url == "http://mlflow.local/7/" + logged[0][1]
    ((run, experiment),) = logged
    assert experiment != BACKTEST_EXPERIMENT
    assert (run.trials, run.kind) == (0, "stress test")
    assert set(run.files) == {"stress_test.html", "stress_test.png"}
    assert run.metrics["drawdown_covered"] == run.metrics["worst_drawdown"]


def test_scenario_by_scenario_gives_the_same(settings: Settings, prices: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stress_runs, "load_stress", lambda: CONFIG)
    plans = stress_runs.scenarios({"scenarios": ["covered", "fall"], "data": str(prices)})
    found = [stress_runs.run(plan, settings) for plan in plans]
    whole = stress_test(settings, CONFIG, prices, only=["covered", "fall"], with_paths=False)
    assert {report.pop("name"): report for report in map(plain, found)} == scenarios(whole)
    assert stress_runs.verdict(found)["worst_drawdown"] == whole.report["worst_drawdown"]
    absent = stress_runs.run(stress_runs.scenarios({"scenarios": ["too_old"], "data": str(prices)})[0], settings)
    with pytest.raises(Exception, match="too_old could not run"):
        stress_runs.verdict([*found, absent])
