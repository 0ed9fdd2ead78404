"""Values that travel between tasks: typed here, plain JSON on the way, read strictly at the other end.

A value may come from another version of this program, or may have been edited by hand. So a value is read as
strictly as a file: a field that is missing, unknown or of another type is named in one line.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from trading_lib.domain.errors import InputError

T = TypeVar("T")
_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}


def plain(value: Any) -> Any:
    """Return a typed value as plain JSON: dictionaries, lists, text, numbers; dates as ISO 8601."""
    return _adapter(type(value)).dump_python(value, mode="json", by_alias=True)


def read(kind: type[T], value: Any, task: str) -> T:
    """Return the typed value of what `plain` made.

    Parameters
    ----------
    task
        Which task left it, for the message.

    Raises
    ------
    InputError
        Naming the task and the first field that is wrong.
    """
    if value is None:
        raise InputError(f"task {task} of this run left nothing to read", f"clear task {task} and what follows it")
    try:
        return _adapter(kind).validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        raise InputError(
            f"what task {task} of this run left is no {kind.__name__}: {_first_problem(error)}",
            f"clear task {task} and what follows it, so that this version runs it",
        ) from None


def read_all(kind: type[T], values: Any, task: str) -> list[T]:
    """Return the typed values of a list, e.g. of what the parts of a mapped task left."""
    if not isinstance(values, list | tuple) and (values is None or not hasattr(values, "__iter__")):
        raise InputError(f"task {task} of this run left no list", f"clear task {task} and what follows it")
    return [read(kind, value, task) for value in values]


def _adapter(kind: type[T]) -> TypeAdapter[T]:
    adapter = _ADAPTERS.get(kind)
    if adapter is None:
        adapter = _ADAPTERS[kind] = TypeAdapter(kind)
    return adapter


def _first_problem(error: ValidationError) -> str:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"]) or "the whole"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    match first["type"]:
        case "missing":
            return f"field {field} is missing{more}"
        case "unexpected_keyword_argument" | "extra_forbidden":
            return f"field {field} is unknown{more}"
        case _:
            return f"field {field}: {first['msg']}, got {first['input']!r}{more}"
