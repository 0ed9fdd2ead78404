"""The operator's answer to a question of risk control, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

# Risk levels 3 (MANUAL_REVIEW) and 4 (REQUIRE_MANUAL_CONFIRM) ask a person (docs/specification.md#approvals).
REVIEW_LEVEL = 3


class Channel(StrEnum):
    """The channel of an answer."""

    AIRFLOW = "airflow"
    COMMAND_LINE = "command line"
    CONFIGURATION = "configuration"


@dataclass(frozen=True, slots=True)
class Approval:
    """An answer to one question, which is identified by its book and the session that asked it.

    Attributes
    ----------
    session
        `RiskState.question`: the session whose risk assessment asked.
    level
        The level that asked, 3 or 4.
    approved
        False for a rejection, which is an answer as well.
    answered_at
        Timezone-aware.
    note
        The operator's comment, may be empty.
    """

    book: str
    session: date
    level: int
    approved: bool
    answered_by: str
    answered_at: datetime
    note: str
    channel: Channel
