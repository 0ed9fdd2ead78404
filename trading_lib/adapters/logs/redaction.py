"""Redaction of secrets in text that leaves the process: log lines, mails, messages.

Secrets are found by where they stand (a URL's password, an Authorization header, ``api_key=...``) and by value: what
the environment holds under a name that sounds secret is struck wherever it turns up.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote

STRUCK = "***"
# A shorter value stands in too many innocent words to be struck by value.
SHORTEST_SECRET = 6
HARMLESS = {"false", "true", "none", "null"}

SECRET_NAME = re.compile(
    r"password|passwd|secret|token|credential|(api|access|private|session|encryption|fernet)[_-]?key|_key$", re.I
)
# Names of files that hold secrets, and numbers about them, are none.
NOT_SECRET_NAME = re.compile(r"(_file|_path|_dir|_folder|_seconds|_days|_port)$", re.I)
# Addresses of channels: nearly every part of one is a key.
CHANNEL_NAME = re.compile(r"alert\w*_url$", re.I)
# Schemes of channels whose host is a host; in others it is a key.
OPEN_HOST = ("json", "jsons", "xml", "xmls", "form", "forms", "http", "https")
MAIL_SCHEMES = ("mailto", "mailtos")
# Eight characters, or six of which one is a digit or a capital.
KEY = re.compile(r".{8}|^(?=.*[0-9A-Z]).{6}")
SHORTEST_PART = 4
CONNECTION_PREFIX = "AIRFLOW_CONN_"

URL_PASSWORD = re.compile(r"(://[^\s:/@\"']*):[^\s\"'<>]*@")
AUTHORIZATION = re.compile(
    r"(?i)(\b(?:proxy-)?authorization[\"']?\s*[:=]\s*)([\"']?)(?:(?:bearer|basic|token|digest)\s+)?[^\s\"',}]+"
)
BEARER = re.compile(r"(?i)(\bbearer\s+)[\w.~+/=-]{6,}")
# "TRADING_X_API_KEY: set it" is advice, not a value.
NAMED = re.compile(
    # From the beginning of a word alone: tried from every letter, a long word takes the square of its length.
    r"(?i)((?<![\w-])[\w-]*(?:password|passwd|secret|token|api[_-]?key|credentials?)[\w-]*[\"']?\s*[=:]\s*)"
    r"(?!set\b|is\b|not\b|export\b|\*\*\*)(?:\"[^\"]*\"|'[^']*'|[^\s,;&\"'}]+)"
)
QUERY = re.compile(r"(?i)((?:\b|_)(?:key|sig|signature|auth)=)[^\s&,;\"']+")


def without_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """Return ``text`` with every secret struck.

    Parameters
    ----------
    secrets
        Values to strike wherever they stand; see `secret_values`.
    """
    for value in sorted(secrets, key=len, reverse=True):
        text = text.replace(value, STRUCK)
    text = URL_PASSWORD.sub(rf"\1:{STRUCK}@", text)
    text = AUTHORIZATION.sub(rf"\1\2{STRUCK}", text)
    text = BEARER.sub(rf"\1{STRUCK}", text)
    text = NAMED.sub(rf"\1{STRUCK}", text)
    return QUERY.sub(rf"\1{STRUCK}", text)


def secret_values(environment: Mapping[str, str] | None = None) -> frozenset[str]:
    """Return the secrets that the environment holds, also as they are written in an address."""
    variables = os.environ if environment is None else environment
    secrets = {value for name, text in variables.items() for value in _secrets_of(name, text)}
    secrets = {value for value in secrets if len(value) >= SHORTEST_SECRET and value.lower() not in HARMLESS}
    return frozenset(secrets | {quote(value, safe="") for value in secrets})


def address_secrets(address: str) -> frozenset[str]:
    """Return the secrets of a channel's address: itself, a password, and every part of it that may be a key.

    Of a mail address, only the password is one. Elsewhere a key may stand anywhere; what is shorter than a key is a
    word, which would be struck out of innocent texts.
    """
    scheme, _, rest = address.strip().partition("://")
    login, _, _ = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")
    password = login.partition(":")[2]
    found = {address.strip(), password}
    if scheme.lower() not in MAIL_SCHEMES:
        host = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2] if scheme.lower() in OPEN_HOST else ""
        parts = set(re.split(r"[/?&=:@,;#\s]+", rest)) - {host, host.partition(":")[0]}
        found |= {part for part in parts | set(map(unquote, parts)) if KEY.search(part)}
    found = {value for value in found if len(value) >= SHORTEST_PART}
    return frozenset(found | set(map(unquote, found)) | {quote(value, safe="") for value in found})


def _secrets_of(name: str, text: str) -> Iterator[str]:
    if SECRET_NAME.search(name) and not NOT_SECRET_NAME.search(name):
        yield text.strip()
    if CHANNEL_NAME.search(name):
        yield from address_secrets(text)
    for match in re.finditer(r"://[^\s:/@]*:([^\s]*)@", text):
        yield from (match[1], unquote(match[1]))
    if name.startswith(CONNECTION_PREFIX) and text.lstrip().startswith("{"):
        try:
            yield from secrets_in(json.loads(text))
        except ValueError:
            return


def secrets_in(content: Any) -> Iterator[str]:
    """Yield the texts that a JSON value holds under names that sound secret."""
    if isinstance(content, Mapping):
        for name, value in content.items():
            if isinstance(value, str) and SECRET_NAME.search(str(name)):
                yield value
            else:
                yield from secrets_in(value)
    elif isinstance(content, list):
        for value in content:
            yield from secrets_in(value)
