"""A model is asked by the names of its features, whatever their order, and not at all where one is gone."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from trading_lib.domain.errors import InputError
from trading_lib.learning.config import LifecycleConfig
from trading_lib.learning.dataset import FeaturePanel
from trading_lib.learning.registered import Alias, StoredModel
from trading_lib.workflows.learning.daily.asking import ask, contributions_of
from trading_lib.workflows.learning.data import features_at
from trading_lib.workflows.learning.registry import open_model, stored_model

if TYPE_CHECKING:
    from tests.trading_lib.workflows.learning.conftest import ModelsInUse

pytestmark = pytest.mark.postgres
DAY = date(2021, 5, 18)
CONFIG = LifecycleConfig()


@pytest.fixture
def model(models: ModelsInUse) -> StoredModel:
    return stored_model(models.settings.engine(), models.register(Alias.CHAMPION).version)


@pytest.fixture
def features(models: ModelsInUse) -> FeaturePanel:
    return features_at(models.on(DAY), DAY, models.source)


def without(features: FeaturePanel, order: list[int]) -> FeaturePanel:
    """The features at these places alone."""
    return replace(
        features,
        names=tuple(features.names[place] for place in order),
        kinds=tuple(features.kinds[place] for place in order),
        values=features.values[order],
    )


def test_reordered_features_give_the_same_scores(model: StoredModel, features: FeaturePanel) -> None:
    backwards = without(features, list(range(len(features.names)))[::-1])
    one, other = ask(model, features, CONFIG), ask(model, backwards, CONFIG)
    np.testing.assert_array_equal(one.scores, other.scores)
    assert one.abstained == other.abstained


def test_a_feature_that_is_gone_is_named(model: StoredModel, features: FeaturePanel) -> None:
    gone = features.names.index(model.features[2])
    left = without(features, [place for place in range(len(features.names)) if place != gone])
    with pytest.raises(InputError, match=f"model version 1 learned from {model.features[2]}, which this data does not"):
        ask(model, left, CONFIG)


def test_an_asset_outside_the_training_range_has_no_score_and_the_others_have(
    model: StoredModel, features: FeaturePanel
) -> None:
    values = features.values.copy()
    values[:, -1, 3] = 1e6
    values[:, -1, 5] = np.nan
    said = ask(model, replace(features, values=values), CONFIG)
    unchanged = ask(model, features, CONFIG)
    assert "outside the training range" in said.abstained[features.symbols[3]]
    assert said.abstained[features.symbols[5]] == "it has no feature in this session"
    assert np.isnan(said.scores[[3, 5]]).all()
    others = [column for column in range(len(features.symbols)) if column not in (3, 5)]
    np.testing.assert_allclose(said.scores[others], unchanged.scores[others], atol=1e-12)


def test_contributions_come_by_size_with_the_base_value_last(model: StoredModel, features: FeaturePanel) -> None:
    values = features.values[[features.names.index(name) for name in model.features]]
    parts = contributions_of(open_model(model), model, values, 0)
    assert list(parts)[-1] == ""
    sizes = [abs(part) for name, part in parts.items() if name]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(parts.values()) == pytest.approx(ask(model, features, CONFIG).scores[0])


def test_asking_loads_neither_mlflow_nor_what_only_training_needs(models: ModelsInUse, model: StoredModel) -> None:
    script = (
        "import json, sys; from datetime import date; from pathlib import Path;"
        "from tests.builders.settings import make_settings;"
        "from trading_lib.workflows.learning.predict import predict;"
        f"settings = make_settings({models.settings.database_url!r}, Path({str(models.settings.folders.home)!r}));"
        f"found = predict(settings, date(2021, 5, 18), {models.source!r});"
        "loaded = [n for n in ('mlflow', 'shap', 'skfolio', 'lightgbm', 'xgboost') if n in sys.modules];"
        "print(json.dumps([len(found['models']), loaded]))"
    )
    root = Path(__file__).resolve().parents[5]
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=root)
    assert json.loads(answer.stdout) == [1, []]
