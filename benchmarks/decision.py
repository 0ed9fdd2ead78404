"""One daily decision, warm: 15 assets on the simulated market at a month's end (rotation rebalances) and in mid-month,
with and without its words, and 1,000 made-up assets. Plain risk parity stands beside riskfolio-lib.

The words are those the pipeline stores of signals and sleeves.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from trading_lib.decision import Decision
    from trading_lib.decision_config import DecisionConfig
    from trading_lib.domain.book.portfolio import Portfolio
    from trading_lib.domain.market.instruments import Universe
    from trading_lib.domain.market.market_view import MarketView

LAST = date(2019, 12, 31)
RUNS, LARGE_RUNS, SOLVER_RUNS = 200, 7, 15
LARGE = 1000
PARITY_ASSETS = 15
WINDOW = 126
BOOK = "benchmark"


def run() -> dict[str, Any]:
    from trading_lib.adapters.files.include_folder import include_folder
    from trading_lib.workflows.setup.configuration import load_configuration

    configuration = load_configuration(include_folder() / "config")
    config = _with_sleeves(configuration.decision)
    small = _simulated(configuration.universe)
    large = _made_up(configuration.universe)
    month_end, mid_month = (_Case(replace(small, month_end=end), _holdings(small), config) for end in (True, False))
    crowd = _Case(large, _holdings(large), config)
    return {
        "sleeves": {sleeve.name: sleeve.budget for sleeve in config.strategy.sleeves},
        "fifteen_assets": {
            "month_end_milliseconds": _milliseconds(month_end.decide, RUNS),
            "mid_month_milliseconds": _milliseconds(mid_month.decide, RUNS),
            "month_end_with_words_milliseconds": _milliseconds(month_end.decide_with_words, RUNS),
        },
        f"{LARGE}_assets": {
            "month_end_milliseconds": _milliseconds(crowd.decide, LARGE_RUNS),
            "month_end_with_words_milliseconds": _milliseconds(crowd.decide_with_words, LARGE_RUNS),
        },
        "risk_parity": _risk_parity(),
    }


@dataclass(frozen=True)
class _Case:
    view: MarketView
    portfolio: Portfolio
    config: DecisionConfig

    def decide(self) -> Decision:
        from trading_lib.decision import decide
        from trading_lib.domain.decision.risk import RiskState

        # A copy remembers nothing: a day decides once.
        view = replace(self.view)
        return decide(view, self.portfolio, RiskState.opened(self.view.session, 1e6), self.config, BOOK)

    def decide_with_words(self) -> int:
        from trading_lib.strategies.signals import describe_signals

        decision = self.decide()
        signals = describe_signals(
            self.view, decision.regime, decision.signals, decision.targets.weights, self.config.strategy.signals
        )
        sleeves = [record.target.rationale() for record in decision.targets.sleeves.values()]
        return sum(len(signal.reason) for signal in signals) + sum(len(words) for words in sleeves)


def _with_sleeves(config: DecisionConfig) -> DecisionConfig:
    from trading_lib.strategies.config import StrategySettings

    settings = config.strategy.model_dump() | {"sleeves": {"trend": 0.5, "rotation": 0.5}}
    return config.model_copy(update={"strategy": StrategySettings.model_validate(settings)})


def _simulated(universe: Universe) -> MarketView:
    from trading_lib.adapters.sources.registry import create_source
    from trading_lib.domain.market.market_view import view_at
    from trading_lib.domain.market.sessions import exchange_sessions
    from trading_lib.workflows.data.market import market_from_source

    source = create_source("simulated", universe)
    now = datetime(2020, 1, 2, tzinfo=UTC)
    market = market_from_source(source, universe, exchange_sessions(), LAST, now).market
    return view_at(universe, market.panel, market.factors, len(market.panel.sessions) - 1)


def _made_up(universe: Universe) -> MarketView:
    """A thousand correlated assets with a year of returns; prices, averages and momenta that disagree."""
    from trading_lib.domain.market.instruments import Universe
    from trading_lib.domain.market.market_view import MarketView

    generator = np.random.default_rng(1)
    model = universe["SPY"]
    crowd = Universe(tuple(replace(model, symbol=f"A{i:04}", max_weight=0.02) for i in range(LARGE)))
    returns = generator.normal(0, 0.01, (300, LARGE)) + generator.normal(0.0005, 0.008, (300, 1))
    close = generator.uniform(20, 400, LARGE)
    factors = {name: close * generator.uniform(0.85, 1.05, LARGE) for name in ("SMA_20", "SMA_50", "SMA_200", "ATR_14")}
    for name in ("Momentum_60", "Momentum_120", "Momentum_12_1"):
        factors[name] = generator.normal(0.05, 0.15, LARGE)
    for name in ("Volatility_20", "Volatility_60"):
        factors[name] = generator.uniform(0.1, 0.5, LARGE)
    factors["RSI_14"] = generator.uniform(20, 80, LARGE)
    return MarketView(
        universe=crowd,
        session=LAST,
        close=close,
        fresh=np.ones(LARGE, dtype=np.bool_),
        volume=np.full(LARGE, 1e6),
        total_return_close=close,
        price_factor=np.ones(LARGE),
        factors=factors,
        mark_returns=np.expm1(returns),
        common_returns=returns,
        common_lag=np.zeros(LARGE, dtype=np.int64),
        volatility_index=15.0,
        volatility_index_age=0,
        month_end=True,
    )


def _holdings(view: MarketView) -> Portfolio:
    """A million dollars, a third of it in every third asset."""
    from trading_lib.domain.book.portfolio import Portfolio, Position, to_cent

    held = range(0, len(view.universe), 3)
    positions, marks, value = {}, {}, Decimal(0)
    for i in held:
        symbol, price = view.universe.symbols[i], to_cent(Decimal(float(view.close[i])))
        quantity = Decimal(int(333_333 / len(held) / float(price)))
        positions[symbol] = Position(symbol, quantity, price)
        marks[symbol] = price
        value += quantity * price
    cash = Decimal(1_000_000) - value
    return Portfolio(view.session, cash, Decimal(1_000_000), positions, marks)


def _risk_parity() -> dict[str, Any]:
    import pandas as pd
    import riskfolio

    from trading_lib.strategies.weighting.risk_parity import equal_risk_contributions

    generator = np.random.default_rng(2)
    common = generator.normal(0, 0.008, (WINDOW, 1)) * generator.uniform(-0.3, 1.4, PARITY_ASSETS)
    returns = pd.DataFrame(common + generator.normal(0, 0.01, (WINDOW, PARITY_ASSETS)))
    covariance = returns.cov().to_numpy()

    def solve() -> Any:
        portfolio = riskfolio.Portfolio(returns=returns)
        portfolio.mu, portfolio.cov = returns.mean().to_frame().T, returns.cov()
        return portfolio.rp_optimization(model="Classic", rm="MV", hist=True)["weights"].to_numpy()

    ours = _milliseconds(lambda: equal_risk_contributions(covariance), RUNS)
    theirs = _milliseconds(solve, SOLVER_RUNS)
    return {
        "assets": PARITY_ASSETS,
        "milliseconds": ours,
        "baseline": "riskfolio-lib",
        "baseline_milliseconds": theirs,
        "ratio_to_baseline": round(ours / theirs, 5),
        "largest_difference": float(np.abs(equal_risk_contributions(covariance) - solve()).max()),
    }


def _milliseconds(work: Callable[[], object], runs: int) -> float:
    """Median of ``runs``, after one that fills caches."""
    work()
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return round(statistics.median(seconds) * 1e3, 4)
