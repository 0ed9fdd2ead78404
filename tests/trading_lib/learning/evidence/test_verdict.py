"""Verdicts over scores whose worth is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from tests.builders.learning import SIGNAL, synthetic_dataset
from trading_lib.domain.errors import InputError
from trading_lib.learning.config import BookConfig, EvidenceConfig, LearningConfig
from trading_lib.learning.evidence.bootstrap import mean_difference_p
from trading_lib.learning.evidence.information import minimum_detectable_ic, newey_west_error, non_overlapping_error
from trading_lib.learning.evidence.nulls import NullTest, NullTests
from trading_lib.learning.evidence.overfitting import deflated_active_sharpe, trial_sharpes
from trading_lib.learning.evidence.verdict import MOMENTUM, Verdicts, judge
from trading_lib.performance.significance.deflated_sharpe import Trials

CONFIG = LearningConfig(evidence=EvidenceConfig(bootstrap_samples=400, overfitting_blocks=8))
DATA = synthetic_dataset(1200, assets=12, features=5, ic=0.3, seed=2)
PLANTED, PAST = (DATA.matrix(DATA.x[:, DATA.features.index(name)]) for name in (SIGNAL, "momentum_12_1"))
NOISE = np.random.default_rng(3).normal(size=PLANTED.shape)


@dataclass(frozen=True)
class Scores:
    paths: np.ndarray
    train: np.ndarray


def scores(values: np.ndarray, train: np.ndarray | None = None, paths: int = 2) -> Scores:
    return Scores(np.stack([values] * paths), (values if train is None else train)[None])


def compared(shuffled: float, rotated: float) -> NullTests:
    return NullTests(NullTest(shuffled, 0.1, np.zeros(30)), NullTest(rotated, 0.1, np.zeros(20)))


BASELINES = {
    MOMENTUM: scores(PAST, paths=1),
    "static_mean_rank": scores(np.tile(np.arange(12.0), (1200, 1)), paths=1),
    "equal_weight": scores(np.zeros(PLANTED.shape), paths=1),
}
MODELS = {"ridge": scores(PLANTED), "lightgbm": scores(NOISE, train=PLANTED)}
NULLS = {"ridge": compared(0.005, 0.01), "lightgbm": compared(0.6, 0.7)}


def verdicts(**changed: object) -> Verdicts:
    walk = {"ridge": scores(np.where(np.arange(1200)[:, None] < 200, np.nan, PLANTED), paths=1)}
    arguments = {"models": MODELS, "baselines": BASELINES, "walk_forward": walk, "nulls": NULLS, **changed}
    return judge(DATA, config=CONFIG, **arguments)  # type: ignore[arg-type]


FOUND = verdicts()


def test_a_model_that_knows_passes_and_one_that_knows_nothing_is_told_why_not() -> None:
    good, poor = FOUND.models["ridge"], FOUND.models["lightgbm"]
    assert good.found
    assert good.passed
    assert good.reasons == ()
    assert not poor.found
    assert not poor.passed
    assert [reason.split(" ")[0] for reason in poor.reasons] == ["IC", "labels", "labels", "not", "active"]
    assert poor.train_gap > 1.0
    assert good.train_gap == pytest.approx(0.0, abs=1e-9)


def test_figures_of_nulls_are_handed_on() -> None:
    good = FOUND.models["ridge"]
    assert (good.ic_null_p, good.timing_null_p, good.nulls) == (0.005, 0.01, (30, 20))
    without = verdicts(nulls={"ridge": NULLS["ridge"]}).models["lightgbm"]
    assert (without.ic_null_p, without.timing_null_p, without.nulls) == (None, None, (0, 0))
    assert not without.passed


def test_equal_weights_know_nothing_and_earn_nothing_over_themselves() -> None:
    whole = FOUND.baselines["equal_weight"]
    assert (whole["ic_mean"], whole["active_sharpe"]) == (0.0, 0.0)
    assert np.isnan(whole["ic_t_nw"])
    assert np.isfinite(whole["sharpe"])


def test_models_are_compared_with_the_best_baseline_in_coefficient_and_in_return() -> None:
    by_ic = {name: figures["ic_mean"] for name, figures in FOUND.baselines.items()}
    assert FOUND.best_baseline == max(by_ic, key=lambda name: by_ic[name])
    own, best = FOUND.tracks["lightgbm"], FOUND.tracks[FOUND.best_baseline]
    earning = FOUND.tracks[FOUND.best_earning_baseline]
    pairs = ((own.ic, best.ic), (own.active_return, earning.active_return))
    expected = max(mean_difference_p(one, other, 21, 400, CONFIG.seed).p_value for one, other in pairs)
    assert FOUND.models["lightgbm"].beats_baseline_p == expected > 0.1
    # A baseline that is as good as the model leaves nothing to be better at.
    same = verdicts(baselines={**BASELINES, "static_mean_rank": scores(PLANTED, paths=1)})
    assert same.best_baseline == "static_mean_rank"
    assert same.models["ridge"].beats_baseline_p == 1.0
    assert same.models["ridge"].found
    assert not same.models["ridge"].passed


def test_no_model_passes_while_a_baseline_of_lower_coefficient_earns_more() -> None:
    one = CONFIG.model_copy(update={"book": BookConfig(positions=1)})
    # It knows the best asset of every session and turns the order of all others round.
    standing = DATA.matrix(DATA.forward).argsort(axis=1).argsort(axis=1)
    earner = scores(np.where(standing == 11, 11.0, 10.0 - standing), paths=1)
    found = judge(DATA, MODELS, {**BASELINES, "static_mean_rank": earner}, one, {}, NULLS)
    assert found.baselines["static_mean_rank"]["ic_mean"] < 0.0
    assert (found.best_baseline, found.best_earning_baseline) == ("equal_weight", "static_mean_rank")
    assert judge(DATA, MODELS, BASELINES, one, {}, NULLS).models["ridge"].passed
    (reason,) = found.models["ridge"].reasons
    assert reason.startswith("not surely better than equal_weight (IC .000) in IC and than static_mean_rank in active")


def test_the_walk_forward_is_judged_from_its_first_score_on() -> None:
    ahead = FOUND.models["ridge"].walk_forward
    assert ahead.ic_mean == pytest.approx(np.nanmean(FOUND.tracks["ridge"].ic[200:]))
    assert np.isfinite(ahead.active_sharpe)
    assert np.isnan(FOUND.models["lightgbm"].walk_forward.ic_mean)
    assert np.isnan(FOUND.baselines[MOMENTUM]["walk_forward"]["ic_mean"])


def test_exposure_and_what_is_left_without_momentum() -> None:
    assert FOUND.models["ridge"].feature_exposure == (SIGNAL, pytest.approx(1.0))
    copied = verdicts(models={"ridge": scores(PAST)}).models["ridge"]
    assert copied.feature_exposure[0] == "momentum_12_1"
    assert copied.momentum_neutral_ic == 0.0
    without = verdicts(baselines={"equal_weight": BASELINES["equal_weight"]})
    assert np.isnan(without.models["ridge"].momentum_neutral_ic)


def test_what_can_be_detected_is_from_the_widest_error() -> None:
    series = [track.ic for track in FOUND.tracks.values()]
    errors = [newey_west_error(ics, 42) for ics in series] + [non_overlapping_error(ics, 21) for ics in series]
    assert FOUND.minimum_detectable_ic == pytest.approx(minimum_detectable_ic(np.nanmax(errors)))
    assert 0.03 < FOUND.minimum_detectable_ic < 0.3
    nothing = verdicts(models={}, baselines={"equal_weight": BASELINES["equal_weight"]})
    assert np.isnan(nothing.minimum_detectable_ic)


def test_trials_before_this_training_count() -> None:
    own = trial_sharpes({name: FOUND.tracks[name] for name in MODELS})
    assert FOUND.models["lightgbm"].deflated_sharpe == pytest.approx(
        deflated_active_sharpe(FOUND.tracks["lightgbm"], Trials(count=2, sharpes=own))
    )
    many = verdicts(trials=Trials(count=500, sharpes=(0.2, -0.1)))
    assert many.models["lightgbm"].deflated_sharpe == pytest.approx(
        deflated_active_sharpe(FOUND.tracks["lightgbm"], Trials(count=500, sharpes=(*own, 0.2, -0.1)))
    )
    better = FOUND.tracks["ridge"].active_return[:, None] + 0.01
    assert verdicts(earlier=better).models["ridge"].pbo < 0.01


def test_one_path_varies_over_nothing_that_is_known() -> None:
    one = verdicts(models={"ridge": replace(MODELS["ridge"], paths=PLANTED[None])}).models["ridge"]
    assert one.reasons == ("variance of the active Sharpe ratio over paths is not known",)


def test_without_a_baseline_there_is_no_verdict() -> None:
    with pytest.raises(InputError, match="no baseline"):
        verdicts(baselines={})
