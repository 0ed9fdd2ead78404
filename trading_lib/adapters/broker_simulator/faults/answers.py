"""Answers that faults give or spoil, in the shapes of each face."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from trading_lib.adapters.broker_simulator.ledger.records import ALPACA
from trading_lib.adapters.broker_simulator.messages import Reply, json_reply

# Code of Binance -> HTTP status, words, and whether the request was usually carried out all the same.
BINANCE_CODES: dict[int, tuple[int, str, bool]] = {
    -1000: (503, "An unknown error occurred while processing the request.", True),
    -1001: (503, "Internal error; unable to process your request. Please try again.", False),
    -1003: (429, "Too much request weight used; current limit is 6000 request weight per 1 MINUTE.", False),
    -1006: (503, "An unexpected response was received from the message bus. Execution status unknown.", True),
    -1007: (
        408,
        "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
        True,
    ),
    -1008: (503, "Server is currently overloaded with other requests. Please try again in a few minutes.", False),
    -1015: (429, "Too many new orders; current limit is 100 orders per 10 SECOND.", False),
    -1016: (503, "This service is no longer available.", False),
    -1021: (400, "Timestamp for this request is outside of the recvWindow.", False),
    -1022: (400, "Signature for this request is not valid.", False),
    -2010: (400, "Account has insufficient balance for requested action.", False),
    -2011: (400, "Unknown order sent.", False),
    -2013: (400, "Order does not exist.", False),
    -2014: (401, "API-key format invalid.", False),
    -2015: (401, "Invalid API-key, IP, or permissions for action.", False),
}
ALPACA_STATUSES = {
    401: (40110000, "request is not authorized"),
    403: (40310000, "forbidden"),
    404: (40410000, "not found"),
    408: (40810000, "request timed out"),
    422: (42210000, "unprocessable"),
    429: (42910000, "rate limit exceeded"),
    500: (50010000, "internal server error occurred"),
}
BINANCE_STATUSES = {
    403: (-1003, "Request blocked by the web application firewall."),
    418: (-1003, "Way too much request weight used; IP banned until 1700000000000."),
    429: (-1003, "Too much request weight used; please use WebSocket Streams for live updates to avoid polling."),
    503: (-1000, "Unknown error, please check your request or try again later."),
}
HTML = b"<html>\r\n<head><title>%d %s</title></head>\r\n<body><center><h1>%d %s</h1></center></body>\r\n</html>\r\n"
NEVER_SEEN = {ALPACA: "under_regulatory_review", "binance": "PENDING_ORACLE"}


def status_reply(face: str, status: int, retry_after: int | None) -> Reply:
    """Return the face's answer with a status; gateways answer in HTML."""
    known = (ALPACA_STATUSES if face == ALPACA else BINANCE_STATUSES).get(status)
    if known is None:
        reply = html_reply(status)
    else:
        words = ("code", "message") if face == ALPACA else ("code", "msg")
        reply = json_reply(dict(zip(words, known, strict=True)), status)
    return reply if retry_after is None else reply.with_headers(Retry_After=str(retry_after))


def code_reply(code: int) -> Reply:
    """Return Binance's answer with a code."""
    status, words, _ = BINANCE_CODES.get(code, (400, "Unknown error.", False))
    return json_reply({"code": code, "msg": words}, status)


def is_booked(code: int) -> bool:
    """Whether what is answered with a code was usually carried out."""
    return BINANCE_CODES.get(code, (400, "", False))[2]


def html_reply(status: int) -> Reply:
    """Return a gateway's page."""
    reason = Reply(status).reason.encode()
    return Reply(status, HTML % (status, reason, status, reason), {"Content-Type": "text/html"})


def truncated(reply: Reply) -> Reply:
    """Cut the text in the middle; the length that the head promises is that of what is left."""
    return replace(reply, body=reply.body[: max(1, len(reply.body) // 2)])


def with_status(face: str, reply: Reply, word: str | None) -> Reply:
    """Give every order of an answer a status: ``word``, or one that nobody knows."""
    try:
        content = json.loads(reply.body)
    except ValueError:
        return reply
    spoilt = json_reply(_renamed(content, word or NEVER_SEEN[face]), reply.status)
    return replace(spoilt, headers={**spoilt.headers, **reply.headers})


def _renamed(content: Any, status: str) -> Any:
    if isinstance(content, list):
        return [_renamed(each, status) for each in content]
    if isinstance(content, dict) and "status" in content and ("client_order_id" in content or "orderId" in content):
        return {**content, "status": status}
    return content
