"""`proceeds.yaml` of a data folder."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from tests.builders.prices import universe
from trading_lib.adapters.sources.files.proceeds import read_proceeds
from trading_lib.domain.book.proceeds import Proceeds
from trading_lib.domain.errors import DataFileError

GOOD = "- {symbol: XLK, session: 2016-07-15, amount_per_share: 43.21, note: merger}\n"


def test_entries_come_in_order_and_a_folder_without_the_file_has_none(tmp_path: Path) -> None:
    assert read_proceeds(tmp_path, universe()) == ()
    (tmp_path / "proceeds.yaml").write_text(GOOD + "- {symbol: GLD, session: '2016-01-04', amount_per_share: 0}\n")
    assert read_proceeds(tmp_path, universe()) == (
        Proceeds("GLD", date(2016, 1, 4), Decimal(0)),
        Proceeds("XLK", date(2016, 7, 15), Decimal("43.21"), "merger"),
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("a: [", "is not valid YAML"),
        ("symbol: XLK", "holds no list"),
        ("- 3", "entry 1 is no mapping"),
        ("- {symbol: XLK, session: 2016-07-15}", "entry 1 is no mapping"),
        (GOOD + "- {symbol: XLK, session: 2016-07-15, amount_per_share: 1, price: 2}", "entry 2 is no mapping"),
        ("- {symbol: XYZ, session: 2016-07-15, amount_per_share: 1}", "entry 1: 'XYZ' is not in the universe"),
        ("- {symbol: XLK, session: 2016-07-16, amount_per_share: 1}", "entry 1: session .* is no trading session"),
        ("- {symbol: XLK, session: soon, amount_per_share: 1}", "entry 1: session 'soon' is no trading session"),
        ("- {symbol: XLK, session: 2016-07-15, amount_per_share: -1}", "entry 1: amount_per_share -1 is no amount"),
        ("- {symbol: XLK, session: 2016-07-15, amount_per_share: .nan}", "entry 1: amount_per_share nan is no amount"),
        ("- {symbol: XLK, session: 2016-07-15, amount_per_share: true}", "amount_per_share True is no amount"),
        (GOOD + GOOD, "XLK is closed 2 times on 2016-07-15"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_entry(tmp_path: Path, content: str, problem: str) -> None:
    (tmp_path / "proceeds.yaml").write_text(content)
    with pytest.raises(DataFileError, match=f"proceeds.yaml.*{problem}"):
        read_proceeds(tmp_path, universe())
