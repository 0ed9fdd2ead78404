from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.peers.broker_clients import Clients, clients


@pytest.fixture(params=["loopback", "in-process"])
def reached(request: pytest.FixtureRequest) -> Iterator[Clients]:
    """Clients of a new simulator in open hours, over either transport."""
    with clients(request.param) as made:
        yield made
