"""Binance's signatures: key, HMAC over the parameters as they were sent, and a timestamp within a window."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime
from urllib.parse import parse_qsl

from trading_lib.adapters.broker_simulator.binance.errors import BinanceRefusalError, missing
from trading_lib.adapters.broker_simulator.ledger.records import millis
from trading_lib.adapters.broker_simulator.messages import Request

USUAL_WINDOW, LONGEST_WINDOW, AHEAD = 5000, 60_000, 1000


def check_signature(request: Request, secret: str, now: datetime) -> None:
    """Refuse a request that is not signed with ``secret``, or not now.

    Raises
    ------
    BinanceRefusalError
        -1102 without timestamp or signature, -1021 outside the window, -1022 for another signature.
    """
    payload, _, signature = (request.query + request.body.decode(errors="replace")).rpartition("signature=")
    given = dict(parse_qsl(payload, keep_blank_values=True))
    if not signature:
        raise missing("signature")
    if not given.get("timestamp", "").isdigit():
        raise missing("timestamp")
    window = given.get("recvWindow", str(USUAL_WINDOW))
    if not window.isdigit() or int(window) > LONGEST_WINDOW:
        raise BinanceRefusalError(-1131, "recvWindow must be less than 60000")
    sent, here = int(given["timestamp"]), millis(now)
    if sent >= here + AHEAD:
        raise BinanceRefusalError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if here - sent > int(window):
        raise BinanceRefusalError(-1021, "Timestamp for this request is outside of the recvWindow.")
    wanted = hmac.new(secret.encode(), payload.rstrip("&").encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(wanted, signature):
        raise BinanceRefusalError(-1022, "Signature for this request is not valid.")
