"""Commands about registered models: ``trading model``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from trading_lib.cli.output import JSON_OPTION, progress, readable, show

app = typer.Typer(no_args_is_help=True, help="Which model is used and why; promote, retire, go back, name, verify.")

VERSION = Annotated[int, typer.Argument(help="Number of the version.", min=1)]
OPERATOR = Annotated[str, typer.Option("--operator", help="Who approves it, for the record.", show_default=False)]
REASON = Annotated[str, typer.Option("--reason", help="Why, for the record.", show_default=False)]
NOTE = typer.Option("--reason", help="Why, for the record, beside the comparison.")


@app.command()
def status(as_json: Annotated[bool, JSON_OPTION] = False) -> None:
    """Show champion, challenger and candidates, since when and why, what would replace what, and MLflow's agreement.

    Exit code 1 when the files of champion or challenger are not what was registered.

    Example: trading model status
    """
    from trading_lib.workflows.learning.registration.status import model_status
    from trading_lib.workflows.setup.settings import load_settings

    found = model_status(load_settings())
    show(found, as_json, _status_lines(found))
    if found["problems"]:
        raise typer.Exit(1)


@app.command("list")
def list_models(as_json: Annotated[bool, JSON_OPTION] = False) -> None:
    """List every registered version, the newest first.

    Example: trading model list
    """
    from trading_lib.workflows.learning.registration.status import model_list
    from trading_lib.workflows.setup.settings import load_settings

    found = model_list(load_settings())
    show(found, as_json, [_line(model) for model in found["models"]] or ["no model was ever registered"])


@app.command()
def history(
    version: Annotated[int | None, typer.Argument(help="Only of this version.", min=1, show_default=False)] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Show every alias that was given or taken, when, by whom and why, the oldest first.

    Example: trading model history
    """
    from trading_lib.workflows.learning.registration.status import alias_history
    from trading_lib.workflows.setup.settings import load_settings

    found = alias_history(load_settings(), version)
    lines = [
        f"{row['number']:>4}  {row['at'][:19]}  version {row['version']:<4} {row['alias'] or 'retired':<11}"
        f"{row['reason']} (by {row['by']})"
        for row in found["history"]
    ]
    show(found, as_json, lines or ["no alias was ever given"])


