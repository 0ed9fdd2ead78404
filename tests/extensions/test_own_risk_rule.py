"""A risk rule of a user's own is one file: docs/operations/risk-rules.md's example runs, and broken ones are told."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.builders.markets import ASSETS
from tests.builders.parity import BOOK, assert_same_as_backtest, pipeline
from tests.builders.price_folder import write_price_folder
from tests.builders.settings import make_settings
from tests.contracts.risk_rule_contract import RiskRuleContract, risk_view
from tests.environment.command_line import run
from trading_lib.adapters.stores.books.order_store import OrderStore
from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.adapters.user_code.files import load_strategy
from trading_lib.adapters.user_code.rules import KIND, guarded_rule
from trading_lib.domain.book.orders import Side
from trading_lib.domain.decision.risk import RULE_FAULT
from trading_lib.risk.limits.own_rules import RiskRule, RiskView
from trading_lib.workflows.data import fetch as fetching
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.setup.configuration import load_configuration
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.trade.daily import trade_session

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "turbulence_cap.py"
NAME = "turbulence_cap.py:TurbulenceCap"
# Low enough to bind on made-up prices, whose ^VIX is mostly between 10 and 30.
RULE = {"rule": NAME, "options": {"index": 14.0, "share": 0.08}}
WINDOW = ("--from", "2006-01-03", "--to", "2008-12-31", "--no-track")


@pytest.fixture
def include(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration with the example in it; nothing else of the project is touched."""
    folder = tmp_path / "include"
    shutil.copytree(ROOT / "include" / "config", folder / "config")
    (folder / "risk_rules").mkdir()
    shutil.copy(EXAMPLE, folder / "risk_rules")
    name_rules(folder, [RULE])
    monkeypatch.setenv("TRADING_CONFIG", str(folder / "config"))
    monkeypatch.setenv("TRADING_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TRADING_DATABASE_URL", raising=False)
    return folder


def name_rules(include: Path, rules: list[Any]) -> None:
    path = include / "config" / "risk.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump(content | {"rules": rules}), encoding="utf-8")


def write(include: Path, change: tuple[str, str]) -> None:
    path = include / "risk_rules" / EXAMPLE.name
    text = path.read_text(encoding="utf-8")
    assert change[0] in text
    path.write_text(text.replace(*change), encoding="utf-8")


class TestContract(RiskRuleContract):
    """The example keeps to what every rule must, guarded as the system runs it."""

    @pytest.fixture
    def rule(self) -> RiskRule:
        found = load_strategy(f"{EXAMPLE}:TurbulenceCap", EXAMPLE.parent, kind=KIND)
        return guarded_rule(found.strategy, NAME, 10.0)()

    def binding(self) -> RiskView:
        return risk_view(np.full(ASSETS, 0.2), index=40.0)


def test_the_guide_shows_the_file_that_runs_here() -> None:
    assert EXAMPLE.read_text(encoding="utf-8") in (ROOT / "docs" / "operations" / "risk-rules.md").read_text(
        encoding="utf-8"
    )


