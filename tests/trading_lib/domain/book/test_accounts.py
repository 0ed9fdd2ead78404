"""Accounts of a book: which trades what, whose cash it is, and what no configuration may say."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.builders.settings import configured
from trading_lib.adapters.files.include_folder import include_folder
from trading_lib.domain.book.accounts import Account, Accounts
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.errors import ConfigurationError, InputError
from trading_lib.domain.market.instruments import AssetClass
from trading_lib.workflows.setup.configuration import load_configuration

ETF = Account("etf", asset_classes=(AssetClass.US_ETF,), share=Decimal("0.7"))
COINS = Account("coins", asset_classes=(AssetClass.CRYPTO,), share=Decimal("0.3"))
TWO = Accounts((ETF, COINS))
MAIN = {"name": "main", "asset_classes": ["US_ETF", "CRYPTO"]}


def test_initial_cash_is_shared_out_to_the_cent() -> None:
    shared = TWO.opening_cash(Decimal("100.05"))
    assert shared == {"etf": Decimal("70.04"), "coins": Decimal("30.01")}
    assert Accounts().opening_cash(Decimal("100.05")) == {"main": Decimal("100.05")}


def test_a_book_with_one_account_keeps_no_mapping() -> None:
    book = Portfolio.opened(date(2024, 1, 8), Decimal(100), Accounts().opening_cash(Decimal(100)))
    assert book.accounts == {}
    assert book.cash_by_account("alpaca") == {"alpaca": 100}
    renamed = Accounts((replace(Account(), name="alpaca"),))
    assert renamed.cash_of(book) == {"alpaca": 100}


def test_an_account_added_later_is_empty_and_one_that_holds_cash_cannot_be_left_out() -> None:
    book = Portfolio.opened(date(2024, 1, 8), Decimal(100), TWO.opening_cash(Decimal(100)))
    assert TWO.cash_of(book) == {"etf": 70, "coins": 30}
    three = Accounts((*TWO.accounts, Account("more")))
    assert three.cash_of(book)["more"] == 0
    with pytest.raises(InputError, match=r"account coins holds \$30.00 on 2024-01-08 and is not in execution.yaml"):
        Accounts((ETF,)).cash_of(replace(book, accounts={"etf": Decimal(70), "coins": Decimal(30)}))


def test_each_class_is_traded_in_its_account() -> None:
    assert TWO.of_class(AssetClass.CRYPTO) is COINS
    assert TWO.of_class(AssetClass.US_ETF) is ETF
    with pytest.raises(InputError, match=r"no account 'coin' in execution.yaml: did you mean coins"):
        TWO.named("coin")


@pytest.mark.parametrize(
    ("accounts", "message"),
    [
        ([MAIN | {"asset_classes": ["US_ETF"]}], "no account trades CRYPTO, which universe.yaml holds"),
        ([MAIN, MAIN | {"name": "b"}], "accounts main and b both trade US_ETF"),
        ([MAIN, MAIN], "account main is listed twice"),
        ([MAIN | {"broker": "alpcaa"}], "account main names broker 'alpcaa', which is none of paper"),
        ([MAIN | {"currency": "EUR"}], "account main is kept in EUR, and books are kept in USD"),
        ([MAIN | {"share": 0.5}], "the shares of the accounts add up to 0.5, not 1"),
        ([], "accounts: .*at least 1 item"),
        ([MAIN | {"asset_classes": ["BONDS"]}], "accounts.0.asset_classes.0: .*BONDS"),
        ([MAIN | {"bank": "x"}], "unknown key accounts.0.bank"),
    ],
)
def test_accounts_that_cannot_be_are_one_line(tmp_path: Path, accounts: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as refused:
        load_configuration(configured(tmp_path, accounts), {})
    assert refused.value.exit_code == 2
    assert "\n" not in str(refused.value)


def test_one_account_changes_no_hash_and_two_do(tmp_path: Path) -> None:
    shipped = load_configuration(include_folder() / "config", {})
    assert shipped.accounts == Accounts()
    for accounts in (None, [MAIN | {"name": "renamed"}]):
        assert load_configuration(configured(tmp_path, accounts), {}).config_hash == shipped.config_hash
    two = [MAIN | {"asset_classes": ["US_ETF"], "share": 0.7}, {"name": "c", "asset_classes": ["CRYPTO"], "share": 0.3}]
    found = load_configuration(configured(tmp_path, two), {})
    assert found.config_hash != shipped.config_hash
    assert found.accounts.names == ("main", "c")
