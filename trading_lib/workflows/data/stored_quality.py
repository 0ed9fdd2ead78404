"""Validation of stored data: every source's bars judged again, with hindsight, beside ingestion's findings.

Also keeps what a folder's files show that are never stored: second opinions and files nobody listed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pandas as pd
from sqlalchemy import Engine

from trading_lib.adapters.quality.folder import FolderContent
from trading_lib.adapters.sources.files.manifest import ManifestEntry, read_manifest
from trading_lib.adapters.sources.registry import stored_name
from trading_lib.adapters.stores.market.market_store import MarketStore
from trading_lib.adapters.stores.market.positioning_store import PositioningStore
from trading_lib.adapters.stores.market.validation import quarantined_bars, standing_findings, stored_kinds
from trading_lib.domain.errors import InputError
from trading_lib.domain.market.prices import Bars
from trading_lib.market_data.chain import CHAIN
from trading_lib.validation.completeness import MISSING_RULES
from trading_lib.validation.macro_checks import funding_findings, macro_findings
from trading_lib.validation.quality import PriceDataset, assess_prices
from trading_lib.validation.quality_report import DataQualityReport, SymbolQuality, ordered
from trading_lib.validation.report import Finding, Severity
from trading_lib.workflows.data.folder_quality import validate_folder
from trading_lib.workflows.data.sources import source_name
from trading_lib.workflows.setup.settings import Settings

INGESTED_ROLES = ("prices", "macro", "funding")
# Judged again from what is stored now; yesterday's answer says nothing about a history that has grown since.
ABOUT_THE_WHOLE = frozenset({"gap", "missing_sessions", "stale_last_bar"})


def validate_stored(settings: Settings, source: str | None = None) -> DataQualityReport:
    """Judge everything stored, or what is stored of one source (``chain``: of all its members).

    Raises
    ------
    InputError
        When nothing is stored, or nothing of ``source``.
    """
    engine, now = settings.engine(), settings.clock()
    kinds = stored_kinds(engine)
    names = _chosen(source, kinds, settings)
    content = read_stored(engine, names, kinds, now)
    symbols: list[SymbolQuality] = []
    findings = list(content.findings)
    for group in _comparable(content.prices, settings):
        report = assess_prices(group, settings.configuration.universe, now)
        symbols += report.symbols
        findings += report.findings
    again = {(f.dataset, f.symbol, f.session, f.rule) for f in findings}
    findings += [f for f in _recorded(engine, names, kinds) if (f.dataset, f.symbol, f.session, f.rule) not in again]
    ranked = tuple(sorted(symbols, key=lambda quality: quality.symbol))
    return DataQualityReport(ranked, ordered(findings), tuple(content.notes))


def read_stored(
    engine: Engine, names: Sequence[str], kinds: dict[str, tuple[str, ...]], now: datetime
) -> FolderContent:
    """Read what is stored of the sources ``names``, in the form in which a folder is judged and documented."""
    store, positions, content = MarketStore(engine), PositioningStore(engine), FolderContent()
    for name in names:
        if "bars" in kinds[name]:
            bars = _with_quarantined(store.read_bars(name, now), quarantined_bars(engine, name))
            content.prices.append(PriceDataset(name, bars, bars.frame, own_level=True))
        if "macro" in kinds[name]:
            series = store.read_macro(name, now).frame
            # A page of its own beside that of the prices.
            content.macro[f"{name}/macro"] = series
            content.findings += macro_findings(series, name)
        if "funding" in kinds[name]:
            rates = positions.read_funding(name, now).frame
            rows = rates.assign(exchange=rates["venue"], time=rates["settled_at"].dt.tz_convert(None))
            content.findings += funding_findings(rows, name)
        content.notes.append(f"{name}: {', '.join(kinds[name])}")
    return content


def stored_content(settings: Settings, source: str | None = None) -> FolderContent:
    """Return what `validate_stored` judges, for the pages of Great Expectations."""
    engine = settings.engine()
    kinds = stored_kinds(engine)
    return read_stored(engine, _chosen(source, kinds, settings), kinds, settings.clock())


def record_folder_findings(folder: Path, settings: Settings) -> int:
    """Store what the files of ``folder`` show that ingestion does not read; returns the number of findings.

    Each is kept under the source's name, a slash and the file's, so that none of them touches a bar of the source.
    """
    engine, now = settings.engine(), settings.clock()
    name = source_name("files", str(folder), settings)
    manifest = read_manifest(folder)
    if manifest is None:  # then every file that fits is ingested
        return 0
    ingested = {_dataset_name(entry) for role in INGESTED_ROLES for entry in manifest.role(role)}
    active = settings.configuration
    report = validate_folder(folder, active.universe, now, limits=active.sources.files)
    by_dataset: dict[str, list[Finding]] = {}
    for finding in report.findings:
        # What is absent concerns the folder of today, not a bar; `trading data` says what is absent from the store.
        if finding.dataset not in ingested and finding.rule not in MISSING_RULES:
            by_dataset.setdefault(finding.dataset or folder.name, []).append(finding)
    store = MarketStore(engine)
    for dataset, findings in sorted(by_dataset.items()):
        store.save_validation(f"{name}/{dataset}", _once_per_rule(findings), Bars.empty(), now)
    return sum(map(len, by_dataset.values()))


def _dataset_name(entry: ManifestEntry) -> str:
    """Name under which a validation of the folder shows a listed file."""
    return f"{entry.path.stem}/{entry.where['source']}" if "source" in entry.where else entry.path.stem


def _once_per_rule(findings: Sequence[Finding]) -> list[Finding]:
    """Merge findings of one rule about one symbol and day, e.g. about many rows of a file: value is their number."""
    grouped: dict[tuple[str, date, str], list[Finding]] = {}
    for finding in findings:
        grouped.setdefault((finding.symbol, finding.session, finding.rule), []).append(finding)
    return [
        group[0]
        if len(group) == 1
        else replace(group[0], value=float(len(group)), message=f"{len(group)} times, first: {group[0].message}")
        for group in grouped.values()
    ]


def _chosen(source: str | None, kinds: dict[str, tuple[str, ...]], settings: Settings) -> list[str]:
    if not kinds:
        raise InputError("no market data is stored", "run `trading ingest` first, or name a folder with --data")
    if source is None:
        return list(kinds)
    named = settings.configuration.sources.names if source == CHAIN else (source,)
    members = {stored_name(name) for name in named}
    chosen = [name for name in kinds if name in members]
    if not chosen:
        raise InputError(f"nothing of source {source!r} is stored", f"there is {', '.join(kinds)}")
    return chosen


def _with_quarantined(accepted: Bars, bad: Bars) -> Bars:
    return Bars.from_frame(pd.concat([accepted.frame, bad.frame], ignore_index=True)) if len(bad) else accepted


def _comparable(datasets: Sequence[PriceDataset], settings: Settings) -> list[list[PriceDataset]]:
    """Vendors tell of the same market and are compared; folders and the simulated market stand for themselves."""
    vendors = set(settings.configuration.sources.names)
    together = [dataset for dataset in datasets if dataset.name in vendors]
    alone = [[dataset] for dataset in datasets if dataset.name not in vendors]
    return [*([together] if together else []), *alone]


def _recorded(engine: Engine, names: Sequence[str], kinds: dict[str, tuple[str, ...]]) -> list[Finding]:
    """Return findings of earlier ingestions that the stored data alone does not show."""
    findings = []
    for dataset, symbol, session, rule, severity, value, message in standing_findings(engine, names):
        if rule not in ABOUT_THE_WHOLE or dataset not in kinds:
            finding = Finding(symbol, session, rule, Severity(severity), value, message)
            findings.append(replace(finding, dataset=dataset))
    return findings
