"""The broker simulator's time: while it stands in for the brokers, it is what the whole system goes by.

A day at the simulator can thus be played in minutes, at any hour, and the system and its brokers never disagree.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from requests import RequestException, Session

from trading_lib.adapters.brokers.shared.simulator_mount import SIMULATOR_VARIABLE, simulator_address
from trading_lib.domain.errors import BrokerUnavailableError

LOG = logging.getLogger(__name__)
SECONDS = 5.0


def simulator_clock(environment: Mapping[str, str]) -> Callable[[], datetime]:
    """Return a clock that asks the simulator that the environment names.

    Raises
    ------
    ConfigurationError
        When the environment names something else than an address of this machine.
    """
    address, session = simulator_address(environment), Session()
    # Proxies are for the world outside.
    session.trust_env = False
    LOG.warning("the time is that of the broker simulator at %s (%s)", address, SIMULATOR_VARIABLE)

    def now() -> datetime:
        try:
            answer = session.get(f"{address}/simulator/status", timeout=SECONDS)
            told = datetime.fromisoformat(answer.json()["now"])
        except (RequestException, ValueError, KeyError, TypeError) as error:
            raise BrokerUnavailableError(
                f"the broker simulator at {address} does not tell its time ({type(error).__name__})",
                f"start it with `trading broker-simulator`, or unset {SIMULATOR_VARIABLE}",
            ) from None
        return told.astimezone(UTC)

    return now
