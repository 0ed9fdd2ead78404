"""Schema upgrades of the trading database."""

from __future__ import annotations

from typing import Any

from trading_lib.adapters.stores.postgres import migrations
from trading_lib.workflows.setup.settings import Settings, load_settings
from trading_lib.workflows.trade.stage_log import logged


@logged("schema upgrade")
def upgrade(settings: Settings | None = None) -> str:
    """Upgrade to the newest revision and return its name."""
    active = settings or load_settings()
    return migrations.upgrade(active.trading_database_url())


def status(settings: Settings | None = None) -> dict[str, Any]:
    """Present revision of the schema, None when it was never created."""
    active = settings or load_settings()
    return {"revision": migrations.current_revision(active.trading_database_url())}
