"""Binance keeps the broker contract through the real ccxt, on its own addresses, live and demo."""

from __future__ import annotations

import pytest

from tests.contracts.broker_contract import BrokerContract, BrokerHarness
from tests.peers.binance_account import BITCOIN, ETHER, BinanceAccount


class TestBinanceBroker(BrokerContract):
    @pytest.fixture(params=["live", "paper"])
    def harness(self, request: pytest.FixtureRequest) -> BrokerHarness:
        return BinanceAccount((BITCOIN, ETHER), request.param, fees_in="quote")
