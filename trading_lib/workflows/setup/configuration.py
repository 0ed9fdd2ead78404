"""include/config/*.yaml -> typed configuration. An unknown key or an impossible value is an error at load."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, Field, model_validator

from trading_lib.adapters.user_code.files import OwnStrategy, load_strategy
from trading_lib.adapters.user_code.guard import guarded
from trading_lib.adapters.user_code.rules import KIND, guarded_rule
from trading_lib.decision_config import DecisionConfig
from trading_lib.domain.book.accounts import Accounts
from trading_lib.domain.configuration import Configuration
from trading_lib.domain.errors import ConfigurationError
from trading_lib.domain.market.instruments import AssetClass, Instrument, TradingCalendar, Universe
from trading_lib.domain.money import LARGEST_BOOK
from trading_lib.execution.config import AccountConfig, PaperConfig
from trading_lib.execution.order_path.sending_policy import SendingConfig
from trading_lib.learning.config import LearningConfig
from trading_lib.market_data.config import SourcesConfig
from trading_lib.orders.config import MOST_UNITS, OrderConfig, PreTradeConfig, TripConfig
from trading_lib.performance.config import PerformanceConfig
from trading_lib.portfolio.config import ConstraintConfig
from trading_lib.risk.config import RiskConfig
from trading_lib.risk.limits.own_rules import register_rule, running_rules
from trading_lib.strategies.config import StrategySettings
from trading_lib.strategies.registry import check_sleeves, register_strategy
from trading_lib.workflows.setup.configuration_file import load_file as load_file
from trading_lib.workflows.setup.consistency import check_accounts, check_consistency

LEARNING_FILE = "learning.yaml"


class InstrumentConfig(Configuration):
    """One row of universe.yaml; see `Instrument`."""

    symbol: str = Field(min_length=1, pattern=r"^[A-Z0-9.^-]+$")
    name: str
    asset_class: AssetClass
    category: str
    calendar: TradingCalendar
    max_weight: float = Field(gt=0, le=1)
    volatility_target: float = Field(gt=0, le=2)
    stop_reduce: float | None = Field(gt=0, lt=1)
    stop_exit: float = Field(gt=0, lt=1)
    lot_size: Decimal = Field(gt=0, decimal_places=6)
    commission_rate: Decimal = Field(ge=0, lt=1, decimal_places=6)
    slippage_rate: Decimal = Field(ge=0, lt=1, decimal_places=6)
    safe_haven: bool
    inception: date | None = None
    retired: bool = False

    @model_validator(mode="after")
    def _reduces_before_it_exits(self) -> Self:
        if self.stop_reduce is not None and self.stop_reduce >= self.stop_exit:
            raise ValueError(f"{self.symbol} has stop_reduce {self.stop_reduce} not below stop_exit {self.stop_exit}")
        return self


class UniverseFile(Configuration):
    """universe.yaml."""

    instruments: tuple[InstrumentConfig, ...] = Field(min_length=1)

    def by_symbol(self) -> dict[str, dict[str, Any]]:
        """Return plain values of every instrument."""
        return {row.symbol: row.model_dump(mode="json", exclude={"symbol"}) for row in self.instruments}


class StrategyFile(StrategySettings):
    """strategy.yaml."""

    constraints: ConstraintConfig


class ExecutionFile(Configuration):
    """execution.yaml."""

    initial_cash: Decimal = Field(gt=0, le=LARGEST_BOOK, decimal_places=2)
    orders: OrderConfig
    pre_trade: PreTradeConfig
    paper: PaperConfig
    sending: SendingConfig = SendingConfig()
    kill_switch: TripConfig = TripConfig()
    accounts: tuple[AccountConfig, ...] = Field((AccountConfig(),), min_length=1)


@dataclass(frozen=True, slots=True)
class SystemConfiguration:
    """Everything the configuration files say, and a hash that names it.

    The hash leaves the sources out: which of them was asked changes no rule, and every bar names its own. It leaves out
    what reports are compared with, too, and how models are trained: a model has a hash of its own.

    Attributes
    ----------
    universe_file
        Symbol -> what universe.yaml says of it.
    own_strategies
        Reference of a user's strategy -> SHA-256 of its source.
    folder
        Where the files lie; users' own classes lie in folders beside it.
    """

    universe: Universe
    sources: SourcesConfig
    performance: PerformanceConfig
    decision: DecisionConfig
    paper: PaperConfig
    initial_cash: Decimal
    config_hash: str
    universe_file: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    own_strategies: Mapping[str, str] = field(default_factory=dict)
    accounts: Accounts = field(default_factory=Accounts)
    sending: SendingConfig = field(default_factory=SendingConfig)
    trips: TripConfig = field(default_factory=TripConfig)
    learning: LearningConfig = field(default_factory=LearningConfig)
    folder: Path = Path("include/config")


def load_configuration(
    folder: Path,
    environment: Mapping[str, str] | None = None,
    strategies: Mapping[str, OwnStrategy] | None = None,
) -> SystemConfiguration:
    """Read the configuration files of ``folder``.

    Environment variables override single values: ``TRADING_STRATEGY__SIGNALS__MOMENTUM_HIGH=0.12`` sets
    signals.momentum_high of strategy.yaml.

    Parameters
    ----------
    strategies
        By reference, with a colon in it: what sleeves may name that lies in no file or module.

    Raises
    ------
    ConfigurationError
        Naming the file and the key.
    """
    variables = os.environ if environment is None else environment
    universe = load_file(folder / "universe.yaml", UniverseFile, variables)
    strategy = load_file(folder / "strategy.yaml", StrategyFile, variables)
    risk = load_file(folder / "risk.yaml", RiskConfig, variables)
    execution = load_file(folder / "execution.yaml", ExecutionFile, variables)
    sources = load_file(folder / "sources.yaml", SourcesConfig, variables)
    performance = load_file(folder / "performance.yaml", PerformanceConfig, variables)
    learning = load_learning(folder, variables)
    symbols = [row.symbol for row in universe.instruments]
    twice = sorted({symbol for symbol in symbols if symbols.count(symbol) > 1})
    if twice:
        raise ConfigurationError(f"{folder / 'universe.yaml'} lists {', '.join(twice)} twice", "keep one of each")
    settings = StrategySettings(**{name: getattr(strategy, name) for name in StrategySettings.model_fields})
    own_strategies = _register_own_strategies(settings, folder.parent / "strategies", strategies or {})
    check_sleeves(settings)
    rules = _register_own_rules(risk, folder.parent / "risk_rules", settings.decision_seconds)
    decision = DecisionConfig(
        strategy=settings,
        constraints=strategy.constraints,
        risk=risk,
        orders=execution.orders,
        pre_trade=execution.pre_trade,
    )
    accounts = Accounts(tuple(account.account for account in execution.accounts))
    instruments = tuple(Instrument(**row.model_dump()) for row in universe.instruments)
    check_accounts(accounts.accounts, instruments)
    assets = Universe(instruments, settings.carry.contract, accounts.by_class())
    check_consistency(assets, decision, execution.initial_cash)
    return SystemConfiguration(
        universe=assets,
        sources=sources,
        performance=performance,
        decision=decision,
        paper=execution.paper,
        initial_cash=execution.initial_cash,
        config_hash=_hash([*own_strategies.values(), *rules], universe, strategy, risk, execution),
        universe_file=universe.by_symbol(),
        own_strategies=own_strategies,
        accounts=accounts,
        sending=execution.sending,
        trips=execution.kill_switch,
        learning=learning,
        folder=folder,
    )


def load_learning(folder: Path, variables: Mapping[str, str]) -> LearningConfig:
    """Read learning.yaml; a folder without one has the built-in values."""
    path = folder / LEARNING_FILE
    return load_file(path, LearningConfig, variables) if path.exists() else LearningConfig()


def _register_own_strategies(
    settings: StrategySettings, folder: Path, given: Mapping[str, OwnStrategy]
) -> dict[str, str]:
    """Load the classes that sleeves name by file or module and return a digest of each source, by reference."""
    references = sorted({sleeve.strategy for sleeve in settings.sleeves if ":" in sleeve.strategy})
    loaded = [given.get(reference) or load_strategy(reference, folder) for reference in references]
    for reference, strategy in zip(references, loaded, strict=True):
        register_strategy(reference, guarded(strategy.strategy, reference, folder, settings.decision_seconds))
    return {reference: strategy.digest for reference, strategy in zip(references, loaded, strict=True)}


def _register_own_rules(risk: RiskConfig, folder: Path, seconds: float) -> list[str]:
    """Load the classes that risk.yaml names, create each once, and return a digest of each source."""
    digests = []
    for entry in risk.rules:
        loaded = load_strategy(entry.rule, folder, kind=KIND)
        register_rule(entry.rule, guarded_rule(loaded.strategy, entry.rule, seconds))
        digests.append(loaded.digest)
    running_rules(risk.rules)
    return digests


def _hash(own_code: list[str], *models: BaseModel) -> str:
    # What changes no rule stays out: how long a decision may take or a broker is waited for, one account with all the
    # cash, days left out.
    contents = [model.model_dump(mode="json", exclude=_without_rule(model)) for model in models]
    text = json.dumps([*contents, *own_code], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _without_rule(model: BaseModel) -> dict[str, Any]:
    left_out: dict[str, Any] = {"decision_seconds": True, "sending": True, "kill_switch": True}
    if isinstance(model, ExecutionFile) and len(model.accounts) == 1:
        left_out["accounts"] = True
    if isinstance(model, ExecutionFile) and model.pre_trade.max_order_quantity == MOST_UNITS:
        left_out["pre_trade"] = {"max_order_quantity"}
    if isinstance(model, RiskConfig) and not model.stops.days_without_session:
        left_out["stops"] = {"days_without_session"}
    if isinstance(model, RiskConfig) and not model.rules:
        left_out["rules"] = True
    return left_out
