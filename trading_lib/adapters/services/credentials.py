"""Passwords and keys of the local stack: generated once, kept readable by their owner only."""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

from trading_lib.domain.errors import ConfigurationError, FileTroubleError

ADMINISTRATOR = "admin"
# Fields that files of earlier versions lack.
ADDED_LATER = {"mlflow_password"}


@dataclass(frozen=True, slots=True)
class Credentials:
    """Logins of Airflow's administrator and of MLflow, and the keys Airflow signs and encrypts with.

    ``repr`` shows none of them, so that a log line or a traceback cannot either.
    """

    admin_password: str = field(repr=False)
    token_key: str = field(repr=False)
    session_key: str = field(repr=False)
    encryption_key: str = field(repr=False)
    mlflow_password: str = field(repr=False)

    @classmethod
    def generate(cls) -> Credentials:
        """Draw new ones from the operating system's random source."""
        return cls(
            admin_password=secrets.token_urlsafe(12),
            token_key=secrets.token_urlsafe(64),
            session_key=secrets.token_urlsafe(32),
            encryption_key=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            mlflow_password=secrets.token_urlsafe(18),
        )


def load_or_create(path: Path) -> Credentials:
    """Read the credentials at ``path``, or generate them and store them there with mode 0600.

    A file that others may read is closed, e.g. one that was copied. What an earlier version did not know is generated
    and added; a file that is no valid credentials file raises `ConfigurationError`.
    """
    try:
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
        content = json.loads(path.read_text())
    except FileNotFoundError:
        credentials = Credentials.generate()
        write_private(path, json.dumps(asdict(credentials), indent=2) + "\n")
        return credentials
    except OSError as error:
        raise FileTroubleError(error, path) from error
    except ValueError as error:
        raise ConfigurationError(
            f"{path} cannot be read ({type(error).__name__})", "delete it and start again"
        ) from None
    names = {entry.name for entry in fields(Credentials)}
    if not isinstance(content, dict) or not names - ADDED_LATER <= set(content) <= names or not _all_text(content):
        raise ConfigurationError(
            f"{path} does not hold exactly {', '.join(sorted(names))}", "delete it and start again"
        )
    if set(content) == names:
        return Credentials(**content)
    completed = replace(Credentials.generate(), **content)
    write_private(path, json.dumps(asdict(completed), indent=2) + "\n")
    return completed


def _all_text(content: dict[str, object]) -> bool:
    return all(isinstance(value, str) and value for value in content.values())


def write_private(path: Path, text: str) -> None:
    """Write ``text`` so that at no moment another user could read it, replacing the file in one step."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.replace(path)
