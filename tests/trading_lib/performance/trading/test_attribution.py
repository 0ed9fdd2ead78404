"""Attribution adds up to the change of net asset value, to the cent, whatever happened in between."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from tests.builders.markets import ASSETS, UNIVERSE, at
from tests.builders.orders import fill
from tests.builders.runs import finished_run, quiet_record
from trading_lib.domain.book.orders import Fill, Side
from trading_lib.domain.book.portfolio import to_cent
from trading_lib.performance.run_record import RunRecord
from trading_lib.performance.trading.attribution import (
    UNASSIGNED,
    attribute_assets,
    attribute_sleeves,
    break_down_costs,
)


def on(record: RunRecord, row: int, side: Side, symbol: str, *figures: str, reference: str | None = None) -> Fill:
    day = record.sessions[row].item()
    return replace(fill(side, symbol, *figures, reference=reference), session=day)


@pytest.mark.parametrize("seed", [1, 9, 22])
def test_profits_of_assets_add_up_to_the_change_of_value_to_the_cent(seed: int) -> None:
    result, record = finished_run(seed)
    profit = attribute_assets(record).total
    assert len(result.fills) > 50
    assert to_cent(Decimal(repr(float(profit.sum())))) == result.portfolio.nav - Decimal(100_000)
    # Each value is rounded to the cent by itself.
    assert np.abs(profit.sum(axis=1)[1:] - np.diff(record.nav)).max() <= 0.01 + 1e-9
    assert not profit[0].any()


def test_some_of_these_runs_hold_an_asset_through_its_split() -> None:
    records = [finished_run(seed)[1] for seed in (1, 9, 22)]
    assert any((record.split[1:][record.quantity[:-1] > 0] != 1).any() for record in records)


@pytest.mark.parametrize("seed", [1, 9, 22])
def test_dividends_and_costs_are_those_of_the_books(seed: int) -> None:
    result, record = finished_run(seed)
    parts = attribute_assets(record)
    assert parts.dividends.sum() == pytest.approx(float(result.portfolio.dividends), abs=1e-6)
    assert result.portfolio.dividends > 0
    costs = break_down_costs(record, 252.0)
    assert costs.total == pytest.approx(float(result.portfolio.costs), abs=1e-6)
    assert (parts.commission + parts.slippage).sum() == pytest.approx(costs.total, abs=1e-6)
    assert sum(sum(pair) for pair in costs.by_asset.values()) == pytest.approx(costs.total, abs=1e-6)
    assert costs.annual_commission
    assert costs.annual_slippage
    assert costs.annual_commission + costs.annual_slippage == pytest.approx(
        costs.total / record.nav.mean() / ((len(record.nav) - 1) / 252), rel=1e-9
    )


def bought_and_sold() -> RunRecord:
    """Buys 10 SPY at 101 (reference 100), collects $0.50 a share, and sells 4 at 109 (reference 110)."""
    record = quiet_record(5)
    spy = at("SPY")
    record.close[:, spy] = [100, 104, 108, 110, 111]
    record.quantity[:, spy] = [0, 10, 10, 6, 6]
    record.dividend[2, spy] = 0.5
    fills = (
        on(record, 1, Side.BUY, "SPY", "10", "101", "1", reference="100"),
        on(record, 3, Side.SELL, "SPY", "4", "109", "2", reference="110"),
    )
    return replace(record, fills=fills)


def test_parts_by_hand() -> None:
    record = bought_and_sold()
    parts, spy = attribute_assets(record), at("SPY")
    # Session 1: 10 from 100 to 104; 2: 104 to 108; 3: 6 from 108 to 110 and 4 to the reference; 4: 6 from 110 to 111.
    assert parts.price[:, spy].tolist() == [0, 40, 40, 20, 6]
    assert parts.dividends[:, spy].tolist() == [0, 0, 5, 0, 0]
    assert parts.commission[:, spy].tolist() == [0, 1, 0, 2, 0]
    assert parts.slippage[:, spy].tolist() == [0, 10, 0, 4, 0]
    # The evening's holdings earn the whole move; the rest is what the fills made of it.
    assert parts.carried[:, spy].tolist() == [0, 0, 45, 20, 6]
    assert parts.total[:, spy].tolist() == [0, 29, 45, 14, 6]
    others = np.delete(parts.total, spy, axis=1)
    assert not others.any()


def test_a_split_is_no_profit_and_a_fraction_of_a_share_is_paid_out() -> None:
    record = quiet_record(3)
    spy = at("SPY")
    record.close[:, spy] = [90, 60, 60]
    record.split[1, spy] = 1.5
    record.quantity[:, spy] = [3, 4, 4]  # 3 old shares are 4.5 new ones
    parts = attribute_assets(record)
    assert parts.total[:, spy].tolist() == [0, 0, 0]
    record.dividend[1, spy] = 0.25  # paid on new shares
    assert attribute_assets(record).dividends[1, spy] == 1.0


def test_an_asset_without_a_price_does_no_harm() -> None:
    record = bought_and_sold()
    record.close[:, at("GLD")] = np.nan
    assert attribute_assets(record).total.sum() == 94.0


def test_sleeves_share_what_they_own() -> None:
    record = bought_and_sold()
    spy = at("SPY")
    trend, rotation = np.zeros((5, ASSETS)), np.zeros((5, ASSETS))
    trend[:, spy] = [0, 0.3, 0.3, 0.6, 0.6]
    rotation[:, spy] = [0, 0.1, 0.1, 0, 0]
    parts = attribute_assets(record)
    found = attribute_sleeves(parts, record.quantity, {"trend": trend, "rotation": rotation})
    # The purchase by what each owns after it, then carried by the evening's shares, the sale by who is left.
    assert found["trend"].tolist() == pytest.approx([0, 29 * 0.75, 45 * 0.75, 20 * 0.75 + (14 - 20), 6])
    assert found["rotation"].tolist() == pytest.approx([0, 29 * 0.25, 45 * 0.25, 20 * 0.25, 0])
    assert UNASSIGNED not in found


def test_a_sale_of_everything_goes_to_those_who_owned_it() -> None:
    record = quiet_record(3)
    gld = at("GLD")
    record.quantity[:, gld] = [5, 0, 0]
    sold = replace(record, fills=(on(record, 1, Side.SELL, "GLD", "5", "98", "1", reference="99"),))
    owned = np.zeros((3, ASSETS))
    owned[0, gld] = 0.5
    found = attribute_sleeves(attribute_assets(sold), sold.quantity, {"trend": owned})
    assert found["trend"].tolist() == [0, -11, 0]


def test_what_no_sleeve_owns_is_said_to_be_unassigned() -> None:
    record = bought_and_sold()
    parts = attribute_assets(record)
    assert attribute_sleeves(parts, record.quantity, {})[UNASSIGNED].sum() == 94.0


@pytest.mark.parametrize("seed", [1, 9, 22])
def test_sleeves_of_a_run_add_up_to_its_profit(seed: int) -> None:
    result, record = finished_run(seed)
    parts = attribute_assets(record)
    found = attribute_sleeves(parts, record.quantity, record.sleeves)
    assert set(found) == set(result.sleeves)
    assert sum(found.values()) == pytest.approx(parts.total.sum(axis=1), abs=1e-6)


def test_sleeves_split_at_random_still_add_up() -> None:
    _, record = finished_run()
    generator = np.random.default_rng(2)
    held = record.value / record.nav[:, None]
    share = generator.uniform(0, 1, held.shape)
    parts = attribute_assets(record)
    found = attribute_sleeves(parts, record.quantity, {"a": held * share, "b": held * (1 - share)})
    assert sum(found.values()) == pytest.approx(parts.total.sum(axis=1), abs=1e-6)
    assert UNASSIGNED not in found
    assert len(UNIVERSE) == held.shape[1]
