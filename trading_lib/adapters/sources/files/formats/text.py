"""Layout of a text table: encoding, separator, header. Input: the beginning of a file. Output: `TextLayout`."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trading_lib.adapters.sources.files.formats.columns import LOOSE, MEANINGS, PRICES, key
from trading_lib.adapters.sources.files.formats.stamps import style_of

HEAD_BYTES = 1 << 16
SEPARATORS = (",", ";", "\t", "|")
# A title, an address or a disclaimer may stand above the header.
HEADER_WITHIN = 10
BINANCE_KLINES = (
    "open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "count",
    "taker_buy_volume", "taker_buy_quote_volume", "ignore",
)  # fmt: skip
_EPOCH = re.compile(r"\d{10}(?:\d{3}){0,3}")
_NUMBER = re.compile(r"-?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?")
_PAIR = re.compile(r"\(\s*['\"]([^'\"]*)['\"]\s*,\s*['\"]([^'\"]*)['\"]\s*\)")
_BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True, slots=True)
class TextLayout:
    """Where the cells of a text table are.

    Attributes
    ----------
    names
        As written, one per column, "" where the header says nothing.
    first_line
        Lines before the first row, the header's included.
    symbols
        Of a wide table, one per column ("" for the date's); empty for others.
    skipped
        Lines above the header.
    decimals
        Whether the separator leaves room for decimal commas without quotes.
    """

    encoding: str
    separator: str
    names: tuple[str, ...]
    first_line: int
    symbols: tuple[str, ...] = ()
    skipped: int = 0

    @property
    def wide(self) -> bool:
        """Whether the columns of several symbols stand side by side."""
        return bool(self.symbols)


def layout_of(head: bytes) -> TextLayout:
    """Find out how the table that begins with ``head`` is laid out.

    Raises
    ------
    ValueError
        It is empty, no text, or no table.
    """
    if not head.strip():
        raise ValueError("it is empty")
    encoding = _encoding(head)
    text = _decoded(head, encoding)
    start = text.lstrip("\ufeff \r\n\t")
    if start[:1] in "{[" and not _PAIR.match(start):
        raise ValueError("it is JSON, not a table")
    if start[:1] == "<" and re.match(r"<(?:!doctype|html|\?xml|head|body|flex)", start[:20], re.IGNORECASE):
        raise ValueError("it is a web page or XML, not a table")
    lines = text.splitlines()
    return _found(lines, encoding)


def read_head(path: Path) -> bytes:
    """First bytes of a file, unpacked where it is a gzip file."""
    if path.suffix.lower() == ".gz":
        import gzip

        with gzip.open(path) as packed:
            return packed.read(HEAD_BYTES)
    with path.open("rb") as stream:
        return stream.read(HEAD_BYTES)


def _encoding(head: bytes) -> str:
    for mark, name in _BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return name
    if b"\x00" in head:
        raise ValueError("it holds NUL bytes, so it is no text (or UTF-16 without its mark): save it as UTF-8")
    return "utf-8"


def _decoded(head: bytes, encoding: str) -> str:
    """Text of ``head``, without the last line where the block may have cut it."""
    decoder = codecs.getincrementaldecoder(encoding)()
    text = decoder.decode(head)
    if "\x00" in text:
        raise ValueError("it holds NUL bytes, so it is no text")
    if len(head) < HEAD_BYTES:
        return text
    return text[: max(text.rfind("\n"), text.rfind("\r")) + 1] or text


def _cells(line: str, separator: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader(io.StringIO(line), delimiter=separator), [])]


def _found(lines: Sequence[str], encoding: str) -> TextLayout:
    filled = [number for number, line in enumerate(lines) if line.strip()][:HEADER_WITHIN]
    for separator in sorted(SEPARATORS, key=lambda mark: -max(lines[at].count(mark) for at in filled)):
        rows = {at: _cells(lines[at], separator) for at in filled}
        if len(rows[filled[0]]) < 2 and all(len(row) < 2 for row in rows.values()):
            continue
        layout = _klines(rows, filled) or _wide(rows, filled) or _header(rows, filled)
        if layout:
            names, first_line, symbols, skipped = layout
            return TextLayout(
                encoding, separator, _padded(names, rows, filled, first_line), first_line, symbols, skipped
            )
    # No header that speaks of bars: the first line is one all the same.
    first = filled[0]
    separator = max(SEPARATORS, key=lambda mark: len(_cells(lines[first], mark)))
    return TextLayout(encoding, separator, tuple(_cells(lines[first], separator)), first + 1)


_Found = tuple[tuple[str, ...], int, tuple[str, ...], int]


def _klines(rows: dict[int, list[str]], filled: Sequence[int]) -> _Found | None:
    first = rows[filled[0]]
    numeric = all(_NUMBER.fullmatch(cell) for cell in first)
    if len(first) in (11, 12) and numeric and _EPOCH.fullmatch(first[0]):
        return BINANCE_KLINES[: len(first)], filled[0], (), 0
    return None


def _wide(rows: dict[int, list[str]], filled: Sequence[int]) -> _Found | None:
    """Read the levels of a data frame's columns: prices in one line, symbols in the other."""
    first = rows[filled[0]]
    pairs = [_PAIR.fullmatch(cell) for cell in first[1:]]
    if pairs and all(pairs):
        one = [pair[1] for pair in pairs if pair]
        other = [pair[2] for pair in pairs if pair]
        header, start = 1, filled[0]
    elif len(filled) > 1 and len(rows[filled[1]]) == len(first) and _level(first[0]) and _level(rows[filled[1]][0]):
        one, other = first[1:], rows[filled[1]][1:]
        header, start = 2, filled[1]
    else:
        return None
    fields, symbols = (one, other) if _price_names(one) else (other, one)
    if not _price_names(fields) or _price_names(symbols) or not all(symbols):
        return None
    last = start
    if len(filled) > header and not any(rows[filled[header]][1:]):
        last = filled[header]
    return ("date", *fields), last + 1, ("", *symbols), 0


def _level(cell: str) -> bool:
    """Whether a cell is the name of a level of a data frame's columns."""
    return key(cell) in ("", "price", "ticker", "attributes", "symbols")


def _price_names(cells: Sequence[str]) -> bool:
    names = {name for canonical in (*PRICES, "adj_close", "volume") for name in MEANINGS[canonical]}
    names |= {"dividends", "stocksplits", "capitalgains", "repaired"}
    return bool(cells) and all(key(cell) in names for cell in cells)


def _header(rows: dict[int, list[str]], filled: Sequence[int]) -> _Found | None:
    dates = set(MEANINGS["date"])
    closes = {*MEANINGS["close"], *MEANINGS["adj_close"], "value"}
    for at in filled:
        keys = {key(cell) for cell in rows[at]}
        if keys & closes and (keys & dates or rows[at][0] == "" or "unnamed0" in keys):
            if not (keys & dates - LOOSE) and not all(keys & set(MEANINGS[name]) for name in PRICES):
                continue
            below = [rows[line][0] for line in filled if line > at and rows[line]]
            nameless = not keys & dates and style_of(below) not in (None, "epoch")
            names = ("date", *rows[at][1:]) if nameless else tuple(rows[at])
            return names, at + 1, (), filled.index(at)
    return None


def _padded(names: tuple[str, ...], rows: dict[int, list[str]], filled: Sequence[int], first: int) -> tuple[str, ...]:
    """Add a nameless column where every row ends with one separator more than the header."""
    after = [rows[at] for at in filled if at >= first]
    if after and all(len(row) == len(names) + 1 and row[-1] == "" for row in after):
        return (*names, "")
    return names
