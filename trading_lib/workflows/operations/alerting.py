"""Alerts to a person: stored first, delivered by whoever serves the channels."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from trading_lib.adapters.alerts.mail_file import MailFile
from trading_lib.adapters.logs.redaction import secret_values, without_secrets
from trading_lib.adapters.services.folders import StackFolders
from trading_lib.monitoring.alert import Alert
from trading_lib.monitoring.notifier import Message

LOG = logging.getLogger(__name__)


def raise_alert(alert: Alert, environment: Mapping[str, str] | None = None) -> None:
    """Store an alert for delivery; takes less than a second and never raises.

    Parameters
    ----------
    environment
        Where to find the home and the configuration; the process' own by default.
    """
    variables = os.environ if environment is None else environment
    try:
        secrets = secret_values(variables)
        struck = replace(alert, title=without_secrets(alert.title, secrets), text=without_secrets(alert.text, secrets))
        MailFile(_mail_folder(variables)).send(
            Message(struck.level, struck.title, struck.text, struck.session, struck.link)
        )
    except Exception as error:  # an alert never breaks what raises it
        LOG.error("an alert of %s could not be stored: %s", alert.source, type(error).__name__)


def _mail_folder(variables: Mapping[str, str]) -> Path:
    return StackFolders.locate(variables).mail
