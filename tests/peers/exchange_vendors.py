"""Bodies in the shapes of Binance's and Bybit's public market data APIs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime

from tests.peers.equity_vendors import History
from tests.peers.vendor_server import Reply, Request

Settlements = Mapping[datetime, float]
DAY = 86_400_000


def milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _opening(day: date) -> int:
    return milliseconds(datetime(day.year, day.month, day.day, tzinfo=UTC))


def binance_answer(history: History, settlements: Settlements) -> Callable[[Request], Reply]:
    """BTCUSDT on /api/v3/klines (oldest first) and /fapi/v1/fundingRate (oldest first, 1,000 at most)."""

    def answer(request: Request) -> Reply:
        first, last = int(request.query["startTime"]), int(request.query["endTime"])
        if request.query["symbol"] != "BTCUSDT":
            return Reply({"code": -1121, "msg": "Invalid symbol."}, 400)
        limit = int(request.query["limit"])
        if request.path == "/api/v3/klines":
            assert request.query["interval"] == "1d"
            found = [row for row in history.rows if first <= _opening(row[0]) <= last][:limit]
            return Reply(
                [[_opening(r[0]), *map(str, r[1:]), _opening(r[0]) + DAY - 1, "1", 5, "1", "1", "0"] for r in found]
            )
        assert request.path == "/fapi/v1/fundingRate"
        rates = [
            {"symbol": "BTCUSDT", "fundingRate": f"{rate:.8f}", "fundingTime": milliseconds(moment), "markPrice": "1"}
            for moment, rate in sorted(settlements.items())
            if first <= milliseconds(moment) <= last
        ]
        return Reply(rates[: min(limit, 1000)])

    return answer


def bybit_answer(history: History, settlements: Settlements) -> Callable[[Request], Reply]:
    """BTCUSDT on /v5/market/kline and /v5/market/funding/history, both newest first."""

    def answer(request: Request) -> Reply:
        category = request.query["category"]
        if request.query["symbol"] != "BTCUSDT":
            return Reply({"retCode": 10001, "retMsg": "Not supported symbols", "result": {}})
        limit = int(request.query["limit"])
        if request.path == "/v5/market/kline":
            assert (category, request.query["interval"]) == ("spot", "D")
            first, last = int(request.query["start"]), int(request.query["end"])
            found = [row for row in reversed(history.rows) if first <= _opening(row[0]) <= last][:limit]
            rows: list[object] = [[str(_opening(row[0])), *map(str, row[1:]), "1"] for row in found]
        else:
            assert (request.path, category) == ("/v5/market/funding/history", "linear")
            first, last = int(request.query["startTime"]), int(request.query["endTime"])
            rows = [
                {"symbol": "BTCUSDT", "fundingRate": f"{rate:.8f}", "fundingRateTimestamp": str(milliseconds(moment))}
                for moment, rate in sorted(settlements.items(), reverse=True)
                if first <= milliseconds(moment) <= last
            ][: min(limit, 200)]
        result = {"category": category, "symbol": "BTCUSDT", "list": rows}
        return Reply({"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": 1672025956592})

    return answer
