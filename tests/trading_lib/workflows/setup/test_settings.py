"""The first command of a new installation works; a server of somebody else's is never written to unasked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.builders.settings import make_settings
from trading_lib.adapters.stores.market.market_store import MarketStore
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres
from trading_lib.domain.errors import StorageUnavailableError

pytestmark = pytest.mark.postgres


def test_the_embedded_database_gets_its_tables_at_first_use(short_folder: Path) -> None:
    settings = replace(make_settings("", short_folder), database_url=None)
    engine = settings.engine()
    try:
        assert MarketStore(engine).coverage("files:prices") == {}
    finally:
        engine.dispose()
        EmbeddedPostgres(settings.folders.postgres).stop()


def test_a_named_server_is_left_as_it_is(empty_database_url: str, tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailableError, match=r"no tables yet: run `trading db upgrade`"):
        make_settings(empty_database_url, tmp_path).engine()