@app.command()
def promote(
    version: VERSION,
    operator: OPERATOR,
    reason: Annotated[str, NOTE] = "",
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Make the challenger the champion, when it is better than what it replaces; nothing else can be promoted.

    Exit code 1 when it has not shown that it is better.

    Example: trading model promote 3 --operator "Ada Lovelace"
    """
    from trading_lib.workflows.learning.registry import promote as promote_model
    from trading_lib.workflows.setup.settings import load_settings

    _show_change(promote_model(load_settings(), version, operator, reason), as_json)


@app.command()
def challenge(
    version: VERSION, operator: OPERATOR, reason: REASON, as_json: Annotated[bool, JSON_OPTION] = False
) -> None:
    """Make a candidate or a retired version the challenger; the challenger before it is retired.

    Example: trading model challenge 3 --operator "Ada Lovelace" --reason "the feature was right after all"
    """
    from trading_lib.workflows.learning.registry import challenge as name_challenger
    from trading_lib.workflows.setup.settings import load_settings

    _show_change(name_challenger(load_settings(), version, operator, reason), as_json)


@app.command()
def retire(version: VERSION, operator: OPERATOR, reason: REASON, as_json: Annotated[bool, JSON_OPTION] = False) -> None:
    """Take a version's alias away; without a champion nothing is traded on a model.

    Example: trading model retire 3 --operator "Ada Lovelace" --reason "a feature is wrong"
    """
    from trading_lib.workflows.learning.registry import retire as retire_model
    from trading_lib.workflows.setup.settings import load_settings

    _show_change(retire_model(load_settings(), version, operator, reason), as_json)


@app.command()
def rollback(
    operator: OPERATOR,
    reason: REASON,
    to: Annotated[
        int | None, typer.Option("--to", help="Another version that was champion once.", min=1, show_default=False)
    ] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Make the champion before the last one champion again.

    Example: trading model rollback --operator "Ada Lovelace" --reason "strange scores since Monday"
    """
    from trading_lib.workflows.learning.registry import rollback as roll_back
    from trading_lib.workflows.setup.settings import load_settings

    _show_change(roll_back(load_settings(), operator, reason, to), as_json)


@app.command()
def export(
    version: VERSION,
    folder: Annotated[Path, typer.Argument(help="A new folder.")],
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Write a version's native files, description and certificate into a folder.

    Example: trading model export 3 champion
    """
    from trading_lib.workflows.learning.registration.status import export as export_model
    from trading_lib.workflows.setup.settings import load_settings

    found = export_model(load_settings(), version, folder)
    show(found, as_json, [f"version {version} ({found['model']}) with SHA-256 {found['sha256']}:", *found["files"]])


@app.command()
def verify(
    target: Annotated[str, typer.Argument(help="Number of a version, folder of a model, or file of a certificate.")],
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Folder of prices in place of the one that is named there.", show_default=False),
    ] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Compare a model's files with their hashes, and its certificate with what comes out when it is trained again.

    Exit code 1 when something differs.

    Example: trading model verify champion/certificate.json --data prices
    """
    from trading_lib.workflows.learning.registration.verify import verify as verify_model
    from trading_lib.workflows.setup.settings import load_settings

    found = verify_model(load_settings(), target, data, progress)
    show(found, as_json, _verify_lines(found))
    if not found["equal"]:
        raise typer.Exit(1)


def _status_lines(found: dict[str, Any]) -> list[str]:
    lines = []
    for name in ("champion", "challenger"):
        model = found[name]
        lines.append(f"{name:<12} {_line(model) if model else 'none'}")
        if model:
            lines.append(f"{'':<12} since {model['since'][:19]} by {model['by']}: {model['why']}")
    lines += [f"{'candidate':<12} {_line(model)}" for model in found["candidates"]]
    lines += [*found["verdict"], *(f"CANNOT BE USED: {problem}" for problem in found["problems"])]
    if (trained := found["last_training"]) is not None:
        window = f"{trained['from']} to {trained['to']} on {trained['data_source']} data"
        lines.append(f"last training {trained['training']} at {trained['finished_at'][:19]}, {window}")
    due = found["next_training"]
    lines.append(f"next training after session {due}" if due else "no training is due")
    mlflow = found["mlflow"]
    agrees = "agrees with the database" if mlflow["reached"] else mlflow["problem"]
    return [*lines, f"MLflow: {'; '.join(mlflow['differences']) or agrees}"]


def _line(model: dict[str, Any]) -> str:
    ic = model["ic_mean"]
    return (
        f"version {model['version']} ({model['model']}), {model['alias'] or 'retired'}, trained until "
        f"{model['trained_until']}, IC {'-' if ic is None else f'{ic:.3f}'}, SHA-256 {model['sha256'][:12]}"
    )


def _show_change(found: dict[str, Any], as_json: bool) -> None:
    champion = f"version {found['champion']}" if found["champion"] else "none"
    lines = [
        f"version {found['version']} is {'the ' + found['alias'] if found['alias'] else 'retired'} (by {found['by']}):"
        f" {found['reason']}",
        f"champion: {champion}",
    ]
    lines += [f"certificate: {found['certificate']}"] if "certificate" in found else []
    lines += [f"MLflow does not show it: {found['mlflow']}"] if found["mlflow"] else []
    show(found, as_json, lines)


def _verify_lines(found: dict[str, Any]) -> list[str]:
    files = found["files"]
    lines = [f"{len(files)} files are the registered ones: {', '.join(files)}"] if files else []
    if not found["recomputed"]:
        return [*lines, "there is no certificate to recompute"]
    if found["equal"]:
        lines.append(f"trained again: all {found['compared']} figures and hashes are equal, bit by bit")
    else:
        first = found["differences"][0]
        lines.append(
            f"DIFFERS in {found['cause']}: {first['what']} is {readable(first['found'])}, stated as "
            f"{readable(first['stated'])} ({len(found['differences'])} of {found['compared']} differ)"
        )
    code = found["code_version"]
    if code["stated"] != code["found"]:
        lines.append(f"stated by version {code['stated']}, this is {code['found']}")
    return [*lines, f"not compared, as they count earlier trials: {', '.join(found['left_out'])}"]
