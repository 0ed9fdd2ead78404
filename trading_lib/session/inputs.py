"""What the sessions of a run have in common."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trading_lib.decision_config import DecisionConfig
from trading_lib.domain.funding import FundingPanel
from trading_lib.domain.instruments import Universe
from trading_lib.domain.market_view import FactorPanel, SessionViews
from trading_lib.domain.prices import PricePanel
from trading_lib.domain.proceeds import Proceeds
from trading_lib.domain.sessions import SessionCalendar
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
