"""Validation of a folder: read, judge, report. Touches no database."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from trading_lib.adapters.quality.folder import FolderContent, read_folder
from trading_lib.adapters.sources.files.rulings import read_rulings
from trading_lib.domain.market.instruments import Universe
from trading_lib.market_data.config import FileLimits
from trading_lib.validation.completeness import missing_findings
from trading_lib.validation.quality import assess_prices
from trading_lib.validation.quality_report import DataQualityReport, ordered
from trading_lib.validation.rules import QualityRules
from trading_lib.workflows.setup.settings import Settings


def validate_folder(
    folder: Path,
    universe: Universe,
    now: datetime,
    rules: QualityRules | None = None,
    limits: FileLimits | None = None,
) -> DataQualityReport:
    """Judge everything in ``folder`` as known at ``now`` (timezone-aware), and what is not in it.

    Raises
    ------
    DataFileError
        When there is nothing in it that could be judged, or a file is too large.
    """
    content = read_folder(folder, universe, now.date(), limits)
    report = assess_prices(content.prices, universe, now, rules, read_rulings(folder))
    missing = content.missing(universe)
    findings = (*content.findings, *missing_findings(missing, now.date()), *report.findings)
    return replace(report, findings=ordered(findings), notes=tuple(content.notes), missing=missing)


def folder_content(folder: Path, settings: Settings) -> FolderContent:
    """Read what `validate_folder` judges, for the pages of Great Expectations."""
    active = settings.configuration
    return read_folder(folder, active.universe, settings.clock().date(), active.sources.files)


def write_documentation(content: FolderContent, target: Path) -> Path:
    """Run the Great Expectations suites over ``content`` and write their data docs below ``target``.

    Returns the address of the first page. Slow by nature (seconds of imports): the gate is `validate_folder`.
    """
    from trading_lib.adapters.quality.great_expectations import write_data_docs

    return write_data_docs(content, target)
