"""Commands that ask the models in use: ``trading model predict`` and ``trading model explain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from trading_lib.cli.output import JSON_OPTION, readable, show

app = typer.Typer()

SESSION = Annotated[
    str | None, typer.Option("--session", help="Trading day; default the newest with data.", show_default=False)
]
BOOK = Annotated[str | None, typer.Option("--book", help="Its prices, and what its overlay holds.", show_default=False)]
DATA = Annotated[
    Path | None,
    typer.Option("--data", help="Folder of prices in place of the default source.", show_default=False),
]
MOST_FEATURES = 8


@app.command()
def predict(
    session: SESSION = None,
    book: BOOK = None,
    data: DATA = None,
    check: Annotated[
        bool, typer.Option("--check", help="Compute what was stored for the session again, and compare.")
    ] = False,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Rank tomorrow's assets by the champion, and by the challenger; with the overlay on, what it would trade.

    What a model says of a session is stored once, as the daily run does; of a folder's prices nothing is stored. With
    --check nothing is stored either; exit code 1 when what was stored is not what comes out of the data known at the
    session.

    Example: trading model predict --book paper
    """
    from trading_lib.workflows.learning.daily import answers
    from trading_lib.workflows.setup.settings import load_settings

    if check:
        found = answers.checked(load_settings(), session, data, book)
        show(found, as_json, _check_lines(found))
        if not found["same"]:
            raise typer.Exit(1)
        return
    found = answers.predicted(load_settings(), session, data, book)
    show(found, as_json, _predict_lines(found))


@app.command()
def explain(
    symbol: Annotated[str | None, typer.Option("--symbol", help="One asset; default all.", show_default=False)] = None,
    session: SESSION = None,
    book: BOOK = None,
    data: DATA = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Show what each feature adds to the champion's scores; without a champion the challenger's.

    Example: trading model explain --symbol GLD
    """
    from trading_lib.workflows.learning.daily import answers
    from trading_lib.workflows.setup.settings import load_settings

    found = answers.explained(load_settings(), session, symbol, data, book)
    show(found, as_json, _explain_lines(found))


def _predict_lines(found: dict[str, Any]) -> list[str]:
    lines = [f"session {found['session']}: {found['said']}"]
    for one in found["models"]:
        lines.append(f"{one['role']}: version {one['version']} ({one['kind']})")
        lines += [f"{row['place']:>4}  {row['symbol']:<9}{row['score']:>10.4f}" for row in one["ranks"]]
        lines += [f"   -  {symbol:<9}says nothing: {why}" for symbol, why in one["abstained"].items()]
        lines += _state_lines(one)
    for sleeve in found.get("overlay", []):
        when = "at the month's last session" if sleeve["waits_for_month_end"] else "tomorrow"
        lines.append(f"sleeve {sleeve['sleeve']} ({sleeve['budget']:.0%} of the capital) would trade {when}:")
        lines += [
            f"      {row['side']:<5}{row['symbol']:<9}{row['held']:>8.2%} -> {row['wanted']:.2%}"
            f"{abs(row['dollars']):>14,.2f} $"
            for row in sleeve["trades"]
        ] or ["      nothing"]
    if found["models"] and not found.get("overlay"):
        lines.append("no sleeve follows a model: give ml_overlay a budget in strategy.yaml to trade on these ranks")
    return lines


def _state_lines(one: dict[str, Any]) -> list[str]:
    if not one["stored"]:
        return ["      prices of a folder: nothing is stored or decided, and no book trades on it"]
    if not one["in_use"]:
        return ["      not in use at that session: nothing is read or decided about it"]
    lines = [f"      {reason}" for reason in one["reasons"]]
    lines += [
        f"      reported only, {row['thresholds']}: {row['about']}: {row['value']:.4g}; so does a healthy model's "
        f"{row['false_alarms']:.1f} times in ten years"
        for row in one["readings"]
        if row["fired"] and not row["acts"] and row["false_alarms"] is not None
    ]
    if one["coefficients"]:
        lines.append(f"      mean IC {one['mean_coefficient']:.3f} over {one['coefficients']} sessions since training")
    if (money := one["shadow"]) is not None:
        lines.append(
            f"      its own book since {money['since']}: {money['value']:,.2f} $ of {money['begun_with']:,.0f} $, "
            f"equal weights {money['equal_weights']:,.2f} $"
        )
    return lines


def _check_lines(found: dict[str, Any]) -> list[str]:
    return [
        f"version {one['version']}, session {found['session']}: "
        + (
            f"DIFFERS in {', '.join(one['differing'])}"
            if one["differing"]
            else f"all {one['assets']} assets are the same to the last bit"
        )
        for one in found["models"]
    ]


def _explain_lines(found: dict[str, Any]) -> list[str]:
    lines = [f"{found['role']} version {found['version']} ({found['kind']}), session {found['session']}"]
    for asset in found["assets"]:
        lines.append(f"{asset['symbol']}: score {asset['score']:.4f}, of which {asset['base']:.4f} for every asset")
        shown = asset["features"] if len(found["assets"]) == 1 else asset["features"][:MOST_FEATURES]
        lines += [f"  {row['feature']:<28}{readable(row['value']):>14}{row['contribution']:>+12.4f}" for row in shown]
    return [*lines, *(f"{symbol}: says nothing: {why}" for symbol, why in found["abstained"].items())]
