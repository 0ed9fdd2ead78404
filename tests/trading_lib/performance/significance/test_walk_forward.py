"""Folds by the calendar, choices that see nothing of what they are measured on, and returns put together by hand."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders.markets import CALENDAR
from trading_lib.domain.errors import InputError
from trading_lib.performance.metrics.formulas import sharpe_ratio
from trading_lib.performance.significance.walk_forward import Fold, walk_forward, yearly_folds

SESSIONS = CALENDAR.between(date(2007, 1, 3), date(2012, 6, 29))
NO_CASH = np.zeros(len(SESSIONS) - 1)


def noise(variants: int, seed: int = 0, rows: int = len(SESSIONS) - 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0003, 0.01, (rows, variants))


def ends(fold: Fold) -> tuple[str, str]:
    """Session of the choice, and of the last return it is measured on."""
    return str(SESSIONS[fold.training.stop]), str(SESSIONS[fold.test.stop])


def test_years_are_counted_from_the_first_session() -> None:
    """2009-01-03 is a Saturday and 2010-01-03 a Sunday: the choice is made at the session before."""
    folds = yearly_folds(SESSIONS, 2)
    assert [ends(fold) for fold in folds] == [
        ("2009-01-02", "2009-12-31"),
        ("2009-12-31", "2011-01-03"),
        ("2011-01-03", "2012-01-03"),
        ("2012-01-03", "2012-06-29"),
    ]


@pytest.mark.parametrize("rolling", [False, True])
@pytest.mark.parametrize("years", [1, 2, 5])
def test_folds_follow_one_another_and_training_ends_where_the_test_begins(years: int, rolling: bool) -> None:
    folds = yearly_folds(SESSIONS, years, rolling)
    assert folds[-1].test.stop == len(SESSIONS) - 1
    assert all(fold.training.stop == fold.test.start for fold in folds)
    assert all(before.test.stop == after.test.start for before, after in pairwise(folds))
    starts = {str(SESSIONS[fold.training.start])[:4] for fold in folds}
    if not rolling:
        assert starts == {"2007"}
    lengths = [(SESSIONS[f.training.stop] - SESSIONS[f.training.start]).astype(int) for f in folds]
    assert lengths[0] == pytest.approx(365.25 * years, abs=5)
    if rolling:
        assert lengths == pytest.approx([365.25 * years] * len(folds), abs=5)


def test_a_leap_day_has_anniversaries() -> None:
    sessions = CALENDAR.between(date(2008, 2, 29), date(2010, 12, 31))
    assert str(sessions[yearly_folds(sessions, 1)[0].test.start]) == "2009-02-27"


@pytest.mark.parametrize(("years", "words"), [(6, "leaves nothing out of sample after 6 years"), (0, "are none")])
def test_training_must_leave_something_to_test(years: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        yearly_folds(SESSIONS, years)
    with pytest.raises(InputError, match="leaves nothing"):
        yearly_folds(SESSIONS[:0], 1)


@pytest.mark.parametrize("rolling", [False, True])
def test_the_best_of_the_training_is_chosen(rolling: bool) -> None:
    returns, rate = noise(6, 3), np.random.default_rng(4).uniform(0.0, 0.05, len(NO_CASH))
    folds = yearly_folds(SESSIONS, 2, rolling)
    for choice in walk_forward(returns, rate, folds, 0).folds:
        rows = slice(choice.fold.training.start, choice.fold.training.stop)
        sharpes = [sharpe_ratio(returns[rows, k], rate[rows]) for k in range(6)]
        assert choice.chosen == int(np.argmax(sharpes))
        assert list(choice.training_sharpes) == sharpes
        test = slice(choice.fold.test.start, choice.fold.test.stop)
        assert choice.sharpe == sharpe_ratio(returns[test, choice.chosen], rate[test])
        assert choice.default_sharpe == sharpe_ratio(returns[test, 0], rate[test])


@given(st.integers(0, 10_000), st.booleans(), st.integers(0, 3))
def test_no_choice_sees_what_it_is_measured_on(seed: int, rolling: bool, number: int) -> None:
    """Whatever comes after a choice may be anything: it and those before it stay. The next one has seen it."""
    returns = noise(5, seed)
    folds = yearly_folds(SESSIONS, 2, rolling)
    before = [choice.chosen for choice in walk_forward(returns, NO_CASH, folds, 0).folds]
    other = (before[number] + 1) % 5
    changed = returns.copy()
    changed[folds[number].test.start :] *= -1.0
    changed[folds[number].test.start :, other] = np.abs(changed[folds[number].test.start :, other]) + 0.05
    after = [choice.chosen for choice in walk_forward(changed, NO_CASH, folds, 0).folds]
    assert after[: number + 1] == before[: number + 1]
    assert after[number + 1 :] == [other] * (len(folds) - number - 1)


def test_the_last_return_before_a_choice_counts() -> None:
    returns = noise(2, 8)
    fold = yearly_folds(SESSIONS, 2)[0]
    chosen = walk_forward(returns, NO_CASH, (fold,), 0).folds[0].chosen
    returns[fold.training.stop - 1, 1 - chosen] = 0.9
    returns[fold.training.stop - 1, chosen] = -0.9
    assert walk_forward(returns, NO_CASH, (fold,), 0).folds[0].chosen == 1 - chosen


def test_put_together_by_hand() -> None:
    """Two variants that take turns: each is chosen the period after it did well, and a switch costs 1 %."""
    good, bad = [0.02, 0.01], [-0.02, -0.01]
    returns = np.array([[*good, *bad, *good], [*bad, *good, *bad]]).T
    folds = [Fold(range(2), range(2, 4)), Fold(range(2, 4), range(4, 6))]
    found = walk_forward(returns, np.zeros(6), folds, default=1, switch_cost=0.01)
    assert [choice.chosen for choice in found.folds] == [0, 1]
    assert found.rows == range(2, 6)
    assert found.switches == 2
    expected = [0.98 * 0.99 - 1, -0.01, 0.98 * 0.99 - 1, -0.01]
    assert found.returns == pytest.approx(expected)
    from_the_first = walk_forward(returns, np.zeros(6), folds, default=0, switch_cost=0.01)
    assert from_the_first.switches == 1
    assert from_the_first.returns == pytest.approx([-0.02, *expected[1:]])
    assert returns[2, 0] == -0.02


def test_among_equals_the_default_stays() -> None:
    curve = noise(1, 2)
    same = np.hstack([curve] * 4)
    folds = yearly_folds(SESSIONS, 2)
    assert {choice.chosen for choice in walk_forward(same, NO_CASH, folds, 2).folds} == {2}
    better = np.hstack([curve, curve + 0.001, curve + 0.001])
    assert {choice.chosen for choice in walk_forward(better, NO_CASH, folds, 0).folds} == {1}


def test_a_variant_that_never_moved_is_not_chosen() -> None:
    returns = noise(2, 5) - 0.01
    returns[:, 1] = 0.0
    found = walk_forward(returns, NO_CASH, yearly_folds(SESSIONS, 2), 1)
    assert {choice.chosen for choice in found.folds} == {0}
    assert found.folds[0].training_sharpes[1] is None
    flat = walk_forward(np.zeros((len(NO_CASH), 2)), NO_CASH, yearly_folds(SESSIONS, 2), 1)
    assert {choice.chosen for choice in flat.folds} == {1}
