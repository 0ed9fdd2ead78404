"""Dataset -> `WalkForwardPlan`: every fold is scored by a model of the sessions before it, purged by label times."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from trading_lib.domain.errors import InputError
from trading_lib.learning.config import SplitConfig, Window
from trading_lib.learning.dataset import Dataset
from trading_lib.learning.splits.combinatorial import clear_of_tests, require_room
from trading_lib.learning.splits.plan import Split, WalkForwardPlan, cut

THREE_YEARS = 3 * 252


def walk_forward_plan(data: Dataset, config: SplitConfig, window: Window = Window.EXPANDING) -> WalkForwardPlan:
    """Cut the sessions into one fold more than configured; the first only trains, the last takes the remainder.

    Parameters
    ----------
    window
        With `Window.THREE_YEARS` a model learns from the last 756 sessions of what is left before its fold.

    Raises
    ------
    InputError
        When a fold is not longer than the purge.
    """
    count, cuts = len(data.sessions), config.walk_forward_folds + 1
    require_room(count, cuts, config.purge)
    folds = cut(count, cuts)
    splits = []
    for number, fold in enumerate(folds[1:]):
        block = int(fold[0]), int(fold[-1])
        train = clear_of_tests(data, np.arange(block[0]), (block,), config.purge, 0)
        if window is Window.THREE_YEARS:
            train = train[-THREE_YEARS:]
        if not len(train):
            raise InputError(
                f"walk-forward fold {number + 1} has nothing to train on before it",
                "use more sessions or fewer splits.walk_forward_folds",
            )
        splits.append(Split(number, (number + 1,), train, fold, (block,)))
    return WalkForwardPlan(folds, tuple(splits), np.arange(-1, config.walk_forward_folds)[None, :])


def within_window(data: Dataset, window: Window) -> Dataset:
    """Limit a dataset to what a model of today learns from: all of it, or its last 756 sessions.

    Combinatorial cross-validation of the three-year window is one of this dataset; the walk-forward keeps all sessions
    and limits each model's training part instead.
    """
    if window is Window.EXPANDING or len(data.sessions) <= THREE_YEARS:
        return data
    first = len(data.sessions) - THREE_YEARS
    rows = np.flatnonzero(data.row_session >= first)
    return replace(
        data,
        sessions=data.sessions[first:],
        label_start=data.label_start[first:],
        label_end=data.label_end[first:],
        row_session=data.row_session[rows] - first,
        row_symbol=data.row_symbol[rows],
        x=data.x[rows],
        y=data.y[rows],
        forward=data.forward[rows],
        daily_return=data.daily_return[first:],
        tradable=data.tradable[first:],
    )
