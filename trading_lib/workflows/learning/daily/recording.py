"""What a model said, how it does and what becomes of it, into the database: predictions, readings, events."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from trading_lib.adapters.stores.learning.lifecycle_store import IC_READING, LifecycleStore, ModelEvent, Reading
from trading_lib.adapters.stores.learning.model_store import ModelStore
from trading_lib.adapters.stores.learning.prediction_store import PredictionStore, StoredPrediction
from trading_lib.adapters.stores.learning.score_store import SPOKE_AS
from trading_lib.learning.lifecycle.calibration import calibrate
from trading_lib.learning.lifecycle.drift import Drift, drift_readings
from trading_lib.learning.lifecycle.triggers import Decision, decide, ic_readings, month_end_reading
from trading_lib.learning.registered import Alias, Aliases, StoredModel
from trading_lib.workflows.learning.daily.observing import (
    BOOK_RETURN,
    DISTANCE,
    UNIVERSE_RETURN,
    feature_drift,
    known_coefficients,
    shadow_returns,
    spoken_scores,
)

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from trading_lib.learning.dataset import FeaturePanel
    from trading_lib.workflows.learning.daily.asking import Said
    from trading_lib.workflows.learning.inputs import LearningInput
    from trading_lib.workflows.setup.settings import Settings

Result = dict[str, Any]
LIFECYCLE = "lifecycle"
# Kinds of events.
RETRAIN, RETIRED, DRIFT = "retrain wanted", "retired", "drift"
# A shadowed book begins with so many dollars.
SHADOW_CAPITAL = 100_000.0


def record(
    settings: Settings,
    engine: Engine,
    found: LearningInput,
    features: FeaturePanel,
    about: tuple[Alias, StoredModel, Aliases, Said],
    keep: bool = True,
) -> Result:
    """Store what a model said, read how it does, and let the lifecycle decide; return all of it as plain values.

    Nothing is decided about a model for a session at which it was not in use: what it would have said of the past is
    stored, and that is all.

    Parameters
    ----------
    keep
        False stores and decides nothing.
    """
    role, model, aliases, said = about
    new = PredictionStore(engine).save(stored_rows(said), settings.clock()) if keep else 0
    told: Result = {
        "role": str(role),
        "version": model.version,
        "kind": model.kind,
        "scored": int(np.isfinite(said.scores).sum()),
        "new": new,
        "ranks": _ranking(said),
        "abstained": said.abstained,
        "stored": keep,
    }
    if not keep or not _in_use(settings, aliases, model.version, said.session):
        return told | {"in_use": False}
    ics, money = _observe(settings, engine, found, about)
    drift = feature_drift(model, features, _first_learned(engine, model), settings.configuration.learning.lifecycle)
    decision = _decided(settings, engine, found, model, (ics, drift))
    _act(settings, engine, model, said.session, decision, drift)
    feature, farthest = drift.largest
    return told | {
        "in_use": True,
        "coefficients": len(ics),
        "mean_coefficient": float(np.mean(ics)) if len(ics) else None,
        "shadow": money,
        "drift": {"feature": feature, "distance": farthest, "over_usual": _known(drift.worst)},
        "retrain": decision.retrain,
        "retire": decision.retire,
        "reasons": list(decision.reasons),
        "readings": [
            {
                **{name: getattr(one, name) for name in ("name", "fired", "acts", "about")},
                **{name: str(getattr(one, name)) for name in ("action", "thresholds")},
                **{name: _known(getattr(one, name)) for name in ("value", "threshold", "false_alarms")},
            }
            for one in decision.readings
        ],
    }


def stored_rows(said: Said) -> list[StoredPrediction]:
    """Return what a model said as rows of the database."""
    rows = []
    for column, symbol in enumerate(said.symbols):
        silent = said.abstained.get(symbol, "")
        score, rank = (None if silent else float(values[column]) for values in (said.scores, said.ranks))
        rows.append(StoredPrediction(said.version, said.session, symbol, score, rank, silent))
    return rows


def _in_use(settings: Settings, aliases: Aliases, version: int, session: date) -> bool:
    """Whether the version had its alias before anybody could trade on the session after this one."""
    change = aliases.current[version]
    return change.at <= settings.calendar.decision_time(settings.calendar.next(session))


def _observe(
    settings: Settings, engine: Engine, found: LearningInput, about: tuple[Alias, StoredModel, Aliases, Said]
) -> tuple[np.ndarray, Result | None]:
    """Store the readings; return the known coefficients by session, and the shadow book in money."""
    role, model, _, said = about
    config, panel, store = settings.configuration.learning, found.market.panel, LifecycleStore(engine)
    scores = spoken_scores(engine, model.version, panel)
    # What it would have said of sessions at which it was not in use, those it learned from among them, proves nothing.
    spoke = {said.session}.union(*(store.readings(model.version, name) for name in SPOKE_AS.values()))
    scores[[day not in spoke for day in panel.sessions.astype(object)]] = np.nan
    own, universe = shadow_returns(scores, panel, config)
    readings = [Reading(model.version, said.session, SPOKE_AS[role], 1.0)]
    for name, values in (
        (IC_READING, known_coefficients(scores, panel, config)),
        (BOOK_RETURN, own),
        (UNIVERSE_RETURN, universe),
    ):
        there = store.readings(model.version, name)
        readings += [Reading(model.version, day, name, value) for day, value in values.items() if day not in there]
    store.save_readings(readings, settings.clock())
    ics = np.array(list(store.readings(model.version, IC_READING, last=said.session).values()))
    return ics, _in_money(store, model.version, said.session)


def _in_money(store: LifecycleStore, version: int, session: date) -> Result | None:
    books = [store.readings(version, name, last=session) for name in (BOOK_RETURN, UNIVERSE_RETURN)]
    if not books[0]:
        return None
    value, market = (SHADOW_CAPITAL * float(np.prod(1.0 + np.array(list(book.values())))) for book in books)
    return {"since": min(books[0]).isoformat(), "begun_with": SHADOW_CAPITAL, "value": value, "equal_weights": market}


def _decided(
    settings: Settings, engine: Engine, found: LearningInput, model: StoredModel, seen: tuple[np.ndarray, Drift]
) -> Decision:
    from trading_lib.workflows.learning.registration.comparing import coefficients

    config, panel = settings.configuration.learning, found.market.panel
    ics, drift = seen
    validation = {day: ic for day, ic in coefficients(engine, model).items() if day <= model.trained_until}
    calibration = calibrate(np.array([validation[day] for day in sorted(validation)]), config.label.horizon,
                            config.lifecycle, config.seed)  # fmt: skip
    readings = (
        *ic_readings(ics, config.lifecycle, calibration),
        *drift_readings(drift, config.lifecycle),
        month_end_reading(bool(panel.month_end[-1]), config.lifecycle),
    )
    return decide(readings, _since_training(engine, found), config.lifecycle)


def _since_training(engine: Engine, found: LearningInput) -> int | None:
    """Sessions since a training ended or one was asked for, whichever is later; None without either."""
    session: date = found.market.panel.sessions[-1].item()
    asked = [event.session for event in LifecycleStore(engine).events(RETRAIN) if event.session]
    ended = [training.finished_at.date() for training in ModelStore(engine).trainings(1)]
    before = [day for day in (*asked, *ended) if day < session]
    if not before:
        return None
    return int((found.market.panel.sessions > np.datetime64(max(before))).sum())


def _act(
    settings: Settings, engine: Engine, model: StoredModel, session: date, decision: Decision, drift: Drift
) -> None:
    """Record what was decided, once a session, and take the alias of a model that has decayed."""
    from trading_lib.workflows.learning.registry import retire

    store, at = LifecycleStore(engine), settings.clock()
    feature, farthest = drift.largest
    store.save_readings([Reading(model.version, session, DISTANCE, farthest)], at)
    why = "; ".join(decision.reasons)
    detail = {"drift": {"feature": feature, "distance": farthest}, "thresholds": _thresholds(decision)}
    known = {event.kind for event in store.events(version=model.version) if event.session == session}
    warned = any(reading.fired and reading.acts and reading.name.startswith("ks") for reading in decision.readings)
    for kind, holds in ((DRIFT, warned), (RETRAIN, decision.retrain), (RETIRED, decision.retire)):
        if holds and kind not in known:
            store.add_event(ModelEvent(kind, why, LIFECYCLE, at, model.version, session, detail))
    if decision.retire:
        retire(settings, model.version, LIFECYCLE, why)


def _thresholds(decision: Decision) -> list[Result]:
    return [
        {"name": one.name, "thresholds": str(one.thresholds), "value": _known(one.value), "at": _known(one.threshold)}
        for one in decision.readings
        if one.fired
    ]


def _first_learned(engine: Engine, model: StoredModel) -> date:
    return ModelStore(engine).training(model.training).first


def _ranking(said: Said) -> list[Result]:
    order = [int(column) for column in np.argsort(-np.nan_to_num(said.scores, nan=-np.inf), kind="stable")]
    return [
        {
            "symbol": said.symbols[column],
            "place": place,
            "score": float(said.scores[column]),
            "rank": float(said.ranks[column]),
        }
        for place, column in enumerate((c for c in order if np.isfinite(said.scores[c])), start=1)
    ]


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
