"""What a person reads: what, where, when, and how to answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from tests.cases.alerts import NOON, stored
from trading_lib.monitoring.alert import AlertLevel, Picture
from trading_lib.monitoring.templates import MOST_IN_DIGEST, digest, single


def test_a_failure_says_error_session_book_and_link() -> None:
    entry = stored(7, session=date(2026, 3, 2), book="paper", link="http://127.0.0.1:8080/log")
    message = single(entry, 1, NOON)
    for shown in ("ValueError: no bar of SPY", "2026-03-02", "paper", "http://127.0.0.1:8080/log", "alerts ack 7"):
        assert shown in message.text
        assert shown in message.html
    assert message.title == "fault 7"


def test_an_escalated_one_says_for_how_long() -> None:
    assert "not acknowledged for 5 min" in single(stored(), 2, NOON + timedelta(minutes=5)).title


def test_text_that_looks_like_html_is_shown_not_run() -> None:
    entry = stored(text="<script>alert(1)</script>", link="javascript:alert(1)")
    page = single(entry, 1, NOON).html
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "href" not in page


def test_a_summary_shows_its_pictures_and_asks_for_no_answer() -> None:
    message = single(stored(level=AlertLevel.INFO, pictures=(Picture("equity", b"png"),)), 1, NOON)
    assert 'src="cid:equity.png"' in message.html
    assert message.pictures == (Picture("equity", b"png"),)
    assert "ack" not in message.text


def test_a_digest_begins_with_the_gravest_and_ends_somewhere() -> None:
    entries = [stored(number, AlertLevel.WARNING) for number in range(MOST_IN_DIGEST + 10)]
    message = digest([*entries, stored(99)], 1, NOON)
    assert message.level is AlertLevel.CRITICAL
    assert message.title == f"{MOST_IN_DIGEST + 11} more alerts, the gravest critical: fault 99"
    assert message.text.startswith("[critical] fault 99")
    assert "And 11 more: trading alerts list" in message.text


def test_a_digest_says_how_often() -> None:
    entry = replace(stored(), occurrences=3)
    assert "Times: 3" in digest([entry, stored(2)], 1, NOON).text
