"""When brokers take orders: the opening auction's window, the next UTC day, and any time."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest

from tests.builders.markets import CALENDAR
from tests.builders.prices import instant
from trading_lib.domain.market.instruments import AssetClass
from trading_lib.domain.market.sessions import NEW_YORK
from trading_lib.execution.broker import Capabilities
from trading_lib.execution.send_window import ALWAYS, SendWindow, WindowState, send_moment, send_window

STOCKS = frozenset({AssetClass.US_ETF})
AUCTION = Capabilities(STOCKS, send_from=time(19), send_until=time(9, 28))
COINS = Capabilities(frozenset({AssetClass.CRYPTO}), next_utc_day=True)
BREATH = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("session", "opens", "closes"),
    [
        ("2023-02-08", "2023-02-09 00:00", "2023-02-09 14:28"),  # winter: New York is five hours behind
        ("2023-07-11", "2023-07-11 23:00", "2023-07-12 13:28"),  # summer: four
        ("2023-02-10", "2023-02-11 00:00", "2023-02-13 14:28"),  # a weekend
        ("2023-03-10", "2023-03-11 00:00", "2023-03-13 13:28"),  # clocks go forward within it
        ("2023-11-03", "2023-11-03 23:00", "2023-11-06 14:28"),  # and back
        ("2023-11-22", "2023-11-23 00:00", "2023-11-24 14:28"),  # Thanksgiving, then a half day
        ("2023-11-24", "2023-11-25 00:00", "2023-11-27 14:28"),  # after the half day
        ("2023-04-06", "2023-04-06 23:00", "2023-04-10 13:28"),  # Good Friday
        ("2022-12-30", "2022-12-31 00:00", "2023-01-03 14:28"),  # New Year, which Monday stands in for
    ],
)
def test_orders_for_the_auction_go_from_the_evening_to_before_the_next_opening(
    session: str, opens: str, closes: str
) -> None:
    window = send_window(AUCTION, date.fromisoformat(session), CALENDAR)
    assert window == SendWindow(instant(opens), instant(closes))


def test_the_window_of_every_session_lies_between_its_close_and_the_next_opening_and_none_meets_another() -> None:
    sessions = CALENDAR.between(date(2004, 1, 2), date(2026, 12, 31)).astype(object).tolist()
    before = None
    for session in sessions:
        window = send_window(AUCTION, session, CALENDAR)
        assert window.opens is not None
        assert window.closes is not None
        following = CALENDAR.next(session)
        assert CALENDAR.close(session) < window.opens < window.closes < CALENDAR.open(following)
        local = window.closes.astimezone(NEW_YORK)
        assert (local.date(), local.time()) == (following, time(9, 28))
        assert before is None or before < window.opens
        before = window.closes


def test_a_window_contains_its_first_instant_and_not_its_last() -> None:
    window = send_window(AUCTION, date(2023, 2, 8), CALENDAR)
    assert window.opens is not None
    assert window.closes is not None
    assert window.state(window.opens - BREATH) is WindowState.EARLY
    assert window.state(window.opens) is WindowState.OPEN
    assert window.state(window.closes - BREATH) is WindowState.OPEN
    assert window.state(window.closes) is WindowState.CLOSED
    assert ALWAYS.state(datetime(1990, 1, 1, tzinfo=UTC)) is WindowState.OPEN


@pytest.mark.parametrize("session", [date(2023, 2, 10), date(2023, 2, 11), date(2023, 7, 3), date(2024, 2, 28)])
def test_what_trades_every_day_goes_from_the_beginning_of_the_next_utc_day_on(session: date) -> None:
    opens = datetime.combine(session + timedelta(days=1), time(), UTC)
    assert send_window(COINS, session, CALENDAR) == SendWindow(opens, opens + timedelta(days=1))


def test_a_broker_that_says_nothing_takes_orders_at_any_time() -> None:
    assert send_window(Capabilities(STOCKS), date(2023, 2, 10), CALENDAR) == ALWAYS


@pytest.mark.parametrize(
    ("said", "opens", "closes"),
    [
        ({"send_from": time(8), "send_until": time(9, 25)}, "2023-02-13 13:00", "2023-02-13 14:25"),
        ({"send_until": time(9, 28)}, None, "2023-02-13 14:28"),
        ({"send_from": time(18)}, "2023-02-10 23:00", None),
        # Nothing is sent after the opening, so the last 20:00 before it counts.
        ({"send_from": time(17), "send_until": time(20)}, "2023-02-12 22:00", "2023-02-13 01:00"),
    ],
)
def test_other_hours_count_towards_the_next_opening_too(
    said: dict[str, time], opens: str | None, closes: str | None
) -> None:
    window = send_window(Capabilities(STOCKS, **said), date(2023, 2, 10), CALENDAR)
    assert window == SendWindow(opens and instant(opens), closes and instant(closes))


def test_a_day_without_a_session_counts_towards_the_session_after_it() -> None:
    saturday = send_window(AUCTION, date(2023, 2, 11), CALENDAR)
    assert saturday == SendWindow(instant("2023-02-12 00:00"), instant("2023-02-13 14:28"))


def test_several_brokers_are_sent_to_when_all_take_orders_or_else_the_first() -> None:
    stocks, coins = (send_window(broker, date(2023, 7, 11), CALENDAR) for broker in (AUCTION, COINS))
    assert send_moment([]) is None
    assert send_moment([ALWAYS]) is None
    assert send_moment([stocks]) == instant("2023-07-11 23:00")
    assert send_moment([stocks, ALWAYS, coins]) == instant("2023-07-12 00:00")
    brief = SendWindow(instant("2023-07-11 21:00"), instant("2023-07-11 22:00"))
    assert send_moment([stocks, brief, coins]) == instant("2023-07-11 21:00")
