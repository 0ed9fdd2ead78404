"""Parts of a cent: books round every trade to the cent, and brokers that keep more decimals do not.

Input: fills of an account. Output: dollars by which exact cash differs from the book's; the longer an account trades,
the more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from decimal import Decimal

from trading_lib.domain.book.orders import Fill, Side
from trading_lib.domain.book.portfolio import to_cent
from trading_lib.execution.broker import Execution
from trading_lib.execution.fees import SUFFIX
from trading_lib.execution.reconciliation.breaks import NOTHING, signed_value


def rounded_away(fills: Iterable[Execution | Fill], paid_otherwise: Collection[str]) -> Decimal:
    """Return what exact cash has beyond the sum of amounts that are rounded to the cent, fill by fill.

    Parameters
    ----------
    paid_otherwise
        Ids of trades whose fee did not leave the account's cash.
    """
    # A fee in units and its companion cancel each other to the cent.
    return sum((_of(fill, paid_otherwise) for fill in fills if not fill.trade_id.endswith(SUFFIX)), NOTHING)


def _of(fill: Execution | Fill, paid_otherwise: Collection[str]) -> Decimal:
    units = fill.quantity if fill.side is Side.BUY else -fill.quantity
    kept = isinstance(fill, Execution) and fill.fee_quantity
    commission = NOTHING if kept or fill.trade_id in paid_otherwise else fill.commission
    return signed_value(units, fill.price) - units * fill.price + to_cent(commission) - commission
