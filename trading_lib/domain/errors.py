"""The error tree. Every message names the culprit and the remedy; the command line prints it as one line."""

from __future__ import annotations


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


class InputError(TradingError):
    """The caller asked for something impossible or handed over unusable input (exit code 2)."""

    exit_code = 2


class ConfigurationError(InputError):
    """A configuration file is broken, has an unknown key or contradicts itself."""


class DataFileError(InputError):
    """A data folder or file cannot be used."""


class UnknownSymbolError(InputError):
    """A symbol is not in the configured universe."""


class SessionError(InputError):
    """A date is no trading session, or lies in the future."""


class StorageUnavailableError(InputError):
    """The database cannot be reached or is not at the expected schema revision."""


class PortInUseError(InputError):
    """A port that a service needs is taken."""


class SourceError(TradingError):
    """A market data source failed for a symbol."""


class DataQualityError(TradingError):
    """Data did not pass validation badly enough that the run must stop."""


class NaiveDatetimeError(TypeError):
    """A datetime without a time zone reached a boundary (SPEC section 1)."""


class OrderTransitionError(TradingError):
    """An order event is not allowed in the order's present status."""


class DecisionConflictError(TradingError):
    """A session was decided before with other inputs; the stored decision stands."""


class SimulatedDataError(InputError):
    """A book that is not a demo book was asked to trade on simulated prices (SPEC section 3)."""
