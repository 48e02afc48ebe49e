"""The store: the same tables as a folder gives, versions that stay readable, the same over both databases."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from features.histories.checks import settle_records
from features.histories.columns import Reject
from features.histories.history import History
from features.histories.tables import INTERACTIONS, TABLES, Dataset
from features.matrix import build_matrix, rows_at
from features.sources import store_connection, store_files
from features.sources.declarations import Declarations
from features.sources.files import read_tables
from features.sources.gathering import Gathered, gather
from features.sources.importing import import_to_folder
from features.sources.store import Accepted, Counts, Store, read_store, refresh
from features.sources.store_connection import execute, writing
from tests.features.stores import NOW, Record, assert_same, message, plain, query, source
from tests.features.worlds import BEGIN, World, random_world

DAY = 86_400
EVER = 4_000_000_000


@pytest.fixture
def address(empty_store: str) -> str:
    return empty_store


@pytest.fixture
def store(address: str) -> Store:
    return Store(address)


class Source:
    """Adds records to a store, each time from a folder of their own."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.folder, self.store, self.added = folder, store, 0

    def add(
        self, tables: Mapping[str, Sequence[Record]], at: int = NOW, declared: Mapping[str, str] | None = None
    ) -> Accepted:
        self.added += 1
        folder = source(self.folder / f"source-{self.added}", tables, **(declared or {}))
        return self.store.add(gather([folder]), at)


@pytest.fixture
def batches(tmp_path: Path, store: Store) -> Source:
    return Source(tmp_path, store)


def with_own(world: World, seed: int) -> World:
    """The world with own columns: numbers, texts, and some that are the one here and the other there."""
    dice = random.Random(seed)
    for row in world["interactions"]:
        if dice.random() < 0.5:
            row["x_score"] = dice.choice((0.1, -2.5, 1e-7, 1e300, 3.0, 123456789.0))
        if dice.random() < 0.5:
            row["x_word"] = dice.choice(("02", "2", 'say "no"', "back\\slash", "line\nend", "ä🙂", "{}", "null"))
    for row in world["accounts"]:
        row["x_size"] = dice.choice(("7", "07", "many"))
    return world


@pytest.mark.parametrize("seed", range(3))
def test_the_same_tables_as_a_folder_gives(store: Store, address: str, tmp_path: Path, seed: int) -> None:
    declared = {"observed_until_per": '"account_id"', "records": '["message", "call"]', "static": '["x_size"]'}
    folder = source(tmp_path / "in", with_own(random_world(seed), seed), **declared)
    summary = import_to_folder([folder], tmp_path / "out")
    accepted = store.add(gather([folder]), NOW)
    assert accepted.dataset == summary.dataset
    assert list(accepted.notes) == [note for note in summary.notes if "dropped" not in note]
    expected = read_tables(tmp_path / "out")
    assert_same(store.tables(), expected)
    assert_same(store.tables(known_by=EVER), expected)  # as they follow from the rows
    assert_same(read_store(address), expected)
    assert store.dataset() == expected.dataset


