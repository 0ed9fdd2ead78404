"""``trading trades``: the closed trades of a book and their realised profit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from trading_lib.cli.output import JSON_OPTION, show

app = typer.Typer()


@app.command()
def trades(
    book: Annotated[str, typer.Option("--book", help="Book whose closed trades to list.", show_default=False)],
    symbol: Annotated[str | None, typer.Option("--symbol", help="Only of this asset.")] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """List what each sale of a book realised, with totals. Exit code 1 when they do not explain the book's profit.

    Profit is after commissions, against average cost, without dividends and funding.

    Example: trading trades --book demo --symbol SPY
    """
    from trading_lib.workflows.books.trade_history import listing

    history = listing(book, symbol)
    show(history, as_json, list(_lines(history)))
    if history["totals"]["not_listed"]:
        raise typer.Exit(1)


def _lines(history: dict[str, Any]) -> Iterator[str]:
    columns = f"{'quantity':>12} {'entry':>10} {'exit':>10} {'commission':>10} {'profit':>12}"
    if history["trades"]:
        yield f"{'closed':<10} {'opened':<10} {'sessions':>8} {'symbol':<10} {columns}  why"
    for trade in history["trades"]:
        yield (
            f"{trade['closed_session']!s:<10} {trade['opened_session']!s:<10} {trade['holding_sessions']:>8} "
            f"{trade['symbol']:<10} {trade['quantity']:>12,f} {trade['entry_price']:>10,.2f} "
            f"{trade['exit_price']:>10,.2f} {trade['commission']:>10,.2f} {trade['realised_pnl']:>12,.2f}  "
            f"{trade['purpose'] or trade['broker']}"
        )
    totals = history["totals"]
    yield (
        f"{totals['trades']} closed trades, {totals['winners']} with a profit: {totals['gross_pnl']:,.2f} before and "
        f"{totals['realised_pnl']:,.2f} after {totals['commission']:,.2f} of commissions"
    )
    came, went = (float(history["capital"][name]) for name in ("deposits", "withdrawals"))
    if came or went:
        yield f"apart from this, ${came:,.2f} were deposited and ${went:,.2f} withdrawn"
    if totals["not_listed"]:
        yield f"{totals['not_listed']:,.2f} of the book's realised profit is explained by no stored trade"
