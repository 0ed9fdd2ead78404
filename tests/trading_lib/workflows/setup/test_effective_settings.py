"""What is in force, what was shipped, and where each value comes from; nothing secret is ever shown."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from trading_lib.domain.errors import ConfigurationError, InputError
from trading_lib.workflows.setup.effective_settings import (
    FILES,
    Origin,
    Setting,
    effective_settings,
    selected,
    unread_variables,
)

SECRET = "hunter2-and-more"


def settings(**variables: str) -> dict[str, Setting]:
    return {setting.key: setting for setting in effective_settings(variables)}


@pytest.fixture
def own(tmp_path: Path, repository_root: Path) -> Path:
    shutil.copytree(repository_root / "include" / "config", tmp_path / "config")
    return tmp_path / "config"


def edit(path: Path, **changes: Any) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump(content | changes), encoding="utf-8")


def test_every_file_is_told_and_nothing_differs_as_shipped() -> None:
    found = settings()
    assert {key.partition(".")[0] for key in found} == {*FILES, "environment"}
    assert [key for key, setting in found.items() if setting.changed] == []


def test_a_value_is_told_with_the_line_that_says_it(repository_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository_root)
    for key, text in {
        "risk.levels.rebase_margin": "rebase_margin: 0.005",
        "universe.instruments.BTC-USD.slippage_rate": "slippage_rate: 0.0015",
        "strategy.sleeves.rotation.budget": "rotation: 0.5",
        "execution.accounts.main.currency": "currency: USD",
        "sources.rate_limits.fred.burst": "fred: {requests: 120",
    }.items():
        place, _, line = settings()[key].where.rpartition(":")
        assert text in Path(place).read_text(encoding="utf-8").splitlines()[int(line) - 1]


def test_what_no_file_says_comes_from_the_default() -> None:
    setting = settings()["universe.instruments.SPY.retired"]
    assert (setting.value, setting.origin, setting.where) == (False, Origin.DEFAULT, "")


def test_a_variable_is_named_with_the_value_it_took_the_place_of() -> None:
    variable = "TRADING_RISK__LEVELS__DRAWDOWNS"
    setting = settings(**{variable: "[0.06, 0.09, 0.13, 0.16]"})["risk.levels.drawdowns"]
    assert setting.value == [0.06, 0.09, 0.13, 0.16]
    assert setting.default == [0.05, 0.08, 0.12, 0.15]
    assert (setting.changed, setting.origin, setting.where) == (True, Origin.ENVIRONMENT, variable)


def test_a_variable_that_sets_a_block_is_named_for_all_of_it_and_for_what_it_took_away() -> None:
    found = settings(TRADING_STRATEGY__SLEEVES="{mine: {strategy: 'own.py:Own', budget: 0.5}}")
    assert found["strategy.sleeves.mine.budget"].value == 0.5
    assert found["strategy.sleeves.mine.budget"].default is None
    gone = found["strategy.sleeves.trend.budget"]
    assert (gone.value, gone.default, gone.where) == (None, 0.5, "TRADING_STRATEGY__SLEEVES")
    assert gone.changed


def test_values_of_a_folder_of_ones_own_are_told_as_such(own: Path) -> None:
    edit(own / "risk.yaml", target_volatility=0.12)
    found = settings(TRADING_CONFIG=str(own))
    setting = found["risk.target_volatility"]
    assert (setting.value, setting.default, setting.origin) == (0.12, 0.15, Origin.INCLUDE)
    assert setting.where.startswith(str(own / "risk.yaml:"))
    assert found["environment.TRADING_CONFIG"].value == str(own)
    assert [key for key, other in found.items() if other.changed and not key.startswith("environment.")] == [
        "risk.target_volatility"
    ]


def test_a_number_written_otherwise_is_no_difference(own: Path) -> None:
    edit(own / "execution.yaml", initial_cash="100000.0")
    assert not settings(TRADING_CONFIG=str(own))["execution.initial_cash"].changed


def test_a_file_that_may_be_left_out_leaves_its_defaults(own: Path) -> None:
    (own / "logging.yaml").unlink()
    setting = settings(TRADING_CONFIG=str(own))["logging.level"]
    assert (setting.value, setting.origin) == ("INFO", Origin.DEFAULT)


def test_a_broken_class_of_the_users_own_hides_nothing(own: Path) -> None:
    (own.parent / "strategies").mkdir()
    (own.parent / "strategies" / "own.py").write_text("raise ValueError", encoding="utf-8")
    edit(own / "strategy.yaml", sleeves={"mine": {"strategy": "own.py:Own", "budget": 1.0}})
    assert settings(TRADING_CONFIG=str(own))["strategy.sleeves.mine.strategy"].value == "own.py:Own"


def test_a_broken_file_is_named(own: Path) -> None:
    edit(own / "risk.yaml", nonsense=1)
    with pytest.raises(ConfigurationError, match=r"risk\.yaml: unknown key nonsense"):
        settings(TRADING_CONFIG=str(own))


@pytest.mark.parametrize(
    ("variables", "key"),
    [
        ({"TRADING_SOURCES__CACHE__REMOTE_URL": f"redis://:{SECRET}@host/0"}, "sources.cache.remote_url"),
        ({"TRADING_POLYGON_API_KEY": SECRET}, "environment.TRADING_POLYGON_API_KEY"),
        ({"TRADING_AIRFLOW_API_PASSWORD": SECRET}, "environment.TRADING_AIRFLOW_API_PASSWORD"),
        ({"TRADING_DATABASE_URL": f"postgresql://me:{SECRET}@host/db"}, "environment.TRADING_DATABASE_URL"),
        (
            {"TRADING_STRATEGY__SLEEVES": f"{{m: {{strategy: 'o.py:O', budget: 1, options: {{api_key: {SECRET}}}}}}}"},
            "strategy.sleeves.m.options.api_key",
        ),
        (
            {
                "TRADING_STRATEGY__SLEEVES": f"{{m: {{strategy: 'o.py:O', budget: 1, options: {{at: {SECRET}}}}}}}",
                "MY_TOKEN": SECRET,
            },
            "strategy.sleeves.m.options.at",
        ),
    ],
)
def test_a_secret_is_told_to_be_set_and_never_shown(variables: dict[str, str], key: str) -> None:
    found = settings(**variables)
    assert found[key].changed
    assert "***" in found[key].value
    assert SECRET not in str([setting.as_record() for setting in found.values()])


def test_a_key_selects_itself_or_what_lies_below_it() -> None:
    found = effective_settings({})
    assert [setting.key for setting in selected(found, "risk.calm_sessions")] == ["risk.calm_sessions"]
    assert {setting.key for setting in selected(found, "risk.stops")} == {
        "risk.stops.cool_off_sessions",
        "risk.stops.days_without_session",
    }


@pytest.mark.parametrize(
    ("given", "meant"),
    [("risk.level.drawdowns", "risk.levels.drawdowns"), ("pair_rearm", "risk.correlation.pair_rearm")],
)
def test_an_unknown_key_is_answered_with_the_nearest(given: str, meant: str) -> None:
    with pytest.raises(InputError, match=f"there is no setting '{given}': did you mean {meant}"):
        selected(effective_settings({}), given)


def test_a_variable_of_no_file_is_told_to_set_nothing() -> None:
    assert unread_variables({"TRADING_RIKS__A": "1", "TRADING_RISK__CALM_SESSIONS": "4", "TRADING_HOME": "x"}) == [
        "TRADING_RIKS__A"
    ]


def test_a_rule_of_ones_own_takes_the_place_of_an_empty_list() -> None:
    variable = "TRADING_RISK__RULES"
    found = settings(**{variable: "[{rule: 'own.py:Own', options: {share: 0.1}}]"})
    rules = {key: (setting.value, setting.where) for key, setting in found.items() if key.startswith("risk.rules")}
    assert rules == {"risk.rules.own.py:Own.options.share": (0.1, variable)}
