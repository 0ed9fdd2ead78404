"""Which artifact locations a client may name: those below the server's own root, and nothing else."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

# One slash: after two of them a host follows, which the server would ask.
PROXIED = "mlflow-artifacts"
# Sources of a model version that lead to another entry of this server.
INDIRECT = ("models", "runs")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]*[A-Za-z0-9_-]")


def is_own_location(location: str) -> bool:
    """Whether the location is ``mlflow-artifacts:/...`` without a host, a query or a step upwards."""
    return _is_clean(location, (PROXIED,))


def is_own_source(source: str) -> bool:
    """Whether a model version may come from there: an own location, another entry, or a name that is no path."""
    return bool(_PLAIN_NAME.fullmatch(source)) or _is_clean(source, (PROXIED, *INDIRECT))


def _is_clean(location: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(location)
    except ValueError:
        return False
    if parts.scheme not in schemes or parts.netloc or parts.query or parts.fragment:
        return False
    path = _decoded(parts.path)
    # The original text too: parsing drops line ends and what stands before the scheme.
    if not location.startswith(f"{parts.scheme}:/") or location.startswith(f"{parts.scheme}://"):
        return False
    return (
        not path.startswith("//")
        and location.isprintable()
        and "\\" not in path
        and path.isprintable()
        and ".." not in path.split("/")
    )


def _decoded(path: str) -> str:
    """Undo percent signs as often as somebody has put them on top of each other."""
    while (once := unquote(path)) != path:
        path = once
    return path
