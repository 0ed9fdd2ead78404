"""Keys come from the environment; what is missing or of the other endpoint is one line that names the variable."""

from __future__ import annotations

import pytest

from trading_lib.adapters.brokers.alpaca.connection.keys import keys_of
from trading_lib.domain.errors import ConfigurationError
from trading_lib.execution.broker import BrokerSetting

PAIR = {"ALPACA_API_KEY_ID": "PKTEST12345", "ALPACA_API_SECRET_KEY": "s3cr3tvalue"}


def setting(endpoint: str = "paper", **changes: str) -> BrokerSetting:
    return BrokerSetting("", {**PAIR, **changes}, endpoint)


def test_a_pair_is_taken_without_spaces_around_it_and_never_shown() -> None:
    keys = keys_of(setting(ALPACA_API_SECRET_KEY=" s3cr3tvalue\n"))
    assert (keys.key, keys.secret, keys.paper) == ("PKTEST12345", "s3cr3tvalue", True)
    assert "PKTEST" not in repr(keys)
    assert "s3cr3t" not in repr(keys)


@pytest.mark.parametrize("name", sorted(PAIR))
@pytest.mark.parametrize("value", ["", "  "])
def test_a_key_that_is_not_set_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} is not set"):
        keys_of(setting(**{name: value}))


@pytest.mark.parametrize("value", ["two words", "line\nbreak", "ключ-секрет"])
def test_a_key_that_cannot_be_one_is_named_and_not_shown(value: str) -> None:
    with pytest.raises(ConfigurationError, match="ALPACA_API_SECRET_KEY") as caught:
        keys_of(setting(ALPACA_API_SECRET_KEY=value))
    assert value not in str(caught.value)


@pytest.mark.parametrize(("endpoint", "key"), [("paper", "AKLIVE999"), ("live", "PKTEST12345")])
def test_a_key_of_the_other_endpoint_is_refused_before_anything_is_asked(endpoint: str, key: str) -> None:
    with pytest.raises(ConfigurationError, match=f"the account's is {endpoint}") as caught:
        keys_of(setting(endpoint, ALPACA_API_KEY_ID=key))
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    ("endpoint", "key"), [("paper", "PKA"), ("live", "AKA"), ("live", "OLDKEY"), ("paper", "OLDKEY")]
)
def test_a_key_of_its_endpoint_or_of_none_that_can_be_told_is_taken(endpoint: str, key: str) -> None:
    assert keys_of(setting(endpoint, ALPACA_API_KEY_ID=key)).paper is (endpoint == "paper")


@pytest.mark.parametrize("endpoint", ["", "demo", "PAPER"])
def test_an_endpoint_must_be_said(endpoint: str) -> None:
    with pytest.raises(ConfigurationError, match="endpoint: paper"):
        keys_of(setting(endpoint))
