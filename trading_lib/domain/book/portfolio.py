"""Portfolio as a value: cash, positions and the last marks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

CENT = Decimal("0.01")
# Name of the account of a book that has one and calls it nothing else.
ONLY_ACCOUNT = "main"


def to_cent(amount: Decimal) -> Decimal:
    """Round an amount of dollars to the cent, half to even."""
    return amount.quantize(CENT, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class Position:
    """A holding; ``average_cost`` is dollars per unit including nothing but prices paid."""

    symbol: str
    quantity: Decimal
    average_cost: Decimal


@dataclass(frozen=True, slots=True)
class PerpetualPosition:
    """An open perpetual future; nothing is paid for it, its profit is settled in cash when it is closed.

    Attributes
    ----------
    symbol
        With its venue, e.g. "BINANCE:BTC-USDT".
    quantity
        Units, negative for a short.
    entry_value
        Quantity times entry price in dollars, signed like it, in whole cents: kept instead of an average price, so that
        closing in parts loses no cent to rounding.
    mark
        Last good price.
    """

    symbol: str
    quantity: Decimal
    entry_value: Decimal
    mark: Decimal

    @property
    def unrealised(self) -> Decimal:
        """Profit in dollars if it were closed at the mark without costs."""
        return self.quantity * self.mark - self.entry_value


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Holdings of a book at the decision time of ``session``.

    Attributes
    ----------
    positions
        Symbol -> position; a closed position is absent.
    marks
        Symbol -> last good raw price of each held symbol.
    nav
        Cash plus marked positions plus the unrealised profit of perpetuals, rounded to the cent.
    realised_pnl, dividends, costs
        Totals since the book was opened; costs are commissions plus slippage.
    perpetuals
        Symbol with venue -> open perpetual future; a closed one is absent.
    funding
        Total received from funding since the book was opened, negative when more was paid.
    deposits, withdrawals
        Totals since the book was opened, each positive; what moved between its accounts is in neither.
    accounts
        Account -> its part of the cash; empty where one account has all of it.
    capital_factor
        By how much deposits and withdrawals have multiplied the net asset value since the book was opened.
    """

    session: date
    cash: Decimal
    nav: Decimal
    positions: Mapping[str, Position] = field(default_factory=dict)
    marks: Mapping[str, Decimal] = field(default_factory=dict)
    realised_pnl: Decimal = Decimal(0)
    dividends: Decimal = Decimal(0)
    costs: Decimal = Decimal(0)
    perpetuals: Mapping[str, PerpetualPosition] = field(default_factory=dict)
    funding: Decimal = Decimal(0)
    deposits: Decimal = Decimal(0)
    withdrawals: Decimal = Decimal(0)
    capital_factor: float = 1.0
    accounts: Mapping[str, Decimal] = field(default_factory=dict)

    @classmethod
    def opened(cls, session: date, cash: Decimal, accounts: Mapping[str, Decimal] | None = None) -> Portfolio:
        """Return a portfolio that holds only ``cash``, shared out among ``accounts`` where there are several."""
        shared = dict(accounts) if accounts and len(accounts) > 1 else {}
        return cls(session=session, cash=to_cent(cash), nav=to_cent(cash), accounts=shared)

    def cash_by_account(self, only: str = ONLY_ACCOUNT) -> Mapping[str, Decimal]:
        """Cash of each account; ``only`` names the account of a book that has one."""
        return self.accounts or {only: self.cash}

    @property
    def hedged(self) -> Decimal:
        """Units sold short by perpetuals."""
        return -sum((position.quantity for position in self.perpetuals.values()), Decimal(0))

    @property
    def adjusted_nav(self) -> float:
        """Net asset value as it would be had no capital come or gone; ratios of it are time-weighted returns."""
        return float(self.nav) / self.capital_factor

    def weight(self, symbol: str) -> float:
        """Share of net asset value held in ``symbol``; 0 when none is held."""
        position = self.positions.get(symbol)
        if position is None or self.nav <= 0:
            return 0.0
        return float(position.quantity * self.marks[symbol] / self.nav)
