"""What a validation of the stored data reads: quarantined bars and findings that still stand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pandas as pd
from sqlalchemy import Engine, text

from trading_lib.adapters.stores.schema import BAR_VALUES
from trading_lib.domain.prices import Bars

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
