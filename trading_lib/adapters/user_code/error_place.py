"""Where in a user's own code an error came from: the one way in which messages name it."""

from __future__ import annotations

import traceback
from pathlib import Path

from trading_lib.adapters.user_code.watch import is_users

# The innermost lines of a recursion without end say enough.
LOOKED_AT = -200


def user_line(error: BaseException) -> tuple[str, int] | None:
    """Return file name and number of the innermost line of the user's; None where the error met none."""
    frames = traceback.extract_tb(error.__traceback__, limit=LOOKED_AT)
    lines = [(Path(f.filename).name, f.lineno) for f in frames if f.lineno is not None and is_users(f.filename)]
    return lines[-1] if lines else None


def kind_and_line(error: BaseException) -> str:
    """Name an error by its kind and line, never by its text, which could hold a key: "KeyError in line 12"."""
    place = user_line(error)
    return f"{type(error).__name__} in line {place[1]}" if place else type(error).__name__
