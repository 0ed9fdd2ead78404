"""The short form of `make models`: two seeds of each world, ridge alone; and the evidence of the whole."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.builders.settings import make_settings
from tests.campaigns.evidence import COVERED, read_evidence
from tests.campaigns.models.campaign import (
    ALL,
    LEAST_FOUND,
    MOST_NOISE,
    NOISE_SEEDS,
    PLANTED_SEEDS,
    SMALL_IC,
    TESTS,
    counted,
    findings,
    worlds,
)
from tests.campaigns.models.leaks import FROM_ELSEWHERE, OF_ROWS, OWN, of_datasets, of_own_columns
from tests.campaigns.models.worlds import judge_world
from trading_lib.learning.config import LearningConfig
from trading_lib.learning.evidence.nulls import mean_ic
from trading_lib.learning.models.baselines import Momentum, StaticMeanRank
from trading_lib.learning.splits.combinatorial import combinatorial_plan
from trading_lib.learning.splits.cross_validation import cross_validate
from trading_lib.workflows.learning.data import training_data

pytestmark = pytest.mark.no_cover
SEEDS = range(2)


@pytest.fixture(scope="module")
def short() -> dict[str, Any]:
    return counted([judge_world(world) for world in worlds(SEEDS, SEEDS, ("ridge",), noise_years=[16])])


def test_two_worlds_of_noise_pass_nothing_and_two_planted_signals_are_found(short: dict[str, Any]) -> None:
    assert findings(short) == []
    noise, planted = short["noise_16_years"]["models"]["ridge"], short["planted"]["models"]["ridge"]
    assert noise["passed"] == noise["found"] == 0
    assert planted["found"] == 2
    assert min(planted["ic"]) > 0.05
    assert max(map(abs, short["planted"]["baseline_ic"]["momentum_12_1"])) < 0.06


def test_half_of_it_over_three_years_is_told_to_be_below_what_can_be_detected(short: dict[str, Any]) -> None:
    assert min(short["small"]["minimum_detectable_ic"]) > SMALL_IC
    assert max(short["planted"]["minimum_detectable_ic"]) < min(short["small"]["minimum_detectable_ic"])


def test_a_finding_is_told_in_a_line_each(short: dict[str, Any]) -> None:
    said = {"planted": short["noise_16_years"], "small": short["planted"]}
    lines = findings(said)
    assert "no model finds more than 0 of 2 planted coefficients" in lines
    assert f"{SMALL_IC} over three years is said to be detectable" in lines
    many = {"years": 3, "models": {"ridge": {"passed": 1, "tests": dict.fromkeys(TESTS, MOST_NOISE + 1)}}}
    assert findings({"noise_3_years": many}) == [
        "noise_3_years: noise passes as ridge",
        *(f"noise_3_years, ridge: 5 worlds pass {test}" for test in TESTS[1:]),
    ]
    assert "noise, ridge: 5 worlds pass least_ic" in findings({"noise": many | {"years": 16}})


def test_a_column_that_knows_the_label_is_refused_wherever_it_comes_from() -> None:
    lines = {**of_datasets(), **of_own_columns()}
    assert lines.keys() == {*OF_ROWS, *OWN, FROM_ELSEWHERE}
    for name, line in lines.items():
        assert "feature mine is a leak" in line, name


def test_untrained_baselines_of_real_prices_show_what_they_always_showed(
    shared_market_data: Path, tmp_path: Path
) -> None:
    config = LearningConfig()
    settings = make_settings("", tmp_path)
    data = training_data(settings, date(2007, 1, 3), date(2022, 12, 30), shared_market_data).dataset
    plan = combinatorial_plan(data, config.splits)
    scores = cross_validate(data, plan, [Momentum(), StaticMeanRank()], config.seed, processes=1)
    found = {kind: mean_ic(one.paths, data, config.label.minimum_assets) for kind, one in scores.items()}
    assert found == {
        "momentum_12_1": pytest.approx(0.076, abs=0.01),
        "static_mean_rank": pytest.approx(0.077, abs=0.01),
    }


@pytest.fixture
def evidence() -> dict[str, Any]:
    if "model_evidence" not in COVERED:
        pytest.skip("model_evidence has not been run in full yet")
    return read_evidence("model_evidence")


def test_of_twenty_worlds_of_noise_none_passes_and_few_pass_a_single_test(evidence: dict[str, Any]) -> None:
    groups = {name: group for name, group in evidence.items() if name.startswith("noise")}
    assert "noise_16_years" in groups
    assert evidence["models"] == list(ALL)
    for group in groups.values():
        assert group["seeds"] == list(NOISE_SEEDS)
        assert [model["passed"] for model in group["models"].values()] == [0] * len(ALL)
    assert evidence["findings"] == []


def test_a_planted_signal_is_found_in_nine_of_ten_worlds(evidence: dict[str, Any]) -> None:
    assert evidence["planted"]["seeds"] == list(PLANTED_SEEDS)
    assert evidence["planted"]["years"] == 16
    assert max(model["found"] for model in evidence["planted"]["models"].values()) >= LEAST_FOUND


def test_a_small_one_over_three_years_was_always_below_what_can_be_detected(evidence: dict[str, Any]) -> None:
    assert evidence["small"]["seeds"] == list(PLANTED_SEEDS)
    assert min(evidence["small"]["minimum_detectable_ic"]) > SMALL_IC
