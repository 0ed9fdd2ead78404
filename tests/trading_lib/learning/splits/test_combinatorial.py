"""Splits against an enumeration of our own, label by label, and the mistakes others made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from tests.builders.learning import synthetic_dataset
from trading_lib.domain.errors import InputError
from trading_lib.learning.config import SplitConfig
from trading_lib.learning.dataset import Dataset
from trading_lib.learning.splits.combinatorial import combinatorial_plan
from trading_lib.learning.splits.plan import CombinatorialPlan, Split

HORIZON, EMBARGO = 21, 5


def dataset(sessions: int, missing: Sequence[int] = (), horizon: int = HORIZON) -> Dataset:
    """Three assets on every session of the market's but those that are missing."""
    whole = synthetic_dataset(sessions=sessions, assets=3, features=4, horizon=horizon)
    kept = np.setdiff1d(np.arange(sessions), missing)
    rows = whole.rows_of(kept)
    by_session = ("sessions", "label_start", "label_end", "daily_return", "tradable")
    by_row = ("row_symbol", "x", "y", "forward")
    return replace(
        whole,
        row_session=np.searchsorted(kept, whole.row_session[rows]),
        **{name: getattr(whole, name)[kept] for name in by_session},
        **{name: getattr(whole, name)[rows] for name in by_row},
    )


def overlap(data: Dataset, one: int, other: int) -> bool:
    """Whether two sessions' labels share a session."""
    return bool(data.label_start[one] <= data.label_end[other] and data.label_start[other] <= data.label_end[one])


