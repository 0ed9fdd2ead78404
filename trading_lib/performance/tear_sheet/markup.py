"""HTML that what it shows cannot break: plain text is escaped wherever it enters, markup is a type of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

MISSING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def element(tag: str, *content: str, **attributes: str) -> Html:
    """Return an element; content that is not `Html` and every attribute are escaped.

    Parameters
    ----------
    attributes
        ``class_`` stands for class, an underscore within a name for a hyphen.
    """
    names = {name: name.rstrip("_").replace("_", "-") for name in attributes}
    listed = "".join(f' {names[name]}="{escape(value)}"' for name, value in attributes.items())
    return Html(f"<{tag}{listed}>{join(content)}</{tag}>")


def join(parts: Iterable[str]) -> Html:
    """Put parts behind one another, escaping those that are not `Html`."""
    return Html("".join(part if isinstance(part, Html) else escape(part) for part in parts))


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table; numbers are set to the right."""

    title: str
    number: bool = True


def table(caption: str, columns: Sequence[Column], rows: Iterable[Sequence[str]], **attributes: str) -> Html:
    """Return a table whose first column heads its rows.

    Parameters
    ----------
    rows
        Text or markup of each cell; a cell that is a whole ``td`` element is taken as it is.
    """
    head = element("tr", *(element("th", c.title, scope="col") for c in columns))
    body = join(map(_row, rows))
    # One class per column of numbers on the table, not one on every cell: a long run has tens of thousands of them.
    numbers = [f"n{place}" for place, column in enumerate(columns, start=1) if column.number]
    attributes["class_"] = " ".join([*attributes.get("class_", "").split(), *numbers])
    whole = element("table", element("caption", caption), element("thead", head), element("tbody", body), **attributes)
    # A wide table scrolls by itself and by keyboard instead of widening the page.
    return element("div", whole, class_="scroll", tabindex="0", role="region", aria_label=caption)


def _row(row: Sequence[str]) -> Html:
    cells = [cell if isinstance(cell, Html) and cell.startswith("<td") else element("td", cell) for cell in row]
    first = row[0]
    if not (isinstance(first, Html) and first.startswith("<td")):
        cells[0] = element("th", first, scope="row")
    return element("tr", *cells)


def percent(value: float | None, digits: int = 1) -> str:
    """Return a fraction as a percentage, with a real minus sign."""
    return MISSING if value is None or value != value else _signed(f"{value:.{digits}%}")


def number(value: float | None, digits: int = 2) -> str:
    """Return a plain number."""
    return MISSING if value is None or value != value else _signed(f"{value:,.{digits}f}")


def dollars(value: float | None, digits: int = 0) -> str:
    """Return an amount of dollars."""
    if value is None or value != value:
        return MISSING
    text = _signed(f"{value:,.{digits}f}")
    return f"{MINUS}${text[1:]}" if text.startswith(MINUS) else f"${text}"


def _signed(text: str) -> str:
    """Write a real minus sign, and none before a number that was rounded to zero."""
    return text.removeprefix("-") if not text.strip("-0.,%") else text.replace("-", MINUS)
