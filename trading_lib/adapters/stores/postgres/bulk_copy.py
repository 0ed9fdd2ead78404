"""Rows to and from PostgreSQL's binary COPY format, encoded column by column with numpy.

A row of binary COPY is a field count followed by (length, bytes) per field. Rows whose texts have equal byte
lengths are all equally long, so a whole block of them is one structured array: no Python runs per row, and
floats arrive bit for bit.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection

from trading_lib.adapters.stores.postgres.database import reporting_lost_connections
from trading_lib.domain.errors import InputError

Columns = Mapping[str, NDArray[Any]]

EPOCH = np.datetime64("2000-01-01")
SIGNATURE = b"PGCOPY\n\xff\r\n\x00"
HEADER = SIGNATURE + bytes(8)
TRAILER = b"\xff\xff"


class Kind(Enum):
    """How a column travels: numpy type on the wire, PostgreSQL type in the temporary table."""

    TEXT = ("", "text")
    INTEGER = (">i4", "integer")
    FLOAT = (">f8", "double precision")
    DATE = (">i4", "date")
    INSTANT = (">i8", "timestamptz")

    @property
    def wire(self) -> np.dtype[Any]:
        """Big-endian type of a fixed-width kind."""
        return np.dtype(self.value[0])

    @property
    def declaration(self) -> str:
        """Name of the type in SQL."""
        return str(self.value[1])


def copy_in(connection: Connection, table: str, kinds: Mapping[str, Kind], columns: Columns) -> None:
    """Create the temporary table ``table`` and fill it; it goes with the transaction.

    Parameters
    ----------
    kinds
        Column name -> kind, in table order.
    columns
        Column name -> array of shape (rows,): str objects, float64, or datetime64 (UTC). NaN stays NaN; NaT is an
        `InputError`.
    """
    declared = ", ".join(f'"{name}" {kind.declaration}' for name, kind in kinds.items())
    connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {table} ({declared}) ON COMMIT DROP")
    stream = io.BytesIO(b"".join(_blocks(kinds, columns)))
    _copy(connection, f"COPY {table} FROM STDIN (FORMAT binary)", stream)
    # Without statistics the planner takes a fresh temporary table for a small one.
    connection.exec_driver_sql(f"ANALYZE {table}")


def copy_out(
    connection: Connection, select: str, kinds: Mapping[str, Kind], parameters: Mapping[str, Any]
) -> dict[str, NDArray[Any]]:
    """Run ``select`` and return its columns as arrays; every field must be fixed-width and not NULL.

    ``parameters`` fill ``%(name)s`` places. Dates come as datetime64[D], instants as datetime64[us] in UTC.
    """
    driver = _driver_connection(connection)
    with driver.cursor() as cursor:
        statement = cursor.mogrify(select, dict(parameters)).decode()
    stream = io.BytesIO()
    _copy(connection, f"COPY ({statement}) TO STDOUT (FORMAT binary)", stream)
    return _decode(stream.getbuffer(), kinds)


def _copy(connection: Connection, command: str, stream: io.BytesIO) -> None:
    with reporting_lost_connections(connection), _driver_connection(connection).cursor() as cursor:
        cursor.copy_expert(command, stream)


def _driver_connection(connection: Connection) -> Any:
    return connection.connection.driver_connection


def _row_type(kinds: Mapping[str, Kind], text_lengths: Mapping[str, int]) -> np.dtype[Any]:
    fields: list[tuple[str, Any]] = [("fields", ">i2")]
    for name, kind in kinds.items():
        wire = f"S{text_lengths[name]}" if kind is Kind.TEXT else kind.wire
        # A zero-width field has no numpy type, and needs no bytes either.
        fields += [(f"{name}.length", ">i4")]
        fields += [(name, wire)] if wire != "S0" else []
    return np.dtype(fields)


def _blocks(kinds: Mapping[str, Kind], columns: Columns) -> Iterator[bytes]:
    """Yield the stream: header, one block per combination of text lengths, trailer."""
    yield HEADER
    rows = len(next(iter(columns.values())))
    texts = {name: _encode_text(columns[name]) for name, kind in kinds.items() if kind is Kind.TEXT}
    numbers = {
        name: _encode_numbers(name, kind, columns[name]) for name, kind in kinds.items() if kind is not Kind.TEXT
    }
    combination = np.zeros(rows, dtype=np.int64)
    for codes, values in texts.values():
        lengths = np.array([len(word) for word in values], dtype=np.int64)
        combination = combination * (lengths.max(initial=0) + 1) + lengths[codes]
    for value in np.unique(combination):
        chosen = np.flatnonzero(combination == value)
        text_lengths = {name: len(values[codes[chosen[0]]]) for name, (codes, values) in texts.items()}
        block = np.zeros(len(chosen), dtype=_row_type(kinds, text_lengths))
        block["fields"] = len(kinds)
        for name, kind in kinds.items():
            length = text_lengths[name] if kind is Kind.TEXT else kind.wire.itemsize
            block[f"{name}.length"] = length
            if kind is not Kind.TEXT:
                block[name] = numbers[name][chosen]
            elif length:
                codes, values = texts[name]
                block[name] = np.array(values)[codes[chosen]]
        yield block.tobytes()
    yield TRAILER


def _encode_text(values: NDArray[Any]) -> tuple[NDArray[np.intp], list[bytes]]:
    codes, uniques = pd.factorize(values)
    encoded = [str(word).encode() for word in uniques]
    bad = next((word for word in encoded if b"\x00" in word), None)
    if bad is not None or (codes < 0).any():
        raise InputError(f"a text to be stored is missing or holds a NUL character: {bad!r}", "correct the data")
    return codes, encoded


def _encode_numbers(name: str, kind: Kind, values: NDArray[Any]) -> NDArray[Any]:
    if kind in (Kind.FLOAT, Kind.INTEGER):
        return values
    if np.isnat(values).any():
        raise InputError(f"column {name} has an empty date", "give every row one")
    unit = "D" if kind is Kind.DATE else "us"
    since_epoch: NDArray[Any] = values.astype(f"datetime64[{unit}]") - EPOCH.astype(f"datetime64[{unit}]")
    return since_epoch.astype(np.int64)


def _decode(buffer: memoryview, kinds: Mapping[str, Kind]) -> dict[str, NDArray[Any]]:
    row = _row_type(kinds, {})
    body = buffer[len(HEADER) : len(buffer) - len(TRAILER)]
    if bytes(buffer[: len(SIGNATURE)]) != SIGNATURE or len(body) % row.itemsize:
        raise ValueError(f"COPY delivered {len(body)} bytes, no multiple of a row's {row.itemsize}")
    rows = np.frombuffer(body, dtype=row)
    for name, kind in kinds.items():
        if (rows[f"{name}.length"] != kind.wire.itemsize).any():
            raise ValueError(f"COPY delivered a field {name} that is empty or of another type")
    return {name: _from_wire(kind, rows[name]) for name, kind in kinds.items()}


def _from_wire(kind: Kind, values: NDArray[Any]) -> NDArray[Any]:
    if kind not in (Kind.DATE, Kind.INSTANT):
        return values.astype(kind.wire.newbyteorder("="))
    unit = "D" if kind is Kind.DATE else "us"
    moments: NDArray[Any] = EPOCH.astype(f"datetime64[{unit}]") + values.astype(f"timedelta64[{unit}]")
    return moments
