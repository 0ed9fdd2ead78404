"""The chain: fallback per symbol, completion of what is stale, and nothing passed off as something else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pandas as pd
import pytest

from tests.builders.prices import instant, price_rows, universe
from tests.contracts.source_contract import SourceContract
from tests.environment.moving_clock import MovingClock
from tests.peers.tiingo_prices import TiingoPeer, tiingo_peer
from tests.peers.yahoo_chart import YahooHistory, YahooPeer, yahoo_peer
from trading_lib.adapters.sources.files.source import FileSource
from trading_lib.adapters.sources.shared.bar_windows import answer_from_history, stamp_bars
from trading_lib.adapters.sources.simulated.source import SimulatedMarket
from trading_lib.adapters.sources.vendors.tiingo import TiingoSource
from trading_lib.adapters.sources.vendors.yahoo import YFinanceSource
from trading_lib.domain.errors import SourceError, SourceUnavailableError
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.prices import MacroSeries
from trading_lib.market_data.chain import SourceChain
from trading_lib.market_data.config import BreakerConfig, RetryConfig, Route
from trading_lib.market_data.resilience.guard import GuardedSource, GuardPolicy, SourceGuard
from trading_lib.market_data.resilience.status import MemoryBoard
from trading_lib.market_data.source import MarketDataSource, SourceAnswer

NOW = instant("2024-03-08 22:00")
FIRST, LAST = date(2024, 3, 4), date(2024, 3, 8)
DAYS = [date(2024, 3, day) for day in (4, 5, 6, 7, 8)]
SYMBOLS = ("GLD", "SPY", "TLT")
POLICY = GuardPolicy(
    RetryConfig(attempts=2, first_wait_seconds=1, longest_wait_seconds=5),
    BreakerConfig(failures_to_open=3, open_seconds=300, probe_seconds=60),
)


class Shelf:
    """A source with the bars it is given: the plainest real implementation of the Protocol."""

    def __init__(self, name: str, rows: pd.DataFrame, assets: Universe) -> None:
        self.name = name
        self.asked: list[tuple[str, date, date]] = []
        self._bars = stamp_bars(rows, assets, name)

    def bars(self, symbols: Sequence[str], first: date, last: date, as_of: datetime) -> SourceAnswer:
        self.asked += [(symbol, first, last) for symbol in symbols]
        return answer_from_history(self._bars, self.name, symbols, first, last, as_of)

    def macro(self, first: date, last: date, as_of: datetime) -> MacroSeries:
        return MacroSeries.empty()


def chain_of(*sources: MarketDataSource, assets: Universe | None = None) -> SourceChain:
    routes = dict.fromkeys((Route.US_ETF, Route.CRYPTO, Route.VOLATILITY_INDEX), sources)
    return SourceChain(assets or universe(), routes, sources)


@pytest.fixture
def tiingo() -> Iterator[TiingoPeer]:
    with tiingo_peer() as server:
        server.closes = {symbol: {day: 100.0 + day.day for day in DAYS} for symbol in SYMBOLS}
        yield server


@pytest.fixture
def yahoo() -> Iterator[YahooPeer]:
    with yahoo_peer() as server:
        rows = [(day, 200.0, 203.0, 199.0, 200.0 + day.day, 200.0, 5000) for day in DAYS]
        server.histories = {symbol: YahooHistory(rows) for symbol in SYMBOLS}
        yield server


def test_an_outage_costs_no_symbol_and_ends_by_itself(tiingo: TiingoPeer, yahoo: YahooPeer, tmp_path: Path) -> None:
    """The primary answers 500, then hangs, then recovers; the breaker opens, tries, opens, tries and closes."""
    clock, board = MovingClock(NOW), MemoryBoard()
    primary = TiingoSource(universe(), "key", tiingo.address, read_seconds=0.25)
    backup = YFinanceSource(universe(), yahoo.address, tmp_path)
    guards = [SourceGuard(source.name, board, POLICY, clock, clock.sleep) for source in (primary, backup)]
    chain = chain_of(GuardedSource(primary, guards[0]), GuardedSource(backup, guards[1]))

    def run() -> dict[str, str]:
        answer = chain.bars(SYMBOLS, FIRST, LAST, NOW)
        assert not answer.failures
        assert not answer.stale
        sources = answer.bars.frame.groupby("symbol")["source"].unique()
        assert {symbol: ", ".join(names) for symbol, names in sources.items()} == dict(answer.delivered)
        return dict(answer.delivered)

    def state() -> str:
        return board.get_source_status()["tiingo"].breaker.status.value

    assert run() == dict.fromkeys(SYMBOLS, "tiingo")
    tiingo.asked.clear()
    tiingo.script.extend([None, 500, 500, "hang"])
    assert run() == {"GLD": "tiingo", "SPY": "yfinance", "TLT": "yfinance"}
    # The first failure of TLT is the third in a row: it is not tried a second time.
    assert (tiingo.asked, state()) == (["GLD", "SPY", "SPY", "TLT"], "open")

    tiingo.asked.clear()
    assert run() == dict.fromkeys(SYMBOLS, "yfinance")
    assert tiingo.asked == []

    clock.advance(300)
    tiingo.script.extend(["hang"])
    assert run() == dict.fromkeys(SYMBOLS, "yfinance")
    assert (tiingo.asked, state()) == (["GLD"], "open")

    clock.advance(300)
    assert run() == dict.fromkeys(SYMBOLS, "tiingo")
    assert state() == "closed"


def test_notes_say_why_another_source_was_asked(tiingo: TiingoPeer) -> None:
    tiingo.always = 403
    primary = TiingoSource(universe(), "hunter2", tiingo.address)
    backup = Shelf("backup", price_rows("SPY", DAYS), universe())
    answer = chain_of(primary, backup).bars(["SPY"], FIRST, LAST, NOW)
    note = next(note for note in answer.notes if note.startswith("SPY: backup was asked, because"))
    assert "tiingo: SPY: HTTP 403" in note
    assert "hunter2" not in str(answer)


def test_only_what_is_missing_is_taken_from_the_next_source() -> None:
    slow = Shelf("slow", price_rows("SPY", DAYS[:3], close=100.5), universe())
    fast = Shelf("fast", price_rows("SPY", DAYS, close=100.7), universe())
    answer = chain_of(slow, fast).bars(["SPY"], FIRST, LAST, NOW)
    assert list(answer.bars.frame["source"]) == ["slow"] * 3 + ["fast"] * 2
    assert fast.asked == [("SPY", DAYS[3], LAST)]
    assert answer.delivered == {"SPY": "slow, fast"}
    assert not answer.stale


def test_old_bars_are_reported_as_old() -> None:
    slow = Shelf("slow", price_rows("SPY", DAYS[:3]), universe())
    slower = Shelf("slower", price_rows("SPY", DAYS[:2]), universe())
    answer = chain_of(slower, slow).bars(["SPY"], FIRST, LAST, NOW)
    assert answer.stale == {"SPY": DAYS[2]}
    assert answer.bars.frame["date"].max() == pd.Timestamp(DAYS[2])


def test_a_bar_that_is_not_due_yet_makes_nothing_stale() -> None:
    source = Shelf("only", price_rows("SPY", DAYS), universe())
    answer = chain_of(source, source).bars(["SPY"], FIRST, LAST, instant("2024-03-08 21:10"))
    assert answer.bars.frame["date"].max() == pd.Timestamp(DAYS[3])
    assert not answer.stale
    assert len(source.asked) == 1


def test_adjusted_prices_are_not_mixed_in() -> None:
    adjusted = Shelf("adjusted", price_rows("SPY", DAYS, adjustment="split"), universe())
    raw = Shelf("raw", price_rows("SPY", DAYS), universe())
    assert chain_of(adjusted, raw).bars(["SPY"], FIRST, LAST, NOW).delivered == {"SPY": "raw"}
    alone = chain_of(adjusted).bars(["SPY"], FIRST, LAST, NOW)
    assert "adjusted has adjusted prices of SPY only" in alone.failures["SPY"]


def test_an_asset_is_absent_before_it_existed() -> None:
    assets = Universe(tuple(replace(item, inception=DAYS[2]) for item in universe()))
    source = Shelf("shelf", price_rows("SPY", DAYS), assets)
    answer = chain_of(source, assets=assets).bars(["SPY"], FIRST, LAST, NOW)
    assert answer.bars.frame["date"].min() == pd.Timestamp(DAYS[2])
    assert source.asked == [("SPY", DAYS[2], LAST)]
    before = chain_of(source, assets=assets).bars(["SPY"], FIRST, DAYS[1], NOW)
    assert before.failures == {"SPY": f"SPY did not exist before {DAYS[2]}"}


def test_without_any_source_every_symbol_fails_by_name() -> None:
    answer = SourceChain(universe(), {}, (), ("polygon is left out",)).bars(["SPY"], FIRST, LAST, NOW)
    assert answer.failures["SPY"].startswith("there is no source of SPY")
    assert answer.notes == ("polygon is left out",)


@pytest.mark.parametrize(("fault", "kind"), [(500, SourceUnavailableError), (401, SourceError)])
def test_a_failure_says_whether_later_may_be_better(tiingo: TiingoPeer, fault: int, kind: type[SourceError]) -> None:
    tiingo.always = fault
    answer = chain_of(TiingoSource(universe(), "key", tiingo.address)).bars(["SPY"], FIRST, LAST, NOW)
    assert type(answer.errors["SPY"]) is kind


class DownMacro:
    """A macro source that is down."""

    name = "down"

    def macro(self, first: date, last: date, as_of: datetime) -> MacroSeries:
        raise SourceUnavailableError("down: no answer", "try again later")


def test_macro_series_come_from_the_first_source_that_has_them() -> None:
    simulated = SimulatedMarket(universe())
    first, last, as_of = date(2020, 1, 1), date(2020, 3, 1), instant("2020-06-01")
    combined = SourceChain(universe(), {}, [DownMacro(), simulated]).macro(first, last, as_of)
    pd.testing.assert_frame_equal(combined.frame, simulated.macro(first, last, as_of).frame)
    with pytest.raises(SourceUnavailableError, match="down: no answer"):
        SourceChain(universe(), {}, [DownMacro()]).macro(first, last, as_of)


class TestChainContract(SourceContract):
    known = ("BTC-USD", "SPY", "^VIX")
    first, last = date(2020, 3, 2), date(2020, 3, 31)
    as_of, cut = instant("2020-05-01"), instant("2020-03-16 12:00")

    @pytest.fixture
    def source(self, tmp_path: Path) -> MarketDataSource:
        """A folder without ^VIX before the simulated market."""
        rows = pd.concat([price_rows("SPY", pd.bdate_range("2020-03-02", "2020-03-31").date)])
        rows.to_csv(tmp_path / "prices.csv", index=False)
        return chain_of(FileSource(tmp_path, universe()), SimulatedMarket(universe()))

    def test_rows_carry_the_name_of_the_source(self, source: MarketDataSource) -> None:
        """A chain's rows carry the names of its members instead."""
        answer = source.bars(self.known, self.first, self.last, self.as_of)
        assert answer.delivered["^VIX"] == answer.delivered["BTC-USD"] == "simulated"
        assert answer.delivered["SPY"].startswith("files:")
        by_symbol = dict(answer.bars.frame.groupby("symbol")["source"].first())
        assert by_symbol == dict(answer.delivered)
