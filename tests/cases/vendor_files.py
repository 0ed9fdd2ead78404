"""One small market written in the shapes that vendors export. Input: bars. Output: files of a folder.

Every renderer keeps the vendor's own columns, order, dates and marks; docs/data/real-data.md names where each was read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from trading_lib.domain.market.sessions import exchange_sessions

FIRST, LAST = date(2014, 1, 2), date(2016, 6, 30)
SPLIT_DAY = "2015-09-15"
ETFS = ("SPY", "XLK", "GLD")
COIN, INDEX = "BTC-USD", "^VIX"
SYMBOLS = (*ETFS, COIN, INDEX)
PRICES = ["open", "high", "low", "close"]
Bars = Mapping[str, pd.DataFrame]


def market() -> dict[str, pd.DataFrame]:
    """Symbol -> date, the prices as traded, volume, dividend and split; one split of XLK, dividends of SPY and XLK."""
    generator = np.random.default_rng(20160615)
    sessions = exchange_sessions().between(FIRST, LAST).astype("datetime64[ns]")
    every_day = np.arange(np.datetime64(FIRST), np.datetime64(LAST) + 1).astype("datetime64[ns]")
    bars = {}
    for symbol, start, drift in (("SPY", 180, 6e-4), ("XLK", 90, 9e-4), ("GLD", 120, 3e-4), (COIN, 800, 8e-4)):
        days = every_day if symbol == COIN else sessions
        close = start * np.exp(np.cumsum(generator.normal(drift, 0.006, len(days))))
        opening = np.r_[close[0], close[:-1]] * np.exp(generator.normal(0, 0.001, len(days)))
        spread = np.abs(generator.normal(0, 0.002, (2, len(days))))
        split = np.ones(len(days))
        dividend = np.zeros(len(days))
        if symbol in ("SPY", "XLK"):
            dividend[55::63] = 0.75
        scale = np.ones(len(days))
        if symbol == "XLK":
            at = int(np.searchsorted(days, np.datetime64(SPLIT_DAY)))
            split[at], scale[at:] = 2.0, 0.5
        columns = {
            "date": days,
            "open": (opening * scale).round(2),
            "high": (np.maximum(opening, close) * (1 + spread[0]) * scale + 0.01).round(2),
            "low": (np.minimum(opening, close) * (1 - spread[1]) * scale - 0.01).round(2),
            "close": (close * scale).round(2),
            "volume": generator.integers(100, 900, len(days)) * 10_000.0,
            "dividend": dividend,
            "split": split,
        }
        bars[symbol] = pd.DataFrame(columns)
    level = (15 + 2 * np.sin(np.arange(len(sessions)) / 30)).round(2)
    index = {
        "date": sessions,
        "open": level,
        "high": (level + 1).round(2),
        "low": (level - 1).round(2),
        "close": level,
        "volume": 0.0,
    }
    bars[INDEX] = pd.DataFrame(index).assign(dividend=0.0, split=1.0)
    return bars


def split_adjusted(bars: Bars) -> dict[str, pd.DataFrame]:
    """The market with prices, dividends and volumes in shares after the split, as most vendors show them."""
    result = {}
    for symbol, frame in bars.items():
        later = frame["split"][::-1].cumprod()[::-1].shift(-1, fill_value=1.0)
        changed = frame[[*PRICES, "dividend"]].div(later, axis=0).round(4)
        result[symbol] = frame.assign(**changed, volume=frame["volume"] * later, split=1.0)
    return result


def prices_alone(bars: Bars) -> dict[str, pd.DataFrame]:
    """The split-adjusted market without its dividends, in cents."""
    return {
        symbol: frame.assign(**frame[PRICES].round(2), dividend=0.0) for symbol, frame in split_adjusted(bars).items()
    }


def adjusted_close(frame: pd.DataFrame) -> pd.Series:
    """Close adjusted backwards for splits and dividends."""
    before = frame["close"].shift(1)
    step = (1 - frame["dividend"] * frame["split"] / before).fillna(1.0) / frame["split"]
    factor = step[::-1].cumprod()[::-1].shift(-1, fill_value=1.0)
    return frame["close"] * factor


def canonical(folder: Path, bars: Bars, symbols: tuple[str, ...] = SYMBOLS) -> None:
    """Write the project's own form, one file per symbol."""
    folder.mkdir(parents=True, exist_ok=True)
    for symbol in symbols:
        bars[symbol].to_csv(folder / f"{symbol}.csv", index=False)


