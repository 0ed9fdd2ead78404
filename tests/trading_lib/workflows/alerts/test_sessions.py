"""What a session tells a person, on a real database and the simulated market of a folder: news, and once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from tests.builders.price_folder import write_price_folder
from tests.builders.settings import make_settings
from tests.environment.database import MakeDatabase
from trading_lib.adapters.stores.operations.alert_store import AlertStore
from trading_lib.domain.errors import DataQualityError, InputError
from trading_lib.monitoring.alert import Alert, AlertLevel
from trading_lib.workflows.alerts import sessions
from trading_lib.workflows.alerts.sessions import (
    MOST_LINES,
    is_news,
    send_summary,
    tell_failure,
    tell_findings,
    tell_risk_level,
    tell_stops,
)
from trading_lib.workflows.books.kill_switch import halt_trading
from trading_lib.workflows.books.repair import repair_book
from trading_lib.workflows.data import fetch as fetching
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.stages.plans import SessionPlan
from trading_lib.workflows.trade import daily
from trading_lib.workflows.trade.book_run import BookRun
from trading_lib.workflows.trade.daily import run_daily, trade_session

pytestmark = pytest.mark.postgres
FIRST, SESSION = date(2020, 1, 2), date(2021, 2, 12)
EVENING = datetime(2021, 2, 12, 23, tzinfo=UTC)
BOOK = "demo-alerts"


@pytest.fixture(scope="module")
def traded(make_database: MakeDatabase, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, SessionPlan]:
    """Two sessions of a book, the second on the evening of its day."""
    folder = tmp_path_factory.mktemp("alerts")
    prices = write_price_folder(folder / "prices", FIRST, SESSION)
    past = make_settings(make_database(), folder / "home")
    settings = replace(past, clock=lambda: EVENING)
    plans = [
        market_data.plan(day.isoformat(), "files", str(prices), BOOK, past) for day in (date(2021, 2, 11), SESSION)
    ]
    fetching.ingest_history(plans[1], past, SESSION)
    trade_session(plans[0], past)
    assert told(past) == []
    trade_session(plans[1], settings)
    return settings, plans[1]


def told(settings: Settings) -> list[Alert]:
    """Every alert, the newest first."""
    engine = settings.engine()
    try:
        return [record.stored.alert for record in AlertStore(engine).records()]
    finally:
        engine.dispose()


@pytest.fixture
def run(traded: tuple[Settings, SessionPlan]) -> BookRun:
    settings, plan = traded
    return BookRun.open(plan, settings)


@pytest.fixture
def raised(monkeypatch: pytest.MonkeyPatch) -> list[Alert]:
    """Alerts that would be stored, of a session whose summary was not told yet."""
    alerts: list[Alert] = []
    monkeypatch.setattr(sessions, "raise_alert", lambda alert, settings: alerts.append(alert))
    monkeypatch.setattr(AlertStore, "is_known", lambda self, key: False)
    return alerts


def test_pictures_are_drawn_where_a_channel_can_show_them(
    run: BookRun, raised: list[Alert], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADING_ALERT_MAIL_URL", "mailto://127.0.0.1:9?from=a@example.com&to=b@example.com")
    send_summary(run)
    (summary,) = raised
    assert "equity" in [picture.name for picture in summary.pictures]
    assert all(picture.png.startswith(b"\x89PNG") for picture in summary.pictures)


def test_the_summary_can_be_switched_off(run: BookRun, raised: list[Alert], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADING_MONITORING__ALERTS__DAILY_SUMMARY", "false")
    send_summary(run)
    assert raised == []


def test_a_summary_is_sent_once_a_session(run: BookRun, monkeypatch: pytest.MonkeyPatch) -> None:
    before = told(run.settings)
    monkeypatch.setattr(sessions, "_pictures", None)  # it is not even drawn
    send_summary(run)
    assert told(run.settings) == before
    (summary,) = [alert for alert in told(run.settings) if alert.source == "trade_daily.report"]
    assert summary.level is AlertLevel.INFO
    assert summary.title.startswith(f"book {BOOK}, session 2021-02-12: $")
    assert "Net asset value" in summary.text
    assert summary.pictures == ()
    assert run.settings.folders.mail.is_dir()


def test_positions_are_drawn(run: BookRun, monkeypatch: pytest.MonkeyPatch) -> None:
    from trading_lib.performance.tear_sheet.charts import positions_chart

    assert positions_chart({"SPY": 0.4, "GLD": -0.1}, "Positions", "footer").startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("before", "after", "level"),
    [
        (0, 1, AlertLevel.WARNING),
        (1, 2, AlertLevel.CRITICAL),
        (0, 3, AlertLevel.CRITICAL),
        (2, 4, AlertLevel.EMERGENCY),
        (3, 1, AlertLevel.INFO),
    ],
)
def test_a_risk_level_that_changes_is_told_by_its_level(
    run: BookRun, before: int, after: int, level: AlertLevel
) -> None:
    for _ in range(2):
        tell_risk_level(run, before, after, ["drawdown 12 %"], SESSION)
    key = f"risk:{BOOK}:{SESSION}:{before}-{after}"
    (alert,) = [alert for alert in told(run.settings) if alert.key == key]
    assert alert.level is level
    assert "drawdown 12 %" in alert.text
    assert alert.book == BOOK


def test_what_stays_as_it_was_or_is_old_is_not_told(run: BookRun) -> None:
    before = len(told(run.settings))
    tell_risk_level(run, 2, 2, [], SESSION)
    tell_risk_level(run, 0, 4, [], date(2021, 2, 1))
    tell_risk_level(replace(run, market_was_given=True), 0, 4, [], SESSION)
    tell_stops(run, [], SESSION)
    tell_findings("files", SESSION, [], run.settings)
    tell_findings("files", date(2021, 2, 1), ["old"], run.settings)
    assert len(told(run.settings)) == before


def test_findings_and_stops_are_warnings(run: BookRun) -> None:
    tell_findings("files", SESSION, [f"finding {number}" for number in range(MOST_LINES + 5)], run.settings)
    tell_stops(run, ["stop of BTC-USD"], SESSION)
    stops, findings = told(run.settings)[:2]
    assert (stops.level, findings.level) == (AlertLevel.WARNING, AlertLevel.WARNING)
    assert "and 5 more" in findings.text


def test_news_end_after_three_sessions(run: BookRun) -> None:
    assert [is_news(date(2021, 2, day), run.settings) for day in (12, 11, 10, 9)] == [True, True, True, False]


def test_a_daily_run_that_fails_is_told_and_bad_input_is_not(
    traded: tuple[Settings, SessionPlan], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, plan = traded

    def failing(error: Exception) -> None:
        def fail(*_: object) -> None:
            raise error

        monkeypatch.setattr(daily, "_run", fail)
        with pytest.raises(type(error)):
            run_daily(plan, settings)

    before = len(told(settings))
    failing(InputError("no such book", "open it"))
    assert len(told(settings)) == before
    failing(DataQualityError("no exchange bar", "check the source"))
    alert, *_ = told(settings)
    assert (alert.level, alert.session) == (AlertLevel.CRITICAL, SESSION)
    assert "no exchange bar" in alert.text
    failing(ValueError("defect"))
    tell_failure(plan, ValueError("again"), settings)
    assert len(told(settings)) == before + 1


def test_the_kill_switch_tells_when_it_is_thrown_and_not_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADING_HOME", str(tmp_path))
    monkeypatch.delenv("TRADING_DATABASE_URL", raising=False)
    assert halt_trading("the statement does not match", EVENING).is_on()
    halt_trading("again", EVENING)
    (file,) = (tmp_path / "mail").glob("*.txt")
    assert file.read_text().count("kill switch on") == 1


def test_a_repair_that_does_something_is_told(run: BookRun) -> None:
    repaired = repair_book(BOOK, "ana", session=date(2021, 2, 10), settings=run.settings)
    assert repaired["steps"]
    alert, *_ = told(run.settings)
    assert alert.title == f"book {BOOK} was repaired by ana"
    assert repair_book(BOOK, "ana", settings=run.settings, dry_run=True)
    assert told(run.settings)[0] == alert