def test_a_backtest_counts_what_the_rule_took(include: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("backtest", *WINDOW, "--json") == 0
    with_rule = json.loads(capsys.readouterr().out)
    limits = {limit["limit"]: limit for limit in with_rule["clipping"]["limits"]}
    assert limits["own_rules"]["sessions"] > 100
    name_rules(include, [])
    assert run("backtest", *WINDOW, "--json") == 0
    without = json.loads(capsys.readouterr().out)
    assert with_rule["final_nav"] != without["final_nav"]
    assert with_rule["config_hash"] != without["config_hash"]
    assert "own_rules" not in {limit["limit"] for limit in without["clipping"]["limits"]}


def test_an_explanation_names_rule_and_reason(include: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name_rules(include, [{"rule": NAME, "options": {"index": 0.0, "share": 0.01}}])
    steps = []
    for symbol in ("SPY", "TLT", "GLD", "TIP"):
        asked = ("--session", "2008-03-14", "--symbol", symbol, "--from", "2007-01-03")
        assert run("explain", *asked, "--json") == 0
        steps += json.loads(capsys.readouterr().out)["risk"]["steps"]
    mine = [step for step in steps if step["rule"] == NAME]
    assert mine
    for step in mine:
        assert step["after"] == 0.01 < step["before"]
        assert step["detail"].endswith("is at or above 0: no asset above 1%")


def test_the_audit_finds_the_example_clean(include: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("audit", "lookahead", "--from", "2006-01-03", "--to", "2006-12-29", "--cuts", "4", "--json") == 0
    assert json.loads(capsys.readouterr().out)["clean"]


def test_the_audit_names_what_a_rule_reads(include: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(include, ("        fear = risk", "        open(__file__ + 'x', 'w').close()\n        fear = risk"))
    assert run("audit", "lookahead", "--from", "2006-01-03", "--to", "2006-03-31", "--cuts", "2", "--json") == 1
    (act, *_) = json.loads(capsys.readouterr().out)["acts"]
    assert (act["strategy"], act["kind"]) == (NAME, "file")


BROKEN = [
    ("import Mapping\n", "import Mapping\nimport no_such_module\n", "No module named 'no_such_module'"),
    ("class TurbulenceCap", "class Other", "has no class 'TurbulenceCap'"),
    ("def ceilings", "def ceiling", "has no method ceilings(risk)"),
    ("share: float", "size: float", "unexpected keyword argument 'share'"),
    ("            return {}", "            return None", "ceilings answers NoneType"),
    (
        "            return {}",
        "            return {}['x']",
        "KeyError: 'x' (turbulence_cap.py, line 28)",
    ),
    ("            return {}", "            raise SystemExit(0)", "(SystemExit) (turbulence_cap.py, line 28)"),
    ("            return {}", "            return {'SPY': Ceiling(1.0, 'more')}", "ceilings raises SPY to 100.00%"),
]


@pytest.mark.parametrize(("before", "after", "told"), BROKEN)
def test_a_broken_rule_is_one_line_and_exit_code_2(
    include: Path, capsys: pytest.CaptureFixture[str], before: str, after: str, told: str
) -> None:
    name_rules(include, [{"rule": NAME, "options": {"index": 99.0, "share": 0.08}}])
    write(include, (before, after))
    assert run("backtest", *WINDOW) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert told in lines[-1]
    assert "turbulence_cap.py" in lines[-1]


@pytest.mark.postgres
def test_paper_trading_and_backtest_agree_with_a_rule(include: Path, database_url: str, tmp_path: Path) -> None:
    data, last = write_price_folder(tmp_path / "prices", date(2020, 1, 2), date(2021, 6, 30)), date(2021, 6, 15)
    base = make_settings(database_url, tmp_path)
    settings = replace(base, configuration=load_configuration(include / "config", {}))
    pipeline(settings, data, last)
    assert assert_same_as_backtest(settings, data, last) > 10
    decided = StateStore(settings.engine()).decision(BOOK, last)
    assert decided is not None
    said = decided.payload["risk"].get("rule_ceilings", [])
    lowered = [entry for entry in said if entry["weight"] < entry["before"]]
    assert {entry["rule"] for entry in said} <= {NAME}
    assert lowered
    for entry in lowered:
        assert NAME in decided.payload["risk"]["clips"][entry["symbol"]]
        assert entry["reason"]


@pytest.fixture
def failing(include: Path, database_url: str, tmp_path: Path) -> tuple[Settings, Path]:
    """A rule that fails, and prices on which the strategies want to buy."""
    write(include, ("        fear = risk", "        raise LookupError('gone')\n        fear = risk"))
    data = write_price_folder(tmp_path / "prices", date(2020, 1, 2), date(2021, 2, 26))
    base = make_settings(database_url, tmp_path)
    settings = replace(base, configuration=load_configuration(include / "config", {}))
    plan = market_data.plan("2021-01-04", "files", str(data), BOOK, settings)
    fetching.ingest_history(plan, settings, date(2021, 2, 12))
    return settings, data


@pytest.mark.postgres
def test_in_paper_trading_a_rule_that_fails_buys_nothing_and_says_so(failing: tuple[Settings, Path]) -> None:
    settings, data = failing
    for session in (date(2021, 1, 4), date(2021, 1, 5)):
        stages = trade_session(market_data.plan(session.isoformat(), "files", str(data), BOOK, settings), settings)
        (fault,) = stages["risk"]["rule_faults"]
        assert f"risk rule {NAME} failed, so nothing is bought: ceilings failed: LookupError: gone" in fault
    engine = settings.engine()
    assert [order for order, _ in OrderStore(engine).orders(BOOK) if order.side is Side.BUY] == []
    assert [event.kind for event in StateStore(engine).risk_events(BOOK) if event.kind == RULE_FAULT] == [
        RULE_FAULT
    ] * 2


@pytest.mark.postgres
def test_run_daily_exits_with_2_after_everything_else_is_done(
    failing: tuple[Settings, Path],
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, data = failing
    monkeypatch.setenv("TRADING_DATABASE_URL", database_url)
    assert run("run-daily", "--session", "2021-01-04", "--book", BOOK, "--data", str(data), "--json") == 2
    shown = capsys.readouterr()
    assert json.loads(shown.out)["stages"]["report"]
    assert shown.err.strip().splitlines()[-1].startswith(f"error: risk rule {NAME} failed")
