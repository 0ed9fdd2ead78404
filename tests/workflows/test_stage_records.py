"""What a stage returned comes back from its record bit for bit."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from tests.market_builders import ASSETS, make_view, vector
from tests.properties.test_backtest_invariants import run
from trading_lib.decision import Decision
from trading_lib.portfolio.config import ConstraintConfig
from trading_lib.portfolio.constraints import constrain
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
    return [decision for _, decision, _ in run(6).decisions]


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


def test_the_names_of_what_lowered_a_weight_come_back() -> None:
    targets = constrain(make_view(), vector(0.1, GLD=0.7), np.zeros(ASSETS), ConstraintConfig())
    record = as_lists(targets_record(targets))
    record["clips"] = {symbol: list(names) for symbol, names in record["clips"].items()}
    assert targets.clips["GLD"] == ("max_weight", "cash_buffer")
    assert_same(targets, targets_from(record))
