"""The configurations under which a book has been decided, against the current one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from trading_lib.adapters.files.include_folder import SHIPPED_CONFIG
from trading_lib.adapters.stores.books.book_store import BookStore
from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.workflows.setup.configuration import load_configuration
from trading_lib.workflows.setup.settings import Settings


@dataclass(frozen=True, slots=True)
class BookConfiguration:
    """The configurations of a book by their hashes; their values are not stored.

    Attributes
    ----------
    opened
        When the book was opened.
    in_force, shipped
        Now, and of the settings that come with the program.
    periods
        First session of each and its hash, oldest first.
    """

    book: str
    opened: str
    in_force: str
    shipped: str
    periods: tuple[tuple[date, str], ...]

    @property
    def newest(self) -> str:
        """Of the newest decision, or of the opening where there is none."""
        return self.periods[-1][1] if self.periods else self.opened

    @property
    def same(self) -> bool:
        """Whether the newest decision was made under what is in force."""
        return self.newest == self.in_force

    def as_record(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "name": self.book,
            "config_hash": self.in_force,
            "shipped_hash": self.shipped,
            "opened_under": self.opened,
            "same_as_newest_decision": self.same,
            "periods": [{"from": day.isoformat(), "config_hash": content} for day, content in self.periods],
        }

    def lines(self) -> list[str]:
        """Say it to a person."""
        lines = [
            f"book {self.book} was opened under {self._named(self.opened)}; in force is {self._named(self.in_force)}"
        ]
        lines += [f"  decided from {day} on under {self._named(content)}" for day, content in self.periods]
        if self.same:
            return [*lines, "  its next session is decided under the same configuration as its last"]
        as_shipped = ", which are those shipped" if self.newest == self.shipped else ": a book stores their hash only"
        return [*lines, f"  its next session is decided under other settings than its last{as_shipped}"]

    def _named(self, content: str) -> str:
        return f"{content} (as shipped)" if content == self.shipped else content


def book_configuration(settings: Settings, name: str) -> BookConfiguration:
    """Read a book's configurations; an unknown book is an `InputError` that lists those there are."""
    engine = settings.engine()
    book = BookStore(engine).book(name)
    return BookConfiguration(
        book=name,
        opened=book.config_hash,
        in_force=settings.configuration.config_hash,
        shipped=load_configuration(SHIPPED_CONFIG, {}).config_hash,
        periods=StateStore(engine).configurations(name),
    )
