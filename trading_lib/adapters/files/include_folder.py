"""The folder of files that are not Python: configuration, migrations, dashboards, templates."""

from __future__ import annotations

import os
from pathlib import Path

from trading_lib.domain.errors import ConfigurationError

INCLUDE_VARIABLE = "TRADING_INCLUDE"
# The settings that come with the program, whatever was made of the files in include/config.
SHIPPED_CONFIG = Path(__file__).resolve().parents[1] / "shipped_config"


def include_folder() -> Path:
    """Return the ``include`` folder: the one ``TRADING_INCLUDE`` names, else the checkout's own.

    Raises
    ------
    ConfigurationError
        When that folder does not exist.
    """
    named = os.environ.get(INCLUDE_VARIABLE, "").strip()
    folder = Path(named).expanduser().resolve() if named else Path(__file__).resolve().parents[3] / "include"
    if not folder.is_dir():
        where = f"{INCLUDE_VARIABLE}={named}" if named else str(folder)
        raise ConfigurationError(
            f"the include folder {where} does not exist",
            f"set {INCLUDE_VARIABLE} to the checkout's include folder",
        )
    return folder
