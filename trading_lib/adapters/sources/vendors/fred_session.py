"""The fredapi client with the three things it lacks: time limits, typed errors, and a window of observations.

fredapi parses and asks; how the bytes come is replaced here. It puts its key into the address, so no address may
reach a message or a log.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlsplit

import fredapi
import pandas as pd

from trading_lib.adapters.sources.shared.http import HttpService, KeyFilter, Vendor
from trading_lib.adapters.sources.shared.rows import list_of_rows, required
from trading_lib.domain.errors import SourceError

PATH = "/fred"
# FRED's word for a series without vintages in a period (HTTP 400).
NO_VINTAGES = "ALFRED"
LIST_NAMES = {"observations": "observations", "vintagedates": "vintage_dates"}


@dataclass(frozen=True, slots=True)
class _VintageDate:
    """What fredapi reads from an element of its list of vintage dates."""

    text: str


class FredSession(fredapi.Fred):  # type: ignore[misc]
    """One series at a time, within a window of observation dates.

    Parameters
    ----------
    vendor
        With the key.
    address
        Scheme and host.
    connect_seconds, read_seconds
        See `HttpService`.
    """

    def __init__(self, vendor: Vendor, address: str, connect_seconds: float, read_seconds: float) -> None:
        super().__init__(api_key=vendor.key)
        self._vendor = vendor
        self._service = HttpService(vendor, address, None, connect_seconds, read_seconds)
        self._window: dict[str, str] = {}
        self._subject = ""
        _strike_keys_from_logs()

    def begin(self, series: str, first: date, last: date) -> None:
        """Set what the following calls are about."""
        self._subject = series
        self._window = {"observation_start": first.isoformat(), "observation_end": last.isoformat()}

    def releases(self, start: date, end: str) -> pd.DataFrame:
        """Every value of the series that was current between ``start`` and ``end``: realtime_start, date, value.

        An empty frame when FRED keeps no vintages of the series in that period.
        """
        try:
            frame = self._parsed(self.get_series_all_releases, self._subject, start.isoformat(), end)
        except SourceError as error:
            if NO_VINTAGES not in str(error):
                raise
            frame = pd.DataFrame()
        if not len(frame.columns):
            return pd.DataFrame(columns=["realtime_start", "date", "value"])
        # The client's frame turns a missing value beside two dates into a missing date.
        released: pd.DataFrame = frame.assign(value=frame["value"].where(frame["value"].notna(), float("nan")))
        return released

    def latest(self) -> pd.Series:
        """Values as FRED has them now, by observation date."""
        values: pd.Series = self._parsed(self.get_series, self._subject)
        return values

    def first_vintage(self) -> date | None:
        """Day on which FRED began to keep vintages of the series, None when it never did."""
        dates = self._parsed(self.get_series_vintage_dates, self._subject)
        return min(moment.date() for moment in dates) if dates else None

    def _parsed(self, method: Any, *positional: Any) -> Any:
        try:
            return method(*positional)
        except SourceError:
            raise
        except Exception as error:  # whatever the client's parsing trips over is an answer it cannot read
            raise self._vendor.unreadable(self._subject, f"cannot be taken apart ({error})") from None

    def _Fred__fetch_data(self, url: str) -> list[Any]:  # noqa: N802 - takes the place of the client's private method
        parts = urlsplit(url)
        path = parts.path[parts.path.index(PATH) :]
        kind = LIST_NAMES[path.rsplit("/", 1)[1]]
        query = dict(pair.split("=", 1) for pair in parts.query.split("&"))
        query |= {"api_key": self._vendor.key, "file_type": "json"}
        if kind == "observations":
            query |= self._window
        rows: list[Any] = []
        while True:
            content = self._service.get_json(self._subject, path, {**query, "offset": str(len(rows))})
            if not isinstance(content, dict):
                raise self._vendor.unreadable(self._subject, "is no JSON object")
            page = required(self._vendor, self._subject, content, kind)
            rows += self._elements(kind, page)
            if not page or len(rows) >= int(content.get("count", 0)):
                return rows

    def _elements(self, kind: str, page: Any) -> list[Any]:
        if kind == "vintage_dates":
            return [_VintageDate(str(text)) for text in page]
        rows = list_of_rows(self._vendor, self._subject, page)
        for row in rows:
            for name in ("realtime_start", "date", "value"):
                required(self._vendor, self._subject, row, name)
        return list(rows)


def _strike_keys_from_logs() -> None:
    """Debug logs of the connection pool show addresses."""
    logger = logging.getLogger("urllib3.connectionpool")
    if not any(isinstance(present, KeyFilter) for present in logger.filters):
        logger.addFilter(KeyFilter())
