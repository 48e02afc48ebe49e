"""Which row is about which, and what the client did unprompted; the same from tables as from records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from features.histories.annotations import STANDALONE, annotated, client_touch, unprompted
from features.histories.checks import settle_records
from features.histories.conversations import conversations
from features.histories.history import History
from features.histories.log import DAY, Log
from features.histories.tables import TABLES, Dataset, Table, Tables
from tests.features.helpers import differences, matrix_of
from tests.features.worlds import BEGIN, SPAN, World, random_world


def row(name: str, day: float, kind: str = "message", actor: str = "client", **more: Any) -> dict[str, Any]:
    at = BEGIN + round(day * DAY)
    return {"interaction_id": name, "account_id": "A", "at": at, "kind": kind, "actor": actor, **more}


def history_of(*rows: dict[str, Any]) -> History:
    return History.from_records({"interactions": list(rows)}, Dataset())


def named(history: History, names: Sequence[str]) -> dict[str, str | None]:
    """By name, which row each is about; ``names`` in the order of the log."""
    about = annotated(history.interactions)
    return {name: None if place < 0 else names[place] for name, place in zip(names, about, strict=True)}


def test_a_row_is_about_the_one_it_names() -> None:
    history = history_of(
        row("a", 1), row("b", 2, "mention", about_id="a"), row("c", 2, "mention", about_id="b"), row("d", 3)
    )
    assert named(history, "abcd") == {"a": None, "b": "a", "c": "b", "d": None}


def test_what_is_missing_comes_later_or_belongs_to_another_is_not_known() -> None:
    other = {**row("x", 1), "account_id": "B"}
    history = history_of(
        row("a", 1, "mention", about_id="gone"),
        row("b", 2, "mention", about_id="c"),
        row("c", 3),
        row("d", 4, "mention", about_id="x"),
        other,
    )
    assert named(history, "abcdx") == dict.fromkeys("abcdx")
    # Each of the three did name something, and so is no touch of its own.
    assert (history.interactions["about_id"] >= 0).tolist() == [True, True, False, True, False]


def test_nothing_is_read_where_no_row_names_another() -> None:
    def unwanted() -> np.ndarray[Any, Any]:
        raise AssertionError("the ids were read")

    log = Log(np.array([0, 2]), {"interaction_id": unwanted}, {"about_id": np.int32(-1)})
    assert annotated(log).tolist() == [STANDALONE, STANDALONE]


def test_each_segment_joins_within_itself() -> None:
    columns = {
        "interaction_id": np.array([7, 8, 7, 8], np.int32),
        "about_id": np.array([-1, 7, -1, 7], np.int32),
        "at": np.array([1, 2, 1, 2]),
    }
    assert annotated(Log(np.array([0, 2, 4]), columns, {})).tolist() == [STANDALONE, 0, STANDALONE, 2]


_CONTACTS = ("contact_id", "related_contact_id")


def table_of(table: Table, rows: Sequence[dict[str, Any]]) -> pa.Table:
    settled = settle_records(table, rows)
    columns = {}
    for column in table.columns:
        values = [one.get(column.name) for one in settled]
        if column.type == "time":
            columns[column.name] = pa.array(values, pa.int64()).cast(column.arrow_type)
        elif column.type == "category":
            columns[column.name] = pa.array(values, pa.string()).dictionary_encode().cast(column.arrow_type)
        else:
            columns[column.name] = pa.array(values, column.arrow_type)
    return pa.table(columns)


def tables_of(world: World) -> Tables:
    """The tables as an import leaves them: contacts that rows name but no table holds are created."""
    held = {one["contact_id"] for one in world["contacts"]}
    named = {one[name]: one["account_id"] for one in world["interactions"] for name in _CONTACTS if name in one}
    created = [{"contact_id": contact, "account_id": named[contact]} for contact in named.keys() - held]
    whole = {**world, "contacts": [*world["contacts"], *created]}
    return Tables(
        **{name: table_of(table, whole[name]) for name, table in TABLES.items()},
        dataset=Dataset(versioned=frozenset(TABLES)),
    )


@pytest.mark.parametrize("seed", range(4))
def test_tables_give_the_same_as_records(seed: int) -> None:
    """Names that no row has, and rows in parts, included."""
    world = random_world(seed, accounts=5, touches=120)
    batch, request = History.from_tables(tables_of(world)), History.from_records(world, Dataset())
    one, other = annotated(batch.interactions), annotated(request.interactions)
    assert (one >= 0).any()
    assert one.tolist() == other.tolist()
    assert ((batch.interactions["about_id"] >= 0) == (request.interactions["about_id"] >= 0)).all()
    dangling = (batch.interactions["about_id"] >= 0) & (one < 0)
    assert dangling.any()
    moments = [BEGIN + SPAN // 2, BEGIN + SPAN]
    assert differences(matrix_of(batch, moments), matrix_of(request, moments)) == []


def is_unprompted(*rows: dict[str, Any]) -> bool:
    """Whether the last of the rows is."""
    history = history_of(*rows)
    last = np.array([len(rows) - 1])
    return bool(unprompted(history, conversations(history), last)[0])


def test_a_request_is_prompted_by_our_touch_of_that_contact_in_the_two_weeks_before() -> None:
    ours = row("a", 0, actor="us", contact_id="C")
    for asked in (
        row("b", 14, "request", contact_id="C"),
        row("b", 14, "advocacy", contact_id="C"),
    ):
        assert not is_unprompted(ours, asked)
        assert is_unprompted(ours, {**asked, "at": asked["at"] + 1})
        assert is_unprompted(ours, {**asked, "contact_id": "D"})
        assert is_unprompted(ours, {**asked, "prompted": False})
        assert not is_unprompted(ours, {**asked, "at": asked["at"] + 90 * DAY, "prompted": True})
        # Our touch of nobody in particular is one of everybody.
        nobody = {name: value for name, value in ours.items() if name != "contact_id"}
        assert not is_unprompted(nobody, asked)


def test_what_annotates_a_touch_of_the_client_is_as_prompted_as_that() -> None:
    message, answer = row("a", 0), row("b", 1, actor="us")
    asked = row("c", 2, "request", about_id="a")
    # We touched the client before the request was noted, but after the message that carried it.
    assert is_unprompted(message, answer, asked)
    assert not is_unprompted({**message, "prompted": True}, answer, asked)
    assert not is_unprompted(message, answer, {**asked, "about_id": "b"})
    assert is_unprompted({**message, "prompted": True}, answer, {**asked, "prompted": False})


def test_the_touch_of_the_client_that_a_row_is_or_annotates() -> None:
    history = history_of(
        row("a", 0),
        row("b", 1, actor="us"),
        row("c", 2, "meeting", "us", outcome="held"),
        row("d", 3, "mention", about_id="a"),
        row("e", 3, "mention", about_id="b"),
        row("f", 3, "mention", about_id="c"),
        row("g", 3, "mention"),
        row("h", 3, "brief"),
        row("i", 3, "brief", about_id="a"),
    )
    linked = conversations(history)
    place = client_touch(history, linked, np.arange(9))
    found = ["-" if touch < 0 else "abcdefghi"[linked.touches.row[touch]] for touch in place]
    assert "".join(found) == "a-ca-c-ha"
