"""How the command line takes what it is given: each option once, and every error one line with a hint."""

from __future__ import annotations

import json
import re
from typing import Any

import typer
from typer.core import TyperCommand

from trading_lib.adapters.logs.redaction import secret_values, without_secrets

# A pasted file, a mistyped glob: what a person reads is its beginning.
LONGEST_WORD = 160
LONGEST_MESSAGE = 1500
PLAINER = {
    "Input should be a valid integer, unable to parse string as an integer": "this is no whole number",
    "Input should be a valid number, unable to parse string as a number": "this is no number",
    "Input should be greater than or equal to ": "it must not be below ",
}


# Free text, of which there may be none.
MAY_BE_EMPTY = ("note", "reason")


class OneOfEach(TyperCommand):
    """A command that refuses an option given twice, of which the first would count for nothing, or with no value."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Look for options that are given twice, then read the arguments as ever."""
        values, _, given = self.make_parser(ctx).parse_args(args=list(args))
        options = self.get_params(ctx)
        names_of_options = [name for option in options for name in (*option.opts, *option.secondary_opts)]
        for parameter in {id(p): p for p in given}.values():
            single = parameter.param_type_name == "option" and not getattr(parameter, "multiple", False)
            if single and sum(other is parameter for other in given) > 1:
                names = " or ".join((*parameter.opts, *parameter.secondary_opts))
                ctx.fail(f"{names} is given twice; give it once")
            if parameter.name not in MAY_BE_EMPTY and _is_empty(values.get(parameter.name)):
                ctx.fail(f"{parameter.opts[0]} is empty; give a value, or leave it out")
            if values.get(parameter.name) in names_of_options:
                ctx.fail(f"option '{parameter.opts[0]}' requires an argument")
        return super().parse_args(ctx, args)


def _is_empty(value: Any) -> bool:
    return "" in value if isinstance(value, list | tuple) else value == ""


def give_each_once(app: typer.Typer) -> None:
    """Make every command of ``app`` and its groups an `OneOfEach`."""
    for command in app.registered_commands:
        command.cls = OneOfEach
    for group in app.registered_groups:
        if group.typer_instance is not None:
            give_each_once(group.typer_instance)


def usage_line(error: Any, command: str = "trading") -> str:
    """Return a usage error of the parser in one line, with where to look.

    Parameters
    ----------
    command
        What was called, where the error does not say it.
    """
    message = " ".join(str(error.format_message()).split()).rstrip(".")
    message = message.removeprefix("Invalid value for ").removeprefix("Invalid value: ")
    for theirs, ours in PLAINER.items():
        message = message.replace(theirs, ours)
    message = re.sub(r"\(Possible options: ([^)]*)\)", lambda match: f"(did you mean {_or(match[1])}?)", message)
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else command
    return f"{message[:1].lower()}{message[1:]}: see `{command} --help`"


def _or(names: str) -> str:
    return " or ".join(names.split(", "))


def report(message: str, kind: str, as_json: bool) -> None:
    """Say an error: one line on standard error, and an object on standard output where JSON was asked for."""
    text = _readable(message)
    if as_json:
        typer.echo(json.dumps({"error": text, "kind": kind}))
    typer.echo(f"error: {text}", err=True)


def _readable(message: str) -> str:
    """Make it one line that any terminal takes; very long values are cut."""
    text = without_secrets(" ".join(message.split()), secret_values()).encode(errors="backslashreplace").decode()
    text = re.sub(rf"\S{{{LONGEST_WORD + 40},}}", lambda match: _cut(match[0], LONGEST_WORD), text)
    return _cut(text, LONGEST_MESSAGE) if len(text) > LONGEST_MESSAGE else text


def _cut(text: str, length: int) -> str:
    return f"{text[: length - 40]}... ({len(text)} characters)" + (text[-1] if text[-1] in "'\":" else "")
