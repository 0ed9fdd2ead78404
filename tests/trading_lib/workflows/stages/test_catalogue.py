"""One list of stages: what stands in it exists, under its name, and touches tables that exist."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from trading_lib.adapters.stores.postgres.schema import metadata
from trading_lib.workflows.stages.catalogue import DATA_STAGES, EARLIER_NAMES, TRADE_STAGES, Stage, in_group

STAGES = (*DATA_STAGES, *TRADE_STAGES)


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_stage_is_the_function_of_its_name_on_tables_that_exist(stage: Stage[Any]) -> None:
    assert stage.load().__name__ == stage.name
    assert set(stage.reads) | set(stage.writes) <= set(metadata.tables)
    assert stage.about.endswith(".")
    assert all(table in stage.doc for table in (*stage.reads, *stage.writes))


def test_a_stage_reads_nothing_that_only_a_later_one_writes() -> None:
    before = {"bars", "macro", "approvals", "portfolio_state", "orders", "fills", "risk_state"}
    before |= {"model_versions", "model_aliases", "model_files"}
    for stage in STAGES:
        assert set(stage.reads) <= before, stage.name
        before |= set(stage.writes)


def test_an_earlier_name_belongs_to_a_stage_and_to_no_other() -> None:
    names = {stage.name for stage in STAGES}
    assert set(EARLIER_NAMES) <= names
    assert names.isdisjoint(EARLIER_NAMES.values())


def test_the_groups_hold_every_stage_once_and_in_order() -> None:
    groups = list(dict.fromkeys(stage.group for stage in TRADE_STAGES))
    assert [stage for group in groups for stage in in_group(group)] == list(TRADE_STAGES)


def test_naming_the_stages_loads_none_of_them() -> None:
    """Airflow reads the DAGs every few seconds."""
    script = (
        "import sys; from trading_lib.workflows.stages import catalogue, plans, xcom;"
        "print([n for n in ('numba', 'pandas', 'sqlalchemy', 'trading_lib.workflows.trade.tasks') if n in sys.modules])"
    )
    root = Path(__file__).resolve().parents[4]
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=root)
    assert answer.stdout.strip() == "[]"
