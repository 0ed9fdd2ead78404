"""`proceeds.yaml` of a data folder: what its symbols that ended brought. Input: folder. Output: `Proceeds`.

::

    - symbol: XLK
      session: 2016-07-15
      amount_per_share: 43.21     # dollars; 0 for what became worthless
      note: merger paid in cash
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from trading_lib.adapters.sources.files.folder_lists import read_list
from trading_lib.domain.book.proceeds import Proceeds, amount_of_dollars
from trading_lib.domain.errors import DataFileError, InputError, TradingError
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.sessions import exchange_sessions

PROCEEDS_NAME = "proceeds.yaml"
KEYS = ("symbol", "session", "amount_per_share", "note")


def read_proceeds(folder: Path, universe: Universe) -> tuple[Proceeds, ...]:
    """Read what a folder lists, by session and symbol; empty where it has no such file.

    Raises
    ------
    DataFileError
        Broken YAML, an unknown key or symbol, a day that is no session, an amount that is no number or negative, or a
        symbol that is closed twice in a session; names file and entry.
    """
    path = folder / PROCEEDS_NAME
    entries = [_entry(path, number, item, universe) for number, item in enumerate(read_list(path), start=1)]
    for (symbol, session), count in Counter((entry.symbol, entry.session) for entry in entries).items():
        if count > 1:
            raise DataFileError(f"{path}: {symbol} is closed {count} times on {session}", "keep one of the entries")
    return tuple(sorted(entries, key=lambda entry: (entry.session, entry.symbol)))


def _entry(path: Path, number: int, item: Any, universe: Universe) -> Proceeds:
    where = f"{path}, entry {number}"
    if not isinstance(item, dict) or any(key not in KEYS for key in item) or any(k not in item for k in KEYS[:3]):
        raise DataFileError(f"{where} is no mapping with {', '.join(KEYS)}", "name symbol, session, amount_per_share")
    if item["symbol"] not in universe.positions:
        raise DataFileError(f"{where}: {item['symbol']!r} is not in the universe", "use a symbol of universe.yaml")
    return Proceeds(
        symbol=str(item["symbol"]),
        session=_session(where, item["session"]),
        amount_per_share=_amount(where, item["amount_per_share"]),
        note=str(item.get("note") or ""),
    )


def _session(where: str, value: Any) -> date:
    try:
        day = value if type(value) is date else date.fromisoformat(str(value))
        exchange_sessions().position(day)
    except (ValueError, TradingError) as error:
        raise DataFileError(f"{where}: session {value!r} is no trading session ({error})", "write YYYY-MM-DD") from None
    return day


def _amount(where: str, value: Any) -> Decimal:
    try:
        return amount_of_dollars(value)
    except InputError as error:
        raise DataFileError(f"{where}: amount_per_share {error.problem}", error.remedy) from None
