"""Validation findings and quarantined bars in PostgreSQL."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Protocol

import numpy as np
import pandas as pd
from sqlalchemy import Connection, Engine, func, or_, select, text
from sqlalchemy.dialects.postgresql import insert

from trading_lib.adapters.stores.postgres.bulk_copy import Columns, Kind, copy_in
from trading_lib.adapters.stores.postgres.revisions import incoming_value
from trading_lib.adapters.stores.postgres.schema import BAR_VALUES, bars, validation_findings
from trading_lib.domain.market.prices import Bars

ERROR, WARNING = "ERROR", "WARNING"


class FindingLike(Protocol):
    """A finding of the validation stage."""

    @property
    def symbol(self) -> str:
        """Symbol concerned."""

    @property
    def session(self) -> date:
        """Date of the bar."""

    @property
    def rule(self) -> str:
        """Name of the rule."""

    @property
    def severity(self) -> str:
        """ERROR or WARNING."""

    @property
    def value(self) -> float | None:
        """The number that broke the rule."""

    @property
    def message(self) -> str:
        """The finding as text."""


def save_findings(
    connection: Connection,
    source: str,
    findings: Sequence[FindingLike],
    quarantined: Columns,
    kinds: Mapping[str, Kind],
    now: datetime,
) -> None:
    """Store findings and quarantined bars; what is stored already stays as it is."""
    _store_findings(connection, source, findings, now)
    if not len(quarantined["symbol"]):
        return
    columns = {
        **quarantined,
        "source": np.full(len(quarantined["symbol"]), source, dtype=object),
        "rules": _rules_of_rows(findings, quarantined),
    }
    copy_in(connection, "incoming_quarantine", {**kinds, "rules": Kind.TEXT}, columns)
    values = ", ".join(incoming_value(name) for name in BAR_VALUES)
    connection.execute(
        text(f"""
            INSERT INTO quarantine (source, symbol, session, {", ".join(BAR_VALUES)}, adjustment, available_at,
                content_hash, rules, quarantined_at)
            SELECT source, symbol, session, {values}, adjustment, available_at,
                md5(ROW({values}, adjustment)::text), string_to_array(rules, ','), :now
            FROM incoming_quarantine i
            ON CONFLICT DO NOTHING
        """),  # noqa: S608 - built from constants
        {"now": now},
    )
    connection.exec_driver_sql("DROP TABLE incoming_quarantine")


def quarantined_symbols(connection: Connection, source: str, session: date) -> dict[str, tuple[str, ...]]:
    """Symbol -> failed rules of the ERROR findings that no later accepted bar has overruled."""
    findings = validation_findings
    query = (
        select(findings.c.symbol, findings.c.rule)
        .where(findings.c.source == source, findings.c.session == session, findings.c.severity == ERROR)
        .where(~_accepted_after(findings.c.found_at))
    )
    rules: dict[str, list[str]] = defaultdict(list)
    for symbol, rule in connection.execute(query):
        rules[symbol].append(rule)
    return {symbol: tuple(sorted(rules[symbol])) for symbol in sorted(rules)}


def alerts_of_session(connection: Connection, sources: Sequence[str], session: date) -> list[tuple[str, str, str]]:
    """(symbol, rule, message) of the WARNING findings that no later accepted bar has overruled, by symbol and rule."""
    findings = validation_findings
    query = (
        select(findings.c.symbol, findings.c.rule, findings.c.message)
        .where(findings.c.source.in_(sources), findings.c.session == session, findings.c.severity == WARNING)
        .where(~_accepted_after(findings.c.found_at))
        .order_by(findings.c.symbol, findings.c.rule)
    )
    return [(row.symbol, row.rule, row.message) for row in connection.execute(query)]


def quarantined_days(
    connection: Connection, sources: Sequence[str], first: date, last: date, before: datetime
) -> set[tuple[str, date]]:
    """Symbols and days of which a bar was quarantined earlier than ``before`` and none is accepted so far."""
    query = text("""
        SELECT DISTINCT symbol, session FROM quarantine q
        WHERE source = ANY(:sources) AND session BETWEEN :first AND :last AND quarantined_at < :before
            AND NOT EXISTS (
                SELECT 1 FROM bars WHERE bars.source = ANY(:sources) AND bars.symbol = q.symbol
                    AND bars.session = q.session)
    """)
    parameters = {"sources": list(sources), "first": first, "last": last, "before": before}
    return {(row.symbol, row.session) for row in connection.execute(query, parameters)}


def owed_actions(
    connection: Connection,
    sources: Sequence[str],
    symbols: Sequence[str],
    first: date,
    last: date,
    doubtful: Collection[str],
) -> pd.DataFrame:
    """Dividends and splits of quarantined bars, newest version of each, of days without an accepted bar.

    A dividend counts as none where one of the rules in ``doubtful`` quarantined its bar.
    """
    query = text("""
        SELECT DISTINCT ON (symbol, session) symbol, session AS date,
            CASE WHEN rules && CAST(:doubtful AS text[]) THEN 0 ELSE dividend END AS dividend, split
        FROM quarantine q
        WHERE source = ANY(:sources) AND symbol = ANY(:symbols) AND session BETWEEN :first AND :last
            AND NOT EXISTS (
                SELECT 1 FROM bars WHERE bars.source = ANY(:sources) AND bars.symbol = q.symbol
                    AND bars.session = q.session)
        ORDER BY symbol, session, quarantined_at DESC, content_hash
    """)
    parameters = {"sources": list(sources), "symbols": list(symbols), "first": first, "last": last}
    rows = connection.execute(query, parameters | {"doubtful": sorted(doubtful)}).all()
    frame = pd.DataFrame(rows, columns=["symbol", "date", "dividend", "split"])
    return frame.astype({"symbol": "str", "date": "datetime64[us]", "dividend": "float64", "split": "float64"})


def _accepted_after(moment: Any) -> Any:
    findings = validation_findings
    return (
        select(1)
        .where(
            bars.c.source == findings.c.source, bars.c.symbol == findings.c.symbol, bars.c.session == findings.c.session
        )
        .where(bars.c.ingested_at > moment)
        .exists()
    )


def _store_findings(connection: Connection, source: str, findings: Iterable[FindingLike], now: datetime) -> None:
    rows: dict[tuple[str, date, str], dict[str, Any]] = {}
    for finding in findings:
        key = (finding.symbol, finding.session, finding.rule)
        # One row per rule: of two findings of one rule the graver stands.
        if key in rows and rows[key]["severity"] == ERROR:
            continue
        value = finding.value
        rows[key] = {
            "source": source,
            "symbol": finding.symbol,
            "session": finding.session,
            "rule": finding.rule,
            "severity": str(finding.severity),
            "value": None if value is None or math.isnan(value) else float(value),
            "message": finding.message,
            "found_at": now,
        }
    if not rows:
        return
    statement = insert(validation_findings)
    new, stored = statement.excluded, validation_findings.c
    # Found again after a correction: the finding counts from now on, so its time moves. Otherwise nothing changes.
    changed = or_(
        func.row(stored.severity, stored.value, stored.message).is_distinct_from(
            func.row(new.severity, new.value, new.message)
        ),
        _accepted_after(stored.found_at),
    )
    update = {"severity": new.severity, "value": new.value, "message": new.message, "found_at": new.found_at}
    connection.execute(
        statement.on_conflict_do_update(constraint="pk_validation_findings", set_=update, where=changed),
        [rows[key] for key in sorted(rows)],
    )


def _rules_of_rows(findings: Iterable[FindingLike], quarantined: Columns) -> Any:
    rules: dict[tuple[str, date], set[str]] = defaultdict(set)
    for finding in findings:
        if str(finding.severity) == ERROR:
            rules[finding.symbol, finding.session].add(finding.rule)
    sessions = quarantined["session"].astype("datetime64[D]").tolist()
    return np.array(
        [
            ",".join(sorted(rules[symbol, session]))
            for symbol, session in zip(quarantined["symbol"], sessions, strict=True)
        ],
        dtype=object,
    )


# An accepted bar that came after a finding was made overrules it.
STANDING = """
    SELECT source, symbol, session, rule, severity, value, message FROM validation_findings f
    WHERE NOT EXISTS (
        SELECT 1 FROM bars WHERE bars.source = f.source AND bars.symbol = f.symbol AND bars.session = f.session
            AND bars.ingested_at > f.found_at)
    ORDER BY source, symbol, session, rule
