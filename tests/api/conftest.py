"""What the tests of the Python interface share: no environment of the user's, and one year of simulated prices."""

from __future__ import annotations

import os

import pytest

import trading_lib as tl

START, END = "2018-01-02", "2018-12-31"


@pytest.fixture(autouse=True)
def no_settings_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TRADING_") and name != "TRADING_REQUIRE_SHARED"]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="package")
def prices() -> tl.Prices:
    return tl.load_prices(start=START, end=END)


@pytest.fixture(scope="package")
def result(prices: tl.Prices) -> tl.BacktestResult:
    return tl.backtest(prices)
