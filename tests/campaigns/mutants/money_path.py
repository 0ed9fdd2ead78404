"""Planted faults of the money path: each must be found by one of the named tests."""

from __future__ import annotations

from dataclasses import dataclass

TURNS = "tests/trading_lib/workflows/trade/test_book_turns.py"
TRADING = "tests/trading_lib/workflows/trade/test_tasks.py"
REPORTS = "tests/trading_lib/workflows/trade/test_execution_reports.py"
SENDING = "tests/trading_lib/workflows/trade/test_sending.py"
ORDERS = "tests/trading_lib/adapters/stores/books/test_order_store.py"
SETTLE = "tests/trading_lib/accounting"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One wrong line.

    Attributes
    ----------
    old, new
        ``old`` occurs exactly once in the file.
    tests
        Arguments for pytest: where the fault has to be found.
    each
        Parts of tests' ids: a test with each of them has to fail. Without any, one failure is enough.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    each: tuple[str, ...] = ()


MUTANTS = (
    Mutant(
        "settle without the book's lock",
        "trading_lib/workflows/trade/tasks.py",
        "return take_turn(run or BookRun.open(plan), _settle, _is_settled)",
        "return _settle(_unlocked(run or BookRun.open(plan)))",
        (TURNS, "-k", "waits_for_the_book and settle"),
    ),
    Mutant(
        "place without the book's lock",
        "trading_lib/workflows/trade/tasks.py",
        "return take_turn(run or BookRun.open(plan), place_orders, is_placed)",
        "return place_orders(_unlocked(run or BookRun.open(plan)))",
        (TURNS, "-k", "waits_for_the_book and place"),
    ),
    Mutant(
        "orders decided without the book's lock",
        "trading_lib/workflows/trade/tasks.py",
        "return take_turn(run or BookRun.open(plan), _orders, _is_decided)",
        "return _orders(_unlocked(run or BookRun.open(plan)))",
        (TURNS, "-k", "waits_for_the_book and orders"),
    ),
    Mutant(
        "UNKNOWN left out of the open statuses",
        "trading_lib/domain/book/orders.py",
        "OPEN_STATUSES = (\n    OrderStatus.UNKNOWN,\n",
        "OPEN_STATUSES = (\n",
        (TURNS, "-k", "unknown_order_is_filled"),
    ),
    Mutant(
        "status recorded before the fill",
        "trading_lib/workflows/trade/settlement.py",
        "        new = run.orders.save_fills(fills, run.book.name) if fills else 0\n",
        "        if fills:\n"
        "            run.orders.record(identity, OrderEvent.FILL, fills[-1].filled_at, broker=fills[-1].broker)\n"
        "            run.orders.save_fills(fills, run.book.name)\n        continue\n",
        (TURNS, "-k", "stored_before_its_order_says_so"),
    ),
    Mutant(
        "fills of two brokers count as one when their ids are the same",
        "trading_lib/workflows/trade/settlement.py",
        "(fill.broker, fill.trade_id): fill",
        "fill.trade_id: fill",
        (REPORTS, "-k", "two_brokers_may_give"),
    ),
    Mutant(
        "a fill of an order that has ended is not stored",
        "trading_lib/workflows/trade/settlement.py",
        "    new = run.orders.save_fills(fills, run.book.name)\n",
        "    new = 0\n",
        (REPORTS, "-k", "order_that_has_ended"),
    ),
    Mutant(
        "any order under our id is ours",
        "trading_lib/execution/order_path/lifecycle.py",
        "if not is_same(found, tracked.order):",
        "if False:",
        (SENDING, "-k", "another_order_under"),
    ),
    Mutant(
        "a repair ends what is at a real broker",
        "trading_lib/workflows/books/repair.py",
        "if entry[0].client_order_id not in elsewhere]",
        "]",
        (REPORTS, "-k", "repair_leaves"),
    ),
    Mutant(
        "an overtaken session is not refused",
        "trading_lib/workflows/trade/book_turns.py",
        "            turn.refuse_overtaken()\n",
        "            return work(turn)\n",
        (TURNS, "-k", "overtaken_session_decides"),
    ),
    Mutant(
        "a session of the same day counts as newer",
        "trading_lib/workflows/trade/book_turns.py",
        "newest > run.session",
        "newest >= run.session",
        (TURNS, "-k", "healthy or only_its_own"),
    ),
    Mutant(
        "only portfolios count as newer",
        "trading_lib/adapters/stores/books/state_store.py",
        "tables = (portfolio_state, decision_stages, risk_state, decisions, order_intents)",
        "tables = (portfolio_state,)",
        (TURNS, "-k", "whatever_a_newer_session"),
    ),
    Mutant(
        "orders of a newer session are not looked at",
        "trading_lib/adapters/stores/books/state_store.py",
        "risk_state, decisions, order_intents)",
        "risk_state, decisions)",
        (TURNS, "-k", "whatever_a_newer_session"),
    ),
    Mutant(
        "unsent orders of an earlier session stay intended",
        "trading_lib/workflows/trade/settlement.py",
        "    cancel_unsent(run)\n",
        "",
        (TURNS, "-k", "decided_before_it_was_overtaken"),
    ),
    Mutant(
        "a session with orders that were never sent counts as placed",
        "trading_lib/workflows/trade/tasks.py",
        " and not run.orders.never_sent(name, session)",
        "",
        (TURNS, "-k", "decided_before_it_was_overtaken"),
    ),
    Mutant(
        "a stored fill is made again from today's prices",
        "trading_lib/adapters/brokers/simulated.py",
        "                    stored.setdefault(fill.trade_id, fill)",
        "                    stored[fill.trade_id] = fill",
        ("tests/trading_lib/adapters/brokers/test_simulated_broker.py", "-k", "stored_fill_stands"),
    ),
    Mutant(
        "missed sessions are settled from what is known today",
        "trading_lib/workflows/trade/settlement.py",
        "market = run.market if day == run.session or run.market_was_given else _market_at(run, day)",
        "market = run.market",
        (TURNS, "-k", "catching_up or corrects_its_opening"),
    ),
    Mutant(
        "a lost lock goes unnoticed",
        "trading_lib/adapters/stores/books/book_store.py",
        "if owner != self.server_process:",
        "if False:",
        (TURNS, "-k", "lock_was_lost"),
    ),
    Mutant(
        "commands for one book run at the same time",
        "trading_lib/workflows/trade/daily.py",
        "with run.orders.session_lock(run.book.name):",
        "if True:",
        (TURNS, "-k", "one_after_the_other"),
    ),
    Mutant(
        "an order that was denied is sent all the same",
        "trading_lib/execution/order_path/path.py",
        "        desk.weigh(identity, cleared)\n        return\n",
        "        cleared = ClearedOrder(tracked.order)\n",
        (TRADING, "-k", "kill_switch"),
    ),
    Mutant(
        "an UNKNOWN order is sent a second time",
        "trading_lib/execution/order_path/lifecycle.py",
        "    if not_found and tracked.sent_at is not None and is_proved(tracked.absence, begun_at):\n",
        "    if not_found:\n",
        (SENDING, "-k", "never_sent_again"),
    ),
    Mutant(
        "a fill counts again when it is stored again",
        "trading_lib/adapters/stores/books/order_store.py",
        "new += insert_once(connection, fills_table, row)",
        "new += bool(connection.execute(insert(fills_table).values(row | {'trade_id': row['trade_id'] + '+'})))",
        (TRADING, ORDERS, "-x", "-k", "once or again or twice"),
    ),
    Mutant(
        "a struck fill is still read",
        "trading_lib/adapters/stores/books/order_store.py",
        "query = select(table).where(table.c.book == book, table.c.voided_by.is_(None))",
        "query = select(table).where(table.c.book == book)",
        (TURNS, "-k", "struck"),
    ),
    Mutant(
        "a sale of more than is held is booked",
        "trading_lib/accounting/settle.py",
        "if fill.side is Side.SELL and quantity > holdings.quantity[i]:",
        "if False:",
        (SETTLE, TURNS, "-x", "-k", "held or sales"),
    ),
    Mutant(
        "a repair strikes the newest session's order",
        "trading_lib/workflows/books/repair.py",
        "key=lambda claim: claim.order.session, reverse=True",
        "key=lambda claim: claim.order.session",
        (TURNS, "-k", "two_sales"),
    ),
    Mutant(
        "a trial repair changes the book",
        "trading_lib/workflows/books/repair.py",
        "            if not dry_run:\n",
        "            if True:\n",
        (TURNS, "-k", "two_sales"),
    ),
)
