"""Binance's limit and stop orders keep the contract through the real ccxt."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.contracts.priced_order_contract import PricedHarness, PricedOrderContract
from tests.peers.binance_account import BITCOIN, ETHER, BinanceAccount

PAIRS = {"BTC-USD": "BTCUSDT", "ETH-USD": "ETHUSDT"}


class PricedAccount(BinanceAccount):
    def price(self, symbol: str) -> Decimal:
        return self.simulator.exchange.price(PAIRS[symbol])


class TestBinancePricedOrders(PricedOrderContract):
    @pytest.fixture
    def harness(self) -> PricedHarness:
        return PricedAccount((BITCOIN, ETHER), fees_in="quote")
