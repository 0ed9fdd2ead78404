"""A better challenger is asked about once, and an answer in Airflow does what the command line does."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.builders.settings import make_settings
from tests.environment.finished_training import BASELINE, finished_training, noise
from trading_lib.domain.errors import InputError
from trading_lib.workflows.learning.registration.questions import asked_in_airflow, promotion_to_ask, record_response
from trading_lib.workflows.learning.registry import champion, register
from trading_lib.workflows.setup.settings import Settings

pytestmark = pytest.mark.postgres


@pytest.fixture
def settings(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return make_settings(database_url, tmp_path)


def challenge(settings: Settings, gain: float) -> int:
    """Register a model that beats the best untrained baseline by ``gain``."""
    run = finished_training({"ridge": noise(gain, seed=1), BASELINE: noise(0.0, seed=99)}, seed=1)
    (model,) = register(settings, run).versions
    return int(model.version)


def answer(*chosen: str) -> dict[str, Any]:
    return {
        "chosen_options": list(chosen),
        "params_input": {"note": "looks right"},
        "responded_at": datetime(2026, 11, 27, tzinfo=UTC),
        "responded_by_user": {"id": "7", "name": "Ada Lovelace"},
    }


def test_without_a_challenger_nobody_is_asked(settings: Settings) -> None:
    assert promotion_to_ask(settings) == {}
    assert asked_in_airflow(1, settings) == {}


def test_a_challenger_that_is_no_better_is_not_asked_about(settings: Settings) -> None:
    version = challenge(settings, 0.0)
    assert promotion_to_ask(settings) == {}
    assert asked_in_airflow(version, settings) == {}


def test_a_better_challenger_is_asked_about_by_its_version_with_what_was_compared(settings: Settings) -> None:
    version = challenge(settings, 0.1)
    assert promotion_to_ask(settings) == {"version": version, "run_id": f"version-{version}"}
    asked = asked_in_airflow(version, settings)
    assert asked["subject"] == f"Promote version {version} of the models to champion?"
    assert BASELINE in asked["body"]
    assert f"trading model promote {version}" in asked["body"]
    assert asked_in_airflow(version + 1, settings) == {}


def test_an_approval_makes_it_champion_in_the_name_of_who_answered(settings: Settings) -> None:
    version = challenge(settings, 0.1)
    asked = asked_in_airflow(version, settings)
    assert record_response(asked, answer("Approve"), settings)["promoted"]
    stored = champion(settings.engine())
    assert stored is not None
    assert stored.version == version
    assert promotion_to_ask(settings) == {}


@pytest.mark.parametrize(
    ("response", "detail"), [(answer("Reject"), "rejected by Ada Lovelace"), (None, "nobody answered")]
)
def test_without_an_approval_nothing_changes(settings: Settings, response: dict[str, Any] | None, detail: str) -> None:
    asked = asked_in_airflow(challenge(settings, 0.1), settings)
    assert record_response(asked, response, settings) == {"promoted": False, "detail": detail}
    assert champion(settings.engine()) is None


def test_an_answer_that_is_neither_changes_nothing(settings: Settings) -> None:
    asked = asked_in_airflow(challenge(settings, 0.1), settings)
    with pytest.raises(InputError, match=r"is \['Maybe'\], neither Approve nor Reject; nothing changed"):
        record_response(asked, answer("Maybe"), settings)
    assert champion(settings.engine()) is None
