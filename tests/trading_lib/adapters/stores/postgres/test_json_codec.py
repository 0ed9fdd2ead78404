import json
import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from trading_lib.adapters.stores.postgres.json_codec import content_hash, decode, encode
from trading_lib.domain.book.orders import Side
from trading_lib.domain.decision.signals import SignalType
from trading_lib.domain.errors import InputError, NaiveDatetimeError

texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=6)
keys = st.one_of(texts, st.sampled_from(["$decimal", "$date", "$instant", "$float", "$object"]))
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False),
    texts,
    st.decimals(allow_nan=False, allow_infinity=False),
    st.dates(),
    st.datetimes(timezones=st.just(UTC)),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=12,
)


def kinds(value: Any) -> Any:
    """The types inside a value; 1 == 1.0 == Decimal(1) in Python, so equality alone proves too little."""
    if isinstance(value, dict):
        return {key: kinds(content) for key, content in value.items()}
    return [kinds(item) for item in value] if isinstance(value, list) else type(value)


@pytest.mark.postgres
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values)
def test_values_survive_jsonb_with_their_types(shared_engine: Engine, value: Any) -> None:
    with shared_engine.connect() as connection:
        stored = connection.execute(text("SELECT CAST(:p AS jsonb)"), {"p": json.dumps(encode(value))}).scalar_one()
    restored = decode(stored)
    assert restored == value
    assert kinds(restored) == kinds(value)
    assert content_hash(stored) == content_hash(encode(value))


def test_numpy_enums_tuples_sets_and_mappings_become_plain_values() -> None:
    given_value = {
        Side.BUY: (SignalType.STRONG_SELL, np.float64(0.1), np.int8(3), np.bool_(True)),
        "array": np.array([[1.5, np.inf]]),
        "set": frozenset({"b", "a"}),
    }
    assert decode(encode(given_value)) == {"BUY": [-2, 0.1, 3, True], "array": [[1.5, math.inf]], "set": ["a", "b"]}
    assert math.isnan(decode(encode(float("nan"))))


def test_instants_come_back_in_utc() -> None:
    moment = datetime(2024, 3, 4, 16, tzinfo=timezone(timedelta(hours=-5)))
    restored = decode(encode(moment))
    assert restored == moment
    assert restored.utcoffset() == timedelta(0)
    with pytest.raises(NaiveDatetimeError):
        encode(datetime(2024, 3, 4))


def test_equal_content_has_one_hash_and_other_content_another() -> None:
    def hashed(value: Any) -> str:
        return content_hash(encode(value))

    assert hashed({"a": Decimal("1.10"), "b": 0.0}) == hashed({"b": -0.0, "a": Decimal("1.1")})
    assert hashed(Decimal("0.00")) == hashed(Decimal("-0"))
    assert hashed((1, 2)) == hashed([1, 2])
    different = [1, 1.5, "1", Decimal(1), date(2024, 1, 1), "2024-01-01", [1], {"1": 1}, None, True, [1, 2], [2, 1]]
    assert len({hashed(value) for value in different}) == len(different)


@pytest.mark.parametrize("value", [b"bytes", object(), {1: "number as key"}, "nul \x00", {"k\x00": 1}, "\ud800", 1j])
def test_what_cannot_be_stored_is_an_input_error(value: Any) -> None:
    with pytest.raises(InputError):
        encode({"deep": [value]})
