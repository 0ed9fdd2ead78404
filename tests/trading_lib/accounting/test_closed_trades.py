"""Closed trades: worked examples, and that they add up to the books whatever is traded and split."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders.carry import SHORT, carry_config, hedged_universe
from tests.builders.markets import CALENDAR, SESSION
from tests.builders.prices import instant
from trading_lib.accounting.closed_trades import (
    CORPORATE_ACTION,
    BookedSession,
    ClosedTrade,
    ClosedTradeLedger,
    Direction,
    is_closing,
)
from trading_lib.accounting.perpetuals import settle_perpetuals
from trading_lib.accounting.settle import apply_actions, apply_fills, mark
from trading_lib.domain.book.orders import Fill, Side
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.market.perpetuals import is_perpetual
from trading_lib.domain.money import whole_lots

UNIVERSE = hedged_universe(carry_config())
CASH = Decimal(10_000_000)


def day(number: int) -> date:
    return CALENDAR.offset(SESSION, number)


def fill(
    number: int, side: Side, symbol: str, quantity: str, price: str, commission: str = "0.00", identity: str = "t"
) -> Fill:
    """An execution at the opening of the session ``number``."""
    at: datetime = instant("2024-01-03 14:30") + timedelta(days=number)
    return Fill(
        f"{identity}-{number}-{symbol}-{side}", "paper", f"o-{number}-{symbol}", symbol, side, Decimal(quantity),
        Decimal(price), Decimal(price), Decimal(commission), at, day(number),
    )  # fmt: skip


def walk(*sessions: BookedSession) -> tuple[list[ClosedTrade], ClosedTradeLedger]:
    ledger = ClosedTradeLedger(Portfolio.opened(SESSION, CASH), {}, UNIVERSE)
    return ledger.walk(sessions), ledger


def test_a_position_closed_in_parts_realises_against_its_average_cost_and_bears_its_openings() -> None:
    """The portfolio's own worked example, with the commissions of both openings shared by units closed."""
    first, rest = walk(
        BookedSession(
            day(1),
            [
                fill(1, Side.BUY, "SPY", "10", "100", "1.00", "a"),
                fill(1, Side.BUY, "SPY", "20", "130", "2.60", "b"),
            ],
        ),
        BookedSession(day(3), [fill(3, Side.SELL, "SPY", "12", "150", "1.80")]),
        BookedSession(day(8), [fill(8, Side.SELL, "SPY", "18", "110", "1.98")]),
    )[0]
    assert (first.opened_session, first.closed_session, rest.opened_session) == (day(1), day(3), day(1))
    assert (first.entry_price, first.exit_price, first.quantity) == (120, 150, 12)
    assert first.direction is Direction.LONG
    assert (first.gross_pnl, first.commission) == (Decimal("360.00"), Decimal("3.24"))  # 1.80 + 12/30 of 3.60
    assert first.realised_pnl == Decimal("356.76")
    assert (rest.gross_pnl, rest.commission) == (Decimal("-180.00"), Decimal("4.14"))  # 1.98 + what is left of 3.60
    assert rest.realised_pnl == Decimal("-184.14")


def test_a_position_that_was_flat_begins_anew() -> None:
    trades, ledger = walk(
        BookedSession(day(1), [fill(1, Side.BUY, "SPY", "10", "100", "1.00")]),
        BookedSession(day(2), [fill(2, Side.SELL, "SPY", "10", "90", "1.00")]),
        BookedSession(day(5), [fill(5, Side.BUY, "SPY", "10", "80", "0.50")]),
        BookedSession(day(6), [fill(6, Side.SELL, "SPY", "10", "85", "0.50")]),
    )
    assert [(one.opened_session, one.realised_pnl) for one in trades] == [
        (day(1), Decimal("-102.00")),
        (day(5), Decimal("49.00")),
    ]
    assert ledger.open_trades == {}


def test_a_split_changes_units_and_cost_but_no_profit() -> None:
    [trade] = walk(
        BookedSession(day(1), [fill(1, Side.BUY, "SPY", "10", "400", "1.00")]),
        BookedSession(day(2), [fill(2, Side.SELL, "SPY", "40", "110", "2.00")], {"SPY": 4.0}),
    )[0]
    assert (trade.quantity, trade.entry_price) == (40, 100)
    assert trade.gross_pnl == Decimal("400.00")
    assert trade.commission == Decimal("3.00")


def test_dividends_are_no_part_of_a_trade() -> None:
    """They are income of the book; the session's bookings of a trade do not even know them."""
    [trade] = walk(
        BookedSession(day(1), [fill(1, Side.BUY, "SPY", "10", "100")]),
        BookedSession(day(2), [fill(2, Side.SELL, "SPY", "10", "100")]),
    )[0]
    assert trade.gross_pnl == 0


def test_a_short_gains_when_the_price_falls() -> None:
    [trade] = walk(
        BookedSession(day(1), [fill(1, Side.SELL, SHORT, "0.6", "10000", "6.00")]),
        BookedSession(day(2), [fill(2, Side.BUY, SHORT, "0.6", "9000", "5.40")]),
    )[0]
    assert trade.direction is Direction.SHORT
    assert (trade.entry_price, trade.exit_price) == (10_000, 9_000)
    assert (trade.gross_pnl, trade.realised_pnl) == (Decimal("600.00"), Decimal("588.60"))


