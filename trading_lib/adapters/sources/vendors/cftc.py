"""Commitments of Traders from the CFTC's own yearly files. Input: dates. Output: reports, when they came out."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

import pandas as pd

from trading_lib.adapters.sources.shared.cot_layout import MARKETS, LayoutError, cot_rows
from trading_lib.adapters.sources.shared.http import (
    CONNECT_SECONDS,
    READ_SECONDS,
    HttpService,
    Vendor,
    checked_address,
    looks_like_html,
)
from trading_lib.adapters.sources.shared.positioning_windows import cot_window, stamp_cot
from trading_lib.domain.errors import SourceError
from trading_lib.domain.market.positioning import DISAGGREGATED_REPORT, LEGACY_REPORT, CotReports
from trading_lib.domain.market.sessions import require_aware

NAME = "cftc"
ADDRESS = "https://www.cftc.gov"
FOLDER = "/files/dea/history"
FIRST_YEAR = {LEGACY_REPORT: 1986, DISAGGREGATED_REPORT: 2006}
# The disaggregated reports of these years come in one file.
COMBINED_YEARS = range(2006, 2017)
COMBINED_FILE = "fut_disagg_txt_hist_2006_2016.zip"
# A yearly file unpacks to some 5 MB, the combined one to some 80 MB.
MOST_BYTES = 500_000_000


class CftcSource:
    """Legacy and disaggregated reports, futures only; needs no key.

    The yearly files hold the positions as corrected since; a correction made before a report is first read here
    cannot be told from the original.

    Parameters
    ----------
    base_url
        Stands in for the CFTC's address.
    reports
        Which of "legacy" and "disaggregated".
    markets
        Contract code -> name.
    connect_seconds, read_seconds
        See `HttpService`.
    """

    def __init__(
        self,
        base_url: str = ADDRESS,
        reports: Sequence[str] = (LEGACY_REPORT, DISAGGREGATED_REPORT),
        markets: Mapping[str, str] = MARKETS,
        connect_seconds: float = CONNECT_SECONDS,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self._vendor = Vendor(NAME)
        self._reports = tuple(reports)
        self._markets = dict(markets)
        self._service = HttpService(self._vendor, checked_address(NAME, base_url), None, connect_seconds, read_seconds)

    @property
    def name(self) -> str:
        """Always "cftc"."""
        return NAME

    def cot(self, first: date, last: date, as_of: datetime) -> CotReports:
        """All reports in the range of report dates that were published by ``as_of``; see `PositioningSource.cot`."""
        moment = require_aware(as_of, "as_of")
        newest = min(last.year, moment.year)
        frames = [
            self._file(file, may_be_absent=moment < first_reports_by(year))
            for report in self._reports
            for file, year in yearly_files(report, first.year, newest).items()
        ]
        rows = [frame for frame in frames if len(frame)]
        if not rows:
            return CotReports.empty()
        return cot_window(stamp_cot(pd.concat(rows, ignore_index=True), NAME), first, last, moment)

    def _file(self, file: str, *, may_be_absent: bool) -> pd.DataFrame:
        try:
            content = self._service.get(file, f"{FOLDER}/{file}").content
        except SourceError as error:
            if may_be_absent and "HTTP 404" in str(error):
                return pd.DataFrame()
            raise
        try:
            tables = self._tables(file, content)
            return pd.concat([cot_rows(lines, self._markets) for lines in tables], ignore_index=True)
        except LayoutError as error:
            raise self._vendor.unreadable(file, str(error)) from None

    def _tables(self, file: str, content: bytes) -> list[pd.DataFrame]:
        if looks_like_html(content[:1000].decode("latin-1")):
            raise self._vendor.unreadable(file, "is a web page instead of a zip file")
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                texts = [entry for entry in archive.infolist() if entry.filename.lower().endswith((".txt", ".csv"))]
                if not texts or sum(entry.file_size for entry in texts) > MOST_BYTES:
                    raise self._vendor.unreadable(file, "holds no text file of the usual size")
                return [_table(archive.read(entry)) for entry in texts]
        except (zipfile.BadZipFile, EOFError, OSError, ValueError) as error:
            raise self._vendor.unreadable(file, f"is no zip file with a table ({error})") from None


def yearly_files(report: str, first_year: int, last_year: int) -> dict[str, int]:
    """Files with a report's lines of these years -> the newest of the years in each."""
    years = range(max(first_year, FIRST_YEAR[report]), last_year + 1)
    if report == LEGACY_REPORT:
        return {f"deacot{year}.zip": year for year in years}
    return {COMBINED_FILE if year in COMBINED_YEARS else f"fut_disagg_txt_{year}.zip": year for year in years}


def first_reports_by(year: int) -> datetime:
    """Instant by which a year has its file: in the first days of January it has no report yet."""
    return datetime(year, 1, 15, tzinfo=UTC)


def _table(content: bytes) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(content), dtype="str", keep_default_na=False, encoding="latin-1", low_memory=False)
