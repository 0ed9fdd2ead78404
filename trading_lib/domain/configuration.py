"""Base of every configuration model: frozen, and an unknown key is an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict


class Configuration(BaseModel):
    """A validated, immutable block of a configuration file."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _pairs(given: Any) -> Any:
    """Turn a mapping into pairs and its lists into tuples, so that the model can be hashed."""
    if not isinstance(given, Mapping):
        return given
    return tuple((name, tuple(value) if isinstance(value, list) else value) for name, value in given.items())


# Keyword arguments of a class of a user's own, as pairs of name and value.
Options = Annotated[tuple[tuple[str, Any], ...], BeforeValidator(_pairs)]
