"""Summary of a session of a book, as a dictionary and as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np

from trading_lib.adapters.stores.books.book_store import BookStore
from trading_lib.adapters.stores.books.order_store import OrderStore
from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.adapters.stores.market.ruling_store import RulingStore
from trading_lib.domain.book.orders import Fill, Order, OrderStatus
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.errors import InputError
from trading_lib.performance.trading.weight_cuts import LIMIT_WORDS
from trading_lib.workflows.books.flows import capital_record
from trading_lib.workflows.books.proceeds import closings_of
from trading_lib.workflows.data.sources import market_store
from trading_lib.workflows.data.suspected_splits import suspected_position, suspicion_line
from trading_lib.workflows.setup.settings import Settings, load_settings
from trading_lib.workflows.setup.source_choice import SIMULATED
from trading_lib.workflows.trade.stage_records import sleeves_from

Summary = dict[str, Any]

# What two ways of computing a weight may differ in.
ROUNDING = 1e-9


def session_summary(book: str, session: str, settings: Settings | None = None) -> Summary:
    """Collect what the session of the book decided, traded and is worth.

    Raises
    ------
    InputError
        When the book did not decide that session.
    """
    active = settings or load_settings()
    engine, day = active.engine(), date.fromisoformat(session)
    state, orders = StateStore(engine), OrderStore(engine)
    decision = state.decision(book, day)
    portfolio = state.portfolio(book, day)
    if decision is None or portfolio is None:
        raise InputError(f"book {book} has not decided session {session}", "run `trading run-daily` for it")
    account = BookStore(engine).book(book)
    history = state.adjusted_nav_history(book)
    booked = sorted((f for f in orders.fills(book) if f.session <= day), key=lambda fill: fill.filled_at)
    peak = max(nav for at, nav in history if at <= day)
    targets = _wanted_by(decision.payload)
    before = max((at for at, _ in history if at < day), default=day)
    return {
        "book": book,
        "data_source": account.data_source,
        "session": session,
        "regime": decision.regime,
        "volatility_index": decision.payload["signals"]["volatility_index"],
        "risk_level": decision.risk_level,
        "drawdown": round(1.0 - portfolio.adjusted_nav / peak, 6),
        "nav": str(portfolio.nav),
        "cash": str(portfolio.cash),
        "initial_cash": str(account.initial_cash),
        **capital_record(portfolio),
        "profit": str(portfolio.nav - account.initial_cash - portfolio.deposits + portfolio.withdrawals),
        "time_weighted_return": portfolio.adjusted_nav / float(account.initial_cash) - 1.0,
        "accounts": {name: str(cash) for name, cash in portfolio.cash_by_account().items()},
        "sessions": len(history),
        "signals": [
            {
                "symbol": signal.symbol,
                "signal": signal.signal.name,
                "confidence": round(signal.confidence, 4),
                "target_weight": round(signal.target_weight, 4),
                "actual_weight": round(actual, 4),
                "wanted_by": targets.get(signal.symbol, {}),
                "reason": signal.reason,
            }
            for signal, actual in state.signals(book, day)
        ],
        "positions": _positions(portfolio),
        "old_prices": decision.payload["orders"].get("old_prices", []),
        "closings": closings_of(state, book, day),
        "suspected_splits": _suspected_splits(active, account.data_source, portfolio, day),
        "orders": [_order(order, status) for order, status in orders.orders(book, session=day)],
        "skipped": decision.payload["orders"]["skipped"],
        "clipping": _clipping(decision.payload, {signal.symbol: actual for signal, actual in state.signals(book, day)}),
        "latest_orders": _latest_orders(orders, book, day),
        "fills": [_fill(fill) for fill in booked if fill.session == day],
        "latest_fills": [_fill(fill) for fill in booked if fill.session == booked[-1].session],
        "fills_in_all": len(booked),
        "risk_events": [event.reason for event in state.risk_events(book, day)],
        "risk_event_details": [event.as_dict() for event in state.risk_events(book, day)],
        "between_sessions": {
            "orders": [_order(sent, status) for sent, status in orders.orders(book) if before < sent.session < day],
            "risk_events": [event.as_dict() for event in state.risk_events(book) if before < event.session < day],
        },
        "open_risk_events": [event.as_dict() for event in state.risk_events(book) if event.open_at(day)],
        "config_hash": decision.config_hash,
        "code_version": decision.code_version,
    }


def _wanted_by(payload: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Symbol -> sleeve -> the share of net asset value it wants, of the symbols that any sleeve wants."""
    symbols, sleeves = payload["symbols"], sleeves_from(payload["targets"], payload["symbols"])
    shares = {name: record.budget * record.target.weights for name, record in sleeves.items()}
    return {
        symbol: {name: round(float(weights[i]), 4) for name, weights in shares.items()}
        for i, symbol in enumerate(symbols)
        if any(weights[i] > 0 for weights in shares.values())
    }


