"""Portfolio, risk state, risk events and signals as rows, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import date
from decimal import Decimal
from typing import Any

from trading_lib.adapters.stores.postgres.json_codec import decode, encode
from trading_lib.domain.book.portfolio import PerpetualPosition, Portfolio, Position
from trading_lib.domain.decision.risk import RiskEvent, RiskState
from trading_lib.domain.decision.signals import MarketRegime, SignalType, TradeSignal

RISK_COLUMNS = ("level", "effective_level", "peak", "reference_peak")


def portfolio_row(book: str, portfolio: Portfolio) -> dict[str, Any]:
    """Row of portfolio_state."""
    positions = {
        symbol: {"quantity": position.quantity, "average_cost": position.average_cost}
        for symbol, position in portfolio.positions.items()
    }
    return {
        "book": book,
        "session": portfolio.session,
        "cash": portfolio.cash,
        "nav": portfolio.nav,
        "positions": encode(positions),
        "marks": encode(portfolio.marks),
        "realised_pnl": portfolio.realised_pnl,
        "dividends": portfolio.dividends,
        "costs": portfolio.costs,
        "perpetuals": encode(
            {
                symbol: {"quantity": perpetual.quantity, "entry_value": perpetual.entry_value, "mark": perpetual.mark}
                for symbol, perpetual in portfolio.perpetuals.items()
            }
        ),
        "funding": portfolio.funding,
        "deposits": portfolio.deposits,
        "withdrawals": portfolio.withdrawals,
        "capital_factor": portfolio.capital_factor,
    }


def account_rows(book: str, portfolio: Portfolio, only: str) -> list[dict[str, Any]]:
    """Rows of account_state; ``only`` names the account of a book that has one."""
    return [
        {"book": book, "session": portfolio.session, "account": name, "cash": cash}
        for name, cash in portfolio.cash_by_account(only).items()
    ]


def portfolio_from(row: Mapping[Any, Any], accounts: Mapping[str, Decimal]) -> Portfolio:
    """Undo `portfolio_row` and `account_rows`."""
    positions = {symbol: Position(symbol, **holding) for symbol, holding in decode(row["positions"]).items()}
    return Portfolio(
        session=row["session"],
        cash=row["cash"],
        nav=row["nav"],
        positions=positions,
        marks=decode(row["marks"]),
        realised_pnl=row["realised_pnl"],
        dividends=row["dividends"],
        costs=row["costs"],
        perpetuals={
            symbol: PerpetualPosition(symbol, **fields) for symbol, fields in decode(row["perpetuals"]).items()
        },
        funding=row["funding"],
        deposits=row["deposits"],
        withdrawals=row["withdrawals"],
        capital_factor=row["capital_factor"],
        accounts=accounts if len(accounts) > 1 else {},
    )


def risk_row(book: str, state: RiskState) -> dict[str, Any]:
    """Row of risk_state: what people query in columns, the rest of the state in the payload."""
    rest = {
        field.name: getattr(state, field.name)
        for field in fields(state)
        if field.name != "session" and field.name not in RISK_COLUMNS
    }
    for later in ("retired", "stop_state"):
        # A state stored before there was such a thing compares equal to one that has none of it.
        if not rest[later]:
            del rest[later]
    return {
        "book": book,
        "session": state.session,
        **{name: getattr(state, name) for name in RISK_COLUMNS},
        "payload": encode(rest),
    }


def risk_from(row: Mapping[Any, Any]) -> RiskState:
    """Undo `risk_row`."""
    rest = decode(row["payload"])
    for name in ("halved", "correlated", "retired"):
        rest[name] = frozenset(rest.get(name, ()))
    return RiskState(session=row["session"], **{name: row[name] for name in RISK_COLUMNS}, **rest)


def risk_event_row(book: str, sequence: int, event: RiskEvent) -> dict[str, Any]:
    """Row of risk_events, without the session that resolved it: that is known later."""
    return {
        "book": book,
        "session": event.session,
        "sequence": sequence,
        "kind": event.kind,
        "symbol": event.symbol,
        "level_before": event.level_before,
        "level_after": event.level_after,
        "reason": event.reason,
        "actions": list(event.actions),
    }


def risk_event_from(row: Mapping[Any, Any]) -> RiskEvent:
    """Undo `risk_event_row`."""
    return RiskEvent(
        session=row["session"],
        kind=row["kind"],
        symbol=row["symbol"],
        level_before=row["level_before"],
        level_after=row["level_after"],
        reason=row["reason"],
        actions=tuple(row["actions"]),
        resolved_session=row["resolved_session"],
    )


def signal_row(book: str, signal: TradeSignal, actual_weight: float) -> dict[str, Any]:
    """Row of signal_log."""
    return {
        "book": book,
        "session": signal.session,
        "symbol": signal.symbol,
        "signal": signal.signal.name,
        "confidence": float(signal.confidence),
        "target_weight": float(signal.target_weight),
        "actual_weight": float(actual_weight),
        "regime": str(signal.regime),
        "reason": signal.reason,
    }


def signal_from(row: Mapping[Any, Any]) -> tuple[TradeSignal, float]:
    """Undo `signal_row`: the signal and the weight held when it was made."""
    session: date = row["session"]
    signal = TradeSignal(
        symbol=row["symbol"],
        session=session,
        signal=SignalType[row["signal"]],
        confidence=row["confidence"],
        target_weight=row["target_weight"],
        regime=MarketRegime(row["regime"]),
        reason=row["reason"],
    )
    return signal, row["actual_weight"]
