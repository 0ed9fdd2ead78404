"""What becomes of a model: candidate, challenger, champion, retired, and the events between them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from trading_lib.domain.errors import InputError


class Status(StrEnum):
    """Where a model stands."""

    CANDIDATE = "candidate"
    CHALLENGER = "challenger"
    CHAMPION = "champion"
    RETIRED = "retired"


class Event(StrEnum):
    """What happens to a model."""

    PASSED = "passed"
    FAILED = "failed"
    PROMOTED = "promoted"
    SUPERSEDED = "superseded"
    REPLACED = "replaced"
    DECAYED = "decayed"
    WITHDRAWN = "withdrawn"
    REINSTATED = "reinstated"
    NAMED = "named"


# The evidence of a candidate passes or fails; a newer challenger supersedes one; a promoted one replaces the champion;
# drift decays; an operator withdraws, reinstates what was retired (rollback), and names a version the challenger. What
# was retired passes again when the same model comes out of a later training.
TRANSITIONS: Mapping[tuple[Status, Event], Status] = MappingProxyType(
    {
        (Status.CANDIDATE, Event.PASSED): Status.CHALLENGER,
        (Status.CANDIDATE, Event.FAILED): Status.RETIRED,
        (Status.CANDIDATE, Event.NAMED): Status.CHALLENGER,
        (Status.CHALLENGER, Event.PROMOTED): Status.CHAMPION,
        (Status.CHALLENGER, Event.SUPERSEDED): Status.RETIRED,
        (Status.CHALLENGER, Event.DECAYED): Status.RETIRED,
        (Status.CHALLENGER, Event.WITHDRAWN): Status.RETIRED,
        (Status.CHAMPION, Event.REPLACED): Status.RETIRED,
        (Status.CHAMPION, Event.DECAYED): Status.RETIRED,
        (Status.CHAMPION, Event.WITHDRAWN): Status.RETIRED,
        (Status.RETIRED, Event.REINSTATED): Status.CHAMPION,
        (Status.RETIRED, Event.PASSED): Status.CHALLENGER,
        (Status.RETIRED, Event.NAMED): Status.CHALLENGER,
    }
)


def after(status: Status, event: Event) -> Status:
    """Return the status after an event.

    Raises
    ------
    InputError
        When that cannot happen to a model in this status, with what can.
    """
    result = TRANSITIONS.get((status, event))
    if result is None:
        possible = [known.value for stands, known in TRANSITIONS if stands is status]
        raise InputError(f"a {status} cannot be {event}", f"what can happen to it: {', '.join(possible)}")
    return result
