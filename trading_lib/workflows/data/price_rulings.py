"""Rulings on suspected splits: list open ones, record a ruling, judge the waiting bars with it."""

from __future__ import annotations

from datetime import date
from typing import Any

from trading_lib.adapters.stores.market.ruling_store import RulingStore, SuspectedSplit
from trading_lib.domain.errors import InputError, UnknownSymbolError, one_of
from trading_lib.domain.market.price_rulings import PriceRuling
from trading_lib.domain.market.prices import VOLATILITY_INDEX
from trading_lib.market_data.chain import CHAIN
from trading_lib.validation.price_rules.unstated_splits import split_name
from trading_lib.workflows.data.accept_bars import judge_again
from trading_lib.workflows.data.sources import market_store
from trading_lib.workflows.setup.settings import Settings, load_settings
from trading_lib.workflows.trade.stage_log import logged

NEEDS = "give --split RATIO (new shares per old share) or --real-move, not both"


def open_and_recorded(settings: Settings | None = None) -> dict[str, Any]:
    """List suspected splits that nobody has decided about, and the decisions so far."""
    store = RulingStore((settings or load_settings()).engine())
    return {
        "open": [_open(suspicion) for suspicion in store.suspicions()],
        "recorded": [
            {
                "symbol": item.ruling.symbol,
                "session": item.ruling.session.isoformat(),
                "decision": _words(item.ruling.split),
                "split": item.ruling.split,
                "source": item.source,
                "note": item.ruling.note,
                "recorded_by": item.recorded_by,
                "recorded_at": item.recorded_at.isoformat(),
            }
            for item in store.recorded()
        ],
    }


@logged("price ruling")
def record_ruling(
    symbol: str,
    session: date,
    split: float | None,
    real_move: bool,
    note: str,
    recorded_by: str,
    source: str | None = None,
    settings: Settings | None = None,
) -> dict[str, Any]:
    """Record what happened on ``session`` and judge the bars that waited for it.

    Parameters
    ----------
    source
        Only for this source's prices; for every source's by default.

    Raises
    ------
    InputError
        When it is not clear what is decided, or no bar of the symbol is suspected from that session on.
    """
    active = settings or load_settings()
    if (split is None) != real_move or (split is not None and not (0 < split < float("inf") and split != 1)):
        raise InputError(f"it is not clear what happened to {symbol} on {session}", NEEDS)
    symbols = (*active.configuration.universe.symbols, VOLATILITY_INDEX)
    if symbol not in symbols:
        raise UnknownSymbolError(f"symbol {symbol!r} is not in the universe", one_of(symbol, symbols))
    store, now = market_store(active, active.engine()), active.clock()
    decisions = RulingStore(store.engine)
    suspicions = [
        d for d in decisions.suspicions() if d.symbol == symbol and d.since == session and source in (None, d.source)
    ]
    if not suspicions:
        others = ", ".join(f"{d.symbol} {d.since} ({d.source})" for d in decisions.suspicions())
        raise InputError(
            f"no bar of {symbol} waits for a decision about {session}", f"open: {others}" if others else "none is open"
        )
    decisions.record(PriceRuling(symbol, session, split, note), source, recorded_by, now)
    members = store.sources_of(CHAIN)
    judged = sorted({CHAIN if suspicion.source in members else suspicion.source for suspicion in suspicions})
    accepted = {name: judge_again(store, name, symbol, active, now).inserted for name in judged}
    left = [_open(d) for d in decisions.suspicions() if d.symbol == symbol]
    return {
        "symbol": symbol,
        "session": session.isoformat(),
        "decision": _words(split),
        "note": note,
        "recorded_by": recorded_by,
        "recorded_at": now.isoformat(),
        "accepted_bars": accepted,
        "still_open": left,
    }


def _open(suspicion: SuspectedSplit) -> dict[str, Any]:
    return {
        "symbol": suspicion.symbol,
        "session": suspicion.since.isoformat(),
        "newest": suspicion.newest.isoformat(),
        "source": suspicion.source,
        "split": split_name(suspicion.ratio),
        "close": suspicion.close,
    }


def _words(split: float | None) -> str:
    return "real move" if split is None else f"split {split_name(split)}"
