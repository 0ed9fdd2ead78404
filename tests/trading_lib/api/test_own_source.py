"""A source of the user's own, given as a class or by its file."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

import trading_lib as tl
from tests.cases.own_source import House
from trading_lib.market_data.source import SourceAnswer


class Liar(House):
    """Has bars after the day it was asked for."""

    def bars(self, symbols: Sequence[str], first: date, last: date, as_of: datetime) -> SourceAnswer:
        return super().bars(symbols, first, date(2018, 12, 31), as_of)


def test_a_class_is_read_like_any_other_source() -> None:
    prices = tl.load_prices(source=House, end="2018-12-31")
    assert prices.data_source == "house"
    assert not prices.simulated
    assert set(prices.symbols) == {"SPY", "GLD"}
    assert "TLT" in prices.absent
    own = tl.backtest(prices, start="2018-01-02")
    simulated = tl.backtest(tl.load_prices(symbols=["SPY", "GLD"], end="2018-12-31"), start="2018-01-02")
    assert own.fills["price"].tolist() == simulated.fills["price"].tolist()
    assert len(own.fills) > 5


def test_a_file_is_found_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "house.py").write_text("from tests.cases.own_source import House\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert tl.load_prices(source="house.py:House", end="2018-12-31").data_source == "house"


def test_what_a_source_may_not_answer_is_refused() -> None:
    with pytest.raises(tl.ConfigurationError, match=r"Liar: bars has rows before .* or after 2018-06-29"):
        tl.load_prices(source=Liar, end="2018-06-29")
    with pytest.raises(tl.ConfigurationError, match="source builtins:dict has no method bars"):
        tl.load_prices(source=dict)


class Ending:
    """Asks for the end of the process, in its own way, instead of answering."""

    name = "ending"

    def __init__(self, universe: tl.Universe) -> None:
        pass

    def bars(self, *_: Any) -> Any:
        sys.exit(0)

    def macro(self, *_: Any) -> Any:
        os._exit(0)


class EndingAtOnce(Ending):
    def __init__(self, universe: tl.Universe) -> None:
        raise SystemExit


@pytest.mark.parametrize(("source", "message"), [(Ending, "broken: SystemExit"), (EndingAtOnce, "cannot be created")])
def test_a_source_cannot_end_the_process(source: type[Any], message: str) -> None:
    with pytest.raises(tl.ConfigurationError, match=message):
        tl.load_prices(source=source, start="2017-06-01", end="2017-12-29")
