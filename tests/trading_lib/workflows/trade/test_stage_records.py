"""What a stage returned comes back from its record bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from tests.builders.markets import ASSETS, UNIVERSE, make_view, vector
from tests.builders.runs import wild_run
from trading_lib.decision import Decision
from trading_lib.domain.decision.sleeves import SleeveRecord, SleeveTarget
from trading_lib.portfolio.config import ConstraintConfig
from trading_lib.portfolio.constraints import constrain
from trading_lib.workflows.trade.stage_records import (
    assessment_from,
    assessment_record,
    signals_from,
    signals_record,
    sleeves_from,
    targets_from,
    targets_record,
)


@pytest.fixture(scope="module")
def decisions() -> list[Decision]:
    return [decision for _, decision, _ in wild_run(6).decisions]


def as_lists(record: dict[str, Any]) -> dict[str, Any]:
    """What a store gives back for arrays: plain lists."""
    return {name: _plain(value) for name, value in record.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return as_lists(value)
    return value.tolist() if isinstance(value, np.ndarray) else value


def assert_same(one: Any, other: Any) -> None:
    for field in fields(one):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if field.name == "sleeves":
            assert_same_sleeves(mine, theirs)
        elif isinstance(mine, np.ndarray):
            assert mine.dtype == theirs.dtype, field.name
            assert mine.tobytes() == theirs.tobytes(), field.name
        else:
            assert mine == theirs or repr(mine) == repr(theirs), field.name


def assert_same_sleeves(one: Mapping[str, SleeveRecord], other: Mapping[str, SleeveRecord]) -> None:
    assert one.keys() == other.keys()
    for name, record in one.items():
        theirs = other[name]
        assert record.held.tobytes() == theirs.held.tobytes()
        assert record.target.weights.tobytes() == theirs.target.weights.tobytes()
        assert (record.budget, record.target.memory, record.target.events) == (
            theirs.budget,
            theirs.target.memory,
            theirs.target.events,
        )
        assert dict(record.target.rationale()) == dict(theirs.target.rationale())


def test_a_symbol_that_joined_the_universe_since_had_no_weight() -> None:
    record = SleeveRecord(SleeveTarget(np.array([0.1, 0.2]), memory={"months": 3.0}), np.array([0.3, 0.4]), 0.5)
    empty = constrain(make_view(), np.zeros(ASSETS), np.zeros(ASSETS), ConstraintConfig())
    stored = as_lists(targets_record(replace(empty, sleeves={"mine": record}), ("GLD", "TLT")))
    back = sleeves_from(stored, ("TLT", "SPY", "GLD"))["mine"]
    np.testing.assert_array_equal(back.target.weights, [0.2, 0.0, 0.1])
    np.testing.assert_array_equal(back.held, [0.4, 0.0, 0.3])
    assert back.target.memory == {"months": 3.0}


def test_every_stage_comes_back_as_it_was(decisions: list[Decision]) -> None:
    assert any(decision.assessment.effective_level for decision in decisions)
    assert any(np.isfinite(decision.assessment.ceilings).any() for decision in decisions)
    for decision in decisions:
        regime, signals = signals_from(as_lists(signals_record(decision.regime, decision.signals)))
        assert_same(decision.regime, regime)
        assert_same(decision.signals, signals)
        assert_same(decision.targets, targets_from(as_lists(targets_record(decision.targets, UNIVERSE.symbols))))
        assessment = decision.assessment
        record = as_lists(assessment_record(assessment))
        assert "next_state" not in record
        assert "events" not in record
        assert_same(assessment, assessment_from(record, assessment.next_state, list(assessment.events)))


def test_the_names_of_what_lowered_a_weight_come_back() -> None:
    targets = constrain(make_view(), vector(0.1, GLD=0.7), np.zeros(ASSETS), ConstraintConfig())
    record = as_lists(targets_record(targets, UNIVERSE.symbols))
    record["clips"] = {symbol: list(names) for symbol, names in record["clips"].items()}
    assert targets.clips["GLD"] == ("max_weight", "cash_buffer")
    assert_same(targets, targets_from(record))
