"""What a training does one after another: prepare, score out of sample, judge, fit on everything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trading_lib.domain.errors import InputError
from trading_lib.domain.market.prices import FloatArray
from trading_lib.learning.config import LearningConfig
from trading_lib.learning.dataset import Dataset
from trading_lib.learning.evidence.exposure import pooled_scores
from trading_lib.learning.evidence.information import information_coefficients, mean_known
from trading_lib.learning.evidence.nulls import Null, NullTest, NullTests
from trading_lib.learning.evidence.verdict import Verdicts, judge
from trading_lib.learning.lifecycle.importances import importance_shares
from trading_lib.learning.model import Learner, Model
from trading_lib.learning.models.baselines import BASELINES, MOMENTUM
from trading_lib.learning.models.ensemble import EnsembleLearner, mean_ranks
from trading_lib.learning.models.learners import make_learner
from trading_lib.learning.splits.combinatorial import combinatorial_plan
from trading_lib.learning.splits.cross_validation import SLOW, cross_validate, split_scores
from trading_lib.learning.splits.out_of_sample import OutOfSample, assemble
from trading_lib.learning.splits.plan import CombinatorialPlan
from trading_lib.learning.splits.walk_forward import walk_forward_plan, within_window
from trading_lib.performance.significance.deflated_sharpe import Trials
from trading_lib.workflows.learning.training.request import TrainingRequest

if TYPE_CHECKING:
    from trading_lib.workflows.setup.settings import Settings

# Contributions are summed up over about so many sessions: of trees they take longer than the training.
EXPLAINED_SESSIONS = 120
# Rows below which all splits are fitted in this process.
SMALL = 20_000


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a training works on.

    Attributes
    ----------
    config
        With the window that was asked for.
    full, data
        All sessions that were asked for, and those of them in the window, which models learn from.
    plan
        Splits of ``data``.
    """

    config: LearningConfig
    full: Dataset
    data: Dataset
    plan: CombinatorialPlan
    data_source: str
    simulated: bool
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores out of sample of models and baselines, by name.

    Attributes
    ----------
    crossed
        From combinatorial cross-validation.
    ahead
        From the walk-forward, on the sessions of `Prepared.data`.
    """

    crossed: Mapping[str, OutOfSample]
    ahead: Mapping[str, OutOfSample]


@dataclass(frozen=True, slots=True)
class Findings:
    """What came of a training.

    Attributes
    ----------
    nulls
        Null -> kind -> its test.
    models
        Kind -> model of all of the data.
    importance
        Kind -> feature -> its share in the scores.
    """

    ready: Prepared
    scores: Scores
    nulls: Mapping[Null, Mapping[str, NullTest]]
    verdicts: Verdicts
    models: Mapping[str, Model]
    importance: Mapping[str, Mapping[str, float]]


def prepare(settings: Settings, request: TrainingRequest, say: Callable[[str], None]) -> Prepared:
    """Read the data and plan the splits.

    Raises
    ------
    InputError
        When there is too little to learn from, or the data cannot be used.
    """
    from trading_lib.workflows.learning.data import training_data

    request.check()
    say(f"reading the data of {request.first} to {request.last}")
    config = request.configuration(settings.configuration.learning)
    found = training_data(settings, request.first, request.last, request.data, request.universe_extra)
    return prepared(found.dataset, config, found.data_source, found.simulated, (*request.notes, *found.notes))


def prepared(full: Dataset, config: LearningConfig, source: str, simulated: bool, notes: tuple[str, ...]) -> Prepared:
    """Plan the splits of a dataset, without the features that the configuration leaves out."""
    if MOMENTUM in config.leave_out:
        raise InputError(f"leave_out names {MOMENTUM}, the baseline of every model", "keep it among the features")
    dropped = [name for name in full.features if name in config.leave_out]
    if dropped:
        full, notes = full.without(dropped), (*notes, f"left out by configuration: {', '.join(dropped)}")
    data = within_window(full, config.window)
    return Prepared(config, full, data, combinatorial_plan(data, config.splits), source, simulated, notes)


def score(ready: Prepared, processes: int) -> Scores:
    """Fit every model and baseline on every split, and along the walk-forward."""
    config = ready.config
    worthwhile = _worthwhile(ready.data, processes)
    crossed = cross_validate(ready.data, ready.plan, _learners(config), config.seed, worthwhile)
    return Scores(crossed, _ahead(ready, processes))


def tree_kinds(config: LearningConfig) -> tuple[str, ...]:
    """Kinds whose fits take seconds."""
    return tuple(kind for kind in config.models if isinstance(make_learner(kind, config), SLOW))


def score_split(ready: Prepared, number: int) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Fit the trees of one split: scores of its test rows and of its training rows, by kind."""
    config = ready.config
    return {
        kind: split_scores(ready.data, ready.plan, make_learner(kind, config), config.seed, number)
        for kind in tree_kinds(config)
    }


