"""The fault script: a YAML or JSON file that says what goes wrong at which request.

Input: a file. Output: a `Script`, or an error that names the file and the field.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from trading_lib.domain.errors import ConfigurationError, one_of

# What strikes a request, in the words of docs/operations/broker-simulator.md.
RequestFault = Literal[
    "accept_then_drop",
    "accept_then_504",
    "drop_before",
    "unreachable",
    "late",
    "status",
    "code",
    "delay",
    "truncated_body",
    "cut_body",
    "empty_body",
    "html_body",
    "unknown_status",
    "invisible",
    "partial",
    "slow_cancel",
    "fill_on_cancel",
    "other_account",
    "clock_skew",
]
# What strikes an event of the stream.
StreamFault = Literal["stream_drop", "stream_duplicate", "stream_reorder", "stream_disconnect"]
Fault = Literal[RequestFault, StreamFault]
REQUEST_FAULTS: tuple[str, ...] = get_args(RequestFault)
STREAM_FAULTS: tuple[str, ...] = get_args(StreamFault)
NEEDED: dict[str, str] = {"late": "seconds", "delay": "seconds", "status": "status", "code": "code"}
# How many seconds and which share they take where the script says nothing.
USUAL_SECONDS = {"invisible": 30.0, "slow_cancel": 30.0, "clock_skew": 180.0}
# Those that only make sense for one method.
METHODS = {
    "late": "POST",
    "invisible": "POST",
    "partial": "POST",
    "slow_cancel": "DELETE",
    "fill_on_cancel": "DELETE",
    "other_account": "GET",
}


class Rule(BaseModel):
    """One fault and the requests, or events of the stream, that it strikes.

    Attributes
    ----------
    nth
        Which of the matching ones it strikes, from 1; None strikes all of them.
    times
        How many it strikes at most.
    start, stop
        Simulated seconds since the script began, between which it strikes; a stop of None never comes.
    path, client_order_id, symbol
        Patterns with ``*``.
    event
        Of the stream: fill, new, canceled and so on.
    word
        Status of `unknown_status`; None takes one that nobody knows.
    booked
        Whether the request is carried out although the answer says something else; None goes by the code.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    do: Fault
    face: Literal["any", "alpaca", "binance"] = "any"
    method: Literal["any", "GET", "POST", "DELETE", "PATCH"] = "any"
    path: str = "*"
    client_order_id: str = "*"
    symbol: str = "*"
    event: str = "*"
    nth: tuple[int, ...] | None = None
    times: int | None = Field(default=None, ge=1)
    start: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    stop: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    seconds: float | None = Field(default=None, allow_inf_nan=False)
    status: int | None = Field(default=None, ge=400, le=599)
    code: int | None = Field(default=None, le=-1)
    retry_after: int | None = Field(default=None, ge=0)
    booked: bool | None = None
    portion: float = Field(default=0.5, gt=0, lt=1)
    word: str | None = Field(default=None, min_length=1)
    fills_hidden: bool = True

    @model_validator(mode="before")
    @classmethod
    def _one_or_many(cls, content: Any) -> Any:
        if isinstance(content, dict) and isinstance(content.get("nth"), int):
            return {**content, "nth": (content["nth"],)}
        return content

    @model_validator(mode="after")
    def _complete(self) -> Rule:
        needed = NEEDED.get(self.do)
        if needed and getattr(self, needed) is None:
            raise ValueError(f"{self.do} needs {needed}")
        if self.nth is not None and any(number < 1 for number in self.nth):
            raise ValueError("nth counts from 1")
        if self.stop is not None and self.stop <= self.start:
            raise ValueError("stop must be after start")
        if self.seconds is not None and self.seconds < 0 and self.do != "clock_skew":
            raise ValueError("seconds must not be negative")
        only = METHODS.get(self.do)
        if only is not None and self.method not in ("any", only):
            raise ValueError(f"{self.do} strikes {only} requests only")
        return self

    @property
    def struck_method(self) -> str:
        """Method of the requests that it strikes, or ``any``."""
        return METHODS.get(self.do, self.method)

    @property
    def lasting(self) -> float:
        """Seconds that it takes."""
        return self.seconds if self.seconds is not None else USUAL_SECONDS.get(self.do, 0.0)


class Chances(BaseModel):
    """Faults by chance.

    Attributes
    ----------
    chances
        Fault -> probability that it strikes a request or event that it can strike.
    seconds
        The longest that one of them takes; how long is drawn.
    methods
        Methods of the requests that are struck.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    chances: dict[Fault, float] = Field(default_factory=dict)
    seconds: float = Field(default=30.0, gt=0, allow_inf_nan=False)
    methods: tuple[Literal["GET", "POST", "DELETE"], ...] = ("POST", "GET", "DELETE")

    @model_validator(mode="after")
    def _probabilities(self) -> Chances:
        for name, chance in self.chances.items():
            if not 0 <= chance <= 1:
                raise ValueError(f"the chance of {name} is {chance}, it must be between 0 and 1")
        return self


class Script(BaseModel):
    """What goes wrong: rules, and chances besides them.

    Attributes
    ----------
    seed
        Of the chances; None takes the simulator's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int | None = None
    faults: tuple[Rule, ...] = ()
    random: Chances | None = None


def load_script(path: Path) -> Script:
    """Read a fault script.

    Raises
    ------
    ConfigurationError
        Naming the file and the field.
    """
    return read_script(read_yaml(path), str(path))


def read_script(content: Any, name: str) -> Script:
    """Validate the content of a fault script.

    Raises
    ------
    ConfigurationError
        Naming the source and the field.
    """
    if isinstance(content, list):
        content = {"faults": content}
    try:
        return Script.model_validate({} if content is None else content)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the file"
        if field.endswith(".do") and isinstance(first.get("input"), str):
            raise ConfigurationError(
                f"{name}: {field}: there is no fault {first['input']!r}",
                one_of(first["input"], (*REQUEST_FAULTS, *STREAM_FAULTS)),
            ) from None
        raise ConfigurationError(
            f"{name}: {field}: {first['msg'].removeprefix('Value error, ')}",
            "correct it; see docs/operations/broker-simulator.md",
        ) from None


def read_yaml(path: Path) -> Any:
    """Read a YAML or JSON file.

    Raises
    ------
    ConfigurationError
        When it cannot be read.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror})", "check the path and its rights") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not UTF-8 text", "save it as UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise ConfigurationError(f"{path} is no valid YAML or JSON{where}", "correct that line") from None
