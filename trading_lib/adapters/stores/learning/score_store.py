"""Scores of the models that were champion, or challenger, when they spoke: all that a book may be traded on."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Engine, select

from trading_lib.adapters.stores.postgres.schema_models import (
    model_predictions,
    model_readings,
    model_versions,
    trainings,
)
from trading_lib.learning.registered import RANKING, Alias

# The source of made-up prices.
SIMULATED = "simulated"
# A reading of this name says that the version spoke as champion or challenger for the session.
SPOKE_AS = {Alias.CHAMPION: "spoke_as_champion", Alias.CHALLENGER: "spoke_as_challenger"}


class ScoreStore:
    """The scores of one database under one name of a model."""

    def __init__(self, engine: Engine, name: str = RANKING) -> None:
        self._engine = engine
        self.name = name

    def scores(self, role: Alias, first: date, last: date, simulated: bool) -> dict[date, dict[str, float]]:
        """Return session -> symbol -> score of whoever spoke first in that role for the session.

        An asset on which the model abstained has no score; a session on whose assets it abstained altogether is there,
        and empty.

        Parameters
        ----------
        simulated
            Whether of models trained on made-up prices, or of those trained on real ones: the two teach nothing about
            one another.
        """
        spoke, said = model_readings, model_predictions
        query = (
            select(spoke.c.session, spoke.c.version, said.c.symbol, said.c.score)
            .join(said, (said.c.name == spoke.c.name) & (said.c.version == spoke.c.version)
                  & (said.c.session == spoke.c.session))
            .join(model_versions, (model_versions.c.name == spoke.c.name)
                  & (model_versions.c.version == spoke.c.version))
            .join(trainings, trainings.c.id == model_versions.c.training)
            .where(spoke.c.name == self.name, spoke.c.reading == SPOKE_AS[role])
            .where(spoke.c.session.between(first, last))
            .order_by(spoke.c.session, spoke.c.stored_at, spoke.c.version, said.c.symbol)
        )  # fmt: skip
        found: dict[date, dict[str, float]] = {}
        speaker: dict[date, int] = {}
        made_up = trainings.c.data_source == SIMULATED
        query = query.where(made_up if simulated else ~made_up)
        with self._engine.connect() as connection:
            for row in connection.execute(query):
                if speaker.setdefault(row.session, row.version) != row.version:
                    continue
                of_session = found.setdefault(row.session, {})
                if row.score is not None:
                    of_session[row.symbol] = row.score
        return found
