"""Walk-forward folds, and the window of three years."""

from __future__ import annotations

import numpy as np
import pytest

from tests.builders.learning import synthetic_dataset
from trading_lib.domain.errors import InputError
from trading_lib.learning.config import SplitConfig, Window
from trading_lib.learning.splits.walk_forward import THREE_YEARS, walk_forward_plan, within_window

CONFIG = SplitConfig(walk_forward_folds=3)


def test_every_fold_but_the_first_is_tested_by_what_came_before_it() -> None:
    data = synthetic_dataset(sessions=403, assets=3, features=4)
    plan = walk_forward_plan(data, CONFIG)
    assert [len(fold) for fold in plan.folds] == [100, 100, 100, 103]
    assert plan.paths.tolist() == [[-1, 0, 1, 2]]
    for split, first in zip(plan.splits, (100, 200, 300), strict=True):
        np.testing.assert_array_equal(split.train, np.arange(first - 21))
        assert split.test[0] == first
        assert data.label_end[split.train].max() < data.label_start[split.test].min()


def test_a_window_of_three_years_rolls() -> None:
    data = synthetic_dataset(sessions=1600, assets=3, features=4)
    splits = walk_forward_plan(data, CONFIG, Window.THREE_YEARS).splits
    np.testing.assert_array_equal(splits[0].train, np.arange(400 - 21))
    np.testing.assert_array_equal(splits[2].train, np.arange(1200 - 21 - THREE_YEARS, 1200 - 21))


def test_a_window_of_three_years_is_the_datasets_last_three_years() -> None:
    data = synthetic_dataset(sessions=800, assets=3, features=4)
    assert within_window(data, Window.EXPANDING) is data
    last = within_window(data, Window.THREE_YEARS)
    assert len(last.sessions) == len(last.label_end) == len(last.tradable) == THREE_YEARS
    assert last.sessions[-1] == data.sessions[-1]
    np.testing.assert_array_equal(last.matrix(last.y), data.matrix(data.y)[-THREE_YEARS:])
    np.testing.assert_array_equal(last.matrix(last.x[:, 2]), data.matrix(data.x[:, 2])[-THREE_YEARS:])
    np.testing.assert_array_equal(last.daily_return, data.daily_return[-THREE_YEARS:])
    assert within_window(last, Window.THREE_YEARS) is last


def test_folds_no_longer_than_the_purge_are_refused() -> None:
    with pytest.raises(InputError, match="80 sessions make 4 folds of 20"):
        walk_forward_plan(synthetic_dataset(sessions=80, assets=3, features=4), CONFIG)
