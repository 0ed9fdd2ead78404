"""include/config/*.yaml -> typed configuration. An unknown key or an impossible value is an error at load."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from trading_lib.decision_config import DecisionConfig
from trading_lib.domain.configuration import Configuration
from trading_lib.domain.errors import ConfigurationError
from trading_lib.domain.instruments import AssetClass, Instrument, TradingCalendar, Universe
from trading_lib.execution.config import PaperConfig
from trading_lib.market_data.config import SourcesConfig
from trading_lib.orders.config import OrderConfig, PreTradeConfig
from trading_lib.portfolio.config import ConstraintConfig
from trading_lib.risk.config import RiskConfig
from trading_lib.strategies.config import RegimeConfig, SignalConfig, SleeveBudgets, TrendConfig

Model = TypeVar("Model", bound=BaseModel)


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
    lot_size: Decimal = Field(gt=0)
    commission_rate: Decimal = Field(ge=0, lt=1)
    slippage_rate: Decimal = Field(ge=0, lt=1)
    safe_haven: bool
    inception: date | None = None

    @model_validator(mode="after")
    def _reduces_before_it_exits(self) -> Self:
        if self.stop_reduce is not None and self.stop_reduce >= self.stop_exit:
            raise ValueError(f"{self.symbol} has stop_reduce {self.stop_reduce} not below stop_exit {self.stop_exit}")
        return self


class UniverseFile(Configuration):
    """universe.yaml."""

    instruments: tuple[InstrumentConfig, ...] = Field(min_length=1)


class StrategyFile(Configuration):
    """strategy.yaml."""

    regime: RegimeConfig
    signals: SignalConfig
    sleeves: SleeveBudgets
    trend: TrendConfig
    constraints: ConstraintConfig


class ExecutionFile(Configuration):
    """execution.yaml."""

    initial_cash: Decimal = Field(gt=0)
    orders: OrderConfig
    pre_trade: PreTradeConfig
    paper: PaperConfig


@dataclass(frozen=True, slots=True)
class SystemConfiguration:
    """Everything the configuration files say, and a hash that names it.

    The hash leaves the sources out: which of them was asked changes no rule, and every bar names its own.
    """

    universe: Universe
    sources: SourcesConfig
    decision: DecisionConfig
    paper: PaperConfig
    initial_cash: Decimal
    config_hash: str


def load_configuration(folder: Path, environment: Mapping[str, str] | None = None) -> SystemConfiguration:
    """Read the configuration files of ``folder``.

    Environment variables override single values: ``TRADING_STRATEGY__SIGNALS__MOMENTUM_HIGH=0.12`` sets
    signals.momentum_high of strategy.yaml.

    Raises
    ------
    ConfigurationError
        Naming the file and the key.
    """
    variables = os.environ if environment is None else environment
    universe = _load(folder / "universe.yaml", UniverseFile, variables)
    strategy = _load(folder / "strategy.yaml", StrategyFile, variables)
    risk = _load(folder / "risk.yaml", RiskConfig, variables)
    execution = _load(folder / "execution.yaml", ExecutionFile, variables)
    sources = _load(folder / "sources.yaml", SourcesConfig, variables)
    symbols = [row.symbol for row in universe.instruments]
    twice = sorted({symbol for symbol in symbols if symbols.count(symbol) > 1})
    if twice:
        raise ConfigurationError(f"{folder / 'universe.yaml'} lists {', '.join(twice)} twice", "keep one of each")
    decision = DecisionConfig(
        regime=strategy.regime,
        signals=strategy.signals,
        sleeves=strategy.sleeves,
        trend=strategy.trend,
        constraints=strategy.constraints,
        risk=risk,
        orders=execution.orders,
        pre_trade=execution.pre_trade,
    )
    return SystemConfiguration(
        universe=Universe(tuple(Instrument(**row.model_dump()) for row in universe.instruments)),
        sources=sources,
        decision=decision,
        paper=execution.paper,
        initial_cash=execution.initial_cash,
        config_hash=_hash(universe, strategy, risk, execution),
    )


def _hash(*models: BaseModel) -> str:
    text = json.dumps([model.model_dump(mode="json") for model in models], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _load(path: Path, model: type[Model], variables: Mapping[str, str]) -> Model:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(f"{path} does not exist", "restore it from the repository") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror})", "check the path and its rights") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not UTF-8 text", "save it as UTF-8") from None
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is no valid YAML{_position(error)}", "correct that line") from None
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path} holds no settings", "it must be a mapping of keys to values")
    overrides = _override(content, f"TRADING_{path.stem.upper()}__", variables)
    try:
        return model.model_validate(content)
    except ValidationError as error:
        remedy = f"correct this value (in force: {', '.join(overrides)})" if overrides else "correct this value"
        raise ConfigurationError(f"{path}: {_first_problem(error)}", remedy) from None


def _position(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None)
    where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"{where} ({problem})" if problem else where


def _first_problem(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"]) or "the file"
    if first["type"] == "extra_forbidden":
        return f"unknown key {key}"
    given = "" if first["type"] in ("missing", "value_error") else f", got {first['input']!r}"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{key}: {first['msg'].removeprefix('Value error, ')}{given}{more}"


def _override(content: dict[str, Any], prefix: str, variables: Mapping[str, str]) -> list[str]:
    """Put the values of environment variables into ``content`` and return the names of those variables."""
    names = sorted(name for name in variables if name.upper().startswith(prefix))
    for name in names:
        *parents, leaf = name[len(prefix) :].lower().split("__")
        target = content
        for parent in parents:
            nested = target.setdefault(parent, {})
            if not isinstance(nested, dict):
                raise ConfigurationError(f"{name} names a key below {parent}, which is a value", "correct its name")
            target = nested
        try:
            target[leaf] = yaml.safe_load(variables[name])
        except yaml.YAMLError:
            raise ConfigurationError(f"{name} is no valid YAML: {variables[name]!r}", "correct its value") from None
    return names
