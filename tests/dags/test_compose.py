"""What docker-compose.yaml starts finds everything that the DAGs need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.airflow

IMPORT_POOLS = "trading stack pools --json > /tmp/pools.json && airflow pools import /tmp/pools.json"
# The pool that Airflow creates by itself.
BUILT_IN = {"default_pool"}


@pytest.fixture(scope="module")
def services(repository_root: Path) -> dict[str, Any]:
    content = yaml.safe_load((repository_root / "docker-compose.yaml").read_text())
    found: dict[str, Any] = content["services"]
    return found


def test_the_pools_are_imported_after_the_migration_and_before_anything_of_airflow_starts(
    services: dict[str, Any],
) -> None:
    command = " ".join(services["migrations"]["command"])
    assert command.index("airflow db migrate") < command.index(IMPORT_POOLS)
    for name in ("airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer"):
        assert services[name]["depends_on"] == {"migrations": {"condition": "service_completed_successfully"}}


def test_tasks_and_callbacks_can_ask_airflow_for_an_answer(services: dict[str, Any]) -> None:
    """record runs in the scheduler's container (LocalExecutor), failure callbacks in the DAG processor's."""
    from trading_lib.adapters.services.airflow.access import EXECUTION_VARIABLE, PASSWORDS_VARIABLE, USERS_VARIABLE

    for name in ("airflow-scheduler", "airflow-dag-processor"):
        environment = services[name]["environment"]
        assert environment[EXECUTION_VARIABLE] == "http://airflow-api-server:8080/execution/"
        assert environment[USERS_VARIABLE] == "admin:admin"
        [mounted] = services[name]["configs"]
        assert environment[PASSWORDS_VARIABLE] == mounted["target"]
        assert mounted["uid"] == "50000", "the user that the image runs as"


def test_mlflow_asks_for_the_login_that_the_others_have(services: dict[str, Any]) -> None:
    from trading_lib.adapters.mlflow.server.login import PASSWORD_VARIABLE, USER_VARIABLE

    assert services["mlflow"]["command"][:3] == ["python", "-m", "trading_lib.adapters.mlflow.server"]
    for name in ("mlflow", "airflow-scheduler", "airflow-api-server"):
        environment = services[name]["environment"]
        assert environment[USER_VARIABLE] == "admin"
        assert environment[PASSWORD_VARIABLE].startswith("${MLFLOW_PASSWORD:?")
        assert "MLFLOW_PASSWORD" not in environment["TRADING_DATABASE_URL"]


def test_containers_outlast_an_outage_like_the_local_stack_and_open_no_log_server(services: dict[str, Any]) -> None:
    from trading_lib.adapters.services.airflow.server import OUTAGES
    from trading_lib.adapters.services.supervision.components import AIRFLOW

    for component in AIRFLOW:
        service = services[component.name]
        assert service["command"] == ["airflow", *component.airflow]
        assert service["restart"] == "unless-stopped"
        assert OUTAGES.items() <= service["environment"].items()


def test_the_sender_of_alerts_has_every_address_and_waits_for_nothing(services: dict[str, Any]) -> None:
    from trading_lib.adapters.services.supervision.components import ALERTS, component
    from trading_lib.monitoring.config import AlertsConfig

    assert services[ALERTS]["command"] == ["trading", *component(ALERTS).trading]
    assert "depends_on" not in services[ALERTS]
    variables = {channel.url_in for channel in AlertsConfig().channels.values()}
    assert variables <= set(services[ALERTS]["environment"]) & set(services["airflow-scheduler"]["environment"])


def test_the_heartbeat_waits_for_nothing_it_watches_and_no_container_receives_the_log(services: dict[str, Any]) -> None:
    from trading_lib.adapters.services.supervision.components import HEARTBEAT, WAL, component

    assert services[HEARTBEAT]["command"] == ["trading", *component(HEARTBEAT).trading]
    assert "depends_on" not in services[HEARTBEAT]
    # Their database is a server of its own, with archiving of its own.
    assert WAL not in services


def test_the_imported_pools_are_those_the_dags_use_and_airflow_takes_them(
    repository_root: Path, tmp_path: Path
) -> None:
    from airflow.dag_processing.dagbag import DagBag

    printed = subprocess.run(
        [sys.executable, "-c", "from trading_lib.cli import main; main(['stack', 'pools', '--json'])"],
        cwd=repository_root,
        env=os.environ | {"TRADING_PROJECT": str(repository_root), "TRADING_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    used = {task.pool for dag in DagBag(repository_root / "dags").dags.values() for task in dag.tasks}
    assert used - BUILT_IN == set(json.loads(printed)), "a task whose pool does not exist is never scheduled"
    pools = tmp_path / "pools.json"
    pools.write_text(printed)
    assert imported(pools, tmp_path) == {"market_data": 4} | {"default_pool": 128}


def imported(pools: Path, home: Path) -> dict[str, int]:
    """Run ``airflow pools import`` as the service does, against a database of its own; return the pools there are."""
    program = (
        "import sys, json\n"
        "from airflow.utils import db\n"
        "db.initdb()\n"
        "from airflow.__main__ import main\n"
        "sys.argv = ['airflow', 'pools', 'import', sys.argv[1]]\n"
        "main()\n"
        "from airflow.models.pool import Pool\n"
        "print('POOLS', json.dumps({pool.pool: pool.slots for pool in Pool.get_pools()}))\n"
    )
    environment = os.environ | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
    }
    done = subprocess.run(
        [sys.executable, "-c", program, str(pools)], env=environment, capture_output=True, text=True, check=True
    )
    [line] = [line for line in done.stdout.splitlines() if line.startswith("POOLS ")]
    found: dict[str, int] = json.loads(line.removeprefix("POOLS "))
    return found
