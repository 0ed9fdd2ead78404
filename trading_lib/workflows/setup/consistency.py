"""Consistency between configuration files, checked when they are loaded.

Each file's own limits are in its model; what only shows when two of them are put together is here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from trading_lib.decision_config import DecisionConfig
from trading_lib.domain.book.accounts import Account, contradictions
from trading_lib.domain.errors import ConfigurationError
from trading_lib.domain.market.instruments import Instrument, Universe
from trading_lib.execution.config import BROKER_NAMES

Contradiction = tuple[str, str]


def check_consistency(universe: Universe, decision: DecisionConfig, initial_cash: Decimal) -> None:
    """Raise `ConfigurationError` for the first contradiction, naming the keys and a way out."""
    for problem, remedy in _contradictions(universe, decision, initial_cash):
        raise ConfigurationError(problem, remedy)


def check_accounts(accounts: Sequence[Account], instruments: Sequence[Instrument]) -> None:
    """Raise `ConfigurationError` where accounts do not fit the assets, the brokers there are, or each other."""
    classes = tuple(dict.fromkeys(instrument.asset_class for instrument in instruments))
    own_brokers = tuple(account.broker for account in accounts if ":" in account.broker)
    problem = contradictions(accounts, classes, (*BROKER_NAMES, *own_brokers))
    if problem:
        raise ConfigurationError(f"execution.yaml: {problem}", "correct its accounts")


def _contradictions(universe: Universe, decision: DecisionConfig, initial_cash: Decimal) -> Iterator[Contradiction]:
    yield from _of_universe(universe, decision)
    yield from _of_orders(decision, initial_cash)
    yield from _of_risk(decision)
    yield from _of_defence(universe, decision)


def _of_universe(universe: Universe, decision: DecisionConfig) -> Iterator[Contradiction]:
    living = [instrument for instrument in universe if not instrument.retired]
    if not living:
        yield "universe.yaml: every instrument is retired", "keep at least one"
    threshold = decision.orders.rebalance_threshold
    for instrument in living:
        if instrument.max_weight < threshold:
            yield (
                f"universe.yaml: max_weight {instrument.max_weight:g} of {instrument.symbol} is below "
                f"rebalance_threshold {threshold:g} of execution.yaml, so it could never be bought",
                "raise the one or lower the other",
            )
    havens = [instrument.symbol for instrument in living if instrument.safe_haven]
    if not havens:
        yield (
            "universe.yaml: no instrument is a safe haven, so risk level 3 could buy nothing",
            "mark one with safe_haven: true",
        )
    crypto = [symbol for symbol in havens if universe.crypto[universe.positions[symbol]]]
    if crypto:
        yield (
            f"universe.yaml: {', '.join(crypto)} is crypto and a safe haven, and crypto is closed from level 2 on",
            "set its safe_haven to false",
        )


def _of_orders(decision: DecisionConfig, initial_cash: Decimal) -> Iterator[Contradiction]:
    orders, constraints = decision.orders, decision.constraints
    if orders.cash_buffer != constraints.cash_buffer:
        yield (
            f"cash_buffer is {constraints.cash_buffer:g} in strategy.yaml and {orders.cash_buffer:g} in execution.yaml",
            "use the same number in both",
        )
    if orders.max_daily_trades == 0:
        yield "execution.yaml: max_daily_trades 0 lets nothing trade", "halt trading with `trading kill-switch on`"
    if orders.max_daily_turnover < orders.rebalance_threshold:
        yield (
            f"execution.yaml: max_daily_turnover {orders.max_daily_turnover:g} is below rebalance_threshold "
            f"{orders.rebalance_threshold:g}, so no change could be made in full",
            "raise the one or lower the other",
        )
    if decision.pre_trade.max_order_notional < orders.min_trade_value:
        yield (
            f"execution.yaml: max_order_notional {decision.pre_trade.max_order_notional} is below min_trade_value "
            f"{orders.min_trade_value}, so every order would be refused",
            "raise the one or lower the other",
        )
    if initial_cash < orders.min_trade_value:
        yield (
            f"execution.yaml: initial_cash {initial_cash} is below min_trade_value {orders.min_trade_value}",
            "open books with more cash",
        )


def _of_risk(decision: DecisionConfig) -> Iterator[Contradiction]:
    raised, usual = decision.risk.levels.level_1_minimum_confidence, decision.strategy.signals.minimum_confidence
    if raised < usual:
        yield (
            f"risk.yaml: level_1_minimum_confidence {raised:g} is below minimum_confidence {usual:g} of strategy.yaml, "
            "but level 1 has to ask for more",
            "raise it",
        )
    ladder, limit = decision.risk.recovery.max_leverage, decision.constraints.max_leverage
    if ladder > limit:
        yield (
            f"risk.yaml: recovery.max_leverage {ladder:g} is above max_leverage {limit:g} of strategy.yaml",
            "recovery may allow less than usual, never more",
        )


def _of_defence(universe: Universe, decision: DecisionConfig) -> Iterator[Contradiction]:
    for sleeve in decision.strategy.sleeves:
        section = getattr(decision.strategy, sleeve.strategy, None)
        if sleeve.budget <= 0 or not hasattr(section, "defence_symbols"):
            continue
        symbols = dict(sleeve.options).get("defence_symbols", getattr(section, "defence_symbols", ()))
        absent = [s for s in symbols if s not in universe.positions or universe[s].retired]
        if absent:
            yield (
                f"strategy.yaml: sleeve {sleeve.name} defends with {', '.join(absent)}, which universe.yaml does not "
                "list or has retired",
                "name assets of the universe in defence_symbols",
            )