def _days(frame: pd.DataFrame, form: str) -> pd.Series:
    return frame["date"].dt.strftime(form)


def _write(path: Path, columns: Mapping[str, object], **how: object) -> None:
    pd.DataFrame(columns).to_csv(path, index=False, **how)  # type: ignore[call-overload]


def tiingo(folder: Path, bars: Bars, form: str = "%Y-%m-%d") -> None:
    for symbol in ETFS:
        f = bars[symbol]
        adjusted = adjusted_close(f)
        ratio = adjusted / f["close"]
        columns = {"date": _days(f, form), **{n: f[n] for n in ("close", "high", "low", "open")}}
        columns |= {"volume": f["volume"].astype(int), "adjClose": adjusted}
        columns |= {f"adj{n.title()}": f[n] * ratio for n in ("high", "low", "open")}
        columns |= {"adjVolume": f["volume"].astype(int), "divCash": f["dividend"], "splitFactor": f["split"]}
        _write(folder / f"{symbol}.csv", columns)


def tiingo_stamped(folder: Path, bars: Bars) -> None:
    tiingo(folder, bars, "%Y-%m-%dT00:00:00.000Z")


def alpha_vantage(folder: Path, bars: Bars) -> None:
    for symbol in ETFS:
        f = bars[symbol].assign(adjusted=adjusted_close(bars[symbol]))[::-1]
        columns = {"timestamp": _days(f, "%Y-%m-%d"), **{n: f[n].map("{:.4f}".format) for n in PRICES}}
        columns |= {"adjusted_close": f["adjusted"], "volume": f["volume"].astype(int)}
        columns |= {"dividend_amount": f["dividend"], "split_coefficient": f["split"]}
        _write(folder / f"daily_adjusted_{symbol}.csv", columns)


def alpha_vantage_daily(folder: Path, bars: Bars) -> None:
    for symbol in ETFS:
        f = bars[symbol][::-1]
        columns = {"timestamp": _days(f, "%Y-%m-%d"), **{n: f[n] for n in PRICES}, "volume": f["volume"].astype(int)}
        _write(folder / f"daily_{symbol}.csv", columns)


def data_link(folder: Path, bars: Bars) -> None:
    for symbol in ETFS:
        f = bars[symbol]
        columns = {"Date": _days(f, "%Y-%m-%d"), **{n.title(): f[n] for n in PRICES}, "Volume": f["volume"]}
        columns |= {"Ex-Dividend": f["dividend"], "Split Ratio": f["split"]}
        columns |= {f"Adj. {n.title()}": f[n] for n in PRICES[:3]}
        columns |= {"Adj. Close": adjusted_close(f), "Adj. Volume": f["volume"]}
        _write(folder / f"{symbol}.csv", columns)


def _yahoo_columns(f: pd.DataFrame, dates: pd.Series) -> dict[str, object]:
    columns: dict[str, object] = {"Date": dates, **{n.title(): f[n] for n in PRICES}}
    return columns | {"Adj Close": adjusted_close(f), "Volume": f["volume"].astype(int)}


def yahoo_site(folder: Path, bars: Bars) -> None:
    for symbol in ETFS:
        f = bars[symbol]
        _write(folder / f"{symbol}.csv", _yahoo_columns(f, _days(f, "%Y-%m-%d")))


def yfinance_history(folder: Path, bars: Bars) -> None:
    for symbol in SYMBOLS:
        f = bars[symbol]
        zone = "UTC" if symbol == COIN else "America/Chicago" if symbol == INDEX else "America/New_York"
        columns = _yahoo_columns(f, f["date"].dt.tz_localize(zone).astype(str))
        columns |= {"Dividends": f["dividend"], "Stock Splits": 0.0}
        columns |= {"Capital Gains": 0.0} if symbol in ETFS else {}
        _write(folder / f"{symbol}.csv", columns)


def _download_frame(bars: Bars, symbols: tuple[str, ...]) -> pd.DataFrame:
    fields = ["Adj Close", "Close", "High", "Low", "Open", "Volume"]
    pieces = {}
    for symbol in symbols:
        f = bars[symbol].assign(adj=adjusted_close(bars[symbol])).set_index("date")
        for field in fields:
            pieces[field, symbol] = f["adj" if field == "Adj Close" else field.lower()]
    frame = pd.DataFrame(pieces)[[(field, symbol) for field in fields for symbol in symbols]]
    frame.columns = pd.MultiIndex.from_tuples(list(frame.columns), names=["Price", "Ticker"])
    return frame.rename_axis("Date")


