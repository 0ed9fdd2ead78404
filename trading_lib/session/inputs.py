"""The inputs that all sessions of a run share."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from trading_lib.decision_config import DecisionConfig
from trading_lib.domain.book.accounts import Accounts
from trading_lib.domain.book.flows import Flow
from trading_lib.domain.book.proceeds import Proceeds
from trading_lib.domain.market.funding import FundingPanel
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.market_view import FactorPanel, SessionViews
from trading_lib.domain.market.prices import PricePanel
from trading_lib.domain.market.sessions import SessionCalendar
from trading_lib.execution.config import PaperConfig


@dataclass(frozen=True, slots=True)
class SessionInput:
    """Everything a run depends on.

    Attributes
    ----------
    views
        The panel's views where many runs share them; see `SessionViews`.
    funding
        Rates and settlements at the panel's sessions, for a universe with a perpetual.
    proceeds
        What holdings without a price brought; each closes its holding in its session.
    flows
        Capital that comes or goes at the opening of its session; none counts in the first.
    accounts
        Where the assets of each class are held and which cash pays for them.
    """

    universe: Universe
    calendar: SessionCalendar
    panel: PricePanel
    factors: FactorPanel
    config: DecisionConfig
    paper: PaperConfig
    initial_cash: Decimal
    book: str = "backtest"
    views: SessionViews | None = None
    funding: FundingPanel | None = None
    proceeds: tuple[Proceeds, ...] = ()
    flows: tuple[Flow, ...] = ()
    accounts: Accounts = field(default_factory=Accounts)

    @property
    def several_accounts(self) -> bool:
        """Whether the assets are held in more than one account."""
        return len(self.accounts.accounts) > 1

    def account_of(self, symbol: str) -> str:
        """Name of the account that trades a symbol."""
        return self.accounts.of_class(self.universe.traded(symbol)[0].asset_class).name
