"""Metrics of users' own: the class by its reference, and every answer of it held to what a metric promises."""

from __future__ import annotations

import re
import traceback
from collections.abc import Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from trading_lib.adapters.user_code.guard import NoExit, is_users_error
from trading_lib.adapters.user_code.own_classes import load_class
from trading_lib.domain.errors import ConfigurationError, one_of
from trading_lib.performance.metrics.inputs import MetricInput
from trading_lib.performance.metrics.metric import Answer, Better, Bound, Metric, MetricTable, Missing, RunMetric, Unit
from trading_lib.performance.metrics.table import METRICS
from trading_lib.performance.metrics.targets import bound_problem

SEE = "correct its class, see docs/research/metrics.md"
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


def with_own_metrics(references: Sequence[str], folder: Path, reserved: frozenset[str] = frozenset()) -> MetricTable:
    """Put metrics of users' own behind those of the system.

    Parameters
    ----------
    references
        ``file.py:Class`` in ``folder``, or ``package.module:Class``.
    reserved
        Further names that no metric may have, as reports use them for something else.

    Raises
    ------
    ConfigurationError
        Naming the file and what is wrong with it.
    """
    table = dict(METRICS)
    for reference in references:
        metric = own_metric(reference, folder)
        if metric.name in METRICS or metric.name in reserved:
            raise ConfigurationError(
                f"metric {reference} calls itself {metric.name!r}, as a figure of the system", "rename it"
            )
        if metric.name in table:
            raise ConfigurationError(f"metric {reference} calls itself {metric.name!r}, as another one", "rename it")
        table[metric.name] = metric
    return table


def own_metric(reference: str, folder: Path) -> Metric:
    """Load one metric; see `RunMetric` for what its class must have.

    Raises
    ------
    ConfigurationError
        Naming the file and what is wrong with it.
    """
    found = load_class(reference, folder, "metric")
    if not callable(getattr(found, "compute", None)):
        raise ConfigurationError(f"metric {reference} has no method compute", SEE)
    try:
        with NoExit():
            made = found()
    except BaseException as error:
        raise _failed(f"metric {reference} cannot be created ({_place(error)})", error) from None
    name = _text(reference, made, "name")
    if not NAME.fullmatch(name):
        raise ConfigurationError(
            f"metric {reference} has the name {name!r}", "use small letters, digits and underscores, a letter first"
        )
    metric = Metric(
        name=name,
        label=_text(reference, made, "label", name.replace("_", " ").capitalize()),
        unit=_one_of(reference, made, "unit", Unit, Unit.RATIO),
        better=_one_of(reference, made, "better", Better, Better.NEITHER),
        definition=_text(reference, made, "definition"),
        compute=_Guarded(reference, made),
        source=_text(reference, made, "source", " ").strip(),
        target=_bound(reference, made),
    )
    if metric.target and (problem := bound_problem(metric, metric.target)):
        raise ConfigurationError(f"metric {reference}: {problem}", SEE)
    return metric


class _Guarded:
    """The method of a user's metric; what it raises or answers besides a figure is told by file and line."""

    def __init__(self, reference: str, made: RunMetric) -> None:
        self._reference, self._made = reference, made

    def __call__(self, run: MetricInput) -> Answer:
        try:
            with NoExit():
                answer: object = self._made.compute(run)
        except BaseException as error:
            raise _failed(f"metric {self._reference}: compute failed with {_place(error)}", error) from None
        if isinstance(answer, Missing):
            if not isinstance(answer.reason, str) or not answer.reason.strip():
                raise ConfigurationError(f"metric {self._reference}: compute answers Missing without a reason", SEE)
            return answer
        if isinstance(answer, bool) or not isinstance(answer, Real):
            raise ConfigurationError(
                f"metric {self._reference}: compute answers {type(answer).__name__}, no number and no Missing", SEE
            )
        return _number(answer, self._reference)


def _number(answer: Real, reference: str) -> Answer:
    """Return a number of Python's own, for of numpy's kinds JSON knows none."""
    try:
        number = float(answer)
    except OverflowError:
        return Missing("it came to no finite number")
    except Exception as error:
        raise ConfigurationError(f"metric {reference}: the number of compute fails with {_place(error)}", SEE) from None
    return int(answer) if isinstance(answer, Integral) else number


def _attribute(reference: str, made: Any, attribute: str, default: Any = None) -> Any:
    """Read an attribute, which may be a property that fails."""
    try:
        with NoExit():
            return getattr(made, attribute, default)
    except BaseException as error:
        raise _failed(f"metric {reference}: {attribute} failed with {_place(error)}", error) from None


def _failed(problem: str, error: BaseException) -> BaseException:
    return ConfigurationError(problem, SEE) if is_users_error(error) else error


def _text(reference: str, made: Any, attribute: str, default: str | None = None) -> str:
    value = _attribute(reference, made, attribute, default)
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ConfigurationError(f"metric {reference} has no {attribute}, a text of one line", SEE)
    return value


def _one_of(reference: str, made: Any, attribute: str, kind: Any, default: Any) -> Any:
    value = _attribute(reference, made, attribute, default)
    try:
        return kind(value)
    except ValueError:
        known = one_of(str(value), [member.value for member in kind])
        raise ConfigurationError(f"metric {reference} has the {attribute} {value!r}", known) from None


def _bound(reference: str, made: Any) -> Bound | None:
    value = _attribute(reference, made, "target")
    if value is not None and not isinstance(value, Bound):
        raise ConfigurationError(f"metric {reference} has a target that is no Bound(target=..., minimum=...)", SEE)
    return value


def _place(error: BaseException) -> str:
    """Name the kind of an error and, from the user's code down, the first line it came from."""
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    return f"{type(error).__name__} in line {own[0].lineno}" if own else type(error).__name__