def put_together(
    ready: Prepared, splits: Sequence[Mapping[str, tuple[FloatArray, FloatArray]]], processes: int
) -> Scores:
    """Add to the trees of all splits, in their order, what `score` adds: the result is the same."""
    config, trees = ready.config, tree_kinds(ready.config)
    quick = [make_learner(kind, config) for kind in config.models if kind not in (*trees, EnsembleLearner.kind)]
    crossed = cross_validate(ready.data, ready.plan, [*quick, *BASELINES.values()], config.seed, 1)
    crossed |= {kind: assemble(ready.data, ready.plan, [split[kind] for split in splits]) for kind in trees}
    if EnsembleLearner.kind in config.models:
        members = [crossed[kind] for kind in config.models if kind != EnsembleLearner.kind]
        paths, train = mean_ranks([m.paths for m in members]), mean_ranks([m.train for m in members])
        crossed[EnsembleLearner.kind] = OutOfSample(paths, train)
    return Scores({name: crossed[name] for name in (*config.models, *BASELINES)}, _ahead(ready, processes))


def _ahead(ready: Prepared, processes: int) -> dict[str, OutOfSample]:
    config = ready.config
    forward = walk_forward_plan(ready.full, config.splits, config.window)
    found = cross_validate(ready.full, forward, _learners(config), config.seed, _worthwhile(ready.full, processes))
    return {name: _newest(one, len(ready.data.sessions)) for name, one in found.items()}


def _learners(config: LearningConfig) -> list[Learner]:
    return [*(make_learner(kind, config) for kind in config.models), *BASELINES.values()]


def _worthwhile(data: Dataset, processes: int) -> int:
    """Return the processes for a cross-validation; a small one is over before they have loaded the libraries."""
    return processes if len(data) > SMALL else 1


def _newest(scored: OutOfSample, sessions: int) -> OutOfSample:
    return OutOfSample(scored.paths[:, -sessions:], scored.train[:, -sessions:])


def verdicts(
    ready: Prepared, scores: Scores, nulls: Mapping[Null, Mapping[str, NullTest]], trials: Trials | None
) -> Verdicts:
    """Judge every model by what it showed."""
    config = ready.config
    tests = {kind: NullTests(nulls[Null.SHUFFLED][kind], nulls[Null.ROTATED][kind]) for kind in config.models}
    return judge(
        ready.data,
        {kind: scores.crossed[kind] for kind in config.models},
        {name: scores.crossed[name] for name in BASELINES},
        config,
        scores.ahead,
        tests,
        trials,
    )


def fit_models(ready: Prepared, threads: int = 1) -> dict[str, Model]:
    """Fit every kind on all of the data: no label of it ends after the window, and none is left to test."""
    rows, config = np.arange(len(ready.data)), ready.config
    return {kind: make_learner(kind, config).fit(ready.data, rows, config.seed, threads) for kind in config.models}


def importances(ready: Prepared, models: Mapping[str, Model]) -> dict[str, dict[str, float]]:
    """Share of each feature in each model's scores."""
    data = ready.data
    every = max(1, len(data.sessions) // EXPLAINED_SESSIONS)
    rows = np.flatnonzero(data.row_session % every == 0)
    x, sessions = data.x[rows], data.row_session[rows]
    return {
        kind: importance_shares(data.features, model.contributions(x, data.features, sessions))
        for kind, model in models.items()
    }


def conclude(
    ready: Prepared,
    scores: Scores,
    nulls: Mapping[Null, Mapping[str, NullTest]],
    trials: Trials | None,
    threads: int = 1,
) -> Findings:
    """Judge, and fit every model on everything."""
    judged, models = verdicts(ready, scores, nulls, trials), fit_models(ready, threads)
    return Findings(ready, scores, nulls, judged, models, importances(ready, models))


def exposures(ready: Prepared, scores: Scores) -> dict[str, FloatArray]:
    """Mean rank correlation of each model's scores out of sample with each feature, shape (F,)."""
    data, least = ready.data, ready.config.label.minimum_assets
    columns = [data.matrix(column) for column in data.x.T]
    pooled = {kind: pooled_scores(scores.crossed[kind].paths) for kind in ready.config.models}
    return {
        kind: np.array([mean_known(information_coefficients(column, own, least)) for column in columns])
        for kind, own in pooled.items()
    }
