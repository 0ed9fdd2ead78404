"""What would a model show that cannot know anything? Null models: the same training on labels that say nothing.

Two questions, two ways to take the meaning out of labels:

- *shuffled*: who earned what is shuffled among the assets, so that a model learns noise. It is judged on the true
  labels, as its rival was: what it happens to like (volatile assets, say) may have done well for years, and that is
  luck a real model may have had as well. (Judged on the shuffled labels, null coefficients of the daily funds spread
  by .005; on the true ones by .032.) One shuffle serves a block of sessions, because labels that overlap are alike
  over a horizon, and slow features can learn that.
- *rotated*: all labels move to other sessions. Who did well on the whole stays, and so does everything that labels
  have in common with each other; only when is lost. The model is trained and judged on the rotated labels, a world
  that might have been. They move by more than a year both ways: features look back a year, and would see a label that
  was moved into it (a coefficient of .65 where it moved by two months).

p-values are sequential, Besag and Clifford 1991, "Sequential Monte Carlo p-values", Biometrika 78: worthless models
take a dozen draws, good ones all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from trading_lib.domain.market.prices import FloatArray
from trading_lib.learning.config import EvidenceConfig, LearningConfig
from trading_lib.learning.dataset import Dataset
from trading_lib.learning.evidence.information import mean_known, mean_over_paths, path_coefficients
from trading_lib.learning.ranks import session_ranks

# Sessions that the slowest feature looks back.
LOOKBACK = 252

# Scores of all paths, shape (P, S, n), of a model trained anew on a dataset with other labels.
Refit = Callable[[Dataset], FloatArray]
# Called after every draw: which null, draws so far, and the most there will be.
Progress = Callable[[str, int, int], None]


class Null(StrEnum):
    """How the meaning is taken out of labels."""

    SHUFFLED = "shuffled"
    ROTATED = "rotated"


@dataclass(frozen=True, slots=True)
class NullTest:
    """A model's information coefficient against those of null models.

    Attributes
    ----------
    p_value
        Chance of a null model that reaches it.
    observed
        Mean information coefficient of the model itself.
    ics
        Shape (draws,): those of the null models, in the order they were drawn.
    """

    p_value: float
    observed: float
    ics: FloatArray

    @property
    def draws(self) -> int:
        """Number of null models."""
        return len(self.ics)


@dataclass(frozen=True, slots=True)
class NullTests:
    """Both tests of a model."""

    shuffled: NullTest
    rotated: NullTest


def compare_with_nulls(
    data: Dataset,
    refit: Refit,
    config: LearningConfig,
    scores: FloatArray | None = None,
    progress: Progress | None = None,
) -> NullTests:
    """Draw both null distributions.

    Parameters
    ----------
    refit
        Trains on the labels of the dataset it is given, as the model was trained, and scores all paths.
    scores
        Shape (P, S, n): the model's own. Leave them out where ``refit`` is a cheaper training than the model's: null
        models are then compared with the model trained as cheaply.
    """
    own = mean_ic(refit(data) if scores is None else scores, data, config.label.minimum_assets)
    found = [_test(data, refit, config, null, own, progress) for null in Null]
    return NullTests(*found)


def _test(
    data: Dataset, refit: Refit, config: LearningConfig, null: Null, observed: float, progress: Progress | None
) -> NullTest:
    test = SequentialTest(observed, config.evidence)
    while not test.answered:
        test.add(null_ic(data, refit, config, null, test.draws))
        if progress:
            progress(null.value, test.draws, config.evidence.most_nulls)
    return test.result()


class SequentialTest:
    """Draws of a null distribution, until enough of them reach the model or there are as many as there may be.

    Parameters
    ----------
    observed
        Mean information coefficient of the model itself.
    """

    def __init__(self, observed: float, config: EvidenceConfig) -> None:
        self._observed, self._config = observed, config
        self._ics: list[float] = []
        self._exceeding = 0

    @property
    def draws(self) -> int:
        """Number of null models so far."""
        return len(self._ics)

    @property
    def answered(self) -> bool:
        """Whether no further draw is needed."""
        return self._exceeding >= self._config.null_exceedances or self.draws >= self._config.most_nulls

    def add(self, ic: float) -> None:
        """Count a null model's coefficient; NaN counts as one that reaches the model."""
        self._ics.append(ic)
        self._exceeding += not ic < self._observed

    def result(self) -> NullTest:
        """Return what the draws so far say."""
        p_value = sequential_p(self._exceeding, self.draws, self._config.null_exceedances)
        return NullTest(p_value, self._observed, np.array(self._ics))


