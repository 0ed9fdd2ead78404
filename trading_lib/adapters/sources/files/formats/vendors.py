"""Vendors recognised by their columns, as data: adjustment of their prices, and files without bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trading_lib.adapters.sources.files.formats.columns import key


@dataclass(frozen=True, slots=True)
class Vendor:
    """A layout that is recognised by its columns.

    Attributes
    ----------
    marks
        Columns (as `columns.key` writes them) that together are this vendor's and nobody else's.
    says
        What is known about its prices. Where its columns state no dividends, its users must say that they know.
    """

    name: str
    marks: frozenset[str]
    says: str


def _vendor(name: str, marks: str, says: str) -> Vendor:
    return Vendor(name, frozenset(marks.split()), says)


# The first that fits counts. docs/data/real-data.md has the source of each.
VENDORS: Sequence[Vendor] = (
    _vendor("Tiingo", "divcash splitfactor adjclose", "raw prices with dividends and splits"),
    _vendor("Alpha Vantage", "dividendamount splitcoefficient", "raw prices with dividends and splits"),
    _vendor("Nasdaq Data Link", "exdividend splitratio adjclose", "raw prices with dividends and splits"),
    _vendor("Stooq bulk file", "ticker per date vol openint", "split and dividend adjustment as chosen at Stooq"),
    _vendor("Nasdaq.com", "closelast date", "split-adjusted prices, no dividends"),
    _vendor("Investing.com", "date price vol change", "split-adjusted prices, no dividends"),
    _vendor("Investing.com", "datum zuletzt hoch tief", "split-adjusted prices, no dividends"),
    _vendor("Barchart", "time open high low last", "split-adjusted prices, no dividends"),
    _vendor("Binance klines", "opentime closetime ignore", "days in UTC"),
    _vendor("Alpaca", "timestamp tradecount vwap", "adjustment as asked for, no dividends"),
    _vendor("Alpha Vantage", "timestamp open high low close volume", "raw prices, no dividends or splits"),
    _vendor("TradingView", "time open high low close", "split-adjusted prices, no dividends"),
    _vendor("Interactive Brokers", "date open high low close barcount", "split-adjusted trades, no dividends"),
    _vendor("Interactive Brokers", "date open high low close wap", "split-adjusted trades, no dividends"),
    _vendor("Polygon flat file", "windowstart transactions", "raw prices, no dividends or splits"),
    _vendor("Yahoo", "date dividends stocksplits", "split-adjusted prices with dividends"),
)
YFINANCE_DOWNLOAD = Vendor("yfinance.download", frozenset(), "split-adjusted prices, of dividends too unless Adj Close")
# Statements about an account: what was traded and held, at which price, but no open, high and low of days.
STATEMENT_MARKS = frozenset(
    {"clientaccountid", "accountid", "conid", "ibcommission", "ibexecid", "fifopnlrealized", "buysell", "markprice"}
)
STATEMENT_STARTS = frozenset({"bof", "boa", "bos", "header", "statement"})


def vendor_of(written: Sequence[str]) -> Vendor | None:
    """Recognise the vendor by its columns; None when they fit none in particular."""
    keys = {key(name) for name in written}
    return next((vendor for vendor in VENDORS if vendor.marks <= keys), None)


def is_statement(written: Sequence[str]) -> bool:
    """Whether these are the columns of a Flex query or an activity statement of Interactive Brokers."""
    keys = [key(name) for name in written]
    return len(STATEMENT_MARKS & set(keys)) >= 2 or bool(keys and keys[0] in STATEMENT_STARTS)
