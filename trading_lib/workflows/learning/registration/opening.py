"""Models by alias, version or folder, and how one is opened: every byte is checked before a library sees one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading_lib.learning.model import Model
from trading_lib.learning.registered import Alias, StoredModel
from trading_lib.learning.verification import require_described, require_genuine

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine


def champion(engine: Engine) -> StoredModel | None:
    """Return the champion with its files as they are stored; None when no model has earned its place."""
    return _holder(engine, Alias.CHAMPION)


def challenger(engine: Engine) -> StoredModel | None:
    """Return the challenger with its files as they are stored; None without one."""
    return _holder(engine, Alias.CHALLENGER)


def stored_model(engine: Engine, version: int) -> StoredModel:
    """Return a version with its files as they are stored; an unknown one is an `InputError`."""
    from trading_lib.adapters.stores.learning.model_store import ModelStore

    store = ModelStore(engine)
    return store.with_files(store.version(version))


def open_model(stored: StoredModel) -> Model:
    """Make a model of a version with its files; every byte is checked before a library sees one.

    Raises
    ------
    TamperedModelError
        When a file is missing, added or changed, or the description fits no registered model; names the file.
    """
    from trading_lib.learning.models.loading import load_model

    require_as_registered(stored)
    return load_model(stored.kind, stored.features, stored.contents)


def require_as_registered(stored: StoredModel) -> None:
    """Refuse a version whose description or ``contents`` are not what was registered, as of `open_model`."""
    require_described(stored.described, stored.kind, stored.features, stored.files, stored.sha256)
    require_genuine(stored.described, stored.files, stored.contents)


def open_folder(folder: Path) -> Model:
    """Make a model of a folder that `write_model_folder` wrote and nobody has touched since.

    Raises
    ------
    TamperedModelError
        When a file is missing, added or changed, or the description fits no model; names the file.
    """
    from trading_lib.adapters.files.model_folder import read_model_folder
    from trading_lib.learning.models.loading import load_model

    found = read_model_folder(folder)
    return load_model(found.kind, found.features, found.files)


def _holder(engine: Engine, alias: Alias) -> StoredModel | None:
    from trading_lib.adapters.stores.learning.model_store import ModelStore

    return ModelStore(engine).holder(alias)