def yfinance_download(folder: Path, bars: Bars) -> None:
    for symbol in SYMBOLS:
        _download_frame(bars, (symbol,)).to_csv(folder / f"{symbol}.csv")


def yfinance_download_all(folder: Path, bars: Bars) -> None:
    _download_frame(bars, SYMBOLS).to_csv(folder / "prices.csv")


def yfinance_download_by_ticker(folder: Path, bars: Bars) -> None:
    frame = _download_frame(bars, SYMBOLS).swaplevel(axis=1).sort_index(axis=1)
    frame.to_csv(folder / "prices.csv")


def yfinance_download_alone(folder: Path, bars: Bars) -> None:
    for symbol in ETFS:
        _download_frame(bars, (symbol,)).drop(columns="Adj Close", level=0).to_csv(folder / f"{symbol}.csv")


def eodhd(folder: Path, bars: Bars) -> None:
    for symbol in ETFS:
        f = bars[symbol]
        columns = {"Date": _days(f, "%Y-%m-%d"), **{n.title(): f[n] for n in PRICES}}
        columns |= {"Adjusted_close": adjusted_close(f), "Volume": f["volume"].astype(int)}
        _write(folder / f"{symbol}.US.csv", columns)


def stooq_site(folder: Path, bars: Bars) -> None:
    for symbol in ETFS:
        f = bars[symbol]
        columns = {"Date": _days(f, "%Y-%m-%d"), **{n.title(): f[n] for n in PRICES}, "Volume": f["volume"].astype(int)}
        _write(folder / f"{symbol.lower()}_us_d.csv", columns, lineterminator="\r\n")


def stooq_bulk(folder: Path, bars: Bars, separator: str = ",") -> None:
    for symbol in ETFS:
        f = bars[symbol]
        columns = {"<TICKER>": f"{symbol}.US", "<PER>": "D", "<DATE>": _days(f, "%Y%m%d"), "<TIME>": "000000"}
        columns |= {f"<{n.upper()}>": f[n] for n in PRICES} | {"<VOL>": f["volume"].astype(int), "<OPENINT>": 0}
        _write(folder / f"{symbol.lower()}.us.txt", columns, sep=separator, lineterminator="\r\n")


def stooq_bulk_semicolons(folder: Path, bars: Bars) -> None:
    stooq_bulk(folder, bars, ";")


def nasdaq(folder: Path, bars: Bars) -> None:
    for symbol in ETFS:
        f = bars[symbol][::-1]
        money = {n: "$" + f[n].map("{:.2f}".format) for n in PRICES}
        columns = {"Date": _days(f, "%m/%d/%Y"), "Close/Last": money["close"], "Volume": f["volume"].astype(int)}
        _write(folder / f"{symbol}.csv", columns | {n.title(): money[n] for n in PRICES[:3]})


def investing(folder: Path, bars: Bars) -> None:
    for symbol in (*ETFS, INDEX):
        f = bars[symbol][::-1]
        text = {n: f[n].map("{:,.2f}".format) for n in PRICES}
        volume = (f["volume"] / 1e6).map("{:.2f}M".format) if symbol != INDEX else ""
        columns = {"Date": _days(f, "%m/%d/%Y"), "Price": text["close"], **{n.title(): text[n] for n in PRICES[:3]}}
        name = "VIX" if symbol == INDEX else f"{symbol} ETF Stock Price History"
        _write(folder / f"{name}.csv", columns | {"Vol.": volume, "Change %": "0.35%"}, quoting=1, encoding="utf-8-sig")


def investing_german(folder: Path, bars: Bars) -> None:
    for symbol in ETFS:
        f = bars[symbol][::-1]
        text = {n: f[n].map("{:.2f}".format).str.replace(".", ",") for n in PRICES}
        volume = (f["volume"] / 1e6).map("{:.2f}M".format).str.replace(".", ",")
        columns = {"Datum": _days(f, "%d.%m.%Y"), "Zuletzt": text["close"], "Eröffn.": text["open"]}
        columns |= {"Hoch": text["high"], "Tief": text["low"], "Vol.": volume, "+/- %": "0,35%"}
        _write(folder / f"{symbol}.csv", columns, quoting=1, encoding="utf-8-sig")


def _opening_instant(f: pd.DataFrame) -> pd.Series:
    local = (f["date"] + pd.Timedelta(hours=9, minutes=30)).dt.tz_localize("America/New_York")
    return local.dt.tz_convert("UTC")


