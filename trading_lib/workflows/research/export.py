"""A run's series as tables that other programs read: net asset values, positions, orders and fills.

Money, prices and quantities are exact: decimal text in CSV, decimals in Parquet.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from trading_lib.adapters.files.export_folder import KIND, MANIFEST
from trading_lib.domain.decision.signals import MarketRegime
from trading_lib.domain.errors import InputError
from trading_lib.domain.money import from_cents, from_micros

if TYPE_CHECKING:
    from trading_lib.workflows.research.backtest import BacktestRun

CSV, PARQUET = "csv", "parquet"
FORMATS = (CSV, PARQUET)
README = "README.md"
PROVENANCE = ("data_source", "strategy", "strategy_settings", "from", "to", "config_hash", "code_version", "trials")


@dataclass(frozen=True, slots=True)
class Table:
    """One file: what it holds, each column with its unit, and its rows."""

    name: str
    what: str
    columns: Mapping[str, str]
    rows: Sequence[tuple[Any, ...]]


def check_format(name: str) -> str:
    """Return the format's name; `InputError` for one that is not known."""
    if name not in FORMATS:
        raise InputError(f"there is no export format {name!r}", f"use {' or '.join(FORMATS)}")
    return name


def exported_files(run: BacktestRun, kind: str) -> dict[str, bytes]:
    """Write every table of a run, and a manifest that says what is in them and what data they rest on."""
    facts = {name: run.report[name] for name in PROVENANCE}
    facts["simulated"] = run.simulated
    tables = [nav_table(run), positions_table(run), orders_table(run), fills_table(run)]
    written = {f"{table.name}.{kind}": table for table in tables}
    files = {name: _csv(t) if kind == CSV else _parquet(t, facts) for name, t in written.items()}
    listed = {
        name: {"what": table.what, "rows": len(table.rows), "columns": dict(table.columns)}
        for name, table in written.items()
    }
    readme = _readme(facts, listed).encode()
    listed[README] = {"what": "this export in words", "rows": 0, "columns": {}}
    manifest = {"kind": KIND, **facts, "files": listed}
    return {**files, README: readme, MANIFEST: json.dumps(manifest, indent=2).encode() + b"\n"}


def nav_table(run: BacktestRun) -> Table:
    """Tell net asset value, drawdown and risk of every session."""
    result, regimes = run.result, tuple(MarketRegime)
    peak = np.maximum.accumulate(result.adjusted_nav)
    flows = np.zeros(len(peak)) if result.flows is None else result.flows
    rows = [
        (day, from_cents(round(nav * 100)), float(before), float(invested), int(level), regimes[regime].value,
         from_cents(round(flow * 100)))
        for day, nav, before, invested, level, regime, flow in zip(
            result.sessions.tolist(), result.nav.tolist(), 1.0 - result.adjusted_nav / peak, result.invested,
            result.levels, result.regimes.tolist(), flows.tolist(), strict=True,
        )
    ]  # fmt: skip
    columns = {
        "session": "date of the exchange's session",
        "nav": "dollars, net asset value at the close, costs included",
        "drawdown": "fraction below the highest value so far, apart from deposits and withdrawals",
        "invested": "fraction of the net asset value in assets",
        "risk_level": "effective risk level, 0 to 4",
        "regime": "^VIX regime of the session",
        "flow": "dollars deposited at the session's opening, less those withdrawn",
    }
    return Table("nav", "one row a session", columns, rows)


def positions_table(run: BacktestRun) -> Table:
    """Tell holdings of every session, and the weights that were wanted and allowed."""
    result, cuts = run.result, run.result.cuts
    symbols, days = cuts.symbols, result.sessions.tolist()
    quantity = np.rint(result.quantity * 1_000_000).astype(np.int64)
    shown = (quantity != 0) | (cuts.wanted > 0) | (cuts.approved > 0)
    rows = [
        (days[t], symbols[i], from_micros(int(quantity[t, i])), float(cuts.held[t, i]), float(cuts.wanted[t, i]),
         float(cuts.approved[t, i]))
        for t, i in zip(*(axis.tolist() for axis in np.nonzero(shown)), strict=True)
    ]  # fmt: skip
    columns = {
        "session": "date",
        "symbol": "asset",
        "quantity": "units held at the close, net of what perpetuals sell short",
        "held_weight": "fraction of net asset value held",
        "wanted_weight": "fraction that the sleeves wanted before any limit",
        "allowed_weight": "fraction that constraints and risk control left of it",
    }
    return Table("positions", "one row for each asset held or wanted in a session", columns, rows)


