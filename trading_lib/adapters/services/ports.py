"""The ports of the stack: defaults, the variables that move them, and the check that they are free."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass

from trading_lib.domain.errors import ConfigurationError, PortInUseError

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Port:
    """A TCP port on the loopback address, what listens there and the variable that moves it."""

    service: str
    number: int
    variable: str


@dataclass(frozen=True, slots=True)
class ServicePorts:
    """The ports of the web pages."""

    airflow: Port
    mlflow: Port

    @classmethod
    def configured(cls, environment: Mapping[str, str]) -> ServicePorts:
        """Read the ports from the environment; 8080 for Airflow and 5000 for MLflow unless set."""
        ports = cls(
            airflow=_configured("Airflow", 8080, "TRADING_AIRFLOW_PORT", environment),
            mlflow=_configured("MLflow", 5000, "TRADING_MLFLOW_PORT", environment),
        )
        if ports.airflow.number == ports.mlflow.number:
            raise ConfigurationError(
                f"{ports.airflow.variable} and {ports.mlflow.variable} are both {ports.airflow.number}",
                "give them different ports",
            )
        return ports


def _configured(service: str, default: int, variable: str, environment: Mapping[str, str]) -> Port:
    text = environment.get(variable) or str(default)
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise ConfigurationError(f"{variable}={text!r} is no port", "set it to a number from 1 to 65535")
    return Port(service, int(text), variable)


def is_free(number: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    # Connecting finds a server on any address; binding finds what does not accept connections.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        if probe.connect_ex((HOST, number)) == 0:
            return False
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, number))
        except OSError:
            return False
    return True


def require_free(port: Port) -> None:
    """Raise `PortInUseError`, naming who holds the port where the system tells, unless it is free."""
    if not is_free(port.number):
        raise PortInUseError(
            f"port {port.number}, which {port.service} needs, is in use by {_holder(port.number)}",
            f"stop that program, or choose another port with {port.variable}",
        )


def _holder(number: int) -> str:
    import psutil

    try:
        connections = psutil.net_connections(kind="tcp")
    except (psutil.AccessDenied, OSError):
        return "another program"
    for connection in connections:
        port = getattr(connection.laddr, "port", None)
        if connection.status == psutil.CONN_LISTEN and port == number and connection.pid:
            try:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
            except psutil.Error:
                break
    return "another program"
