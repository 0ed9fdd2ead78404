"""The Polygon source, through the vendor's own client against a loopback server."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.builders.prices import instant, universe
from tests.cases.fault_cases import FAULTS, TIMEOUT_SECONDS, require_typed
from tests.contracts.source_contract import SourceContract
from tests.peers.equity_vendors import History, polygon_answer, rising
from tests.peers.vendor_server import Reply, VendorPeer, vendor_peer
from trading_lib.adapters.sources.vendors import polygon_session
from trading_lib.adapters.sources.vendors.polygon import PolygonSource
from trading_lib.domain.errors import MissingKeyError, SourceError, SourceRefusedError, UnreadableAnswerError
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.sessions import exchange_sessions
from trading_lib.market_data.source import SourceAnswer

# A change of daylight saving time lies within.
SESSIONS = [day.item() for day in exchange_sessions().between(date(2022, 3, 7), date(2022, 3, 25))]
FIRST, LAST = SESSIONS[0], SESSIONS[-1]
LATER = instant("2022-07-01")


def histories() -> dict[str, History]:
    gold = rising(SESSIONS, 170)
    gold.dividends[SESSIONS[3]] = 0.25
    gold.splits[SESSIONS[5]] = (4, 1)
    return {
        "SPY": rising(SESSIONS, 400),
        "GLD": gold,
        "X:BTCUSD": rising([FIRST + timedelta(days=n) for n in range(19)], 30_000),
        "I:VIX": rising(SESSIONS, 25),
    }


@pytest.fixture
def peer() -> Iterator[VendorPeer]:
    with vendor_peer(polygon_answer(histories())) as server:
        yield server


@pytest.fixture
def source(peer: VendorPeer) -> PolygonSource:
    return PolygonSource(universe(), "secret-token", peer.address, read_seconds=TIMEOUT_SECONDS)


def ask(source: PolygonSource, *symbols: str) -> SourceAnswer:
    return source.bars(symbols, FIRST, LAST, LATER)


class TestContract(SourceContract):
    known = ("SPY", "GLD", "BTC-USD", "^VIX")
    unknown = "XLE"
    first, last = FIRST, LAST
    as_of = LATER
    cut = instant("2022-03-16 20:20")

    @pytest.fixture
    def source(self, peer: VendorPeer) -> PolygonSource:
        return PolygonSource(universe(), "secret-token", peer.address)


def test_every_page_is_read_and_days_survive_daylight_saving(peer: VendorPeer, source: PolygonSource) -> None:
    frame = ask(source, "SPY").bars.frame
    assert frame["date"].dt.date.tolist() == SESSIONS
    assert frame["close"].tolist() == [401.0 + n for n in range(len(SESSIONS))]
    assert frame["volume"].tolist() == [1000.0 + n for n in range(len(SESSIONS))]
    pages = [request for request in peer.requests if request.path.startswith("/v2/aggs")]
    assert len(pages) == 3
    assert pages[0].query["adjusted"] == "false"


def test_dividends_and_splits_are_on_their_days(source: PolygonSource) -> None:
    frame = ask(source, "GLD").bars.frame.set_index("date")
    assert frame["dividend"][frame["dividend"] != 0].to_dict() == {frame.index[3]: 0.25}
    assert frame["split"][frame["split"] != 1].to_dict() == {frame.index[5]: 4.0}
    assert set(frame["adjustment"]) == {"raw"}
    assert frame["adj_close"].isna().all()


def test_two_dividends_of_one_day_add_up(peer: VendorPeer, source: PolygonSource) -> None:
    day = SESSIONS[2].isoformat()
    paid = [{"ticker": "SPY", "ex_dividend_date": day, "cash_amount": cash, "currency": "USD"} for cash in (0.5, 2)]
    peer.faults["dividends SPY"] = Reply({"results": paid, "status": "OK"})
    assert ask(source, "SPY").bars.frame["dividend"].tolist()[2] == 2.5


def test_an_action_without_a_bar_of_its_day_counts_on_the_next_one(peer: VendorPeer, source: PolygonSource) -> None:
    saturday = "2022-03-12"
    assert date.fromisoformat(saturday) not in SESSIONS
    paid = [{"ticker": "SPY", "ex_dividend_date": saturday, "cash_amount": 0.5}]
    peer.faults["dividends SPY"] = Reply({"results": paid, "status": "OK"})
    frame = ask(source, "SPY").bars.frame
    assert frame.loc[frame["dividend"] == 0.5, "date"].dt.date.tolist() == [date(2022, 3, 14)]


def test_coins_and_the_index_have_no_actions_asked_for(peer: VendorPeer, source: PolygonSource) -> None:
    frame = ask(source, "BTC-USD", "^VIX").bars.frame
    assert len(peer.requests) == 6
    assert all("reference" not in request.path for request in peer.requests)
    assert frame.loc[frame["symbol"] == "^VIX", "volume"].isna().all()
    assert frame.loc[frame["symbol"] == "BTC-USD", "date"].dt.date.tolist()[0] == FIRST


@pytest.mark.parametrize("where", ["ticker/GLD", "dividends GLD", "splits GLD"])
@pytest.mark.parametrize(("fault", "kind", "words"), FAULTS)
def test_a_fault_anywhere_costs_its_symbol_only(
    peer: VendorPeer, source: PolygonSource, where: str, fault: int | str, kind: type[SourceError], words: str
) -> None:
    peer.faults[where] = fault
    answer = ask(source, "GLD", "SPY")
    assert answer.bars.symbols == ("SPY",)
    require_typed("GLD", answer.failures, answer.errors, kind, words)


def test_a_fault_on_a_later_page_leaves_no_half_history(peer: VendorPeer, source: PolygonSource) -> None:
    whole = polygon_answer(histories())
    peer.answer = lambda request: Reply("broken", 500) if request.query.get("cursor") == "7" else whole(request)
    answer = ask(source, "SPY")
    assert len(answer.bars) == 0
    assert answer.errors["SPY"].transient


def test_an_answer_that_ends_half_way_is_unreadable(peer: VendorPeer, source: PolygonSource) -> None:
    peer.faults["ticker/GLD"] = "cut"
    answer = ask(source, "GLD", "SPY")
    require_typed("GLD", answer.failures, answer.errors, UnreadableAnswerError, "is cut off")


def test_pages_that_never_end_are_given_up(
    peer: VendorPeer, source: PolygonSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polygon_session, "MOST_PAGES", 4)
    page = {"results": [], "count": 0, "next_url": "https://vendor.example/v3/reference/dividends?ticker=SPY"}
    peer.faults["dividends SPY"] = Reply(page)
    answer = ask(source, "SPY", "GLD")
    require_typed("SPY", answer.failures, answer.errors, UnreadableAnswerError, "more than 4 pages")


def test_the_key_travels_in_a_header_and_is_never_shown(peer: VendorPeer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    answer = ask(PolygonSource(universe(), "an-old-key", peer.address), "SPY")
    assert isinstance(answer.errors["SPY"], SourceRefusedError)
    assert "TRADING_POLYGON_API_KEY" in answer.failures["SPY"]
    assert peer.requests[0].headers["authorization"] == "Bearer an-old-key"
    assert "an-old-key" not in answer.failures["SPY"] + caplog.text + peer.requests[0].target


def test_without_a_key_there_is_no_source() -> None:
    with pytest.raises(MissingKeyError, match=r"polygon needs a key: set TRADING_POLYGON_API_KEY"):
        PolygonSource(universe(), None)


def one_bar(**changes: object) -> Reply:
    bar = {"o": 1, "h": 1, "l": 1, "c": 1, "v": 1, "t": 1646629200000} | changes
    kept = {name: value for name, value in bar.items() if value != "absent"}
    return Reply({"results": [kept], "resultsCount": 1, "status": "OK"})


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (one_bar(c="absent", close=1), "has bars without 'close'"),
        (one_bar(t="absent"), "'None' as a time"),
        (one_bar(t=1646629200000 + 3_600_000), "not midnight in New York"),
        (one_bar(t=1646611200000), "not midnight in New York"),
        (one_bar(o="12.5"), "'12.5' in 'open', which is no number"),
        (Reply({"bars": [], "resultsCount": 3, "status": "OK"}), "has no field 'results', only bars"),
        (Reply({"status": "OK"}), "has no field 'results'"),
        (Reply([1, 2]), "is no JSON object"),
    ],
)
def test_a_changed_format_is_one_clear_line(peer: VendorPeer, source: PolygonSource, reply: Reply, words: str) -> None:
    peer.faults["ticker/SPY"] = reply
    answer = ask(source, "SPY", "GLD")
    require_typed("SPY", answer.failures, answer.errors, UnreadableAnswerError, words)


@pytest.mark.parametrize(
    ("where", "action", "words"),
    [
        ("dividends SPY", {"ex_dividend_date": "2022-03-08", "cash_amount": "x"}, "'x' in 'cash_amount'"),
        ("dividends SPY", {"ex_dividend_date": "2022-03-08", "cash_amount": -1}, "'-1' in 'cash_amount'"),
        ("dividends SPY", {"ex_dividend_date": "2022-03-08"}, "'None' in 'cash_amount'"),
        ("dividends SPY", {"ex_dividend_date": "03/08/2022", "cash_amount": 1}, "'03/08/2022' as the date"),
        ("dividends SPY", {"ex_dividend_date": "2022-03-08", "cash_amount": 1, "currency": "EUR"}, "in EUR"),
        ("dividends SPY", {"ticker": "QQQ", "ex_dividend_date": "2022-03-08", "cash_amount": 1}, "an action of QQQ"),
        ("splits SPY", {"execution_date": "2022-03-08", "split_to": 2}, "'None' in 'split_from'"),
        ("splits SPY", {"execution_date": "2022-03-08", "split_to": 0, "split_from": 1}, "'0' in 'split_to'"),
    ],
)
def test_an_action_that_makes_no_sense_is_refused(
    peer: VendorPeer, source: PolygonSource, where: str, action: dict[str, object], words: str
) -> None:
    peer.faults[where] = Reply({"results": [{"ticker": "SPY"} | action], "status": "OK"})
    answer = ask(source, "SPY", "GLD")
    require_typed("SPY", answer.failures, answer.errors, UnreadableAnswerError, words)


def test_no_bars_is_an_answer_and_no_error(source: PolygonSource) -> None:
    answer = ask(source, "TLT")
    assert answer.failures == {"TLT": "polygon has no bars of TLT"}
    assert not answer.errors


def with_symbol(symbol: str) -> Universe:
    known = universe()
    return Universe((*known, replace(known["SPY"], symbol=symbol)))


def test_recorded_bars_are_read(shared_api_samples: Path, peer: VendorPeer) -> None:
    sample = "v2_aggs_ticker_AAPL_range_1_day_2005-04-01_2005-04-04.json"
    peer.faults["ticker/AAPL"] = Reply((shared_api_samples / "polygon" / sample).read_bytes())
    source = PolygonSource(with_symbol("AAPL"), "secret-token", peer.address)
    frame = source.bars(["AAPL"], date(2005, 4, 1), date(2005, 4, 4), LATER).bars.frame
    # The clocks went forward on the Sunday between.
    assert frame["date"].dt.date.tolist() == [date(2005, 4, 1), date(2005, 4, 4)]
    assert frame["close"].tolist() == [1.4604, 1.4675]


def test_a_recorded_list_of_splits_is_parsed_and_those_of_others_are_refused(
    shared_api_samples: Path, peer: VendorPeer
) -> None:
    peer.faults["splits GOOGL"] = Reply((shared_api_samples / "polygon" / "v3_reference_splits.json").read_bytes())
    days = [date(2022, 7, 15), date(2022, 7, 18)]
    peer.answer = polygon_answer({"GOOGL": rising(days, 100)})
    source = PolygonSource(with_symbol("GOOGL"), "secret-token", peer.address)
    answer = source.bars(["GOOGL"], days[0], days[1], instant("2022-08-01"))
    # The first split is GOOGL's own, the second another company's.
    require_typed("GOOGL", answer.failures, answer.errors, UnreadableAnswerError, "has an action of GOOG")
