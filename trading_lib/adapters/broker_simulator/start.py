"""Create a simulator from what a command line gives."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path

from trading_lib.adapters.broker_simulator.faults.script import Script, load_script, read_yaml
from trading_lib.adapters.broker_simulator.ledger.records import parse_time
from trading_lib.adapters.broker_simulator.market.clock import Clock
from trading_lib.adapters.broker_simulator.simulator import BEGINNING_CASH, Simulator
from trading_lib.domain.book.portfolio import to_cent
from trading_lib.domain.errors import ConfigurationError, InputError


def create_simulator(
    seed: int,
    faults: Path | None,
    ledger: Path | None,
    prices: Path | None,
    at: str | None,
    cash: str | None = None,
) -> Simulator:
    """Return a simulator; everything that was given is checked before its ledger is opened.

    Raises
    ------
    InputError
        When a file, the time or the cash cannot be used; the message names it and the field.
    """
    script = Script() if faults is None else load_script(faults)
    set_prices = {} if prices is None else load_prices(prices)
    clock = Clock()
    if at is not None:
        try:
            clock.stand(parse_time(at))
        except ValueError:
            raise InputError(f"--at {at!r} is no time", "write it as 2026-11-24T15:00:00Z") from None
    begins_with = BEGINNING_CASH if cash is None else read_cash(cash)
    simulator = Simulator(seed, ledger, clock, script, begins_with)
    for symbol, price in set_prices.items():
        simulator.exchange.record("price", symbol=symbol, price=str(price))
    simulator.ledger.commit()
    return simulator


def read_cash(text: str) -> tuple[Decimal, Decimal]:
    """Read dollars at Alpaca and USDT at Binance, written as ``90000,10000``.

    Raises
    ------
    InputError
        When it is anything else.
    """
    try:
        dollars, usdt = (Decimal(part.strip()) for part in text.split(","))
    except (InvalidOperation, ValueError):
        dollars = usdt = Decimal("NaN")
    if not all(amount.is_finite() and amount >= 0 and amount == to_cent(amount) for amount in (dollars, usdt)):
        raise InputError(f"--cash {text!r} is no cash of Alpaca and Binance", "write both to the cent, as 90000,10000")
    return dollars, usdt


def load_prices(path: Path) -> dict[str, Decimal]:
    """Read prices by symbol.

    Raises
    ------
    ConfigurationError
        Naming the file and the symbol.
    """
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path} holds no prices", "write SYMBOL: PRICE lines")
    found = {}
    for symbol, price in content.items():
        try:
            value = Decimal(str(price))
        except InvalidOperation:
            value = Decimal("NaN")
        if not value.is_finite() or value <= 0:
            raise ConfigurationError(f"{path}: the price of {symbol} is {price!r}", "it must be a number above zero")
        found[str(symbol)] = value
    return found
