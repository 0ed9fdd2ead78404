"""``trading model`` as an operator meets it: text, JSON, exit codes, and errors of one line."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.environment.command_line import run
from tests.environment.finished_training import BASELINE, evidence, finished_training, noise
from trading_lib.workflows.learning.registration import verify
from trading_lib.workflows.learning.registry import register
from trading_lib.workflows.learning.train import TrainingRun
from trading_lib.workflows.setup.settings import Settings, load_settings

pytestmark = pytest.mark.postgres

ADA = ("--operator", "Ada Lovelace")


@pytest.fixture
def settings(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("TRADING_DATABASE_URL", database_url)
    return load_settings()


@pytest.fixture
def champion(settings: Settings, capsys: pytest.CaptureFixture[str]) -> TrainingRun:
    """Version 1 is champion, version 2 the challenger and worse."""
    first = finished_training()
    register(settings, first)
    assert run("model", "promote", "1", *ADA) == 0
    register(settings, finished_training({"ridge": noise(0.01), BASELINE: noise(0.0)}, seed=1))
    capsys.readouterr()
    return first


def told(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_an_empty_registry_says_that_no_model_has_earned_its_place(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("model", "status") == 0
    shown = capsys.readouterr().out
    assert "no model has earned its place; nothing is traded on one" in shown
    assert "MLflow: no MLflow is running" in shown
    assert run("model", "list") == 0
    assert "no model was ever registered" in capsys.readouterr().out
    assert run("model", "history", "--json") == 0
    assert told(capsys) == {"history": []}


def test_the_status_tells_who_is_champion_and_what_would_replace_it(
    champion: TrainingRun, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("model", "status") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("champion     version 1 (ridge), champion, trained until 2008-12-31, IC 0.060")
    assert "by Ada Lovelace: mean IC +0.0" in lines[1]
    assert lines[2].startswith("challenger   version 2 (ridge)")
    assert any(line.startswith("challenger version 2: mean IC -0.0") for line in lines)
    assert any(line.startswith("next training after session ") for line in lines)
    assert run("model", "status", "--json") == 0
    found = told(capsys)
    assert (found["champion"]["version"], found["comparison"]["better"]) == (1, False)
    assert run("model", "history", "1") == 0
    assert [line.split()[4] for line in capsys.readouterr().out.splitlines()] == ["challenger", "champion"]


def test_a_champion_whose_file_was_changed_in_the_database_is_told_and_exits_with_one(
    champion: TrainingRun, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with settings.engine().begin() as connection:
        connection.execute(text("ALTER TABLE model_files DISABLE TRIGGER only_added"))
        connection.execute(text("UPDATE model_files SET content = content || ' '"))
    assert run("model", "status") == 1
    assert "CANNOT BE USED: the file ridge.json of model version 1 (ridge) has SHA-256" in capsys.readouterr().out
    assert run("model", "verify", "1") == 2
    assert "the file ridge.json of model version 1 (ridge) has SHA-256" in capsys.readouterr().err


def test_what_is_not_better_is_not_promoted_and_exits_with_one(
    champion: TrainingRun, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("model", "promote", "2", *ADA) == 1
    assert "version 2 does not replace version 1: mean IC -0.0" in capsys.readouterr().err
    assert run("model", "promote", "1", *ADA) == 2
    assert "version 1 is the champion, and only the challenger is promoted" in capsys.readouterr().err
    assert run("model", "promote", "2") == 2
    assert "--operator" in capsys.readouterr().err
    assert run("model", "promote", "2", *ADA, "--force") == 2
    assert "force" in capsys.readouterr().err


def test_a_champion_is_retired_and_brought_back(champion: TrainingRun, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("model", "rollback", *ADA, "--reason", "strange scores") == 2
    assert "there is no earlier champion" in capsys.readouterr().err
    assert run("model", "retire", "1", *ADA, "--reason", "a feature is wrong") == 0
    assert capsys.readouterr().out.splitlines()[:2] == [
        "version 1 is retired (by Ada Lovelace): a feature is wrong",
        "champion: none",
    ]
    assert run("model", "rollback", *ADA, "--reason", "it was not", "--to", "1", "--json") == 0
    assert told(capsys)["champion"] == 1


def test_a_retired_challenger_is_named_challenger_again(
    champion: TrainingRun, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("model", "retire", "2", *ADA, "--reason", "a feature is wrong") == 0
    capsys.readouterr()
    assert run("model", "challenge", "2", *ADA, "--reason", "it was not") == 0
    assert capsys.readouterr().out.splitlines()[0] == "version 2 is the challenger (by Ada Lovelace): it was not"
    assert run("model", "challenge", "2", *ADA, "--reason", "again") == 2
    assert "version 2 is the challenger" in capsys.readouterr().err


def test_a_certificate_is_verified_with_exit_codes_0_1_and_2(
    champion: TrainingRun, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    assert run("model", "export", "1", str(folder)) == 0
    assert str(folder / "certificate.json") in capsys.readouterr().out
    checked = verify.verify
    monkeypatch.setattr(verify, "verify", partial(checked, train=lambda *_: champion))
    for target in ("1", str(folder), str(folder / "certificate.json")):
        assert run("model", "verify", target) == 0
        assert "figures and hashes are equal, bit by bit" in capsys.readouterr().out
    worse = replace(champion, evidence={"ridge": evidence(0.05)}, code_version="2.0")
    monkeypatch.setattr(verify, "verify", partial(checked, train=lambda *_: worse))
    assert run("model", "verify", str(folder / "certificate.json")) == 1
    shown = capsys.readouterr().out
    assert "DIFFERS in code: evidence.ic_by_path[0] is 0.0500, stated as 0.0600" in shown
    assert "stated by version 1.0, this is 2.0" in shown
    (folder / "MLmodel").write_text("loader_module: evil")
    assert run("model", "verify", str(folder)) == 2
    error = capsys.readouterr().err
    assert f"{folder / 'MLmodel'} belongs to no model" in error
    assert error.count("\n") == 1


def test_an_unknown_version_is_one_line(settings: Settings, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for arguments in (
        ("history", "7"),
        ("verify", "7"),
        ("export", "7", str(tmp_path / "new")),
        ("promote", "7", *ADA),
    ):
        assert run("model", *arguments) == 2
        error = capsys.readouterr().err
        assert "there is no model version 7" in error
        assert error.count("\n") == 1
