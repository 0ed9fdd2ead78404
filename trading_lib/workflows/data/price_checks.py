"""Checks of a folder's prices before they are traded on, and the rulings stored beside them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from trading_lib.domain.errors import DataFileError
from trading_lib.domain.market.price_rulings import PriceRuling
from trading_lib.domain.market.prices import Bars
from trading_lib.market_data.source import CrossCheckedSource, MarketDataSource, PriceFolder
from trading_lib.validation.price_history import split_histories
from trading_lib.validation.price_rules.adjusted_prices import adjusted_price_findings
from trading_lib.validation.rules import QualityRules


def rulings_of(source: MarketDataSource) -> tuple[PriceRuling, ...]:
    """Decisions about suspected splits that lie in a folder; none of any other source."""
    return source.rulings() if isinstance(source, PriceFolder) else ()


def refuse_adjusted_prices(source: MarketDataSource, bars: Bars) -> None:
    """Refuse a folder whose prices are adjusted for the dividends stated beside them.

    A verdict on single bars cannot say it: it takes many ex-dates together, and then every bar is wrong.

    Raises
    ------
    DataFileError
        Names the symbols, their files and the remedy.
    """
    if not isinstance(source, PriceFolder) or not (bars.frame["dividend"] > 0).any():
        return
    histories = {history.symbol: history for history in split_histories(bars.frame) if len(history)}
    judged = adjusted_price_findings(histories, QualityRules())
    findings = [finding for finding in judged if not source.states_unadjusted(finding.symbol)]
    if findings:
        symbols = ", ".join(f"{finding.symbol} ({_file_name(source, finding.symbol)})" for finding in findings)
        raise DataFileError(
            f"prices of {symbols} do not fall on their ex-dates: they are adjusted for dividends already, and the"
            " dividends stated beside them would count twice",
            "export unadjusted prices (yfinance: auto_adjust=False), leave the dividends out, or, where they are not"
            " adjusted, say 'adjustment: raw' in dataset.yaml",
        )


def _file_name(source: PriceFolder, symbol: str) -> str:
    path = source.price_file(symbol)
    return str(path) if path else "file unknown"


def cross_checks(
    source: MarketDataSource, symbols: Sequence[str], first: date, last: date, as_of: datetime
) -> list[Bars]:
    """Second opinions of a source that has them."""
    if not isinstance(source, CrossCheckedSource):
        return []
    return [response.bars for response in source.cross_check(symbols, first, last, as_of)]
