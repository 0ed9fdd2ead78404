"""What every learner and its models must do. Test classes inherit `ModelContract` and say which learner it is."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from tests.builders.learning import synthetic_dataset
from trading_lib.domain.errors import InputError
from trading_lib.learning.config import LearningConfig, LightgbmConfig, XgboostConfig
from trading_lib.learning.dataset import Dataset
from trading_lib.learning.model import Learner, Model
from trading_lib.learning.models.learners import make_learner
from trading_lib.learning.models.loading import files_digest, load_model

CONFIG = LearningConfig(
    lightgbm=LightgbmConfig(rounds=12, minimum_rows=40), xgboost=XgboostConfig(rounds=12, minimum_weight=40)
)
DATA = synthetic_dataset(sessions=120, assets=9, features=6, ic=0.3, seed=1, missing=0.1)
EVERYTHING = np.arange(len(DATA))


class ModelContract:
    """Inherit it, and set ``kind``."""

    kind: ClassVar[str]
    # Of a score, that its contributions may miss it by: some libraries count in single precision.
    precision: ClassVar[float] = 1e-9

    @property
    def learner(self) -> Learner:
        return make_learner(self.kind, CONFIG)

    def fitted(self, data: Dataset = DATA, threads: int = 1) -> Model:
        return self.learner.fit(data, np.arange(len(data)), seed=7, threads=threads)

    def test_it_says_what_it_is_and_what_it_learned_from(self) -> None:
        model = self.fitted()
        assert (self.learner.kind, model.kind, model.features) == (self.kind, self.kind, DATA.features)

    def test_scores_follow_what_there_is_to_learn(self) -> None:
        scores = self.fitted().predict(DATA.x, DATA.features, DATA.row_session)
        assert scores.shape == DATA.y.shape
        assert np.corrcoef(scores, DATA.y)[0, 1] > 0.15

    def test_contributions_sum_to_the_score(self) -> None:
        model, x = self.fitted(), DATA.x[-90:]
        sessions = DATA.row_session[-90:]
        parts = model.contributions(x, DATA.features, sessions)
        assert parts.shape == (90, len(DATA.features) + 1)
        assert (np.ptp(parts[:, :-1], axis=0) > 0).any()
        np.testing.assert_allclose(
            parts.sum(axis=1), model.predict(x, DATA.features, sessions), atol=self.precision, rtol=0
        )

    def test_files_make_the_same_model_bit_by_bit(self) -> None:
        model = self.fitted()
        files = model.files()
        read = load_model(self.kind, DATA.features, files)
        for ask in ("predict", "contributions"):
            ours = getattr(model, ask)(DATA.x, DATA.features, DATA.row_session)
            theirs = getattr(read, ask)(DATA.x, DATA.features, DATA.row_session)
            assert ours.tobytes() == theirs.tobytes()
        assert files_digest(read.files()) == files_digest(files)

    def test_bytes_are_equal_for_two_runs_and_for_two_threads(self) -> None:
        assert self.fitted().files() == self.fitted().files() == self.fitted(threads=2).files()

    def test_rows_it_is_not_shown_change_nothing(self) -> None:
        half = np.arange(len(DATA) // 2)
        x, y = DATA.x.copy(), DATA.y.copy()
        x[len(half) :], y[len(half) :] = 1e6, -0.5
        other = Dataset(**{name: getattr(DATA, name) for name in Dataset.__slots__} | {"x": x, "y": y})
        assert self.learner.fit(DATA, half, 7).files() == self.learner.fit(other, half, 7).files()

    def test_a_session_asked_alone_gets_the_scores_it_gets_among_others(self) -> None:
        model, last = self.fitted(), DATA.rows_of(np.array([119]))
        alone = model.predict(DATA.x[last], DATA.features)
        assert alone.tobytes() == model.predict(DATA.x, DATA.features, DATA.row_session)[last].tobytes()

    def test_no_row_has_no_score(self) -> None:
        model, none = self.fitted(), np.empty((0, len(DATA.features)))
        assert model.predict(none, DATA.features).shape == (0,)
        assert model.contributions(none, DATA.features).shape == (0, len(DATA.features) + 1)

    @pytest.mark.parametrize("columns", [[1, 0, 2, 3, 4, 5], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4, 5, 5]])
    def test_columns_in_another_order_are_refused(self, columns: list[int]) -> None:
        names = tuple(DATA.features[column] for column in columns)
        for ask in ("predict", "contributions"):
            with pytest.raises(InputError, match="column"):
                getattr(self.fitted(), ask)(DATA.x[:, columns], names)

    def test_a_renamed_column_is_refused_by_name(self) -> None:
        names = (*DATA.features[:3], "elsewhere", *DATA.features[4:])
        with pytest.raises(InputError, match=f"column 4 of 6 .* {DATA.features[3]}, .* elsewhere"):
            self.fitted().predict(DATA.x, names)

    def test_values_of_another_shape_and_infinite_ones_are_refused(self) -> None:
        with pytest.raises(InputError, match="shape"):
            self.fitted().predict(DATA.x[:, :5], DATA.features)
        infinite = DATA.x.copy()
        infinite[3, 2] = np.inf
        with pytest.raises(InputError, match=f"{DATA.features[2]} is infinite"):
            self.fitted().predict(infinite, DATA.features)

    @pytest.mark.parametrize("value", [np.nan, 0.0, 1e9, 0.1])
    def test_a_feature_that_never_varies_has_no_say(self, value: float) -> None:
        model = self.fitted(self.with_column(5, value))
        parts = model.contributions(DATA.x, DATA.features, DATA.row_session)
        np.testing.assert_array_equal(parts[:, 5], 0.0)
        assert np.isfinite(model.predict(DATA.x, DATA.features, DATA.row_session)).all()

    def test_rows_without_any_feature_still_have_a_score(self) -> None:
        unknown = np.full((4, len(DATA.features)), np.nan)
        assert np.isfinite(self.fitted().predict(unknown, DATA.features)).all()

    def test_one_session_is_enough_to_fit(self) -> None:
        model = self.learner.fit(DATA, DATA.rows_of(np.array([60])), 7)
        assert np.isfinite(model.predict(DATA.x, DATA.features, DATA.row_session)).all()

    def test_labels_that_teach_nothing_are_refused(self) -> None:
        with pytest.raises(InputError, match="no row"):
            self.learner.fit(DATA, np.arange(0), 7)
        with pytest.raises(InputError, match="all equal"):
            self.learner.fit(DATA.with_labels(np.full(len(DATA), 0.25)), EVERYTHING, 7)
        with pytest.raises(InputError, match="no number"):
            self.learner.fit(DATA.with_labels(np.where(EVERYTHING == 8, np.nan, DATA.y)), EVERYTHING, 7)

    def test_files_of_other_features_are_refused(self) -> None:
        with pytest.raises(InputError, match="other features"):
            load_model(self.kind, (*DATA.features[:-1], "elsewhere"), self.fitted().files())

    @staticmethod
    def with_column(column: int, value: float) -> Dataset:
        x = DATA.x.copy()
        x[:, column] = value
        return Dataset(**{name: getattr(DATA, name) for name in Dataset.__slots__} | {"x": x})
