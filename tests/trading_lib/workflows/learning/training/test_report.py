"""The report of a training has plain values alone, and its table says plainly what passes."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from tests.environment.finished_training import evidence
from trading_lib.workflows.learning.training.report import plain_values, training_lines


def report(passed: bool, registered: list[dict[str, Any]]) -> dict[str, Any]:
    figures = evidence(0.061, passed).report()
    baseline = {"ic_mean": 0.076, "ic_t_nw": 2.7, "ic_t_nonoverlap": 2.4, "sharpe": 0.91, "active_sharpe": 0.46}
    plain: dict[str, Any] = plain_values(
        {
            "data_source": "files:prices",
            "from": "2007-01-03",
            "to": "2022-12-30",
            "sessions": 4007,
            "assets": 15,
            "rows": 58164,
            "features": ["momentum_12_1"],
            "window": "expanding",
            "splits": 15,
            "paths": 5,
            "costs": {"positions": 5, "tranches": 21, "rate": 0.001, "lag": 1},
            "trials": {"count": 4, "source": "this training alone"},
            "models": {"ridge": figures},
            "baselines": {"momentum_12_1": {**baseline, "walk_forward": {"ic_mean": math.nan, "active_sharpe": 0.7}}},
            "minimum_detectable_ic": 0.079,
            "registered": registered,
            "notes": ["a note"],
            "elapsed_seconds": 12.3,
        }
    )
    return plain


def test_what_json_has_no_word_for_is_null() -> None:
    values = {"a": math.nan, "b": (np.float64(1.5), np.int64(2), -math.inf), "c": np.array([np.nan, 1.0]), "d": True}
    assert plain_values(values) == {"a": None, "b": [1.5, 2, None], "c": [None, 1.0], "d": True}
    assert json.loads(json.dumps(plain_values(evidence()), allow_nan=False))["pbo"] is None


def test_the_table_has_models_beside_baselines_and_a_dash_for_what_is_not_known() -> None:
    lines = training_lines(report(False, []))
    ridge, momentum = (line.split() for line in lines[3:5])
    assert ridge[:4] == ["ridge", "0.061", "3.1", "2.9"]
    assert ridge[-1] == "-"
    assert momentum[:4] == ["momentum_12_1", "0.076", "2.7", "2.4"]
    assert "-" in momentum
    assert len(lines[2]) == len(lines[3])


def test_reasons_and_notes_are_told_and_plainly_that_nothing_passes() -> None:
    lines = training_lines(report(False, []))
    assert "  ridge: mean IC below 0.03" in lines
    assert "  a note" in lines
    assert "  nothing passes: models stay off" in lines


def test_what_passed_is_told_with_its_version_or_that_nothing_was_registered() -> None:
    registered = [{"version": 3, "model": "ridge", "sha256": "aa", "new": True}]
    assert "  passed: ridge; registered: ridge as version 3" in training_lines(report(True, registered))
    assert "  passed: ridge; nothing was registered" in training_lines(report(True, []))