"""
QUARANTINED = f"""
    SELECT DISTINCT ON (symbol, session) symbol, session AS date, {", ".join(BAR_VALUES)}, source, adjustment,
        available_at
    FROM quarantine q
    WHERE source = :source AND NOT EXISTS (
        SELECT 1 FROM bars WHERE bars.source = q.source AND bars.symbol = q.symbol AND bars.session = q.session)
    ORDER BY symbol, session, quarantined_at DESC, content_hash
"""  # noqa: S608 - built from constants
SOURCES = """
    SELECT source, bool_or(kind = 'bars') AS bars, bool_or(kind = 'macro') AS macro,
        bool_or(kind = 'funding') AS funding
    FROM (
        SELECT DISTINCT source, 'bars' AS kind FROM bars
        UNION SELECT DISTINCT source, 'bars' FROM quarantine
        UNION SELECT DISTINCT source, 'macro' FROM macro
        UNION SELECT DISTINCT source, 'funding' FROM funding
    ) stored GROUP BY source ORDER BY source
"""

StandingFinding = tuple[str, str, date, str, str, float | None, str]


def stored_kinds(engine: Engine) -> dict[str, tuple[str, ...]]:
    """Source -> which of "bars", "macro" and "funding" are stored of it."""
    with engine.connect() as connection:
        rows = connection.execute(text(SOURCES)).all()
    return {row.source: tuple(kind for kind in ("bars", "macro", "funding") if getattr(row, kind)) for row in rows}


def quarantined_bars(engine: Engine, source: str) -> Bars:
    """Bars of ``source`` in quarantine, the newest version of each, of days without an accepted one."""
    with engine.connect() as connection:
        rows = connection.execute(text(QUARANTINED), {"source": source}).all()
    if not rows:
        return Bars.empty()
    return Bars.from_frame(
        pd.DataFrame(rows).assign(available_at=lambda f: pd.to_datetime(f["available_at"], utc=True))
    )


def standing_findings(engine: Engine, sources: Sequence[str] | None = None) -> list[StandingFinding]:
    """(source, symbol, session, rule, severity, value, message) of findings that nothing has overruled.

    Parameters
    ----------
    sources
        Only theirs and those of data sets under their names ("files:prices/old"); None for all.
    """
    with engine.connect() as connection:
        rows = connection.execute(text(STANDING)).all()
    return [
        (row.source, row.symbol, row.session, row.rule, row.severity, row.value, row.message)
        for row in rows
        if sources is None or any(row.source == name or row.source.startswith(f"{name}/") for name in sources)
    ]
