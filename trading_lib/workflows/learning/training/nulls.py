"""Null tests of a training: draws of `NullModels` until each kind has its answer, on as many processes as there are."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial

import numpy as np

from trading_lib.domain.errors import TradingError
from trading_lib.learning.config import LearningConfig
from trading_lib.learning.dataset import Dataset
from trading_lib.learning.evidence.nulls import Null, NullTest, sequential_p
from trading_lib.learning.splits.plan import Plan
from trading_lib.learning.splits.worker import serve_the_parent
from trading_lib.workflows.learning.training.null_models import NullModels

Progress = Callable[[str], None]
Coefficients = dict[str, float]
# Begins a draw: of these kinds, of this null (None for the true labels), with this number; returns what waits for it.
Draw = Callable[[Sequence[str], Null | None, int], Callable[[], Coefficients]]
# Draws between two words about them.
TELL_EVERY = 20


def null_tests(
    data: Dataset,
    plan: Plan,
    config: LearningConfig,
    nulls: Sequence[Null] = tuple(Null),
    processes: int = 1,
    progress: Progress | None = None,
    given_up: Callable[[], bool] = lambda: False,
) -> dict[Null, dict[str, NullTest]]:
    """Hold every kind of model against models of labels that say nothing.

    A draw's labels are learned by all kinds that still need draws; one that has its answer is not drawn any more.

    Parameters
    ----------
    processes
        How many draws are made at once; the results do not depend on it.
    given_up
        Asked before every draw: whether nobody waits for the answer any more, which ends in a `CancelledError`.
    """
    with _drawing(data, plan, config, processes) as draw:
        observed = draw(config.models, None, 0)()
        return {null: _test(draw, config, null, observed, processes, (progress, given_up)) for null in nulls}


def _test(
    draw: Draw,
    config: LearningConfig,
    null: Null,
    observed: Coefficients,
    processes: int,
    outside: tuple[Progress | None, Callable[[], bool]],
) -> dict[str, NullTest]:
    progress, given_up = outside
    stop, most = config.evidence.null_exceedances, config.evidence.most_nulls
    ics: dict[str, list[float]] = {kind: [] for kind in config.models}
    exceeding = dict.fromkeys(config.models, 0)
    unanswered, begun = list(config.models), 0
    waiting: deque[Callable[[], Coefficients]] = deque()
    while unanswered:
        if given_up():
            raise CancelledError
        while len(waiting) < processes and begun < most:
            waiting.append(draw(tuple(unanswered), null, begun))
            begun += 1
        found = waiting.popleft()()
        for kind in tuple(unanswered):
            ics[kind].append(found[kind])
            exceeding[kind] += not found[kind] < observed[kind]
            if exceeding[kind] >= stop or len(ics[kind]) >= most:
                unanswered.remove(kind)
        drawn = begun - len(waiting)
        if progress and drawn % TELL_EVERY == 0 and unanswered:
            progress(f"labels {null}: {drawn} draws, more for {', '.join(unanswered)}")
    return {
        kind: NullTest(sequential_p(exceeding[kind], len(ics[kind]), stop), observed[kind], np.array(ics[kind]))
        for kind in config.models
    }


@contextmanager
def _drawing(data: Dataset, plan: Plan, config: LearningConfig, processes: int) -> Iterator[Draw]:
    """Draw in this process, or in so many of one thread each."""
    if processes <= 1:
        models = NullModels(data, plan, config)
        yield lambda kinds, null, number: partial(models.coefficients, kinds, null, number)
        return
    # Spawned, never forked: the libraries may have started threads here, and a fork would inherit their locks.
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _receive, (data, plan, config))
    try:
        yield lambda kinds, null, number: pool.submit(_draw, kinds, null, number).result
    except BrokenProcessPool:
        raise TradingError(
            "a process that trains null models died", "free some memory, or train with --processes 1"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_models: NullModels


def _receive(data: Dataset, plan: Plan, config: LearningConfig) -> None:
    """Keep in a worker what all of its draws have in common."""
    global _models
    serve_the_parent()
    _models = NullModels(data, plan, config)


def _draw(kinds: Sequence[str], null: Null | None, number: int) -> Coefficients:
    return _models.coefficients(kinds, null, number)
