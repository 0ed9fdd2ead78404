"""Access of an Airflow task to Airflow's REST interface: address and login from its environment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from trading_lib.adapters.services.airflow.rest import AirflowClient
from trading_lib.domain.errors import ConfigurationError

# Ours, for an Airflow whose users are kept elsewhere (FAB, OIDC); they win over what is derived.
URL_VARIABLE = "TRADING_AIRFLOW_API_URL"
USER_VARIABLE = "TRADING_AIRFLOW_API_USER"
PASSWORD_VARIABLE = "TRADING_AIRFLOW_API_PASSWORD"  # noqa: S105
# Airflow's, set by `trading stack up` and by docker-compose.yaml for every service.
EXECUTION_VARIABLE = "AIRFLOW__CORE__EXECUTION_API_SERVER_URL"
USERS_VARIABLE = "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"
PASSWORDS_VARIABLE = "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"


def airflow_of_environment(environment: Mapping[str, str]) -> AirflowClient:
    """Return a client of the Airflow that a task runs in.

    The address is the one at which tasks reach the API server already: the public one (``base_url``) is that of the
    user's browser, which a container cannot resolve.

    Raises
    ------
    ConfigurationError
        When the environment names no address, no user or no password.
    """
    url = environment.get(URL_VARIABLE) or _server_of(environment.get(EXECUTION_VARIABLE, ""))
    if not url:
        raise ConfigurationError(
            "nothing says where Airflow's REST interface is", f"set {URL_VARIABLE} or {EXECUTION_VARIABLE}"
        )
    if environment.get(USER_VARIABLE) and environment.get(PASSWORD_VARIABLE):
        return AirflowClient(url, environment[USER_VARIABLE], environment[PASSWORD_VARIABLE])
    return AirflowClient(url, *_login_of(environment))


def _server_of(execution_url: str) -> str:
    return execution_url.rstrip("/").removesuffix("/execution")


def _login_of(environment: Mapping[str, str]) -> tuple[str, str]:
    """User and password of the first administrator of Airflow's simple auth manager."""
    remedy = f"set {USER_VARIABLE} and {PASSWORD_VARIABLE}"
    roles = dict(
        entry.strip().split(":", 1) for entry in environment.get(USERS_VARIABLE, "").split(",") if ":" in entry
    )
    administrators = [user for user, role in roles.items() if role == "admin"]
    path = environment.get(PASSWORDS_VARIABLE)
    if not administrators or not path:
        raise ConfigurationError("there is no login for Airflow's REST interface", remedy)
    try:
        passwords = json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read ({type(error).__name__})", remedy) from None
    user = administrators[0]
    if not isinstance(passwords, dict) or not isinstance(passwords.get(user), str):
        raise ConfigurationError(f"{path} holds no password of {user!r}", remedy)
    return user, passwords[user]
