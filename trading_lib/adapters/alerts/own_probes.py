"""Probes of users' own: the class by its reference, created and checked."""

from __future__ import annotations

from pathlib import Path

from trading_lib.adapters.user_code.error_place import kind_and_line
from trading_lib.adapters.user_code.guard import NoExit, is_users_error
from trading_lib.adapters.user_code.own_classes import load_class
from trading_lib.domain.errors import ConfigurationError
from trading_lib.monitoring.config import ProbeConfig
from trading_lib.monitoring.probe import Probe

SEE = "see docs/operations/heartbeat.md"


def create_probe(entry: ProbeConfig, folder: Path) -> Probe:
    """Create the probe that ``entry`` names; what its class raises is told without its text, which could hold a key.

    Parameters
    ----------
    folder
        Where users' own files lie.

    Raises
    ------
    ConfigurationError
        When it cannot be loaded or created, or has no method ``check``.
    """
    found = load_class(entry.probe, folder, "probe")
    if not callable(getattr(found, "check", None)):
        raise ConfigurationError(f"probe {entry.probe} has no method check(context)", SEE)
    try:
        with NoExit():
            made: Probe = found(**dict(entry.options))
    except BaseException as error:
        if not is_users_error(error):
            raise
        names = ", ".join(name for name, _ in entry.options) or "none"
        raise ConfigurationError(
            f"probe {entry.probe} cannot be created ({kind_and_line(error)}; options: {names})",
            f"correct its class or its options, {SEE}",
        ) from None
    return made
