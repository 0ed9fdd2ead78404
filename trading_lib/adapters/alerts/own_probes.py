"""Probes of users' own: the class by its reference, created and checked."""

from __future__ import annotations

from pathlib import Path

from trading_lib.adapters.user_code.own_classes import create_own
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
    made: Probe = create_own(entry.probe, "probe", "check(context)", entry.options, folder, SEE)
    return made
