"""The broker simulator is reached only where the environment names one of this machine."""

from __future__ import annotations

import pytest
from requests import Session

from trading_lib.adapters.brokers.shared.simulator_mount import (
    SIMULATOR_VARIABLE,
    mount_simulator,
    simulator_address,
)
from trading_lib.domain.errors import ConfigurationError


@pytest.mark.parametrize("environment", [{}, {SIMULATOR_VARIABLE: ""}, {SIMULATOR_VARIABLE: " "}])
def test_without_the_variable_a_session_stays_as_it_is(environment: dict[str, str]) -> None:
    session = Session()
    before = dict(session.adapters)
    assert mount_simulator(session, environment) == ""
    assert dict(session.adapters) == before


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:8765", "http://localhost:1", "http://[::1]:99", "http://127.9.9.9:1/"]
)
def test_addresses_of_this_machine_are_taken(address: str) -> None:
    assert simulator_address({SIMULATOR_VARIABLE: address}) == address.rstrip("/")


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1",
        "127.0.0.1:8765",
        "https://127.0.0.1:8765",
        "http://10.0.0.7:8765",
        "http://localhost.example.com:80",
        "http://127.0.0.1.example.com:80",
        "http://me:word@127.0.0.1:8765",
        "http://127.0.0.1:8765/v2",
        "http://127.0.0.1:port",
        "http://[::1",
    ],
)
def test_any_other_address_is_refused_without_being_repeated(address: str) -> None:
    with pytest.raises(ConfigurationError, match=SIMULATOR_VARIABLE) as caught:
        simulator_address({SIMULATOR_VARIABLE: address})
    assert "example.com" not in str(caught.value)
    assert "word" not in str(caught.value)
