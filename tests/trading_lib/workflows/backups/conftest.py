"""Backups of these tests are restored into the test session's server; those of the command into one of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from trading_lib.adapters.backups.scratch_server import ScratchServer
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres

MODULES = ("create", "drill.hold", "verify")


@pytest.fixture(scope="session")
def shared_scratch(postgres_server: EmbeddedPostgres) -> ScratchServer:
    return ScratchServer(postgres_server)


@pytest.fixture(scope="module", autouse=True)
def _restored_into_the_shared_server(request: pytest.FixtureRequest) -> Iterator[None]:
    @contextmanager
    def shared(folder: Path) -> Iterator[ScratchServer]:
        yield request.getfixturevalue("shared_scratch")

    with pytest.MonkeyPatch.context() as patch:
        for module in MODULES:
            patch.setattr(f"trading_lib.workflows.backups.{module}.scratch_server", shared)
        yield
