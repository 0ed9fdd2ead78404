"""What a run says of itself in Airflow's grid: whose prices it works on, and what came of it."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any

from trading_lib.adapters.services.airflow_access import airflow_of_environment
from trading_lib.adapters.services.airflow_rest import AirflowClient, AirflowError
from trading_lib.domain.errors import ConfigurationError
from trading_lib.workflows.source_choice import SIMULATED

LOG = logging.getLogger(__name__)
SIMULATED_WORDS, PRICES_WORDS = "SIMULATED prices", "Prices of "


def prices_line(source: str, about: Mapping[str, Any]) -> str:
    """Say what a run works on, simulated prices in capitals: "SIMULATED prices, session 2022-06-15, book demo"."""
    named = SIMULATED_WORDS if source == SIMULATED else f"{PRICES_WORDS}{source}"
    return ", ".join([named, *(f"{name} {value}" for name, value in about.items() if value)])


def note_run(dag_id: str, run_id: str, *lines: str, client: AirflowClient | None = None) -> None:
    """Put the lines into the note of a run; a note that a person wrote stays.

    A run is not worth less without its note, so that Airflow cannot be asked is logged and stops nothing.
    """
    try:
        known = client or airflow_of_environment(os.environ)
        before = known.run_note(dag_id, run_id)
        if before and not before.startswith((SIMULATED_WORDS, PRICES_WORDS)):
            return
        known.set_run_note(dag_id, run_id, "\n".join(lines))
    except (AirflowError, ConfigurationError) as error:
        LOG.warning("the run has no note: %s", error)
