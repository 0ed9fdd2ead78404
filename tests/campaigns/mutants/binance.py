"""Planted faults of the Binance adapter: orders doubled, lost or invented, fees and fills forgotten, limits ignored."""

from __future__ import annotations

from tests.campaigns.mutants.money_path import Mutant

ADAPTER = "trading_lib/adapters/brokers/binance"
TESTS = "tests/trading_lib/adapters/brokers/binance"


def _mutant(name: str, file: str, old: str, new: str, *tests: str) -> Mutant:
    return Mutant(f"Binance: {name}", f"{ADAPTER}/{file}", old, new, tuple(f"{TESTS}/{test}" for test in tests))


MEANING, DESK, CLIENT = "answers/classification.py", "desk.py", "access/client.py"
TOLD, SINGLE, ASKED = "answers/test_classification.py", "test_desk.py", "access/test_client.py"
MUTANTS = (
    _mutant("a 5xx is judged by its code", MEANING, "if reply.status >= 500:", "if reply.status >= 600:", TOLD),
    _mutant("a busy server counts as a refusal", MEANING, "-1008: Meaning.NOT_NOW", "-1008: Meaning.REFUSED", TOLD),
    _mutant("an unknown order counts as refused", MEANING, "-1013: Meaning.REFUSED,", "-1013: Meaning.UNKNOWN,", TOLD),
    _mutant("NaN is an amount", MEANING, "parse_constant=_refuse", "parse_constant=str", TOLD),
    _mutant("a duplicate counts as a refusal", MEANING, "return Meaning.DUPLICATE", "return Meaning.REFUSED", TOLD),
    _mutant(
        "an answer about another order accepts this one",
        "answers/orders.py",
        'if text(content, "clientOrderId") != client_order_id or text(content, "symbol") != pair.name:',
        "if False:",
        TOLD,
    ),
    _mutant("a filled id is sent again", DESK, "        if known.order is not None:", "        if False:", SINGLE),
    _mutant(
        "what is unknown is sent again", DESK, "        if known.seen is Seen.UNKNOWN:", "        if False:", SINGLE
    ),
    _mutant("an order leaves long after it was stored", DESK, "> HAND_OVER_SECONDS", "> 1e9", SINGLE),
    _mutant("an order waits for its turn", DESK, "patience=0.0", "patience=60.0", SINGLE),
    _mutant(
        "no answer counts as not there",
        DESK,
        "        if meaning is Meaning.NO_SUCH_ORDER:",
        "        if meaning in (Meaning.NO_SUCH_ORDER, Meaning.UNKNOWN):",
        SINGLE,
    ),
    _mutant(
        "a look-up believes an answer about another order",
        DESK,
        "        if order.client_order_id != client_order_id:",
        "        if False:",
        SINGLE,
    ),
    _mutant(
        "a refused cancellation is not looked into",
        DESK,
        "            now = (await self._find_at(pair, client_order_id)).order",
        "            now = None",
        SINGLE,
    ),
    _mutant(
        "an unknown status ends an order",
        "answers/orders.py",
        "STATUSES.get(stated, BrokerStatus.WORKING)",
        "STATUSES.get(stated, BrokerStatus.CANCELLED)",
        SINGLE,
    ),
    _mutant("more can be filled than was ordered", "answers/orders.py", "filled > quantity or ", "", SINGLE),
    _mutant(
        "a cancellation of another order is believed",
        "answers/orders.py",
        "if told != (client_order_id, broker_order_id):",
        "if False:",
        SINGLE,
    ),
    _mutant("a negative amount is one", "answers/amounts.py", "not 0 <= number <= LARGEST", "False", "test_lists.py"),
    _mutant("bans are ignored", CLIENT, "if wait > patience:", "if False:", ASKED),
    _mutant("a pause is not waited for", CLIENT, "        if wait > 0:", "        if False:", ASKED),
    _mutant(
        "a clock may be off by minutes",
        CLIENT,
        "self._skew = None if abs(skew) > LARGEST_SKEW else skew",
        "self._skew = skew",
        ASKED,
    ),
    _mutant("what is used up is not noticed", CLIENT, "int(used) >= USED_PART * limit", "False", ASKED),
    _mutant("the client's own log has the key", "access/connection.py", '            "logger": silent,\n', "", ASKED),
    _mutant(
        "paper orders go to the live endpoint", "access/connection.py", "enable_demo_trading(True)", "close()", ASKED
    ),
    _mutant(
        "requests are valid for ten seconds", "access/connection.py", '"recvWindow": RECEIVE_MILLISECONDS,', "", ASKED
    ),
    _mutant(
        "redirects are followed",
        "access/bounded_session.py",
        '"allow_redirects": False, ',
        "",
        "access/test_bounded_session.py",
    ),
    _mutant(
        "an answer may drip for ever",
        "access/bounded_session.py",
        "if self._monotonic() > deadline:",
        "if False:",
        "access/test_bounded_session.py",
    ),
    _mutant(
        "locked coins are not held",
        "answers/balances.py",
        'free[coin] + amount(record, "locked")',
        'free[coin] + 0 * amount(record, "locked")',
        "test_lists.py",
    ),
    _mutant(
        "a fee in the bought coin keeps no units",
        "executions.py",
        "commission, units = fee * price, fee",
        "commission, units = fee * price, NOTHING",
        "test_executions.py",
    ),
    _mutant(
        "an old price values a fee",
        "executions.py",
        "if opening and begun > moment(minute) - OLDEST_PRICE",
        "if opening",
        "test_executions.py",
    ),
    _mutant(
        "a fill whose order shows late is somebody else's",
        "broker.py",
        "if any(times[number] > late for number in forgotten):",
        "if False:",
        "test_executions.py",
    ),
    _mutant(
        "fills come by pair, not by time",
        "broker.py",
        "entry[0].filled_at, entry[1], entry[2]",
        "entry[1], entry[2]",
        "test_fill_cursor.py::test_fills_of_several_pairs_come_in_the_order_of_their_times",
    ),
    _mutant(
        "late fills are lost",
        "fill_cursor.py",
        "if at <= settled]",
        "if True]",
        "test_fill_cursor.py::test_a_trade_that_shows_after_one_with_a_higher_number_is_told",
    ),
    _mutant(
        "a page skips a trade",
        "histories.py",
        "number = max(fresh) + 1",
        "number = max(fresh) + 2",
        "test_fill_cursor.py::test_pages_are_read_to_their_end_and_each_trade_once",
    ),
    _mutant(
        "a full day of orders is cut",
        "histories.py",
        "len(page) >= PAGE\n    records",
        "False\n    records",
        "test_lists.py",
    ),
    _mutant(
        "another account's balances are taken",
        "broker.py",
        "if asked and balances.number != asked:",
        "if False:",
        ASKED,
    ),
    _mutant(
        "digits are dropped in silence",
        "order_requests.py",
        " or value != value.normalize()",
        "",
        "test_order_requests.py",
    ),
    _mutant(
        "a limit order for the opening waits on",
        "order_requests.py",
        '"IOC" if opening else "GTC"',
        '"GTC"',
        SINGLE,
    ),
    _mutant(
        "one stablecoin's fall is the dollar's",
        "preflight.py",
        "median(prices.values())",
        "min(prices.values())",
        "test_preflight.py",
    ),
)
