"""The programs of the stack: their names, and how each is shown."""

from __future__ import annotations

from dataclasses import dataclass

# In the environment of a program and of all its children, so that they are found after their parent has died.
COMPONENT_VARIABLE = "TRADING_COMPONENT"
WATCH = "postgresql-watch"
MLFLOW = "mlflow"
ALERTS = "alerts"
WAL = "wal-receiver"
HEARTBEAT = "heartbeat"


@dataclass(frozen=True, slots=True)
class Component:
    """One program.

    Attributes
    ----------
    name
        In configuration, records and log files.
    title
        Shown to people.
    airflow
        Arguments of the ``airflow`` command; empty for what is not part of Airflow.
    health
        Name in the answer of Airflow's health check; "" where it has none.
    trading
        Arguments of our own command; such a program waits for no database, and is well as long as it lives.
    """

    name: str
    title: str
    airflow: tuple[str, ...] = ()
    health: str = ""
    trading: tuple[str, ...] = ()


# Tasks write their logs below one folder that the API server reads: the servers that scheduler and triggerer have for
# logs are not needed, and they would listen on every address of the machine.
_NO_LOG_SERVER = "--skip-serve-logs"
AIRFLOW = (
    Component("airflow-api-server", "API server", ("api-server",), "metadatabase"),
    Component("airflow-scheduler", "Scheduler", ("scheduler", _NO_LOG_SERVER), "scheduler"),
    Component("airflow-dag-processor", "DAG processor", ("dag-processor",), "dag_processor"),
    Component("airflow-triggerer", "Triggerer", ("triggerer", _NO_LOG_SERVER), "triggerer"),
)
OWN = (
    Component(ALERTS, "Alert sender", trading=("alerts", "send", "--watch")),
    Component(WAL, "Log receiver", trading=("wal", "receive")),
    Component(HEARTBEAT, "Heartbeat", trading=("heartbeat", "--watch")),
)
COMPONENTS = (Component(WATCH, "PostgreSQL watch"), Component(MLFLOW, "MLflow"), *AIRFLOW, *OWN)


def component(name: str) -> Component:
    """Return the component of this name."""
    return next(entry for entry in COMPONENTS if entry.name == name)
