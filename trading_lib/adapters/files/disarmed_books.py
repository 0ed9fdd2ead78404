"""Books that may decide and must not send: a file each, so that it holds before and without the database."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from urllib.parse import quote, unquote

from trading_lib.adapters.files.output_file import write_whole

LOG = logging.getLogger(__name__)
FOLDER = "disarmed-books"
# While a restore is under way nobody knows which books there will be.
EVERY = "every-book"
SUFFIX = ".json"


class DisarmedBooks:
    """A book is disarmed while its file exists, whatever it holds.

    Parameters
    ----------
    home
        The home folder of this installation.
    """

    def __init__(self, home: Path) -> None:
        self.folder = home / FOLDER

    def disarm_all(self, reason: str, now: datetime) -> None:
        """Disarm whatever books there are or will be, until `name_them`."""
        self._write(self.folder / EVERY, reason, now)

    def name_them(self, books: Iterable[str], reason: str, now: datetime) -> None:
        """Disarm these books in place of all; at no moment is one of them armed."""
        for book in books:
            self._write(self._file(book), reason, now)
        (self.folder / EVERY).unlink(missing_ok=True)

    def reason(self, book: str) -> str | None:
        """Why a book is disarmed; None when it is armed."""
        for path in (self._file(book), self.folder / EVERY):
            try:
                content = json.loads(path.read_text(encoding="utf-8"))
            except FileNotFoundError:
                continue
            except (OSError, ValueError):
                content = None
            found = content.get("reason") if isinstance(content, dict) else None
            return str(found or "unreadable file")
        return None

    @property
    def is_unfinished(self) -> bool:
        """Whether every book is disarmed because a restore has not ended."""
        return (self.folder / EVERY).exists()

    def names(self) -> list[str]:
        """Names of the disarmed books; they say nothing of others while a restore is under way."""
        return sorted(unquote(path.name.removesuffix(SUFFIX)) for path in self.folder.glob(f"*{SUFFIX}"))

    def arm(self, book: str) -> None:
        """Let a book send again."""
        self._file(book).unlink(missing_ok=True)
        LOG.warning("book %s armed", book)

    def _file(self, book: str) -> Path:
        return self.folder / f"{quote(book, safe='')}{SUFFIX}"

    def _write(self, path: Path, reason: str, now: datetime) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, json.dumps({"reason": reason, "since": now.isoformat()}).encode())
        LOG.warning("%s disarmed: %s", path.name.removesuffix(SUFFIX), reason)
