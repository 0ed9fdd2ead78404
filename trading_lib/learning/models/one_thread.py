"""Linear algebra of small matrices on one thread: faster beside other work, and rounded alike everywhere."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any


def one_thread() -> AbstractContextManager[Any]:
    """Keep linear algebra on one thread within a `with` statement."""
    limit: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return limit


@cache
def _controller() -> Any:
    """Look for the loaded libraries once."""
    # Linear algebra that numpy loads when it is first used has to be there.
    import numpy.linalg  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
