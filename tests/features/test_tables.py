"""The definitions of the tables, and the two ways through the door: value by value and by whole columns."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.histories.batch_checks import check_batch, convert_array, convert_own_array, distinct, numbers_if_all
from features.histories.columns import Column
from features.histories.tables import (
    ACCOUNTS,
    ACTORS,
    CHANNELS,
    DEALS,
    INTERACTIONS,
    KINDS,
    OUTCOMES,
    PHASES,
    STAGE_REVIEWS,
    SUBTYPES,
    TABLES,
    Table,
    check_records,
    settle_records,
)
from features.histories.tables_page import tables_page
from features.histories.values import LONGEST_ID, LONGEST_TEXT, own_value

NOON = int(datetime(2024, 5, 31, 12, tzinfo=UTC).timestamp())
TIME = Column("at", "time", "")
SHARE = Column("share", "float", "", minimum=0, maximum=1)
LEVEL = Column("level", "int", "", minimum=1, maximum=5)
TRUTH = Column("auto", "bool", "")
IDENTITY = Column("id", "id", "")
TEXT = Column("text", "text", "")
WAY = Column("channel", "category", "", allowed=CHANNELS)
MESSAGE = {"interaction_id": "m1", "account_id": "a", "at": "2024-05-31", "kind": "message", "actor": "us"}
DEAL = {"deal_id": "d1", "account_id": "a", "opened_at": "2024-05-01"}


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        (TIME, "2024-05-31T14:00:00+02:00", NOON),
        (TIME, "2024-05-31T12:00:00Z", NOON),
        (TIME, " 2024-05-31 12:00:00.999999Z ", NOON),
        (TIME, "2024-05-31T12:00Z", NOON),
        (TIME, "2024-05-31", NOON - 43_200),
        (TIME, "1969-12-31T23:59:59.5Z", -1),
        (TIME, datetime(2024, 5, 31, 14, tzinfo=timezone(timedelta(hours=2))), NOON),
        (TIME, date(2024, 5, 31), NOON - 43_200),
        (TIME, "", None),
        (SHARE, "0.25", 0.25),
        (SHARE, "1e-1", 0.1),
        (SHARE, 1, 1.0),
        (SHARE, "  ", None),
        (SHARE, float("nan"), None),
        (LEVEL, "3", 3),
        (LEVEL, "3.0", 3),
        (LEVEL, 3.0, 3),
        (TRUTH, "True", True),
        (TRUTH, "no", False),
        (TRUTH, 1, True),
        (TRUTH, "", None),
        (IDENTITY, " a 1 ", "a 1"),
        (IDENTITY, 17, "17"),
        (IDENTITY, 17.0, "17"),
        (TEXT, " two\nlines ", " two\nlines "),
        (TEXT, " \n ", None),
        (WAY, " email", "email"),
        (WAY, None, None),
    ],
)
def test_values_that_are_allowed(column: Column, value: object, expected: object) -> None:
    converted = column.convert(value)
    assert converted == expected
    assert type(converted) is type(expected)


@pytest.mark.parametrize(
    ("column", "value", "allowed"),
    [
        (TIME, "2024-05-31T12:00:00", "a mapping can declare time_zone"),
        (TIME, "31.05.2024", "a date-time with its offset"),
        (TIME, "2024-02-30", "a date"),
        (TIME, "2024-02-30T00:00:00Z", "a date"),
        (TIME, "20240531", "a date"),
        (TIME, "1899-12-31", "from 1900 to 2199"),
        (TIME, "2200-01-01", "from 1900 to 2199"),
        (TIME, NOON, "a date"),
        (TIME, datetime(2024, 5, 31), "time_zone"),
        (SHARE, "1.01", "a number from 0 to 1"),
        (SHARE, "12 %", "a number from 0 to 1"),
        (SHARE, True, "a number"),
        (Column("x", "float", ""), "inf", "a number"),
        (Column("x", "float", ""), "1e999", "a number"),
        (Column("x", "float", ""), "1_000", "a number"),
        (Column("x", "float", "", minimum=0), "-1", "a number of at least 0"),
        (LEVEL, "2.5", "a whole number from 1 to 5"),
        (LEVEL, "6", "a whole number from 1 to 5"),
        (LEVEL, True, "a whole number"),
        (LEVEL, "٣", "a whole number"),
        (TRUTH, "perhaps", "true or false"),
        (TRUTH, 2, "true or false"),
        (IDENTITY, "x" * (LONGEST_ID + 1), "at most 200 characters"),
        (IDENTITY, "a\0b", "text"),
        (IDENTITY, "\ud800", "text"),
        (IDENTITY, True, "text"),
        (IDENTITY, 1.5, "text"),
        (IDENTITY, ["a"], "text"),
        (TEXT, "x" * (LONGEST_TEXT + 1), "at most 1,000,000 characters"),
        (WAY, "Email", "one of email, phone, text"),
        (WAY, {"a": 1}, "one of email"),
    ],
)
def test_values_that_are_not_allowed_are_told_what_is(column: Column, value: object, allowed: str) -> None:
    with pytest.raises(ValueError, match=allowed):
        column.convert(value)


def test_declared_formats_and_time_zones() -> None:
    naive = Column("at", "time", "", time_zone="Europe/Berlin")
    assert naive.convert("2024-05-31T14:00:00") == NOON
    assert naive.convert("2024-05-31T12:00:00Z") == NOON
    assert naive.convert(datetime(2024, 5, 31, 14)) == NOON
    german = Column("at", "time", "", time_format="%d.%m.%Y %H:%M", time_zone="Europe/Berlin")
    assert german.convert("31.05.2024 14:00") == NOON
    with pytest.raises(ValueError, match=r"a time of the form %d\.%m\.%Y"):
        german.convert("2024-05-31T14:00:00Z")
    day = Column("at", "time", "", time_format="%d.%m.%Y", time_zone="Europe/Berlin")
    assert day.convert("31.05.2024") == NOON - 43_200
    assert Column("at", "time", "", time_format="unix").convert(str(NOON)) == NOON
    assert Column("at", "time", "", time_format="unix_ms").convert(NOON * 1_000 + 999) == NOON


def test_own_values() -> None:
    assert [own_value(value) for value in (True, 2, 0.5, " gold ", "", None, float("nan"))] == [
        1.0, 2.0, 0.5, "gold", None, None, None,
    ]  # fmt: skip
    for value in (float("inf"), [1], "x" * 201, 10**400):
        with pytest.raises(ValueError, match="a finite number"):
            own_value(value)


def test_vocabularies_are_the_codes_in_arrays() -> None:
    assert INTERACTIONS.column["kind"].allowed == KINDS
    assert INTERACTIONS.column["actor"].allowed == ACTORS
    assert INTERACTIONS.column["subtype"].allowed == SUBTYPES
    assert INTERACTIONS.column["outcome"].allowed == OUTCOMES
    assert INTERACTIONS.column["phase"].allowed == PHASES
    for table in TABLES.values():
        assert len(set(table.column)) == len(table.columns)
        for column in table.columns:
            assert column.meaning
            assert (column.type == "category") == bool(column.allowed)
            assert len(set(column.allowed)) == len(column.allowed) < 128  # codes are int8


def test_schema() -> None:
    schema = INTERACTIONS.schema()
    assert schema.field("at").type == pa.timestamp("s", tz="UTC")
    assert schema.field("kind").type == pa.dictionary(pa.int8(), pa.string())
    assert schema.field("interaction_id").type == pa.string()
    assert [schema.field(name).type for name in ("auto", "words", "amount")] == [pa.bool_(), pa.int64(), pa.float64()]


def test_the_page_of_the_tables_is_up_to_date() -> None:
    page = Path(__file__).parents[2] / "docs" / "tables.md"
    assert page.read_text(encoding="utf-8") == tables_page()


def test_records_are_converted_and_bad_ones_turned_away() -> None:
    records: list[dict[str, object]] = [
        {**MESSAGE, "words": "12", "auto": None, "topic": "", "x_tier": "gold", "mood": 1},
        {**MESSAGE, "at": "yesterday", "words": -1},
        {"interaction_id": "m3", "account_id": " ", "at": "2024-05-31", "kind": "fax", "mood": ""},
        {**MESSAGE, "interaction_id": "m4"},
    ]
    rows, rejects, ignored = check_records(INTERACTIONS, records, "body")
    assert rows == [
        {**MESSAGE, "at": NOON - 43_200, "words": 12, "x_tier": "gold"},
        {**MESSAGE, "at": NOON - 43_200, "interaction_id": "m4"},
    ]
    assert ignored == {"mood"}
    assert [(reject.row, reject.column, reject.value) for reject in rejects] == [
        (2, "at", "yesterday"),
        (2, "words", "-1"),
        (3, "kind", "fax"),
        (3, "account_id", " "),
        (3, "actor", ""),
    ]
    assert rejects[1].allowed == "a whole number from 0 to 1e+07"
    assert rejects[4].allowed == "a required value: one of client, us"


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"kind": "call", "outcome": "answered", "channel": "phone", "subtype": "sales"}, ()),
        ({"kind": "call", "outcome": "held"}, ("outcome",)),
        ({"kind": "call", "channel": "email"}, ("channel",)),
        ({"kind": "message", "outcome": "open"}, ("outcome",)),
        ({"kind": "message", "channel": "letter", "subtype": "review"}, ("subtype",)),
        ({"kind": "meeting", "outcome": "no_show", "subtype": "review", "channel": "video"}, ()),
        ({"kind": "commitment", "outcome": "kept", "channel": "email"}, ()),
        ({"kind": "commitment", "subtype": "help"}, ("subtype",)),
        ({"kind": "mistake", "actor": "client", "level": 4, "subtype": "billing"}, ("actor", "level")),
        ({"kind": "mistake", "level": 3}, ()),
        ({"kind": "brief", "level": 5, "phase": "forming"}, ()),
        ({"kind": "fee", "subtype": "invoice", "outcome": "paid_late"}, ()),
    ],
)
def test_each_kind_has_its_own_vocabulary(fields: dict[str, object], wrong: tuple[str, ...]) -> None:
    rows, rejects, _ = check_records(INTERACTIONS, [{**MESSAGE, **fields}], "body")
    assert tuple(reject.column for reject in rejects) == wrong
    assert len(rows) == (not wrong)


def test_a_kind_says_what_it_allows() -> None:
    _, rejects, _ = check_records(
        INTERACTIONS, [{**MESSAGE, "kind": "call", "outcome": "held"}, {**MESSAGE, "outcome": "held"}], "body"
    )
    assert [reject.allowed for reject in rejects] == [
        "one of answered, missed, voicemail where kind is call",
        "empty where kind is message",
    ]


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, ()),
        ({"outcome": "open"}, ()),
        ({"outcome": "won", "closed_at": "2024-05-01"}, ()),
        ({"outcome": "won"}, ("closed_at",)),
        ({"outcome": "lost"}, ("closed_at",)),
        ({"outcome": "open", "closed_at": "2024-06-01"}, ("closed_at",)),
        ({"closed_at": "2024-06-01"}, ("closed_at",)),
        ({"outcome": "won", "closed_at": "2024-04-30"}, ("closed_at",)),
        ({"starts_on": "2024-06-01", "ends_on": "2025-06-01"}, ()),
        ({"starts_on": "2024-06-01", "ends_on": "2024-06-01"}, ("ends_on",)),
        ({"concession": 1.5, "client_concession": -0.1}, ("concession", "client_concession")),
    ],
)
def test_rules_of_deals(fields: dict[str, object], wrong: tuple[str, ...]) -> None:
    rows, rejects, _ = check_records(DEALS, [{**DEAL, **fields}], "body")
    assert tuple(reject.column for reject in rejects) == wrong
    assert len(rows) == (not wrong)


# Both ways through the door agree.

SPACE = st.sampled_from(["", "", " ", "\t"])
ODD = st.one_of(
    st.text(max_size=8), st.sampled_from(["", "-", "None", "NaN", "inf", "1e400", "0x1", "½", "1_0", "+1", "."])
)
STAMP = st.datetimes(datetime(1850, 1, 1), datetime(2250, 1, 1)).flatmap(
    lambda moment: st.sampled_from(
        [
            moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            moment.strftime("%Y-%m-%d %H:%M:%S+05:30"),
            moment.strftime("%Y-%m-%dT%H:%M:%S.%f-11:00"),
            moment.strftime("%Y-%m-%dT%H:%M:%S.%f123Z"),
            moment.strftime("%Y-%m-%dT%H:%M:%S"),
            moment.strftime("%Y-%m-%dT%H:%MZ"),
            moment.strftime("%Y-%m-%dT%H:%M:%S+24:00"),
            moment.strftime("%Y-%m-%dT%H:%M:%S+0200"),
            moment.strftime("%Y-%m-%dx%H:%M:%SZ"),
            moment.strftime("%Y-%m-%d"),
            moment.strftime("%Y-%m-30T%H:%M:%SZ"),
            moment.strftime("%Y-%m-31"),
            moment.strftime("%Y%m%dT%H%M%SZ"),
        ]
    )
)
NUMBER = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.integers(-3, 12).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.decimals(0, 2, places=2).map(str),
    st.integers(0, 12).map(lambda number: f"{number}.0"),
)
GOOD = {
    "id": st.text("ab1", min_size=1, max_size=2),
    "text": st.text(max_size=5),
    "time": STAMP,
    "bool": st.sampled_from(["true", "False", "1", "0", "yes", "NO"]),
    "int": NUMBER,
    "float": NUMBER,
}


def values_of(column: Column) -> st.SearchStrategy[str]:
    good = st.sampled_from(column.allowed) if column.type == "category" else GOOD[column.type]
    return st.one_of(good, good, st.tuples(SPACE, good, SPACE).map("".join), ODD)


def rows_of(table: Table) -> st.SearchStrategy[list[dict[str, str]]]:
    """Rows as a CSV file would hold them: mostly good, each value bad now and then."""
    fields = {column.name: values_of(column) for column in table.columns if column.required}
    others = {column.name: values_of(column) for column in table.columns if not column.required}
    return st.lists(st.fixed_dictionaries(fields, optional=others), min_size=1, max_size=6)


@given(st.sampled_from(sorted(TABLES)).flatmap(lambda name: st.tuples(st.just(TABLES[name]), rows_of(TABLES[name]))))
def test_columns_and_records_agree(case: tuple[Table, list[dict[str, str]]]) -> None:
    table, records = case
    rows, rejects, _ = check_records(table, records, "f")
    names = {name for record in records for name in record}
    columns = {name: pa.array([record.get(name, "") for record in records], pa.string()) for name in names}
    good, kept, wrong = check_batch(table, columns, "f", np.arange(1, len(records) + 1))
    assert as_records(good) == rows
    assert set(wrong) == set(rejects)
    assert {int(row) + 1 for row in kept}.isdisjoint(reject.row for reject in rejects)


def as_records(rows: pa.Table) -> list[dict[str, Any]]:
    """Canonical rows as ``check_records`` gives them."""
    for place, name in enumerate(rows.column_names):
        if pa.types.is_timestamp(rows[name].type):
            rows = rows.set_column(place, name, rows[name].cast(pa.int64()))
    return [{name: value for name, value in row.items() if value is not None} for row in rows.to_pylist()]


COLUMNS = [TIME, Column("at", "time", "", time_zone="Europe/Berlin"), Column("at", "time", "", time_zone="UTC"),
           Column("at", "time", "", time_format="unix"), SHARE, Column("n", "float", ""), LEVEL, Column("n", "int", ""),
           TRUTH, IDENTITY, TEXT, WAY]  # fmt: skip
ARRAYS = st.one_of(
    st.lists(st.none() | values_of(TIME) | values_of(LEVEL) | st.text(max_size=3), max_size=8).map(
        lambda values: pa.array(values, pa.large_string())
    ),
    st.lists(st.none() | st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 7), max_size=8).map(
        lambda values: pa.array(values, pa.int64())
    ),
    st.lists(st.none() | st.integers(0, 2**64 - 1), max_size=8).map(lambda values: pa.array(values, pa.uint64())),
    st.lists(st.none() | st.floats() | st.integers(-2, 7).map(float), max_size=8).map(
        lambda values: pa.array(values, pa.float64())
    ),
    st.lists(st.none() | st.booleans(), max_size=8).map(lambda values: pa.array(values, pa.bool_())),
    st.lists(st.none() | st.sampled_from([*CHANNELS, "fax", "1"]), max_size=8).map(
        lambda values: pa.array(values, pa.string()).dictionary_encode()
    ),
    st.lists(st.none() | st.dates(), max_size=8).map(lambda values: pa.array(values, pa.date32())),
    st.lists(st.none() | st.datetimes(datetime(1880, 1, 1), datetime(2230, 1, 1)), max_size=8).flatmap(
        lambda values: st.sampled_from(["s", "ms", "us", "ns"]).flatmap(
            lambda unit: st.sampled_from([None, "UTC", "Asia/Kolkata"]).map(
                lambda zone: pa.array(values, pa.timestamp("us", zone)).cast(pa.timestamp(unit, zone), safe=False)
            )
        )
    ),
    st.just(pa.array([None, None])),
    st.just(pa.array([{"a": 1}, None])),
    st.just(pa.array([[1], []])),
    st.just(pa.array([b"a", None])),
)


@given(st.sampled_from(COLUMNS), ARRAYS)
def test_columns_of_any_type_agree_with_convert(column: Column, array: pa.Array) -> None:
    values, wrong = convert_array(column, array)
    assert values.type == column.arrow_type
    found = [wrong.get(row, value) for row, value in enumerate(as_values(values))]
    assert found == [verdict(column.convert, value) for value in array.to_pylist()]


@given(ARRAYS)
def test_own_columns_agree_with_own_value(array: pa.Array) -> None:
    values, wrong = convert_own_array(array)
    found = [wrong.get(row, value) for row, value in enumerate(values.to_pylist())]
    assert found == [verdict(own_value, value) for value in array.to_pylist()]


def test_decimals_count_as_numbers() -> None:
    assert convert_array(SHARE, pa.array([Decimal("0.25"), Decimal("1.50")]))[0].to_pylist() == [0.25, None]


def verdict(convert: Any, value: object) -> object:
    try:
        return convert(value)
    except ValueError as error:
        return str(error)


def as_values(array: pa.Array) -> list[object]:
    plain = array.cast(pa.int64()) if pa.types.is_timestamp(array.type) else array
    values: list[object] = plain.to_pylist()
    return values


def test_own_texts_become_numbers_only_if_all_are() -> None:
    assert numbers_if_all(pa.array(["1", None, "2.5"])).to_pylist() == [1.0, None, 2.5]
    assert numbers_if_all(pa.array(["1", "n/a"])).to_pylist() == ["1", "n/a"]


def test_rejects_of_columns_stand_in_the_order_of_rows_and_columns() -> None:
    columns = {
        "account_id": pa.array(["a", "", "b", ""]),
        "at": pa.array(["2024-05-31", "soon", "late", "2024-05-31"]),
        "stage": pa.array(["contract", "contract", "marriage", "contract"]),
    }
    good, kept, wrong = check_batch(STAGE_REVIEWS, columns, "reviews.csv", np.array([4, 5, 8, 9]))
    assert kept.tolist() == [0]
    assert good.num_rows == 1
    assert [(reject.row, reject.column, reject.value) for reject in wrong] == [
        (5, "account_id", ""),
        (5, "at", "soon"),
        (8, "at", "late"),
        (8, "stage", "marriage"),
        (9, "account_id", ""),
    ]


def test_a_required_column_that_is_missing_rejects_every_row() -> None:
    _, kept, wrong = check_batch(ACCOUNTS, {"name": pa.array(["A", "B"])}, "f", np.array([1, 2]))
    assert not len(kept)
    assert [reject.column for reject in wrong] == ["account_id", "account_id"]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.none() | st.integers(0, 1)), min_size=1))
def test_distinct_rows(rows: list[tuple[str, int | None]]) -> None:
    table = pa.table({"a": pa.array([a for a, _ in rows]), "b": pa.array([b for _, b in rows], pa.int64())})
    first, which = distinct(table)
    assert [rows[row] for row in first] == list(dict.fromkeys(rows))
    assert [rows[first[kind]] for kind in which] == rows


# Which of repeated records count.


def test_versions_stay_repetitions_go() -> None:
    first = {"interaction_id": "m1", "account_id": "a", "at": 10, "kind": "message", "actor": "us"}
    changed = {**first, "updated_at": 50, "words": 3}
    other = {**first, "interaction_id": "m0"}
    rows = [changed, other, first, dict(first), {**other, "account_id": "A", "updated_at": 99}]
    assert settle_records(INTERACTIONS, rows) == [{**other, "account_id": "A", "updated_at": 99}, other, first, changed]


def test_of_conflicting_records_the_same_stays_whatever_their_order() -> None:
    known = {"interaction_id": "m1", "account_id": "a", "at": 10, "kind": "message", "actor": "us"}
    conflicting = [known, {**known, "words": 9}, {**known, "words": 7}, {**known, "x_tier": "gold"}]
    for _ in range(5):
        random.shuffle(conflicting)
        assert settle_records(INTERACTIONS, conflicting) == [{**known, "words": 7}]


def test_accounts_have_values_over_time() -> None:
    rows: list[dict[str, Any]] = [
        {"account_id": "a", "valid_from": 9, "name": "new"},
        {"account_id": "a", "name": "old"},
    ]
    assert settle_records(ACCOUNTS, rows) == rows[::-1]


def test_reviews_of_one_moment_all_stay() -> None:
    rows = [{"account_id": "a", "at": 1, "stage": stage} for stage in ("courting", "contract", "contract")]
    assert [row["stage"] for row in settle_records(STAGE_REVIEWS, rows)] == ["contract", "courting"]
