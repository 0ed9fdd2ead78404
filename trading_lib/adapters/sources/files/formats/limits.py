"""Size limits of files. Input: path, limits. Output: nothing, or a `DataFileError` before anything is read."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from trading_lib.domain.errors import DataFileError
from trading_lib.market_data.config import FileLimits

BYTES_PER_VALUE = 8
SHORTEST_LINE = 2
BLOCK = 1 << 20
MEGABYTE = 1_000_000


def check_size(path: Path, limits: FileLimits) -> None:
    """Raise when ``path`` holds more rows, columns or bytes than ``limits`` allow; a Parquet file's data is not read.

    Raises
    ------
    DataFileError
        Names the file, what it holds and the limit. A file that cannot be read at all passes: reading it says why.
    """
    if path.suffix.lower() == ".parquet":
        _check_parquet(path, limits)
    else:
        _check_text(path, limits)


def _check_parquet(path: Path, limits: FileLimits) -> None:
    try:
        metadata = pa.parquet.read_metadata(path)
    except (OSError, ValueError, pa.ArrowException):
        return
    _refuse_above(path, "rows", metadata.num_rows, limits.max_rows)
    _refuse_above(path, "columns", metadata.num_columns, limits.max_columns)
    stored = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    # Run-length encoding stores a column of equal values in a few bytes; in memory every value has its own.
    size = max(stored, metadata.num_rows * metadata.num_columns * BYTES_PER_VALUE)
    _refuse_above(path, "unpacked megabytes", size / MEGABYTE, limits.max_megabytes)
    try:
        _check_texts(path, metadata, limits)
    except (OSError, ValueError, pa.ArrowException):
        return


def _check_text(path: Path, limits: FileLimits) -> None:
    try:
        size = path.stat().st_size
        _refuse_above(path, "megabytes", size / MEGABYTE, limits.max_megabytes)
        packed = path.suffix.lower() == ".gz"
        if not packed and size < limits.max_rows * SHORTEST_LINE:
            return
        with gzip.open(path) if packed else path.open("rb") as stream:
            lines = unpacked = 0
            while block := stream.read(BLOCK):
                lines, unpacked = lines + block.count(b"\n"), unpacked + len(block)
                _refuse_above(path, "rows", lines, limits.max_rows)
                _refuse_above(path, "unpacked megabytes", unpacked / MEGABYTE, limits.max_megabytes)
    except (OSError, EOFError, zlib.error):
        return


def _check_texts(path: Path, metadata: pa.parquet.FileMetaData, limits: FileLimits) -> None:
    """Refuse texts that are stored once and would be repeated in memory for every row."""
    suspects = []
    for at in range(metadata.num_columns):
        chunks = [metadata.row_group(group).column(at) for group in range(metadata.num_row_groups)]
        stored = sum(chunk.total_uncompressed_size for chunk in chunks)
        texts = bool(chunks) and chunks[0].physical_type == "BYTE_ARRAY"
        # A stored value is at most as long as its chunk; only a column that could grow too far is looked at.
        if texts and stored * metadata.num_rows > limits.max_megabytes * MEGABYTE:
            suspects.append(chunks[0].path_in_schema)
    for name in suspects:
        with pa.parquet.ParquetFile(path, read_dictionary=[name]) as file:
            column = file.read(columns=[name], use_threads=False).column(0)
        size = sum(_length(chunk) for chunk in column.chunks)
        _refuse_above(path, "unpacked megabytes", size / MEGABYTE, limits.max_megabytes)


def _length(chunk: pa.Array) -> int:
    texts = chunk.dictionary if pa.types.is_dictionary(chunk.type) else chunk
    if not (pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type) or pa.types.is_binary(texts.type)):
        return 0
    lengths = pa.compute.binary_length(texts)
    every = lengths.take(chunk.indices) if pa.types.is_dictionary(chunk.type) else lengths
    # Lengths are 32-bit numbers, and so would be their sum.
    return int(pa.compute.sum(every.cast(pa.int64())).as_py() or 0)


def _refuse_above(path: Path, what: str, value: float, limit: float) -> None:
    if value > limit:
        raise DataFileError(
            f"{path} has {value:,.0f} {what}, more than the {limit:,.0f} that may be read",
            "split it, or raise the limit under files in sources.yaml",
        )
