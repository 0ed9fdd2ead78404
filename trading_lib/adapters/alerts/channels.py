"""Channels by apprise: mail, chat, webhooks, pagers. Their addresses hold secrets, and no text here repeats them."""

from __future__ import annotations

import importlib
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType

from trading_lib.adapters.alerts.mail_connection import mail_address
from trading_lib.adapters.logs.redaction import address_secrets, without_secrets
from trading_lib.domain.errors import ConfigurationError
from trading_lib.monitoring.alert import AlertLevel
from trading_lib.monitoring.config import AlertsConfig
from trading_lib.monitoring.notifier import Message

SEE = "see docs/operations/alerts.md"
MAIL = "mail"
KINDS = {AlertLevel.INFO: "info", AlertLevel.WARNING: "warning"}


class AppriseChannel:
    """A `Notifier` at one address of apprise.

    Parameters
    ----------
    name
        What the configuration calls it.
    address
        For example ``mailtos://user:password@host?to=person@example.com``.

    Raises
    ------
    ConfigurationError
        When apprise does not know what to do with the address; it is not repeated.
    """

    def __init__(self, name: str, address: str) -> None:
        self._name, self._address = name, address
        apprise = load_apprise()
        with _silence() as said:
            # Pictures stand in the text of a mail where its page names them.
            made = apprise.Apprise.instantiate(_with_option(address, "inline=yes"), suppress_exceptions=True)
        if made is None:
            reason = "; ".join(said) and ": it is no address that apprise knows"
            raise ConfigurationError(f"the address of the channel {name} cannot be used{reason}", SEE)
        self._sender = apprise.Apprise()
        self._sender.add(made)
        self._is_mail = address.partition("://")[0].lower() in ("mailto", "mailtos")

    @property
    def scheme(self) -> str:
        """What kind of address it is; no secret."""
        return self._address.partition("://")[0]

    def send(self, message: Message) -> None:
        """Send it; raises `ChannelError` with what apprise said, without a word of the address."""
        apprise = load_apprise()
        from apprise.attachment.memory import AttachMemory

        attached = [AttachMemory(p.png, f"{p.name}.png", "image/png") for p in message.pictures]  # type: ignore[no-untyped-call]
        html = self._is_mail and bool(message.html)
        title = f"[trading] {str(message.level).upper()}: {message.title}"
        with _silence() as said:
            try:
                sent = self._sender.notify(
                    title=title,
                    body=message.html if html else message.text or message.title,
                    body_format=apprise.NotifyFormat.HTML if html else apprise.NotifyFormat.TEXT,
                    notify_type=apprise.NotifyType(KINDS.get(message.level, "failure")),
                    attach=apprise.AppriseAttachment(attached) if attached else None,
                )
            except Exception as error:
                raise ChannelError(f"{type(error).__name__}: {self._plain(str(error))}") from None
        if not sent:
            raise ChannelError(self._plain(said[-1]) if said else "it did not take the message")

    def _plain(self, text: str) -> str:
        return " ".join(without_secrets(text, address_secrets(self._address)).split())[:300]


def load_apprise() -> ModuleType:
    """Import apprise, which takes seconds, without its warnings about Python's own modules."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return importlib.import_module("apprise")


class ChannelError(Exception):
    """A channel did not take a message; the text holds no part of its address."""


def channel_addresses(config: AlertsConfig, variables: Mapping[str, str]) -> dict[str, str | ConfigurationError]:
    """Channel -> its address, of those that have one; the error where it cannot be found out.

    It stands in the variable that the configuration names, or in the file that the variable NAME_FILE names. Mail may
    also be set up as Airflow's connection ``smtp_default``.
    """
    found: dict[str, str | ConfigurationError] = {}
    for name, channel in config.channels.items():
        try:
            address = _address(name, channel.url_in, variables)
        except ConfigurationError as error:
            found[name] = error
        else:
            if address:
                found[name] = address
    return found


def create_channel(name: str, address: str | ConfigurationError) -> AppriseChannel:
    """Return the channel, or raise why it has no address; see `channel_addresses`."""
    if isinstance(address, ConfigurationError):
        raise address
    return AppriseChannel(name, address)


def _address(name: str, variable: str, variables: Mapping[str, str]) -> str:
    address = variables.get(variable, "").strip()
    if not address and (path := variables.get(f"{variable}_FILE")):
        address = _from_file(variable, Path(path))
    return address or (mail_address(variables) if name == MAIL else "")


def _from_file(variable: str, path: Path) -> str:
    try:
        return path.expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(f"{variable}_FILE names {path}, which cannot be read", "correct the path") from None


def _with_option(address: str, option: str) -> str:
    if not address.lower().startswith(("mailto:", "mailtos:")):
        return address
    return f"{address}{'&' if '?' in address else '?'}{option}"


# What apprise says while one channel is asked; its own threads work in a copy of the context.
_SAYING: ContextVar[list[str] | None] = ContextVar("apprise_says", default=None)


class _Said(logging.Handler):
    """Keeps what apprise says."""

    def emit(self, record: logging.LogRecord) -> None:
        lines = _SAYING.get()
        if lines is not None:
            lines.append(record.getMessage())


class _OfNoChannel(logging.Filter):
    """Lets nothing pass that is logged while a channel is asked: the path of a request may be a key."""

    def filter(self, record: logging.LogRecord) -> bool:
        return _SAYING.get() is None


_ASKED = _OfNoChannel()
_SAID = _Said(logging.WARNING)


@contextmanager
def _silence() -> Iterator[list[str]]:
    """Keep what apprise logs from every log, for it may hold parts of an address, and hand over its warnings."""
    logger = logging.getLogger("apprise")
    logger.propagate = False
    logger.setLevel(logging.WARNING)
    pool = logging.getLogger("urllib3.connectionpool")
    if _ASKED not in pool.filters:
        pool.addFilter(_ASKED)
    if _SAID not in logger.handlers:
        logger.handlers = [_SAID]
    lines: list[str] = []
    token = _SAYING.set(lines)
    try:
        yield lines
    finally:
        _SAYING.reset(token)
