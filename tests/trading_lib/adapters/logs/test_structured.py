"""Lines of the structured log: their fields, what flows into them, and that nothing of it fails a command."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from trading_lib.adapters.logs import structured
from trading_lib.adapters.logs.config import LogConfig
from trading_lib.adapters.logs.structured import JsonLog, log_context, start
from trading_lib.domain.errors import InputError
from trading_lib.workflows.trade.stage_log import log_error, logged, stage_log, start_log

LOG = logging.getLogger("trading_lib.workflows.somewhere")


@pytest.fixture(autouse=True)
def stopped() -> Iterator[None]:
    yield
    structured.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    start(JsonLog(tmp_path / "logs", LogConfig, {"run": "test-1"}, tmp_path / "credentials.json"))
    return tmp_path / "logs"


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "trading.jsonl").read_text().splitlines()]


def test_a_line_says_when_where_and_about_what(folder: Path) -> None:
    with log_context(book="paper", session="2022-06-15", stage="place"):
        LOG.warning("order %s refused", 7, extra={"symbol": "SPY"})
    (line,) = lines(folder)
    assert line.pop("time").endswith("Z")
    assert line.pop("process") > 0
    assert line == {
        "level": "WARNING",
        "message": "order 7 refused",
        "book": "paper",
        "session": "2022-06-15",
        "run": "test-1",
        "stage": "place",
        "component": "workflows.somewhere",
        "exception": None,
        "symbol": "SPY",
    }


def test_what_is_bound_ends_with_its_stage(folder: Path) -> None:
    with log_context(stage="settle", book="a"), log_context(stage="signals"):
        LOG.info("within")
    LOG.info("after")
    assert [(line["stage"], line["book"]) for line in lines(folder)] == [("signals", "a"), (None, None)]


def test_warnings_of_libraries_flow_in_and_their_chatter_does_not(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logging.getLogger("urllib3.connectionpool").info("Starting new connection")
    logging.getLogger("urllib3.connectionpool").warning("Retrying")
    with warnings.catch_warnings():
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.simplefilter("always")
        warnings.warn("Glyph 20215 missing from font", UserWarning, stacklevel=1)
    assert [line["component"] for line in lines(folder)] == ["urllib3.connectionpool", "py.warnings"]
    assert "Glyph" not in capsys.readouterr().err


def test_secrets_are_struck_in_messages_fields_tracebacks_and_by_the_stacks_own_credentials(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADING_TIINGO_API_KEY", "value-of-the-key")
    (tmp_path / "credentials.json").write_text(json.dumps({"admin_password": "stack-password"}))
    LOG.info("asked with value-of-the-key", extra={"details": {"url": "http://u:pw@h", "n": ["value-of-the-key"]}})
    try:
        raise RuntimeError("login with stack-password failed")
    except RuntimeError as error:
        log_error(LOG, "it failed", error)
    text = (folder / "trading.jsonl").read_text()
    assert "value-of-the-key" not in text
    assert "stack-password" not in text
    assert ":pw@" not in text
    assert lines(folder)[1]["exception"] == "RuntimeError"
    assert "login with *** failed" in lines(folder)[1]["traceback"]


def test_an_unwritable_folder_is_one_warning_and_fails_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    start(JsonLog(tmp_path / "logs", LogConfig, {}))
    for _ in range(3):
        LOG.error("lost")
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert shown.startswith(f"warning: the log in {tmp_path / 'logs'} cannot be written (")
    assert structured.written_to() is None


def test_broken_settings_are_told_and_the_log_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRADING_HOME", str(tmp_path))
    monkeypatch.setenv("TRADING_LOGGING__KEEP_DAYS", "never")
    start_log("test")
    LOG.info("said")
    assert "keep_days" in capsys.readouterr().err
    assert lines(tmp_path / "logs")[0]["message"] == "said"


def test_the_level_and_size_come_from_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADING_HOME", str(tmp_path))
    monkeypatch.setenv("TRADING_LOGGING__LEVEL", "WARNING")
    monkeypatch.setenv("TRADING_LOGGING__MAX_MEGABYTES", "0.0001")
    start_log("test")
    for _ in range(3):
        LOG.info("dropped")
        LOG.warning("kept")
    content = "".join(path.read_text() for path in (tmp_path / "logs").glob("*.jsonl"))
    assert "dropped" not in content
    assert len(list((tmp_path / "logs").glob("trading.*.jsonl"))) > 1


def test_a_stage_says_that_it_began_and_how_it_ended(folder: Path) -> None:
    def settle(plan: dict[str, Any]) -> dict[str, Any]:
        LOG.info("within")
        return {"session": plan["session"], "nav": "100.00", "fills": 3, "symbols": ["SPY", "GLD"]}

    settle.__module__ = "trading_lib.workflows.trade.tasks"
    logged("settle")(settle)({"book": "paper", "session": "2022-06-15"})
    found = lines(folder)
    assert [line["message"].split(" in ")[0] for line in found] == ["settle begins", "within", "settle done"]
    assert {(line["book"], line["session"], line["stage"]) for line in found} == {("paper", "2022-06-15", "settle")}
    assert found[-1]["details"] == {"nav": "100.00", "fills": 3, "symbols": 2}
    assert found[-1]["duration_s"] >= 0


def test_an_error_is_logged_once_however_many_stages_it_passes(folder: Path) -> None:
    error = InputError("no such book", "name another")
    with pytest.raises(InputError), stage_log("outer"), stage_log("inner", {"book": "x"}):
        raise error
    log_error(LOG, "the command failed", error)
    (told,) = [line for line in lines(folder) if line["level"] == "ERROR"]
    assert (told["stage"], told["book"], told["exception"]) == ("inner", "x", "InputError")
    assert "no such book: name another" in told["message"]
    assert "traceback" not in told


def test_a_task_of_airflow_starts_the_log_with_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADING_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW_CTX_DAG_ID", "trade_daily")
    monkeypatch.setenv("AIRFLOW_CTX_DAG_RUN_ID", "manual__1")
    monkeypatch.setenv("AIRFLOW_CTX_TASK_ID", "settle")
    with stage_log("settle", {"book": "demo"}):
        pass
    monkeypatch.setenv("AIRFLOW_CTX_DAG_RUN_ID", "manual__2")
    with stage_log("signals"):
        pass
    found = lines(tmp_path / "logs")
    assert [line["run"] for line in found] == ["manual__1", "manual__1", "manual__2", "manual__2"]
    assert {(line["dag"], line["task"]) for line in found} == {("trade_daily", "settle")}


def test_as_a_library_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADING_HOME", str(tmp_path))
    monkeypatch.delenv("AIRFLOW_CTX_DAG_RUN_ID", raising=False)
    with stage_log("settle"):
        LOG.info("said")
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_embeds_the_library_hears_nothing_unless_it_asks() -> None:
    program = "import logging, trading_lib; logging.getLogger('trading_lib.workflows').warning('for those who ask')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
