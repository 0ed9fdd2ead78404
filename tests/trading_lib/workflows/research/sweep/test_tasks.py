"""The DAG parameter_sweep's functions: chunks that any worker may run, collected from the database."""

from __future__ import annotations

import ast
from datetime import date
from pathlib import Path

import pytest

from tests.builders.price_folder import write_price_folder
from tests.builders.settings import make_settings
from trading_lib.adapters.stores.postgres.schema import metadata
from trading_lib.adapters.stores.research.sweeps_and_gates import SweepStore
from trading_lib.domain.errors import ConfigurationError, DataQualityError, InputError, SessionError
from trading_lib.workflows.research.sweep import tasks as sweep_runs
from trading_lib.workflows.setup.settings import Settings

pytestmark = pytest.mark.postgres

GRID = {"strategy.signals.momentum_high": [0.08, 0.01, 0.12]}


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_price_folder(tmp_path_factory.mktemp("runs") / "prices", date(2020, 1, 2), date(2021, 6, 30))


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return make_settings(database_url, tmp_path)


def form(prices: Path, **fields: object) -> dict[str, object]:
    return {
        "from": "2021-03-01",
        "to": "2021-06-30",
        "data": str(prices),
        "grid": GRID,
        "points_per_chunk": 2,
        **fields,
    }


def test_chunks_in_any_order_make_the_whole_sweep(settings: Settings, prices: Path) -> None:
    plans = sweep_runs.chunks(form(prices), settings)
    assert [(plan.start, plan.stop) for plan in plans] == [(0, 2), (2, 4)]
    assert len({plan.sweep for plan in plans}) == 1
    counts = [sweep_runs.run(plan, settings) for plan in reversed(plans)]
    assert [(found.points, found.ok) for found in counts] == [(1, 1), (2, 1)]
    found = sweep_runs.collect(plans[0].sweep, settings=settings)
    assert (found["points"], found["ok"]) == (3, 2)
    assert "the thresholds must rise" in found["failed"]["1"]
    sharpes = [row["sharpe"] for row in found["best"]]
    assert sharpes == sorted(sharpes, reverse=True)


def test_a_sweep_of_which_every_point_fails_ends_red_with_the_commonest_reason(
    settings: Settings, prices: Path
) -> None:
    (plan,) = sweep_runs.chunks(form(prices, grid={"risk.target_volatility": [-1, -2]}), settings)
    assert sweep_runs.run(plan, settings).ok == 0
    with pytest.raises(DataQualityError, match=r"all 2 points failed, 2 of them by: .*target_volatility"):
        sweep_runs.collect(plan.sweep, settings=settings)


def test_keys_that_changed_nothing_are_named(
    settings: Settings, prices: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (plan,) = sweep_runs.chunks(form(prices, grid={"strategy.carry.entry_rate": [0.0001, 0.0002]}), settings)
    sweep_runs.run(plan, settings)
    found = sweep_runs.collect(plan.sweep, settings=settings)
    assert (found["all_equal"], found["without_effect"]) == (True, ["strategy.carry.entry_rate"])
    assert "all 2 finished points came to the same result" in caplog.text


def test_the_forms_own_grid_shows_a_difference_at_every_point_of_the_simulated_market(
    settings: Settings, repository_root: Path
) -> None:
    """The default of the DAG's form, read as text: importing a DAG needs Airflow."""
    text = (repository_root / "dags" / "parameter_sweep.py").read_text()
    grid = ast.literal_eval(next(line for line in text.splitlines() if '{"strategy.' in line).strip().rstrip(","))
    asked = {"from": "2015-01-02", "to": "2019-12-31", "data": None, "grid": grid}
    (plan,) = sweep_runs.chunks(asked, settings)
    count = sweep_runs.run(plan, settings).points
    found = sweep_runs.collect(plan.sweep, best=count, settings=settings)
    assert found["without_effect"] == []
    assert len({round(row["sharpe"], 4) for row in found["best"]}) == count == 6


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"grid": {f"risk.k{k}": list(range(100)) for k in range(3)}}, "the grid has 1,000,000 points"),
        ({"grid": {"risk.k": list(range(2000))}, "points_per_chunk": 1}, "set points_per_chunk to 2 or more"),
    ],
)
def test_a_grid_that_no_scheduler_could_carry_is_refused(
    settings: Settings, prices: Path, fields: dict[str, object], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        sweep_runs.chunks(form(prices, **fields), settings)


def test_another_question_is_another_sweep(settings: Settings, prices: Path) -> None:
    forms = [form(prices), form(prices, to="2021-06-29"), form(prices, grid={"risk.target_volatility": [0.1]})]
    assert len({sweep_runs.chunks(asked, settings)[0].sweep for asked in forms}) == 3


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"grid": None}, InputError),
        ({"grid": {"nonsense": [1]}}, ConfigurationError),
        ({"from": "soon"}, SessionError),
    ],
)
def test_a_form_that_makes_no_sense(
    settings: Settings, prices: Path, fields: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        sweep_runs.chunks(form(prices, **fields), settings)


def test_a_sweep_writes_its_points_and_nothing_else(settings: Settings, prices: Path) -> None:
    engine = settings.engine()

    def counts() -> dict[str, int]:
        with engine.connect() as connection:
            return {table.name: len(connection.execute(table.select()).all()) for table in metadata.sorted_tables}

    before = counts()
    (plan, *_) = sweep_runs.chunks(form(prices), settings)
    sweep_runs.run(plan, settings)
    after = counts()
    assert {name for name in after if after[name] != before[name]} == {"sweep_points"}
    assert len(SweepStore(engine).points(plan.sweep)) == 2
