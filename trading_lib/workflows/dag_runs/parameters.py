"""The parameters of a DAG run, checked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from trading_lib.domain.errors import InputError
from trading_lib.workflows.setup.settings import Settings, load_settings
from trading_lib.workflows.setup.source_choice import choose_source, research_source


def check_known(given: Collection[str], names: Collection[str]) -> None:
    """Refuse parameters that nothing reads: a run with a misspelt one would do something else than was asked.

    Raises
    ------
    InputError
        Naming the first unknown parameter and the likeliest meant.
    """
    unknown = sorted(set(given) - set(names))
    if not unknown:
        return
    close = get_close_matches(unknown[0], sorted(names), n=1)
    meant = f" (did you mean {close[0]!r}?)" if close else ""
    more = f" (and {len(unknown) - 1} more)" if len(unknown) > 1 else ""
    remedy = f"use {', '.join(sorted(names))}" if names else "this DAG takes none"
    raise InputError(f"unknown parameter {unknown[0]!r}{meant}{more}", remedy)


def of_session(params: Mapping[str, Any], settings: Settings | None = None) -> dict[str, Any]:
    """Return what the run of a session was asked for: session, source, data and book, None where it was not."""
    asked = {name: params.get(name) or None for name in ("session", "source", "book")}
    return asked | {"data": data_folder(params, settings or load_settings())}


def received_at(event: Mapping[str, Any]) -> datetime | None:
    """Return when the data of an event came; None where nothing says it."""
    said = event.get("received_at")
    try:
        return datetime.fromisoformat(said) if said else None
    except ValueError:
        raise InputError(
            f"an event of the asset market_data has received_at {said!r}", "it must be an instant in ISO 8601"
        ) from None


def newest_event(extras: Sequence[Mapping[str, Any]], names: Collection[str]) -> dict[str, Any]:
    """Return what the event of the newest session says; one that is not ours to read is refused.

    Raises
    ------
    InputError
        When an event has a key that is not ``names``, a value that is no text, or no session.
    """
    for extra in extras:
        check_known(extra, names)
        for name in ("session", "source", "data", "book", "received_at"):
            if not isinstance(extra.get(name), str | None):
                raise InputError(f"an event of the asset market_data has {name} {extra[name]!r}", "it must be text")
        if not extra.get("session"):
            raise InputError("an event of the asset market_data names no session", "let the DAG market_data publish it")
    return dict(max(extras, key=lambda extra: str(extra["session"])))


def data_folder(params: Mapping[str, Any], settings: Settings) -> str | None:
    """Return the folder a run was given, None when it was given none; a relative one lies in the project.

    Raises
    ------
    InputError
        When it is no folder.
    """
    named = params.get("data")
    if not named:
        return None
    folder = settings.folders.project / Path(str(named)).expanduser()
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        raise InputError(f"parameter 'data' names {folder}, which {problem}", "give a folder of CSV or Parquet prices")
    return str(folder)


@dataclass(frozen=True, slots=True)
class ChosenPrices:
    """The folder that a run of research reads, None where it reads none, and the name of its prices."""

    data: str | None
    name: str


def chosen_prices(params: Mapping[str, Any], settings: Settings) -> ChosenPrices:
    """Return the folder a run of research reads, and the name of its prices; settled once, for all tasks of the run."""
    given = data_folder(params, settings)
    chosen = choose_source(None, given, settings)
    source = research_source(Path(given) if given else None, settings)
    return ChosenPrices(chosen.folder_name, source.name)
