"""``python -m trading_lib.adapters.mlflow.server --port 5000``: MLflow's server with a login.

The database (``MLFLOW_BACKEND_STORE_URI``), the folder of the artifacts (``MLFLOW_ARTIFACTS_DESTINATION``) and the
login (``MLFLOW_TRACKING_USERNAME``, ``MLFLOW_TRACKING_PASSWORD``) come from the environment, as a command line shows
in ``ps``.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from trading_lib.adapters.mlflow.server.front_page import FrontPage
from trading_lib.adapters.mlflow.server.login import LoginRequired, login_of
from trading_lib.domain.errors import ConfigurationError, TradingError

DATABASE_VARIABLE = "MLFLOW_BACKEND_STORE_URI"
FOLDER_VARIABLE = "MLFLOW_ARTIFACTS_DESTINATION"
ORIGINS_VARIABLE = "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"
ARTIFACT_ROOT = "mlflow-artifacts:/"


def main() -> None:
    """Serve until the process is told to end; a wrong setting is one line and exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m trading_lib.adapters.mlflow.server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5000)
    given = parser.parse_args()
    try:
        application = build(os.environ)
    except TradingError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    import uvicorn
    from mlflow.server import _UVICORN_LOG_CONFIG

    uvicorn.run(application, host=given.host, port=given.port, log_config=str(_UVICORN_LOG_CONFIG))


def build(environment: Mapping[str, str]) -> LoginRequired:
    """Create missing tables and return the application."""
    user, password = login_of(environment)
    folder = _folder(environment)
    database = environment.get(DATABASE_VARIABLE)
    if not database:
        raise ConfigurationError(f"{DATABASE_VARIABLE} is not set", "set it to the URL of MLflow's database")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    _configure_mlflow(database, folder)
    # MLflow reads its settings while it is imported.
    from mlflow.server import handlers

    from trading_lib.adapters.mlflow.server.artifacts import confine_artifacts
    from trading_lib.adapters.mlflow.server.stores import use_guarded_stores

    confine_artifacts(folder)
    use_guarded_stores()
    handlers.initialize_backend_stores(database, database, ARTIFACT_ROOT)
    from mlflow.server.fastapi_app import app

    origins = tuple(filter(None, environment.get(ORIGINS_VARIABLE, "").split(",")))
    return LoginRequired(FrontPage(app), user, password, origins)


def _folder(environment: Mapping[str, str]) -> Path:
    text = environment.get(FOLDER_VARIABLE, "")
    parts = urlsplit(text)
    if parts.scheme not in ("", "file") or parts.netloc or not parts.path.startswith("/"):
        raise ConfigurationError(f"{FOLDER_VARIABLE} names no folder", "set it to an absolute path")
    return Path(unquote(parts.path) if parts.scheme else text).resolve()


def _configure_mlflow(database: str, folder: Path) -> None:
    """Tell MLflow what its own command line would."""
    from mlflow.environment_variables import _MLFLOW_SERVER_BOOT_ID, _MLFLOW_SGI_NAME
    from mlflow.server import constants

    settings: dict[str, Any] = {
        constants.BACKEND_STORE_URI_ENV_VAR: database,
        constants.REGISTRY_STORE_URI_ENV_VAR: database,
        constants.ARTIFACT_ROOT_ENV_VAR: ARTIFACT_ROOT,
        constants.SERVE_ARTIFACTS_ENV_VAR: "true",
        constants.ARTIFACTS_DESTINATION_ENV_VAR: folder.as_uri(),
        _MLFLOW_SGI_NAME.name: "uvicorn",
        _MLFLOW_SERVER_BOOT_ID.name: secrets.token_hex(16),
    }
    os.environ.update(settings)


if __name__ == "__main__":
    main()
