"""Scores of splits -> `OutOfSample`: the tests put together to paths (Lopez de Prado 2018, chapter 12)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trading_lib.domain.market.prices import FloatArray
from trading_lib.learning.dataset import Dataset
from trading_lib.learning.splits.plan import Plan


@dataclass(frozen=True, slots=True)
class OutOfSample:
    """Scores of one kind of model.

    Attributes
    ----------
    paths
        Shape (P, S, n): on each path every session is scored by a model that did not learn from it; NaN where there is
        no row, or no model (a walk-forward's first fold).
    train
        Shape (splits, S, n): scores of each split's own training sessions, NaN elsewhere. What a model shows there and
        not on ``paths`` it has learned by heart.
    """

    paths: FloatArray
    train: FloatArray


def assemble(data: Dataset, plan: Plan, scores: Sequence[tuple[FloatArray, FloatArray]]) -> OutOfSample:
    """Put splits' scores of test and training rows, in the order of the plan, together to paths."""
    train = np.full((len(plan.splits), len(data.sessions), len(data.symbols)), np.nan)
    test = train.copy()
    for split, (of_test, of_train) in zip(plan.splits, scores, strict=True):
        test[split.number] = data.matrix(of_test, data.rows_of(split.test))
        train[split.number] = data.matrix(of_train, data.rows_of(split.train))
    return OutOfSample(paths_of(plan, test), train)


def paths_of(plan: Plan, test: FloatArray) -> FloatArray:
    """Put each split's test scores, shape (splits, S, n), together to paths, shape (P, S, n)."""
    paths = np.full((len(plan.paths), *test.shape[1:]), np.nan)
    for path, numbers in enumerate(plan.paths):
        for fold, number in zip(plan.folds, numbers, strict=True):
            if number >= 0:
                paths[path, fold] = test[number, fold]
    return paths
