"""Commands about data quality: ``trading validate``."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trading_lib.cli.output import JSON_OPTION, missing_lines, show
from trading_lib.domain.errors import InputError

if TYPE_CHECKING:
    from trading_lib.validation.quality_report import DataQualityReport
    from trading_lib.workflows.setup.settings import Settings

app = typer.Typer()

SHOWN_FINDINGS = 40


@app.command()
def validate(
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder of CSV or Parquet prices; what is stored without it.")
    ] = None,
    source: Annotated[str | None, typer.Option("--source", help="Of the stored data only this source's.")] = None,
    docs: Annotated[
        Path | None, typer.Option("--docs", help="Also write Great Expectations' pages below this folder.")
    ] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Validate what is stored, or every file of a folder without touching the database; exit code 1 for an ERROR.

    Example: trading validate --data prices --json

    Example: trading validate --source chain
    """
    from trading_lib.validation.report import Severity
    from trading_lib.workflows.setup.settings import load_settings

    if data is not None and source is not None:
        raise InputError("--data and --source exclude each other", "name one of them")
    settings = load_settings()
    report = _folder_report(data, settings) if data else _stored_report(source, settings)
    record = report.as_record()
    if docs is not None:
        record["docs"] = str(_write_pages(data, source, settings, docs))
    show(record, as_json, _lines(record))
    if report.worst is Severity.ERROR:
        raise typer.Exit(1)


@app.command("review-move")
def review_move(
    symbol: Annotated[str | None, typer.Option("--symbol", help="Symbol; without it the open ones are listed.")] = None,
    session: Annotated[str | None, typer.Option("--session", help="First session at the new level.")] = None,
    split: Annotated[
        float | None, typer.Option("--split", help="It was a split: new shares per old share, e.g. 2 or 0.125.")
    ] = None,
    real_move: Annotated[bool, typer.Option("--real-move", help="The price really moved.")] = False,
    note: Annotated[str, typer.Option("--note", help="Why, for the record.")] = "",
    source: Annotated[str | None, typer.Option("--source", help="Only for this source's prices.")] = None,
    by: Annotated[str | None, typer.Option("--by", help="Who decides, default the user of this computer.")] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Rule whether a large price move was an unstated split; the bars it kept out are judged again.

    Example: trading review-move --symbol XLK --session 2016-06-15 --split 2 --note "issuer's notice of 2016-05-20"
    """
    from trading_lib.domain.market.sessions import parse_session
    from trading_lib.workflows.data.price_rulings import open_and_recorded, record_ruling

    if symbol is None:
        if session or split is not None or real_move:
            raise InputError("no symbol is named", "add --symbol")
        rulings = open_and_recorded()
        show(rulings, as_json, _ruling_lines(rulings))
        return
    if session is None:
        raise InputError("no session is named", "add --session, the first at the new level")
    day, who = parse_session(session), by or getpass.getuser()
    show(record_ruling(symbol, day, split, real_move, note, who, source), as_json)


def _ruling_lines(rulings: dict[str, Any]) -> list[str]:
    lines = [
        f"open      {d['symbol']} {d['session']} ({d['source']}) looks like an unstated {d['split']} split, kept out to"
        f" {d['newest']}"
        for d in rulings["open"]
    ]
    lines += [
        f"decided   {r['symbol']} {r['session']} {r['decision']}, by {r['recorded_by']} at {r['recorded_at']}"
        + (f" for {r['source']}" if r["source"] else "")
        + (f": {r['note']}" if r["note"] else "")
        for r in rulings["recorded"]
    ]
    return lines or ["no move waits for a decision"]


def _folder_report(data: Path, settings: Settings) -> DataQualityReport:
    from trading_lib.workflows.data.folder_quality import validate_folder

    active = settings.configuration
    return validate_folder(data, active.universe, settings.clock(), limits=active.sources.files)


def _stored_report(source: str | None, settings: Settings) -> DataQualityReport:
    from trading_lib.workflows.data.stored_quality import validate_stored

    return validate_stored(settings, source)


def _write_pages(data: Path | None, source: str | None, settings: Settings, target: Path) -> Path:
    from trading_lib.workflows.data.folder_quality import folder_content, write_documentation
    from trading_lib.workflows.data.stored_quality import stored_content

    content = folder_content(data, settings) if data else stored_content(settings, source)
    return write_documentation(content, target)


def _lines(record: dict[str, Any]) -> list[str]:
    lines = [f"{'symbol':<12} {'data set':<34} {'bars':>6}  {'from':<10}  {'to':<10}  coverage  worst"]
    for symbol, first in record["symbols"].items():
        for entry in (first, *first.get("others", ())):
            coverage = "-" if entry["coverage"] is None else f"{entry['coverage']:.2%}"
            lines.append(
                f"{symbol:<12} {entry['dataset'][:34]:<34} {entry['bars']:>6}  {entry['first']}  {entry['last']}"
                f"  {coverage:>8}  {entry['worst'] or '-'}"
            )
    # Errors first: they are what somebody has to act on.
    worst_first = sorted(record["findings"], key=lambda finding: finding["severity"])
    lines += [
        f"{finding['severity']:<7} {finding['rule']:<22} {finding['message']}"
        + (f" [{finding['dataset']}]" if finding["dataset"] else "")
        for finding in worst_first[:SHOWN_FINDINGS]
    ]
    if len(worst_first) > SHOWN_FINDINGS:
        lines.append(f"... and {len(worst_first) - SHOWN_FINDINGS} more (--json lists all)")
    lines += [f"missing {line}" for line in missing_lines(record.get("missing"))]
    lines += [f"note    {note}" for note in record["notes"]]
    counts = ", ".join(f"{rule} {count}" for rule, count in record["counts"].items())
    lines.append(f"{len(worst_first)} findings" + (f": {counts}" if counts else ""))
    if "docs" in record:
        lines.append(f"pages: {record['docs']}")
    return lines
