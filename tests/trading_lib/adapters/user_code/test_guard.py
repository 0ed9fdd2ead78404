"""What a strategy of one's own answers is checked in one place, so that every way through a run judges it alike."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from trading_lib.adapters.user_code.guard import NoExit, ProcessEndedError, answer_problem, guarded
from trading_lib.domain.decision.sleeves import SLEEVE_FAULT, SleeveEvent, SleeveTarget
from trading_lib.domain.errors import ConfigurationError

WEIGHTS = np.array([0.5, 0.5])


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (pd.Series(WEIGHTS), "not Series"),
        (np.ma.masked_array(WEIGHTS, mask=[True, False]), "not MaskedArray"),
        (np.zeros(2, dtype=int), "not int64 of shape (2,)"),
        (np.zeros(3), "not float64 of shape (3,)"),
        ([0.5, 0.5], "not list"),
    ],
)
def test_a_plan_is_a_plain_array_or_nothing(answer: Any, told: str) -> None:
    assert answer_problem(answer, "plan", 2) == f"plan must answer with 2 float64 weights or None, {told}"
    assert answer_problem(WEIGHTS, "plan", 2) == ""
    assert answer_problem(None, "plan", 2) == ""


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"memory": {"peak": float("nan")}}, "its memory holds 'peak': nan"),
        ({"memory": {"last": "GLD"}}, "its memory holds 'last': 'GLD'"),
        ({"memory": {3: 1.0}}, "its memory holds 3: 1.0"),
        ({"memory": {"past": WEIGHTS}}, "its memory holds 'past': float64 of shape (2,)"),
        ({"events": ("defence",)}, "its events hold 'defence', which is no SleeveEvent"),
        ({"events": (SleeveEvent("defence", None),)}, "which is no SleeveEvent of texts"),  # type: ignore[arg-type]
        ({"events": (SleeveEvent(SLEEVE_FAULT, "nothing"),)}, "which is the system's own"),
        ({"weights": np.ma.masked_array(WEIGHTS)}, "its weights must be a plain array, not MaskedArray"),
    ],
)
def test_a_target_holds_only_what_can_be_stored(parts: Mapping[str, Any], told: str) -> None:
    assert told in answer_problem(SleeveTarget(**{"weights": WEIGHTS, **parts}), "target", 2)


def test_numbers_and_events_are_no_problem() -> None:
    target = SleeveTarget(WEIGHTS, memory={"peak": 1.0, "days": 3}, events=(SleeveEvent("defence", "it falls"),))
    assert answer_problem(target, "target", 2) == ""


def _failing(name: str) -> Callable[..., Any]:
    method = "plan" if name == "monthly" else "target"
    return type("Own", (), {name: property(lambda own: 1 / 0), method: lambda own, *views: None})


@pytest.mark.parametrize("name", ["monthly", "hedges"])
def test_an_attribute_that_raises_is_a_strategy_that_cannot_be_created(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"strategy own\.py:Own cannot be created from {}: ZeroDivisionError"):
        guarded(_failing(name), "own.py:Own", Path(), 10.0)()


def test_an_end_of_the_process_is_withheld_from_the_guarded_thread_alone() -> None:
    before, entered, leave = os._exit, threading.Event(), threading.Event()

    def guard_for_long() -> None:
        with NoExit():
            entered.set()
            leave.wait()

    other = threading.Thread(target=guard_for_long)
    with NoExit():
        other.start()
        entered.wait()
        with pytest.raises(ProcessEndedError):
            os._exit(0)
    assert not NoExit.holds_here()
    leave.set()
    other.join()
    assert os._exit is before
