"""A small market with the whole risk manager in it, one session at a time, every rule checked in each.

The rules: docs/specification.md#risk-control, docs/specification.md#orders.

The properties in `test_risk_machine.py` walk it along generated paths.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

import numpy as np

from tests.builders.decisions import make_regime, make_signals
from tests.builders.markets import ASSETS, CALENDAR, SESSION, UNIVERSE, make_view, vector
from trading_lib.adapters.stores.books.state_rows import risk_from, risk_row
from trading_lib.decision import held_weights
from trading_lib.domain.book.approvals import Approval, Channel
from trading_lib.domain.book.orders import Order, OrderPurpose, Side
from trading_lib.domain.book.portfolio import Portfolio, Position, to_cent
from trading_lib.domain.decision.risk import RiskAssessment, RiskState
from trading_lib.domain.decision.weights import TargetWeights
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.prices import FloatArray
from trading_lib.orders.config import OrderConfig
from trading_lib.orders.generate import OrderBatch, generate_orders
from trading_lib.portfolio.config import ConstraintConfig
from trading_lib.portfolio.constraints import constrain
from trading_lib.risk.assess import assess_risk
from trading_lib.risk.config import RiskConfig
from trading_lib.risk.levels.approvals import with_answer
from trading_lib.risk.levels.levels import triggered_level

ORDERS, CONSTRAINTS = OrderConfig(), ConstraintConfig()
BTC = UNIVERSE.positions["BTC-USD"]
CENT = Decimal("0.01")
TWELVE_WEEKS = 60
# What the sleeves want; they know nothing of risk levels.
WISHES: Mapping[str, FloatArray] = {
    "mixed": vector(0.0, SPY=0.40, GLD=0.25, TLT=0.20, BTC_USD=0.10),
    "greedy": np.full(ASSETS, 0.5),
    "coin": vector(0.0, BTC_USD=1.0),
    "havens": vector(0.0, GLD=0.60, TLT=0.40, TIP=0.30),
    "nothing": np.zeros(ASSETS),
}
# Session -> mean and standard deviation of the common part of the returns, and standard deviation of the assets' own.
WEATHER: Mapping[str, tuple[float, float, float]] = {
    "calm": (0.0006, 0.0002, 0.002),
    "flat": (0.0, 0.0002, 0.001),
    "wild": (0.0, 0.03, 0.02),
    "falling": (-0.03, 0.005, 0.01),
    "rising": (0.03, 0.005, 0.01),
    "crash": (-0.25, 0.02, 0.02),
    "leap": (0.25, 0.02, 0.02),
}
HISTORY = 130


@dataclass
class RiskMachine:
    """Prices, a portfolio and the risk manager's memory."""

    config: RiskConfig
    generator: np.random.Generator
    session: date = SESSION
    prices: FloatArray = field(default_factory=lambda: np.linspace(40.0, 400.0, ASSETS))
    returns: FloatArray = field(default_factory=lambda: np.zeros((HISTORY, ASSETS)))
    portfolio: Portfolio = field(default_factory=lambda: Portfolio.opened(SESSION, Decimal(100_000)))
    state: RiskState = field(default_factory=lambda: RiskState.opened(SESSION, 100_000.0))
    working: tuple[Order, ...] = ()
    answer: Approval | None = None
    stopped: dict[str, int] = field(default_factory=dict)
    assessment: RiskAssessment | None = None
    targets: TargetWeights | None = None

    def __post_init__(self) -> None:
        # A past without any common movement, so that the first floors come from the path.
        self.returns = self.generator.normal(0, 0.002, (HISTORY, ASSETS))

    def give(self, approved: bool) -> None:
        """Answer the open question, if there is one; it takes effect in the next session."""
        if self.state.question is not None:
            self.answer = Approval(
                "book",
                self.state.question,
                self.state.level,
                approved,
                "p",
                CALENDAR.open(SESSION),
                "",
                Channel.AIRFLOW,
            )

    def go(self, weather: str, wish: str = "mixed", confidence: float = 0.9) -> None:
        """One session: open with a gap and fill, close, decide, check."""
        mean, common, own = WEATHER[weather]
        moves = np.exp(self.generator.normal(mean, common) + self.generator.normal(0, own, ASSETS))
        opening = self.prices * moves ** self.generator.uniform(0, 1)
        self.fill(opening)
        self.prices = (self.prices * moves).round(2).clip(0.5)
        self.returns = np.vstack([self.returns[1:], moves - 1.0])
        self.session = CALENDAR.next(self.session)
        self.portfolio = self.marked()
        self.decide(wish, confidence)

    def fill(self, opening: FloatArray) -> None:
        """Trade the working orders at the opening; every tenth finds no buyer or seller."""
        cash, positions = self.portfolio.cash, dict(self.portfolio.positions)
        for order in self.working:
            if self.generator.random() < 0.1:
                continue
            price = Decimal(str(round(float(opening[UNIVERSE.positions[order.symbol]]), 4)))
            held = positions.pop(order.symbol, Position(order.symbol, Decimal(0), price))
            sign = 1 if order.side is Side.BUY else -1
            quantity = held.quantity + sign * order.quantity
            assert quantity >= 0
            cash -= sign * to_cent(order.quantity * price) + to_cent(order.quantity * price * Decimal("0.001"))
            if quantity > 0:
                bought = order.quantity if sign > 0 else Decimal(0)
                cost = (held.average_cost * held.quantity + bought * price) / (held.quantity + bought)
                positions[order.symbol] = Position(order.symbol, quantity, cost)
        self.portfolio = replace(self.portfolio, cash=cash, positions=positions)

    def marked(self) -> Portfolio:
        marks = {s: Decimal(str(float(self.prices[UNIVERSE.positions[s]]))) for s in self.portfolio.positions}
        value = sum((p.quantity * marks[s] for s, p in self.portfolio.positions.items()), self.portfolio.cash)
        return replace(self.portfolio, session=self.session, marks=marks, nav=to_cent(value))

    def decide(self, wish: str, confidence: float) -> None:
        view = self.view()
        held = held_weights(UNIVERSE, self.portfolio)
        before, answered = with_answer(self.state, self.answer, self.session)
        assert len(answered) == (self.answer is not None)
        self.answer = None
        self.targets = constrain(view, WISHES[wish], np.maximum(held, 0.0), CONSTRAINTS)
        signals = make_signals(1, confidence)
        found = assess_risk(view, make_regime(), signals, self.targets, held, self.portfolio, before, self.config)
        batch = generate_orders(view, signals, found, held, self.portfolio, "book", ORDERS)
        self.check_levels(before, found)
        self.check_weights(found, held)
        self.check_orders(before, found, batch)
        self.check_events(before, found)
        self.state, self.working, self.assessment = found.next_state, batch.orders, found

    def view(self) -> MarketView:
        return make_view(
            session=self.session,
            close=self.prices,
            mark_returns=self.returns,
            common_returns=np.log1p(self.returns),
            common_lag=np.zeros(ASSETS, dtype=np.int64),
        )

    def check_levels(self, before: RiskState, found: RiskAssessment) -> None:
        after, nav = found.next_state, float(self.portfolio.nav)
        assert after.peak == max(before.peak, nav)
        assert after.reference_peak <= after.peak
        assert found.level >= triggered_level(found.drawdown, self.config)
        calm = found.model_volatility < self.config.target_volatility
        approved = before.approved or self.config.simulated_approval
        if nav >= after.reference_peak and before.level < 4:
            assert found.level == 0
        if found.level < before.level:
            healed = found.level == 0 and before.level < 4 and nav >= before.reference_peak
            rested = found.level == before.level - 1 and calm and before.calm_sessions >= 4
            assert healed or (rested and (before.level < 4 or approved))
        if found.level > before.level:
            assert found.level == triggered_level(found.drawdown, self.config)
            assert (after.calm_sessions, after.approved) == (0, False)
        assert found.effective_level == max(found.level, found.floor)
        assert after.awaiting_approval == (found.level >= 3 and not after.approved) == (after.question is not None)
        # A quiet session stores what the one before did, with other numbers: once a week is enough of it.
        if found.events or self.session.weekday() == 0:
            assert risk_from(risk_row("book", after)) == after

    def check_weights(self, found: RiskAssessment, held: FloatArray) -> None:
        assert self.targets is not None
        wanted = self.targets.weights
        assert (found.weights >= 0).all()
        assert (found.weights <= np.maximum(wanted, 0) + 1e-12).all()
        assert (wanted <= UNIVERSE.max_weights + 1e-12).all()
        assert wanted.sum() <= 0.95 + 1e-12
        grows = found.weights > held + 1e-12
        assert found.may_increase[grows].all()
        if found.next_state.recovery_sessions is not None:
            assert found.leverage_limit <= 1.0
            assert found.weights.sum() <= 1.0 + 1e-12
            size = self.config.recovery.sizes[found.next_state.recovery_sessions // 5]
            assert (found.weights[grows] <= (wanted * size)[grows] + 1e-12).all()
        lowered = {UNIVERSE.symbols[i] for i in np.flatnonzero(found.weights < wanted - 1e-9)}
        assert lowered <= found.clips.keys()
        assert all(found.clips.values())

    def check_orders(self, before: RiskState, found: RiskAssessment, batch: OrderBatch) -> None:
        level, nav = found.effective_level, self.portfolio.nav
        self.stopped = {symbol: left - 1 for symbol, left in self.stopped.items() if left > 1}
        rebalancing = [order for order in batch.orders if order.purpose is OrderPurpose.REBALANCE]
        assert len(rebalancing) <= ORDERS.max_daily_trades
        assert sum((o.expected_notional for o in rebalancing), Decimal(0)) <= nav * Decimal("0.30")
        cash = self.portfolio.cash
        for order in batch.orders:
            instrument, held = UNIVERSE[order.symbol], self.portfolio.positions.get(order.symbol)
            assert order.quantity > 0
            assert order.quantity % instrument.lot_size == 0
            value = order.expected_notional
            costs = value * (instrument.commission_rate + instrument.slippage_rate)
            cash += (value if order.side is Side.SELL else -value) - costs
            if order.purpose is OrderPurpose.RISK:
                assert order.side is Side.SELL
            if order.side is Side.SELL:
                assert held is not None
                assert order.quantity <= held.quantity
            else:
                assert level in (0, 1, 3)
                assert level == 0 or order.symbol != "BTC-USD"
                assert level != 3 or (instrument.safe_haven and found.next_state.approved)
                assert order.symbol not in self.stopped
                assert self.portfolio.cash >= 0
        if any(order.side is Side.BUY for order in batch.orders):
            assert cash >= nav * Decimal("0.05") - CENT * len(batch.orders)
        if level == 4:
            assert {o.symbol for o in batch.orders} == self.portfolio.positions.keys()
            assert all(
                o.purpose is OrderPurpose.RISK and o.quantity == self.portfolio.positions[o.symbol].quantity
                for o in batch.orders
            )
        stops = {event.symbol: 5 for event in found.events if event.kind in ("stop_reduce", "stop_exit")}
        self.stopped |= stops
        assert self.stopped.keys() == found.next_state.cooling_off.keys()
        assert all(order.symbol not in stops or order.side is Side.SELL for order in batch.orders)

    def check_events(self, before: RiskState, found: RiskAssessment) -> None:
        kinds = [event.kind for event in found.events]
        assert all(event.reason and event.session == self.session for event in found.events)
        assert kinds.count("level_raised") == (found.level > before.level)
        assert kinds.count("level_lowered") == (found.level < before.level)
        assert kinds.count("floor") == (found.floor != before.floor)
        steps = [None if n is None else n // 5 for n in (before.recovery_sessions, found.next_state.recovery_sessions)]
        if steps[0] != steps[1] and found.effective_level < 4:
            assert "recovery" in kinds

    @property
    def full_size(self) -> bool:
        """Whether nothing of risk control is left in force."""
        found = self.assessment
        return (
            found is not None
            and found.effective_level == 0
            and found.next_state.recovery_sessions is None
            and bool(found.may_increase.all())
            and not found.clips
        )
