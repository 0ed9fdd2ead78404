"""What is read where neither a source nor a folder is named, and how a wrong configuration of it is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from trading_lib.domain.errors import ConfigurationError, InputError
from trading_lib.workflows.data.tasks import plan
from trading_lib.workflows.setup.settings import Settings, load_settings
from trading_lib.workflows.setup.source_choice import SourceChoice, choose_source, research_source


def settings_with(**default: str) -> Settings:
    return load_settings({f"TRADING_SOURCES__DEFAULT__{name.upper()}": value for name, value in default.items()})


def in_project(settings: Settings, project: Path) -> Settings:
    return replace(settings, folders=replace(settings.folders, project=project))


def test_as_shipped_the_simulated_market_is_read() -> None:
    assert choose_source(None, None, settings_with()) == SourceChoice("simulated", None)


def test_a_configured_folder_is_read_by_everything_that_names_none(tmp_path: Path) -> None:
    settings = settings_with(folder=str(tmp_path))
    assert choose_source(None, None, settings) == SourceChoice("files", tmp_path)
    assert choose_source("files", None, settings) == SourceChoice("files", tmp_path)
    assert choose_source("simulated", None, settings) == SourceChoice("simulated", None)
    assert choose_source(None, "elsewhere", settings) == SourceChoice("files", Path("elsewhere"))


def test_a_relative_folder_lies_in_the_project(tmp_path: Path) -> None:
    (tmp_path / "prices").mkdir()
    settings = in_project(settings_with(folder="prices"), tmp_path)
    assert choose_source(None, None, settings).folder == tmp_path / "prices"


def test_a_missing_folder_is_named_with_its_key_and_nothing_else_is_read_instead(tmp_path: Path) -> None:
    settings = in_project(settings_with(folder="gone"), tmp_path)
    for use in (lambda: choose_source(None, None, settings), lambda: research_source(None, settings)):
        with pytest.raises(ConfigurationError, match=r"default\.folder of sources\.yaml .*gone, which does not exist"):
            use()


@pytest.mark.parametrize(
    ("default", "said"),
    [
        ({"source": "bloomberg"}, "default.source 'bloomberg' is unknown, use one of simulated, files, chain, polygon"),
        ({"source": "files"}, "default.source is files, but default.folder names none"),
        ({"folder": ""}, "default.folder"),
        ({"folders": "prices"}, "unknown key default.folders"),
    ],
)
def test_a_default_that_makes_no_sense_is_an_error_at_load(default: dict[str, str], said: str) -> None:
    quoted = {name: value or "''" for name, value in default.items()}
    with pytest.raises(ConfigurationError, match=r"sources\.yaml") as caught:
        settings_with(**quoted)
    assert said in str(caught.value)


def test_a_backtest_says_that_it_cannot_read_the_chain() -> None:
    with pytest.raises(InputError, match=r"default\.source of sources\.yaml .* is chain.*--data"):
        research_source(None, settings_with(source="chain"))


def test_the_plan_of_a_run_carries_what_was_chosen(shared_market_data: Path) -> None:
    planned = plan("2022-06-15", settings=settings_with(folder=str(shared_market_data)))
    assert (planned.source, planned.data, planned.book) == ("files", str(shared_market_data), "paper")
    assert planned.source_name.startswith("files:")
