"""Configuration of the models; include/config/learning.yaml."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from trading_lib.domain.configuration import Configuration


class Window(StrEnum):
    """What a model learns from: everything up to the cut, or the years before it."""

    EXPANDING = "expanding"
    THREE_YEARS = "3y"


class Thresholds(StrEnum):
    """Which thresholds of the lifecycle act; the others are reported beside them."""

    DESIGN = "design"
    CALIBRATED = "calibrated"


class LabelConfig(Configuration):
    """The label: the rank of the forward return within the session.

    Attributes
    ----------
    horizon
        Sessions of the forward return.
    minimum_assets
        A session with fewer labelled assets is not learned from; a rank of seven says little.
    """

    horizon: int = Field(21, ge=1)
    minimum_assets: int = Field(8, ge=3)


class SplitConfig(Configuration):
    """Combinatorial purged cross-validation over sessions (Lopez de Prado 2018, chapters 7 and 12).

    Attributes
    ----------
    folds, test_folds
        Folds the sessions are cut into, and how many of them test at a time.
    purge, embargo
        Sessions left out on both sides of each contiguous test block, and after it besides.
    walk_forward_folds
        Folds of the expanding walk-forward beside it.
    """

    folds: int = Field(6, ge=6)
    test_folds: int = Field(2, ge=2)
    purge: int = Field(21, ge=0)
    embargo: int = Field(5, ge=0)
    walk_forward_folds: int = Field(5, ge=1)

    @model_validator(mode="after")
    def _leaves_something_to_train(self) -> Self:
        if self.test_folds >= self.folds:
            raise ValueError("test_folds must be below folds, or nothing is left to train on")
        return self


class RidgeConfig(Configuration):
    """Ridge regression.

    Attributes
    ----------
    penalty
        Per row of the training part. A Bayesian's penalty is ``p (1 - R2) / R2`` independent rows for p features that
        explain R2 together; labels of 21 sessions overlap, so that only every 21st row is independent. An information
        coefficient of .10 and 27 features make that about the number of rows.
    """

    penalty: float = Field(1.0, gt=0)


class LightgbmConfig(Configuration):
    """Gradient-boosted trees by LightGBM; few leaves, as there are few independent rows."""

    leaves: int = Field(7, ge=2, le=8)
    rounds: int = Field(150, ge=1, le=2000)
    learning_rate: float = Field(0.03, gt=0, le=1)
    minimum_rows: int = Field(200, ge=1)
    feature_share: float = Field(0.7, gt=0, le=1)


class XgboostConfig(Configuration):
    """Gradient-boosted trees by XGBoost."""

    depth: int = Field(3, ge=1, le=3)
    rounds: int = Field(150, ge=1, le=2000)
    learning_rate: float = Field(0.03, gt=0, le=1)
    minimum_weight: float = Field(200.0, ge=0)
    feature_share: float = Field(0.7, gt=0, le=1)


class BookConfig(Configuration):
    """The book that scores are turned into to be judged in money.

    Attributes
    ----------
    positions
        How many of the highest scores are bought, in equal weights.
    tranches
        The capital is split over as many overlapping holdings, one of which is renewed each session.
    lag
        Sessions between a score and the first return it earns; 1 is the next session's.
    cost_rate
        Cost of each dollar traded.
    """

    positions: int = Field(5, ge=1)
    tranches: int = Field(21, ge=1)
    lag: int = Field(1, ge=1)
    cost_rate: float = Field(0.001, ge=0, lt=0.1)


class EvidenceConfig(Configuration):
    """What a model has to show before it is registered.

    Attributes
    ----------
    minimum_ic
        Mean information coefficient over the paths.
    significance
        Level of both null tests and of the comparison with the best untrained baselines.
    null_exceedances, most_nulls
        A null distribution is drawn until so many of its draws exceed the model, at the most so many times.
    train_gap
        Largest difference between the annualised active Sharpe ratio in training and in validation.
    path_variance
        Largest variance of the active Sharpe ratio over the paths.
    newey_west_lags
        Lags of the standard error of a mean of daily information coefficients.
    bootstrap_samples
        Paths of the block bootstrap.
    overfitting_blocks
        Blocks of the combinatorially symmetric cross-validation.
    """

    minimum_ic: float = Field(0.03, ge=0, lt=1)
    significance: float = Field(0.05, gt=0, lt=0.5)
    null_exceedances: int = Field(10, ge=1)
    most_nulls: int = Field(200, ge=20)
    train_gap: float = Field(0.5, gt=0)
    path_variance: float = Field(0.25, gt=0)
    newey_west_lags: int = Field(42, ge=1)
    bootstrap_samples: int = Field(2000, ge=100)
    overfitting_blocks: int = Field(16, ge=2)

    @model_validator(mode="after")
    def _halves(self) -> Self:
        if self.overfitting_blocks % 2:
            raise ValueError("overfitting_blocks must be even, as they are halved")
        return self


class LifecycleConfig(Configuration):
    """When a model is retrained, replaced and retired.

    Attributes
    ----------
    thresholds
        `Thresholds`: which of them act.
    month_end
        Retrain at each month's last session.
    spacing
        Fewest sessions between two retrainings.
    ic_warning, ic_warning_sessions, ic_window
        The design's: retrain when the mean information coefficient over ``ic_window`` sessions is below ``ic_warning``
        on so many sessions in a row.
    ic_retire, ic_retire_sessions
        The design's: retire when the information coefficient is below it on so many sessions in a row.
    ks_warning, ks_critical, ks_recent
        The design's: distance of the recent sessions' features from the training's (Kolmogorov-Smirnov).
    calibration_quantile
        The calibrated thresholds: this quantile of the same statistic at past dates.
    false_retirements
        Healthy models that the calibrated rule may retire in ten years, as expected from the model's own past.
    better_by, better_p
        A challenger becomes champion when its information coefficient is higher by more than the one, with a p-value
        below the other.
    oldest
        A model whose training ended more sessions ago abstains.
    outside_share
        It abstains on an asset when more than this share of its features lies outside the training range.
    least_share
        A feature below this share of importance in two trainings is dropped.
    """

    thresholds: Thresholds = Thresholds.CALIBRATED
    month_end: bool = True
    spacing: int = Field(5, ge=0)
    ic_warning: float = 0.02
    ic_warning_sessions: int = Field(10, ge=1)
    ic_window: int = Field(20, ge=2)
    ic_retire: float = 0.0
    ic_retire_sessions: int = Field(30, ge=1)
    ks_warning: float = Field(0.1, gt=0, lt=1)
    ks_critical: float = Field(0.2, gt=0, lt=1)
    ks_recent: int = Field(20, ge=5)
    calibration_quantile: float = Field(0.99, gt=0.5, lt=1)
    false_retirements: float = Field(0.25, gt=0, lt=1)
    better_by: float = Field(0.01, ge=0)
    better_p: float = Field(0.05, gt=0, lt=0.5)
    oldest: int = Field(63, ge=1)
    outside_share: float = Field(0.25, ge=0, le=1)
    least_share: float = Field(0.05, ge=0, lt=1)


class LearningConfig(Configuration):
    """learning.yaml.

    Attributes
    ----------
    seed
        Of everything random; the libraries of the trees keep it in 32 bits with a sign.
    leave_out
        Features that are not learned from; a scheduled training adds those that were weak in the two before it.
    """

    window: Window = Window.EXPANDING
    seed: int = Field(7, ge=0, lt=2**31)
    leave_out: tuple[str, ...] = ()
    models: tuple[str, ...] = ("ridge", "lightgbm", "xgboost", "ensemble")
    label: LabelConfig = LabelConfig()
    splits: SplitConfig = SplitConfig()
    ridge: RidgeConfig = RidgeConfig()
    lightgbm: LightgbmConfig = LightgbmConfig()
    xgboost: XgboostConfig = XgboostConfig()
    book: BookConfig = BookConfig()
    evidence: EvidenceConfig = EvidenceConfig()
    lifecycle: LifecycleConfig = LifecycleConfig()

    @property
    def digest(self) -> str:
        """Name of everything a training goes by; when a model is replaced trains none."""
        content = self.model_dump_json(exclude={"lifecycle"})
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.splits.purge < self.label.horizon:
            raise ValueError(
                f"splits.purge {self.splits.purge} is shorter than label.horizon {self.label.horizon}: "
                "labels of the training part would end inside the test part"
            )
        known = ("ridge", "lightgbm", "xgboost", "ensemble")
        unknown = [name for name in self.models if name not in known]
        if unknown or not self.models or len(set(self.models)) < len(self.models):
            raise ValueError(f"models must name some of {', '.join(known)}, each once")
        if "ensemble" in self.models and len(self.models) < 3:
            raise ValueError("an ensemble needs at least two other models")
        return self
