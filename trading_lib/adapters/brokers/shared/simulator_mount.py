"""The broker simulator in place of a real broker, where the environment names one.

Input: a client's HTTP session, the environment. Output: the same session, whose requests reach the simulator under the
addresses of production, so that the client classifies errors as it does there.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from trading_lib.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from requests import Session

SIMULATOR_VARIABLE = "TRADING_BROKER_SIMULATOR"


def simulator_address(environment: Mapping[str, str]) -> str:
    """Return the address of the simulator, "" where there is none.

    Raises
    ------
    ConfigurationError
        When it is no address of this machine: keys and orders would leave it unencrypted.
    """
    address = environment.get(SIMULATOR_VARIABLE, "").strip().rstrip("/")
    if not address:
        return ""
    if not _is_of_this_machine(address):
        raise ConfigurationError(
            f"{SIMULATOR_VARIABLE} is no address of this machine",
            "let it be http://127.0.0.1:PORT, as `trading broker-simulator` prints it, or unset it",
        )
    return address


def mount_simulator(session: Session, environment: Mapping[str, str]) -> str:
    """Let ``session`` reach the simulator where the environment names one; the log says so.

    Returns
    -------
    str
        Address of the simulator, "" where the session was left as it is.
    """
    address = simulator_address(environment)
    if address:
        # Loaded when it is needed: trading at a real broker needs nothing of it.
        from trading_lib.adapters.broker_simulator.transport import mount

        mount(session, address)
    return address


def stream_address(environment: Mapping[str, str]) -> str:
    """Return the address of the simulator's stream of order updates, "" where there is no simulator."""
    address = simulator_address(environment)
    if not address:
        return ""
    from trading_lib.adapters.broker_simulator.transport import stream_address as of_simulator

    return of_simulator(address)


def _is_of_this_machine(address: str) -> bool:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if parts.scheme != "http" or port is None or parts.username or parts.path or parts.query:
        return False
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
