"""Recorded bodies hold neither keys nor the account's number, and are short whatever a broker answers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_lib.adapters.brokers.shared.bodies import LONGEST_BODY, LONGEST_SEARCHED, recorded
from trading_lib.adapters.logs.redaction import STRUCK

NUMBER = "PA3WXYZ12345"
SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCY"


def test_an_order_is_recorded_as_it_was_written() -> None:
    body = '{"id": "904837e3", "client_order_id": "20230210-SPY-B0-d0b821121d", "qty": "10", "status": "new"}'
    assert recorded(body, [SECRET]) == body


@pytest.mark.parametrize("field", ["account_number", "account_id", "uid", "email"])
@pytest.mark.parametrize("value", [json.dumps(NUMBER), '"with \\" a quote"', "123456789"])
def test_fields_that_name_the_account_are_struck(field: str, value: str) -> None:
    body = f'{{"{field}": {value}, "cash": "100"}}'
    assert json.loads(recorded(body)) == {field: STRUCK, "cash": "100"}


def test_the_number_is_struck_out_of_a_body_that_is_cut_off() -> None:
    assert NUMBER[:6] not in recorded(f'{{"status": "ACTIVE", "account_number": "{NUMBER[:6]}')


def test_secrets_are_struck_wherever_they_stand() -> None:
    text = recorded(f"<html>forbidden for {SECRET} of {NUMBER}</html>", [SECRET, NUMBER, ""])
    assert text == f"<html>forbidden for {STRUCK} of {STRUCK}</html>"


def test_a_secret_at_the_place_of_the_cut_is_struck_before_it_is_cut() -> None:
    text = recorded("x" * (LONGEST_BODY - 40) + SECRET * 3, [SECRET])
    assert SECRET[:4] not in text


def test_a_long_body_is_cut_and_says_so() -> None:
    text = recorded("é" * 10_000)
    assert len(text.encode()) <= LONGEST_BODY
    assert text.endswith("[cut, of 10000 characters]")
    assert recorded("x" * LONGEST_BODY) == "x" * LONGEST_BODY


def test_a_page_that_shrinks_by_redaction_still_says_that_it_is_cut() -> None:
    assert recorded(SECRET * (LONGEST_SEARCHED // len(SECRET) + 1), [SECRET]).endswith("characters]")


def test_what_a_database_cannot_store_is_replaced() -> None:
    assert recorded(b"a\x00b\xffc\nd") == "a?b�c\nd"
    assert recorded("half \ud800 of a pair") == "half ? of a pair"


@given(st.one_of(st.text(max_size=300), st.binary(max_size=300)), st.integers(1, 60))
def test_any_body_is_recorded_within_its_bound(part: str | bytes, times: int) -> None:
    text = recorded(part * times, [SECRET])
    assert len(text.encode()) <= LONGEST_BODY
    assert "\x00" not in text