def orders_table(run: BacktestRun) -> Table:
    """Tell every order, and what became of it."""
    cancelled = {cancellation.client_order_id: cancellation for cancellation in run.result.cancelled}
    denied = {order.client_order_id: reason for order, reason in run.result.denied}
    everything = sorted(
        (*run.result.orders, *(order for order, _ in run.result.denied)), key=lambda cancellation: cancellation.session
    )
    rows = []
    for order in everything:
        rest = cancelled.get(order.client_order_id)
        rows.append(
            (
                order.client_order_id, order.session, order.symbol, order.side.value, order.quantity,
                order.expected_price, order.estimated_commission, float(order.weight_change), order.purpose.value,
                order.reason, rest.quantity if rest else Decimal(0), rest.reason if rest else "",
                denied.get(order.client_order_id, ""),
            )
        )  # fmt: skip
    columns = {
        "client_order_id": "identity",
        "session": "date of the decision; it trades at the next opening",
        "symbol": "asset",
        "side": "BUY or SELL",
        "quantity": "units",
        "expected_price": "dollars a unit, last good price",
        "estimated_commission": "dollars",
        "weight_change": "fraction of net asset value",
        "purpose": "REBALANCE or RISK",
        "reason": "why",
        "cancelled_quantity": "units that the opening did not fill",
        "cancelled_because": "why not",
        "denied_because": "why the pre-trade checks refused the order",
    }
    return Table("orders", "one row an order, refused ones included", columns, rows)


def fills_table(run: BacktestRun) -> Table:
    """Tell every execution."""
    rows = [
        (fill.trade_id, fill.client_order_id, fill.session, fill.filled_at.isoformat(), fill.symbol, fill.side.value,
         fill.quantity, fill.price, fill.reference_price, fill.commission, fill.broker)
        for fill in run.result.fills
    ]  # fmt: skip
    columns = {
        "trade_id": "identity",
        "client_order_id": "of the order",
        "session": "date that books it",
        "filled_at": "UTC",
        "symbol": "asset",
        "side": "BUY or SELL",
        "quantity": "units",
        "price": "dollars a unit, slippage included",
        "reference_price": "dollars a unit, the opening",
        "commission": "dollars",
        "broker": "who executed it",
    }
    return Table("fills", "one row an execution", columns, rows)


def _csv(table: Table) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([_cell(value) for value in row] for row in table.rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"
    return repr(value) if isinstance(value, float) else value


def _parquet(table: Table, facts: Mapping[str, Any]) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    columns = list(zip(*table.rows, strict=True)) or [()] * len(table.columns)
    arrays = [pa.array(_same_scale(column)) for column in columns]
    about = {
        "what": table.what,
        "columns": json.dumps(dict(table.columns)),
        **{k: json.dumps(v) for k, v in facts.items()},
    }
    whole = pa.table(arrays, names=list(table.columns), metadata=about)
    sink = io.BytesIO()
    parquet.write_table(whole, sink, compression="zstd")
    return sink.getvalue()


def _same_scale(column: Sequence[Any]) -> list[Any]:
    """Give the decimals of a column the same number of places, as Parquet keeps one for all of them."""
    if not column or not isinstance(column[0], Decimal):
        return list(column)
    places = max(-int(value.as_tuple().exponent) for value in column)
    return [value.quantize(Decimal(1).scaleb(-max(places, 0))) for value in column]


def _readme(facts: Mapping[str, Any], files: Mapping[str, Mapping[str, Any]]) -> str:
    return "\n".join(_readme_lines(facts, files)) + "\n"


def _readme_lines(facts: Mapping[str, Any], files: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    source = "SIMULATED prices: no real market" if facts["simulated"] else facts["data_source"]
    yield f"# Backtest of {facts['strategy']}, {facts['from']} to {facts['to']}"
    yield ""
    yield f"Data: {source}. Configuration {facts['config_hash']}, code {facts['code_version']}."
    yield f"Trials behind it: {facts['trials']}."
    for name, table in files.items():
        yield from ("", f"## {name}", "", f"{table['rows']:,} rows, {table['what']}.", "")
        yield from (f"- `{column}`: {unit}" for column, unit in table["columns"].items())
