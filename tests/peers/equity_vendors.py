"""Bodies in the shapes of Tiingo's and Polygon's APIs, made from plain histories."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any

from tests.peers.vendor_server import Reply, Request
from trading_lib.domain.market.sessions import NEW_YORK

Row = tuple[date, float, float, float, float, float]


@dataclass
class History:
    """What a vendor has of one symbol; rows are (date, open, high, low, close, volume), raw."""

    rows: list[Row]
    dividends: dict[date, float] = field(default_factory=dict)
    splits: dict[date, tuple[int, int]] = field(default_factory=dict)

    def between(self, first: str, last: str) -> list[Row]:
        """Rows within two ISO dates."""
        return [row for row in self.rows if first <= row[0].isoformat() <= last]


def rising(days: list[date], start: float) -> History:
    """A history that rises by one a day."""
    return History(
        [(day, start + n, start + n + 2, start + n - 1, start + n + 1, 1000.0 + n) for n, day in enumerate(days)]
    )


def tiingo_answer(histories: Mapping[str, History]) -> Callable[[Request], Reply]:
    """Tiingo: /tiingo/daily/SYMBOL/prices, and /tiingo/crypto/prices?tickers=btcusd."""

    def answer(request: Request) -> Reply:
        if request.headers.get("authorization") != "Token secret-token":
            return Reply({"detail": "Invalid token."}, 401)
        first, last = request.query["startDate"], request.query["endDate"]
        if request.path == "/tiingo/crypto/prices":
            ticker = request.query["tickers"]
            known = {symbol.replace("-", "").lower(): history for symbol, history in histories.items()}
            if ticker not in known:
                return Reply([])
            rows = [
                dict(zip(("open", "high", "low", "close", "volume"), row[1:], strict=True))
                | {"date": f"{row[0]}T00:00:00+00:00", "tradesDone": 5.0}
                for row in known[ticker].between(first, last)
            ]
            return Reply([{"ticker": ticker, "baseCurrency": "btc", "quoteCurrency": "usd", "priceData": rows}])
        symbol = request.path.split("/")[3]
        if symbol not in histories:
            return Reply({"detail": f"Error: Ticker '{symbol}' not found"}, 404)
        history = histories[symbol]
        return Reply([_tiingo_row(history, row) for row in history.between(first, last)])

    return answer


def _tiingo_row(history: History, row: Row) -> dict[str, Any]:
    new, old = history.splits.get(row[0], (1, 1))
    raw = dict(zip(("open", "high", "low", "close", "volume"), row[1:], strict=True))
    adjusted = {f"adj{name.capitalize()}": value / 2 for name, value in raw.items()}
    actions = {"divCash": history.dividends.get(row[0], 0.0), "splitFactor": new / old}
    return {"date": f"{row[0]}T00:00:00.000Z", **raw, **adjusted, **actions}


def polygon_answer(histories: Mapping[str, History], page: int = 7) -> Callable[[Request], Reply]:
    """Polygon: aggregates in pages of ``page`` bars, dividends and splits; keys of ``histories`` are its tickers."""

    def answer(request: Request) -> Reply:
        if request.headers.get("authorization") != "Bearer secret-token":
            return Reply({"status": "ERROR", "error": "Unknown API Key"}, 401)
        if request.path.startswith("/v2/aggs/ticker/"):
            return _aggregates(histories, request, page)
        symbol = request.query["ticker"]
        history = histories.get(symbol, History([]))
        if request.path == "/v3/reference/dividends":
            first, last = request.query["ex_dividend_date.gte"], request.query["ex_dividend_date.lte"]
            found: list[dict[str, Any]] = [
                {"cash_amount": cash, "ex_dividend_date": day.isoformat(), "ticker": symbol, "dividend_type": "CD"}
                for day, cash in history.dividends.items()
                if first <= day.isoformat() <= last
            ]
        else:
            first, last = request.query["execution_date.gte"], request.query["execution_date.lte"]
            found = [
                {"execution_date": day.isoformat(), "split_from": old, "split_to": new, "ticker": symbol}
                for day, (new, old) in history.splits.items()
                if first <= day.isoformat() <= last
            ]
        return Reply({"results": found, "status": "OK", "request_id": "1"})

    return answer


def _aggregates(histories: Mapping[str, History], request: Request, page: int) -> Reply:
    assert request.query.get("adjusted", "false") == "false"
    _, _, _, _, ticker, _, _, _, first, last = request.path.split("/")
    rows = histories.get(ticker, History([])).between(first, last)
    start = int(request.query.get("cursor", 0))
    zone = UTC if ticker.startswith("X:") else NEW_YORK
    found = [
        {
            "o": o,
            "h": h,
            "l": low,
            "c": c,
            "v": v,
            "n": 5,
            "t": int(datetime.combine(day, time(), zone).timestamp() * 1000),
        }
        for day, o, h, low, c, v in rows[start : start + page]
    ]
    if ticker.startswith("I:"):
        found = [{name: value for name, value in row.items() if name != "v"} for row in found]
    body: dict[str, Any] = {"ticker": ticker, "resultsCount": len(found), "adjusted": False, "status": "OK"}
    # The real service leaves the list out when it is empty.
    body |= {"results": found} if found else {}
    if start + page < len(rows):
        body["next_url"] = f"https://vendor.example{request.path}?cursor={start + page}"
    return Reply(body)
