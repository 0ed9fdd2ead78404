"""Carry through the whole loop: both legs filled, funded, valued and closed together."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from tests.builders.carry import SHORT, carry_config, carry_input, carry_market, joined, rates_of
from trading_lib.accounting.reconcile import unexplained_differences
from trading_lib.backtest.engine import BacktestResult, run_backtest
from trading_lib.decision import Decision
from trading_lib.domain.book.orders import OrderPurpose, Side
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.market.positioning import FundingRates
from trading_lib.orders.config import OrderConfig, PreTradeConfig
from trading_lib.performance.run_record import RunRecord
from trading_lib.performance.trading.attribution import attribute_assets, attribute_sleeves
from trading_lib.session.inputs import SessionInput
from trading_lib.session.step import trade_session, trade_sessions
from trading_lib.session.window import window_rows
from trading_lib.strategies.config import CarryConfig

FIRST, LAST = date(2021, 1, 4), date(2021, 3, 31)
START, ENTRY, EXIT = date(2021, 2, 22), date(2021, 3, 1), date(2021, 3, 11)
# The rate moves from one settlement to the next in the weeks before, so that it has a volatility of its own.
BEFORE = {0: 0.0002, 8: 0.0, 16: 0.0001}
CALM = carry_config(pause_ratio=1e6)


def episode(moment: datetime, rate: float = 0.003, last: float = -0.003) -> float:
    """A high rate from 16:00 on the day of entry, a negative one from 16:00 on the day of exit."""
    if moment < datetime(2021, 3, 1, 16):
        return BEFORE[moment.hour]
    return rate if moment < datetime(2021, 3, 11, 16) else last


def run(
    rates: FundingRates,
    price: Callable[[date], float],
    config: CarryConfig = CALM,
    sleeves: dict[str, float] | None = None,
    missing: tuple[date, ...] = (),
    **changes: Any,
) -> tuple[SessionInput, BacktestResult, list[tuple[date, Decision, Portfolio]]]:
    data = carry_input(carry_market(FIRST, LAST, price, rates, config, missing), config, sleeves, **changes)
    seen: list[tuple[date, Decision, Portfolio]] = []
    result = run_backtest(data, START, LAST, lambda *outcome: seen.append(outcome))
    return data, result, seen


def constant(rate: float = 0.0005) -> FundingRates:
    """A high rate from the entry to the end."""
    return rates_of(FIRST, LAST, lambda moment: episode(moment, rate, rate))


def test_ten_days_of_carry_by_hand() -> None:
    # Bitcoin opens at 10,000 up to 6 March and at 12,000 from 7 March, a Sunday, on.
    _, result, seen = run(rates_of(FIRST, LAST, episode), lambda day: 10_000.0 if day < date(2021, 3, 7) else 12_000.0)
    # Decided on 1 March, filled at 00:00 of the 2nd: three quarters of 8 % of 100,000 are 0.6 Bitcoin. Spot 10,000 with
    # 0.15 % slippage, the perpetual with 0.15 % and 0.05 % for the basis; 0.1 % commission each.
    fills = [(f.session, f.symbol, f.side, f.quantity, f.price, f.commission) for f in result.fills]
    assert fills == [
        (date(2021, 3, 2), "BTC-USD", Side.BUY, Decimal("0.6"), Decimal("10015"), Decimal("6.01")),
        (date(2021, 3, 2), SHORT, Side.SELL, Decimal("0.6"), Decimal("9980"), Decimal("5.99")),
        (date(2021, 3, 12), "BTC-USD", Side.SELL, Decimal("0.6"), Decimal("11982"), Decimal("7.19")),
        (date(2021, 3, 12), SHORT, Side.BUY, Decimal("0.6"), Decimal("12024"), Decimal("7.21")),
    ]
    # 2 settlements on the 2nd (that of 00:00 belongs to whoever held before), 12 on the 3rd to 6th at 10,000: 18.00
    # each. At 12,000: 14 from the 7th to 08:00 of the 11th at +21.60, then 16:00 and 00:00 at -21.60.
    funding = 14 * Decimal("18.00") + 14 * Decimal("21.60") - 2 * Decimal("21.60")
    # Slippage and basis: 9.00 + 12.00 at entry, 10.80 + 14.40 at exit; commissions 26.40.
    costs = Decimal("46.20") + Decimal("26.40")
    assert result.portfolio.funding == funding == Decimal("511.20")
    assert result.portfolio.costs == costs
    assert result.portfolio.nav == 100_000 + funding - costs == Decimal("100438.60")
    assert result.portfolio.perpetuals == {}
    inside = [portfolio for day, _, portfolio in seen if date(2021, 3, 2) <= day < date(2021, 3, 12)]
    assert {portfolio.hedged for portfolio in inside} == {Decimal("0.6")}
    assert {portfolio.perpetuals[SHORT].entry_value for portfolio in inside} == {Decimal("-5988.00")}


def test_profit_is_the_same_whatever_the_price_does() -> None:
    def wild(day: date) -> float:
        return 10_000.0 if day <= date(2021, 3, 2) else 10_000.0 * (1.0 + 0.2 * math.sin(day.toordinal() * 1.7))

    _, result, seen = run(rates_of(FIRST, LAST, episode), wild)
    booked = result.portfolio
    assert booked.nav == pytest.approx(100_000 + booked.funding - booked.costs, abs=Decimal("0.03"))
    for _, _, portfolio in seen:
        spot = portfolio.positions.get("BTC-USD")
        assert portfolio.hedged == (spot.quantity if spot else 0)


def test_the_second_count_and_the_attribution_add_up() -> None:
    data, result, _ = run(constant(), lambda day: 10_000.0 + 30 * (day - START).days)
    assert result.portfolio.perpetuals
    assert data.funding is not None
    settlements = [s for row in data.funding.settlements for s in row]
    fills = list(result.fills)
    assert unexplained_differences(result.portfolio, data.initial_cash, fills, (), settlements) == []
    record = record_of(data, result)
    attribution = attribute_assets(record)
    np.testing.assert_allclose(attribution.total.sum(axis=1)[1:], np.diff(result.nav), atol=0.03)
    assert attribution.dividends.sum() == pytest.approx(float(result.portfolio.funding))
    shares = attribute_sleeves(attribution, record.quantity, record.sleeves)
    assert shares["carry"].sum() == pytest.approx(result.nav[-1] - result.nav[0], abs=0.05)
    # What is hedged is no exposure.
    assert record.quantity[-1].sum() == pytest.approx(0.0, abs=1e-9)


def record_of(data: SessionInput, result: BacktestResult) -> RunRecord:
    panel = data.panel
    start = int(np.searchsorted(panel.sessions, result.sessions[0]))
    rows = slice(start, start + len(result.sessions))
    return RunRecord(
        data.universe, result.sessions, result.nav, result.invested, result.levels, result.regimes, result.quantity,
        result.sleeves, lambda: result.orders, result.fills, lambda: result.events, panel.close[rows],
        panel.mark_return[rows], panel.dividend[rows], panel.split[rows], panel.cash_rate[rows],
        panel.month_end[rows], result.funding,
    )  # fmt: skip


def test_a_spot_order_without_an_opening_price_takes_its_hedge_along() -> None:
    _, result, seen = run(constant(), lambda _: 10_000.0, missing=(date(2021, 3, 2),))
    assert len(result.cancelled) == 2
    first = {day: portfolio for day, _, portfolio in seen}[date(2021, 3, 2)]
    assert first.positions == first.perpetuals == {}
    assert result.portfolio.hedged == result.portfolio.positions["BTC-USD"].quantity > 0


def test_a_spot_order_cut_by_a_limit_cuts_its_hedge() -> None:
    _, _, seen = run(constant(), lambda _: 10_000.0, orders=OrderConfig(max_daily_turnover=0.03))
    first = {day: portfolio for day, _, portfolio in seen}[date(2021, 3, 2)]
    assert first.positions["BTC-USD"].quantity == first.hedged == Decimal("0.3")
    # Six percent are wanted, and each day brings three more.
    second = {day: portfolio for day, _, portfolio in seen}[date(2021, 3, 3)]
    assert second.positions["BTC-USD"].quantity == second.hedged > Decimal("0.59")


def test_both_legs_are_denied_together() -> None:
    _, result, _ = run(constant(), lambda _: 10_000.0, pre_trade=PreTradeConfig(max_order_notional=Decimal(5_000)))
    assert result.fills == ()
    reasons = {order.symbol: reason for order, reason in result.denied}
    assert reasons.keys() == {"BTC-USD", SHORT}
    assert all("is above the limit of 5000" in reason for reason in reasons.values())


def test_a_hedged_position_has_no_price_stop() -> None:
    _, result, _ = run(constant(), lambda day: 10_000.0 if day <= date(2021, 3, 5) else 7_000.0)
    assert not [event for event in result.events if event.kind.startswith("stop")]
    assert result.portfolio.hedged == Decimal("0.6")
    booked = result.portfolio
    expected = Decimal(100_000) + booked.funding - booked.costs
    assert booked.nav == pytest.approx(expected, abs=Decimal("0.03"))


def test_level_2_closes_both_legs_at_once() -> None:
    # Every settlement from the third day takes 3 % of the position away; two such weeks are a drawdown of 8 %.
    def ruin(moment: datetime) -> float:
        return episode(moment) if moment < datetime(2021, 3, 3) else (-0.03 if moment.hour else 0.0)

    config = carry_config(pause_ratio=1e6, exit_rate=-0.99, max_weight=0.5, max_venue_weight=0.5)
    data, result, _ = run(rates_of(FIRST, LAST, ruin), lambda _: 10_000.0, config)
    assert result.levels.max() >= 2
    assert data.universe["BTC-USD"].max_weight == 0.15
    sold = [order for order in result.orders if order.purpose is OrderPurpose.RISK]
    assert {(order.symbol, order.side) for order in sold} == {("BTC-USD", Side.SELL), (SHORT, Side.BUY)}
    assert len({order.quantity for order in sold}) == 1
    assert result.portfolio.perpetuals == {}
    assert result.portfolio.positions == {}


def test_two_venues_share_one_spot_position() -> None:
    config = carry_config(pause_ratio=1e6, allowed_venues=("binance", "bybit"))
    # Bybit turns negative for good on the day on which Binance alone did in the worked example.
    rates = joined(constant(), rates_of(FIRST, LAST, episode, venue="bybit"))
    _, result, seen = run(rates, lambda _: 10_000.0, config)
    by_day = {day: portfolio for day, _, portfolio in seen}
    both = by_day[date(2021, 3, 10)]
    assert {symbol: -p.quantity for symbol, p in both.perpetuals.items()} == {
        SHORT: Decimal("0.3750"),
        "BYBIT:BTC-USDT": Decimal("0.3750"),
    }
    assert both.positions["BTC-USD"].quantity == Decimal("0.75")
    assert result.portfolio.perpetuals.keys() == {SHORT}
    # Funding has made net asset value a little larger meanwhile.
    assert (
        Decimal("0.3750") <= result.portfolio.hedged == result.portfolio.positions["BTC-USD"].quantity < Decimal("0.38")
    )


def test_beside_another_sleeve_each_keeps_its_own_bitcoin() -> None:
    # Trend's signals need two hundred sessions.
    begin, config = date(2020, 1, 2), CALM
    market = carry_market(begin, LAST, lambda day: 4_000.0 * math.exp(0.004 * (day - begin).days), constant(), config)
    seen: list[tuple[date, Decision, Portfolio]] = []
    data = carry_input(market, config, {"trend": 0.7, "carry": 0.3})
    run_backtest(data, START, LAST, lambda *outcome: seen.append(outcome))
    mixed = [
        (decision, portfolio)
        for _, decision, portfolio in seen
        if portfolio.perpetuals and portfolio.positions["BTC-USD"].quantity > portfolio.hedged
    ]
    assert len(mixed) > 5
    for decision, portfolio in mixed:
        records = decision.targets.sleeves
        price = portfolio.marks["BTC-USD"]
        mine = records["carry"].held[3] * records["carry"].budget
        assert mine == pytest.approx(float(portfolio.hedged * price / portfolio.nav))
        others = records["trend"].held[3] * records["trend"].budget
        assert others == pytest.approx(portfolio.weight("BTC-USD") - mine)


def test_a_short_whose_sleeve_no_longer_runs_is_closed_with_its_spot() -> None:
    config = CALM
    market = carry_market(FIRST, LAST, lambda _: 10_000.0, constant(), config)
    alone = carry_input(market, config)
    *_, outcome = trade_sessions(alone, window_rows(alone.panel, alone.calendar, START, date(2021, 3, 5)))
    without = carry_input(market, config, {"trend": 1.0})
    assert outcome.end_of_day.portfolio.perpetuals
    row = int(np.searchsorted(market.panel.sessions, np.datetime64("2021-03-08")))
    closing = trade_session(without, row, outcome.end_of_day)
    assert {(o.symbol, o.side) for o in closing.end_of_day.working} == {("BTC-USD", Side.SELL), (SHORT, Side.BUY)}
    assert trade_session(without, row + 1, closing.end_of_day).end_of_day.portfolio.perpetuals == {}


@pytest.mark.parametrize(("ratio", "held"), [(2.0, "1.2"), (0.3333, "0.1999")])
def test_a_split_of_the_spot_asset_restates_both_legs(ratio: float, held: str) -> None:
    market = carry_market(
        FIRST, LAST, lambda day: 9_999.0 / (ratio if day >= date(2021, 3, 10) else 1), constant(), CALM
    )
    row = int(np.searchsorted(market.panel.sessions, np.datetime64("2021-03-10")))
    market.panel.split[row, market.panel.symbols.index("BTC-USD")] = ratio
    *_, before, after = trade_sessions(carry_input(market, CALM), range(row - 12, row + 1))
    portfolio = after.end_of_day.portfolio
    assert before.end_of_day.portfolio.hedged == Decimal("0.6")
    assert portfolio.positions["BTC-USD"].quantity == portfolio.hedged == Decimal(held)
    earned = portfolio.funding - before.end_of_day.portfolio.funding
    assert portfolio.nav == pytest.approx(before.end_of_day.portfolio.nav + earned, abs=Decimal("0.05"))


def test_without_rates_no_trade_is_made() -> None:
    _, result, seen = run(FundingRates.empty(), lambda _: 10_000.0)
    assert result.orders == ()
    assert "no usable rate (none is known)" in seen[-1][1].targets.sleeves["carry"].target.rationale()["BTC-USD"]


def test_a_venue_that_falls_silent_is_left_after_three_days() -> None:
    silent = datetime(2021, 3, 8)
    rates = rates_of(FIRST, LAST, lambda m: math.nan if m >= silent else episode(m, 0.0005))
    _, result, seen = run(rates, lambda _: 10_000.0)
    held = {day: bool(portfolio.perpetuals) for day, _, portfolio in seen}
    # The last rate is of 16:00 on Sunday the 7th; at Wednesday's decision it is more than 72 hours old.
    assert held[date(2021, 3, 10)]
    assert not held[date(2021, 3, 11)]
    assert result.portfolio.perpetuals == {}


def test_sessions_and_weekends_lose_no_settlement() -> None:
    data, result, seen = run(constant(), lambda _: 10_000.0)
    first = next(day for day, _, portfolio in seen if portfolio.perpetuals)
    # From 08:00 of the day of the fill to 16:00 of the last session, three a day.
    days = (LAST - first + timedelta(days=1)).days
    assert result.portfolio.funding == (3 * days - 1) * Decimal("3.00")
    assert data.funding is not None
