"""What became of models: figures of each session for drift, events, and the importance of features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import Engine, func, select, text
from sqlalchemy.dialects.postgresql import insert

from trading_lib.adapters.stores.postgres.json_codec import decode, encode
from trading_lib.adapters.stores.postgres.schema_models import model_events, model_importances, model_readings
from trading_lib.domain.errors import InputError
from trading_lib.domain.market.sessions import require_aware
from trading_lib.learning.registered import RANKING

IC_READING = "ic"


@dataclass(frozen=True, slots=True)
class Reading:
    """A figure of a version in a session, e.g. "ic": its information coefficient there."""

    version: int
    session: date
    reading: str
    value: float


@dataclass(frozen=True, slots=True)
class ModelEvent:
    """Something that happened to the models.

    Attributes
    ----------
    kind
        E.g. "retrained", "refused", "retired", "rolled back", "drift".
    version
        None where it is about none.
    detail
        Figures behind ``text``.
    number
        In the order of events, from 1; 0 before it is stored.
    """

    kind: str
    text: str
    caused_by: str
    at: datetime
    version: int | None = None
    session: date | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    number: int = 0


class LifecycleStore:
    """Readings, events and importances of one database under one name of a model."""

    def __init__(self, engine: Engine, name: str = RANKING) -> None:
        self._engine = engine
        self.name = name

    def save_readings(self, readings: Sequence[Reading], at: datetime) -> int:
        """Store readings in one statement; return how many are new. What was read first stands.

        Readings that are no number are left out.
        """
        rows = [
            {**{name: getattr(one, name) for name in Reading.__dataclass_fields__}, "name": self.name}
            | {"stored_at": require_aware(at, "at")}
            for one in readings
            if one.value == one.value
        ]
        if not rows:
            return 0
        statement = insert(model_readings).on_conflict_do_nothing().returning(model_readings.c.session)
        with self._engine.begin() as connection:
            return len(connection.execute(statement, rows).all())

    def readings(
        self, version: int, reading: str, first: date | None = None, last: date | None = None
    ) -> dict[date, float]:
        """Return session -> value of one reading of a version, by session."""
        table = model_readings
        query = select(table.c.session, table.c.value).where(
            table.c.name == self.name, table.c.version == version, table.c.reading == reading
        )
        if first is not None:
            query = query.where(table.c.session >= first)
        if last is not None:
            query = query.where(table.c.session <= last)
        with self._engine.connect() as connection:
            return {row.session: row.value for row in connection.execute(query.order_by(table.c.session))}

    def add_event(self, event: ModelEvent) -> ModelEvent:
        """Store an event and return it with its number."""
        with self._engine.begin() as connection:
            connection.execute(text("LOCK TABLE model_events IN EXCLUSIVE MODE"))
            newest = connection.execute(select(func.coalesce(func.max(model_events.c.number), 0))).scalar_one()
            values = {name: getattr(event, name) for name in ModelEvent.__dataclass_fields__}
            values |= {"number": newest + 1, "name": self.name, "detail": encode(event.detail)}
            require_aware(event.at, "at")
            connection.execute(insert(model_events).values(values))
        return _event(values)

    def events(self, kind: str | None = None, version: int | None = None) -> list[ModelEvent]:
        """Return events, oldest first; of one kind or version, or all."""
        query = select(model_events).where(model_events.c.name == self.name).order_by(model_events.c.number)
        if kind is not None:
            query = query.where(model_events.c.kind == kind)
        if version is not None:
            query = query.where(model_events.c.version == version)
        with self._engine.connect() as connection:
            return [_event(row) for row in connection.execute(query).mappings()]

    def save_importances(self, version: int, shares: Mapping[str, float]) -> None:
        """Store the share of each feature in a version's contributions; what was stored first stands.

        Raises
        ------
        InputError
            When the shares do not add up to 1.
        """
        if abs(sum(shares.values()) - 1) > 1e-6:
            raise InputError(
                f"the shares of the features of version {version} add up to {sum(shares.values()):.4f}, not to 1",
                "divide each by their sum",
            )
        rows = [
            {"name": self.name, "version": version, "feature": feature, "share": share}
            for feature, share in shares.items()
        ]
        with self._engine.begin() as connection:
            connection.execute(insert(model_importances).on_conflict_do_nothing(), rows)

    def importances(self, version: int) -> dict[str, float]:
        """Return feature -> share, the largest first."""
        table = model_importances
        query = select(table.c.feature, table.c.share).where(table.c.name == self.name, table.c.version == version)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(table.c.share.desc(), table.c.feature))
            return {row.feature: row.share for row in rows}


def _event(row: Mapping[Any, Any]) -> ModelEvent:
    values = {name: row[name] for name in ModelEvent.__dataclass_fields__}
    return ModelEvent(**{**values, "detail": decode(values["detail"]), "at": require_aware(values["at"], "at")})
