"""What a stage returned comes back from its record bit for bit."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from typing import Any

import numpy as np
import pytest

from tests.market_builders import backtest_input, market_of, random_bars
from trading_lib.backtest.engine import run_backtest
from trading_lib.decision import Decision
from trading_lib.workflows.stage_records import (
    assessment_from,
    assessment_record,
    signals_from,
    signals_record,
    targets_from,
    targets_record,
)


@pytest.fixture(scope="module")
def decisions() -> list[Decision]:
    crashes = {date(2022, 1, 5): 0.9, date(2022, 1, 12): 0.9, date(2022, 3, 9): 0.9}
    bars = random_bars(date(2021, 1, 4), date(2022, 6, 30), seed=6, daily_volatility=0.03, crashes=crashes)
    market = market_of(bars)
    found: list[Decision] = []
    run_backtest(backtest_input(market), date(2021, 11, 1), date(2022, 6, 30), lambda *seen: found.append(seen[1]))
    return found


def as_lists(record: dict[str, Any]) -> dict[str, Any]:
    """What a store gives back for arrays: plain lists."""
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in record.items()}


def assert_same(one: Any, other: Any) -> None:
    for field in fields(one):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if isinstance(mine, np.ndarray):
            assert mine.dtype == theirs.dtype, field.name
            assert mine.tobytes() == theirs.tobytes(), field.name
        else:
            assert mine == theirs or repr(mine) == repr(theirs), field.name


def test_every_stage_comes_back_as_it_was(decisions: list[Decision]) -> None:
    assert any(decision.assessment.effective_level for decision in decisions)
    assert any(np.isfinite(decision.assessment.ceilings).any() for decision in decisions)
    assert any(decision.targets.clips for decision in decisions)
    for decision in decisions:
        regime, signals = signals_from(as_lists(signals_record(decision.regime, decision.signals)))
        assert_same(decision.regime, regime)
        assert_same(decision.signals, signals)
        assert_same(decision.targets, targets_from(as_lists(targets_record(decision.targets))))
        assessment = decision.assessment
        record = as_lists(assessment_record(assessment))
        assert "next_state" not in record
        assert "events" not in record
        assert_same(assessment, assessment_from(record, assessment.next_state, list(assessment.events)))
