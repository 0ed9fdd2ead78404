"""What travels between tasks: the same after the way through JSON, strict at the other end, readable from old runs."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from trading_lib.domain.errors import InputError
from trading_lib.workflows.stages.plans import BacktestPlan, ChunkPlan, ScenarioPlan, SessionPlan
from trading_lib.workflows.stages.research_results import BacktestFigures, ChunkCounts, LoggedRun, ScenarioFigures
from trading_lib.workflows.stages.xcom import plain, read, read_all

# As version 177a04c left them in Airflow.
OLD: dict[type[Any], dict[str, Any]] = {
    SessionPlan: {
        "session": "2022-06-15",
        "source": "files",
        "source_name": "files:prices",
        "data": "/prices",
        "book": "paper",
        "groups": ["etf", "macro"],
        "received_at": "2022-06-15T20:16:00+00:00",
    },
    BacktestPlan: {
        "from": "2015-01-01",
        "to": "2015-12-31",
        "data": None,
        "prices": "simulated",
        "sleeves": {"trend": 1.0},
        "strategy": "trend 100",
    },
    ScenarioPlan: {"scenario": "2008", "data": None, "prices": "simulated"},
    ChunkPlan: {
        "from": "2015-01-02",
        "to": "2019-12-31",
        "data": None,
        "grid": {"risk.target_volatility": [0.1, 0.15]},
        "sweep": "0123456789abcdef",
        "prices": "simulated",
        "start": 0,
        "stop": 25,
        "label": "points 0 to 24",
    },
    BacktestFigures: {
        "data_source": "simulated",
        "sessions": 252,
        "final_nav": "104700.00",
        "annual_return": 0.1 + 0.2,
        "sharpe": None,
        "max_drawdown": 0.057,
        "max_risk_level": 1,
        "orders": 12,
    },
    LoggedRun: {"run_id": None, "url": None},
    ScenarioFigures: {
        "name": "2008",
        "from": None,
        "to": None,
        "max_drawdown": None,
        "limit": 0.2,
        "passed": None,
        "max_risk_level": None,
        "kind": "historical",
        "status": "absent",
        "reason": "no prices",
        "total_return": None,
        "level_sessions": [],
        "lead_sessions": 0,
        "absent_assets": [],
        "sleeve_faults": {"count": 0, "sleeves": {}},
    },
    ChunkCounts: {"sweep": "0123456789abcdef", "points": 25, "ok": 24},
}


@pytest.mark.parametrize("kind", OLD, ids=lambda kind: kind.__name__)
def test_what_a_run_of_an_earlier_version_left_is_read_and_says_the_same(kind: type[Any]) -> None:
    value = read(kind, OLD[kind], "plan")
    again = json.loads(json.dumps(plain(value)))
    assert {name: again[name] for name in OLD[kind] if name != "received_at"} == {
        name: left for name, left in OLD[kind].items() if name != "received_at"
    }
    assert read(kind, again, "plan") == value


def test_days_and_instants_are_typed() -> None:
    plan = read(SessionPlan, OLD[SessionPlan], "plan")
    assert plan.session == date(2022, 6, 15)
    assert plan.received_at == datetime(2022, 6, 15, 20, 16, tzinfo=UTC)
    assert plan.groups == ("etf", "macro")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"session": "soon"}, "field session: Input should be a valid date"),
        ({"session": 20220615}, "field session: Input should be a valid date"),
        ({"book": 7}, "field book: Input should be a valid string, got 7"),
        ({"bok": "paper"}, "field bok is unknown"),
        ({"groups": "etf"}, "field groups: Input should be a valid array"),
        ({"groups": ["etf", 3]}, "field groups.1: Input should be a valid string, got 3"),
    ],
)
def test_a_wrong_field_is_named_in_one_line(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        read(SessionPlan, OLD[SessionPlan] | change, "plan")
    line = str(caught.value)
    assert line.startswith(f"what task plan of this run left is no SessionPlan: {said}")
    assert "clear task plan and what follows it" in line
    assert "\n" not in line


def test_a_missing_field_and_nothing_at_all_are_named() -> None:
    with pytest.raises(InputError, match="field source_name is missing"):
        read(SessionPlan, {k: v for k, v in OLD[SessionPlan].items() if k != "source_name"}, "plan")
    with pytest.raises(InputError, match="task window of this run left nothing to read: clear task window"):
        read(BacktestPlan, None, "window")
    with pytest.raises(InputError, match="task run of this run left no list"):
        read_all(ScenarioFigures, None, "run")


def test_a_number_keeps_every_bit() -> None:
    figures = read(BacktestFigures, OLD[BacktestFigures], "backtest")
    assert figures.annual_return == 0.1 + 0.2
