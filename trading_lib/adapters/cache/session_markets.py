"""The assembled panel and factors of a session in a file, exact to the bit, so that its tasks assemble them once.

A file is a cache: absent, cut off or of something else, it is as if there were none.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from trading_lib.adapters.files.output_file import write_whole
from trading_lib.domain.errors import TradingError
from trading_lib.domain.market.market_view import FactorPanel
from trading_lib.domain.market.prices import DailyBars, NativeSeries, PricePanel

LOG = logging.getLogger(__name__)
# Sessions kept: those that several books or a repair work on at once; about 14 MB each for 15 assets since 2004.
KEPT = 4
# Arrays begin at multiples of a cache line, so that kernels find them as they find their own.
ALIGNMENT = 64
MAGIC = b"session market 2\n"
T = TypeVar("T")
AnyArray = NDArray[Any]


class SessionMarkets:
    """Panels and factors by source and session.

    Parameters
    ----------
    folder
        Closed to other users.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, source: str, session: date, digest: str) -> tuple[PricePanel, FactorPanel] | None:
        """Return what was stored under the same digest of data, configuration and code; else None."""
        try:
            head, arrays = _mapped(self._path(source, session))
            if head["digest"] != digest:
                return None
            native = tuple(
                _filled(NativeSeries, arrays, f"native.{number}.", periods_per_year=years)
                for number, years in enumerate(head["periods_per_year"])
            )
            daily = {symbol: _filled(DailyBars, arrays, f"daily.{symbol}.") for symbol in head["daily"]}
            others = {"symbols": tuple(head["symbols"]), "native": native, "source": source, "daily": daily}
            panel = _filled(PricePanel, arrays, "panel.", **others)
            return panel, _filled(FactorPanel, arrays, "factors.", names=tuple(head["names"]))
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return None

    def save(self, source: str, session: date, digest: str, panel: PricePanel, factors: FactorPanel) -> None:
        """Store both, and remove the oldest; a folder that cannot be written is logged and stops nothing."""
        head = {
            "digest": digest,
            "symbols": panel.symbols,
            "names": factors.names,
            "periods_per_year": [series.periods_per_year for series in panel.native],
            "daily": list(panel.daily),
        }
        arrays = _arrays(panel, "panel.") | _arrays(factors, "factors.")
        for number, series in enumerate(panel.native):
            arrays |= _arrays(series, f"native.{number}.")
        for symbol, bars in panel.daily.items():
            arrays |= _arrays(bars, f"daily.{symbol}.")
        try:
            write_whole(self._path(source, session), _content(head, arrays))
            newest_first = sorted(self._folder.glob("*.market"), key=lambda path: path.stat().st_mtime, reverse=True)
            for path in newest_first[KEPT:]:
                path.unlink(missing_ok=True)
        except (OSError, TradingError) as error:
            LOG.warning("the market of session %s is assembled by every task: %s", session, error)

    def _path(self, source: str, session: date) -> Path:
        name = "".join(sign if sign.isalnum() else "-" for sign in source)
        return self._folder / f"{session}-{name}.market"


def _content(head: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> bytes:
    """Lay out a line of JSON that says where each array lies, then the arrays' own bytes."""
    layout, offset = {}, 0
    for name, array in arrays.items():
        layout[name] = (array.dtype.str, array.shape, offset)
        offset += -(-array.nbytes // ALIGNMENT) * ALIGNMENT
    line = json.dumps({**head, "arrays": layout, "bytes": offset}).encode()
    start = MAGIC + line
    start += b" " * (-(len(start) + 1) % ALIGNMENT) + b"\n"
    body = bytearray(offset)
    for name, array in arrays.items():
        at = layout[name][2]
        body[at : at + array.nbytes] = np.ascontiguousarray(array).tobytes()
    return start + bytes(body)


def _mapped(path: Path) -> tuple[dict[str, Any], dict[str, AnyArray]]:
    """Map the file into memory; what nobody looks at is never read. ``ValueError`` where it is none of ours, or cut."""
    with path.open("rb") as file:
        if file.readline() != MAGIC:
            raise ValueError("no market")
        head: dict[str, Any] = json.loads(file.readline())
        start = file.tell()
    if path.stat().st_size != start + head["bytes"]:
        raise ValueError("cut off")
    # Copied where somebody writes: compiled rules take arrays that may be written, and the file stays as it is.
    whole = np.memmap(path, dtype=np.uint8, mode="c", offset=0)
    arrays = {}
    for name, (kind, shape, offset) in head["arrays"].items():
        dtype = np.dtype(kind)
        size = dtype.itemsize * int(np.prod(shape, dtype=np.int64))
        part = whole[start + offset : start + offset + size]
        arrays[name] = np.asarray(part).view(dtype).reshape(shape)
    return head, arrays


def _arrays(item: Any, prefix: str) -> dict[str, AnyArray]:
    arrays = {field.name: getattr(item, field.name) for field in fields(item)}
    return {prefix + name: value for name, value in arrays.items() if isinstance(value, np.ndarray)}


def _filled(kind: type[T], arrays: Mapping[str, AnyArray], prefix: str, **others: Any) -> T:
    """Make a ``kind`` of its stored arrays and the other values."""
    names = [field.name for field in fields(kind) if field.name not in others]  # type: ignore[arg-type]
    return kind(**others, **{name: arrays[prefix + name] for name in names})
