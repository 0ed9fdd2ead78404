"""Deposits and withdrawals of a backtest. Input: a CSV or YAML file. Output: `Flow`.

::

    session,amount,account
    2015-07-01,25000,main
    2016-01-04,-10000.50,main

A negative amount is a withdrawal. ``account`` may be left out where there is one, and a column ``to`` names where a
transfer goes. The same as YAML is a list of mappings with these keys.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from trading_lib.adapters.sources.files.folder_lists import read_list
from trading_lib.domain.book.accounts import Accounts
from trading_lib.domain.book.flows import Flow, flow_amount
from trading_lib.domain.errors import DataFileError, InputError, TradingError
from trading_lib.domain.market.sessions import exchange_sessions

KEYS = ("session", "amount", "account", "to")


def read_flows(path: Path, accounts: Accounts) -> tuple[Flow, ...]:
    """Read a file of flows, by session.

    Raises
    ------
    DataFileError
        When the file cannot be read, or an entry is none: an unknown key or account, a day that is no session, an
        amount of 0 or of fractions of a cent; names file and entry.
    """
    if not path.is_file():
        raise DataFileError(
            f"flows file {path} does not exist", "give a CSV or YAML file; see docs/research/backtest.md"
        )
    entries = read_list(path) if path.suffix in (".yaml", ".yml") else _rows(path)
    flows = [_flow(f"{path}, entry {number}", entry, accounts) for number, entry in enumerate(entries, start=1)]
    return tuple(sorted(flows, key=lambda flow: flow.session))


def _rows(path: Path) -> list[Any]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [{key: value for key, value in row.items() if value != ""} for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataFileError(f"flows file {path} cannot be read ({error})", "save it as UTF-8 CSV") from None


def _flow(where: str, entry: Any, accounts: Accounts) -> Flow:
    if not isinstance(entry, Mapping) or any(key not in KEYS for key in entry):
        raise DataFileError(f"{where} is not of {', '.join(KEYS)}", "name session and amount")
    if any(entry.get(key) is None for key in KEYS[:2]):
        raise DataFileError(f"{where} has no {' or no '.join(KEYS[:2])}", "name both")
    try:
        given = str(entry["amount"]).strip()
        leaves = given.startswith("-")
        amount = flow_amount(given.removeprefix("-"))
        account = accounts.named(str(entry["account"])).name if "account" in entry else _only(accounts)
        target = accounts.named(str(entry["to"])).name if "to" in entry else None
        if target is not None and leaves:
            raise InputError("a transfer has no negative amount", "exchange account and to")
        day = _session(entry["session"])
        if target is None and not leaves:
            return Flow(day, amount, target=account)
        return Flow(day, amount, account, target)
    except TradingError as error:
        raise DataFileError(f"{where}: {error.problem}", error.remedy) from None


def _only(accounts: Accounts) -> str:
    if len(accounts.names) > 1:
        raise InputError("there are several accounts", f"name one with account: {', '.join(accounts.names)}")
    return accounts.names[0]


def _session(value: Any) -> date:
    try:
        day = value if type(value) is date else date.fromisoformat(str(value).strip())
    except ValueError:
        raise InputError(f"session {value!r} is no date", "write YYYY-MM-DD") from None
    exchange_sessions().position(day)
    return day
