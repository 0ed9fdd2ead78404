"""What Binance's answers mean, by (HTTP status, code, message) alone.

Input: an answer. Output: a `Meaning`. The classes of the client's errors are not asked: they depend on the host, and
an expired key is one of a rate limit there. What is not in the table is unknown, which is not the same as failed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

TOO_OFTEN = (418, 429)
DUPLICATE_TEXT = "duplicate order"
NO_SUCH_PAIR = -1121
BANNED_UNTIL = re.compile(r"banned until (\d{13})\b")


class Meaning(StrEnum):
    """What an answer says of a request.

    ANSWERED: it was done, and the body says what came of it. REFUSED: it was not done, and would not be if asked again.
    NOT_NOW: it was not done, for a reason that passes. KEY_REFUSED, CLOCK: it was not done, for the key or for the time
    it was signed with. NOT_SENT: it never left. UNKNOWN: it may have been done.
    """

    ANSWERED = "ANSWERED"
    REFUSED = "REFUSED"
    DUPLICATE = "DUPLICATE"
    NO_SUCH_ORDER = "NO_SUCH_ORDER"
    ARCHIVED = "ARCHIVED"
    CANCEL_REFUSED = "CANCEL_REFUSED"
    NOT_NOW = "NOT_NOW"
    KEY_REFUSED = "KEY_REFUSED"
    CLOCK = "CLOCK"
    NOT_SENT = "NOT_SENT"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of one request.

    Attributes
    ----------
    status
        Of HTTP; 0 where no answer came.
    headers
        Of the answer, their names in small letters.
    trouble
        What went wrong where no answer came, without secrets.
    sent
        False where certainly nothing of the request left this machine.
    """

    status: int = 0
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    trouble: str = ""
    sent: bool = True


# Codes of a request that the API or the matching engine turned down, whose status is 4xx.
BY_CODE: Mapping[int, Meaning] = {
    -1002: Meaning.KEY_REFUSED,
    -1003: Meaning.NOT_NOW,
    -1004: Meaning.NOT_NOW,
    -1008: Meaning.NOT_NOW,
    -1010: Meaning.REFUSED,
    -1013: Meaning.REFUSED,
    -1014: Meaning.REFUSED,
    -1015: Meaning.NOT_NOW,
    -1020: Meaning.REFUSED,
    -1021: Meaning.CLOCK,
    -1022: Meaning.KEY_REFUSED,
    -1034: Meaning.NOT_NOW,
    -1099: Meaning.KEY_REFUSED,
    -2008: Meaning.KEY_REFUSED,
    -2010: Meaning.REFUSED,
    -2011: Meaning.CANCEL_REFUSED,
    -2013: Meaning.NO_SUCH_ORDER,
    -2014: Meaning.KEY_REFUSED,
    -2015: Meaning.KEY_REFUSED,
    -2016: Meaning.REFUSED,
    -2026: Meaning.ARCHIVED,
}
# The request itself is at fault: a parameter is missing, malformed, too precise, or not allowed.
REQUEST_ISSUES = range(-1199, -1099)
# With these a 5xx, too, says that nothing was done; every other 5xx says nothing.
NOT_DONE_ON_5XX = (-1008,)
# Errors of the matching engine, in which a duplicate is told from a refusal by the text alone.
ENGINE_CODES = (-1010, -2010)


def meaning_of(reply: Reply) -> Meaning:
    """Return what a reply means."""
    if not reply.sent:
        return Meaning.NOT_SENT
    code = code_of(reply)
    if 200 <= reply.status < 300:
        # An error's code where there should be success contradicts itself.
        return Meaning.ANSWERED if code is None and content_of(reply) is not None else Meaning.UNKNOWN
    if reply.status in TOO_OFTEN:
        return Meaning.NOT_NOW
    if reply.status >= 500:
        return Meaning.NOT_NOW if code in NOT_DONE_ON_5XX else Meaning.UNKNOWN
    if not 400 <= reply.status < 500:
        return Meaning.UNKNOWN
    if code is None:
        return Meaning.KEY_REFUSED if reply.status == 401 else Meaning.UNKNOWN
    if code in ENGINE_CODES and DUPLICATE_TEXT in message_of(reply).lower():
        return Meaning.DUPLICATE
    return BY_CODE.get(code, Meaning.REFUSED if code in REQUEST_ISSUES else Meaning.UNKNOWN)


def content_of(reply: Reply) -> Any:
    """Return the body as JSON, an object or a list with `Decimal` for every fraction; None for anything else."""
    try:
        content = json.loads(reply.body, parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict | list) else None


def code_of(reply: Reply) -> int | None:
    """Return Binance's own code of an error, None where the body has none."""
    content = content_of(reply)
    code = content.get("code") if isinstance(content, dict) else None
    if isinstance(code, str) and re.fullmatch(r"-?\d{1,6}", code):
        return int(code)
    return code if isinstance(code, int) and not isinstance(code, bool) else None


def message_of(reply: Reply) -> str:
    """Return Binance's own words, "" where there are none."""
    content = content_of(reply)
    message = content.get("msg") if isinstance(content, dict) else None
    return message if isinstance(message, str) else ""


def banned_until(reply: Reply) -> int | None:
    """Return when a ban ends that the message tells of, in milliseconds of Binance's clock."""
    found = BANNED_UNTIL.search(message_of(reply))
    return int(found[1]) if found else None


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no amount")
