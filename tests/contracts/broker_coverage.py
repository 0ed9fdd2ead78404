"""What other systems ask of a broker's adapter, and which rule here asks the same.

nautilus_trader's execution test cards (its `spec_exec_testing`) and LEAN's BrokerageTests, by their
names alone. Each is covered by rules, or does not apply, and says why. A rule is a method of `BrokerContract` or
`PricedOrderContract`, or a test of an adapter as ``file::test`` below tests/trading_lib/adapters/brokers.
"""

from __future__ import annotations

from collections.abc import Mapping

FILLED = "BrokerContract.test_fills_are_whole_exact_and_timed"
POSITIONS = "BrokerContract.test_positions_follow_the_fills_and_hold_nothing_else"
CANCELLED = "BrokerContract.test_a_waiting_order_can_be_cancelled"
RESTARTED = "BrokerContract.test_an_order_is_known_after_a_restart"
WAITS = "PricedOrderContract.test_away_from_the_market_it_waits_is_known_after_a_restart_and_can_be_cancelled_once"
REPLACED = "PricedOrderContract.test_an_order_is_replaced_by_cancelling_it_and_sending_another"
REFUSED = "PricedOrderContract.test_every_type_and_time_in_force_is_taken_or_refused_with_a_reason"
SENT_ONCE = "alpaca/test_answers.py::test_what_is_no_plain_answer_leaves_the_order_unknown_and_is_sent_once"
CANCEL_UNKNOWN = "alpaca/test_answers.py::test_a_cancellation_is_refused_only_in_alpacas_words"
IN_PARTS = "alpaca/test_broker.py::test_an_order_that_fills_in_parts_is_told_part_by_part"

# Card -> rules.
NAUTILUS: Mapping[str, tuple[str, ...]] = {
    "TC-E01": (FILLED, POSITIONS),
    "TC-E06": (POSITIONS,),
    "TC-E10": (WAITS,),
    "TC-E11": (WAITS,),
    "TC-E19": (WAITS, "PricedOrderContract.test_a_limit_that_the_market_meets_is_filled_at_no_worse_price"),
    "TC-E20": (WAITS,),
    "TC-E21": (WAITS,),
    "TC-E22": (WAITS,),
    "TC-E23": (WAITS,),
    "TC-E32": (REPLACED,),
    "TC-E33": (REPLACED,),
    "TC-E35": (REPLACED,),
    "TC-E40": (CANCELLED, WAITS),
    "TC-E42": (CANCELLED,),
    "TC-E44": (WAITS, "BrokerContract.test_what_does_not_wait_cannot_be_cancelled"),
    "TC-E72": (REFUSED,),
    "TC-E73": (REFUSED,),
    "TC-E74": (SENT_ONCE,),
    "TC-E75": (CANCEL_UNKNOWN,),
    "TC-E80": (FILLED,),
    "TC-E82": (POSITIONS,),
    "TC-E84": (RESTARTED, WAITS),
    "TC-E85": (
        "BrokerContract.test_what_has_ended_is_among_the_closed_orders_and_what_waits_is_not",
        "BrokerContract.test_the_same_question_has_the_same_answer",
    ),
    "TC-E86": (POSITIONS,),
}  # fmt: skip
LEAN: Mapping[str, tuple[str, ...]] = {
    "IsConnected": ("BrokerContract.test_connecting_and_closing_twice_is_as_good_as_once",),
    "CancelOrders": (CANCELLED, WAITS),
    "LongFromZero": (FILLED, POSITIONS),
    "CloseFromLong": (POSITIONS,),
    "LongFromZeroUpdateAndCancel": (REPLACED, WAITS),
    "GetCashBalance": ("BrokerContract.test_the_account_tells_its_money_in_its_currency",),
    "GetAccountHoldings": (POSITIONS,),
    "PartialFills": (FILLED, IN_PARTS),
}

NO_SHORT = "shares and coins are not sold short: the book is long only, and its hedge is not at these brokers"
NO_IMMEDIATE = "no order is immediate-or-cancel or fill-or-kill: they trade at openings, or wait"
NO_DATE = "no order is in force until a date: for the opening, the day, or until it is cancelled"
NO_TOUCH = "there are market, limit, stop and stop-limit orders only"
NO_CHANGE = "no order is changed at the broker: it is cancelled, and another one is sent under an id of its own"
NO_BATCH = "orders are sent and cancelled one by one, so that each has an outcome of its own"
NO_BRACKET = "an order has no children; stops are orders of their own"
NO_FLAG = "orders carry no such flag; the checks before sending see to it that sales only reduce"
NO_STRATEGY = "what a strategy does when it starts or stops is no matter of the broker's adapter"
NO_OPTION = "options are not traded"
# Card or case -> why no rule is needed.
NOT_APPLICABLE: Mapping[str, str] = {
    "TC-E02": NO_SHORT,
    "TC-E87": NO_SHORT,
    **dict.fromkeys(("ShortFromZero", "CloseFromShort", "ShortFromLong", "LongFromShort"), NO_SHORT),
    **dict.fromkeys(("TC-E03", "TC-E04", "TC-E13", "TC-E14", "TC-E15", "TC-E16"), NO_IMMEDIATE),
    "TC-E05": "quantities are units of the asset, never amounts of money",
    "TC-E12": "orders are net for each asset, so both sides of one are never open together (Alpaca refuses it)",
    **dict.fromkeys(("TC-E17", "TC-E18"), NO_DATE),
    **dict.fromkeys(("TC-E24", "TC-E25", "TC-E26", "TC-E27"), NO_TOUCH),
    **dict.fromkeys(("TC-E30", "TC-E31", "TC-E34", "TC-E36", "TC-E76"), NO_CHANGE),
    **dict.fromkeys(("TC-E43", "TC-E77", "TC-E78"), NO_BATCH),
    **dict.fromkeys(("TC-E50", "TC-E51", "TC-E52", "TC-E53"), NO_BRACKET),
    **dict.fromkeys(("TC-E60", "TC-E61", "TC-E62", "TC-E63", "TC-E70", "TC-E71"), NO_FLAG),
    **dict.fromkeys(("TC-E41", "TC-E81", "TC-E83"), NO_STRATEGY),
    **dict.fromkeys(("TC-E90", "TC-E91", "TC-E92", "TC-E94", "TC-E96", "TC-E99", "TC-E100", "TC-E101"), NO_OPTION),
}

# All cards there are, by group, and all cases.
GROUPS = ((1, 6), (10, 19), (20, 27), (30, 36), (40, 44), (50, 53), (60, 63), (70, 78), (80, 87), (90, 92))
NAUTILUS_CARDS = (
    *(f"TC-E{number:02d}" for first, last in GROUPS for number in range(first, last + 1)),
    "TC-E94", "TC-E96", "TC-E99", "TC-E100", "TC-E101",
)  # fmt: skip
LEAN_CASES = (
    "IsConnected", "CancelOrders", "LongFromZero", "CloseFromLong", "ShortFromZero", "CloseFromShort", "ShortFromLong",
    "LongFromShort", "LongFromZeroUpdateAndCancel", "GetCashBalance", "GetAccountHoldings", "PartialFills",
)  # fmt: skip
