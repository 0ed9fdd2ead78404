"""Fees of the regulators on sales, as Alpaca charges them: at the end of the day, apart from the fills."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import ROUND_UP, Decimal

from trading_lib.adapters.broker_simulator.ledger.records import ALPACA, Execution
from trading_lib.adapters.broker_simulator.ledger.state import State
from trading_lib.domain.market.sessions import NEW_YORK

# Of the proceeds, and of each share with a most; the order of magnitude of what is charged.
OF_PROCEEDS, OF_SHARE, MOST_OF_SHARES = Decimal("0.0000278"), Decimal("0.000166"), Decimal("8.30")
CENT = Decimal("0.01")
SETTING = "sale_fees"


def due(state: State, day: date) -> Iterator[tuple[Execution, Decimal, str]]:
    """Yield each sale of a New York day that has not paid yet, each of its two fees with its words.

    Only accounts whose settings say ``sale_fees`` pay.
    """
    paid = {movement.note for movement in state.movements if movement.activity == "FEE"}
    for execution in state.executions:
        account = state.accounts[execution.account]
        if account.face != ALPACA or not account.settings.get(SETTING) or execution.side != "sell":
            continue
        if execution.bust_of or execution.corrects or execution.at.astimezone(NEW_YORK).date() != day:
            continue
        proceeds, of_shares = execution.quantity * execution.price, execution.quantity * OF_SHARE
        for name, dollars in (("REG", proceeds * OF_PROCEEDS), ("TAF", min(of_shares, MOST_OF_SHARES))):
            words = f"{name} fee for proceed of {execution.quantity} shares, trade {execution.id}"
            if words not in paid:
                yield execution, dollars.quantize(CENT, ROUND_UP), words
