"""A data folder and the YAML lists in it. Input: path. Output: the entries as written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from trading_lib.domain.errors import DataFileError


def require_folder(folder: Path) -> None:
    """Raise `DataFileError` unless ``folder`` is a folder that can be listed."""
    try:
        next(folder.iterdir(), None)
    except FileNotFoundError:
        raise DataFileError(f"data folder {folder} does not exist", "give a folder with CSV or Parquet files") from None
    except NotADirectoryError:
        raise DataFileError(f"{folder} is a file, not a data folder", f"give its folder, {folder.parent}") from None
    except OSError as error:
        raise DataFileError(
            f"data folder {folder} cannot be read ({error.strerror})", "check its rights, or give another"
        ) from None


def read_list(path: Path) -> list[Any]:
    """Read the entries of a YAML list; empty where there is no such file.

    Raises
    ------
    DataFileError
        When the file is no YAML or holds no list.
    """
    if not path.is_file():
        return []
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        detail = " ".join(str(error).split())
        raise DataFileError(f"{path} is not valid YAML ({detail})", "correct it or remove it") from None
    if not isinstance(content, list):
        raise DataFileError(f"{path} holds no list", "write one '- symbol: NAME' entry after the other")
    return content
