"""Bodies of brokers' answers as they are stored beside an order: without secrets, and short.

Input: the text a broker answered. Output: the same with keys and the account's number struck, at most 4,096 bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from trading_lib.adapters.logs.redaction import STRUCK, without_secrets

LONGEST_BODY = 4096
# Enough for every answer about one order. What follows is a page of HTML, and would take long to search.
LONGEST_SEARCHED = 65_536

# Fields that name the account or its owner. An order's own ids are needed and stay.
PRIVATE_FIELDS = (
    "account_number",
    "account_id",
    "account_name",
    "accountId",
    "uid",
    "email",
    "email_address",
    "apiKey",
)
# As written, not as parsed: a body that is cut off is recorded, too.
PRIVATE = re.compile(rf'("(?:{"|".join(PRIVATE_FIELDS)})"\s*:\s*)(?:"(?:[^"\\]|\\.)*(?:"|$)|[^\s,}}\]"]+)', re.I | re.S)
# PostgreSQL stores no NUL; other control characters garble a terminal.
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def recorded(body: str | bytes, secrets: Iterable[str] = ()) -> str:
    """Return a body as it may be stored.

    Parameters
    ----------
    secrets
        Values to strike wherever they stand: the keys (`redaction.secret_values`) and the account's number.

    Returns
    -------
    str
        At most `LONGEST_BODY` bytes of UTF-8; what is longer is cut, and its end says so.
    """
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    size = len(text)
    text = PRIVATE.sub(rf'\1"{STRUCK}"', text[:LONGEST_SEARCHED])
    text = without_secrets(text, [secret for secret in secrets if secret])
    text = UNPRINTABLE.sub("?", text)
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= LONGEST_BODY and size <= LONGEST_SEARCHED:
        return encoded.decode()
    end = f" [cut, of {size} characters]"
    return encoded[: LONGEST_BODY - len(end)].decode("utf-8", "ignore") + end
