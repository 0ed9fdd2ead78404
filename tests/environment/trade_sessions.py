"""``python tests/environment/trade_sessions.py BOOK PRICES SESSION...``: trade sessions one after another."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import replace
from datetime import date
from typing import Any

from trading_lib.workflows.data import fetch as fetching
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.data.market import market_from_store
from trading_lib.workflows.data.sources import market_store
from trading_lib.workflows.setup.settings import load_settings
from trading_lib.workflows.trade.daily import trade_session


def main(book: str, prices: str, *sessions: str) -> None:
    """Ingest what there is, trade the sessions as a backfill does, and print what place said."""
    settings = load_settings()
    engine = settings.engine()
    days = [date.fromisoformat(session) for session in sessions]
    plan = market_data.plan(sessions[-1], "files", prices, book, settings)
    fetching.ingest_history(plan, settings, days[-1])
    universe = settings.configuration.universe
    market = market_from_store(market_store(settings, engine), plan.source_name, universe, settings.calendar, days[-1])
    counted: Counter[str] = Counter()
    reasons: list[Any] = []
    for day in days:
        placed = dict(trade_session(replace(plan, session=day), settings, market, engine)["place"])
        counted.update({name: value for name, value in placed.items() if isinstance(value, int)})
        reasons += placed.get("held_because", [])
    print(json.dumps({"sessions": len(days), **counted, "reasons": sorted({str(reason) for reason in reasons})[:3]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
