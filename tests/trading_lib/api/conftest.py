"""What the tests of the Python interface share: no environment of the user's, and one year of simulated prices."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

import trading_lib as tl

START, END = "2018-01-02", "2018-12-31"


@pytest.fixture(scope="package", autouse=True)
def as_shipped() -> Iterator[None]:
    """Leave out what the environment says about configuration, folders and services."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("TRADING_") and name != "TRADING_REQUIRE_SHARED"]:
            patch.delenv(name)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield


@pytest.fixture(scope="package")
def prices(as_shipped: None) -> tl.Prices:
    return tl.load_prices(start=START, end=END)


@pytest.fixture(scope="package")
def result(prices: tl.Prices) -> tl.BacktestResult:
    return tl.backtest(prices)
