"""Fields of Alpaca's answers as this adapter knows them: Alpaca changes them with little notice.

Input: an answer. Output: what is gone from it and what is new in it. Nothing here is needed to trade.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


ALWAYS: Mapping[str, frozenset[str]] = {
    "account": _names("""
        id account_number status currency buying_power regt_buying_power non_marginable_buying_power cash
        portfolio_value trading_blocked transfers_blocked account_blocked created_at trade_suspended_by_user multiplier
        shorting_enabled equity last_equity long_market_value short_market_value initial_margin maintenance_margin
        last_maintenance_margin sma"""),
    "order": _names("""
        id client_order_id created_at updated_at submitted_at filled_at expired_at canceled_at failed_at replaced_at
        replaced_by replaces asset_id symbol asset_class notional qty filled_qty filled_avg_price order_class order_type
        type side time_in_force limit_price stop_price status extended_hours legs trail_percent trail_price
        hwm"""),
    "asset": _names("id class exchange symbol name status tradable marginable shortable easy_to_borrow fractionable"),
    "clock": _names("timestamp is_open next_open next_close"),
}
# Of some accounts, orders and assets only; the day trading fields were taken away on 2026-07-06.
SOMETIMES: Mapping[str, frozenset[str]] = {
    "account": _names("""
        admin_configurations user_configurations crypto_status crypto_tier options_approved_level
        options_trading_level options_buying_power effective_buying_power bod_dtbp accrued_fees pending_transfer_in
        pending_transfer_out pending_reg_taf_fees intraday_adjustments position_market_value balance_asof
        pattern_day_trader daytrade_count daytrading_buying_power intraday_margin_deficit"""),
    "order": _names("""
        position_intent ratio_qty expires_at source subtag commission commission_type commission_bps
        advanced_instructions replace_pending"""),
    "asset": _names("""
        attributes maintenance_margin_requirement margin_requirement_long margin_requirement_short min_order_size
        min_trade_increment price_increment cusip borrow_status"""),
    "clock": frozenset(),
}


def difference(kind: str, answer: Mapping[str, Any]) -> str:
    """Say how an answer differs from the known fields, "" where it does not.

    Parameters
    ----------
    kind
        A key of `ALWAYS`.
    """
    gone = sorted(ALWAYS[kind] - answer.keys())
    new = sorted(str(name) for name in answer.keys() - ALWAYS[kind] - SOMETIMES[kind])
    parts = [f"{word} {', '.join(names)}" for word, names in (("gone:", gone), ("new:", new)) if names]
    return f"Alpaca's answer about the {kind} has changed ({'; '.join(parts)})" if parts else ""