def tradingview(folder: Path, bars: Bars) -> None:
    for symbol in ETFS:
        f = bars[symbol]
        seconds = _opening_instant(f).astype("datetime64[s, UTC]").astype("int64")
        columns = {"time": seconds, **{n: f[n] for n in PRICES}, "Volume": f["volume"].astype(int)}
        _write(folder / f"BATS_{symbol}, 1D.csv", columns)
    f = bars[COIN]
    seconds = f["date"].astype("datetime64[s]").astype("int64")
    columns = {"time": seconds, **{n: f[n] for n in PRICES}, "Volume": f["volume"].astype(int)}
    _write(folder / "BITSTAMP_BTCUSD, 1D.csv", columns)


def tradingview_iso(folder: Path, bars: Bars) -> None:
    for symbol in ETFS:
        f = bars[symbol]
        stamps = _opening_instant(f).dt.strftime("%Y-%m-%dT%H:%M:%SZ")
        columns = {"time": stamps, **{n: f[n] for n in PRICES}, "Volume": f["volume"].astype(int)}
        _write(folder / f"BATS_{symbol}, 1D.csv", columns)


KLINES = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
)


def _klines(f: pd.DataFrame, unit: int) -> pd.DataFrame:
    start = f["date"].astype("datetime64[us]").astype("int64") // (10**6 // unit)
    rows = {"open_time": start, **{n: f[n] for n in PRICES}, "volume": f["volume"]}
    rows |= {"close_time": start + 86_400 * unit - 1, "quote_volume": f["volume"] * f["close"], "count": 10}
    rows |= {"taker_buy_volume": 1.0, "taker_buy_quote_volume": 1.0, "ignore": 0}
    return pd.DataFrame(rows)


def binance_months(folder: Path, bars: Bars) -> None:
    f = bars[COIN]
    for month, rows in f.groupby(f["date"].dt.strftime("%Y-%m")):
        _klines(rows, 1_000).to_csv(folder / f"BTCUSDT-1d-{month}.csv", index=False, header=False)


def binance_header(folder: Path, bars: Bars) -> None:
    frame = _klines(bars[COIN], 1_000_000)
    assert ",".join(frame.columns) == KLINES
    frame.to_csv(folder / "BTCUSDT-1d-2016.csv", index=False)


def _stamped_long(bars: Bars) -> pd.DataFrame:
    pieces = []
    for symbol in ETFS:
        f = bars[symbol]
        midnight = f["date"].dt.tz_localize("America/New_York").dt.tz_convert("UTC").astype(str)
        pieces.append(f.assign(symbol=symbol, timestamp=midnight, trade_count=10.0, vwap=f["close"]))
    return pd.concat(pieces)


def alpaca(folder: Path, bars: Bars) -> None:
    columns = ["symbol", "timestamp", *PRICES, "volume", "trade_count", "vwap"]
    _stamped_long(bars)[columns].to_csv(folder / "bars.csv", index=False)


def polygon(folder: Path, bars: Bars) -> None:
    frame = _stamped_long(bars)
    start = pd.to_datetime(frame["timestamp"]).astype("datetime64[ns, UTC]").astype("int64")
    columns = {"ticker": frame["symbol"], "volume": frame["volume"].astype(int)}
    columns |= {n: frame[n] for n in ("open", "close", "high", "low")} | {"window_start": start, "transactions": 10}
    _write(folder / "day_aggs.csv", columns)


def broker_bars(folder: Path, bars: Bars) -> None:
    for symbol in ETFS:
        f = bars[symbol]
        columns = {"": range(len(f)), "date": _days(f, "%Y%m%d"), **{n: f[n] for n in PRICES}}
        columns |= {"volume": f["volume"].astype(int), "average": f["close"], "barCount": 10}
        _write(folder / f"{symbol}.csv", columns)


def broker_statement(folder: Path, bars: Bars) -> None:
    f = bars["SPY"]
    columns = {"ClientAccountID": "U1234567", "AssetClass": "STK", "Symbol": "SPY", "Conid": 756733}
    columns |= {"TradeDate": _days(f, "%Y%m%d"), "Quantity": 10, "TradePrice": f["close"], "IBCommission": -1.0}
    _write(folder / "SPY.csv", columns)


