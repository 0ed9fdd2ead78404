"""Gate results, chained by hash, and the points of distributed sweeps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Engine, select, text
from sqlalchemy.dialects.postgresql import insert

from trading_lib.adapters.stores.postgres.schema import gate_results, sweep_points
from trading_lib.domain.market.sessions import require_aware

Row = dict[str, Any]
# What stands before the first record of the chain.
NO_RECORD = "0" * 64


class GateStore:
    """The gate results of one database; nothing is ever changed or taken out."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def append(self, result: Row) -> Row:
        """Store a result behind the newest one and return it with its hashes.

        Parameters
        ----------
        result
            The columns of gate_results except number and hashes.
        """
        require_aware(result["recorded_at"], "recorded_at")
        with self._engine.begin() as connection:
            # Two gates at a time would both follow the same record.
            connection.execute(text("LOCK TABLE gate_results IN EXCLUSIVE MODE"))
            query = select(gate_results.c.number, gate_results.c.record_hash).order_by(gate_results.c.number.desc())
            newest = connection.execute(query.limit(1)).first()
            row = {
                **result,
                "number": newest.number + 1 if newest else 1,
                "previous_hash": newest.record_hash if newest else NO_RECORD,
            }
            row["record_hash"] = record_hash(row)
            connection.execute(gate_results.insert().values(row))
        return row

    def results(self) -> list[Row]:
        """All results, oldest first."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(gate_results).order_by(gate_results.c.number)).mappings()
            return [dict(row) for row in rows]

    def broken_links(self) -> list[int]:
        """Numbers of the records whose content or place in the chain isn't what their hash says; empty when sound."""
        broken, previous = [], NO_RECORD
        for row in self.results():
            if row["previous_hash"] != previous or record_hash(row) != row["record_hash"]:
                broken.append(int(row["number"]))
            previous = str(row["record_hash"])
        return broken


def record_hash(row: Mapping[str, Any]) -> str:
    """SHA-256 of everything a gate result says, the hash before it included."""
    content = {name: value for name, value in row.items() if name not in ("record_hash", "recorded_at")}
    instant = row["recorded_at"].timestamp()
    written = json.dumps([content, instant], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(written.encode()).hexdigest()


class SweepStore:
    """The points of sweeps that several workers compute."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def save(self, sweep: str, rows: Sequence[Row]) -> None:
        """Store finished points; a point that was computed again replaces itself."""
        if not rows:
            return
        statement = insert(sweep_points)
        replaced = {name: statement.excluded[name] for name in ("values", "status", "reason", "metrics", "config_hash")}
        upsert = statement.on_conflict_do_update(index_elements=["sweep", "point"], set_=replaced)
        with self._engine.begin() as connection:
            connection.execute(upsert, [{"sweep": sweep, **row} for row in rows])

    def points(self, sweep: str) -> list[Row]:
        """Read a sweep's stored points in the grid's order."""
        query = select(sweep_points).where(sweep_points.c.sweep == sweep).order_by(sweep_points.c.point)
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]
