"""A loopback server that speaks Yahoo's v8 chart API well enough for the real yfinance client."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from zoneinfo import ZoneInfo

CHART = "/v8/finance/chart/"
NOT_FOUND = {
    "chart": {"result": None, "error": {"code": "Not Found", "description": "No data found, symbol may be delisted"}}
}
EMPTY: dict[str, Any] = {"chart": {"result": [], "error": None}}


@dataclass
class YahooHistory:
    """What Yahoo knows of one symbol; rows are (date, open, high, low, close, adjusted close, volume)."""

    rows: list[tuple[date, float, float, float, float, float, int]]
    dividends: dict[date, float] = field(default_factory=dict)
    splits: dict[date, tuple[int, int]] = field(default_factory=dict)
    zone: str = "America/New_York"
    opens_at: time = time(9, 30)
    kind: str = "ETF"

    def stamp(self, day: date) -> int:
        return int(datetime.combine(day, self.opens_at, ZoneInfo(self.zone)).timestamp())


@dataclass
class YahooPeer:
    """The server's state: histories to serve, and faults by symbol: an HTTP status, "html" or "empty"."""

    histories: dict[str, YahooHistory] = field(default_factory=dict)
    faults: dict[str, int | str] = field(default_factory=dict)
    charts_asked: list[str] = field(default_factory=list)
    address: str = ""

    def answer(self, path: str, query: dict[str, list[str]]) -> tuple[int, str, str]:
        """Status, content type and body for a request."""
        if path == "/v1/test/getcrumb":
            return 200, "text/plain", "crumb"
        if not path.startswith(CHART):
            return 404, "text/plain", "nothing here"
        symbol = unquote(path.removeprefix(CHART))
        self.charts_asked.append(symbol)
        fault = self.faults.get(symbol)
        if fault == "html":
            return 200, "text/html", "<html><body>We are sorry</body></html>"
        if fault == "empty":
            return 200, "application/json", json.dumps(EMPTY)
        if isinstance(fault, int):
            return fault, "text/html", "<html><body>error</body></html>"
        if symbol not in self.histories:
            return 404, "application/json", json.dumps(NOT_FOUND)
        first = int(query.get("period1", ["0"])[0])
        last = int(query.get("period2", [str(2**40)])[0])
        return 200, "application/json", json.dumps(_chart(symbol, self.histories[symbol], first, last))


def _chart(symbol: str, history: YahooHistory, first: int, last: int) -> dict[str, Any]:
    rows = [row for row in history.rows if first <= history.stamp(row[0]) < last]
    names = ("open", "high", "low", "close", "adjclose", "volume")
    columns = {name: [row[position] for row in rows] for position, name in enumerate(names, start=1)}
    events = {
        "dividends": {
            str(history.stamp(day)): {"amount": amount, "date": history.stamp(day)}
            for day, amount in history.dividends.items()
        },
        "splits": {
            str(history.stamp(day)): {"date": history.stamp(day), "numerator": new, "denominator": old}
            for day, (new, old) in history.splits.items()
        },
    }
    meta = {
        "currency": "USD",
        "symbol": symbol,
        "instrumentType": history.kind,
        "exchangeTimezoneName": history.zone,
        "priceHint": 2,
        "dataGranularity": "1d",
        "validRanges": ["1d", "max"],
        "currentTradingPeriod": {},
    }
    adjusted = columns.pop("adjclose")
    result = {
        "meta": meta,
        "timestamp": [history.stamp(row[0]) for row in rows],
        "events": events,
        "indicators": {"quote": [columns], "adjclose": [{"adjclose": adjusted}]},
    }
    return {"chart": {"result": [result], "error": None}}


@contextmanager
def yahoo_peer() -> Iterator[YahooPeer]:
    """Serve on a free loopback port until the block ends."""
    peer = YahooPeer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            status, kind, body = peer.answer(parts.path, parse_qs(parts.query))
            content = body.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:
            """Keep test output quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    peer.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield peer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
