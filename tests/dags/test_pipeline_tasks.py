"""How a task ends: an error of ours as one line, an outage with another try, a fault with its traceback."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from trading_lib.adapters.services.airflow.rest import AirflowError
from trading_lib.domain.errors import (
    BrokerUnavailableError,
    DataQualityError,
    InputError,
    SourceRefusedError,
    SourceUnavailableError,
    StorageUnavailableError,
)
from trading_lib.workflows.trade.stage_log import logged

pytestmark = pytest.mark.airflow


def raising(error: Exception) -> Any:
    from pipeline.tasks import plainly

    @plainly
    def task() -> None:
        raise error

    return task


@pytest.mark.parametrize(
    ("error", "ending", "code"),
    [
        (InputError("no such session", "name another"), "Refused", 2),
        (DataQualityError("the stress test failed"), "Refused", 2),
        (SourceRefusedError("polygon refuses the key"), "Refused", 2),
        (BrokerUnavailableError("Alpaca does not answer"), "TryAgain", 75),
        (StorageUnavailableError("cannot use the database"), "TryAgain", 75),
        (AirflowError("Airflow does not answer"), "TryAgain", 75),
        (SourceUnavailableError("tiingo does not answer"), "TryAgain", 75),
        (OperationalError("SELECT 1", {}, Exception("server closed the connection")), "TryAgain", 75),
    ],
)
def test_an_error_of_ours_is_one_line_and_an_exit_code(
    error: Exception, ending: str, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    from pipeline import tasks

    with caplog.at_level(logging.ERROR), pytest.raises(getattr(tasks, ending)) as caught:
        raising(error)()
    assert caught.value.code == code
    [record] = caplog.records
    assert record.getMessage() == " ".join(str(error).split())
    assert record.exc_info is None


def test_what_a_stage_has_logged_is_not_logged_again(caplog: pytest.LogCaptureFixture) -> None:
    from pipeline import tasks

    @tasks.plainly
    @logged("plan")
    def task() -> None:
        raise InputError("no such session", "name another")

    with caplog.at_level(logging.ERROR), pytest.raises(tasks.Refused):
        task()
    [record] = caplog.records
    assert record.getMessage().endswith("no such session: name another")


def test_a_fault_of_the_program_keeps_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ZeroDivisionError):
        raising(ZeroDivisionError("division by zero"))()
    assert caplog.records == []


def context(conf: dict[str, Any] | None) -> dict[str, Any]:
    return {"dag_run": SimpleNamespace(conf=conf), "dag": SimpleNamespace(params={"session": None, "book": None})}


def test_a_run_with_a_misspelt_parameter_is_refused() -> None:
    from pipeline.tasks import Refused, known_parameters_only

    for known in (None, {}, {"session": "2022-06-15"}):
        known_parameters_only(context(known))
    with pytest.raises(Refused) as caught:
        known_parameters_only(context({"sesion": "2022-06-15"}))
    assert str(caught.value) == "unknown parameter 'sesion' (did you mean 'session'?): use book, session"