def _clipping(payload: Mapping[str, Any], held: Mapping[str, float]) -> dict[str, Any]:
    """Say what the session wanted, was allowed and held, and of each lowered asset which limits lowered it."""
    symbols, targets, risk = payload["symbols"], payload["targets"], payload["risk"]
    blended, allowed = (np.array(stage[name], float) for stage, name in ((targets, "wanted"), (risk, "weights")))
    lowered = [i for i in range(len(symbols)) if blended[i] - allowed[i] > ROUNDING]
    return {
        "wanted": round(float(blended.sum()), 4),
        "allowed": round(float(allowed.sum()), 4),
        "held": round(sum(held.values()), 4),
        "by_symbol": {
            symbols[i]: {
                "wanted": round(float(blended[i]), 4),
                "allowed": round(float(allowed[i]), 4),
                "held": round(held.get(symbols[i], 0.0), 4),
                "limits": list(dict.fromkeys([*_names(targets, symbols[i]), *_names(risk, symbols[i])])),
            }
            for i in sorted(lowered, key=lambda i: allowed[i] - blended[i])
        },
    }


def _names(stage: Mapping[str, Any], symbol: str) -> list[str]:
    return list(stage.get("clips", {}).get(symbol, ()))


def _clipping_lines(clipping: Mapping[str, Any]) -> list[str]:
    """One line where nothing was cut from what the sleeves wanted, else a line for each asset."""
    text = f"Wanted {clipping['wanted']:.1%}, allowed {clipping['allowed']:.1%}, held {clipping['held']:.1%}"
    if not clipping["by_symbol"]:
        return [f"{text} of net asset value: no limit cut a target"]
    lines = [f"CUT BY LIMITS: {text[0].lower()}{text[1:]} of net asset value"]
    return lines + [
        f"  {symbol:<8}wanted {cut['wanted']:>6.1%}  allowed {cut['allowed']:>6.1%}  held {cut['held']:>6.1%}  "
        f"by {', '.join(f'{name} ({LIMIT_WORDS.get(name, name)})' for name in cut['limits']) or 'risk control'}"
        for symbol, cut in clipping["by_symbol"].items()
    ]


def _positions(portfolio: Portfolio) -> list[dict[str, Any]]:
    return [
        {
            "symbol": symbol,
            "quantity": str(position.quantity),
            "price": str(portfolio.marks[symbol]),
            "weight": round(portfolio.weight(symbol), 4),
        }
        for symbol, position in sorted(portfolio.positions.items())
    ]


def _suspected_splits(settings: Settings, source: str, portfolio: Portfolio, day: date) -> list[dict[str, Any]]:
    """Describe leaps that may be splits, each position's value both ways."""
    names = market_store(settings, settings.engine()).sources_of(source)
    suspected = []
    for suspicion in RulingStore(settings.engine()).suspicions(day):
        if suspicion.source not in names:
            continue
        held = portfolio.positions.get(suspicion.symbol)
        quantity = float(held.quantity) if held else 0.0
        mark = float(portfolio.marks[suspicion.symbol]) if held else suspicion.close
        suspected.append(
            suspected_position(suspicion.symbol, suspicion.since, suspicion.ratio, suspicion.close, quantity, mark)
        )
    return suspected


def _latest_orders(store: OrderStore, book: str, day: date) -> list[dict[str, Any]]:
    """Orders of the newest session up to ``day`` that decided any."""
    decided = [(order, status) for order, status in store.orders(book) if order.session <= day]
    newest = max((order.session for order, _ in decided), default=day)
    return [_order(order, status) for order, status in decided if order.session == newest]


def _order(order: Order, status: OrderStatus) -> dict[str, Any]:
    return {
        "client_order_id": order.client_order_id,
        "session": order.session.isoformat(),
        "symbol": order.symbol,
        "side": order.side.value,
        "quantity": str(order.quantity),
        "status": status.value,
        "purpose": order.purpose.value,
        "reason": order.reason,
    }


def _fill(fill: Fill) -> dict[str, Any]:
    return {
        "symbol": fill.symbol,
        "side": fill.side.value,
        "quantity": str(fill.quantity),
        "price": str(fill.price),
        "commission": str(fill.commission),
        "filled_at": fill.filled_at.isoformat(),
    }


