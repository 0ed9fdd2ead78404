"""Has a model earned its place? Input: scores out of sample, null tests. Output: `Verdicts`, evidence by model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from trading_lib.domain.errors import InputError
from trading_lib.domain.market.prices import FloatArray
from trading_lib.learning.config import LearningConfig
from trading_lib.learning.dataset import Dataset
from trading_lib.learning.evidence.bootstrap import mean_difference_p
from trading_lib.learning.evidence.criteria import detected, reasons_against
from trading_lib.learning.evidence.exposure import feature_exposure, neutral_ic, pooled_scores
from trading_lib.learning.evidence.information import (
    mean_known,
    minimum_detectable_ic,
    newey_west_error,
    newey_west_t,
    non_overlapping_error,
    non_overlapping_t,
)
from trading_lib.learning.evidence.model_evidence import ModelEvidence, WalkForwardEvidence
from trading_lib.learning.evidence.nulls import NullTests
from trading_lib.learning.evidence.overfitting import active_overfitting, deflated_active_sharpe, trial_sharpes
from trading_lib.learning.evidence.track import Scored, Track, follow, train_sharpe
from trading_lib.learning.models.baselines import MOMENTUM
from trading_lib.performance.significance.deflated_sharpe import Trials


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What a training showed.

    Attributes
    ----------
    models
        Evidence by model.
    baselines
        Figures by untrained baseline: ic_mean, ic_t_nw, ic_t_nonoverlap, sharpe, active_sharpe and walk_forward.
    best_baseline
        The baseline with the highest information coefficient, which models' coefficients are compared with. To beat
        the best of three is harder than to beat one named beforehand: the test errs on the side of no.
    best_earning_baseline
        The baseline with the highest mean active return, which models' active returns are compared with.
    minimum_detectable_ic
        Smallest true information coefficient that sessions as many and as dependent as these show, at the configured
        significance and a power of .8; from the largest standard error of a model or baseline, by Newey and West or
        over sessions a horizon apart. NaN where none varies.
    tracks
        Information coefficients and returns by session, of models and baselines; for pictures.
    """

    models: Mapping[str, ModelEvidence]
    baselines: Mapping[str, Mapping[str, Any]]
    best_baseline: str
    best_earning_baseline: str
    minimum_detectable_ic: float
    tracks: Mapping[str, Track]


def judge(
    data: Dataset,
    models: Mapping[str, Scored],
    baselines: Mapping[str, Scored],
    config: LearningConfig,
    walk_forward: Mapping[str, Scored],
    nulls: Mapping[str, NullTests],
    trials: Trials | None = None,
    earlier: FloatArray | None = None,
) -> Verdicts:
    """Judge models against nothing, against what needs no training, and against their own training.

    Parameters
    ----------
    models, baselines
        Scores from combinatorial cross-validation, by name. The baseline `MOMENTUM` is also what
        `ModelEvidence.momentum_neutral_ic` is neutral to.
    walk_forward
        Scores of the same from the walk-forward, one path each; a name that is missing has NaN there.
    nulls
        Both null tests of each model; a model without does not pass.
    trials
        How many models were tried on these sessions, these included, and active Sharpe ratios per period of those that
        are not here. None counts these alone.
    earlier
        Active returns of earlier trials over the dataset's sessions, shape (S, k).

    Raises
    ------
    InputError
        Without a baseline to compare with.
    """
    if not baselines:
        raise InputError("no baseline to compare models with", "score momentum_12_1, static_mean_rank or equal_weight")
    least = config.label.minimum_assets
    scored = {**baselines, **models}
    tracks = {name: follow(one.paths, data, config.book, least) for name, one in scored.items()}
    ahead = {name: follow(one.paths, data, config.book, least) for name, one in walk_forward.items() if name in scored}
    best = max(baselines, key=lambda name: _or(tracks[name].ic_mean, -math.inf))
    earning = max(baselines, key=lambda name: _or(mean_known(tracks[name].active_return), -math.inf))
    counted = _count({name: tracks[name] for name in models}, trials)
    pbo = active_overfitting(tracks, earlier, config.evidence.overfitting_blocks)
    momentum = baselines[MOMENTUM].paths[0] if MOMENTUM in baselines else None
    found = {}
    for name, one in models.items():
        evidence = replace(
            _evidence(tracks[name], ahead.get(name), one.train, data, config),
            pbo=pbo,
            deflated_sharpe=deflated_active_sharpe(tracks[name], counted),
            beats_baseline_p=beats_p(tracks[name], tracks[best], tracks[earning], config),
            **_exposure(one.paths, momentum, data, least),
            **_null_figures(nulls.get(name)),
        )
        against = reasons_against(evidence, config.evidence, best, tracks[best].ic_mean, earning)
        there = detected(evidence, config.evidence)
        found[name] = replace(evidence, found=there, passed=not against, reasons=against)
    return Verdicts(
        models=found,
        baselines={name: _baseline(tracks[name], ahead.get(name), config) for name in baselines},
        best_baseline=best,
        best_earning_baseline=earning,
        minimum_detectable_ic=minimum_detectable_ic(_widest_error(tracks, config), config.evidence.significance),
        tracks=tracks,
    )


