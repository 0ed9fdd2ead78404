"""Brokers by name: those that come with the system, and users' own classes. Input: a name. Output: the class."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any, cast

from trading_lib.adapters.brokers.guarded import GuardedBroker
from trading_lib.adapters.user_code.own_classes import load_class
from trading_lib.domain.errors import ConfigurationError
from trading_lib.execution.broker import Broker, BrokerSetting, Capabilities
from trading_lib.execution.simulated import SIMULATED_BROKER

# Those that come with the system, and where their classes are: each is loaded when it is asked for, so that nobody
# waits for the clients of brokers that are not used. A name with a colon is a class of the user's own: `file.py:Class`
# in include/brokers, or `package.module:Class`.
BROKERS: Mapping[str, str] = {
    SIMULATED_BROKER: "trading_lib.adapters.brokers.simulated:SimulatedBroker",
    "alpaca": "trading_lib.adapters.brokers.alpaca.broker:AlpacaBroker",
    "binance": "trading_lib.adapters.brokers.binance.broker:BinanceBroker",
}


def broker_class(name: str, folder: Path) -> type[Any]:
    """Return the class that ``name`` names.

    Parameters
    ----------
    folder
        Where users' own files lie.

    Raises
    ------
    ConfigurationError
        When there is no such broker, or its class says nothing of its capabilities.
    """
    if name in BROKERS:
        module, _, class_name = BROKERS[name].partition(":")
        return cast(type[Any], getattr(import_module(module), class_name))
    if ":" not in name:
        raise ConfigurationError(
            f"there is no broker {name!r}",
            f"use {' or '.join(BROKERS)}, or file.py:Class for a broker of your own in {folder}",
        )
    broker = load_class(name, folder, "broker")
    if not isinstance(getattr(broker, "capabilities", None), Capabilities):
        raise ConfigurationError(f"broker {name} does not say what it can do", "give its class `capabilities`")
    missing = sorted(method for method in _asked() if not callable(getattr(broker, method, None)))
    if missing:
        raise ConfigurationError(f"broker {name} has no method {missing[0]}", "see docs/operations/brokers.md")
    if not isinstance(getattr(broker, "name", None), str) or broker.name in ("", *BROKERS):
        raise ConfigurationError(
            f"broker {name} has no name of its own", f"give its class a `name` that is not {' or '.join(BROKERS)}"
        )
    waiting = sorted(
        method for method in _asked() if method != "subscribe" and not iscoroutinefunction(getattr(broker, method))
    )
    if waiting:
        raise ConfigurationError(
            f"method {waiting[0]} of broker {name} is not `async def`", "see docs/operations/brokers.md"
        )
    if broker.capabilities.simulated:
        raise ConfigurationError(f"broker {name} calls itself simulated", "only the one that comes with the system is")
    return broker


def capabilities_of(name: str, folder: Path) -> Capabilities:
    """Return what a broker can do, without connecting."""
    capabilities: Capabilities = broker_class(name, folder).capabilities
    return capabilities


def create_broker(name: str, setting: BrokerSetting, folder: Path) -> Broker:
    """Create a broker that is real.

    The errors of a user's own are reported without their texts: those could contain a key.

    Raises
    ------
    ConfigurationError
        When it cannot be created.
    """
    if name in BROKERS:
        return cast(Broker, broker_class(name, folder)(setting))
    try:
        made: Broker = GuardedBroker(broker_class(name, folder)(setting), name)
    except ConfigurationError:
        raise
    except Exception as error:
        raise ConfigurationError(
            f"broker {name} cannot be created ({type(error).__name__})",
            "correct its class, see docs/operations/brokers.md",
        ) from None
    return made


def _asked() -> tuple[str, ...]:
    """Methods of `Broker`."""
    return tuple(name for name, value in vars(Broker).items() if not name.startswith("_") and callable(value))
