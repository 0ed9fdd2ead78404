"""Dataset, plan, learners -> `OutOfSample` of each: every split's model scores the sessions it has not seen."""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping, Sequence
from functools import partial

from trading_lib.domain.market.prices import FloatArray
from trading_lib.learning.dataset import Dataset
from trading_lib.learning.model import Learner
from trading_lib.learning.models.baselines import score_rows
from trading_lib.learning.models.ensemble import EnsembleLearner, mean_ranks
from trading_lib.learning.models.lightgbm import LightgbmLearner
from trading_lib.learning.models.ridge import RidgeLearner
from trading_lib.learning.models.xgboost import XgboostLearner
from trading_lib.learning.splits.out_of_sample import OutOfSample, assemble
from trading_lib.learning.splits.plan import Plan
from trading_lib.learning.splits.ridge_system import RidgeSystem
from trading_lib.learning.splits.worker import worker_pool

# Seconds of a fit: worth a process of its own. All others take less than sending them there.
SLOW = (LightgbmLearner, XgboostLearner)


def cross_validate(
    data: Dataset, plan: Plan, learners: Sequence[Learner], seed: int, processes: int = 2
) -> dict[str, OutOfSample]:
    """Fit every learner on every split and put the tests together to paths.

    Parameters
    ----------
    learners
        An ensemble is put together from its members' scores; a member is fitted once, asked for or not.
    seed
        The same for every split; results do not depend on ``processes``.
    processes
        Processes of one thread each in which trees are grown; 1 grows them in this one.

    Returns
    -------
    By kind, in the order of ``learners``.
    """
    wanted = _with_members(learners)
    slow = [learner for learner in wanted.values() if isinstance(learner, SLOW)]
    fitted = _in_processes(data, plan, slow, seed, processes)
    for kind, learner in wanted.items():
        if isinstance(learner, RidgeLearner):
            fitted[kind] = RidgeSystem(data, plan, learner.config).out_of_sample(data.y)
        elif not isinstance(learner, (EnsembleLearner, *SLOW)):
            scores = [split_scores(data, plan, learner, seed, split.number) for split in plan.splits]
            fitted[kind] = assemble(data, plan, scores)
    for kind, learner in wanted.items():
        if isinstance(learner, EnsembleLearner):
            members = [fitted[member.kind] for member in learner.members]
            fitted[kind] = OutOfSample(mean_ranks([m.paths for m in members]), mean_ranks([m.train for m in members]))
    return {learner.kind: fitted[learner.kind] for learner in learners}


def split_scores(data: Dataset, plan: Plan, learner: Learner, seed: int, number: int) -> tuple[FloatArray, FloatArray]:
    """Fit one split; scores of its test rows and of its training rows."""
    split = plan.splits[number]
    train, test = data.rows_of(split.train), data.rows_of(split.test)
    model = learner.fit(data, train, seed)
    return score_rows(model, data, test), score_rows(model, data, train)


def _with_members(learners: Sequence[Learner]) -> Mapping[str, Learner]:
    wanted: dict[str, Learner] = {}
    for learner in learners:
        if isinstance(learner, EnsembleLearner):
            wanted |= {member.kind: member for member in learner.members}
        wanted[learner.kind] = learner
    return wanted


def _in_processes(
    data: Dataset, plan: Plan, learners: Sequence[Learner], seed: int, processes: int
) -> dict[str, OutOfSample]:
    work = [(learner, split.number) for learner in learners for split in plan.splits]
    count = min(processes, len(work))
    # A daemon may have no processes of its own.
    if count <= 1 or multiprocessing.current_process().daemon:
        scores = [split_scores(data, plan, learner, seed, number) for learner, number in work]
    else:
        with worker_pool(count, _receive, (data, plan, seed), "a process that fits models died") as pool:
            scores = list(pool.map(_work, work))
    each = len(plan.splits)
    return {
        learner.kind: assemble(data, plan, scores[number * each : (number + 1) * each])
        for number, learner in enumerate(learners)
    }


_fit: partial[tuple[FloatArray, FloatArray]]


def _receive(data: Dataset, plan: Plan, seed: int) -> None:
    """Keep in a worker what all of its work has in common."""
    global _fit
    _fit = partial(_fit_one, data, plan, seed)


def _fit_one(data: Dataset, plan: Plan, seed: int, learner: Learner, number: int) -> tuple[FloatArray, FloatArray]:
    return split_scores(data, plan, learner, seed, number)


def _work(item: tuple[Learner, int]) -> tuple[FloatArray, FloatArray]:
    return _fit(*item)
