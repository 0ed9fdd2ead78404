"""Alembic's entry point; `adapters.stores.postgres.migrations` hands over a connection inside a transaction."""

from __future__ import annotations

import os

from alembic import context
from sqlalchemy import Connection

from trading_lib.adapters.stores.postgres.database import URL_VARIABLE, connect
from trading_lib.adapters.stores.postgres.schema import metadata


def migrate(connection: Connection) -> None:
    """Run the migrations in the caller's transaction."""
    context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
    context.run_migrations()


handed_over = context.config.attributes.get("connection")
if handed_over is not None:
    migrate(handed_over)
else:
    # The alembic command itself, which developers use to write the next revision.
    with connect(os.environ[URL_VARIABLE]).begin() as own_connection:
        migrate(own_connection)
