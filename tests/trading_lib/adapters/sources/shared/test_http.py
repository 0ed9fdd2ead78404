"""What a vendor's answer means, apart from any vendor."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_lib.adapters.sources.shared.http import DETAIL_LENGTH, KeyFilter, Vendor, looks_like_html, retry_after
from trading_lib.domain.errors import RateLimitedError, SourceRefusedError, SourceUnavailableError

VENDOR = Vendor("vendor", "TRADING_VENDOR_API_KEY", "k3y-of-16-letters")


@given(st.integers(100, 599), st.text(max_size=400), st.text(max_size=200))
def test_no_answer_makes_a_message_of_two_lines_or_with_the_key(status: int, before: str, after: str) -> None:
    message = str(VENDOR.status_error("SPY", status, {}, f"{before}{VENDOR.key}{after}"))
    assert VENDOR.key not in message
    assert len(message.splitlines()) == 1
    assert len(message) < DETAIL_LENGTH + 150
    assert message.startswith(f"vendor: SPY: HTTP {status}")


@given(st.integers(300, 599))
def test_every_status_is_either_worth_another_attempt_or_not(status: int) -> None:
    error = VENDOR.status_error("SPY", status, {}, "")
    assert error.transient == isinstance(error, (RateLimitedError, SourceUnavailableError))
    assert error.transient == (status in (408, 418, 425, 429) or status >= 500)


def test_the_vendors_own_words_are_shown_whatever_field_they_are_in() -> None:
    for body in ('{"detail": "no plan"}', '{"error": "no plan"}', '{"error_message": "no plan"}', "no plan"):
        assert "(no plan)" in str(VENDOR.status_error("SPY", 403, {}, body))
    assert "sorry" not in str(VENDOR.status_error("SPY", 500, {}, "<html><body>sorry</body></html>"))


def test_only_a_vendor_with_a_key_has_its_key_blamed() -> None:
    without = Vendor("exchange").status_error("BTC-USD", 403, {}, "")
    assert isinstance(without, SourceRefusedError)
    assert "key" not in str(without)
    assert "TRADING_VENDOR_API_KEY" in str(VENDOR.status_error("SPY", 401, {}, ""))
    wrong_key = VENDOR.status_error("DFF", 400, {}, '{"error_message": "variable api_key is not registered"}')
    assert isinstance(wrong_key, SourceRefusedError)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "17"}, 17.0),
        ({"retry-after": " 2.5 "}, 2.5),
        ({"Retry-After": "Wed, 01 Jun 2022 00:01:00 GMT", "Date": "Wed, 01 Jun 2022 00:00:18 GMT"}, 42.0),
        ({"Retry-After": "Wed, 01 Jun 2022 00:00:00 GMT", "Date": "Wed, 01 Jun 2022 00:00:18 GMT"}, 0.0),
        ({"Retry-After": "Wed, 01 Jun 2022 00:01:00 GMT"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "1" * 400}, None),
        ({}, None),
    ],
)
def test_the_wait_asked_for(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


@pytest.mark.parametrize("body", ["<!DOCTYPE html><p>", "  <html lang=en>", "<HTML>", "\n<body>"])
def test_web_pages_are_recognised(body: str) -> None:
    assert looks_like_html(body)
    assert not looks_like_html(f'{{"page": "{body}"}}')


def test_keys_in_addresses_are_struck_from_log_records() -> None:
    record = logging.LogRecord("x", logging.DEBUG, "", 1, '"GET %s" %d', ("/fred?api_key=abc123&x=1", 200), None)
    assert KeyFilter().filter(record)
    assert record.getMessage() == '"GET /fred?api_key=***&x=1" 200'
    untouched = logging.LogRecord("x", logging.DEBUG, "", 1, "%s", ("plain",), None)
    KeyFilter().filter(untouched)
    assert untouched.getMessage() == "plain"
