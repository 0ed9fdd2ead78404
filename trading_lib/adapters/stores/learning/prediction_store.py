"""What models said of each asset before a session; written once, whatever becomes known later."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.dialects.postgresql import insert

from trading_lib.adapters.stores.postgres.schema_models import model_predictions as table
from trading_lib.domain.errors import DecisionConflictError, InputError
from trading_lib.domain.market.sessions import require_aware
from trading_lib.learning.registered import RANKING


@dataclass(frozen=True, slots=True)
class StoredPrediction:
    """What a version said of an asset.

    Attributes
    ----------
    score, rank
        Higher is better; the rank is within the session, in [-0.5, 0.5]. None where the version abstained.
    abstained
        Why; "" where it did not.
    """

    version: int
    session: date
    symbol: str
    score: float | None
    rank: float | None
    abstained: str = ""


class PredictionStore:
    """The predictions of one database under one name of a model."""

    def __init__(self, engine: Engine, name: str = RANKING) -> None:
        self._engine = engine
        self.name = name

    def save(self, predictions: Sequence[StoredPrediction], at: datetime) -> int:
        """Store predictions in one statement; return how many are new. The same again change nothing.

        Raises
        ------
        InputError
            When there is neither a score nor a reason why not.
        DecisionConflictError
            When the version has said something else of the asset for this session; nothing is stored then.
        """
        if not predictions:
            return 0
        for one in predictions:
            if not (one.abstained if one.score is None else math.isfinite(one.score)):
                raise InputError(
                    f"the score of {one.symbol} for session {one.session} is no number",
                    "abstain, and say why",
                )
        rows = [
            {**{name: getattr(one, name) for name in StoredPrediction.__dataclass_fields__}, "name": self.name}
            | {"stored_at": require_aware(at, "at")}
            for one in predictions
        ]
        statement = insert(table).on_conflict_do_nothing().returning(table.c.symbol)
        versions = {one.version for one in predictions}
        sessions = {one.session for one in predictions}
        stored = self._query().where(table.c.version.in_(versions), table.c.session.in_(sessions))
        with self._engine.begin() as connection:
            new = len(connection.execute(statement, rows).all())
            known = {_key(row): _prediction(row) for row in connection.execute(stored).mappings()}
            for one in predictions:
                if known[one.version, one.session, one.symbol] != one:
                    raise DecisionConflictError(
                        f"model version {one.version} has said something else of {one.symbol} for session"
                        f" {one.session}",
                        "the stored prediction stands",
                    )
        return new

    def of_session(self, version: int, session: date) -> list[StoredPrediction]:
        """Return what a version said for a session, by symbol."""
        return self.between(version, session, session)

    def between(self, version: int, first: date, last: date) -> list[StoredPrediction]:
        """Return what a version said for the sessions from ``first`` to ``last``, by session and symbol."""
        query = self._query().where(table.c.version == version, table.c.session.between(first, last))
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(table.c.session, table.c.symbol)).mappings()
            return [_prediction(row) for row in rows]

    def newest_session(self, version: int) -> date | None:
        """Return the newest session that a version has said anything for."""
        query = select(table.c.session).where(table.c.name == self.name, table.c.version == version)
        with self._engine.connect() as connection:
            return connection.execute(query.order_by(table.c.session.desc()).limit(1)).scalar()

    def _query(self) -> Any:
        return select(table).where(table.c.name == self.name)


def _key(row: Mapping[Any, Any]) -> tuple[int, date, str]:
    return row["version"], row["session"], row["symbol"]


def _prediction(row: Mapping[Any, Any]) -> StoredPrediction:
    return StoredPrediction(**{name: row[name] for name in StoredPrediction.__dataclass_fields__})