def enumerated(data: Dataset, folds: int, test_folds: int) -> list[tuple[set[int], set[int]]]:
    """Training and test sessions of every split, by label times alone and one session at a time."""
    count = len(data.sessions)
    size = count // folds
    fold_of = [min(session // size, folds - 1) for session in range(count)]
    found = []
    for chosen in combinations(range(folds), test_folds):
        test = [session for session in range(count) if fold_of[session] in chosen]
        last_of_blocks = [session for session in test if session + 1 not in set(test)]
        train = set()
        for session in range(count):
            start = data.label_start[session]
            near = any(0 < start - data.label_end[last] <= EMBARGO for last in last_of_blocks)
            if not near and not any(overlap(data, session, tested) for tested in test):
                train.add(session)
        found.append((train, set(test)))
    return found


def chain(plan: CombinatorialPlan, path: int) -> list[int]:
    """Sessions of a path, in the order of its folds."""
    return [
        int(session)
        for fold, number in enumerate(plan.paths[path])
        for session in plan.folds[fold]
        if fold in plan.splits[number].test_folds
    ]


def split_testing(plan: CombinatorialPlan, *folds: int) -> Split:
    return next(split for split in plan.splits if split.test_folds == folds)


@pytest.mark.parametrize(("folds", "splits", "paths"), [(6, 15, 5), (8, 28, 7), (10, 45, 9)])
@pytest.mark.parametrize("sessions", [400, 503])
def test_splits_equal_an_enumeration_by_label_times(folds: int, splits: int, paths: int, sessions: int) -> None:
    data = dataset(sessions)
    plan = combinatorial_plan(data, SplitConfig(folds=folds))
    assert (len(plan.splits), plan.paths.shape) == (splits, (paths, folds))
    assert [(set(s.train.tolist()), set(s.test.tolist())) for s in plan.splits] == enumerated(data, folds, 2)


@pytest.mark.parametrize("folds", [6, 8, 10])
def test_every_path_covers_all_sessions_once_and_every_test_fold_is_on_one_path(folds: int) -> None:
    plan = combinatorial_plan(dataset(503), SplitConfig(folds=folds))
    assert all(chain(plan, path) == list(range(503)) for path in range(len(plan.paths)))
    used = [(int(number), fold) for path in plan.paths for fold, number in enumerate(path)]
    assert sorted(used) == sorted((split.number, fold) for split in plan.splits for fold in split.test_folds)


def test_the_last_fold_takes_the_remainder() -> None:
    plan = combinatorial_plan(dataset(503), SplitConfig(folds=6))
    assert [len(fold) for fold in plan.folds] == [83, 83, 83, 83, 83, 88]


def test_folds_side_by_side_are_one_block_and_folds_apart_are_two() -> None:
    plan = combinatorial_plan(dataset(420), SplitConfig(folds=6))
    assert split_testing(plan, 1, 2).blocks == ((70, 209),)
    assert split_testing(plan, 1, 4).blocks == ((70, 139), (280, 349))


def test_timeseriescv_8_the_embargo_begins_where_the_blocks_last_label_ends() -> None:
    """There a wrong index always found the end of the very last label, and all between two blocks was cut off."""
    data = dataset(420)
    for split in combinatorial_plan(data, SplitConfig(folds=6)).splits:
        for _, last in split.blocks:
            later = split.train[split.train > last]
            if last < 419 and len(later):
                assert data.label_start[later[0]] == data.label_end[last] + EMBARGO + 1


def test_mlfinlab_295_no_training_label_ends_inside_a_test_block() -> None:
    """There a training label that began before the tests and ended among them was kept."""
    data = dataset(420)
    for split in combinatorial_plan(data, SplitConfig(folds=6)).splits:
        for first, last in split.blocks:
            ends, starts = data.label_end[split.train], data.label_start[split.train]
            assert not ((ends >= data.label_start[first]) & (ends <= data.label_end[last])).any()
            before = split.train[starts < data.label_start[first]]
            if len(before) and before[-1] // 70 == first // 70 - 1:
                assert data.label_end[before[-1]] == data.label_start[first] - 1


def test_vibe_trading_1204_what_lies_between_two_test_blocks_is_trained_on() -> None:
    """There two blocks were one span from the first test to the last, and all between them was thrown away."""
    split = split_testing(combinatorial_plan(dataset(420), SplitConfig(folds=6)), 1, 4)
    between = split.train[(split.train > 139) & (split.train < 280)]
    np.testing.assert_array_equal(between, np.arange(140 + HORIZON + EMBARGO, 280 - HORIZON))


def test_fynance_272_the_embargo_comes_after_the_purge_and_is_not_swallowed_by_it() -> None:
    """There both began at the last test, and the longer of the two was all that was left out."""
    data = dataset(420)
    gaps = {}
    for embargo in (0, 5, 12):
        split = split_testing(combinatorial_plan(data, SplitConfig(folds=6, embargo=embargo)), 0, 1)
        gaps[embargo] = int(split.train[0]) - split.blocks[0][1] - 1
    assert gaps == {0: HORIZON, 5: HORIZON + 5, 12: HORIZON + 12}


@pytest.mark.parametrize(
    "missing", [range(60, 68), range(141, 160), [75, 139, 140, 141, 210, 300, 301], range(200, 230)]
)
def test_sessions_that_are_missing_shorten_no_purge(missing: Sequence[int]) -> None:
    """Positions in the dataset are closer than the market's sessions were; labels know how long they are."""
    data = dataset(440, list(missing))
    found = combinatorial_plan(data, SplitConfig(folds=6))
    for split, (train, test) in zip(found.splits, enumerated(data, 6, 2), strict=True):
        assert set(split.test.tolist()) == test
        assert set(split.train.tolist()) <= train
        assert not any(overlap(data, a, b) for a in split.train for b in (*split.blocks[0], *split.blocks[-1]))


def test_labels_longer_than_the_purge_are_purged_by_their_own_length() -> None:
    data = dataset(420, horizon=30)
    plan = combinatorial_plan(data, SplitConfig(folds=6, purge=21))
    assert [set(split.train.tolist()) for split in plan.splits] == [train for train, _ in enumerated(data, 6, 2)]


def test_a_purge_longer_than_the_labels_is_kept_on_both_sides() -> None:
    split = split_testing(combinatorial_plan(dataset(420), SplitConfig(folds=6, purge=40)), 2, 3)
    np.testing.assert_array_equal(split.train, np.r_[0 : 140 - 40, 279 + 40 + EMBARGO + 1 : 420])


@pytest.mark.parametrize("sessions", [0, 5, 100, 6 * 27 - 1])
def test_folds_no_longer_than_purge_and_embargo_are_refused(sessions: int) -> None:
    data = dataset(200, range(sessions, 200))
    with pytest.raises(InputError, match=f"{sessions} sessions make 6 folds .* purge and embargo leave out 26"):
        combinatorial_plan(data, SplitConfig(folds=6))


def test_a_split_with_nothing_left_to_train_on_is_refused() -> None:
    """A fold between two test blocks is purged from both of its ends."""
    with pytest.raises(InputError, match="nothing left to train on"):
        combinatorial_plan(dataset(6 * 40), SplitConfig(folds=6, test_folds=5))


def test_more_combinations_than_anyone_can_fit_are_refused() -> None:
    with pytest.raises(InputError, match="40 folds, 20 of which test"):
        combinatorial_plan(dataset(40 * 30), SplitConfig(folds=40, test_folds=20))
