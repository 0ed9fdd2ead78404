"""Running the command line inside the test's process."""

from __future__ import annotations

from trading_lib.cli import main


def run(*arguments: str) -> int:
    """Exit code of the command line."""
    try:
        main(list(arguments))
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0
