"""What the champion and the challenger say of the assets at a session, from what was known at its decision.

Stored once: asked again, a model says the same, or the difference is an error. What follows for the models themselves
(drift, information coefficients, retraining, retirement) is recorded by `trading_lib.workflows.learning.daily`.
Without a model nothing is read, and no library of models is loaded.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trading_lib.domain.errors import InputError, SessionError
from trading_lib.domain.market.instruments import TradingCalendar
from trading_lib.learning.registered import Alias, Aliases, StoredModel

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from trading_lib.workflows.learning.daily.asking import Said
    from trading_lib.workflows.learning.inputs import LearningInput
    from trading_lib.workflows.setup.settings import Settings

Result = dict[str, Any]
ROLES = (Alias.CHAMPION, Alias.CHALLENGER)
NOBODY = "no model is champion or challenger: nothing is predicted"


def predict(
    settings: Settings, session: date, stored: str | None = None, data: Path | None = None, engine: Engine | None = None
) -> Result:
    """Ask champion and challenger, store what they say, and record how they do.

    Parameters
    ----------
    stored
        Source whose rows in the database are read, as the daily run does; None reads ``data`` or the default source.
    data
        Folder of prices. What models say of them is told and not stored: books trade on what is stored.

    Raises
    ------
    SessionError
        When the session's decision is still ahead, or no exchange's prices of it are there: what would be said now is
        not what the daily run will have to say.
    InputError
        When a model's files are not what was registered, its features are not there, or it was trained on made-up
        prices and these are real, or the other way round.
    DecisionConflictError
        When a model has said something else for the session; nothing is stored then.
    """
    connected = engine or settings.engine()
    try:
        models, aliases = models_in_use(connected)
        if models:
            _require_decidable(settings, session)
        else:
            return {"session": session.isoformat(), "models": [], "said": NOBODY}
        # Imported here: without a model no market is read.
        from trading_lib.workflows.learning.daily.recording import record
        from trading_lib.workflows.learning.data import known_input

        found = known_input(settings, session, data, None, stored)
        _require_prices(settings, found, session)
        features = found.features(settings.calendar)
        told = []
        for role, model in models.items():
            require_same_kind_of_prices(connected, model, found)
            said = _asked(model, found, session, settings, features)
            told.append(record(settings, connected, found, features, (role, model, aliases, said), keep=data is None))
        return {"session": session.isoformat(), "models": told, "said": _sum_up(told)}
    finally:
        if engine is None:
            connected.dispose()


def check(settings: Settings, session: date, stored: str | None = None, data: Path | None = None) -> Result:
    """Compute what was stored for a session again, from what was known at its decision, and compare to the last bit.

    Raises
    ------
    InputError
        When nobody said anything for the session.
    """
    from trading_lib.adapters.stores.learning.model_store import ModelStore
    from trading_lib.adapters.stores.learning.prediction_store import PredictionStore
    from trading_lib.workflows.learning.daily.recording import stored_rows
    from trading_lib.workflows.learning.data import known_input
    from trading_lib.workflows.learning.registry import stored_model

    engine = settings.engine()
    try:
        predictions = PredictionStore(engine)
        known = {
            model.version: rows
            for model in ModelStore(engine).versions()
            if (rows := predictions.of_session(model.version, session))
        }
        if not known:
            raise InputError(
                f"no model said anything for session {session}", "`trading model predict` asks them for a session"
            )
        found = known_input(settings, session, data, None, stored)
        features = found.features(settings.calendar)
        compared = []
        for version, rows in known.items():
            said = _asked(stored_model(engine, version), found, session, settings, features)
            now = {one.symbol: one for one in stored_rows(said)}
            differing = sorted(one.symbol for one in rows if now.get(one.symbol) != one)
            compared.append({"version": version, "assets": len(rows), "differing": differing})
    finally:
        engine.dispose()
    same = not any(one["differing"] for one in compared)
    return {"session": session.isoformat(), "same": same, "models": compared}


def models_in_use(engine: Engine) -> tuple[dict[Alias, StoredModel], Aliases]:
    """Role -> the model that has it now, with its files; and every alias there was."""
    from trading_lib.adapters.stores.learning.model_store import ModelStore

    store = ModelStore(engine)
    aliases = store.aliases()
    if all(aliases.holder(role) is None for role in ROLES):
        return {}, aliases
    from trading_lib.workflows.learning.registry import challenger, champion

    found = {Alias.CHAMPION: champion(engine), Alias.CHALLENGER: challenger(engine)}
    return {role: model for role, model in found.items() if model is not None}, aliases


def require_same_kind_of_prices(engine: Engine, model: StoredModel, found: LearningInput) -> None:
    """Refuse to ask a model about made-up prices that learned from real ones, and the other way round."""
    from trading_lib.adapters.stores.learning.model_store import ModelStore
    from trading_lib.workflows.setup.source_choice import SIMULATED

    source, learned = found.market.panel.source, ModelStore(engine).training(model.training).data_source
    if (source == SIMULATED) != (learned == SIMULATED):
        raise OtherPricesError(
            f"model version {model.version} learned from {learned}, and these are prices of {source}",
            "ask it about prices of the same kind",
        )


def _require_decidable(settings: Settings, session: date) -> None:
    newest = settings.calendar.latest_decidable(settings.clock())
    if session > newest:
        raise SessionError(f"the decision of session {session} is still ahead", f"ask about {newest} or an earlier one")


def _require_prices(settings: Settings, found: LearningInput, session: date) -> None:
    panel, universe = found.market.panel, settings.configuration.universe
    row = found.market.row(session)  # names a session that the data does not reach
    listed = [universe[symbol].calendar is not TradingCalendar.ALWAYS for symbol in panel.symbols]
    if not panel.fresh[row, listed].any():
        raise SessionError(f"there are no prices of session {session} yet", "ingest that session first")


class OtherPricesError(InputError):
    """A model that learned from real prices is asked about made-up ones, or the other way round."""


def _asked(model: StoredModel, found: LearningInput, session: date, settings: Settings, features: Any) -> Said:
    from trading_lib.workflows.learning.daily.asking import ask

    return ask(model, features, settings.configuration.learning.lifecycle)


def _sum_up(told: list[Result]) -> str:
    parts = [
        f"{one['role']} version {one['version']} scored {one['scored']} of {one['scored'] + len(one['abstained'])}"
        for one in told
    ]
    return "; ".join(parts)
