"""Null tests of a training: draws of `NullModels` until each kind has its answer, on as many processes as there are."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from functools import partial

from trading_lib.learning.config import LearningConfig
from trading_lib.learning.dataset import Dataset
from trading_lib.learning.evidence.nulls import Null, NullTest, SequentialTest
from trading_lib.learning.splits.plan import Plan
from trading_lib.learning.splits.worker import worker_pool
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
    tests = {kind: SequentialTest(observed[kind], config.evidence) for kind in config.models}
    unanswered, begun = list(config.models), 0
    waiting: deque[Callable[[], Coefficients]] = deque()
    while unanswered:
        if given_up():
            raise CancelledError
        while len(waiting) < processes and begun < config.evidence.most_nulls:
            waiting.append(draw(tuple(unanswered), null, begun))
            begun += 1
        found = waiting.popleft()()
        for kind in unanswered:
            tests[kind].add(found[kind])
        unanswered = [kind for kind in unanswered if not tests[kind].answered]
        drawn = begun - len(waiting)
        if progress and drawn % TELL_EVERY == 0 and unanswered:
            progress(f"labels {null}: {drawn} draws, more for {', '.join(unanswered)}")
    return {kind: test.result() for kind, test in tests.items()}


@contextmanager
def _drawing(data: Dataset, plan: Plan, config: LearningConfig, processes: int) -> Iterator[Draw]:
    """Draw in this process, or in so many of one thread each."""
    if processes <= 1:
        models = NullModels(data, plan, config)
        yield lambda kinds, null, number: partial(models.coefficients, kinds, null, number)
        return
    with worker_pool(processes, _receive, (data, plan, config), "a process that trains null models died") as pool:
        yield lambda kinds, null, number: pool.submit(_draw, kinds, null, number).result


_models: NullModels


def _receive(data: Dataset, plan: Plan, config: LearningConfig) -> None:
    """Keep in a worker what all of its draws have in common."""
    global _models
    _models = NullModels(data, plan, config)


def _draw(kinds: Sequence[str], null: Null | None, number: int) -> Coefficients:
    return _models.coefficients(kinds, null, number)
