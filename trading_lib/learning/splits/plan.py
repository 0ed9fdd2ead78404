"""Which sessions train and which test, as values: `Split` and `Plan`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from trading_lib.domain.market.prices import IntegerArray


@dataclass(frozen=True, slots=True)
class Split:
    """One model's sessions, as positions in the dataset's.

    Attributes
    ----------
    number
        Position in the plan.
    test_folds
        Folds that test.
    train, test
        Ascending positions.
    blocks
        First and last position of every contiguous block of test folds; folds side by side are one block.
    """

    number: int
    test_folds: tuple[int, ...]
    train: IntegerArray
    test: IntegerArray
    blocks: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Splits, and how their tests are put together to paths.

    Attributes
    ----------
    folds
        Ascending positions of each fold's sessions.
    splits
        In the order of their numbers.
    paths
        Shape (P, folds): the split whose model scores the fold on this path; -1 where none does.
    """

    folds: tuple[IntegerArray, ...]
    splits: tuple[Split, ...]
    paths: IntegerArray


@dataclass(frozen=True, slots=True)
class CombinatorialPlan(Plan):
    """Every combination of test folds; every path covers all sessions."""


@dataclass(frozen=True, slots=True)
class WalkForwardPlan(Plan):
    """Every fold but the first tests a model of what came before; one path, without the first fold."""


def cut(sessions: int, folds: int) -> tuple[IntegerArray, ...]:
    """Positions of equally long folds, the last of which takes the remainder."""
    size = sessions // folds
    return tuple(np.arange(first, last) for first, last in pairwise([*range(0, size * folds, size), sessions]))
