"""``airflow_settings.yaml``, the local settings file of the Astro command line, for an Airflow started without it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from trading_lib.domain.errors import ConfigurationError

SETTINGS_FILE = "airflow_settings.yaml"


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ConnectionEntry(_Entry):
    """One connection; empty fields are left out."""

    conn_id: str
    conn_type: str
    conn_host: str | None = None
    conn_schema: str | None = None
    conn_login: str | None = None
    conn_password: str | None = Field(default=None, repr=False)
    conn_port: int | None = None
    conn_uri: str | None = None
    conn_extra: dict[str, Any] | str | None = None

    def as_json(self) -> str:
        """Return what Airflow reads from an AIRFLOW_CONN_* variable."""
        if self.conn_uri:
            return self.conn_uri
        values = {
            "conn_type": self.conn_type,
            "host": self.conn_host,
            "schema": self.conn_schema,
            "login": self.conn_login,
            "password": self.conn_password,
            "port": self.conn_port,
            "extra": self.conn_extra,
        }
        return json.dumps({name: value for name, value in values.items() if value is not None})


class Pool(_Entry):
    """One pool: how many of its tasks may run at the same time."""

    pool_name: str
    pool_slot: int
    pool_description: str = ""


class _Variable(_Entry):
    variable_name: str
    variable_value: str | int | float | bool


class _Airflow(_Entry):
    connections: list[ConnectionEntry] | None = None
    pools: list[Pool] | None = None
    variables: list[_Variable] | None = None


class _File(_Entry):
    airflow: _Airflow


@dataclass(frozen=True, slots=True)
class AirflowSettings:
    """What the file asks for.

    Attributes
    ----------
    environment
        AIRFLOW_CONN_* and AIRFLOW_VAR_* variables.
    pools
        Pools to create or to resize.
    """

    environment: dict[str, str] = field(default_factory=dict)
    pools: tuple[Pool, ...] = ()


def read_airflow_settings(path: Path) -> AirflowSettings:
    """Read the file; an absent one means no settings, a broken one raises `ConfigurationError`."""
    try:
        content = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        return AirflowSettings()
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path} is no readable YAML: {_one_line(error)}", "correct the file") from None
    if content is None:
        return AirflowSettings()
    try:
        airflow = _File.model_validate(content).airflow
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"{path}: {place}: {first['msg']}", "correct the file") from None
    environment = {f"AIRFLOW_CONN_{entry.conn_id.upper()}": entry.as_json() for entry in airflow.connections or []}
    for variable in airflow.variables or []:
        environment[f"AIRFLOW_VAR_{variable.variable_name.upper()}"] = str(variable.variable_value)
    return AirflowSettings(environment=environment, pools=tuple(airflow.pools or []))


def pools_record(pools: Sequence[Pool]) -> dict[str, dict[str, Any]]:
    """Pools in the format of ``airflow pools import``, for an Airflow whose REST interface is not up yet."""
    return {
        pool.pool_name: {"slots": pool.pool_slot, "description": pool.pool_description, "include_deferred": False}
        for pool in pools
    }


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
