"""A failed task becomes an alert; where no channel is set up it is kept in a file."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytestmark = pytest.mark.airflow


def failed(error: BaseException | None, map_index: int = -1) -> dict[str, Any]:
    """The part of a task's context that a failure callback gets."""
    instance = SimpleNamespace(
        dag_id="market_data",
        task_id="ingest",
        run_id="scheduled__2022-06-15",
        try_number=3,
        map_index=map_index,
        log_url="http://127.0.0.1:8080/dags/market_data",
    )
    return {"task_instance": instance, "ti": instance, "exception": error, "dag": None}


@pytest.fixture(name="mail_folder")
def fixture_mail_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRADING_HOME", str(tmp_path))
    monkeypatch.delenv("TRADING_ALERT_EMAIL", raising=False)
    monkeypatch.delenv("AIRFLOW_CONN_SMTP_DEFAULT", raising=False)
    return tmp_path / "mail"


def written(folder: Path) -> str:
    return "\n".join(path.read_text() for path in sorted(folder.glob("*.txt")))


def test_without_a_channel_the_same_text_is_kept(mail_folder: Path) -> None:
    from pipeline.failure_alerts import failure_text, notify_failure

    context = failed(ValueError("no bar of SPY"))
    notify_failure(context)
    assert failure_text(context) in written(mail_folder)


def test_the_mail_of_a_task_that_ended_in_one_line_names_the_error_itself() -> None:
    from pipeline.failure_alerts import failure_text
    from pipeline.tasks import Refused, plainly

    from trading_lib.domain.errors import InputError

    @plainly
    def task() -> None:
        raise InputError("unknown parameter 'sesion'", "use session")

    with pytest.raises(Refused) as caught:
        task()
    assert "Error: InputError: unknown parameter 'sesion': use session\n" in failure_text(failed(caught.value))


def test_a_mapped_task_is_named_by_what_it_worked_on() -> None:
    from pipeline.failure_alerts import failure_text

    context = failed(ValueError("no bar"), map_index=0)
    context["task_instance"].rendered_map_index = "etf"
    assert "Task:  market_data.ingest[etf]\n" in failure_text(context)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("cannot reach postgresql://trading:hunter2@db/trading", "hunter2"),
        ("rejected: api_key=hunter2, try again", "hunter2"),
        ("ALPACA_SECRET_KEY: hunter2", "hunter2"),
    ],
)
def test_secrets_stay_out(mail_folder: Path, text: str, secret: str) -> None:
    from pipeline.failure_alerts import notify_failure

    notify_failure(failed(RuntimeError(text)))
    content = written(mail_folder)
    assert "RuntimeError" in content
    assert secret not in content


def test_the_alert_names_session_book_error_and_log() -> None:
    from pipeline.failure_alerts import failure_alert

    context = failed(ValueError("no bar of SPY"), map_index=2)
    planned = {"session": "2022-06-15", "book": "paper"}
    context["task_instance"].xcom_pull = lambda task_ids, key: planned if key == "return_value" else None
    alert = failure_alert(context)
    assert alert.title == "market_data.ingest[2] failed"
    assert (alert.session, alert.book) == (date(2022, 6, 15), "paper")
    assert alert.link == "http://127.0.0.1:8080/dags/market_data"
    assert "ValueError: no bar of SPY" in alert.text
    assert "scheduled__2022-06-15 (try 3)" in alert.text
    assert alert.key == "task:market_data.ingest[2]:2022-06-15:failed"


def test_a_plan_that_cannot_be_read_keeps_nothing_back() -> None:
    from pipeline.failure_alerts import failure_alert

    def away(**_: Any) -> None:
        raise RuntimeError("the database is away")

    context = failed(ValueError("no bar of SPY")) | {"params": {"session": "soon", "book": "paper"}}
    context["task_instance"].xcom_pull = away
    alert = failure_alert(context)
    assert (alert.session, alert.book) == (None, "paper")


def test_nothing_hides_the_error_of_the_task(mail_folder: Path) -> None:
    from pipeline.failure_alerts import notify_failure

    mail_folder.write_text("no folder")
    notify_failure(failed(ValueError("no bar of SPY")))
    notify_failure({})
