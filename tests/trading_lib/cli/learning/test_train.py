"""`trading train` as a user meets it: a report, a table, plain words where nothing passes, one line where it fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.environment.command_line import run
from trading_lib.workflows.learning import train as training

WINDOW = ("--from", "2019-01-02", "--to", "2020-06-30")
SMALL = {
    "TRADING_LEARNING__MODELS": "[ridge]",
    "TRADING_LEARNING__EVIDENCE__NULL_EXCEEDANCES": "1",
    "TRADING_LEARNING__EVIDENCE__MOST_NULLS": "20",
    "TRADING_LEARNING__EVIDENCE__BOOTSTRAP_SAMPLES": "100",
}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A training of ridge with few null models."""
    for name, value in SMALL.items():
        monkeypatch.setenv(name, value)


def test_a_training_prints_a_table_beside_the_baselines_and_says_that_nothing_passes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "training.json"
    assert run("train", *WINDOW, "--processes", "1", "--out", str(out)) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[0].startswith("Training on simulated data, 2019-01-02 to 2020-06-30: ")
    names = [line.split()[0] for line in lines[3:7]]
    assert names == ["ridge", "momentum_12_1", "static_mean_rank", "equal_weight"]
    assert "  nothing passes: models stay off" in lines
    assert "reading the data of 2019-01-02 to 2020-06-30" in printed.err
    report = json.loads(out.read_text(encoding="utf-8"))
    assert [Path(one["path"]).parts[-3:] for one in report["artifacts"]] == [("training-models", "ridge", "ridge.json")]


def test_json_alone_goes_to_standard_output_and_the_report_to_the_home(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("train", *WINDOW, "--processes", "1", "--window", "3y", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["window"] == "3y"
    (written,) = (home / "home" / "models").glob("*/report.json")
    assert json.loads(written.read_text(encoding="utf-8"))["models"] == report["models"]


def test_a_server_that_does_not_answer_is_noted_and_the_training_ends_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    out = tmp_path / "training.json"
    assert run("train", *WINDOW, "--processes", "1", "--out", str(out), "--json") == 0
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert report == json.loads(out.read_text(encoding="utf-8"))
    assert (report["registered"], report["mlflow_run"]) == ([], None)
    assert any("start it with `make up`, or unset MLFLOW_TRACKING_URI" in note for note in report["notes"])
    assert printed.err.startswith("reading the data of 2019-01-02")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--from", "2020-06-30", "--to", "2019-01-02"), "is inverted"),
        (("--from", "2020-01-02", "--to", "2020-06-30"), "sessions"),
        (("--from", "yesterday", "--to", "2020-06-30"), "'yesterday' is not a date"),
        ((*WINDOW, "--window", "5y"), "--window"),
        ((*WINDOW, "--data", "nowhere"), "--data names nowhere, which does not exist"),
        ((*WINDOW, "--universe-extra", "nowhere"), "--universe-extra names nowhere, which does not exist"),
        ((*WINDOW, "--processes", "0"), "--processes"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    out = tmp_path / "training.json"
    assert run("train", *arguments, "--out", str(out)) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert message in errors[0]
    assert not out.exists()
    assert not (tmp_path / "training-models").exists()


def test_a_report_that_cannot_be_written_is_refused_before_anything_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("train", *WINDOW, "--out", str(tmp_path / "absent" / "training.json")) == 2
    printed = capsys.readouterr()
    assert "absent does not exist: create it first" in printed.err
    assert "reading the data" not in printed.err


def test_ctrl_c_is_one_line_and_exit_code_130(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train", interrupted)
    assert run("train", *WINDOW, "--out", str(tmp_path / "training.json")) == 130
    assert capsys.readouterr() == ("", "stopped by Ctrl-C\n")


def test_a_folder_of_models_that_cannot_be_made_is_refused_before_anything_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "training-models").symlink_to("training-models")
    assert run("train", *WINDOW, "--out", str(tmp_path / "training.json")) == 2
    error = capsys.readouterr().err
    assert "training-models, which is a link: name another report" in error
    assert error.count("\n") == 1
    (tmp_path / "loop.json").symlink_to("loop.json")
    assert run("train", *WINDOW, "--out", str(tmp_path / "loop.json")) == 2
    assert "loop.json is a link that leads to itself: name a file" in capsys.readouterr().err
