"""No secret leaves the process, wherever it stands in a line."""

from __future__ import annotations

import json
import time

import pytest

from trading_lib.adapters.logs.redaction import secret_values, secrets_in, without_secrets

SECRET = "hunter2-Geheim"


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://trader:{SECRET}@db/trading",
        f"redis://:{SECRET}@host:6379/0",
        f"postgresql://u:with@sign{SECRET}@host/x",
        f"GET https://api.example.com/v1?symbol=SPY&api_key={SECRET}&limit=5",
        f"https://x/y?key={SECRET}",
        f"https://x/y?apiKey={SECRET}",
        f"Authorization: Bearer {SECRET}",
        f"{{'Authorization': 'Basic {SECRET}'}}",
        f"sent bearer {SECRET}",
        f'{{"password": "{SECRET}", "user": "x"}}',
        f'{{"api_token": "{SECRET}"}}',
        f"TRADING_TIINGO_API_KEY={SECRET}",
        f"password: {SECRET}",
        f"client_secret = '{SECRET} with spaces'",
    ],
)
def test_what_stands_where_secrets_stand_is_struck(text: str) -> None:
    assert SECRET not in without_secrets(text)
    assert "***" in without_secrets(text)


@pytest.mark.parametrize(
    "text",
    [
        "polygon needs a key: set TRADING_POLYGON_API_KEY, or leave the source out",
        "TRADING_POLYGON_API_KEY: set it",
        "http://127.0.0.1:5000 is healthy",
        "unknown key risk.target_volatility",
        "order demo-2022-06-15-SPY refused: kill switch is on",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert without_secrets(text) == text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TRADING_FRED_API_KEY", SECRET),
        ("AIRFLOW__API_AUTH__JWT_SECRET", SECRET),
        ("AIRFLOW__CORE__FERNET_KEY", SECRET),
        ("TRADING_DATABASE_URL", f"postgresql://u:{SECRET}@h/d"),
        ("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps({"conn_type": "smtp", "password": SECRET})),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("SOME_TOKEN", SECRET),
    ],
)
def test_a_value_the_environment_holds_is_struck_wherever_it_turns_up(name: str, value: str) -> None:
    known = secret_values({name: value})
    assert without_secrets(f"the vendor said: <{SECRET}> is unknown", known) == "the vendor said: <***> is unknown"


def test_a_secret_is_struck_as_an_address_writes_it() -> None:
    known = secret_values({"X_PASSWORD": "p/ss wörd"})
    assert without_secrets("tried p%2Fss%20w%C3%B6rd", known) == "tried ***"


def test_values_that_are_no_secrets_are_left_alone() -> None:
    variables = {"LANG": "en_US.UTF-8", "AIRFLOW__CORE__PASSWORDS_FILE": "/opt/passwords.json", "X_TOKEN": "true"}
    assert secret_values(variables) == frozenset()


def test_the_secrets_of_a_json_file_are_those_under_telling_names() -> None:
    assert set(secrets_in({"admin_password": "abcdefg", "user": "admin", "more": [{"token_key": "xyz"}]})) == {
        "abcdefg",
        "xyz",
    }


def test_a_long_word_takes_no_time() -> None:
    began = time.perf_counter()
    assert without_secrets("T" * 100_000 + " my-api-key=abcdefgh") == "T" * 100_000 + " my-api-key=***"
    assert time.perf_counter() - began < 5