def barchart(folder: Path, bars: Bars) -> None:
    for symbol in ETFS:
        f = bars[symbol][::-1]
        columns = {"Time": _days(f, "%m/%d/%Y"), **{n.title(): f[n] for n in PRICES[:3]}, "Last": f["close"]}
        columns |= {"Change": 0.1, "%Chg": "0.10%", "Volume": f["volume"].map("{:,.0f}".format)}
        path = folder / f"{symbol}.csv"
        _write(path, columns)
        with path.open("a") as stream:
            stream.write('"Downloaded from Barchart.com as of 07-01-2016 05:00am CDT"\n')


def fred(folder: Path, bars: Bars) -> None:
    f = bars[INDEX]
    _write(folder / "VIXCLS.csv", {"observation_date": _days(f, "%Y-%m-%d"), "VIXCLS": f["close"]})


def cboe(folder: Path, bars: Bars) -> None:
    f = bars[INDEX]
    columns = {"DATE": _days(f, "%m/%d/%Y"), **{n.upper(): f[n].map("{:.6f}".format) for n in PRICES}}
    _write(folder / "VIX_History.csv", columns)


def cboe_current(folder: Path, bars: Bars) -> None:
    f = bars[INDEX]
    days = f["date"].dt.month.astype(str) + "/" + f["date"].dt.day.astype(str) + "/" + f["date"].dt.year.astype(str)
    columns = {"Date": days, **{f"VIX {n.title()}": f[n] for n in PRICES}}
    path = folder / "vixcurrent.csv"
    _write(path, columns)
    path.write_text("Cboe Volatility Index (VIX) historical data,,,,\n" + path.read_text())


@dataclass(frozen=True, slots=True)
class Shape:
    """A vendor's shape.

    Attributes
    ----------
    basis
        What its numbers are: "raw", "split" (split-adjusted with dividends) or "alone" (without dividends).
    covers
        Symbols it writes; the others come in the project's own form.
    refused
        What the refusal says where the files cannot be used as they are.
    accepted
        Whether ``dividends: none`` in a manifest lifts the refusal.
    """

    write: Callable[[Path, Bars], None]
    basis: str
    covers: tuple[str, ...] = ETFS
    refused: str = ""
    accepted: bool = False


NO_DIVIDENDS = "states no dividends"


def _alone(write: Callable[[Path, Bars], None], covers: tuple[str, ...] = ETFS) -> Shape:
    return Shape(write, "alone", covers, NO_DIVIDENDS, accepted=True)


SHAPES: Mapping[str, Shape] = {
    "Tiingo CSV": Shape(tiingo, "raw"),
    "Tiingo CSV with UTC stamps": Shape(tiingo_stamped, "raw"),
    "Alpha Vantage daily adjusted": Shape(alpha_vantage, "raw"),
    "Alpha Vantage daily": _alone(alpha_vantage_daily),
    "Nasdaq Data Link EOD": Shape(data_link, "raw"),
    "Yahoo download": Shape(yahoo_site, "split"),
    "yfinance history": Shape(yfinance_history, "split", SYMBOLS),
    "yfinance download, one symbol a file": Shape(yfinance_download, "split", SYMBOLS),
    "yfinance download, all symbols": Shape(yfinance_download_all, "split", SYMBOLS),
    "yfinance download, by ticker": Shape(yfinance_download_by_ticker, "split", SYMBOLS),
    "yfinance download, adjusted": _alone(yfinance_download_alone),
    "EODHD": Shape(eodhd, "split"),
    "Stooq site": Shape(stooq_site, "alone"),
    "Stooq bulk": _alone(stooq_bulk),
    "Finam": _alone(stooq_bulk_semicolons),
    "Nasdaq.com": _alone(nasdaq),
    "Investing.com": _alone(investing, (*ETFS, INDEX)),
    "Investing.com, German": _alone(investing_german),
    "TradingView, epoch seconds": _alone(tradingview, (*ETFS, COIN)),
    "TradingView, ISO": _alone(tradingview_iso),
    "Binance monthly dumps": Shape(binance_months, "raw", (COIN,)),
    "Binance dump with header, microseconds": Shape(binance_header, "raw", (COIN,)),
    "Alpaca": _alone(alpaca),
    "Polygon flat file": _alone(polygon),
    "Interactive Brokers bars": _alone(broker_bars),
    "Interactive Brokers Flex": Shape(broker_statement, "raw", ("SPY",), "account statement of Interactive Brokers"),
    "Barchart": _alone(barchart),
    "FRED VIXCLS": Shape(fred, "raw", (INDEX,)),
    "Cboe VIX_History": Shape(cboe, "raw", (INDEX,)),
    "Cboe vixcurrent": Shape(cboe_current, "raw", (INDEX,)),
}
