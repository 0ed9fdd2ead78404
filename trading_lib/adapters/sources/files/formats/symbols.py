"""The symbol of a file or a cell. Input: a file's name or a ticker. Output: a symbol of the universe, or None."""

from __future__ import annotations

import re
from dataclasses import dataclass

from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.prices import VOLATILITY_INDEX

# Names of the volatility index; each vendor escapes the caret in its own way.
INDEX_NAMES = frozenset({"^VIX", "VIX", "_VIX", "$VIX", ".VIX", "VIX.INDX", "I:VIX", "VIXCURRENT"})
DOLLARS = ("USD", "USDT", "USDC", "BUSD", "FDUSD", "TUSD")
# Words that vendors put around the symbol; any other word means that a user named the file.
DECORATIONS = frozenset(
    {
        *("US", "D", "1D", "DAILY", "ADJUSTED", "HISTORY", "HISTORICAL", "DATA", "ETF", "STOCK", "PRICE", "PRICES"),
        *("QUOTE", "QUOTES", "MAX", "CSV", "TIME", "SERIES", "OHLC", "OHLCV", "BARS", "EOD", "INDEX", "CHART"),
        *("BATS", "AMEX", "ARCA", "NASDAQ", "NYSE", "CBOE", "DLY", "TVC", "SP", "YAHOO", "STOOQ", "TIINGO", "ALPACA"),
        *("BINANCE", "BITSTAMP", "COINBASE", "KRAKEN", "INDEX", "CRYPTO", "INVESTING", "COM", "IBKR", "IB", "TRADES"),
    }
)
_INTERVAL = re.compile(r"(?:\d+(?:[SMHW]|MIN|MO|HOUR)|HOURLY|WEEKLY|MONTHLY|MINUTE)")
_NUMBER = re.compile(r"\d+|[0-9A-F]{5,}")


@dataclass(frozen=True, slots=True)
class NamedSymbol:
    """What a name says.

    Attributes
    ----------
    symbol
        Of the universe, or ^VIX.
    quoted
        The pair as written ("BTCUSDT") where its quote currency is not the symbol's own, else "".
    exact
        Whether the name is the symbol itself, in whatever case.
    interval
        A bar size other than a day that the name states, else "".
    """

    symbol: str
    quoted: str = ""
    exact: bool = True
    interval: str = ""


class SymbolNames:
    """Reads names for one universe."""

    def __init__(self, universe: Universe) -> None:
        self._names: dict[str, NamedSymbol] = {name: NamedSymbol(VOLATILITY_INDEX) for name in INDEX_NAMES}
        for symbol in universe.symbols:
            self._add(symbol.upper(), NamedSymbol(symbol))
            base, _, quote = symbol.partition("-")
            if quote == "USD":
                self._add_pairs(symbol, base)
            else:
                self._add(f"{symbol.upper()}.US", NamedSymbol(symbol))

    def _add(self, name: str, meaning: NamedSymbol) -> None:
        self._names.setdefault(name, meaning)

    def _add_pairs(self, symbol: str, base: str) -> None:
        for quote in DOLLARS:
            for mark in ("", "-", "/", "_", ":"):
                pair = f"{base}{mark}{quote}".upper()
                self._add(pair, NamedSymbol(symbol, "" if quote == "USD" else pair))

    def of_cell(self, text: str) -> NamedSymbol | None:
        """Read a ticker such as "SPY", "SPY.US", "VIX" or "BTC/USDT"; None when it is no symbol of the universe."""
        return self._names.get(text.strip().upper())

    def of_file(self, stem: str) -> NamedSymbol | None:
        """Read a file's name without its suffix, such as "spy.us", "VIX_History" or "BTCUSDT-1d-2020-01".

        Returns
        -------
        None when no symbol or more than one is in it, or words that no vendor puts there.
        """
        whole = self.of_cell(stem)
        if whole:
            return whole
        parts = [
            word for word in re.split(r"[\s,;()\[\]-]+|(?<=[^\W_])_(?=\w)|(?<=\w)_(?=[^\W_])", stem.upper()) if word
        ]
        symbols = {}
        interval = ""
        for word in parts:
            meaning = self.of_cell(word)
            if meaning:
                symbols[meaning.symbol] = meaning
            elif _INTERVAL.fullmatch(word):
                interval = word
            elif word not in DECORATIONS and not _NUMBER.fullmatch(word):
                return None
        if len(symbols) != 1:
            return None
        (meaning,) = symbols.values()
        return NamedSymbol(meaning.symbol, meaning.quoted, exact=False, interval=interval)

    def hinted(self, stem: str) -> str | None:
        """Find the one symbol that is a word of ``stem``, whatever stands around it."""
        parts = re.split(r"[^A-Z0-9^.]+", stem.upper())
        symbols = {meaning.symbol for word in parts if (meaning := self.of_cell(word))}
        return next(iter(symbols)) if len(symbols) == 1 else None
