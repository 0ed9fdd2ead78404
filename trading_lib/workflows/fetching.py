"""Bars and macro values from a source into the database: fetch, check, store, enter in the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import pandas as pd

from trading_lib.adapters.stores.ingestion_ledger import Ingestion, IngestionLedger
from trading_lib.adapters.stores.market_store import MarketStore
from trading_lib.domain.errors import SourceError, UnknownSymbolError
from trading_lib.domain.prices import Bars
from trading_lib.domain.sessions import FIRST_SESSION
from trading_lib.market_data.chain import CHAIN
from trading_lib.market_data.source import MarketDataSource, SourceAnswer
from trading_lib.validation.report import Finding, ValidationReport
from trading_lib.validation.structural import validate_bars
from trading_lib.workflows.settings import Settings
from trading_lib.workflows.sources import MACRO_GROUP, instrument_groups, market_store, open_source

Plan = dict[str, Any]
Result = dict[str, Any]


def ingest_range(
    plan: Plan,
    groups: Sequence[str],
    first: date,
    last: date,
    settings: Settings,
    source: MarketDataSource | None = None,
    symbols: Sequence[str] = (),
) -> Result:
    """Fetch, check and store everything of ``groups`` from ``first`` to ``last``; the same again changes nothing.

    Parameters
    ----------
    source
        The source to ask, when it is open already; by default the plan's.
    symbols
        Only these of the groups' symbols; all when empty.

    Returns
    -------
    Counts of rows; ``delivered`` (symbol -> source its bars came from), ``failures`` (symbol -> why it brought
    nothing) and ``stale`` (symbol -> its newest date, where a newer bar is due and no source of a chain has it).
    A symbol's failure fails nothing else.
    """
    engine = settings.engine()
    store, ledger, now = market_store(settings, engine), IngestionLedger(engine), settings.clock()
    asked = source or open_source(plan["source"], plan["data"], settings)
    result: Result = {"groups": list(groups), "inserted": 0, "revised": 0, "unchanged": 0, "quarantined": 0}
    result |= {"failures": {}, "delivered": {}, "stale": {}, "notes": []}
    for group, members in instrument_groups(settings).items():
        chosen = [symbol for symbol in members if not symbols or symbol in symbols]
        if group in groups and chosen:
            answer = _ingest_bars(asked, chosen, first, last, store, settings, now, result)
            ledger.record(_bars_fetched(asked.name, group, chosen, first, last, answer), now)
    if MACRO_GROUP in groups:
        ledger.record(_ingest_macro(asked, first, last, store, now, result), now)
    return result


def ingest_history(
    plan: Plan, settings: Settings, last: date, first: date = FIRST_SESSION, symbols: Sequence[str] = ()
) -> Result:
    """Load a source's history from ``first`` to ``last``, macro series too unless single symbols are named."""
    known = [symbol for members in instrument_groups(settings).values() for symbol in members]
    for symbol in symbols:
        if symbol not in known:
            raise UnknownSymbolError(f"symbol {symbol!r} is not in the universe", f"use one of {', '.join(known)}")
    groups = [*instrument_groups(settings), *([] if symbols else [MACRO_GROUP])]
    return ingest_range(plan, groups, first, last, settings, symbols=symbols)


def _ingest_bars(
    source: MarketDataSource,
    symbols: Sequence[str],
    first: date,
    last: date,
    store: MarketStore,
    settings: Settings,
    now: datetime,
    result: Result,
) -> SourceAnswer:
    answer = source.bars(symbols, first, last, now)
    report = validate_bars(answer.bars, settings.configuration.universe, now)
    counts = store.upsert_bars(report.accepted, now)
    for owner, findings, quarantined in _by_owner(answer.bars, report, source.name):
        store.save_validation(owner, findings, quarantined, now)
    result["inserted"] += counts.inserted
    result["revised"] += counts.revised
    result["unchanged"] += counts.unchanged
    result["quarantined"] += len(report.quarantined)
    result["failures"] |= dict(answer.failures)
    result["delivered"] |= _delivered(answer, source.name)
    result["stale"] |= {symbol: day.isoformat() for symbol, day in answer.stale.items()}
    result["notes"] += [note for note in answer.notes if note not in result["notes"]]
    return answer


def _ingest_macro(
    source: MarketDataSource, first: date, last: date, store: MarketStore, now: datetime, result: Result
) -> Ingestion:
    failures: dict[str, str] = {}
    try:
        series = source.macro(first, last, now)
    except SourceError as error:
        # Decisions do without a macro value that is late; the report says that it is.
        failures[MACRO_GROUP] = " ".join(str(error).split())
        result["failures"] |= failures
        delivered: dict[str, str] = {}
        result["macro"] = 0
    else:
        counts = store.upsert_macro(series, now)
        delivered = {str(row.series): str(row.source) for row in series.frame[["series", "source"]].itertuples()}
        result["macro"] = counts.inserted + counts.revised
    return Ingestion(source.name, MACRO_GROUP, first, last, (), not failures, delivered, failures)


def _bars_fetched(
    source: str, group: str, symbols: Sequence[str], first: date, last: date, answer: SourceAnswer
) -> Ingestion:
    complete = not answer.errors and not answer.stale
    delivered = _delivered(answer, source)
    return Ingestion(source, group, first, last, tuple(symbols), complete, delivered, dict(answer.failures))


def _delivered(answer: SourceAnswer, source: str) -> dict[str, str]:
    return dict(answer.delivered) or dict.fromkeys(answer.bars.symbols, source)


def _by_owner(bars: Bars, report: ValidationReport, source: str) -> list[tuple[str, list[Finding], Bars]]:
    """Group findings and quarantined bars by the source the bars came from; other findings are the asked source's."""
    if source != CHAIN:
        return [(source, list(report.findings), report.quarantined)]
    frame = bars.frame
    owners: Mapping[Any, Any] = frame.set_index(["symbol", "date"])["source"].to_dict()
    by_owner: dict[str, list[Finding]] = {str(name): [] for name in frame["source"].unique()}
    for finding in report.findings:
        owner = str(owners.get((finding.symbol, pd.Timestamp(finding.session)), source))
        by_owner.setdefault(owner, []).append(finding)
    bad = report.quarantined.frame
    return [
        (owner, findings, Bars(bad[bad["source"] == owner].reset_index(drop=True)))
        for owner, findings in sorted(by_owner.items())
    ]
