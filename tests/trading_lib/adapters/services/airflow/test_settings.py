"""airflow_settings.yaml means the same to us as to the Astro command line, and Airflow itself understands it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trading_lib.adapters.services.airflow.settings import AirflowSettings, read_airflow_settings
from trading_lib.domain.errors import ConfigurationError

EXAMPLE = """
airflow:
  connections:
    - conn_id: smtp_default
      conn_type: smtp
      conn_host: mail.example.com
      conn_port: 587
      conn_login:
      conn_extra: {from_email: trading@example.com}
    - conn_id: prices
      conn_type: http
      conn_uri: https://prices.example.com
  pools:
    - {pool_name: market_data, pool_slot: 4, pool_description: Sources}
  variables:
    - {variable_name: region, variable_value: US}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "airflow_settings.yaml"
    path.write_text(text)
    return path


def test_connections_variables_and_pools(tmp_path: Path) -> None:
    found = read_airflow_settings(write(tmp_path, EXAMPLE))
    assert json.loads(found.environment["AIRFLOW_CONN_SMTP_DEFAULT"]) == {
        "conn_type": "smtp",
        "host": "mail.example.com",
        "port": 587,
        "extra": {"from_email": "trading@example.com"},
    }
    assert found.environment["AIRFLOW_CONN_PRICES"] == "https://prices.example.com"
    assert found.environment["AIRFLOW_VAR_REGION"] == "US"
    assert [(pool.pool_name, pool.pool_slot) for pool in found.pools] == [("market_data", 4)]


def test_the_repository_s_own_file_is_valid(repository_root: Path) -> None:
    assert "market_data" in {
        pool.pool_name for pool in read_airflow_settings(repository_root / "airflow_settings.yaml").pools
    }


@pytest.mark.parametrize("text", ["", "airflow: {}", "airflow:\n  connections:\n  pools:\n  variables:\n"])
def test_empty_sections_mean_no_settings(tmp_path: Path, text: str) -> None:
    assert read_airflow_settings(write(tmp_path, text)) == AirflowSettings()


def test_an_absent_file_means_no_settings(tmp_path: Path) -> None:
    assert read_airflow_settings(tmp_path / "none.yaml") == AirflowSettings()


@pytest.mark.parametrize(
    ("text", "culprit"),
    [
        ("airflow: [", "is no readable YAML"),
        ("airflow:\n  pool: []\n", "airflow.pool: "),
        ("airflow:\n  pools: [{pool_name: a, pool_slot: many}]\n", "airflow.pools.0.pool_slot: "),
        ("airflow:\n  connections: [{conn_id: a}]\n", "airflow.connections.0.conn_type: "),
    ],
)
def test_a_broken_file_is_one_line_naming_the_place(tmp_path: Path, text: str, culprit: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_airflow_settings(write(tmp_path, text))
    assert "airflow_settings.yaml" in str(caught.value)
    assert culprit in str(caught.value)
    assert "\n" not in str(caught.value)
