"""Where the money came from: profit by asset, by sleeve, and what trading cost.

Every session's change of net asset value is split without a remainder, so the parts add up to the whole to the cent.
The first session holds no profit: a run starts with its decision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from trading_lib.domain.book.portfolio import to_cent
from trading_lib.domain.market.prices import FloatArray
from trading_lib.domain.money import whole_lots
from trading_lib.performance.run_record import RunRecord

UNASSIGNED = "unassigned"


@dataclass(frozen=True, slots=True)
class Attribution:
    """Dollars of each session by asset, shape (S, n) each.

    Attributes
    ----------
    price
        Gains and losses at the reference prices, before costs; cash for fractions of a share after a split included.
    dividends
        Cash received, funding of perpetuals included.
    commission, slippage
        Paid, none negative.
    carried
        Of the total, what the holdings of the evening before earned; the rest came from the session's fills, from
        their price to the close and costs included.
    """

    price: FloatArray
    dividends: FloatArray
    commission: FloatArray
    slippage: FloatArray
    carried: FloatArray

    @property
    def total(self) -> FloatArray:
        """Profit after costs, shape (S, n)."""
        profit: FloatArray = self.price + self.dividends - self.commission - self.slippage
        return profit


def attribute_assets(record: RunRecord) -> Attribution:
    """Split every change of net asset value among the assets."""
    shape = record.quantity.shape
    trades = record.trades
    flow = trades.spread(trades.flow, shape)
    commission, slippage = trades.spread(trades.commission, shape), trades.spread(trades.slippage, shape)
    dividends, fractions, evening = _corporate_actions(record)
    received = dividends.copy()
    contract = record.universe.perpetuals
    if record.funding is not None and contract is not None and contract.spot in record.universe.positions:
        received[:, record.universe.positions[contract.spot]] += record.funding
    gain = np.zeros(shape)
    gain[1:] = np.diff(record.value, axis=0)
    carried = np.zeros(shape)
    held = np.where(evening != 0.0, evening * record.close, 0.0)
    carried[1:] = held[1:] - record.value[:-1]
    return Attribution(
        price=gain + flow + fractions + slippage,
        dividends=received,
        commission=commission,
        slippage=slippage,
        carried=carried + fractions + dividends,
    )


def _corporate_actions(record: RunRecord) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Dividends, cash for fractions after splits, and the evening's holdings in the session's shares, (S, n) each.

    Holdings of the evening before are what counts on an ex-date, and a dividend is per new share.
    """
    dividends, fractions = np.zeros(record.quantity.shape), np.zeros(record.quantity.shape)
    evening = np.zeros(record.quantity.shape)
    evening[1:] = record.quantity[:-1]
    instruments = record.universe.instruments
    splits = np.nan_to_num(record.split, nan=1.0) != 1.0
    for row, column in np.argwhere(splits & (evening > 0)):
        ratio = Decimal(repr(float(record.split[row, column])))
        exact = Decimal(repr(float(evening[row, column]))) * ratio
        whole = whole_lots(exact, instruments[column].lot_size)
        mark = Decimal(repr(float(record.close[row - 1, column]))) / ratio
        fractions[row, column] = float(to_cent((exact - whole) * mark))
        evening[row, column] = float(whole)
    for row, column in np.argwhere((np.nan_to_num(record.dividend) > 0) & (evening > 0)):
        amount = Decimal(repr(float(record.dividend[row, column])))
        dividends[row, column] = float(to_cent(Decimal(repr(float(evening[row, column]))) * amount))
    return dividends, fractions, evening


def attribute_sleeves(
    attribution: Attribution, quantity: FloatArray, sleeves: Mapping[str, FloatArray]
) -> dict[str, FloatArray]:
    """Split each session's profit among the sleeves, shape (S,) each.

    What the evening's holdings earned goes to the sleeves in proportion to what each owned that evening. What the
    session's fills earned and cost goes to them in proportion to what each owns afterwards, or owned before where
    nothing is left.

    Parameters
    ----------
    quantity
        Shape (S, n): units held at each decision.
    sleeves
        Sleeve -> shape (S, n): the part it owns as a share of net asset value, in the same sessions.

    Returns
    -------
    dict
        One entry per sleeve, and `UNASSIGNED` when a holding belongs to none of them. The entries add up to the
        profit of every session.
    """
    names = list(sleeves)
    shares = _shares(np.array([sleeves[name] for name in names]).reshape(len(names), *quantity.shape))
    before = np.zeros_like(shares)
    before[:, 1:] = shares[:, :-1]
    # Both legs of a hedge net to no quantity at all, and still belong to somebody.
    after = np.where(((quantity != 0.0) | (shares.sum(axis=0) > 0.0))[None], shares, before)
    total = attribution.total
    result = {
        name: (before[k] * attribution.carried + after[k] * (total - attribution.carried)).sum(axis=1)
        for k, name in enumerate(names)
    }
    rest = total.sum(axis=1) - sum(result.values(), np.zeros(len(total)))
    # Rounding dust is no profit of anybody's.
    return result | ({UNASSIGNED: rest} if np.abs(rest).max(initial=0.0) > 1e-6 else {})


def _shares(owned: FloatArray) -> FloatArray:
    """Divide what each sleeve owns by what all own, zeros where nobody owns any; shape (k, S, n)."""
    total = owned.sum(axis=0)
    shares: FloatArray = np.where(total > 0.0, owned / np.where(total > 0.0, total, 1.0), 0.0)
    return shares


@dataclass(frozen=True, slots=True)
class Costs:
    """What trading cost, in dollars, and as fractions of the average net asset value per year.

    Attributes
    ----------
    by_asset
        Symbol -> (commission, slippage) of the assets that were traded.
    annual_commission, annual_slippage
        None for a run of a single session.
    """

    commission: float
    slippage: float
    traded: float
    annual_commission: float | None
    annual_slippage: float | None
    by_asset: Mapping[str, tuple[float, float]]

    @property
    def total(self) -> float:
        """Commission and slippage."""
        return self.commission + self.slippage


def break_down_costs(record: RunRecord, sessions_per_year: float) -> Costs:
    """Add up commission and slippage."""
    trades = record.trades
    assets = len(record.universe)
    commission = np.bincount(trades.column, weights=trades.commission, minlength=assets)
    slippage = np.bincount(trades.column, weights=trades.slippage, minlength=assets)
    traded = np.unique(trades.column)
    years = (len(record.nav) - 1) / sessions_per_year
    base = float(record.nav.mean()) * years
    return Costs(
        commission=round(float(commission.sum()), 2),
        slippage=round(float(slippage.sum()), 2),
        traded=round(float(np.abs(trades.flow).sum()), 2),
        annual_commission=float(commission.sum()) / base if base else None,
        annual_slippage=float(slippage.sum()) / base if base else None,
        by_asset={
            record.universe.symbols[i]: (round(float(commission[i]), 2), round(float(slippage[i]), 2)) for i in traded
        },
    )
