"""Rules of settlement and of orders, worked by hand, as the objects and as the compiled loop apply them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from tests.builders.decisions import make_assessment, make_portfolio, make_signals
from tests.builders.markets import CALENDAR, FIRST, LAST, MONDAY, UNIVERSE, at, row_of, small_market, vector
from tests.builders.orders import order
from trading_lib.backtest.compiled.book import WORKING, Book, empty_book
from trading_lib.backtest.compiled.convert import Conversion
from trading_lib.backtest.compiled.inputs import Assets, Rows, Rules, assets_of, rows_of, rules_of
from trading_lib.backtest.compiled.journal import FILLS, LEFT, Log, empty_log
from trading_lib.backtest.compiled.orders import send_orders
from trading_lib.backtest.compiled.settlement import settle_session
from trading_lib.decision import held_weights
from trading_lib.domain.book.orders import Order, Side
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.decision.risk import RiskState
from trading_lib.domain.decision.sleeves import SleeveRecord, SleeveTarget
from trading_lib.domain.kernels import python_version
from trading_lib.domain.market.market_view import view_at
from trading_lib.domain.market.prices import FloatArray
from trading_lib.domain.money import from_micros
from trading_lib.orders.generate import generate_orders
from trading_lib.session.inputs import SessionInput
from trading_lib.session.opening import execute
from trading_lib.session.settle import settle_row
from trading_lib.session.step import EndOfDay
from trading_lib.strategies.registry import running_sleeves

# The portfolio after a session and what its opening left of the orders.
Settled = tuple[Portfolio, list[Decimal]]
Settle = Callable[[SessionInput, Portfolio, Sequence[Order]], Settled]
# Symbol, side and quantity of each order.
Sent = list[tuple[str, str, str]]
Send = Callable[[SessionInput, Portfolio, FloatArray, FloatArray], Sent]


def settled_by_objects(data: SessionInput, portfolio: Portfolio, orders: Sequence[Order]) -> Settled:
    row = row_of(data, MONDAY)
    filled, cancelled = execute(data, portfolio, orders, row, MONDAY)
    left = {one.client_order_id: one.quantity for one in cancelled}
    settled = settle_row(data, portfolio, row, MONDAY, filled)
    return settled, [left.get(one.client_order_id, Decimal(0)) for one in orders]


def settled_by_loop(data: SessionInput, portfolio: Portfolio, orders: Sequence[Order]) -> Settled:
    book, log, assets, rows, rules = loaded(data, portfolio, orders)
    assert python_version(settle_session)(book, log, assets, rows, rules, row_of(data, MONDAY))
    end_of_day = Conversion.of(data).read(book, row_of(data, MONDAY), np.zeros(0, np.bool_))
    left = log.fills[: log.counts[FILLS], LEFT].tolist()
    return end_of_day.portfolio, [from_micros(quantity) for quantity in left]


def sent_by_objects(data: SessionInput, portfolio: Portfolio, weights: FloatArray, ceilings: FloatArray) -> Sent:
    view = view_at(data.universe, data.panel, data.factors, row_of(data, MONDAY), MONDAY)
    why = {symbol: "a stop" for symbol, most in zip(UNIVERSE.symbols, ceilings, strict=True) if np.isfinite(most)}
    assessment = make_assessment(weights, ceilings=ceilings, ceiling_reasons=why)
    held = held_weights(data.universe, portfolio)
    batch = generate_orders(view, make_signals(1), assessment, held, portfolio, "demo", data.config.orders)
    return [(one.symbol, one.side.value, str(one.quantity)) for one in batch.orders]


def sent_by_loop(data: SessionInput, portfolio: Portfolio, weights: FloatArray, ceilings: FloatArray) -> Sent:
    most = {s: Decimal(repr(float(c))) for s, c in zip(UNIVERSE.symbols, ceilings, strict=True) if np.isfinite(c)}
    book, log, assets, rows, rules = loaded(data, portfolio, (), ceilings=most)
    held, everything = held_weights(data.universe, portfolio), np.ones(len(UNIVERSE), np.bool_)
    row = row_of(data, MONDAY)
    _, ordered = python_version(send_orders)(book, log, assets, rows, rules, weights, held, everything, row, 0)
    assert ordered
    working = book.working[: book.counters[WORKING]].tolist()
    return [
        (UNIVERSE.symbols[asset], (Side.BUY if buying else Side.SELL).value, str(from_micros(quantity)))
        for asset, buying, quantity in working
    ]


def loaded(
    data: SessionInput, portfolio: Portfolio, orders: Sequence[Order], **risk: Any
) -> tuple[Book, Log, Assets, Rows, Rules]:
    sleeves, assets = running_sleeves(data.config.strategy), len(data.universe)
    nothing = np.zeros(assets)
    records = {sleeve.name: SleeveRecord(SleeveTarget(nothing), nothing, sleeve.budget) for sleeve in sleeves}
    book, log = empty_book(assets, len(sleeves)), empty_log(1, assets, len(sleeves))
    state = replace(RiskState.opened(portfolio.session, 100_000.0), **risk)
    Conversion.of(data).write(EndOfDay(portfolio, state, tuple(orders), records), book)
    return book, log, assets_of(data.universe), rows_of(data), rules_of(data.config, data.paper, sleeves)


BY_SETTLEMENT = pytest.mark.parametrize("settle", [settled_by_objects, settled_by_loop], ids=["objects", "loop"])
BY_ORDERS = pytest.mark.parametrize("send", [sent_by_objects, sent_by_loop], ids=["objects", "loop"])
# Monday opens at 144 and closes at 144.5; a purchase pays 0.05 % of slippage and 0.1 % of commission.
UNLIMITED = np.full(len(UNIVERSE), np.inf)


def market(**spy: float) -> SessionInput:
    """The small market, with a split or dividend of SPY on Monday."""
    monday = CALENDAR.between(FIRST, LAST) == np.datetime64(MONDAY)
    return small_market(**{name: np.where(monday, value, float(name == "split")) for name, value in spy.items()})


@BY_SETTLEMENT
def test_a_dividend_is_paid_on_what_was_held_the_previous_close(settle: Settle) -> None:
    data = market(dividend=0.75)
    held = make_portfolio(10_000, SPY=(40, 100, 140))
    after, _ = settle(data, held, [order("SPY", Side.SELL, "30")])
    assert after.dividends == Decimal("30.00")
    after, _ = settle(data, held, [order("SPY", Side.BUY, "30")])
    assert after.dividends == Decimal("30.00")
    after, _ = settle(data, make_portfolio(10_000), [order("SPY", Side.BUY, "30")])
    assert after.dividends == 0


@BY_SETTLEMENT
def test_a_dividend_pays_for_the_session_s_purchases(settle: Settle) -> None:
    # 40 * 36.1 = 1,444.00 pay for ten shares at 144.072 and 1.44 of commission: 1,442.16.
    data = market(dividend=36.1)
    after, left = settle(data, make_portfolio(0, SPY=(40, 100, 140)), [order("SPY", Side.BUY, "11")])
    assert (after.positions["SPY"].quantity, left) == (50, [Decimal(1)])
    assert after.cash == Decimal("1.84")


@BY_SETTLEMENT
def test_a_purchase_is_cut_to_the_whole_lots_that_cash_pays_for_and_the_rest_is_cancelled(settle: Settle) -> None:
    # Ten shares cost 1,440.72 and 1.44 of commission.
    after, left = settle(market(), make_portfolio("1442.16"), [order("SPY", Side.BUY, "10")])
    assert (after.positions["SPY"].quantity, after.cash, left) == (10, 0, [Decimal(0)])
    after, left = settle(market(), make_portfolio("1442.15"), [order("SPY", Side.BUY, "10")])
    assert (after.positions["SPY"].quantity, after.cash, left) == (9, Decimal("144.20"), [Decimal(1)])
    assert after.costs == Decimal("1.95")  # 1.30 of commission, 0.65 of slippage


@BY_SETTLEMENT
def test_an_opening_outside_its_bar_fills_nothing(settle: Settle) -> None:
    data = market()
    data.panel.fill_open[row_of(data, MONDAY), UNIVERSE.positions["SPY"]] = 142.0
    held = make_portfolio(10_000, SPY=(40, 100, 140))
    after, left = settle(data, held, [order("SPY", Side.SELL, "30")])
    assert (after.positions["SPY"].quantity, after.cash, left) == (40, 10_000, [Decimal(30)])


@BY_SETTLEMENT
def test_only_a_known_close_moves_a_mark(settle: Settle) -> None:
    data = market()
    held = make_portfolio(10_000, SPY=(40, 100, 140))
    assert settle(data, held, [])[0].marks == {"SPY": Decimal("144.5")}
    data.panel.close[row_of(data, MONDAY), UNIVERSE.positions["SPY"]] = np.nan
    after, _ = settle(data, held, [])
    assert after.marks == {"SPY": Decimal(140)}
    # What is bought is marked at its own price until a close is known.
    after, _ = settle(data, make_portfolio(10_000), [order("SPY", Side.BUY, "10")])
    assert after.marks == {"SPY": Decimal("144.072")}


@BY_SETTLEMENT
def test_a_sale_books_its_profit_and_closes_the_position(settle: Settle) -> None:
    after, left = settle(market(), make_portfolio(0, SPY=(40, 100, 140)), [order("SPY", Side.SELL, "40")])
    # 40 at 143.928: 5,757.12, less 5.76 of commission.
    assert (after.positions, after.marks, left) == ({}, {}, [Decimal(0)])
    assert (after.cash, after.realised_pnl) == (Decimal("5751.36"), Decimal("1757.12"))


@BY_ORDERS
def test_the_cash_buffer_is_left_alone(send: Send) -> None:
    # SPY closes at 144.5. Of 9,000 in cash 5,000 stay: 27 shares cost 3,901.50 and 5.85 of costs, 28 more than 4,000.
    portfolio = make_portfolio(9_000, SPY=("629.757785", 100, "144.5"))
    weights = vector(0.0, SPY=1.0)
    assert portfolio.nav == 100_000
    assert send(market(), portfolio, weights, UNLIMITED) == [("SPY", "BUY", "27")]


@BY_ORDERS
def test_a_day_s_turnover_is_limited(send: Send) -> None:
    # 30 % of 100,000 at 144.5 is 207.6 shares.
    assert send(market(), make_portfolio(100_000), vector(0.0, SPY=0.5), UNLIMITED) == [("SPY", "BUY", "207")]


@BY_ORDERS
def test_what_a_risk_order_brings_can_be_spent_at_once(send: Send) -> None:
    # The buffer is all there is. 100 coins bring 14,450.00 less 14.45 and 21.68 of costs, which pay for 99 of SPY.
    portfolio = make_portfolio(5_000, BTC_USD=("657.439446", 100, "144.5"))
    weights = vector(0.0, SPY=0.5, BTC_USD=0.95)
    assert portfolio.nav == 100_000
    assert send(market(), portfolio, weights, UNLIMITED) == []
    ceilings = UNLIMITED.copy()
    ceilings[at("BTC-USD")] = 557.4394
    assert send(market(), portfolio, weights, ceilings) == [("BTC-USD", "SELL", "100"), ("SPY", "BUY", "99")]


@BY_ORDERS
def test_a_risk_order_takes_the_place_of_the_asset_s_rebalancing(send: Send) -> None:
    ceilings = UNLIMITED.copy()
    ceilings[at("SPY")] = 90.0
    portfolio = make_portfolio(85_550, SPY=(100, 100, "144.5"))
    assert send(market(), portfolio, vector(0.0, SPY=0.5), ceilings) == [("SPY", "SELL", "10")]
    assert send(market(), portfolio, vector(0.0, SPY=0.0), ceilings) == [("SPY", "SELL", "10")]
