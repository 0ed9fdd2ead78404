"""The notifiers of monitoring.yaml, by name."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from trading_lib.adapters.alerts.own_notifiers import create_notifier
from trading_lib.monitoring.config import MonitoringConfig, NotifierConfig
from trading_lib.monitoring.notifier import Notifier
from trading_lib.workflows.setup.configuration_file import load_file
from trading_lib.workflows.setup.settings import configuration_folder

FILE = "monitoring.yaml"
FOLDER = "notifiers"


def load_monitoring(environment: Mapping[str, str] | None = None) -> MonitoringConfig:
    """Read monitoring.yaml of the configuration folder; a folder without one names no notifier."""
    variables = os.environ if environment is None else environment
    path = configuration_folder(variables) / FILE
    return load_file(path, MonitoringConfig, variables) if path.exists() else MonitoringConfig()


def notifiers_folder(variables: Mapping[str, str]) -> Path:
    """Return the folder of the user's own notifiers, beside the configuration."""
    return configuration_folder(variables).parent / FOLDER


def own_notifiers(environment: Mapping[str, str] | None = None) -> dict[str, Notifier]:
    """Create all configured notifiers, by what messages call them.

    Raises
    ------
    ConfigurationError
        For the first that cannot be.
    """
    variables = os.environ if environment is None else environment
    return {name: make() for name, make in notifier_makers(load_monitoring(variables), variables).items()}


def notifier_makers(config: MonitoringConfig, variables: Mapping[str, str]) -> dict[str, Callable[[], Notifier]]:
    """Name -> what creates it, of every configured notifier."""
    folder = notifiers_folder(variables)
    return {name: partial(create_notifier, entry, folder) for name, entry in named_notifiers(config).items()}


def named_notifiers(config: MonitoringConfig) -> dict[str, NotifierConfig]:
    """Name every configured notifier; entries of one class are told apart by their number."""
    named: dict[str, NotifierConfig] = {}
    for entry in config.notifiers:
        number = sum(other.notifier == entry.notifier for other in named.values()) + 1
        named[entry.notifier if number == 1 else f"{entry.notifier} (entry {number})"] = entry
    return named
