"""Notifiers of users' own: the class by its reference, created and checked."""

from __future__ import annotations

from pathlib import Path

from trading_lib.adapters.user_code.error_place import kind_and_line
from trading_lib.adapters.user_code.guard import NoExit, is_users_error
from trading_lib.adapters.user_code.own_classes import load_class
from trading_lib.domain.errors import ConfigurationError
from trading_lib.monitoring.config import NotifierConfig
from trading_lib.monitoring.notifier import Notifier

SEE = "see docs/operations/notifiers.md"


def create_notifier(entry: NotifierConfig, folder: Path) -> Notifier:
    """Create the notifier that ``entry`` names; what its class raises is told without its text, which could hold a key.

    Parameters
    ----------
    folder
        Where users' own files lie.

    Raises
    ------
    ConfigurationError
        When it cannot be loaded or created, or has no method ``send``.
    """
    found = load_class(entry.notifier, folder, "notifier")
    if not callable(getattr(found, "send", None)):
        raise ConfigurationError(f"notifier {entry.notifier} has no method send(message)", SEE)
    try:
        with NoExit():
            made: Notifier = found(**dict(entry.options))
    except BaseException as error:
        if not is_users_error(error):
            raise
        names = ", ".join(name for name, _ in entry.options) or "none"
        raise ConfigurationError(
            f"notifier {entry.notifier} cannot be created ({kind_and_line(error)}; options: {names})",
            f"correct its class or its options, {SEE}",
        ) from None
    return made
