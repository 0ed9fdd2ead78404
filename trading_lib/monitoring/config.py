"""Configuration of messages: include/config/monitoring.yaml."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from trading_lib.domain.configuration import Configuration, Options


class NotifierConfig(Configuration):
    """A notifier of the user's own.

    Attributes
    ----------
    notifier
        ``file.py:Class`` in include/notifiers, or ``package.module:Class``.
    options
        Pairs of name and value, the keyword arguments of the class.
    """

    notifier: str
    options: Options = ()

    @model_validator(mode="after")
    def _is_a_class(self) -> Self:
        place, _, name = self.notifier.partition(":")
        if not place or not name.isidentifier():
            raise ValueError(f"{self.notifier!r} names no class: write file.py:Class, or package.module:Class")
        return self


def _named(given: Any) -> Any:
    """Take a notifier without options by its name alone."""
    if not isinstance(given, list | tuple):
        return given
    return tuple({"notifier": entry} if isinstance(entry, str) else entry for entry in given)


class MonitoringConfig(Configuration):
    """monitoring.yaml.

    Attributes
    ----------
    notifiers
        Of the user's own, beside the mail.
    send_seconds
        How long all of them together may take over one message; what is late is given up.
    """

    notifiers: Annotated[tuple[NotifierConfig, ...], BeforeValidator(_named)] = ()
    send_seconds: float = Field(20.0, gt=0, le=600)
