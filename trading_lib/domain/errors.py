"""The error tree. Every message names the culprit and the remedy; the command line prints it as one line."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from difflib import get_close_matches
from typing import ClassVar

# More names than this are no help to anybody.
SHOWN_NAMES = 30


class TradingError(Exception):
    """Base of every error this project raises on purpose.

    Parameters
    ----------
    problem
        What is wrong, naming the file, row, symbol, field or address.
    remedy
        What the reader can do about it.
    """

    exit_code = 1

    def __init__(self, problem: str, remedy: str = "") -> None:
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{problem}: {remedy}" if remedy else problem)


def one_of(given: str, choices: Iterable[str]) -> str:
    """Return a remedy for a name that is none: the ones it may have been meant for, and all there are."""
    names = list(dict.fromkeys(choices))
    by_lower = {name.lower(): name for name in reversed(names)}
    close = [by_lower[match] for match in get_close_matches(given.lower(), by_lower, n=3)]
    shown = ", ".join(names[:SHOWN_NAMES]) + (f" and {len(names) - SHOWN_NAMES} more" if names[SHOWN_NAMES:] else "")
    guess = f"did you mean {' or '.join(close[:1] if given.lower() in by_lower else close)}? " if close else ""
    return f"{guess}use one of {shown}"


class InputError(TradingError):
    """The caller asked for something impossible or handed over unusable input (exit code 2)."""

    exit_code = 2


class ConfigurationError(InputError):
    """A configuration file is broken, has an unknown key or contradicts itself."""


class StrategyUnusableError(InputError):
    """A user's strategy failed whenever it was asked, or cannot be stopped: a run of it would show nothing."""


class DataFileError(InputError):
    """A data folder or file cannot be used."""


class UnknownSymbolError(InputError):
    """A symbol is not in the configured universe."""


class SessionError(InputError):
    """A date is no trading session, or lies in the future."""


class OvertakenSessionError(SessionError):
    """A newer session of the book has begun, so an older one may not decide, store intents or place any more."""


class BookBusyError(TradingError):
    """Another process trades the book for longer than one waits."""


class StorageUnavailableError(InputError):
    """The database cannot be reached or is not at the expected schema revision."""


class FileTroubleError(InputError):
    """The operating system refuses a file or folder: another user's, on a full or a read-only disk, or none at all.

    Parameters
    ----------
    error
        What the system said; it names the file where it knows it.
    path
        Named instead where it does not.
    """

    HOME = "TRADING_HOME names the one everything is kept in"
    REMEDIES: ClassVar[dict[int, str]] = {
        errno.EACCES: f"use a folder of your own ({HOME})",
        errno.EPERM: f"use a folder of your own ({HOME})",
        errno.EROFS: f"use a folder that can be written to ({HOME})",
        errno.ENOSPC: f"free some space on its disk, or use another one ({HOME})",
        errno.EDQUOT: f"free some of your space, or use another disk ({HOME})",
        errno.ENOTDIR: "a folder is needed where there is a file",
        errno.EEXIST: "a folder is needed where there is a file",
        errno.ENAMETOOLONG: f"use a shorter path ({HOME})",
    }

    def __init__(self, error: OSError, path: object = None) -> None:
        named = error.filename if error.filename is not None else path
        reason = error.strerror or type(error).__name__
        super().__init__(
            f"{named} cannot be used ({reason})" if named else reason,
            self.REMEDIES.get(error.errno or 0, "check the folder and its disk"),
        )


class PortInUseError(InputError):
    """A port that a service needs is taken."""


class SourceError(TradingError):
    """A market data source failed for a symbol.

    Attributes
    ----------
    transient
        Whether the same request may succeed a little later; a chain retries those and no others.
    """

    transient = False


class RateLimitedError(SourceError):
    """A source answered that it was asked too often.

    Parameters
    ----------
    retry_after
        Seconds the source asked to wait, None when it did not say.
    """

    transient = True

    def __init__(self, problem: str, remedy: str = "", retry_after: float | None = None) -> None:
        super().__init__(problem, remedy)
        self.retry_after = retry_after


class SourceUnavailableError(SourceError):
    """A source cannot be reached, does not answer in time, or has an error of its own (HTTP 5xx)."""

    transient = True


class SourceRefusedError(SourceError):
    """A source refuses the key or the plan (HTTP 401, 403): it would refuse every symbol, until the operator acts."""


class UnreadableAnswerError(SourceError):
    """A source's answer is cut off, no JSON, or lacks a field it should have."""


class SourceSkippedError(SourceError):
    """A source was not asked at all: its circuit breaker is open, or its rate limit leaves no room in time."""


class MissingKeyError(SourceError):
    """A source needs a key that is not set; names the environment variable."""

    exit_code = 2


class BrokerUnavailableError(TradingError):
    """A broker cannot be reached, or does not let us in. Nothing was sent by the call that raised it."""


class StrategyFaultError(TradingError):
    """A user's strategy raised, ended the process or took too long over one decision; the message says where."""


class CacheTierError(TradingError):
    """A tier of the cache cannot be used; work goes on without it."""


class DataQualityError(TradingError):
    """Data did not pass validation badly enough that the run must stop."""


class OptimisationError(TradingError):
    """No weights could be computed from the given risk, or the solver's answer is unusable."""


class NaiveDatetimeError(TypeError):
    """A datetime without a time zone reached a boundary (docs/specification.md#time-zones)."""


class OrderTransitionError(TradingError):
    """An order event is not allowed in the order's present status."""


class OversoldError(TradingError, ValueError):
    """A fill sells more than is held.

    Parameters
    ----------
    trade_id
        Of the fill.
    """

    def __init__(self, problem: str, remedy: str = "", trade_id: str = "") -> None:
        self.trade_id = trade_id
        super().__init__(problem, remedy)


class BreakerTransitionError(TradingError):
    """An event is not allowed in a circuit breaker's present status."""


class DecisionConflictError(TradingError):
    """A session was decided before with other inputs; the stored decision stands."""


class SimulatedDataError(InputError):
    """A book that is not a demo book was asked to trade on simulated prices (docs/specification.md#books)."""
