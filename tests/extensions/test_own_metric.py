"""A metric of a user's own is one file: the example of docs/research/metrics.md runs, and broken ones are told."""

from __future__ import annotations

import csv
import json
import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from tests.builders.price_folder import write_price_folder
from tests.contracts.metric_contract import MetricContract, usual
from tests.environment.command_line import run
from trading_lib.adapters.files.include_folder import include_folder
from trading_lib.adapters.user_code.own_metrics import own_metric
from trading_lib.performance.metrics.metric import Metric, Missing
from trading_lib.performance.metrics.table import METRICS
from trading_lib.workflows.setup.configuration import load_configuration
from trading_lib.workflows.setup.metric_table import RESERVED

ROOT = Path(__file__).resolve().parents[2]
NAME = "tails.py:TailRatio"
OWN = "TRADING_PERFORMANCE__OWN_METRICS"
WINDOW = ("--from", "2021-01-04", "--to", "2021-03-31")


def example() -> str:
    return (ROOT / "docs" / "examples" / "tail_ratio.py").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_price_folder(tmp_path_factory.mktemp("metric") / "prices", date(2020, 1, 2), date(2021, 3, 31))


@pytest.fixture
def include(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of include/ with the example in it; nothing else of the project is touched."""
    folder = tmp_path / "include"
    shutil.copytree(include_folder(), folder)
    (folder / "metrics" / "tails.py").write_text(example())
    for name in ("MLFLOW_TRACKING_URI", "TRADING_DATABASE_URL", "TRADING_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TRADING_INCLUDE", str(folder))
    monkeypatch.setenv("TRADING_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(OWN, f"[{NAME}]")
    return folder


def test_the_documentation_shows_the_example() -> None:
    section = (
        (ROOT / "docs" / "research" / "metrics.md").read_text(encoding="utf-8").split("## A metric of your own")[1]
    )
    assert section.split("```python\n")[1].split("```")[0] == example()


class TestContract(MetricContract):
    """The example is a metric like any other."""

    @pytest.fixture
    def metric(self, include: Path) -> Metric:
        return own_metric(NAME, include / "metrics")


def test_its_figure_is_what_its_definition_says(include: Path) -> None:
    metric, ordered = own_metric(NAME, include / "metrics"), np.sort(usual().returns)
    places = np.arange(len(ordered)) / (len(ordered) - 1)
    worst, best = np.interp([0.05, 0.95], places, ordered)
    assert metric.value(usual()) == pytest.approx(best / -worst)
    assert metric.label == "Tail ratio"


def test_it_stands_in_report_terminal_and_tear_sheet_and_changes_no_other_figure(
    include: Path, prices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet, out, plain = tmp_path / "sheet.html", tmp_path / "out.json", tmp_path / "plain.json"
    monkeypatch.setenv("TRADING_PERFORMANCE__TARGETS__TAIL_RATIO", "{target: 0.2, minimum: 0.1}")
    shown = ("backtest", *WINDOW, "--data", str(prices), "--no-track", "--full")
    assert run(*shown, "--tear-sheet", str(sheet), "--out", str(out)) == 0
    report = json.loads(out.read_text())
    assert isinstance(report["tail_ratio"], float)
    assert f"Tail ratio{' ' * 21}{report['tail_ratio']:.4f}" in capsys.readouterr().out
    page = sheet.read_text()
    assert ">Tail ratio</span></th>" in page
    assert f"{report['tail_ratio']:.2f}" in page
    # Its class asks for 1.2; performance.yaml comes first.
    assert report["targets"]["tail_ratio"]["target"] == 0.2
    assert report["targets"]["tail_ratio"]["meets_target"] is True
    for variable in (OWN, "TRADING_PERFORMANCE__TARGETS__TAIL_RATIO"):
        monkeypatch.delenv(variable)
    assert run(*shown, "--out", str(plain)) == 0
    without = json.loads(plain.read_text())
    own = {"tail_ratio": report.pop("tail_ratio"), "target": report["targets"].pop("tail_ratio")}
    assert set(own) == {"tail_ratio", "target"}
    for one in (report, without):
        one.pop("elapsed_seconds")
    assert report == without


def test_it_is_listed_with_its_definition_and_the_target_in_force(
    include: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("metrics", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert list(listed) == [*METRICS, "tail_ratio"]
    assert listed["tail_ratio"]["target"] == {"target": 1.2, "minimum": 0.9}
    assert listed["sharpe"]["target"] == {"target": 1.0, "minimum": 0.7}
    assert listed["beta"]["target"] is None
    assert run("metrics") == 0
    shown = capsys.readouterr().out.splitlines()
    assert "max_drawdown       Maximum drawdown (per cent; target below 15.00%): largest fall from" in "\n".join(shown)
    assert shown[-1].endswith("Tail ratio (ratio; target above 1.2000): 95 % quantile of daily returns / the loss at "
                              "their 5 % quantile")  # fmt: skip
    (include / "metrics" / "tails.py").unlink()
    assert run("metrics") == 2


def test_it_is_logged_to_mlflow(
    include: Path, prices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from mlflow import MlflowClient

    # Artifacts of a store without a server go below the working directory.
    monkeypatch.chdir(tmp_path)
    store = f"sqlite:///{tmp_path / 'runs.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    assert run("backtest", *WINDOW, "--data", str(prices), "--json") == 0
    report = json.loads(capsys.readouterr().out)
    logged = MlflowClient(store).get_run(report["mlflow_run_id"]).data.metrics
    for name in ("tail_ratio", *METRICS):
        assert logged.get(name) == pytest.approx(report[name]), name


def test_every_row_of_a_sweep_has_it_in_whatever_process(include: Path, prices: Path, tmp_path: Path) -> None:
    grid, one, two = tmp_path / "grid.yaml", tmp_path / "one.csv", tmp_path / "two.csv"
    grid.write_text("strategy.signals.momentum_high: [0.08, 0.12]\n")
    for out, processes in ((one, "1"), (two, "2")):
        asked = ("--grid", str(grid), "--out", str(out), "--data", str(prices), "--processes", processes)
        assert run("sweep", *WINDOW, *asked) == 0
    rows = [list(csv.DictReader(out.open())) for out in (one, two)]
    for row, other in zip(*rows, strict=True):
        assert float(row["tail_ratio"]) == float(other["tail_ratio"])
        assert {name for name in METRICS if name not in row} == set()
        assert row["alpha"] == other["alpha"] != ""


def test_a_sweep_begins_anew_when_the_metric_has_changed(include: Path) -> None:
    from trading_lib.workflows.setup.metric_table import metric_digests

    def digest() -> dict[str, str]:
        return metric_digests(load_configuration(include / "config", {OWN: f"[{NAME}]"}))

    before = digest()
    path = include / "metrics" / "tails.py"
    path.write_text(path.read_text() + "# changed\n")
    assert list(before) == [NAME]
    assert digest() != before
    assert metric_digests(load_configuration(include / "config", {})) == {}


def changed(old: str, new: str) -> str:
    assert old in example()
    return example().replace(old, new)


COMPUTED = 'return float(best / -worst) if worst < 0 else Missing("the worst days were no losses")'
BROKEN = {
    "no file": (None, "metric file {folder}/tails.py does not exist"),
    "no class": ("RATIO = 1\n", "tails.py has no class 'TailRatio'"),
    "no Python": ("class TailRatio(:\n", "tails.py cannot be loaded: SyntaxError"),
    "an import that fails": (changed("numpy", "no_such_package"), "tails.py cannot be loaded: ModuleNotFoundError"),
    "no method": (changed("def compute(", "def other("), f"metric {NAME} has no method compute"),
    "no name": (changed('name = "tail_ratio"', "pass"), f"metric {NAME} has no name"),
    "no definition": (changed("definition = ", "formula = "), f"metric {NAME} has no definition"),
    "a name of the system": (changed('"tail_ratio"', '"sharpe"'), f"metric {NAME} calls itself 'sharpe', as a figure"),
    "a key of the report": (changed('"tail_ratio"', '"orders"'), f"metric {NAME} calls itself 'orders', as a figure"),
    "a name that is no key": (changed('"tail_ratio"', '"Tail ratio"'), f"metric {NAME} has the name 'Tail ratio'"),
    "a unit there is not": (changed("Unit.RATIO", '"percent"'), f"metric {NAME} has the unit 'percent': did you mean"),
    "an easy target": (changed("target=1.2", "target=0.2"), "the target of tail_ratio must be at least as hard"),
    "a target without direction": (changed("Better.HIGHER", "Better.NEITHER"), "is neither better high nor low"),
    "a raising constructor": (changed("    def compute", "    def __init__(self):\n        1 / 0\n\n    def compute"),
                              f"metric {NAME} cannot be created (ZeroDivisionError in line 21)"),
    "an import that ends the process": ("raise SystemExit(3)\n", "tails.py cannot be loaded: SystemExit (line 1)"),
    "a defect": (changed("run.returns, [", "run.no, ["), f"metric {NAME}: compute failed with AttributeError in line"),
    "an end of the process": (changed(COMPUTED, "raise SystemExit"), f"metric {NAME}: compute failed with SystemExit"),
    "an end without a word": (changed(COMPUTED, "import os; os._exit(0)"), f"{NAME}: compute failed with ProcessEnd"),
    "an import that ends so": ("import os; os._exit(0)\n", "tails.py cannot be loaded: ProcessEndedError (line 1)"),
    "a constructor that ends so": (changed("    def compute", "    def __init__(self):\n"
                                           "        import os; os._exit(0)\n\n    def compute"),
                                   f"{NAME} cannot be created (ProcessEndedError"),
    "a property that fails": (changed("    unit = Unit.RATIO", "    unit = property(lambda own: 1 / 0)"),
                              f"metric {NAME}: unit failed with ZeroDivisionError in line 16"),
    "a change by force": (changed(COMPUTED, "run.nav.setflags(write=True)"), f"{NAME}: compute failed with ValueError"),
    "text": (changed(COMPUTED, "return 'high'"), f"metric {NAME}: compute answers str, no number and no Missing"),
    "nothing": (changed(COMPUTED, "pass"), f"metric {NAME}: compute answers NoneType, no number and no Missing"),
    "a truth value": (changed(COMPUTED, "return best > worst"), f"metric {NAME}: compute answers bool"),
    "no reason": (changed(COMPUTED, "return Missing('')"), f"metric {NAME}: compute answers Missing without a reason"),
    "a change of the run": (changed(COMPUTED, "run.nav[0] = 1"), f"metric {NAME}: compute failed with ValueError"),
}  # fmt: skip


@pytest.mark.parametrize("figure", ["10**400", "float('inf')"])
def test_a_number_beyond_all_bounds_is_missing(include: Path, figure: str) -> None:
    path = include / "metrics" / "tails.py"
    path.write_text(changed(COMPUTED, f"return {figure}"))
    answer = own_metric(NAME, path.parent).value(usual())
    assert answer == Missing("it came to no finite number")


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_one_is_one_line_and_nothing_is_written(
    case: str, include: Path, prices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, said = BROKEN[case]
    path, out = include / "metrics" / "tails.py", tmp_path / "out.json"
    path.unlink()
    if content is not None:
        path.write_text(content)
    assert run("backtest", *WINDOW, "--data", str(prices), "--no-track", "--out", str(out)) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert said.format(folder=include / "metrics") in error
    assert not out.exists()


@pytest.mark.parametrize("case", ["no file", "no method", "a name of the system"])
def test_a_broken_one_stops_a_sweep_before_any_price_is_read(
    case: str, include: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, grid = include / "metrics" / "tails.py", tmp_path / "grid.yaml"
    path.unlink()
    if BROKEN[case][0] is not None:
        path.write_text(str(BROKEN[case][0]))
    grid.write_text("strategy.signals.momentum_high: [0.08, 0.12]\n")
    asked = ("--grid", str(grid), "--out", str(tmp_path / "out.csv"), "--data", str(tmp_path / "nowhere"))
    assert run("sweep", *WINDOW, *asked) == 2
    assert BROKEN[case][1].format(folder=include / "metrics") in capsys.readouterr().err


def test_what_measures_nothing_does_not_load_it(include: Path) -> None:
    (include / "metrics" / "tails.py").write_text("raise SystemExit(3)\n")
    found = load_configuration(include / "config", {OWN: f"[{NAME}]"})
    assert found.performance.own_metrics == (NAME,)
    assert found.config_hash == load_configuration(include / "config", {}).config_hash


def test_two_of_one_name_and_a_target_of_none_are_told(
    include: Path, prices: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("backtest", *WINDOW, "--data", str(prices), "--no-track")
    monkeypatch.setenv(OWN, f"[{NAME}, {NAME}]")
    assert run(*asked) == 2
    assert f"metric {NAME} calls itself 'tail_ratio', as another one" in capsys.readouterr().err
    monkeypatch.setenv(OWN, f"[{NAME}]")
    monkeypatch.setenv("TRADING_PERFORMANCE__TARGETS__TALE_RATIO", "{target: 2, minimum: 1}")
    assert run(*asked) == 2
    error = capsys.readouterr().err
    assert "performance.yaml: targets: there is no metric 'tale_ratio': did you mean tail_ratio" in error


def test_no_metric_can_take_the_place_of_anything_in_a_report_or_a_row_of_a_sweep(
    include: Path, prices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from mlflow import MlflowClient

    monkeypatch.chdir(tmp_path)
    store = f"sqlite:///{tmp_path / 'runs.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    assert run("backtest", *WINDOW, "--data", str(prices), "--json") == 0
    report = json.loads(capsys.readouterr().out)
    logged = MlflowClient(store).get_run(report["mlflow_run_id"]).data.metrics
    grid, out = tmp_path / "grid.yaml", tmp_path / "out.csv"
    grid.write_text("- name: one\n  strategy.signals.momentum_high: 0.08\n")
    assert run("sweep", *WINDOW, "--grid", str(grid), "--out", str(out), "--data", str(prices), "--processes", "1") == 0
    names = {*report, *logged, *next(csv.reader(out.open()))} - {"tail_ratio", *METRICS}
    # What cannot be the name of a metric needs no place in the list.
    assert {name for name in names if name.replace("_", "").isalnum()} <= RESERVED
