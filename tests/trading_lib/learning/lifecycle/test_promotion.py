from __future__ import annotations

import numpy as np

from tests.builders.learning import daily_ics
from trading_lib.learning.config import LearningConfig
from trading_lib.learning.lifecycle.promotion import compare

CONFIG = LearningConfig()
GOOD, POOR = (daily_ics(np.full(1500, true), 15, 21, seed) for true, seed in ((0.25, 1), (0.0, 2)))


def test_a_challenger_that_is_clearly_better_may_be_promoted() -> None:
    found = compare(GOOD, POOR, "version 3", CONFIG)
    assert found.better
    assert found.difference > 0.1
    assert found.p < 0.05
    assert found.sessions == 1500
    assert found.reason.startswith(f"mean IC {found.difference:+.3f} against version 3")


def test_one_that_is_worse_or_the_same_may_not() -> None:
    assert not compare(POOR, GOOD, "version 3", CONFIG).better
    assert not compare(GOOD, GOOD, "version 3", CONFIG).better


def test_a_sure_difference_that_is_too_small_does_not_suffice() -> None:
    found = compare(GOOD + 0.009, GOOD, "version 3", CONFIG)
    assert found.p < 0.05
    assert not found.better
    assert compare(GOOD + 0.011, GOOD, "version 3", CONFIG).better


def test_only_sessions_that_both_know_count_and_three_horizons_of_them_are_needed() -> None:
    few = GOOD.copy()
    few[62:] = np.nan
    found = compare(few, POOR, "momentum_12_1", CONFIG)
    assert not found.better
    assert found.reason == "62 sessions in common with momentum_12_1, 63 are needed"
    assert np.isnan(compare(few * np.nan, POOR, "momentum_12_1", CONFIG).difference)
