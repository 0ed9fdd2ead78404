import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from trading_lib.adapters.stores.postgres.bulk_copy import Kind, copy_in, copy_out
from trading_lib.domain.errors import InputError

pytestmark = pytest.mark.postgres

KINDS = {
    "n": Kind.INTEGER,
    "word": Kind.TEXT,
    "x": Kind.FLOAT,
    "other": Kind.TEXT,
    "day": Kind.DATE,
    "at": Kind.INSTANT,
}
NUMBERS = {name: kind for name, kind in KINDS.items() if kind is not Kind.TEXT}
words = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=8)
days = st.integers(-700_000, 2_000_000).map(lambda n: np.datetime64(n, "D"))
instants = st.integers(-(10**16), 10**17).map(lambda n: np.datetime64(n, "us"))
rows = st.lists(st.tuples(words, st.floats(), words, days, instants), max_size=30)


def columns(values: list[tuple]) -> dict[str, np.ndarray]:
    word, x, other, day, at = zip(*values, strict=True) if values else ((), (), (), (), ())
    return {
        "n": np.arange(len(values), dtype=np.int32),
        "word": np.array(word, dtype=object),
        "x": np.array(x, dtype=np.float64),
        "other": np.array(other, dtype=object),
        "day": np.array(day, dtype="datetime64[D]"),
        "at": np.array(at, dtype="datetime64[us]"),
    }


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows)
def test_what_goes_in_comes_out_bit_for_bit(shared_engine: Engine, values: list[tuple]) -> None:
    given_columns = columns(values)
    with shared_engine.begin() as connection:
        copy_in(connection, "incoming", KINDS, given_columns)
        stored = connection.execute(text("SELECT word, other, x FROM incoming ORDER BY n")).all()
        back = copy_out(connection, "SELECT n, x, day, at FROM incoming WHERE n >= %(n)s ORDER BY n", NUMBERS, {"n": 0})
    assert [(row.word, row.other) for row in stored] == [(value[0], value[2]) for value in values]
    for name in ("n", "day", "at"):
        np.testing.assert_array_equal(back[name], given_columns[name])
    # The driver's own text protocol and the binary one agree with what was given, the sign of zero included.
    for numbers in (back["x"], np.array([row.x for row in stored], dtype=np.float64)):
        np.testing.assert_array_equal(numbers, given_columns["x"])
        known = ~np.isnan(numbers)
        np.testing.assert_array_equal(np.signbit(numbers[known]), np.signbit(given_columns["x"][known]))


@pytest.mark.parametrize("word", ["with \x00 inside", None])
def test_text_that_cannot_be_stored_is_an_input_error(shared_engine: Engine, word: str | None) -> None:
    broken = columns([("a", 1.0, "b", np.datetime64("2020-01-01"), np.datetime64("2020-01-01"))])
    broken["word"] = np.array([word], dtype=object)
    with pytest.raises(InputError, match="missing or holds a NUL"), shared_engine.begin() as connection:
        copy_in(connection, "incoming", KINDS, broken)


@pytest.mark.parametrize("name", ["day", "at"])
def test_empty_date_is_an_input_error_naming_the_column(shared_engine: Engine, name: str) -> None:
    broken = columns([("a", 1.0, "b", np.datetime64("2020-01-01"), np.datetime64("2020-01-01"))])
    broken[name] = np.array(["NaT"], dtype=broken[name].dtype)
    with pytest.raises(InputError, match=f"column {name} has an empty date"), shared_engine.begin() as connection:
        copy_in(connection, "incoming", KINDS, broken)


def test_empty_fields_and_wrong_types_are_noticed(shared_engine: Engine) -> None:
    with shared_engine.connect() as connection:
        with pytest.raises(ValueError, match="no multiple of a row"):
            copy_out(connection, "SELECT NULL::float8", {"x": Kind.FLOAT}, {})
        with pytest.raises(ValueError, match="empty or of another type"):
            copy_out(connection, "SELECT 1::int4, 'twelve bytes'::text", dict.fromkeys("ab", Kind.FLOAT), {})