def beats_p(track: Track, best: Track, earning: Track, config: LearningConfig) -> float:
    """p-value that it is no better: the larger of that in coefficient than ``best`` and in return than ``earning``."""
    pairs = ((track.ic, best.ic), (track.active_return, earning.active_return))
    samples, horizon = config.evidence.bootstrap_samples, config.label.horizon
    return max(mean_difference_p(own, other, horizon, samples, config.seed).p_value for own, other in pairs)


def _evidence(
    track: Track, ahead: Track | None, train: FloatArray, data: Dataset, config: LearningConfig
) -> ModelEvidence:
    active = track.active_sharpe_by_path
    return ModelEvidence(
        ic_mean=track.ic_mean,
        ic_t_nw=newey_west_t(track.ic, config.evidence.newey_west_lags),
        ic_t_nonoverlap=non_overlapping_t(track.ic, config.label.horizon),
        ic_by_path=track.ic_by_path,
        sharpe_by_path=track.sharpe_by_path,
        active_sharpe_by_path=active,
        walk_forward=_walk_forward(ahead),
        train_gap=train_sharpe(train, data, config.book) - float(np.mean(active)),
    )


def _baseline(track: Track, ahead: Track | None, config: LearningConfig) -> dict[str, Any]:
    """Figures of a baseline. Equal weights tell no asset from another: coefficient and active return are 0."""
    forward = _walk_forward(ahead)
    return {
        "ic_mean": track.ic_mean,
        "ic_t_nw": newey_west_t(track.ic, config.evidence.newey_west_lags),
        "ic_t_nonoverlap": non_overlapping_t(track.ic, config.label.horizon),
        "sharpe": float(np.mean(track.sharpe_by_path)),
        "active_sharpe": float(np.mean(track.active_sharpe_by_path)),
        "walk_forward": {"ic_mean": forward.ic_mean, "active_sharpe": forward.active_sharpe},
    }


def _walk_forward(ahead: Track | None) -> WalkForwardEvidence:
    if ahead is None:
        return WalkForwardEvidence(math.nan, math.nan)
    return WalkForwardEvidence(ahead.ic_mean, float(np.mean(ahead.active_sharpe_by_path)))


def _widest_error(tracks: Mapping[str, Track], config: LearningConfig) -> float:
    found = []
    for track in tracks.values():
        found.append(newey_west_error(track.ic, config.evidence.newey_west_lags))
        found.append(non_overlapping_error(track.ic, config.label.horizon))
    return max((error for error in found if error > 0.0), default=math.nan)


def _exposure(paths: FloatArray, momentum: FloatArray | None, data: Dataset, least: int) -> dict[str, Any]:
    scores = pooled_scores(paths)
    neutral = math.nan if momentum is None else neutral_ic(scores, momentum, data, least)
    return {"feature_exposure": feature_exposure(scores, data, least), "momentum_neutral_ic": neutral}


def _null_figures(tests: NullTests | None) -> dict[str, Any]:
    if tests is None:
        return {}
    return {
        "ic_null_p": tests.shuffled.p_value,
        "timing_null_p": tests.rotated.p_value,
        "nulls": (tests.shuffled.draws, tests.rotated.draws),
    }


def _count(models: Mapping[str, Track], trials: Trials | None) -> Trials:
    own = trial_sharpes(models)
    known = Trials(count=len(models)) if trials is None else trials
    return replace(known, count=max(known.count, len(models), 1), sharpes=(*own, *known.sharpes))


def _or(value: float, otherwise: float) -> float:
    return value if math.isfinite(value) else otherwise
