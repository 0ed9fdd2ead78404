"""Commands that show the configuration: ``trading config show`` and ``trading config diff``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trading_lib.cli.output import JSON_OPTION, show

if TYPE_CHECKING:
    from trading_lib.workflows.setup.effective_settings import Setting

app = typer.Typer()
config_app = typer.Typer(no_args_is_help=True, help="Show the settings in force, and what differs from those shipped.")
app.add_typer(config_app, name="config")

WIDEST_KEY = 52
WIDEST_VALUE = 40


@config_app.command("show")
def show_settings(
    key: Annotated[
        str | None, typer.Argument(help="Only this setting or those below it, e.g. risk.levels.", show_default=False)
    ] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Print every setting in force with its value as shipped and where it comes from; secrets are never shown.

    Example: trading config show risk.levels
    """
    from trading_lib.workflows.setup.effective_settings import effective_settings, selected, unread_variables

    settings = effective_settings()
    chosen = selected(settings, key) if key else settings
    unread = unread_variables()
    lines = [_shown_line(setting) for setting in chosen] + _unread_lines(unread)
    show({"settings": [setting.as_record() for setting in chosen], "unread_variables": unread}, as_json, lines)


@config_app.command("diff")
def diff(
    book: Annotated[
        str | None,
        typer.Option(
            "--book", help="Say also which configuration this book has been decided under.", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Print only the settings that differ from those shipped.

    Example: trading config diff --book paper
    """
    from trading_lib.workflows.setup.effective_settings import effective_settings, unread_variables

    unread = unread_variables()
    changed = [setting for setting in effective_settings() if setting.changed]
    result: dict[str, Any] = {"changed": [setting.as_record() for setting in changed], "unread_variables": unread}
    lines = [_changed_line(setting) for setting in changed] or ["every setting is as shipped"]
    lines += _unread_lines(unread)
    if book:
        from trading_lib.workflows.setup.book_configuration import book_configuration
        from trading_lib.workflows.setup.settings import load_settings

        history = book_configuration(load_settings(), book)
        result["book"] = history.as_record()
        lines += history.lines()
    show(result, as_json, lines)


def _unread_lines(names: list[str]) -> list[str]:
    return [f"warning: {name} sets nothing: no configuration file has its name" for name in names]


def _shown_line(setting: Setting) -> str:
    origin = setting.where or str(setting.origin)
    before = f", shipped {_text(setting.default)}" if setting.changed else ""
    return f"{setting.key:<{WIDEST_KEY}}  {_text(setting.value):<{WIDEST_VALUE}}  {origin}{before}"


def _changed_line(setting: Setting) -> str:
    origin = setting.where or str(setting.origin)
    return f"{setting.key:<{WIDEST_KEY}}  {_text(setting.default)} -> {_text(setting.value)}  ({origin})"


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value)
