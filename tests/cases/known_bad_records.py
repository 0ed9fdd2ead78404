"""known_bad_records.csv, row by row: how each is found, or why it cannot be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Expected:
    """How a row is found: ``why_not`` instead of a rule says why it cannot be."""

    row: tuple[str, str]
    rule: str = ""
    symbol: str = ""
    session: date | None = None
    dataset: str = ""
    least: int = 1
    why_not: str = ""


EXPECTED = (
    Expected(("(not stored) Silverlight data/SPY.csv", "SPY"), why_not="the file is not stored"),
    Expected(("alpaca_iex_daily", "SPY"), "stray_bar", "SPY", date(2018, 11, 1), "alpaca_iex_daily"),
    Expected(("alpaca_iex_daily", "all 14 symbols"), why_not="2024-12-23 is after the files end"),
    Expected(("alpaca_iex_daily", "DBC"), "missing_bar", "DBC", date(2020, 9, 22), "alpaca_iex_daily"),
    Expected(
        ("etf_daily_vintage_2016-06", "XLF"), "bad_tick", "XLF", date(2000, 3, 16), "etf_daily_vintage_2016-06"
    ),
    Expected(
        ("etf_daily_vintage_2016-06", "XLF"),
        "source_deviation", "XLF", date(2000, 3, 16), "etf_daily_vintage_2016-06",
    ),
    Expected(
        ("etf_daily_vintage_2016-06", "XLF"), "level_between_sources", "XLF", None, "etf_daily_vintage_2016-06"
    ),
    # 323 rows to 2025, 294 of them before the files here end.
    Expected(("vix_daily/silverlight", "^VIX"), "not_finite_price", "^VIX", None, "vix_daily/silverlight", least=294),
    Expected(("vix_daily/silverlight", "^VIX"), "bar_on_non_session", "^VIX", None, "vix_daily/silverlight", least=294),
    Expected(("macro_series", "VIXCLS"), "observation_on_holiday", "VIXCLS", date(2022, 5, 30)),
    Expected(("macro_series", "VIXCLS"), "observation_on_holiday", "VIXCLS", date(2004, 6, 11)),
    Expected(("macro_series", "CPIAUCSL, CPILFESL, UNRATE"), why_not="2025-10-01 is after the files end"),
    Expected(("btc_daily/market-lab", "BTC-USD"), why_not="2026-08-21 is after the files end"),
    Expected(("funding_rates", "htx"), "off_grid_settlement", "BTC-USDT@htx", least=6),
    Expected(("funding_rates", "gate"), "funding_gap", "BTC-USDT@gate", date(2020, 12, 1)),
    Expected(("news_gold_headlines_labelled", "-"), "impossible_date", "news", least=162),
    Expected(("alphavantage_daily_2026", "QQQ"), why_not="the file is not stored"),
    Expected(("etf_daily_autoadjusted_2026-08", "all"), why_not="2026-08-21 is after the files end"),
    Expected(
        ("etf_daily_vintage_2025-09 vs etf_daily", "XLK, XLE"),
        "level_between_sources", "XLK", None, "etf_daily_vintage_2025-09",
    ),
    Expected(
        ("etf_daily_vintage_2025-09 vs etf_daily", "XLK, XLE"),
        "level_between_sources", "XLE", None, "etf_daily_vintage_2025-09",
    ),
    Expected(("etf_adjclose_2026-08", "all"), why_not="2026-08-03 is after the files end"),
    Expected(("etf_daily_autoadjusted_2026-08", "HYG"), why_not="2026-08-21 is after the files end"),
    Expected(("etf_daily_autoadjusted_2026-08", "UUP"), why_not="the file here has no UUP"),
    Expected(("etf_daily_autoadjusted_2026-08", "XLI"), why_not="the file here has no XLI"),
)  # fmt: skip
