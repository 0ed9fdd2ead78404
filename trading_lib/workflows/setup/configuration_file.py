"""One configuration file -> its typed model, with the overrides of the environment; loads nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from trading_lib.domain.errors import ConfigurationError

Model = TypeVar("Model", bound=BaseModel)


def load_file(path: Path, model: type[Model], variables: Mapping[str, str]) -> Model:
    """Read one file into its model, with the overrides of the environment.

    Raises
    ------
    ConfigurationError
        Naming the file and the key.
    """
    content, overrides = read_content(path, variables)
    try:
        return model.model_validate(content)
    except ValidationError as error:
        remedy = f"correct this value (in force: {', '.join(overrides)})" if overrides else "correct this value"
        raise ConfigurationError(f"{path}: {_first_problem(error)}", remedy) from None


def read_content(path: Path, variables: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Return what a file says with the overrides of the environment, and the names of those variables.

    Raises
    ------
    ConfigurationError
        Where it cannot be read as a mapping.
    """
    try:
        content = deepcopy(_parsed(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ConfigurationError(f"{path} does not exist", "restore it from the repository") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror})", "check the path and its rights") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not UTF-8 text", "save it as UTF-8") from None
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is no valid YAML{_position(error)}", "correct that line") from None
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path} holds no settings", "it must be a mapping of keys to values")
    return content, _override(content, f"TRADING_{path.stem.upper()}__", variables)


@lru_cache(maxsize=32)
def _parsed(text: str) -> Any:
    """Parse YAML; a sweep assembles its configurations from the same few texts a thousand times."""
    return yaml.safe_load(text)


def _position(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None)
    where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"{where} ({problem})" if problem else where


def _first_problem(error: ValidationError) -> str:
    problems = error.errors()
    first = problems[0]
    if first["type"] == "missing":  # it may be the one that is unknown, by another name
        first = next((problem for problem in problems if problem["type"] == "extra_forbidden"), first)
    key = ".".join(str(part) for part in first["loc"]) or "the file"
    if first["type"] == "extra_forbidden":
        return f"unknown key {key}"
    given = "" if first["type"] in ("missing", "value_error") else f", got {first['input']!r}"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{key}: {first['msg'].removeprefix('Value error, ')}{given}{more}"


def _override(content: dict[str, Any], prefix: str, variables: Mapping[str, str]) -> list[str]:
    """Put the values of environment variables into ``content`` and return the names of those variables."""
    names = sorted(name for name in variables if name.upper().startswith(prefix))
    for name in names:
        *parents, leaf = name[len(prefix) :].lower().split("__")
        target = content
        for parent in parents:
            nested = target.setdefault(parent, {})
            if not isinstance(nested, dict):
                raise ConfigurationError(f"{name} names a key below {parent}, which is a value", "correct its name")
            target = nested
        try:
            target[leaf] = yaml.safe_load(variables[name])
        except yaml.YAMLError:
            raise ConfigurationError(f"{name} is no valid YAML: {variables[name]!r}", "correct its value") from None
    return names
