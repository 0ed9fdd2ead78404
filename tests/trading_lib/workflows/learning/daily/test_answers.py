"""What an operator is told: ranks, what the overlay would trade, and what a score is made of; and the commands."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from typer.testing import CliRunner

from trading_lib.cli import app
from trading_lib.domain.errors import InputError
from trading_lib.learning.registered import Alias
from trading_lib.strategies.config import SleeveConfig, StrategySettings
from trading_lib.workflows.learning.daily.answers import explained, predicted
from trading_lib.workflows.learning.predict import predict
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.trade.daily import run_daily

if TYPE_CHECKING:
    from tests.trading_lib.workflows.learning.conftest import ModelsInUse

pytestmark = pytest.mark.postgres
DAY, MONTH_END, AFTER = date(2021, 4, 20), date(2021, 4, 30), date(2021, 5, 3)


def with_overlay(settings: Settings) -> Settings:
    """Half the capital follows the champion."""
    sleeves = tuple(SleeveConfig(name=name, strategy=name, budget=0.5) for name in ("ml_overlay", "trend"))
    decision = settings.configuration.decision
    strategy = decision.strategy.model_copy(update={"sleeves": sleeves})
    decision = decision.model_copy(update={"strategy": strategy})
    return replace(settings, configuration=replace(settings.configuration, decision=decision))


def test_without_a_budget_the_ranks_are_told_and_no_trade(models: ModelsInUse) -> None:
    models.register(Alias.CHAMPION)
    found = predicted(models.on(DAY), DAY.isoformat(), models.folder, None)
    assert [row["place"] for row in found["models"][0]["ranks"]] == list(range(1, found["models"][0]["scored"] + 1))
    assert found["overlay"] == []
    assert StrategySettings().sleeves[-1].budget == 0.0


def test_the_daily_run_trades_what_was_told_at_the_month_s_end(models: ModelsInUse) -> None:
    models.register(Alias.CHAMPION)
    run_daily(models.plan(DAY), with_overlay(models.on(DAY)))
    before = predicted(with_overlay(models.on(DAY)), DAY.isoformat(), None, "demo")["overlay"][0]
    assert before["waits_for_month_end"]
    ahead = with_overlay(models.on(MONTH_END))
    (told,) = predicted(ahead, MONTH_END.isoformat(), models.folder, None)["overlay"]
    assert not told["waits_for_month_end"]
    assert [(row["side"], row["wanted"], row["dollars"]) for row in told["trades"]] == [("buy", 0.1, 10_000.0)] * 5
    run_daily(models.plan(MONTH_END), ahead)
    later = with_overlay(models.on(AFTER))
    run_daily(models.plan(AFTER), later)
    (then,) = predicted(later, AFTER.isoformat(), None, "demo")["overlay"]
    held = {row["symbol"] for row in then["trades"] if row["held"] > 0}
    assert held
    assert held <= {row["symbol"] for row in told["trades"]}


def test_contributions_add_up_to_the_score(models: ModelsInUse) -> None:
    models.register(Alias.CHAMPION)
    found = explained(models.on(DAY), DAY.isoformat(), None, models.folder, None)
    scores = [asset["score"] for asset in found["assets"]]
    assert scores == sorted(scores, reverse=True)
    for asset in found["assets"]:
        total = asset["base"] + sum(row["contribution"] for row in asset["features"])
        assert total == pytest.approx(asset["score"], abs=1e-9)
        sizes = np.abs([row["contribution"] for row in asset["features"]])
        assert (np.diff(sizes) <= 0).all()
    one = explained(models.on(DAY), DAY.isoformat(), "GLD", models.folder, None)
    assert [asset["symbol"] for asset in one["assets"]] == ["GLD"]


def test_explaining_without_a_model_names_what_shows_how_they_stand(models: ModelsInUse) -> None:
    with pytest.raises(InputError, match="no model is champion or challenger"):
        explained(models.on(DAY), DAY.isoformat(), None, models.folder, None)


@pytest.fixture
def runner(models: ModelsInUse, database_url: str, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("TRADING_DATABASE_URL", database_url)
    monkeypatch.setenv("TRADING_HOME", str(models.settings.folders.home))
    return CliRunner()


def run(runner: CliRunner, *arguments: str, code: int = 0) -> Any:
    result = runner.invoke(app, ["model", *arguments, "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.output)


def test_the_commands_predict_check_and_explain(models: ModelsInUse, runner: CliRunner) -> None:
    place = ("--session", DAY.isoformat(), "--data", str(models.folder))
    assert run(runner, "predict", *place)["models"] == []
    models.register(Alias.CHAMPION)
    found = run(runner, "predict", *place)
    assert found["models"][0]["scored"] >= 10
    assert "nothing is stored or decided" in runner.invoke(app, ["model", "predict", *place]).output
    predict(models.on(DAY), DAY, models.source)
    assert run(runner, "predict", *place, "--check")["same"]
    asset = run(runner, "explain", "--symbol", "SPY", *place)["assets"][0]
    assert asset["symbol"] == "SPY"
    lines = runner.invoke(app, ["model", "predict", *place]).output
    assert "champion: version 1 (ridge)" in lines
    assert found["models"][0]["ranks"][0]["symbol"] in lines
    assert "no sleeve follows a model" in lines
    assert "for every asset" in runner.invoke(app, ["model", "explain", *place]).output


@pytest.mark.parametrize("command", ["predict", "explain"])
def test_help_has_an_example(runner: CliRunner, command: str) -> None:
    said = " ".join(runner.invoke(app, ["model", command, "--help"]).output.split())
    assert f"Example: trading model {command}" in said
