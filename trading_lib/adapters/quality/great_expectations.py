"""Great Expectations over the same data: its results as findings, and its data docs as pages in a folder.

Imported inside functions: the import takes seconds and the gate (`validation`) milliseconds. The context is ephemeral
and sends no usage statistics; nothing is written but the pages.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from trading_lib.adapters.files.output_file import check_writable
from trading_lib.adapters.quality.expectation_suites import Expectation, ExpectationSuite, load_suite
from trading_lib.adapters.quality.folder import FolderContent
from trading_lib.domain.errors import ConfigurationError, InputError
from trading_lib.domain.market.prices import VOLATILITY_INDEX
from trading_lib.validation.price_rules.structural import StructuralRules
from trading_lib.validation.quality_report import ordered
from trading_lib.validation.report import Finding, Severity

SITE = "pages"
KEYS = ("symbol", "series", "date")


def expectation_findings(suite: ExpectationSuite, frame: pd.DataFrame, dataset: str = "") -> tuple[Finding, ...]:
    """Run ``suite`` on rows and return one finding per failed row and expectation.

    Parameters
    ----------
    frame
        Columns of `Bars` for the suites ``bars`` and ``volatility_index``; series, date and value for ``macro``.
    """
    context = _context()
    prepared = _prepared(frame)
    result = _validation(context, suite, dataset or suite.name).run(
        batch_parameters={"dataframe": prepared}, result_format={"result_format": "COMPLETE"}
    )
    findings: list[Finding] = []
    for outcome in result.results:
        config = outcome.expectation_config
        problem = _problem(outcome.exception_info)
        if problem:
            raise ConfigurationError(f"expectation {config.type} of suite {suite.name} cannot run", problem)
        # Results come in an order of their own, so each carries its rule along.
        rule, severity = config.meta["rule"], Severity(config.meta["severity"])
        for row in outcome.result.get("unexpected_index_list") or ():
            findings.append(_finding(prepared.iloc[int(row)], rule, severity, config.kwargs.get("column"), dataset))
    return ordered(findings)


def write_data_docs(content: FolderContent, target: Path) -> Path:
    """Run the suites over everything a folder holds and write the pages below ``target``; returns the first page."""
    if target.exists() and not target.is_dir():
        raise InputError(f"{target} is a file", "name a folder for the pages")
    target.mkdir(parents=True, exist_ok=True)
    check_writable(target / "index.html")
    context = _context()
    context.add_data_docs_site(
        site_name=SITE,
        site_config={
            "class_name": "SiteBuilder",
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(target.resolve())},
        },
    )
    import great_expectations as gx
    from great_expectations.checkpoint.actions import UpdateDataDocsAction

    for suite, name, frame in _jobs(content):
        definition = _validation(context, suite, name)
        checkpoint = gx.Checkpoint(
            name=name,
            validation_definitions=[definition],
            actions=[UpdateDataDocsAction(name="pages", site_names=[SITE])],
            result_format={"result_format": "SUMMARY"},
        )
        context.checkpoints.add(checkpoint).run(batch_parameters={"dataframe": _prepared(frame)})
    return target / "index.html"


def _jobs(content: FolderContent) -> Iterator[tuple[ExpectationSuite, str, pd.DataFrame]]:
    for dataset in content.prices:
        frame = dataset.bars.frame
        index = frame["symbol"] == VOLATILITY_INDEX
        name = dataset.name.replace("/", " ")
        if not index.all():
            yield load_suite("bars"), name, frame[~index]
        if index.any():
            yield load_suite("volatility_index"), f"{name} index", frame[index]
    for key, frame in content.macro.items():
        yield load_suite("macro"), key.replace("/", " "), frame


def _context() -> Any:
    # Read once at import; the library would otherwise report its use over the network.
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    # The bar that counts expectations is for notebooks.
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return context


def _validation(context: Any, suite: ExpectationSuite, name: str) -> Any:
    import great_expectations as gx
    from great_expectations.exceptions.exceptions import ExpectationNotFoundError
    from great_expectations.expectations.registry import get_expectation_impl

    source = context.data_sources.add_pandas(name)
    batch = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("all")
    expected = gx.ExpectationSuite(name=f"{suite.name}: {name}")
    for item in suite.expectations:
        try:
            implementation = get_expectation_impl(item.kind)
        except ExpectationNotFoundError:
            problem = f"{suite.name}.yaml: unknown expectation {item.kind}"
            raise ConfigurationError(problem, "correct its type") from None
        expected.add_expectation(implementation(**item.arguments, meta=_meta(item)))
    context.suites.add(expected)
    return context.validation_definitions.add(gx.ValidationDefinition(name=name, data=batch, suite=expected))


def _meta(item: Expectation) -> dict[str, str]:
    return {"rule": item.rule, "severity": str(item.severity)}


def _problem(information: Any) -> str:
    """First line of what an expectation raised, empty when it ran; one metric's failure nests it a level deeper."""
    if not isinstance(information, dict):
        return ""
    if "raised_exception" in information:
        if not information["raised_exception"]:
            return ""
        return (str(information.get("exception_message") or "") or "it raised").splitlines()[0]
    return next((problem for problem in map(_problem, information.values()) if problem), "")


def _prepared(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows numbered from 0, infinities as missing, and the range with the slack that rounded prices need."""
    rows = frame.reset_index(drop=True)
    numbers = rows.select_dtypes("number").columns
    rows[numbers] = rows[numbers].replace([np.inf, -np.inf], np.nan)
    if {"high", "low", "close"} <= set(rows.columns):
        slack = StructuralRules().range_tolerance * rows["close"].abs()
        rows = rows.assign(high_allowed=rows["high"] + slack, low_allowed=rows["low"] - slack)
    return rows


def _finding(row: pd.Series, rule: str, severity: Severity, column: str | None, dataset: str) -> Finding:
    name = str(row["symbol"] if "symbol" in row else row["series"])
    session = pd.Timestamp(row["date"]).date()
    number = float(row[column]) if column and column not in KEYS else np.nan
    value = number if np.isfinite(number) else None
    message = f"{name} {session}: fails {rule}" + ("" if value is None else f" with {column} {value:g}")
    return Finding(name, session, rule, severity, value, message, dataset)
