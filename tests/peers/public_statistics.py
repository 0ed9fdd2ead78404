"""Bodies in the shapes of FRED's API and of the CFTC's yearly files."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from tests.peers.vendor_server import Reply, Request

# Series -> observation date -> (day it came out, value as FRED writes it), in the order of the days.
Releases = Mapping[str, Mapping[date, Sequence[tuple[date, str]]]]
FOREVER = "9999-12-31"
NOT_ARCHIVED = "Bad Request.  The series does not exist in ALFRED but may exist in FRED."


def fred_answer(
    archive: Releases, current: Mapping[str, Mapping[date, str]], page: int = 1000
) -> Callable[[Request], Reply]:
    """FRED with JSON bodies.

    Parameters
    ----------
    archive
        Series with vintages.
    current
        Series without: their values of today.
    page
        Most rows of one answer.
    """

    def answer(request: Request) -> Reply:
        query = request.query
        if query.get("api_key") != "secret-token":
            return _bad("Bad Request.  The value for variable api_key is not registered.")
        assert query["file_type"] == "json"
        series = query["series_id"]
        if series not in archive and series not in current:
            return _bad("Bad Request.  The series does not exist.")
        if request.path == "/fred/series/vintagedates":
            days = sorted({day for rows in archive[series].values() for day, _ in rows})
            return Reply({"count": len(days), "offset": 0, "vintage_dates": [day.isoformat() for day in days]})
        assert request.path == "/fred/series/observations"
        begin, end = query.get("realtime_start"), query.get("realtime_end")
        if begin is None:
            rows = [_row("2030-01-01", "2030-01-01", day, value) for day, value in current[series].items()]
        elif series in current:
            return _bad(NOT_ARCHIVED)
        else:
            rows = [row for day, known in archive[series].items() for row in _clipped(day, known, begin, str(end))]
            if not rows and all(known[0][0].isoformat() > str(end) for known in archive[series].values()):
                return _bad(NOT_ARCHIVED)
        rows = [row for row in rows if query["observation_start"] <= row["date"] <= query["observation_end"]]
        offset = int(query.get("offset", 0))
        chosen = rows[offset : offset + page]
        return Reply({"count": len(rows), "offset": offset, "limit": page, "observations": chosen})

    return answer


def _clipped(day: date, known: Sequence[tuple[date, str]], begin: str, end: str) -> list[dict[str, str]]:
    """Rows as FRED cuts them: what was current in the period, its bounds moved to the period's."""
    rows = []
    ends = [(following - timedelta(days=1)).isoformat() for following, _ in known[1:]] + [FOREVER]
    for (start, value), stop in zip(known, ends, strict=True):
        if start.isoformat() <= end and stop >= begin:
            rows.append(_row(max(start.isoformat(), begin), min(stop, end), day, value))
    return rows


def _row(start: str, end: str, day: date, value: str) -> dict[str, str]:
    return {"realtime_start": start, "realtime_end": end, "date": day.isoformat(), "value": value}


def _bad(message: str) -> Reply:
    return Reply({"error_code": 400, "error_message": message}, 400)


LEGACY_HEADER = (
    '"Market and Exchange Names","As of Date in Form YYMMDD","As of Date in Form YYYY-MM-DD",'
    '"CFTC Contract Market Code","CFTC Market Code in Initials","Open Interest (All)",'
    '"Noncommercial Positions-Long (All)","Noncommercial Positions-Short (All)",'
    '"Noncommercial Positions-Spreading (All)","Commercial Positions-Long (All)",'
    '"Commercial Positions-Short (All)","Nonreportable Positions-Long (All)","Nonreportable Positions-Short (All)"'
)
DISAGGREGATED_HEADER = (
    '"Market_and_Exchange_Names","As_of_Date_In_Form_YYMMDD","Report_Date_as_YYYY-MM-DD",'
    '"CFTC_Contract_Market_Code","CFTC_Market_Code","Open_Interest_All","Prod_Merc_Positions_Long_All",'
    '"Prod_Merc_Positions_Short_All","Swap_Positions_Long_All","Swap__Positions_Short_All",'
    '"Swap__Positions_Spread_All","M_Money_Positions_Long_All","M_Money_Positions_Short_All",'
    '"M_Money_Positions_Spread_All","Other_Rept_Positions_Long_All","Other_Rept_Positions_Short_All",'
    '"Other_Rept_Positions_Spread_All","NonRept_Positions_Long_All","NonRept_Positions_Short_All"'
)
GOLD, SILVER, WHEAT = "088691", "084691", "001602"


def legacy_line(code: str, day: date, *positions: int) -> str:
    """A line as the CFTC writes it: padded, the code as text."""
    return (
        f'"SOME MARKET - SOME EXCHANGE  ",{day:%y%m%d},{day},"{code}","CMX ",{", ".join(f"{p:>9}" for p in positions)}'
    )


def zipped(header: str, lines: Sequence[str], name: str = "annual.txt") -> bytes:
    """A zip file with one table."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, "\r\n".join([header, *lines]) + "\r\n")
    return buffer.getvalue()


def cftc_answer(files: Mapping[str, bytes]) -> Callable[[Request], Reply]:
    """The folder with the yearly files."""

    def answer(request: Request) -> Reply:
        name: Any = request.path.removeprefix("/files/dea/history/")
        if name not in files:
            return Reply("<html><body>Page not found</body></html>", 404, "text/html")
        return Reply(files[name], kind="application/x-zip-compressed")

    return answer
