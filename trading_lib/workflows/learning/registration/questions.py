"""Whether a challenger becomes champion, as a question to the operator in Airflow, and the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trading_lib.domain.errors import InputError
from trading_lib.workflows.learning.registration.comparing import compared
from trading_lib.workflows.setup.settings import Settings, load_settings

if TYPE_CHECKING:
    from trading_lib.workflows.learning.registration.aliases import Result

APPROVE, REJECT = "Approve", "Reject"


def promotion_to_ask(settings: Settings | None = None) -> dict[str, Any]:
    """Return the run of the DAG model_promotion that asks about the challenger; empty where none is better.

    The id names the version, so that it is asked about once.
    """
    active = settings or load_settings()
    version = _challenger(active)
    return {} if version is None else {"version": version, "run_id": f"version-{version}"}


def asked_in_airflow(version: int, settings: Settings | None = None) -> dict[str, Any]:
    """Return what is asked about a version; empty when it is not the challenger any more, or not better."""
    active = settings or load_settings()
    if version != _challenger(active):
        return {}
    comparison = compared(active.engine(), version, active.configuration.learning)
    body = (
        f"{comparison.reason}. Approved, version {version} becomes champion; rejected or without an answer it stays "
        f"challenger. Other ways: trading model promote {version}, trading model status."
    )
    return {"version": version, "subject": f"Promote version {version} of the models to champion?", "body": body}


def record_response(
    asked: Mapping[str, Any], response: Mapping[str, Any] | None, settings: Settings | None = None
) -> dict[str, Any]:
    """Promote by the answer given in Airflow; without one, or after a rejection, nothing changes.

    Parameters
    ----------
    response
        chosen_options, params_input, responded_at, responded_by_user; see `airflow_answers.response_to`.
    """
    from trading_lib.workflows.learning.registry import promote

    if response is None:
        return {"promoted": False, "detail": "nobody answered"}
    chosen = list(response["chosen_options"])
    if chosen not in ([APPROVE], [REJECT]):
        raise InputError(
            f"the answer about version {asked['version']} is {chosen}, neither {APPROVE} nor {REJECT}; nothing changed",
            f"answer by `trading model promote {asked['version']}`",
        )
    user = response["responded_by_user"] or {}
    name = str(user.get("name") or user.get("id") or "unknown")
    if chosen == [REJECT]:
        return {"promoted": False, "detail": f"rejected by {name}"}
    note = str((response["params_input"] or {}).get("note") or "")
    changed: Result = promote(settings or load_settings(), int(asked["version"]), name, note)
    return {"promoted": True, **changed}


def _challenger(settings: Settings) -> int | None:
    """Return the challenger's version when it is better than what it would replace."""
    from trading_lib.workflows.learning.registration.opening import challenger

    engine = settings.engine()
    stored = challenger(engine)
    if stored is None or not compared(engine, stored.version, settings.configuration.learning).better:
        return None
    return stored.version