def test_a_fraction_of_a_lot_that_a_split_of_the_hedged_coin_leaves_is_a_trade_without_an_order() -> None:
    lot = UNIVERSE["BTC-USD"].lot_size
    odd = lot * 3
    trades, ledger = walk(
        BookedSession(
            day(1),
            [fill(1, Side.BUY, "BTC-USD", str(odd), "10000"), fill(1, Side.SELL, SHORT, str(odd), "10000", "1.00")],
            closes={"BTC-USD": 8_000.0, SHORT: 8_000.0},
        ),
        BookedSession(day(2), (), {"BTC-USD": 0.5}),
    )
    [trade] = trades
    assert (trade.broker, trade.client_order_id, trade.quantity) == (CORPORATE_ACTION, "", lot / 2)
    assert (trade.entry_price, trade.exit_price) == (20_000, 16_000)
    assert trade.gross_pnl == ledger.portfolio.realised_pnl
    assert ledger.portfolio.perpetuals[SHORT].quantity == -lot
    assert trade.commission + ledger.open_trades[SHORT].commission == Decimal("1.00")


# Symbol; percent of what is held to close when negative, else lots to open; price; commission in cents.
Action = tuple[str, int, int, int]
SYMBOLS = ("SPY", "GLD", "BTC-USD", SHORT)
ACTIONS = st.tuples(
    st.sampled_from(SYMBOLS),
    st.integers(-100, 100),
    st.integers(1_000, 50_000_000),
    st.integers(0, 999),
)
SPLITS = st.dictionaries(st.sampled_from(("SPY", "GLD", "BTC-USD")), st.sampled_from((2.0, 3.0, 1.5, 0.5, 0.1, 4 / 3)))


def held(portfolio: Portfolio, symbol: str) -> Decimal:
    if is_perpetual(symbol):
        return -portfolio.perpetuals[symbol].quantity if symbol in portfolio.perpetuals else Decimal(0)
    return portfolio.positions[symbol].quantity if symbol in portfolio.positions else Decimal(0)


def traded(portfolio: Portfolio, number: int, action: Action) -> Fill | None:
    """An execution that the books allow: some of what is held closes, or something is opened."""
    symbol, size, price, commission = action
    spot = "BTC-USD" if is_perpetual(symbol) else symbol
    short, lot = is_perpetual(symbol), UNIVERSE[spot].lot_size
    if size < 0:
        quantity, side = whole_lots(held(portfolio, symbol) * -size / 100, lot), Side.BUY if short else Side.SELL
    else:
        quantity, side = lot * max(size, 1), Side.SELL if short else Side.BUY
    if not quantity:
        return None
    dollars = Decimal(price) / 100_000
    return replace(
        fill(number, side, symbol, str(quantity), str(dollars), str(Decimal(commission) / 100)),
        trade_id=f"{number}-{symbol}-{size}-{price}",
    )


@given(st.lists(st.tuples(st.lists(ACTIONS, max_size=4), SPLITS), min_size=1, max_size=12))
@settings(max_examples=200, deadline=None)
def test_closed_trades_add_up_to_the_books(
    life: list[tuple[list[Action], dict[str, float]]],
) -> None:
    """Profits to the realised profit, commissions to those paid, to the cent; the ledger's books are the books."""
    booked: list[BookedSession] = []
    portfolio = Portfolio.opened(SESSION, CASH)
    paid, dropped = Decimal(0), False
    for number, (actions, splits) in enumerate(life, start=1):
        before = portfolio
        restated = {s: ratio for s, ratio in splits.items() if s in portfolio.positions}
        portfolio = apply_actions(portfolio, {}, restated, UNIVERSE)
        # A split that leaves less than a lot pays a whole position out, and what it cost goes with it.
        dropped |= any(held(before, s) and not held(portfolio, s) for s in SYMBOLS)
        fills: list[Fill] = []
        for symbol in SYMBOLS:  # one execution for each symbol, spot assets before perpetuals, as a session has them
            made = next((one for one in (traded(portfolio, number, a) for a in actions if a[0] == symbol) if one), None)
            if made is None:
                continue
            fills.append(made)
            short = is_perpetual(symbol)
            portfolio = settle_perpetuals(portfolio, [made], ()) if short else apply_fills(portfolio, [made])
            paid += made.commission
        closes = {s: float(portfolio.marks[s]) * 1.01 for s in portfolio.positions}
        portfolio = mark(portfolio, closes, day(number))
        booked.append(BookedSession(day(number), fills, splits, closes))
    trades, ledger = walk(*booked)
    assert ledger.portfolio == portfolio
    assert sum((one.gross_pnl for one in trades), Decimal(0)) == portfolio.realised_pnl
    borne = sum((one.commission for one in trades), Decimal(0))
    carried = sum((one.commission for one in ledger.open_trades.values()), Decimal(0))
    assert borne + carried == paid or dropped
    closing = [one.trade_id for session in booked for one in session.fills if is_closing(one)]
    assert sorted(closing) == sorted(one.trade_id for one in trades if one.broker != CORPORATE_ACTION)
    assert set(ledger.open_trades) == {s for s in SYMBOLS if held(portfolio, s)}
