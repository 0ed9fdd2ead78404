"""Every criterion of passing, one at a time, and the sentence it answers with."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from trading_lib.learning.config import EvidenceConfig
from trading_lib.learning.evidence.criteria import detected, reasons_against
from trading_lib.learning.evidence.model_evidence import ModelEvidence, WalkForwardEvidence

GOOD = ModelEvidence(
    ic_mean=0.08,
    ic_t_nw=4.0,
    ic_t_nonoverlap=3.0,
    ic_by_path=(0.07, 0.09),
    sharpe_by_path=(1.0, 1.1),
    active_sharpe_by_path=(0.6, 0.7),
    walk_forward=WalkForwardEvidence(0.06, 0.5),
    train_gap=0.4,
    ic_null_p=0.005,
    timing_null_p=0.02,
    beats_baseline_p=0.03,
)


def reasons(**changed: Any) -> tuple[str, ...]:
    return reasons_against(replace(GOOD, **changed), EvidenceConfig(), "momentum_12_1", 0.076, "static_mean_rank")


def test_a_model_that_meets_every_criterion_passes() -> None:
    assert reasons() == ()
    assert reasons(ic_mean=0.03, train_gap=0.5, active_sharpe_by_path=(0.0, 0.7)) == ()
    # A validation better than the training is luck, and nothing learned by heart.
    assert reasons(train_gap=-2.0) == ()


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"ic_mean": 0.026}, "IC .026 is below .030"),
        ({"ic_mean": -0.02}, "IC -.020 is below .030"),
        ({"ic_mean": math.nan}, "IC is not known: no session has enough scored assets"),
        (
            {"ic_null_p": 0.05},
            "labels shuffled within sessions reach its IC in 5 % of draws: it may have learned noise",
        ),
        (
            {"timing_null_p": 0.35},
            "labels rotated in time reach its IC in 35 % of draws: it learned which assets did well, not when",
        ),
        ({"ic_null_p": None}, "no model with labels shuffled within sessions was trained to compare it with"),
        (
            {"beats_baseline_p": 0.41},
            "not surely better than momentum_12_1 (IC .076) in IC and than static_mean_rank in active return: p 0.41",
        ),
        (
            {"train_gap": 1.2},
            "active Sharpe ratio in training is 1.20 above that in validation, more than .50: "
            "it learned its sessions by heart",
        ),
        ({"train_gap": math.nan}, "active Sharpe ratio in training is not known"),
        (
            {"active_sharpe_by_path": (-1.0, 1.0)},
            "active Sharpe ratio varies by 2.00 over the paths, more than .25: "
            "it depends on which sessions it was trained on",
        ),
        ({"active_sharpe_by_path": (0.6,)}, "variance of the active Sharpe ratio over paths is not known"),
    ],
)
def test_one_criterion_that_is_not_met_is_one_sentence(changed: dict[str, Any], sentence: str) -> None:
    assert reasons(**changed) == (sentence,)


def test_a_model_that_may_know_nothing_is_not_said_to_know_who_did_well() -> None:
    assert reasons(ic_null_p=0.6, timing_null_p=0.7)[1] == (
        "labels rotated in time reach its IC in 70 % of draws: it does not know when either"
    )


def test_the_bounds_are_those_of_the_configuration() -> None:
    strict = EvidenceConfig(minimum_ic=0.1, significance=0.001, train_gap=0.1, path_variance=0.001)
    assert len(reasons_against(GOOD, strict, "momentum_12_1", 0.076, "static_mean_rank")) == 6


def test_what_neither_null_explains_is_found_even_where_it_does_not_pass() -> None:
    worse_than_a_baseline = replace(GOOD, beats_baseline_p=0.9, train_gap=3.0, active_sharpe_by_path=(-1.0, 1.0))
    assert detected(worse_than_a_baseline, EvidenceConfig())


@pytest.mark.parametrize(
    "changed",
    [{"ic_mean": 0.029}, {"ic_mean": math.nan}, {"ic_null_p": 0.05}, {"timing_null_p": 0.2}, {"ic_null_p": None}],
)
def test_what_is_small_or_explained_by_a_null_is_not_found(changed: dict[str, Any]) -> None:
    assert not detected(replace(GOOD, **changed), EvidenceConfig())
