"""The yfinance source, through the real client against a loopback server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, time, timedelta
from pathlib import Path

import numpy as np
import pytest

from tests.builders.prices import instant, universe
from tests.contracts.source_contract import SourceContract
from tests.peers.yahoo_chart import YahooHistory, YahooPeer, yahoo_peer
from trading_lib.adapters.sources.vendors.yahoo import YFinanceSource
from trading_lib.domain.errors import (
    ConfigurationError,
    RateLimitedError,
    SourceError,
    SourceRefusedError,
    SourceUnavailableError,
    UnreadableAnswerError,
)
from trading_lib.domain.market.sessions import exchange_sessions

SESSIONS = [day.item() for day in exchange_sessions().between(date(2022, 6, 1), date(2022, 6, 17))]
FIRST, LAST = SESSIONS[0], SESSIONS[-1]


def etf_history(start: float) -> YahooHistory:
    rows = [
        (day, start + n, start + n + 2, start + n - 1, start + n + 1, start + n, 1000 + n)
        for n, day in enumerate(SESSIONS)
    ]
    return YahooHistory(rows=rows)


def bitcoin_history() -> YahooHistory:
    days = [FIRST + timedelta(days=n) for n in range(17)]
    rows = [(day, 30000.0, 30500.0, 29500.0, 30100.0, 30100.0, 5) for day in days]
    return YahooHistory(rows=rows, zone="UTC", opens_at=time(0), kind="CRYPTOCURRENCY")


@pytest.fixture
def peer() -> Iterator[YahooPeer]:
    with yahoo_peer() as server:
        server.histories = {
            "SPY": etf_history(400),
            "GLD": etf_history(170),
            "BTC-USD": bitcoin_history(),
            "^VIX": etf_history(25),
        }
        yield server


@pytest.fixture
def source(peer: YahooPeer) -> YFinanceSource:
    return YFinanceSource(universe(), base_url=peer.address)


class TestContract(SourceContract):
    known = ("SPY", "GLD", "BTC-USD", "^VIX")
    unknown = "XLE"
    first, last = FIRST, LAST
    as_of = instant("2022-07-01")
    cut = instant("2022-06-10 20:20")

    @pytest.fixture
    def source(self, peer: YahooPeer) -> YFinanceSource:
        return YFinanceSource(universe(), base_url=peer.address)


def test_prices_volume_and_dates_arrive_as_yahoo_has_them(source: YFinanceSource) -> None:
    row = source.bars(["SPY"], SESSIONS[2], SESSIONS[2], instant("2022-07-01")).bars.frame.iloc[0]
    assert row["date"].date() == SESSIONS[2]
    assert (row["open"], row["high"], row["low"], row["close"]) == (402, 404, 401, 403)
    assert (row["adj_close"], row["volume"], row["dividend"], row["split"]) == (402, 1002, 0, 1)


def test_the_bar_of_a_session_that_is_still_open_is_left_out(source: YFinanceSource) -> None:
    during = instant("2022-06-15 15:00")
    frame = source.bars(["SPY", "BTC-USD", "^VIX"], FIRST, LAST, during).bars.frame
    assert frame.groupby("symbol")["date"].max().dt.date.to_dict() == {
        "SPY": date(2022, 6, 14),
        "BTC-USD": date(2022, 6, 14),
        "^VIX": date(2022, 6, 14),
    }


def test_a_split_is_undone_so_that_prices_before_it_are_as_traded(peer: YahooPeer, source: YFinanceSource) -> None:
    ex_split, ex_dividend = SESSIONS[5], SESSIONS[3]
    history = etf_history(100)
    peer.histories["XLK"] = YahooHistory(rows=history.rows, dividends={ex_dividend: 0.25}, splits={ex_split: (2, 1)})
    frame = source.bars(["XLK"], FIRST, LAST, instant("2022-07-01")).bars.frame.set_index("date")
    yahoo_close = np.array([row[4] for row in history.rows])
    times = np.where([day < ex_split for day in SESSIONS], 2.0, 1.0)
    np.testing.assert_allclose(frame["close"], yahoo_close * times)
    np.testing.assert_allclose(frame["volume"], [row[6] / t for row, t in zip(history.rows, times, strict=True)])
    assert frame.loc[str(ex_split), "split"] == 2
    assert (frame["split"] == 1).sum() == len(SESSIONS) - 1
    # 0.25 per new share was 0.50 per share of the time.
    assert frame.loc[str(ex_dividend), "dividend"] == 0.5


def test_a_split_after_the_asked_range_is_undone_too(peer: YahooPeer, source: YFinanceSource) -> None:
    peer.histories["XLK"] = YahooHistory(rows=etf_history(100).rows, splits={SESSIONS[-1]: (4, 1)})
    frame = source.bars(["XLK"], FIRST, SESSIONS[1], instant("2022-07-01")).bars.frame
    assert frame["close"].tolist() == [404, 408]


def test_the_volatility_index_has_no_volume(source: YFinanceSource) -> None:
    assert source.bars(["^VIX"], FIRST, LAST, instant("2022-07-01")).bars.frame["volume"].isna().all()


@pytest.mark.parametrize(
    ("symbol", "fault", "words", "kind"),
    [
        ("QQQ", 404, "HTTP 404", SourceError),
        ("DBC", 403, "HTTP 403", SourceRefusedError),
        ("XLF", 429, "HTTP 429", RateLimitedError),
        ("XLV", 500, "HTTP 500", SourceUnavailableError),
        ("TLT", 503, "HTTP 503", SourceUnavailableError),
        ("TIP", "html", "no valid JSON", UnreadableAnswerError),
        ("EFA", "empty", "no price data", SourceError),
    ],
)
def test_a_fault_costs_its_symbol_only_and_says_what_happened(
    peer: YahooPeer, source: YFinanceSource, symbol: str, fault: int | str, words: str, kind: type[SourceError]
) -> None:
    peer.faults[symbol] = fault
    answer = source.bars([symbol, "SPY"], FIRST, LAST, instant("2022-07-01"))
    assert answer.bars.symbols == ("SPY",)
    assert list(answer.failures) == [symbol]
    assert type(answer.errors[symbol]) is kind
    message = answer.failures[symbol]
    assert symbol in message
    assert words in message
    assert "\n" not in message


def test_a_symbol_that_failed_is_asked_for_again_and_can_recover(peer: YahooPeer, source: YFinanceSource) -> None:
    peer.faults["GLD"] = 500
    assert "GLD" in source.bars(["GLD"], FIRST, LAST, instant("2022-07-01")).failures
    del peer.faults["GLD"]
    assert not source.bars(["GLD"], FIRST, LAST, instant("2022-07-01")).failures


def test_a_symbol_outside_the_universe_is_not_asked_for(peer: YahooPeer, source: YFinanceSource) -> None:
    answer = source.bars(["TSLA"], FIRST, LAST, instant("2022-07-01"))
    assert "TSLA is not in the universe" in answer.failures["TSLA"]
    assert peer.charts_asked == []


def test_a_server_that_is_not_there_is_a_failure_of_each_symbol() -> None:
    with yahoo_peer() as gone:
        address = gone.address
    answer = YFinanceSource(universe(), base_url=address).bars(["SPY"], FIRST, LAST, instant("2022-07-01"))
    assert answer.failures["SPY"].startswith("yfinance: SPY: ")
    assert answer.errors["SPY"].transient
    assert len(answer.bars) == 0


def test_the_clients_setting_is_put_back(source: YFinanceSource) -> None:
    import yfinance

    before = yfinance.config.debug.hide_exceptions
    source.bars(["SPY"], FIRST, LAST, instant("2022-07-01"))
    assert yfinance.config.debug.hide_exceptions == before


def test_nothing_is_written_to_the_users_cache(peer: YahooPeer, tmp_path: Path) -> None:
    import subprocess
    import sys

    home = tmp_path / "home"
    home.mkdir()
    kept = tmp_path / "kept"
    program = (
        "import sys; from datetime import *; from pathlib import Path;"
        "from tests.builders.prices import universe, instant;"
        "from trading_lib.adapters.sources.vendors.yahoo import YFinanceSource;"
        "source = YFinanceSource(universe(), base_url=sys.argv[1], cache_folder=Path(sys.argv[2]));"
        "answer = source.bars(['SPY'], date(2022, 6, 1), date(2022, 6, 17), instant('2022-07-01'));"
        "sys.exit(len(answer.failures))"
    )
    root = Path(__file__).parents[5]
    environment = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "PYTHONPATH": str(root), "PATH": ""}
    done = subprocess.run([sys.executable, "-c", program, peer.address, str(kept)], env=environment, check=False)
    assert done.returncode == 0
    assert list(home.rglob("*yfinance*")) == []
    assert (kept / "tkr-tz.db").exists()


def test_an_address_without_a_scheme_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"'localhost:99' is no address"):
        YFinanceSource(universe(), base_url="localhost:99")
