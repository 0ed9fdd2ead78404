"""The configuration of a decision, apart from `decision` so that reading it does not load compiled kernels."""

from __future__ import annotations

from trading_lib.domain.configuration import Configuration
from trading_lib.orders.config import OrderConfig, PreTradeConfig
from trading_lib.portfolio.config import ConstraintConfig
from trading_lib.risk.config import RiskConfig
from trading_lib.strategies.config import StrategySettings


class DecisionConfig(Configuration):
    """Everything that shapes a decision."""

    strategy: StrategySettings = StrategySettings()
    constraints: ConstraintConfig = ConstraintConfig()
    risk: RiskConfig = RiskConfig()
    orders: OrderConfig = OrderConfig()
    pre_trade: PreTradeConfig = PreTradeConfig()
