from __future__ import annotations

import numpy as np

from trading_lib.learning.config import LifecycleConfig
from trading_lib.learning.lifecycle.importances import FEWEST_FEATURES, importance_shares, weak_features

CONFIG = LifecycleConfig()
STRONG = {f"strong_{number}": 0.1 for number in range(FEWEST_FEATURES)}


def test_shares_leave_the_base_value_out_and_add_up_to_one() -> None:
    shares = importance_shares(("a", "b"), np.array([[1.0, -3.0, 99.0], [-1.0, 3.0, 99.0]]))
    assert shares == {"a": 0.25, "b": 0.75}
    assert importance_shares(("a",), np.zeros((2, 2))) == {"a": 0.0}


def test_a_feature_goes_when_it_was_weak_twice_and_not_when_once() -> None:
    latest = {**STRONG, "weak": 0.01, "new": 0.01, "was_strong": 0.01}
    earlier = {**STRONG, "weak": 0.04, "was_strong": 0.05}
    assert weak_features(earlier, latest, CONFIG) == ("weak",)


def test_the_strongest_stay_though_all_are_below_the_share() -> None:
    even = {f"feature_{number:02}": 1 / 40 for number in range(40)}
    dropped = weak_features(even, even, CONFIG)
    assert len(even) - len(dropped) == FEWEST_FEATURES
