"""Keys of an Alpaca account. Input: a broker's setting. Output: key and secret, or one line that says what to set."""

from __future__ import annotations

from dataclasses import dataclass, field

from trading_lib.domain.errors import BrokerUnavailableError, ConfigurationError
from trading_lib.execution.broker import BrokerSetting

KEY_VARIABLE, SECRET_VARIABLE = "ALPACA_API_KEY_ID", "ALPACA_API_SECRET_KEY"
PAPER, LIVE = "paper", "live"
# What the keys of each endpoint begin with; keys that begin otherwise tell nothing.
PREFIXES = {PAPER: "PK", LIVE: "AK"}


@dataclass(frozen=True, slots=True)
class Keys:
    """A key and its secret; neither is ever shown."""

    key: str = field(repr=False)
    secret: str = field(repr=False)
    endpoint: str = PAPER

    @property
    def paper(self) -> bool:
        """Whether they open a paper account."""
        return self.endpoint == PAPER


class KeyRefusedError(BrokerUnavailableError):
    """Alpaca refuses the key: it would refuse every question, until somebody acts."""


def keys_of(setting: BrokerSetting) -> Keys:
    """Return the keys that the environment holds.

    Raises
    ------
    ConfigurationError
        When one is not set, or is of the other endpoint; names the variable.
    """
    if setting.endpoint not in PREFIXES:
        raise ConfigurationError(
            f"account at alpaca has the endpoint {setting.endpoint!r}", "set `endpoint: paper` or `endpoint: live`"
        )
    key, secret = (_value(setting, name) for name in (KEY_VARIABLE, SECRET_VARIABLE))
    other = LIVE if setting.endpoint == PAPER else PAPER
    if key.startswith(PREFIXES[other]):
        raise ConfigurationError(
            f"{KEY_VARIABLE} holds a key of Alpaca's {other} endpoint, and the account's is {setting.endpoint}",
            f"set a key that begins with {PREFIXES[setting.endpoint]}, or correct `endpoint` in execution.yaml",
        )
    return Keys(key, secret, setting.endpoint)


def refusal(keys: Keys) -> tuple[str, str]:
    """Return problem and remedy for keys that Alpaca refuses."""
    return (
        f"Alpaca refuses the key in {KEY_VARIABLE} at its {keys.endpoint} endpoint",
        f"check that {KEY_VARIABLE} and {SECRET_VARIABLE} are a pair, not expired, and of the {keys.endpoint} account",
    )


def _value(setting: BrokerSetting, name: str) -> str:
    value = setting.environment.get(name, "").strip()
    if not value:
        raise ConfigurationError(
            f"{name} is not set",
            f"set {KEY_VARIABLE} and {SECRET_VARIABLE} to the keys of the {setting.endpoint} account",
        )
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise ConfigurationError(f"{name} holds characters that no key has", "copy the key again")
    return value
