"""The task ``score`` of market_data: models are asked after the factors; what is wrong with one stops no run."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from trading_lib.domain.errors import TradingError
from trading_lib.workflows.learning.predict import NOBODY, OtherPricesError, predict
from trading_lib.workflows.setup.settings import Settings, load_settings
from trading_lib.workflows.stages.results import Scored
from trading_lib.workflows.trade.stage_log import logged

if TYPE_CHECKING:
    from trading_lib.workflows.stages.plans import SessionPlan

LOG = logging.getLogger(__name__)


@logged("score")
def score(plan: SessionPlan, settings: Settings | None = None) -> Scored:
    """Ask champion and challenger about the session, and look at how they do; without a model nothing happens.

    Whatever is wrong with a model (its files, its features, the database's tables) is told, and the run goes on without
    its scores.
    """
    active = settings or load_settings()
    try:
        found = predict(active, plan.session, plan.source_name)
    except OtherPricesError as error:
        return _without(plan, str(error))
    except Exception as error:
        problem = str(error).splitlines()[0] if isinstance(error, TradingError) else f"{type(error).__name__}: {error}"
        problem = problem.splitlines()[0]
        LOG.warning("session %s goes on without models: %s", plan.session, problem)
        _tell(plan, active, "the daily run goes on without models", problem, "problem")
        return _without(plan, "goes on without models", problem)
    if not found["models"]:
        return _without(plan, NOBODY)
    for one in found["models"]:
        if one.get("retire"):
            LOG.warning("model version %s was retired: %s", one["version"], "; ".join(one["reasons"]))
            _tell(plan, active, f"model version {one['version']} was retired", "\n".join(one["reasons"]), "retired")
        elif one.get("retrain"):
            LOG.warning("a new training is wanted: %s", "; ".join(one["reasons"]))
            _tell(plan, active, "a new training of the models is wanted", "\n".join(one["reasons"]), "retrain")
    return {
        "session": plan.session.isoformat(),
        "said": found["said"],
        "models": [_short(one) for one in found["models"]],
        "problem": "",
    }


def _short(one: dict[str, Any]) -> dict[str, Any]:
    names = ("role", "version", "kind", "scored", "retrain", "retire", "reasons", "shadow")
    return {name: one[name] for name in names if name in one} | {"abstained": len(one["abstained"])}


def _without(plan: SessionPlan, said: str, problem: str = "") -> Scored:
    return {"session": plan.session.isoformat(), "said": said, "models": [], "problem": problem}


def _tell(plan: SessionPlan, settings: Settings, title: str, text: str, what: str) -> None:
    """Tell a person, once a session; a fault of that is none of the session."""
    from trading_lib.monitoring.alert import Alert, AlertLevel
    from trading_lib.workflows.alerts.sessions import is_news
    from trading_lib.workflows.operations.alerting import raise_alert

    if not is_news(plan.session, settings):
        return
    alert = Alert(
        AlertLevel.WARNING,
        title,
        f"{text}\nHow the models stand: trading model status",
        source="market_data.score",
        key=f"models:{what}:{plan.session}",
        session=plan.session,
        once=True,
    )
    raise_alert(alert, settings)
