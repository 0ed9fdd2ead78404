"""Answers of ``trading model predict`` and ``explain``: ranks and trades of a session, and what a score is made of."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trading_lib.domain.errors import InputError
from trading_lib.domain.market.sessions import parse_session
from trading_lib.workflows.learning.predict import NOBODY, check, models_in_use, predict

if TYPE_CHECKING:
    from trading_lib.workflows.setup.settings import Settings

Result = dict[str, Any]


def predicted(settings: Settings, session: str | None, data: Path | None, book: str | None) -> Result:
    """Ask the models in use about a session, and say what the overlay would trade by the champion's scores."""
    day, stored = place(settings, session, data, book)
    found = predict(settings, day, stored, None if stored else data)
    champion = next((one for one in found["models"] if one["role"] == "champion"), None)
    if champion is None:
        return found | {"overlay": []}
    from trading_lib.workflows.learning.daily.trades import overlay_trades

    scores = {row["symbol"]: row["score"] for row in champion["ranks"]}
    return found | {"overlay": overlay_trades(settings, day, scores, book)}


def checked(settings: Settings, session: str | None, data: Path | None, book: str | None) -> Result:
    """Compute what was stored for a session again, and compare."""
    day, stored = place(settings, session, data, book)
    return check(settings, day, stored, None if stored else data)


def explained(
    settings: Settings, session: str | None, symbol: str | None, data: Path | None, book: str | None
) -> Result:
    """Take the champion's scores of a session apart into the contributions of its features, without storing anything.

    Raises
    ------
    InputError
        When there is no champion, or it says nothing of the asset.
    """
    if symbol is not None:
        settings.configuration.universe[symbol]
    engine = settings.engine()
    try:
        models, _ = models_in_use(engine)
        if not models:
            raise InputError(NOBODY, "`trading model status` shows what would change that")
    finally:
        engine.dispose()
    from trading_lib.workflows.learning.daily.asking import ask, columns_of, contributions_of
    from trading_lib.workflows.learning.data import features_at
    from trading_lib.workflows.learning.registry import open_model

    role, model = next(iter(models.items()))
    day, stored = place(settings, session, data, book)
    features = features_at(settings, day, stored, None if stored else data)
    said = ask(model, features, settings.configuration.learning.lifecycle)
    if symbol is not None and symbol in said.abstained:
        raise InputError(f"the {role} says nothing of {symbol}: {said.abstained[symbol]}", "ask about another asset")
    opened, values = open_model(model), columns_of(model, features)
    assets: list[Result] = []
    for column, name in enumerate(features.symbols):
        if name in said.abstained or symbol not in (None, name):
            continue
        parts = contributions_of(opened, model, values, column)
        base = parts.pop("")
        known = dict(zip(model.features, values[:, -1, column].tolist(), strict=True))
        rows = [{"feature": one, "value": known[one], "contribution": part} for one, part in parts.items()]
        assets.append({"symbol": name, "score": float(said.scores[column]), "base": base, "features": rows})
    assets.sort(key=lambda one: -one["score"])
    about = {"session": day.isoformat(), "role": str(role), "version": model.version, "kind": model.kind}
    return about | {"assets": assets, "abstained": said.abstained}


def place(settings: Settings, session: str | None, data: Path | None, book: str | None) -> tuple[date, str | None]:
    """Which session, and which stored source; None where a folder or a source outside the database is read.

    Without a session it is the newest one with data; a book's prices are those it trades on.
    """
    if book is not None and data is None:
        from trading_lib.adapters.stores.books.book_store import BookStore

        source = BookStore(settings.engine()).book(book).data_source
        newest = settings.calendar.latest_decidable(settings.clock())
        return (parse_session(session) if session else newest), source
    from trading_lib.workflows.data.ingest import newest_session
    from trading_lib.workflows.setup.source_choice import choose_source

    chosen = choose_source(None, data, settings)
    return (parse_session(session) if session else newest_session(chosen.kind, chosen.folder, settings)), None
