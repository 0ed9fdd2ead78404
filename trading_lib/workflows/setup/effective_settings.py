"""Every effective setting with its shipped value and its origin; secrets are never shown."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, SecretStr

from trading_lib.adapters.files.include_folder import INCLUDE_VARIABLE, SHIPPED_CONFIG
from trading_lib.adapters.logs.config import LogConfig
from trading_lib.adapters.logs.redaction import NOT_SECRET_NAME, SECRET_NAME, STRUCK, secret_values, without_secrets
from trading_lib.backtest.stress.scenarios import StressConfig
from trading_lib.domain.errors import InputError
from trading_lib.learning.config import LearningConfig
from trading_lib.market_data.config import SourcesConfig
from trading_lib.monitoring.backup.config import BackupConfig
from trading_lib.monitoring.config import MonitoringConfig
from trading_lib.performance.config import PerformanceConfig
from trading_lib.performance.gates import GateConfig
from trading_lib.risk.config import RiskConfig
from trading_lib.workflows.research.sweep.limits import SweepConfig
from trading_lib.workflows.setup.configuration import ExecutionFile, StrategyFile, UniverseFile, load_file
from trading_lib.workflows.setup.configuration_file import read_content
from trading_lib.workflows.setup.settings import configuration_folder

FILES: dict[str, type[BaseModel]] = {
    "universe": UniverseFile,
    "strategy": StrategyFile,
    "risk": RiskConfig,
    "execution": ExecutionFile,
    "sources": SourcesConfig,
    "performance": PerformanceConfig,
    "gates": GateConfig,
    "stress": StressConfig,
    "sweep": SweepConfig,
    "learning": LearningConfig,
    "logging": LogConfig,
    "monitoring": MonitoringConfig,
    "backup": BackupConfig,
}
OPTIONAL_FILES = ("sweep", "learning", "logging", "monitoring", "backup")
# Entries of a list are told apart by these.
NAMES = ("symbol", "name", "rule", "notifier")
SHOWN_GUESSES = 3
CONFIG_VARIABLE = "TRADING_CONFIG"
# What is set by the environment alone, and what holds without it.
VARIABLES: dict[str, str | None] = {
    CONFIG_VARIABLE: "include/config",
    INCLUDE_VARIABLE: "include",
    "TRADING_HOME": ".local",
    "TRADING_PROJECT": None,
    "TRADING_DATABASE_URL": "the embedded server",
    "TRADING_AIRFLOW_PORT": "8080",
    "TRADING_MLFLOW_PORT": "5000",
    "TRADING_AIRFLOW_API_URL": None,
    "TRADING_AIRFLOW_API_USER": None,
    "TRADING_AIRFLOW_API_PASSWORD": None,
    "TRADING_BACKUP_IDENTITY_FILE": None,
    "TRADING_BACKUP_DRILL_IDENTITY_FILE": None,
    "TRADING_ALERT_MAIL_URL": None,
    "TRADING_ALERT_SLACK_URL": None,
    "TRADING_ALERT_TELEGRAM_URL": None,
    "TRADING_ALERT_WEBHOOK_URL": None,
    "TRADING_ALERT_PAGERDUTY_URL": None,
    "TRADING_ALERT_EMAIL": None,
    "TRADING_ALERT_SENDER": None,
    "TRADING_POLYGON_API_KEY": None,
    "TRADING_TIINGO_API_KEY": None,
    "TRADING_FRED_API_KEY": None,
    "MLFLOW_TRACKING_URI": None,
}
ENVIRONMENT = "environment"


class Origin(StrEnum):
    """Where a value comes from."""

    FILE = "file"
    INCLUDE = "include folder"
    ENVIRONMENT = "environment"
    DEFAULT = "default"


class _Absent:
    """No such setting; not the same as one without a value."""


ABSENT = _Absent()


@dataclass(frozen=True, slots=True)
class Setting:
    """One value in force.

    Attributes
    ----------
    key
        Its file and its place there: ``risk.levels.drawdowns``.
    value, default
        In force and as shipped, printable; None also where there is none.
    changed
        Whether they differ, which two secrets may do and look alike.
    where
        File and line, or the variable; "" for what is built in.
    """

    key: str
    value: Any
    default: Any
    changed: bool
    origin: Origin
    where: str

    def as_record(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "key": self.key,
            "value": self.value,
            "default": self.default,
            "changed": self.changed,
            "origin": str(self.origin),
            "where": self.where,
        }


def effective_settings(variables: Mapping[str, str] | None = None) -> list[Setting]:
    """Return every setting of the configuration files and of the environment, in the files' order.

    The classes of users' own that they name are not loaded, so that a broken one hides nothing.

    Raises
    ------
    ConfigurationError
        Where a file cannot be read or holds an impossible value.
    """
    environment = os.environ if variables is None else variables
    folder, secrets = configuration_folder(environment), secret_values(environment)
    origin = Origin.INCLUDE if {CONFIG_VARIABLE, INCLUDE_VARIABLE} & set(_given(environment)) else Origin.FILE
    settings = [
        setting
        for name, model in FILES.items()
        for setting in _of_file(folder / f"{name}.yaml", model, environment, origin, secrets)
    ]
    return settings + [_of_variable(name, environment, secrets) for name in VARIABLES]


def selected(settings: list[Setting], key: str) -> list[Setting]:
    """Return the setting ``key``, or those below it.

    Raises
    ------
    InputError
        Naming the nearest keys.
    """
    matches = [setting for setting in settings if setting.key == key or setting.key.startswith(f"{key}.")]
    if matches:
        return matches
    keys = {".".join(parts[: i + 1]) for s in settings for parts in [s.key.split(".")] for i in range(len(parts))}
    # The last words of a key are what people remember.
    ending = sorted(name for name in keys if name.endswith(f".{key}"))
    close = (ending or get_close_matches(key, sorted(keys), n=SHOWN_GUESSES))[:SHOWN_GUESSES]
    guess = f"did you mean {' or '.join(close)}? " if close else ""
    raise InputError(f"there is no setting {key!r}", f"{guess}`trading config show` lists all")


def unread_variables(variables: Mapping[str, str] | None = None) -> list[str]:
    """Return the variables that look like a setting of a file there is none of: they set nothing."""
    environment = os.environ if variables is None else variables
    files = {name.upper() for name in FILES}
    given = [name for name in environment if name.upper().startswith("TRADING_") and "__" in name]
    return sorted(name for name in given if name.upper().removeprefix("TRADING_").partition("__")[0] not in files)


def _of_file(
    file: Path, model: type[BaseModel], variables: Mapping[str, str], origin: Origin, secrets: frozenset[str]
) -> Iterator[Setting]:
    name = file.stem
    shipped = dict(_flat((name,), _values(load_file(SHIPPED_CONFIG / file.name, model, {}))))
    if name in OPTIONAL_FILES and not file.exists():
        effective, lines = model(), None
        raw: dict[str, Any] = {}
        overrides: list[str] = []
    else:
        effective, lines = load_file(file, model, variables), yaml.compose(file.read_text(encoding="utf-8"))
        raw, overrides = read_content(file, variables)
    values = dict(_flat((name,), _values(effective)))
    # An empty list whose place entries have taken is no setting that is gone.
    gone = (path for path in shipped if path not in values and not any(other[: len(path)] == path for other in values))
    for path in [*values, *gone]:
        key, value, default = ".".join(path), values.get(path, ABSENT), shipped.get(path, ABSENT)
        variable = _variable_of(key, overrides)
        if value is not ABSENT and not _is_written(raw, path[1:]):
            source, where = Origin.DEFAULT, ""
        elif variable:
            source, where = Origin.ENVIRONMENT, variable
        else:
            line = _line(lines, path[1:]) if value is not ABSENT else ""
            source, where = origin, f"{_short(file)}{line}"
        yield Setting(key, _shown(key, value, secrets), _shown(key, default, secrets), value != default, source, where)


def _of_variable(name: str, variables: Mapping[str, str], secrets: frozenset[str]) -> Setting:
    key, default, given = f"{ENVIRONMENT}.{name}", VARIABLES[name], variables.get(name, "").strip()
    if not given:
        return Setting(key, default, default, False, Origin.DEFAULT, "")
    return Setting(key, _shown(name, given, secrets), default, given != default, Origin.ENVIRONMENT, name)


def _given(variables: Mapping[str, str]) -> list[str]:
    return [name for name in VARIABLES if variables.get(name, "").strip()]


def _values(model: BaseModel) -> dict[str, Any]:
    return model.model_dump(by_alias=True)


def _flat(prefix: tuple[str, ...], values: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in values.items():
        path = (*prefix, str(name))
        nested = dict(value) if name == "options" and not isinstance(value, Mapping) else _by_name(value)
        if isinstance(nested, Mapping) and nested:
            yield from _flat(path, nested)
        else:
            yield path, value


def _by_name(value: Any) -> Any:
    """Turn a list of named entries into a mapping of the rest of each."""
    if not isinstance(value, list | tuple) or not value or not all(isinstance(entry, Mapping) for entry in value):
        return value
    field = next((name for name in NAMES if all(name in entry for entry in value)), None)
    if field is None:
        return value
    return {str(entry[field]): {k: v for k, v in entry.items() if k != field} for entry in value}


def _is_written(raw: Any, path: tuple[str, ...]) -> bool:
    """Whether the file or a variable says it; a shorter form, such as ``trend: 0.5`` for a sleeve, says it all."""
    for part in path:
        raw = _by_name(raw)
        if not isinstance(raw, Mapping):
            return True
        if part not in raw:
            return False
        raw = raw[part]
    return True


def _variable_of(key: str, overrides: list[str]) -> str | None:
    """Name the variable that sets the key or a whole block around it."""
    for name in overrides:
        path = name.upper().removeprefix("TRADING_").lower().replace("__", ".")
        if key.lower() == path or key.lower().startswith(f"{path}."):
            return name
    return None


def _line(node: yaml.Node | None, path: tuple[str, ...]) -> str:
    """Return ":12", the line on which the key begins; "" where the text does not show it."""
    place = ""
    for part in path:
        if isinstance(node, yaml.SequenceNode):
            node = next((entry for entry in node.value if _is_named(entry, part)), None)
        elif isinstance(node, yaml.MappingNode):
            key, node = next(((k, v) for k, v in node.value if k.value == part), (None, None))
            place = f":{key.start_mark.line + 1}" if key is not None else place
            continue
        if node is None:
            return place
        place = f":{node.start_mark.line + 1}" if isinstance(node, yaml.MappingNode) else place
    return place


def _is_named(node: yaml.Node, name: str) -> bool:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return any(key.value in NAMES and value.value == name for key, value in pairs)


def _short(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _shown(key: str, value: Any, secrets: frozenset[str]) -> Any:
    """Make it printable; what a secret's name or place marks as one is struck."""
    name = key.rpartition(".")[2]
    if value is ABSENT or value is None or value == "":
        return None
    if isinstance(value, SecretStr) or (SECRET_NAME.search(name) and not NOT_SECRET_NAME.search(name)):
        return STRUCK
    return _plain(value, secrets)


def _plain(value: Any, secrets: frozenset[str]) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _shown(str(name), item, secrets) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, secrets) for item in value]
    if isinstance(value, Decimal | date):
        return str(value)
    return without_secrets(str(value), secrets) if isinstance(value, str) else value
