"""Alpaca's adapter keeps the contract on the broker simulator, through the real alpaca-py."""

from __future__ import annotations

import pytest

from tests.contracts.broker_contract import BrokerContract, BrokerHarness
from tests.peers.alpaca_account import AlpacaAccount


class TestAlpaca(BrokerContract):
    @pytest.fixture
    def harness(self) -> BrokerHarness:
        return AlpacaAccount()