def sequential_p(exceed: int, draws: int, stop: int) -> float:
    """p-value of a null distribution that is drawn until ``stop`` draws reach the model.

    The draws themselves where it was stopped; otherwise the model counts as one of them, so that no p-value is 0.
    """
    return exceed / draws if exceed >= stop else (exceed + 1.0) / (draws + 1.0)


def null_ic(data: Dataset, refit: Refit, config: LearningConfig, null: Null, draw: int) -> float:
    """Mean information coefficient of one null model; the same for the same draw, in whatever order they are made."""
    blank, judged = null_world(data, config, null, draw)
    return mean_ic(refit(blank), judged, config.label.minimum_assets)


def null_world(data: Dataset, config: LearningConfig, null: Null, draw: int) -> tuple[Dataset, Dataset]:
    """Return the dataset that a null model learns from, and the one that it is judged on."""
    blank = data.with_labels(null_labels(data, config.label.horizon, null, config.seed, draw))
    return blank, data if null is Null.SHUFFLED else blank


def mean_ic(paths: FloatArray, data: Dataset, minimum_assets: int) -> float:
    """Mean information coefficient of scores, shape (P, S, n), over sessions and paths."""
    return mean_known(mean_over_paths(path_coefficients(paths, data.matrix(data.y), minimum_assets)))


def null_labels(data: Dataset, horizon: int, null: Null, seed: int, draw: int) -> FloatArray:
    """Labels of the rows, shape (R,), without their meaning."""
    generator = np.random.default_rng([seed, list(Null).index(null), draw])
    labels = data.matrix(data.y)
    blank = _shuffled(labels, horizon, generator) if null is Null.SHUFFLED else _rotated(labels, horizon, generator)
    return blank[data.row_session, data.row_symbol]


def _shuffled(labels: FloatArray, horizon: int, generator: np.random.Generator) -> FloatArray:
    """Give each block of ``horizon`` sessions another order of its assets; absent ones stay absent."""
    sessions, assets = labels.shape
    block = (np.arange(sessions) + generator.integers(horizon)) // horizon
    missing = np.isnan(labels)
    order = generator.random((block[-1] + 1, assets))[block]
    source = np.argsort(np.where(missing, 2.0, order), axis=1)
    target = np.argsort(missing, axis=1, kind="stable")
    shuffled = np.full(labels.shape, np.nan)
    np.put_along_axis(shuffled, target, np.take_along_axis(labels, source, axis=1), axis=1)
    return shuffled


def _rotated(labels: FloatArray, horizon: int, generator: np.random.Generator) -> FloatArray:
    """Move every asset's labels round the circle of its own sessions, and rank each session anew.

    Assets with the same sessions move together. One with a shorter history moves by the same share of it.
    """
    share = generator.random()
    rotated = np.full(labels.shape, np.nan)
    for asset in range(labels.shape[1]):
        at = np.flatnonzero(~np.isnan(labels[:, asset]))
        least = min(LOOKBACK + 2 * horizon, len(at) // 3)
        shift = least + int(share * max(len(at) - 2 * least, 1))
        rotated[at, asset] = np.roll(labels[at, asset], shift)
    return session_ranks(rotated)
