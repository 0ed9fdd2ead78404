"""include/expectations/*.yaml -> checked suites, without importing Great Expectations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from trading_lib.adapters.files.include_folder import include_folder
from trading_lib.domain.errors import ConfigurationError
from trading_lib.validation.report import Severity

SUITES = ("bars", "volatility_index", "macro")
KEYS = {"type", "kwargs", "rule", "severity"}


@dataclass(frozen=True, slots=True)
class Expectation:
    """One expectation and the finding that a row failing it becomes."""

    kind: str
    arguments: Mapping[str, Any]
    rule: str
    severity: Severity


@dataclass(frozen=True, slots=True)
class ExpectationSuite:
    """A named list of expectations."""

    name: str
    expectations: tuple[Expectation, ...]


def load_suite(name: str) -> ExpectationSuite:
    """Read a suite; a missing file or an entry that is no expectation is a `ConfigurationError` that names it."""
    path = include_folder() / "expectations" / f"{name}.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(f"{path} does not exist", "restore it from the repository") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is no valid YAML ({' '.join(str(error).split())})", "correct it") from None
    listed = content.get("expectations") if isinstance(content, dict) else None
    if not isinstance(listed, list) or not listed:
        raise ConfigurationError(f"{path} lists no expectations", "write a list under 'expectations'")
    return ExpectationSuite(name, tuple(_expectation(str(path), number, entry) for number, entry in enumerate(listed)))


def _expectation(path: str, number: int, entry: Any) -> Expectation:
    if not isinstance(entry, dict) or set(entry) != KEYS or not isinstance(entry["kwargs"], dict):
        raise ConfigurationError(f"{path}: entry {number + 1} is no expectation", f"give it {', '.join(sorted(KEYS))}")
    if entry["severity"] not in tuple(Severity):
        raise ConfigurationError(
            f"{path}: entry {number + 1} has the severity {entry['severity']!r}", f"use {' or '.join(Severity)}"
        )
    return Expectation(str(entry["type"]), entry["kwargs"], str(entry["rule"]), Severity(entry["severity"]))
