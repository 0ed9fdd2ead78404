"""Airflow's connection ``smtp_default``, as its variable holds it, as an address of the mail channel."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from trading_lib.domain.errors import ConfigurationError

CONNECTION = "AIRFLOW_CONN_SMTP_DEFAULT"
RECIPIENT = "TRADING_ALERT_EMAIL"
SENDER = "TRADING_ALERT_SENDER"
PORTS = {"ssl": 465, "starttls": 587, "insecure": 25}


def mail_address(variables: Mapping[str, str]) -> str:
    """Return the address of the mail channel; "" where no connection is set.

    Raises
    ------
    ConfigurationError
        When the connection cannot be read, or there is nobody to mail to; it is not repeated.
    """
    text = variables.get(CONNECTION, "").strip()
    if not text:
        return ""
    connection = _parsed(text)
    extra = connection["extra"]
    recipient = variables.get(RECIPIENT) or extra.get("to_email")
    if not recipient:
        raise ConfigurationError(f"{CONNECTION} is set, but nobody to mail to", f"set {RECIPIENT}")
    sender = variables.get(SENDER) or extra.get("from_email") or recipient
    mode = "ssl" if not _true(extra, "disable_ssl") else "insecure" if _true(extra, "disable_tls") else "starttls"
    host, port = str(connection["host"]), int(connection["port"] or PORTS[mode])
    login = ""
    if connection["login"]:
        password = f":{quote(str(connection['password']), safe='')}" if connection["password"] else ""
        login = f"{quote(str(connection['login']), safe='')}{password}@"
    options = urlencode({"smtp": host, "from": sender, "to": recipient, "mode": mode})
    return f"mailto{'' if mode == 'insecure' else 's'}://{login}{host}:{port}?{options}"


def _parsed(text: str) -> dict[str, Any]:
    problem = ConfigurationError(
        f"{CONNECTION} cannot be read", "write it as JSON or as smtp://user:password@host:port, see Airflow's guide"
    )
    if not text.startswith("{"):
        try:
            address = urlsplit(text)
            options = dict(parse_qsl(address.query))
            options |= json.loads(options.pop("__extra__", "{}"))
            found = {"host": unquote(address.hostname or ""), "port": address.port, "extra": options}
        except ValueError:
            raise problem from None
        found |= {"login": unquote(address.username or ""), "password": unquote(address.password or "")}
    else:
        try:
            found = json.loads(text)
            extra = found.get("extra") or {}
            found["extra"] = json.loads(extra) if isinstance(extra, str) else dict(extra)
            found["port"] = int(found.get("port") or 0)
        except (ValueError, TypeError, AttributeError):
            raise problem from None
    if not found.get("host"):
        raise problem
    return {"login": "", "password": "", **found}


def _true(extra: Mapping[str, Any], name: str) -> bool:
    return str(extra.get(name, "")).lower() in ("true", "1", "yes")
