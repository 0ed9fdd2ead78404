"""Notifiers of users' own: the class by its reference, created and checked."""

from __future__ import annotations

from pathlib import Path

from trading_lib.adapters.user_code.own_classes import create_own
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
    made: Notifier = create_own(entry.notifier, "notifier", "send(message)", entry.options, folder, SEE)
    return made