def render(summary: Summary) -> str:
    """Lay a summary out for a terminal."""
    source = summary["data_source"]
    note = "  (SIMULATED prices: no real market)" if source == SIMULATED else ""
    index = summary["volatility_index"]
    counts = Counter(signal["signal"] for signal in summary["signals"])
    gain = summary["time_weighted_return"]
    lines = [
        f"Session {summary['session']}   book {summary['book']}   data source {source}{note}",
        f"Regime {summary['regime']} (^VIX {index:.2f})   risk level {summary['risk_level']}   "
        f"drawdown {summary['drawdown']:.2%}",
        f"Net asset value ${float(summary['nav']):,.2f} ({gain:+.2%} after {summary['sessions']} sessions, costs "
        f"included)   cash ${float(summary['cash']):,.2f}",
        *_capital_lines(summary),
        "",
        "Signals: " + ", ".join(f"{count} {name}" for name, count in counts.most_common()),
    ]
    lines += [
        f"  {s['symbol']:<8}{s['signal']:<12}{s['confidence']:>5.2f}  held {s['actual_weight']:>6.1%}  "
        f"target {s['target_weight']:>6.1%}  {s['reason']}{_sleeve_words(s['wanted_by'])}"
        for s in summary["signals"]
    ]
    lines += ["", *_clipping_lines(summary["clipping"])]
    lines += ["", *_order_lines(summary), "", *_between_lines(summary), *_fill_lines(summary)]
    lines += [
        "",
        "Positions: " + (", ".join(f"{p['symbol']} {p['weight']:.1%}" for p in summary["positions"]) or "none"),
    ]
    lines += [f"Old price: {held['message']}" for held in summary["old_prices"]]
    lines += [f"Closed: {closing['message']}" for closing in summary["closings"]]
    lines += [f"ALERT {suspicion_line(item)}" for item in summary["suspected_splits"]]
    lines += [f"Risk: {reason}" for reason in summary["risk_events"]]
    return "\n".join(lines) + "\n"


def _capital_lines(summary: Summary) -> list[str]:
    """Say what came and went of capital, and what each of several accounts has; nothing for a book without either."""
    lines = []
    came, went = float(summary["deposits"]), float(summary["withdrawals"])
    if came or went:
        lines.append(
            f"Deposits ${came:,.2f}, withdrawals ${went:,.2f}, profit ${float(summary['profit']):,.2f}   "
            "(the return is time-weighted)"
        )
    if len(summary["accounts"]) > 1:
        cash = ", ".join(f"{name} ${float(amount):,.2f}" for name, amount in summary["accounts"].items())
        lines.append(f"Cash by account: {cash}")
    return lines


def _sleeve_words(targets: Mapping[str, float]) -> str:
    """Who wants the asset, where a signal alone would not explain its weight."""
    return "  [" + ", ".join(f"{name} {share:.1%}" for name, share in targets.items()) + "]" if targets else ""


def _order_lines(summary: Summary) -> list[str]:
    today, latest = summary["orders"], summary["latest_orders"]
    lines = [f"Orders decided ({len(today)}), trading at the next opening:"]
    if not today:
        lines.append("  none: no change of weight was large enough, or none was allowed")
        if latest:
            lines.append(f"  the latest, of session {latest[0]['session']}:")
    lines += [
        f"  {o['side']:<5}{o['quantity']:>10} {o['symbol']:<8}{o['status']:<10}{o['reason']}" for o in today or latest
    ]
    return lines + [f"  held back: {symbol}: {limit}" for symbol, limit in summary["skipped"].items()]


def _between_lines(summary: Summary) -> list[str]:
    """Say what a stop sold on days without a session before this one; nothing where none fired."""
    between = summary["between_sessions"]
    lines = [
        f"Risk on {event['session']}, a day without a session: {event['reason']}" for event in between["risk_events"]
    ]
    lines += [f"  {o['side']:<5}{o['quantity']:>10} {o['symbol']:<8}{o['status']}" for o in between["orders"]]
    return [*lines, ""] if lines else []


def _fill_lines(summary: Summary) -> list[str]:
    today, latest = summary["fills"], summary["latest_fills"]
    lines = [f"Fills booked this session ({len(today)}; {summary['fills_in_all']} since the book opened):"]
    if not today:
        lines.append("  none: the session before decided no order" + ("; the latest:" if latest else ""))
    return lines + [
        f"  {f['side']:<5}{f['quantity']:>10} {f['symbol']:<8}at {f['price']:<11} commission {f['commission']:<8}"
        f"{f['filled_at']}"
        for f in today or latest
    ]
