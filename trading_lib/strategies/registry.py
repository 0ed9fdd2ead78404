"""Sleeves by name: the strategies that come with the system, and those that users register.

Strategies are imported where they are created: reading the configuration shall not load compiled kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from trading_lib.domain.decision.sleeves import PlannedStrategy, Strategy
from trading_lib.domain.errors import ConfigurationError, one_of
from trading_lib.strategies.config import SleeveConfig, StrategySettings
from trading_lib.strategies.loop_form import LoopForm, loop_form_of

Factory = Callable[[StrategySettings, Mapping[str, Any]], Strategy]


@dataclass(frozen=True, slots=True)
class Sleeve:
    """A strategy that runs, and its share of the investable capital."""

    name: str
    budget: float
    strategy: Strategy

    @property
    def loop_form(self) -> LoopForm | None:
        """The strategy's loop form; None where it has none."""
        return loop_form_of(self.strategy)

    @property
    def hedges(self) -> bool:
        """Whether its spot holdings are sold short as perpetuals; they are then its own to the lot."""
        return bool(getattr(self.strategy, "hedges", False))


def _trend(settings: StrategySettings, options: Mapping[str, Any]) -> Strategy:
    from trading_lib.strategies.trend.trend import Trend

    config = type(settings.trend).model_validate({**settings.trend.model_dump(), **options})
    return Trend(config, settings.signals.minimum_confidence)


def _confirmed_trend(settings: StrategySettings, options: Mapping[str, Any]) -> Strategy:
    from trading_lib.strategies.trend.confirmed_trend import ConfirmedTrend

    config = settings.patient_trend
    merged = type(config).model_validate({**config.model_dump(), **options})
    return ConfirmedTrend(merged, settings.signals.minimum_confidence)


def _rotation(settings: StrategySettings, options: Mapping[str, Any]) -> Strategy:
    from trading_lib.strategies.rotation.rotation import Rotation

    return Rotation(type(settings.rotation).model_validate({**settings.rotation.model_dump(), **options}))


def _cross_sectional_momentum(settings: StrategySettings, options: Mapping[str, Any]) -> Strategy:
    from trading_lib.strategies.rotation.rotation import CrossSectionalMomentum

    config = settings.cross_sectional_momentum
    return CrossSectionalMomentum(type(config).model_validate({**config.model_dump(), **options}))


def _carry(settings: StrategySettings, options: Mapping[str, Any]) -> Strategy:
    from trading_lib.strategies.carry import Carry

    return Carry(settings.carry.with_options(options))


def _ml_overlay(settings: StrategySettings, options: Mapping[str, Any]) -> Strategy:
    from trading_lib.strategies.ml_overlay import MlOverlay

    return MlOverlay(type(settings.ml_overlay).model_validate({**settings.ml_overlay.model_dump(), **options}))


_newest_running: list[tuple[StrategySettings, tuple[Sleeve, ...]]] = []

_FACTORIES: dict[str, Factory] = {
    "trend": _trend,
    "patient_trend": _confirmed_trend,
    "rotation": _rotation,
    "cross_sectional_momentum": _cross_sectional_momentum,
    "carry": _carry,
    "ml_overlay": _ml_overlay,
}


def register_strategy(name: str, strategy: Callable[..., Any]) -> None:
    """Make a user's strategy known under ``name``; its options become keyword arguments of ``strategy``.

    Registering a name again replaces it, except for those that come with the system.
    """
    if name in BUILT_IN:
        raise ConfigurationError(f"strategy {name!r} comes with the system", "give your strategy another name")

    def create(settings: StrategySettings, options: Mapping[str, Any]) -> Strategy:
        try:
            made = strategy(**options)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(
                f"strategy {name} cannot be created from {dict(options)}: {error}", "correct its options"
            ) from None
        if isinstance(made, Strategy):
            return made
        if isinstance(made, PlannedStrategy):
            from trading_lib.strategies.market_only import MarketOnlyStrategy

            return MarketOnlyStrategy(made)
        raise ConfigurationError(
            f"strategy {name} has no method target(view, sleeve) or plan(view)", "see docs/research/strategies.md"
        )

    _FACTORIES[name] = create
    _newest_running.clear()


def strategy_names() -> tuple[str, ...]:
    """Names a sleeve may use."""
    return tuple(sorted(_FACTORIES))


def running_sleeves(settings: StrategySettings) -> tuple[Sleeve, ...]:
    """Create the sleeves that have a budget, in the order of the configuration.

    Raises
    ------
    ConfigurationError
        Naming the sleeve whose strategy is unknown or whose options do not fit.
    """
    # Settings are large to hash, and every session of a run passes the same object.
    newest = _newest_running[-1] if _newest_running else None
    if newest is None or newest[0] is not settings:
        running = tuple(Sleeve(s.name, s.budget, _create(s, settings)) for s in settings.sleeves if s.budget > 0)
        newest = (settings, running)
        _newest_running[:] = [newest]
    return newest[1]


def check_sleeves(settings: StrategySettings) -> None:
    """Create every sleeve, with or without a budget, so that a mistake shows when the configuration is loaded.

    What comes with the system can only be wrong through options; the sections were checked by their models.
    """
    for sleeve in settings.sleeves:
        if sleeve.options or sleeve.strategy not in BUILT_IN:
            _create(sleeve, settings)


def _create(sleeve: SleeveConfig, settings: StrategySettings) -> Strategy:
    factory = _FACTORIES.get(sleeve.strategy)
    if factory is None:
        raise ConfigurationError(
            f"sleeve {sleeve.name}: there is no strategy {sleeve.strategy!r}",
            one_of(sleeve.strategy, [name for name in _FACTORIES if ":" not in name]),
        )
    try:
        return factory(settings, dict(sleeve.options))
    except ValueError as error:  # pydantic's ValidationError is one
        text = " ".join(str(error).split())
        raise ConfigurationError(f"sleeve {sleeve.name}: {text}", "correct its options in strategy.yaml") from None


BUILT_IN = frozenset(_FACTORIES)
