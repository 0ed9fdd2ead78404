from __future__ import annotations

import numpy as np

from trading_lib.domain.market.prices import FloatArray
from trading_lib.learning.config import LifecycleConfig
from trading_lib.learning.lifecycle.abstention import TrainingRange, abstentions, usually_known

CONFIG = LifecycleConfig()
FEATURES = ("a", "b", "c", "d")
SYMBOLS = ("X", "Y", "Z")
TRAINING = np.random.default_rng(0).uniform(-1, 1, (4, 300, 3))
INSIDE = np.zeros((4, 3))


def training_range(values: FloatArray) -> TrainingRange:
    known = np.isfinite(values)
    none = ~known.any(axis=(1, 2))
    lowest = np.where(known, values, np.inf).min(axis=(1, 2))
    highest = np.where(known, values, -np.inf).max(axis=(1, 2))
    lowest[none] = highest[none] = np.nan
    return TrainingRange(lowest, highest, usually_known(values))


SEEN = training_range(TRAINING)


def test_a_session_like_the_training_has_no_abstention() -> None:
    assert abstentions(INSIDE, FEATURES, SYMBOLS, SEEN, 0, CONFIG) == {}


def test_an_asset_abstains_when_more_than_the_share_of_its_features_is_outside() -> None:
    x = INSIDE.copy()
    x[0, 0] = 2.0  # one of four is the share, not more
    x[:2, 1] = -2.0
    reasons = abstentions(x, FEATURES, SYMBOLS, SEEN, 0, CONFIG)
    assert reasons == {"Y": "2 of 4 features lie outside the training range: a, b"}


def test_an_asset_abstains_when_features_are_missing_that_it_used_to_have() -> None:
    x = INSIDE.copy()
    x[:2, 0] = np.nan
    x[:, 2] = np.nan
    reasons = abstentions(x, FEATURES, SYMBOLS, SEEN, 0, CONFIG)
    assert reasons == {
        "X": "2 of 4 features are missing: a, b",
        "Z": "it has no feature in this session",
    }
    never = TRAINING.copy()
    never[:2, :, 0] = np.nan
    assert "X" not in abstentions(x, FEATURES, SYMBOLS, training_range(never), 0, CONFIG)


def test_an_old_model_abstains_on_everything() -> None:
    reasons = abstentions(INSIDE, FEATURES, SYMBOLS, SEEN, 64, CONFIG)
    assert set(reasons) == set(SYMBOLS)
    assert "64 sessions ago, more than 63" in reasons["X"]
    assert abstentions(INSIDE, FEATURES, SYMBOLS, SEEN, 63, CONFIG) == {}


def test_a_feature_that_training_never_saw_is_outside_of_it() -> None:
    unseen = TRAINING.copy()
    unseen[:2] = np.nan
    reasons = abstentions(INSIDE, FEATURES, SYMBOLS, training_range(unseen), 0, CONFIG)
    assert set(reasons) == set(SYMBOLS)
