"""One training at a time: they would register models of the same days beside each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from trading_lib.adapters.files.exclusive_lock import alone
from trading_lib.domain.errors import InputError
from trading_lib.workflows.setup.settings import Settings

FOLDER, FILE = "models", "training.lock"
LOCK_NAME = "training"


@contextmanager
def only_training(settings: Settings) -> Iterator[None]:
    """Be the only training of this home, and of this database where one is named, while the block runs.

    Raises
    ------
    InputError
        When there is another.
    """
    busy = InputError("another training is running", "wait for it to end; `trading model status` shows what came of it")
    with alone(settings.folders.closed(FOLDER) / FILE, busy):
        if not settings.database_url:
            yield
            return
        # Database libraries are imported where one is used.
        from trading_lib.adapters.stores.postgres.database import connect
        from trading_lib.adapters.stores.postgres.named_lock import held_alone

        engine = connect(settings.database_url)
        try:
            with held_alone(engine, LOCK_NAME, busy):
                yield
        finally:
            engine.dispose()
