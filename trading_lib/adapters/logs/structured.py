"""Structured logging: Python's logging and warnings -> JSON lines, by way of loguru.

Modules log with `logging`, so that Airflow shows their lines in its task logs, too. Here they become JSON objects with
the context in force: book, session, run, stage. Nothing of this ever fails a command.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trading_lib.adapters.logs.redaction import secret_values, secrets_in, without_secrets
from trading_lib.domain.errors import TradingError

if TYPE_CHECKING:
    from trading_lib.adapters.logs.config import LogConfig

PROJECT = "trading_lib"
CONTEXT = ("book", "session", "run", "stage")
LONGEST_MESSAGE = 4000
LONGEST_TRACEBACK = 8000
_PLAIN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def _on_standard_error(line: str) -> None:
    print(line, file=sys.stderr)


class JsonLog(logging.Handler):
    """Hands records to loguru, which is imported with the first of them: a command that logs nothing pays nothing.

    Parameters
    ----------
    folder
        Where the files lie; it is created with the first line.
    config
        Returns the settings; asked with the first line.
    context
        What every line says, unless a stage says otherwise.
    credentials
        A JSON file of secrets that are struck by value; it need not exist.
    say
        Called once, with one line, when the log cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        config: Callable[[], LogConfig],
        context: Mapping[str, str],
        credentials: Path | None = None,
        say: Callable[[str], None] = _on_standard_error,
    ) -> None:
        super().__init__()
        self._folder, self._config, self._context = folder, config, dict(context)
        self._credentials, self._say = credentials, say
        self._sink: int | None = None
        self._warned = False

    @property
    def folder(self) -> Path:
        """Where the files lie."""
        return self._folder

    @property
    def failed(self) -> bool:
        """Whether a line was lost."""
        return self._warned

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; a failure is reported in one line, once."""
        try:
            self._begin()
            # The very first record was let through before the level was known.
            if record.name.split(".")[0] != PROJECT or logging.getLogger(PROJECT).isEnabledFor(record.levelno):
                self._forward(record)
        except Exception as error:
            self._warn(f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """Take the sink out of loguru."""
        if self._sink is not None:
            _loguru().remove(self._sink)
            self._sink = None
        super().close()

    def _begin(self) -> None:
        if self._sink is not None:
            return
        from trading_lib.adapters.logs.rotating_file import RotatingFile

        config = self._config()
        logging.getLogger(PROJECT).setLevel(config.level)
        file = RotatingFile(self._folder, int(config.max_megabytes * 1e6), config.keep_files, config.keep_days)
        loguru = _loguru()
        loguru.configure(extra=self._context)

        def write(message: Any) -> None:
            try:
                file.append(self._line(message.record))
            except OSError as error:
                self._warn(error.strerror or type(error).__name__)

        # Sent on without loguru's own text of an exception, which would show the values of variables.
        self._sink = loguru.add(write, level=0, format=lambda record: "", backtrace=False, diagnose=False)

    def _forward(self, record: logging.LogRecord) -> None:
        loguru = _loguru()
        component = record.name.removeprefix(f"{PROJECT}.")
        fields = {name: value for name, value in vars(record).items() if name not in _PLAIN}
        raised = record.exc_info if isinstance(record.exc_info, tuple) else None
        try:
            level: str | int = loguru.level(record.levelname).name
        except ValueError:
            level = record.levelno
        loguru.bind(component=component, **fields).opt(exception=raised).log(level, record.getMessage())

    def _line(self, record: Mapping[str, Any]) -> bytes:
        extra = dict(record["extra"])
        raised = record["exception"]
        content = {
            "time": record["time"].astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "level": record["level"].name,
            "message": " ".join(record["message"].split())[:LONGEST_MESSAGE],
            **{name: extra.pop(name, None) for name in CONTEXT},
            "component": extra.pop("component", None),
            "exception": raised.type.__name__ if raised and raised.type else extra.pop("exception", None),
            "process": record["process"].id,
            **extra,
        }
        if raised and raised.value is not None and not isinstance(raised.value, TradingError):
            text = "".join(traceback.format_exception(raised.value))
            content["traceback"] = text[-LONGEST_TRACEBACK:]
        secrets = secret_values() | self._stored_secrets()
        return (
            json.dumps(_struck(content, secrets), ensure_ascii=False, default=str).encode(errors="backslashreplace")
            + b"\n"
        )

    def _stored_secrets(self) -> frozenset[str]:
        try:
            content = json.loads(self._credentials.read_text()) if self._credentials else {}
        except (OSError, ValueError):
            return frozenset()
        return frozenset(secrets_in(content))

    def _warn(self, reason: str) -> None:
        if not self._warned:
            self._warned = True
            why = " ".join(reason.split())
            text = f"warning: the log in {self._folder} cannot be written ({why}); going on without it"
            self._say(without_secrets(text, secret_values()))


def _struck(value: Any, secrets: frozenset[str]) -> Any:
    if isinstance(value, str):
        return without_secrets(value, secrets)
    if isinstance(value, Mapping):
        return {str(name): _struck(item, secrets) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_struck(item, secrets) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return without_secrets(str(value), secrets)


_running: JsonLog | None = None


def start(handler: JsonLog) -> None:
    """Let the records of this project, and warnings of libraries, flow into ``handler``; the one before is closed."""
    global _running
    stop()
    _running = handler
    handler.addFilter(_ours_or_grave)
    logging.getLogger().addHandler(handler)
    logger = logging.getLogger(PROJECT)
    if logger.level == logging.NOTSET or logger.level > logging.INFO:
        logger.setLevel(logging.INFO)
    logging.captureWarnings(True)


def stop() -> None:
    """Undo `start`."""
    global _running
    if _running is not None:
        logging.getLogger().removeHandler(_running)
        logging.getLogger(PROJECT).setLevel(logging.NOTSET)
        logging.captureWarnings(False)
        _running.close()
        _running = None


def is_running() -> bool:
    """Whether the log was started in this process."""
    return _running is not None


def written_to() -> Path | None:
    """Return the folder of the log, None when it was not started or cannot be written."""
    return _running.folder if _running is not None and not _running.failed else None


@contextmanager
def log_context(**fields: str | None) -> Iterator[None]:
    """Bind what the lines within are about; None binds nothing."""
    if _running is None:
        yield
        return
    with _loguru().contextualize(**{name: value for name, value in fields.items() if value is not None}):
        yield


def _ours_or_grave(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or record.name.split(".")[0] == PROJECT


def _loguru() -> Any:
    from loguru import logger

    with suppress(ValueError):
        logger.remove(0)  # its own sink on standard error
    return logger
