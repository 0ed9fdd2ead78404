"""A strategy as a name, a file, a class, an object, or several of them with budgets."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import trading_lib as tl
from tests.cases.own_strategies import Broken, Fickle, Forgetful, Golden, Labelled, Locked
from trading_lib.api.strategies import found_file, own_strategy, reference_of, sleeve_name, sleeves_of


def line_of(text: str) -> int:
    """Line of `own_strategies.py` that holds the text."""
    source = (Path(__file__).parents[2] / "cases" / "own_strategies.py").read_text(encoding="utf-8").splitlines()
    (number,) = [number for number, line in enumerate(source, start=1) if text in line]
    return number


def test_class_and_object_and_file_trade_alike(
    prices: tl.Prices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(Path(__file__).parents[2] / "cases" / "own_strategies.py", tmp_path / "mine.py")
    monkeypatch.chdir(tmp_path)
    runs = [tl.backtest(prices, strategy) for strategy in (Golden, Golden(), "mine.py:Golden")]
    assert [run.strategy for run in runs] == ["golden 100"] * 3
    assert len(runs[0].fills) > 0
    for run in runs[1:]:
        pd.testing.assert_frame_equal(run.values, runs[0].values)
        pd.testing.assert_frame_equal(run.orders, runs[0].orders)


def test_an_objects_values_count_and_are_part_of_the_hash(prices: tl.Prices) -> None:
    half, quarter = tl.backtest(prices, Golden(0.5)), tl.backtest(prices, Golden(0.25))
    assert half.config_hash != quarter.config_hash
    assert half.config_hash == tl.backtest(prices, Golden(0.5)).config_hash
    first = [run.positions.query("wanted_weight > 0").iloc[0] for run in (half, quarter)]
    assert [row["wanted_weight"] for row in first] == [pytest.approx(0.5), pytest.approx(0.25)]


def test_several_sleeves_with_budgets_and_options(prices: tl.Prices) -> None:
    mixed = {
        "trend": 0.5,
        "gold": {"strategy": Golden, "budget": 0.2, "options": {"share": 1.0}},
        "more": {"strategy": Golden(0.25), "budget": 0.1},
        "least": {"strategy": Golden(0.5), "budget": 0.1},
    }
    run = tl.backtest(prices, mixed)
    assert run.strategy == "gold 20 + least 10 + more 10 + trend 50"
    settings = run.report["strategy_settings"]
    assert settings["sleeves.gold.share"] == "1.0"
    # Three strategies of one class, and each of them decides for its own sleeve.
    assert len({settings[f"sleeves.{name}.strategy"] for name in ("gold", "more", "least")}) == 3
    gold = tl.backtest(prices, mixed | {"trend": 0.0}).positions.query("wanted_weight > 0").iloc[0]
    assert gold["symbol"] == "GLD"
    assert gold["wanted_weight"] == pytest.approx(0.2 * 1.0 + 0.1 * 0.25 + 0.1 * 0.5)


def test_a_name_runs_that_strategy_alone(prices: tl.Prices) -> None:
    named = tl.backtest(prices, "trend")
    assert named.strategy == "trend 100"
    assert named.config_hash == tl.backtest(prices, {"trend": 1.0}).config_hash


def test_a_run_leaves_nothing_behind_in_an_object(prices: tl.Prices) -> None:
    strategy = Forgetful()
    first, second = tl.backtest(prices, strategy), tl.backtest(prices, strategy)
    assert strategy.asked == 0
    assert first.config_hash == second.config_hash
    pd.testing.assert_frame_equal(first.values, second.values)


def test_a_failure_shows_the_users_line_and_warns(prices: tl.Prices) -> None:
    where = f"(own_strategies.py, line {line_of('no June, please')})"
    with pytest.warns(tl.StrategyWarning, match="sleeve fickle failed in 21 of 251 sessions") as caught:
        run = tl.backtest(prices, Fickle)
    assert f"ValueError: no June, please {where}" in str(caught[0].message)
    # The warning points at the caller's line, which is in this file.
    assert caught[0].filename == __file__
    assert run.warnings == (str(caught[0].message),)
    assert where in run._repr_html_()


def test_a_strategy_that_always_fails_is_an_error_with_its_line(prices: tl.Prices) -> None:
    with pytest.raises(tl.StrategyUnusableError) as raised:
        tl.backtest(prices, Broken())
    where = f"(own_strategies.py, line {line_of('raise KeyError')})"
    told = "sleeve broken failed in all 251 sessions it was asked in, first on 2018-01-02: KeyError: 'GOLD'"
    assert f"{told} {where}" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        ("trnd", "there is no strategy 'trnd': did you mean trend? use one of"),
        (
            {"own": {"strategy": Golden, "budgt": 1.0}},
            "unknown key sleeves.0.budgt: correct this value (in force: s",
        ),
        ("no.py:Own", "no.py does not exist"),
        (object(), "has no method target(view, sleeve) or plan(view): see docs/research/strategies.md"),
        (42, "has no method target(view, sleeve) or plan(view): see docs/research/strategies.md"),
        (Locked(), "own_strategies:Locked cannot be copied: TypeError: cannot pickle '_thread.lock' object: give its"),
        ({"gold": Golden()}, "strategy.gold is a Golden, which no configuration file can hold"),
        ({"gold": {"strategy": Golden(), "budget": 1.0, "options": {"share": 1}}}, "an object takes no options"),
        (
            {"gold": {"strategy": Golden, "budget": 1.0, "options": {"shares": 1}}},
            "unexpected keyword argument 'shares'",
        ),
        ({"trend": 0.7, "rotation": 0.7}, "the sleeves' budgets add up to 1.4"),
        ({}, None),
    ],
)
def test_what_cannot_decide_is_one_line(strategy: Any, message: str | None) -> None:
    if message is None:
        assert sleeves_of(strategy).values == {}
        return
    with pytest.raises(tl.ConfigurationError) as raised:
        tl.backtest(strategy=strategy, start="2018-01-02", end="2018-02-28")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_sleeves_are_named_once() -> None:
    with pytest.raises(tl.ConfigurationError, match=r"strategy and config's strategy\.sleeves both name sleeves"):
        tl.backtest(strategy="trend", config={"strategy.sleeves": {"trend": 1.0}})


def test_a_sleeve_is_named_after_its_class() -> None:
    assert sleeve_name(Golden) == sleeve_name(Golden()) == sleeve_name("a/b.py:Golden") == "golden"
    assert sleeve_name("x.py:LowVolatility200") == "low_volatility200"
    assert sleeve_name("trend") == "trend"


def test_a_class_called_like_a_strategy_of_the_system_is_told_apart() -> None:
    assert sleeve_name("mine.py:Trend") == "own_trend"
    assert sleeve_name("mine.py:Trendy") == "trendy"


def test_a_class_is_referred_to_by_its_module() -> None:
    assert reference_of(Golden()) == "tests.cases.own_strategies:Golden"


def test_a_file_that_is_not_here_is_left_to_the_folder_of_strategies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert found_file("mine.py:Golden") == "mine.py:Golden"
    assert found_file("package.module:Golden") == "package.module:Golden"
    (tmp_path / "mine.py").write_text("", encoding="utf-8")
    assert found_file("mine.py:Golden") == f"{tmp_path.resolve()}/mine.py:Golden"


def test_what_is_typed_into_an_interpreter_has_a_digest_too() -> None:
    def typed(body: str) -> Any:
        scope: dict[str, Any] = {"__name__": "typed"}
        exec(f"class Typed:\n    share = 1.0\n    def plan(self, view):\n        {body}\n", scope)
        return scope["Typed"]

    def digest(strategy: Any) -> str:
        return own_strategy(strategy, "typed:Typed").digest

    # Typed again it is the same, changed it is another.
    assert digest(typed("return None")) == digest(typed("return None"))
    assert digest(typed("return None")) != digest(typed("return self.share"))
    assert digest(typed("return 1.0")) != digest(typed("return 2.0"))
    assert digest(typed("return None")) != digest(typed("return None")())


NEIGHBOUR = Path(__file__).with_name("conftest.py")


class Reader(Golden):
    """Reads a file while it decides."""

    def plan(self, view: tl.MarketView) -> Any:
        with open(NEIGHBOUR, encoding="utf-8"):
            return super().plan(view)


def test_what_a_strategy_reads_besides_is_told(prices: tl.Prices) -> None:
    with pytest.warns(tl.StrategyWarning, match=r"opened .*/conftest\.py at test_strategies\.py, line \d+"):
        tl.backtest(prices, Reader)


def test_runs_in_several_threads_are_those_of_one(prices: tl.Prices) -> None:
    shares = (0.1, 0.2, 0.3, 0.4)
    alone = [tl.backtest(prices, Golden(share)).metrics["final_nav"] for share in shares]
    with ThreadPoolExecutor(len(shares)) as threads:
        together = threads.map(lambda share: tl.backtest(prices, Golden(share)).metrics["final_nav"], shares)
    assert list(together) == alone
    assert len(set(alone)) == len(shares)


def test_a_plan_of_another_type_fails_in_every_session(prices: tl.Prices) -> None:
    with pytest.raises(tl.StrategyUnusableError, match="plan must answer with 15 float64 weights or None, not Series"):
        tl.backtest(prices, Labelled)
