from datetime import date, timedelta

import numpy as np
import pytest
from sqlalchemy import Engine, text

from tests.builders.stored_bars import DAY, NOW, SOURCE, bar, bars
from tests.environment.database import table_contents
from trading_lib.adapters.stores.market.market_store import MarketStore
from trading_lib.domain.errors import InputError
from trading_lib.domain.market.prices import Bars
from trading_lib.validation.report import Finding, Severity

pytestmark = pytest.mark.postgres

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def store(engine: Engine) -> MarketStore:
    return MarketStore(engine)


def finding(
    symbol: str = "SPY",
    rule: str = "high_below_low",
    severity: Severity = Severity.ERROR,
    value: float | None = 1.5,
    session: date = DAY,
) -> Finding:
    return Finding(symbol, session, rule, severity, value, f"{symbol} {rule}")


def rows(engine: Engine, query: str) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_errors_quarantine_the_symbol_in_that_session_and_warnings_do_not(store: MarketStore) -> None:
    found = [
        finding("SPY", "high_below_low"),
        finding("SPY", "negative_volume"),
        finding("GLD", "price_jump", Severity.WARNING),
        finding("QQQ", session=DAY + timedelta(days=1)),
    ]
    store.save_validation(SOURCE, found, Bars.empty(), NOW)
    assert store.quarantined(SOURCE, DAY) == {"SPY": ("high_below_low", "negative_volume")}
    assert store.quarantined("another", DAY) == {}


def test_bad_bars_are_kept_with_their_rules_and_saving_again_writes_nothing(store: MarketStore, engine: Engine) -> None:
    bad = bars(bar("GLD", close=np.nan), bar("SPY", high=1.0, low=2.0))
    found = [finding("SPY", "b_rule"), finding("SPY", "a_rule"), finding("GLD", "w", Severity.WARNING)]
    store.save_validation(SOURCE, found, bad, NOW)
    assert rows(engine, "SELECT symbol, session, high, close, rules FROM quarantine ORDER BY 1") == [
        ("GLD", DAY, 103.5, None, []),
        ("SPY", DAY, 1.0, 101.1, ["a_rule", "b_rule"]),
    ]
    before = table_contents(engine, "quarantine", "validation_findings")
    store.save_validation(SOURCE, found, bad, LATER)
    assert table_contents(engine, "quarantine", "validation_findings") == before


def test_two_different_bad_bars_of_one_day_are_both_kept(store: MarketStore, engine: Engine) -> None:
    """Duplicates from one delivery have the same key and the same time; neither may be lost."""
    store.save_validation(SOURCE, [], bars(bar(close=1.0), bar(close=2.0), bar(close=2.0)), NOW)
    assert rows(engine, "SELECT close FROM quarantine ORDER BY 1") == [(1.0,), (2.0,)]


def test_changed_finding_replaces_the_old_one(store: MarketStore, engine: Engine) -> None:
    store.save_validation(SOURCE, [finding(severity=Severity.WARNING, value=None)], Bars.empty(), NOW)
    store.save_validation(SOURCE, [finding(severity=Severity.ERROR, value=float("nan"))], Bars.empty(), LATER)
    assert rows(engine, "SELECT severity, value, found_at FROM validation_findings") == [("ERROR", None, LATER)]


def test_of_two_findings_of_one_rule_the_graver_stands(store: MarketStore) -> None:
    found = [finding(severity=Severity.WARNING), finding(severity=Severity.ERROR), finding(severity=Severity.WARNING)]
    store.save_validation(SOURCE, found, Bars.empty(), NOW)
    assert store.quarantined(SOURCE, DAY) == {"SPY": ("high_below_low",)}


def test_bar_accepted_after_the_finding_lifts_the_quarantine_until_found_again(store: MarketStore) -> None:
    good, bad = bars(bar()), bars(bar(high=1.0))
    store.upsert_bars(good, NOW)
    store.save_validation(SOURCE, [finding()], bad, LATER)
    assert store.quarantined(SOURCE, DAY) != {}

    store.upsert_bars(bars(bar(high=104.0)), LATER + timedelta(minutes=5))
    assert store.quarantined(SOURCE, DAY) == {}

    store.save_validation(SOURCE, [finding()], bad, LATER + timedelta(minutes=10))
    assert store.quarantined(SOURCE, DAY) != {}


def test_bar_accepted_together_with_the_finding_does_not_lift_it(store: MarketStore) -> None:
    store.upsert_bars(bars(bar()), NOW)
    store.save_validation(SOURCE, [finding(rule="duplicate_bar")], Bars.empty(), NOW)
    assert store.quarantined(SOURCE, DAY) == {"SPY": ("duplicate_bar",)}


def test_factors_are_stored_without_the_missing_and_follow_changes(store: MarketStore, engine: Engine) -> None:
    values = np.array([[0.1, np.nan], [np.nan, -2.5e-300]])
    assert store.save_factors(SOURCE, DAY, ["SPY", "GLD"], ["momentum", "volatility"], values) == 2
    assert store.factors(SOURCE, DAY) == {"GLD": {"volatility": -2.5e-300}, "SPY": {"momentum": 0.1}}

    before = table_contents(engine, "factor_values")
    assert store.save_factors(SOURCE, DAY, ["SPY", "GLD"], ["momentum", "volatility"], values) == 0
    assert table_contents(engine, "factor_values") == before

    store.save_factors(SOURCE, DAY, ["QQQ"], ["momentum"], np.array([[9.0]]))
    changed = np.array([[np.nan, 3.0], [np.nan, 4.0]])
    assert store.save_factors(SOURCE, DAY, ["SPY", "GLD"], ["momentum", "volatility"], changed) == 3
    assert store.factors(SOURCE, DAY) == {"GLD": {"momentum": 3.0, "volatility": 4.0}, "QQQ": {"momentum": 9.0}}
    assert store.factors(SOURCE, DAY + timedelta(days=1)) == {}


def test_factor_values_of_the_wrong_shape_are_refused(store: MarketStore) -> None:
    with pytest.raises(InputError, match=r"shape \(1, 2\), not \(2, 1\)"):
        store.save_factors(SOURCE, DAY, ["SPY"], ["momentum", "volatility"], np.zeros((1, 2)))
