"""A message for a person, and what carries it. Input: a `Message`. Output: none; what cannot be sent raises."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Protocol, runtime_checkable

from trading_lib.monitoring.alert import AlertLevel, Picture


@dataclass(frozen=True, slots=True)
class Message:
    """What a person is told; secrets are struck before it is made.

    Attributes
    ----------
    title
        One line.
    text
        All of it, in lines.
    session, book
        Which it is about; None and "" where it is about none.
    link
        Where more stands, "" where nowhere.
    html
        The same as a page, for channels that show one; "" where there is none. Pictures are named ``cid:NAME.png``.
    pictures
        What goes with it.
    """

    level: AlertLevel
    title: str
    text: str
    session: date | None = None
    link: str = ""
    book: str = ""
    html: str = ""
    pictures: tuple[Picture, ...] = ()


@runtime_checkable
class Notifier(Protocol):
    """A way to a person: mail, chat, a file."""

    def send(self, message: Message) -> None:
        """Send it, or raise; called once for each message, and given up after a while."""
        ...
