"""Configuration of messages: include/config/monitoring.yaml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from trading_lib.domain.configuration import Configuration, Options
from trading_lib.monitoring.alert import AlertLevel
from trading_lib.monitoring.heartbeat import HeartbeatConfig

# Logs strike the values of variables that are called so.
VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*ALERT[A-Z0-9_]*_URL")


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
        _require_class(self.notifier)
        return self


class ProbeConfig(Configuration):
    """A probe of the user's own.

    Attributes
    ----------
    probe
        ``file.py:Class`` in include/probes, or ``package.module:Class``.
    options
        Pairs of name and value, the keyword arguments of the class.
    """

    probe: str
    options: Options = ()

    @model_validator(mode="after")
    def _is_a_class(self) -> Self:
        _require_class(self.probe)
        return self


def _require_class(reference: str) -> None:
    place, _, name = reference.partition(":")
    if not place or not name.isidentifier():
        raise ValueError(f"{reference!r} names no class: write file.py:Class, or package.module:Class")


def _named(given: Any) -> Any:
    """Take a notifier without options by its name alone."""
    return _by_name(given, "notifier")


def _named_probe(given: Any) -> Any:
    """Take a probe without options by its name alone."""
    return _by_name(given, "probe")


def _by_name(given: Any, key: str) -> Any:
    if not isinstance(given, list | tuple):
        return given
    return tuple({key: entry} if isinstance(entry, str) else entry for entry in given)


class ChannelConfig(Configuration):
    """A way to a person.

    Attributes
    ----------
    url_in
        Name of the environment variable that holds its address; the address itself is a secret and stands nowhere else.
    """

    url_in: str

    @field_validator("url_in", mode="before")
    @classmethod
    def _is_a_name(cls, given: Any) -> Any:
        # Whatever was given may be the secret itself, so it is not repeated.
        if not isinstance(given, str) or not VARIABLE.fullmatch(given):
            raise ValueError(
                "name the variable that holds the address, like TRADING_ALERT_SLACK_URL, never the address itself"
            )
        return given


class EscalationStep(Configuration):
    """Who is told once an alert has not been acknowledged for so long."""

    delay_minutes: float = Field(ge=0, le=24 * 60)
    channels: tuple[str, ...]


class Escalation(Configuration):
    """The three steps of an alert of level critical or emergency that nobody acknowledges."""

    level_1: EscalationStep = EscalationStep(delay_minutes=0, channels=("slack", "telegram", "webhook"))
    level_2: EscalationStep = EscalationStep(delay_minutes=5, channels=("slack", "telegram", "webhook", "mail"))
    level_3: EscalationStep = EscalationStep(
        delay_minutes=15, channels=("slack", "telegram", "webhook", "mail", "pagerduty")
    )

    @property
    def steps(self) -> tuple[EscalationStep, ...]:
        """All of them, the first one first."""
        return (self.level_1, self.level_2, self.level_3)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        delays = [step.delay_minutes for step in self.steps]
        if delays != sorted(delays):
            raise ValueError("delay_minutes must not fall from level_1 to level_3")
        return self


class RateLimit(Configuration):
    """How many messages a channel is sent at once; what comes beyond that waits, and goes out as one digest."""

    messages: int = Field(1, ge=1, le=1000)
    per_seconds: float = Field(60.0, gt=0, le=3600)


def _channels() -> dict[str, ChannelConfig]:
    names = ("mail", "slack", "telegram", "webhook", "pagerduty")
    return {name: ChannelConfig(url_in=f"TRADING_ALERT_{name.upper()}_URL") for name in names}


class AlertsConfig(Configuration):
    """Channels, and which alert goes where and when.

    Attributes
    ----------
    info, warning
        Channels of what nobody has to acknowledge.
    repeat_minutes
        Within this time the same fault (by its key) is counted, and not told again.
    daily_summary
        Whether each session of a book is told with its summary.
    keep_days
        How long alerts are kept.
    """

    channels: Mapping[str, ChannelConfig] = Field(default_factory=_channels)
    info: tuple[str, ...] = ("mail", "telegram")
    warning: tuple[str, ...] = ("slack", "telegram", "webhook", "mail")
    escalation: Escalation = Escalation()
    rate_limit: RateLimit = RateLimit()
    repeat_minutes: float = Field(60.0, ge=0, le=7 * 24 * 60)
    daily_summary: bool = True
    keep_days: int = Field(365, ge=1, le=36500)

    @model_validator(mode="after")
    def _known_channels(self) -> Self:
        named = [("info", self.info), ("warning", self.warning)]
        named += [(f"escalation.level_{n}", step.channels) for n, step in enumerate(self.escalation.steps, 1)]
        for place, channels in named:
            for name in channels:
                if name not in self.channels:
                    raise ValueError(
                        f"{place} names the channel {name!r}, and channels has only {', '.join(self.channels)}"
                    )
        return self

    def quiet_channels(self, level: AlertLevel) -> tuple[str, ...]:
        """Return the channels of a level that does not escalate."""
        return self.info if level is AlertLevel.INFO else self.warning


class MonitoringConfig(Configuration):
    """monitoring.yaml.

    Attributes
    ----------
    notifiers
        Of the user's own, beside the channels; told of every alert.
    send_seconds
        How long a channel may take over one message; what is late is tried again.
    probes
        Of the user's own, beside those of the heartbeat.
    """

    notifiers: Annotated[tuple[NotifierConfig, ...], BeforeValidator(_named)] = ()
    send_seconds: float = Field(20.0, gt=0, le=600)
    alerts: AlertsConfig = AlertsConfig()
    heartbeat: HeartbeatConfig = HeartbeatConfig()
    probes: Annotated[tuple[ProbeConfig, ...], BeforeValidator(_named_probe)] = ()
