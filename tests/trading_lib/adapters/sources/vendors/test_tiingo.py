"""The Tiingo source against a loopback server that answers as Tiingo does."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.builders.prices import instant, universe
from tests.cases.fault_cases import FAULTS, TIMEOUT_SECONDS, require_typed
from tests.contracts.source_contract import SourceContract
from tests.peers.equity_vendors import History, rising, tiingo_answer
from tests.peers.vendor_server import Reply, VendorPeer, vendor_peer
from trading_lib.adapters.sources.vendors.tiingo import TiingoSource
from trading_lib.domain.errors import (
    ConfigurationError,
    MissingKeyError,
    RateLimitedError,
    SourceError,
    SourceRefusedError,
    UnreadableAnswerError,
)
from trading_lib.domain.market.sessions import exchange_sessions
from trading_lib.market_data.source import SourceAnswer

SESSIONS = [day.item() for day in exchange_sessions().between(date(2022, 6, 1), date(2022, 6, 17))]
FIRST, LAST = SESSIONS[0], SESSIONS[-1]
LATER = instant("2022-07-01")


def histories() -> dict[str, History]:
    return {
        "SPY": rising(SESSIONS, 400),
        "GLD": rising(SESSIONS, 170),
        "BTC-USD": rising([FIRST + timedelta(days=n) for n in range(17)], 30_000),
    }


@pytest.fixture
def peer() -> Iterator[VendorPeer]:
    with vendor_peer(tiingo_answer(histories())) as server:
        yield server


@pytest.fixture
def source(peer: VendorPeer) -> TiingoSource:
    return TiingoSource(universe(), "secret-token", peer.address, read_seconds=TIMEOUT_SECONDS)


def ask(source: TiingoSource, *symbols: str) -> SourceAnswer:
    return source.bars(symbols, FIRST, LAST, LATER)


class TestContract(SourceContract):
    known = ("SPY", "GLD", "BTC-USD")
    unknown = "XLE"
    first, last = FIRST, LAST
    as_of = LATER
    cut = instant("2022-06-10 20:20")

    @pytest.fixture
    def source(self, peer: VendorPeer) -> TiingoSource:
        return TiingoSource(universe(), "secret-token", peer.address)


def test_raw_prices_are_taken_and_not_the_adjusted_ones(source: TiingoSource) -> None:
    row = source.bars(["SPY"], SESSIONS[2], SESSIONS[2], LATER).bars.frame.iloc[0]
    assert (row["open"], row["high"], row["low"], row["close"], row["volume"]) == (402, 404, 401, 403, 1002)
    assert (row["dividend"], row["split"], row["adjustment"]) == (0, 1, "raw")
    assert row[["adj_close"]].isna().all()


def test_dividends_and_splits_are_on_their_days() -> None:
    history = rising(SESSIONS, 100)
    history.dividends[SESSIONS[3]] = 0.25
    history.splits[SESSIONS[5]] = (1, 8)
    with vendor_peer(tiingo_answer({"XLK": history})) as peer:
        frame = ask(TiingoSource(universe(), "secret-token", peer.address), "XLK").bars.frame.set_index("date")
    assert frame["dividend"][frame["dividend"] != 0].to_dict() == {frame.index[3]: 0.25}
    assert frame["split"][frame["split"] != 1].to_dict() == {frame.index[5]: 0.125}


@pytest.mark.parametrize(("fault", "kind", "words"), FAULTS)
def test_a_fault_costs_its_symbol_only(
    peer: VendorPeer, source: TiingoSource, fault: int | str, kind: type[SourceError], words: str
) -> None:
    peer.faults["GLD"] = fault
    answer = ask(source, "GLD", "SPY")
    assert answer.bars.symbols == ("SPY",)
    require_typed("GLD", answer.failures, answer.errors, kind, words)


def test_an_answer_that_ends_half_way_is_unreadable(peer: VendorPeer, source: TiingoSource) -> None:
    peer.faults["GLD"] = "cut"
    answer = ask(source, "GLD", "SPY")
    require_typed("GLD", answer.failures, answer.errors, UnreadableAnswerError, "is cut off")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "17"}, 17.0),
        ({"Retry-After": "Wed, 01 Jun 2022 00:01:00 GMT", "Date": "Wed, 01 Jun 2022 00:00:18 GMT"}, 42.0),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
def test_the_wait_a_source_asks_for_is_passed_on(
    peer: VendorPeer, source: TiingoSource, headers: dict[str, str], seconds: float | None
) -> None:
    peer.faults["SPY"] = Reply({"detail": "slow down"}, 429, headers=headers)
    error = ask(source, "SPY").errors["SPY"]
    assert isinstance(error, RateLimitedError)
    assert error.retry_after == seconds


def test_a_refused_key_names_its_variable_and_is_never_shown(
    peer: VendorPeer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = ask(TiingoSource(universe(), "an-old-key", peer.address), "SPY")
    assert isinstance(answer.errors["SPY"], SourceRefusedError)
    assert "TRADING_TIINGO_API_KEY" in answer.failures["SPY"]
    shown = answer.failures["SPY"] + caplog.text + "".join(request.target for request in peer.requests)
    assert "an-old-key" not in shown
    assert "/tiingo/daily/SPY/prices" in caplog.text


def test_a_key_that_the_vendor_repeats_is_struck_out(peer: VendorPeer, source: TiingoSource) -> None:
    peer.faults["SPY"] = Reply({"detail": "the token secret-token has expired"}, 403)
    assert "the token *** has expired" in ask(source, "SPY").failures["SPY"]


@pytest.mark.parametrize("key", [None, "", "  "])
def test_without_a_key_there_is_no_source(key: str | None) -> None:
    with pytest.raises(MissingKeyError, match=r"tiingo needs a key: set TRADING_TIINGO_API_KEY"):
        TiingoSource(universe(), key)


def test_the_volatility_index_is_not_asked_for(peer: VendorPeer, source: TiingoSource) -> None:
    answer = ask(source, "^VIX", "TSLA")
    assert "^VIX" in answer.failures["^VIX"]
    assert "not in the universe" in answer.failures["TSLA"]
    assert peer.requests == []


def changed_row(**changes: object) -> Reply:
    row = {"date": "2022-06-01T00:00:00.000Z", "open": 1, "high": 1, "low": 1, "close": 1, "volume": 1}
    row |= {"divCash": 0, "splitFactor": 1} | changes
    return Reply([{name: value for name, value in row.items() if value != "absent"}])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"close": "absent", "closing": 1}, "has no field 'close', only date, open"),
        ({"divCash": "absent"}, "has no field 'divCash'"),
        ({"date": "absent"}, "has no field 'date'"),
        ({"high": "12.5"}, "'12.5' in 'high', which is no number"),
        ({"volume": True}, "'True' in 'volume'"),
        ({"date": "2022-06-01T00:00:00-04:00"}, "not midnight UTC"),
        ({"date": "2022-06-01T05:00:00.000Z"}, "not midnight UTC"),
        ({"date": "2022-06-01"}, "not midnight UTC"),
        ({"date": 1654041600}, "'1654041600' as a date"),
    ],
)
def test_a_changed_format_is_one_clear_line(
    peer: VendorPeer, source: TiingoSource, changes: dict[str, object], words: str
) -> None:
    peer.faults["SPY"] = changed_row(**changes)
    answer = ask(source, "SPY", "GLD")
    require_typed("SPY", answer.failures, answer.errors, UnreadableAnswerError, words)


@pytest.mark.parametrize("content", [{"detail": "odd"}, "prices", [1, 2], None])
def test_json_of_another_shape_is_one_clear_line(peer: VendorPeer, source: TiingoSource, content: object) -> None:
    peer.faults["SPY"] = Reply(f'"{content}"' if isinstance(content, str) else content)
    answer = ask(source, "SPY")
    require_typed("SPY", answer.failures, answer.errors, UnreadableAnswerError, "is no list of rows")


def test_an_empty_list_means_that_there_are_no_bars(peer: VendorPeer, source: TiingoSource) -> None:
    peer.faults["SPY"] = Reply([])
    answer = ask(source, "SPY")
    assert answer.failures == {"SPY": "tiingo has no bars of SPY"}
    assert not answer.errors


def test_a_missing_number_stays_missing(peer: VendorPeer, source: TiingoSource) -> None:
    peer.faults["SPY"] = changed_row(open=None)
    assert ask(source, "SPY").bars.frame["open"].isna().tolist() == [True]


def test_a_server_that_is_not_there_can_be_asked_again() -> None:
    with vendor_peer(tiingo_answer({})) as gone:
        address = gone.address
    answer = ask(TiingoSource(universe(), "secret-token", address), "SPY")
    assert answer.errors["SPY"].transient
    assert "cannot be reached (ConnectionError)" in answer.failures["SPY"]


def test_an_address_without_a_scheme_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"'localhost:99' is no address"):
        TiingoSource(universe(), "secret-token", "localhost:99")


def test_recorded_prices_are_read(shared_api_samples: Path, peer: VendorPeer, source: TiingoSource) -> None:
    peer.faults["SPY"] = Reply((shared_api_samples / "tiingo" / "ticker_price_with_date.json").read_bytes())
    frame = source.bars(["SPY"], date(2015, 1, 1), date(2015, 1, 5), LATER).bars.frame
    assert frame["date"].dt.date.tolist() == [date(2015, 1, 2), date(2015, 1, 5)]
    assert frame["close"].tolist() == [529.55, 519.46]
    assert frame["volume"].tolist() == [1327870, 2059119]


def test_a_recorded_coin_history_is_read(shared_api_samples: Path, peer: VendorPeer, source: TiingoSource) -> None:
    peer.faults["btcusd"] = Reply((shared_api_samples / "tiingo" / "crypto_price_history.json").read_bytes())
    frame = source.bars(["BTC-USD"], date(2019, 5, 1), date(2019, 5, 2), LATER).bars.frame
    assert frame["close"].round(2).tolist() == [5420.09, 5545.70]


@pytest.mark.parametrize(
    ("file", "kind", "words"),
    [
        ("invalid_url.txt", UnreadableAnswerError, "is a web page"),
        ("ticker_price_with_date_csv.txt", UnreadableAnswerError, "no JSON"),
        ("ticker_metadata.json", UnreadableAnswerError, "is no list of rows"),
        ("ticker_price_with_multiple_columns.json", UnreadableAnswerError, "has no field"),
    ],
)
def test_recorded_answers_of_another_kind_are_refused(
    shared_api_samples: Path, peer: VendorPeer, source: TiingoSource, file: str, kind: type[SourceError], words: str
) -> None:
    peer.faults["SPY"] = Reply((shared_api_samples / "tiingo" / file).read_bytes())
    answer = source.bars(["SPY"], date(2015, 1, 1), date(2018, 12, 31), LATER)
    require_typed("SPY", answer.failures, answer.errors, kind, words)