@pytest.mark.parametrize("seed", range(3))
def test_batches_however_split_and_ordered_give_the_whole(batches: Source, tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    world = {
        name: [dict(row) for row in settle_records(TABLES[name], rows)]
        for name, rows in with_own(random_world(seed + 10), seed).items()
    }
    import_to_folder([source(tmp_path / "in", world)], tmp_path / "out")
    parts: list[dict[str, list[Record]]] = [{name: [] for name in world} for _ in range(4)]
    for name, rows in world.items():
        for row in rows:
            for part in dice.sample(parts, dice.choice((1, 1, 2))):
                part[name].append(row)
    for part in parts:
        batches.add({name: dice.sample(rows, len(rows)) for name, rows in part.items()})
    expected = read_tables(tmp_path / "out")
    assert_same(batches.store.tables(), expected)
    assert_same(batches.store.tables(known_by=EVER), expected)


def test_only_some_tables_and_columns(batches: Source) -> None:
    batches.add({"interactions": [message(1, BEGIN, words=3)], "accounts": [{"account_id": "a", "name": "Alpha"}]})
    tables = batches.store.tables({"accounts"}, {"accounts": ["name"]})
    assert tables.accounts.to_pylist() == [{"name": "Alpha"}]
    assert len(tables.interactions) == 0
    assert tables.interactions.schema == INTERACTIONS.schema()
    assert tables.dataset.span == (BEGIN, BEGIN)


def test_a_store_without_batches_is_empty(store: Store) -> None:
    tables = store.tables()
    assert {len(getattr(tables, name)) for name in TABLES} == {0}
    assert tables.dataset == store.dataset()
    assert (tables.dataset.span, store.batches()) == (None, [])


# Importing again


def stored_rows(store: Store) -> dict[str, int]:
    return {
        name: query(str(store.url.render_as_string(False)), f"SELECT count(*) AS n FROM {name}")[0]["n"]
        for name in (*TABLES, "batches", "rejects")
    }


def test_importing_again_adds_nothing(batches: Source, tmp_path: Path) -> None:
    world = with_own(random_world(5), 5)
    first = batches.add(world)
    held, tables = stored_rows(batches.store), batches.store.tables()
    shuffled = {name: random.Random(1).sample(rows, len(rows)) for name, rows in world.items()}
    again = [batches.add(world, NOW + 1), batches.add(shuffled, NOW + 2)]
    assert [one.batch for one in again] == [None, None]
    assert [one.dataset for one in again] == [first.dataset] * 2
    for name, count in first.counts.items():
        brought = count.new + count.updated + count.repeated + count.conflicting
        for one in again:
            assert (one.counts[name].new, one.counts[name].updated) == (0, 0)
            assert one.counts[name].repeated + one.counts[name].conflicting == brought
    settled = {name: settle_records(TABLES[name], rows) for name, rows in world.items()}
    assert batches.add({name: list(rows[: len(rows) // 2]) for name, rows in settled.items()}, NOW + 3).batch is None
    assert stored_rows(batches.store) == held
    assert_same(batches.store.tables(), tables)


def test_the_same_rows_from_another_form_of_file_add_nothing(store: Store, tmp_path: Path) -> None:
    columns = "interaction_id,account_id,at,kind,actor,words,amount,x_share,x_tier"
    csv = f"{columns}\nm1,a,2024-05-01,order,client,,12.50,0.10,gold\nm2,a,2024-05-02,message,us,7,,1e-3,2\n"
    for name, text in (("interactions.csv", csv), ("interactions.jsonl", "")):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text(text, encoding="utf-8")
    records: list[dict[str, Any]] = [
        {"interaction_id": "m2", "account_id": "a", "at": "2024-05-02T02:00:00+02:00", "kind": "message", "actor": "us",
         "words": 7, "x_share": 0.001, "x_tier": 2},
        {"interaction_id": "m1", "account_id": "a", "at": "2024-05-01T00:00:00Z", "kind": "order", "actor": "client",
         "amount": 12.5, "x_share": 0.1, "x_tier": "gold"},
    ]  # fmt: skip
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (tmp_path / "interactions.jsonl" / "interactions.jsonl").write_text(lines, encoding="utf-8")
    assert store.add(gather([tmp_path / "interactions.csv"]), NOW).batch == 1
    again = store.add(gather([tmp_path / "interactions.jsonl"]), NOW)
    assert (again.batch, again.counts["interactions"]) == (None, Counts(repeated=2))


def test_what_is_new_is_counted_and_logged(batches: Source) -> None:
    first = batches.add({"interactions": [message(1, BEGIN), message(2, BEGIN), message(2, BEGIN)]})
    second = batches.add(
        {
            "interactions": [message(1, BEGIN), message(2, BEGIN, words=4, updated_at=BEGIN + 9), message(3, BEGIN)],
            "stage_reviews": [{"account_id": "a", "at": BEGIN, "stage": "contract"}],
        },
        NOW + 5,
    )
    assert first.counts["interactions"] == Counts(new=2, repeated=1)
    assert second.counts["interactions"] == Counts(new=1, updated=1, repeated=1)
    assert second.counts["stage_reviews"] == Counts(new=1)
    log = batches.store.batches()
    assert [(one.number, one.accepted_at) for one in log] == [(1, NOW), (2, NOW + 5)]
    assert log[1].counts == second.counts
    assert log[1].source.endswith("source-2")


# Versions


def deal(**more: Any) -> dict[str, Any]:
    return {"deal_id": "d", "account_id": "a", "opened_at": BEGIN, "recorded_at": BEGIN, "outcome": "open", **more}


WON = deal(outcome="won", closed_at=BEGIN + 50 * DAY)


def test_an_outcome_that_arrives_later_is_a_version(batches: Source) -> None:
    batches.add({"deals": [deal()]}, BEGIN + 10 * DAY)
    accepted = batches.add({"deals": [WON]}, BEGIN + 60 * DAY)
    assert accepted.counts["deals"] == Counts(updated=1)
    store = batches.store
    assert plain(store.tables().deals) == [deal(), {**WON, "updated_at": BEGIN + 60 * DAY}]
    assert store.dataset().versioned == {"deals"}
    for known_by, outcome in ((BEGIN + 60 * DAY - 1, ["open"]), (BEGIN + 60 * DAY, ["open", "won"]), (BEGIN - 1, [])):
        assert store.tables(known_by=known_by).deals["outcome"].to_pylist() == outcome
    # An older export does not undo it, the newer one adds nothing more.
    assert batches.add({"deals": [deal()]}, BEGIN + 70 * DAY).batch is None
    assert batches.add({"deals": [WON]}, BEGIN + 80 * DAY).batch is None
    assert len(store.tables().deals) == 2


def test_a_change_with_a_time_of_its_own_is_known_from_then(batches: Source) -> None:
    changed = deal(**{**WON, "updated_at": BEGIN + 51 * DAY})
    batches.add({"deals": [changed]}, BEGIN + 60 * DAY)
    batches.add({"deals": [deal()]}, BEGIN + 70 * DAY)  # the earlier version comes later
    assert plain(batches.store.tables().deals) == [deal(), changed]
    assert plain(batches.store.tables(known_by=BEGIN + 50 * DAY).deals) == [deal()]


def test_the_latest_version_is_a_view(batches: Source, address: str) -> None:
    accounts: list[Record] = [
        {"account_id": "a", "name": "Alpha"},
        {"account_id": "a", "name": "Beta", "valid_from": BEGIN},
        {"account_id": "a", "name": "Beta & Co", "valid_from": BEGIN, "updated_at": BEGIN + 9},
    ]
    reviews = [{"account_id": "a", "at": BEGIN, "stage": "contract", "reviewer": name} for name in "xy"]
    batches.add({"accounts": accounts, "deals": [deal()], "stage_reviews": reviews})
    batches.add({"deals": [WON], "accounts": [{"account_id": "a", "name": "Aleph"}]})
    latest = query(address, "SELECT * FROM latest_deals")
    assert [(row["outcome"], row["closed_at"], row["known_at"], row["batch_id"]) for row in latest] == [
        ("won", BEGIN + 50 * DAY, NOW, 2)
    ]
    names = query(address, "SELECT name FROM latest_accounts ORDER BY name")
    assert [row["name"] for row in names] == ["Aleph", "Beta & Co"]
    assert len(query(address, "SELECT * FROM latest_stage_reviews")) == 2
    for name, table in TABLES.items():
        for row in query(address, f"SELECT * FROM latest_{name}"):
            assert set(row) == {*table.column, "own", "known_at", "batch_id"}


def test_what_was_known_then_gives_the_same_indicators(batches: Source) -> None:
    """A store read as of t gives at t what the whole store gives at t."""
    for seed in range(3):
        batches.add(random_world(seed, accounts=2, touches=30), BEGIN + (100 + 150 * seed) * DAY)
    store, moment = batches.store, BEGIN + 300 * DAY
    matrices = []
    for tables in (store.tables(), store.tables(known_by=moment)):
        history = History.from_tables(tables)
        rows = rows_at(history, pa.array([moment]).to_numpy())
        matrices.append(build_matrix(history, rows))
    whole, then = matrices
    assert then.account_ids == whole.account_ids
    assert then.values.tobytes() == whole.values.tobytes()


def test_changes_without_times_follow_each_other(batches: Source) -> None:
    for words in (1, 2, 3):
        batches.add({"interactions": [message(1, BEGIN, words=words)]})  # all in the same second
    versions = plain(batches.store.tables().interactions)
    assert [(row["words"], row.get("updated_at")) for row in versions] == [(1, None), (2, NOW), (3, NOW + 1)]


def test_what_is_told_of_a_meeting_to_come_holds_from_its_start(batches: Source) -> None:
    meeting = message(1, NOW + DAY, kind="meeting", channel="phone")
    batches.add({"interactions": [meeting]})
    batches.add({"interactions": [{**meeting, "outcome": "cancelled"}]})
    versions = plain(batches.store.tables().interactions)
    assert [(row.get("outcome"), row.get("updated_at")) for row in versions] == [
        (None, None),
        ("cancelled", NOW + DAY + 1),  # nothing was recorded of it before, so nothing is known before
    ]


def test_a_correction_of_what_has_been_replaced_is_dropped(batches: Source) -> None:
    batches.add({"interactions": [message(1, BEGIN, words=1), message(1, BEGIN, words=5, updated_at=BEGIN + 9)]})
    late = batches.add({"interactions": [message(1, BEGIN, words=2)]})
    assert (late.batch, late.counts["interactions"]) == (None, Counts(conflicting=1))
    both = batches.add(
        {"interactions": [message(1, BEGIN, words=3), message(1, BEGIN, words=6, updated_at=BEGIN + 20)]}
    )
    assert both.counts["interactions"] == Counts(updated=1, conflicting=1)
    assert [row["words"] for row in plain(batches.store.tables().interactions)] == [1, 5, 6]


def test_of_rows_in_conflict_within_a_batch_one_stays(batches: Source) -> None:
    rows: list[Record] = [message(1, BEGIN, words=2), message(1, BEGIN, words=1), message(1, BEGIN, words=1)]
    first = batches.add({"interactions": rows})
    assert first.counts["interactions"] == Counts(new=1, repeated=1, conflicting=1)
    assert [row["words"] for row in plain(batches.store.tables().interactions)] == [1]
    assert batches.add({"interactions": rows[::-1]}).batch is None


def test_undated_attributes_that_change_are_known_from_the_import(batches: Source) -> None:
    batches.add({"accounts": [{"account_id": "a", "industry": "steel"}]})
    batches.add({"accounts": [{"account_id": "a", "industry": "rail"}]})
    rows = plain(batches.store.tables().accounts)
    assert [(row["industry"], row.get("updated_at")) for row in rows] == [("steel", None), ("rail", NOW)]
    assert [row["industry"] for row in plain(batches.store.tables(known_by=BEGIN).accounts)] == ["steel"]


# Own columns


def test_own_columns_become_texts_when_one_value_is_none(batches: Source) -> None:
    batches.add({"accounts": [{"account_id": "a", "x_size": "02"}, {"account_id": "b", "x_size": "1.50"}]})
    assert batches.store.tables().accounts["x_size"].to_pylist() == [2, 1.5]
    batches.add({"accounts": [{"account_id": "c", "x_size": 7.0}]})
    assert batches.store.tables().accounts["x_size"].to_pylist() == [2, 1.5, 7]
    batches.add({"accounts": [{"account_id": "d", "x_size": "many"}]})
    assert batches.store.tables().accounts["x_size"].to_pylist() == ["02", "1.50", "7", "many"]


def test_own_columns_of_any_name(batches: Source) -> None:
    names = ["x_", 'x_"quoted"', "x_ä b", "x_back\\slash", "x_A", "x_a", "x_" + "long" * 30]
    row: Record = {"account_id": "a", **{name: f"v{number}" for number, name in enumerate(names)}}
    batches.add({"accounts": [row, {"account_id": "b", "x_none": None}]})
    tables = batches.store.tables(known_by=EVER)
    assert tables.accounts.column_names[-8:] == sorted([*names, "x_none"])
    assert plain(tables.accounts) == [row, {"account_id": "b"}]
    assert_same(tables, batches.store.tables())


def test_own_columns_of_one_batch_only(batches: Source) -> None:
    batches.add({"interactions": [message(1, BEGIN, x_a=1.5)]})
    batches.add({"interactions": [message(2, BEGIN), message(3, BEGIN, x_b="t")]})
    for tables in (batches.store.tables(), batches.store.tables(known_by=EVER)):
        assert [(row.get("x_a"), row.get("x_b")) for row in plain(tables.interactions)] == [
            (1.5, None),
            (None, None),
            (None, "t"),
        ]


# Declarations


def test_declarations_of_all_batches_hold_together(batches: Source) -> None:
    batches.add(
        {"interactions": [message(1, BEGIN)]},
        declared={"observed_until": "2017-01-01", "observed_from": "2015-01-01", "records": '["message"]'},
    )
    batches.add(
        {"interactions": [message(2, BEGIN)]},
        declared={"observed_until": "2018-01-01", "records": '["call"]', "static": '["x_region"]', "simulated": "true"},
    )
    accepted = batches.add({"interactions": [message(2, BEGIN)]}, declared={"directions": '{ x_joy = "up" }'})
    assert accepted.batch == 3  # no row is new, but a declaration is
    assert batches.add({"interactions": [message(2, BEGIN)]}, declared={"directions": '{ x_joy = "up" }'}).batch is None
    dataset = batches.store.tables().dataset
    assert (dataset.observed_from, dataset.observed_until) == (1_420_070_400, 1_514_764_800)
    assert (dataset.records, dataset.static) == (frozenset({"message", "call"}), frozenset({"x_region"}))
    assert dataset.simulated
    assert dataset.directions == {"x_joy": "up"}
    assert batches.store.tables(known_by=BEGIN).dataset.observed_until == BEGIN


def test_ends_of_observation_follow_from_all_rows(batches: Source) -> None:
    declared = {"observed_until_per": '"our_contact_id"'}
    batches.add({"interactions": [message(1, BEGIN, our_contact_id="p")]}, declared=declared)
    batches.add({"interactions": [message(2, BEGIN + DAY, our_contact_id="p", account_id="b")]})
    assert batches.store.dataset().observed_until_by == {"a": BEGIN + DAY, "b": BEGIN + DAY}
    assert batches.store.tables(known_by=BEGIN).dataset.observed_until_by == {"a": BEGIN}


def test_given_ends_are_not_beyond_what_was_known(store: Store) -> None:
    rows = {"interactions": pa.table({"interaction_id": ["m"], "account_id": ["a"], "our_contact_id": ["p"]})}
    for name, value in (("at", BEGIN), ("kind", "message"), ("actor", "us")):
        column = INTERACTIONS.column[name]
        rows["interactions"] = rows["interactions"].append_column(name, pa.array([value], column.arrow_type))
    given = Declarations(Dataset(), "our_contact_id", {"p": BEGIN + 9 * DAY})
    store.add(Gathered("by hand", rows, given), NOW)
    assert store.dataset().observed_until_by == {"a": BEGIN + 9 * DAY}
    assert store.tables(known_by=BEGIN + DAY).dataset.observed_until_by == {"a": BEGIN + DAY}
    ends = Declarations(Dataset(observed_until_by={"a": BEGIN + 5 * DAY}))
    store.add(Gathered("by hand", {}, ends), NOW)
    assert store.dataset().observed_until_by == {"a": BEGIN + 5 * DAY}
    assert store.tables(known_by=BEGIN + DAY).dataset.observed_until_by == {"a": BEGIN + DAY}


# Rejects


def test_names_of_files_that_are_no_text(store: Store, address: str, tmp_path: Path) -> None:
    named = tmp_path / os.fsdecode(b"caf\xe9")
    named.mkdir()
    rows = "interaction_id,account_id,at,kind,actor\n1,a,2024-05-01,order,client\n2,a,once,order,client\n"
    (named / os.fsdecode(b"interactions-\xe9.csv")).write_text(rows, encoding="utf-8")
    assert store.add(gather([named]), NOW).counts["interactions"] == Counts(new=1)
    assert store.batches()[0].source.endswith("/caf?")
    assert query(address, "SELECT file FROM rejects") == [{"file": "interactions-?.csv"}]


def test_rejects_are_kept_with_their_batch(store: Store, address: str) -> None:
    rejects = [Reject("a.csv", 3, "at", "no\0time", "a time"), Reject("b.csv", 1, "", "ü", "two fields")]
    store.add(Gathered("first", {}, Declarations(Dataset(simulated=True)), rejects=rejects), NOW)
    found = query(address, "SELECT * FROM rejects ORDER BY file")
    assert [tuple(row.values()) for row in found] == [
        (1, "a.csv", 3, "at", "no\N{REPLACEMENT CHARACTER}time", "a time"),
        (1, "b.csv", 1, "", "ü", "two fields"),
    ]
    store.add(Gathered("again", {}, Declarations(Dataset()), rejects=rejects), NOW)
    assert len(query(address, "SELECT * FROM rejects")) == 2


# How it lies in the database


def test_types_do_not_depend_on_the_first_rows(
    batches: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_connection, "READ_ROWS", 2)
    empty = [message(number, BEGIN) for number in range(5)]
    full: Record = {**message(9, BEGIN), "topic": "12", "words": 7, "amount": 3.0, "auto": True, "updated_at": BEGIN}
    batches.add({"interactions": [*empty, full], "deals": [deal(), deal(deal_id="e", amount=2.5, lost_to="9")]})
    assert_same(batches.store.tables(known_by=EVER), batches.store.tables())
    assert plain(batches.store.tables(known_by=EVER).interactions)[-1] == full


def test_files_lie_in_parts(batches: Source, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_files, "PART_BYTES", 1_000)
    batches.add(random_world(3))
    batches.add(random_world(4))
    assert_same(batches.store.tables(), batches.store.tables(known_by=EVER))
    parts = query(address, "SELECT name, max(part) AS last, max(batch_id) AS batch FROM canonical_files GROUP BY name")
    assert {row["name"]: row["last"] > 0 for row in parts}["interactions.parquet"]
    assert {row["batch"] for row in parts} == {2}


@pytest.mark.parametrize("damage", ["DELETE FROM canonical_files", "UPDATE canonical_files SET batch_id = 1"])
def test_without_files_of_the_last_batch_the_rows_are_read(batches: Source, address: str, damage: str) -> None:
    batches.add({**random_world(3), "deals": [deal()]})
    batches.add(random_world(4))
    store, expected = batches.store, batches.store.tables()
    with writing(store.url) as connection:
        execute(connection, damage)
        execute(connection, "DELETE FROM deals WHERE deal_id = 'd'")
    assert "d" in expected.deals["deal_id"].to_pylist()
    assert "d" not in store.tables().deals["deal_id"].to_pylist()
    assert store.dataset() == store.tables(known_by=EVER).dataset
    with writing(store.url) as connection:
        refresh(connection)
    found = query(address, "SELECT DISTINCT batch_id FROM canonical_files")
    assert [row["batch_id"] for row in found] == [2]
    assert_same(store.tables(), store.tables(known_by=EVER))


def test_changed_rows_show_after_a_refresh(batches: Source) -> None:
    """How rows are erased or accounts merged: change them and make the files anew, in one transaction."""
    batches.add({"interactions": [message(1, BEGIN), message(2, BEGIN, account_id="b")]})
    with writing(batches.store.url) as connection:
        execute(connection, "DELETE FROM interactions WHERE account_id = 'b'")
        refresh(connection)
    assert batches.store.tables().accounts["account_id"].to_pylist() == ["a"]


def test_what_fails_leaves_nothing(batches: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    batches.add({"interactions": [message(1, BEGIN)]})
    held, expected = stored_rows(batches.store), batches.store.tables()

    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr("features.sources.store.write_files", fail)
        with pytest.raises(OSError, match="the disk is full"):
            batches.add({"interactions": [message(2, BEGIN)]})
    assert stored_rows(batches.store) == held
    assert_same(batches.store.tables(), expected)
    assert batches.add({"interactions": [message(2, BEGIN)]}).batch == 2
