"""A model in use: prices in a database, and a ridge regression that learned from them and has its aliases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from tests.builders.price_folder import write_price_folder
from tests.builders.settings import make_settings
from tests.environment.stored_models import training
from trading_lib.adapters.stores.learning.model_store import ModelStore
from trading_lib.learning.models.learners import make_learner
from trading_lib.learning.registered import (
    RANKING,
    Alias,
    AliasChange,
    Aliases,
    StoredModel,
    file_digests,
    model_digest,
)
from trading_lib.workflows.data import fetch as fetching
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.learning.data import training_data
from trading_lib.workflows.learning.registration.draft import DAILY, feature_ranges
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.stages.plans import SessionPlan

BEGIN, FIRST, TRAINED, LAST = date(2019, 1, 2), date(2020, 1, 20), date(2021, 3, 31), date(2021, 6, 30)


@dataclass
class ModelsInUse:
    """Prices until `LAST`, and the models that learned from them until `TRAINED`.

    Attributes
    ----------
    folder
        The same prices as files.
    """

    settings: Settings
    folder: Path
    source: str

    def on(self, session: date) -> Settings:
        """Settings an hour after the session's decision."""
        return replace(self.settings, clock=lambda: self.after(session))

    def after(self, session: date) -> datetime:
        return self.settings.calendar.decision_time(session) + timedelta(hours=1)

    def plan(self, session: date, book: str = "demo") -> SessionPlan:
        return market_data.plan(session.isoformat(), "files", str(self.folder), book, self.on(session))

    @property
    def store(self) -> ModelStore:
        return ModelStore(self.settings.engine())

    def register(
        self, alias: Alias | None, penalty: float = 0.1, at: date = TRAINED, validation: float = 0.1
    ) -> StoredModel:
        """Train a ridge regression on the stored prices, and give it an alias.

        Parameters
        ----------
        validation
            Mean of its information coefficients out of sample.
        """
        data = training_data(self.settings, FIRST, TRAINED, stored=self.source).dataset
        config = self.settings.configuration.learning
        ridge = config.ridge.model_copy(update={"penalty": penalty})
        fitted = make_learner("ridge", config.model_copy(update={"ridge": ridge})).fit(data, np.arange(len(data)), 0)
        files = dict(fitted.files())
        digests = file_digests(files)
        ics = np.random.default_rng(0).normal(validation, 0.25, len(data.sessions))
        daily = {"sessions": [str(day) for day in data.sessions], "ic": ics.tolist()}
        stored = StoredModel(
            name=RANKING, version=0, kind="ridge", training="training-1", trained_until=TRAINED,
            features=fitted.features, files=digests, sha256=model_digest("ridge", fitted.features, digests),
            data_hash=data.digest, evidence={"ic_mean": validation, "passed": True, DAILY: daily},
            ranges=feature_ranges(data), certificate="", created_at=self.after(TRAINED),
        )  # fmt: skip
        told = training(
            first=FIRST, last=TRAINED, data_source=self.source, features=fitted.features, finished_at=self.after(at)
        )
        self.store.save_training(told)

        def decide(new: StoredModel, aliases: Aliases) -> Sequence[AliasChange]:
            return [AliasChange(new.version, alias, "for a test", "tests", self.after(at))]

        return self.store.register(stored, files, decide)[0]


@pytest.fixture
def models(database_url: str, tmp_path: Path) -> ModelsInUse:
    settings = make_settings(database_url, tmp_path)
    folder = write_price_folder(tmp_path / "prices", BEGIN, LAST)
    plan = market_data.plan(LAST.isoformat(), "files", str(folder), "demo", settings)
    fetching.ingest_history(plan, settings, LAST)
    return ModelsInUse(settings, folder, plan.source_name)
