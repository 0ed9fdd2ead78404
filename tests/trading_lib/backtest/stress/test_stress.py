"""When a stress test is passed (docs/specification.md#stress-tests)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from pydantic import ValidationError

from trading_lib.backtest.stress.page import stress_page, stress_picture
from trading_lib.backtest.stress.scenarios import HistoricalWindow, PassCriteria, StressConfig, SyntheticDecline
from trading_lib.backtest.stress.stress import ScenarioOutcome, drawdown_within, judge_scenarios

CRITERIA = PassCriteria()
GOOD = ScenarioOutcome(
    "crash", "historical", 0.25, date(2020, 2, 3), date(2020, 6, 30), max_drawdown=0.10, max_risk_level=2
)


def test_all_good_passes() -> None:
    verdict = judge_scenarios([GOOD, replace(GOOD, name="other", max_drawdown=0.12)], CRITERIA)
    assert verdict.passed
    assert verdict.worst_drawdown == 0.12
    assert verdict.average_drawdown == pytest.approx(0.11)
    assert verdict.highest_level == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"limit": 0.10}, "limit of 10%"),
        ({"max_drawdown": 0.25, "limit": 0.40}, "not below 25%"),
        ({"max_risk_level": 4}, "reached risk level 4"),
        ({"status": "absent", "reason": "no data", "max_drawdown": None, "max_risk_level": None}, "could not run"),
    ],
)
def test_every_criterion_can_fail_it(change: dict[str, object], words: str) -> None:
    verdict = judge_scenarios([GOOD, replace(GOOD, name="bad", **change)], CRITERIA)  # type: ignore[arg-type]
    assert not verdict.passed
    assert any(words in failure for failure in verdict.failures)


def test_the_average_counts_by_itself() -> None:
    outcomes = [replace(GOOD, name=str(i), max_drawdown=0.19, limit=0.25) for i in range(3)]
    (failure,) = judge_scenarios(outcomes, CRITERIA).failures
    assert "average loss is 19.0%" in failure


def test_nothing_run_is_nothing_passed() -> None:
    absent = replace(GOOD, status="absent", reason="no data", max_drawdown=None, max_risk_level=None)
    assert absent.passed is None
    assert not judge_scenarios([absent], CRITERIA).passed
    assert not judge_scenarios([], CRITERIA).passed


def test_drawdown_is_measured_from_the_running_peak() -> None:
    assert drawdown_within(np.array([100.0, 120.0, 90.0, 130.0, 104.0])) == pytest.approx(0.25)
    assert drawdown_within(np.array([100.0, 101.0])) == 0.0


def test_scenarios_of_the_users_own() -> None:
    config = StressConfig.model_validate(
        {
            "scenarios": {
                "taper": {"from": "2013-05-01", "to": "2013-09-30", "limit": 0.12},
                "half": {"kind": "decline", "decline": 0.5, "limit": 0.3},
            }
        }
    )
    taper, half = config.scenarios
    assert isinstance(taper, HistoricalWindow)
    assert (taper.name, taper.first) == ("taper", date(2013, 5, 1))
    assert isinstance(half, SyntheticDecline)
    assert half.decline == 0.5
    assert half.correlation == 0.90


@pytest.mark.parametrize(
    "scenario",
    [
        {"from": "2013-05-01", "to": "2013-09-30", "limit": 0.12, "limt": 1},
        {"from": "2013-05-01", "to": "2012-09-30", "limit": 0.12},
        {"from": "2013-05-01", "to": "2013-09-30"},
        {"kind": "decline", "decline": 1.5, "limit": 0.3},
        {"kind": "rally", "limit": 0.3},
        7,
    ],
)
def test_a_wrong_scenario_is_an_error(scenario: object) -> None:
    with pytest.raises(ValidationError):
        StressConfig.model_validate({"scenarios": {"mine": scenario}})


def test_the_page_is_self_contained_and_escapes_what_it_shows() -> None:
    absent = replace(GOOD, name="<b>x</b>", status="absent", reason="no <i>data</i>", max_drawdown=None)
    ran = replace(
        GOOD,
        sessions=np.array(["2020-02-03", "2020-02-04"], dtype="datetime64[D]"),
        nav=np.array([100.0, 90.0]),
        levels=np.array([0, 1], dtype=np.int8),
        total_return=-0.1,
        level_sessions=(1, 1, 0, 0, 0),
    )
    picture = stress_picture([ran, absent], np.array([0.1, 0.2]), "title")
    assert picture.startswith(b"\x89PNG")
    report = {"passed": False, "failures": ["<script>"], "data_source": "x", "config_hash": "y", "code_version": "z"}
    page = stress_page([ran, absent], report, picture)
    assert "<script" not in page
    assert "<b>x" not in page
    assert "&lt;b&gt;x" in page
    assert "no &lt;i&gt;data" in page
    assert "http://" not in page
    assert "https://" not in page
    assert ">10.0%<" in page
