"""Forgetting: no byte of what was erased is left, nothing else is lost, and no import brings it back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from features.histories.columns import Reject
from features.histories.tables import TABLES
from features.sources import store_forgetting, store_scrubbing
from features.sources.gathering import Gathered, gather
from features.sources.store import Accepted, Store
from features.sources.store_connection import StoreError, by_itself, fetch, reading
from features.sources.store_forgetting import Wish, forget, outlook
from tests.features.stores import NOW, Record, assert_same, message, plain, query, source
from tests.features.worlds import BEGIN, random_world

ROOT = Path(__file__).parents[2]
DAY = 86_400
EVER = 4_000_000_000

ADDRESS = "zenobia.quill@acme.example"
NAME = "Zenobia Quill"
ID = "contact-zq-0815"
TRACES = (ADDRESS, NAME, ID, "Zenobia")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"sqlite:///{tmp_path}/store.db", create=True)


@pytest.fixture
def either(address: str) -> Store:
    """A store in each of the databases, for what depends on them."""
    return Store(address, create=True)


def world() -> dict[str, list[Record]]:
    """Acme and Brick; Zenobia is known to the CRM by an id and to the mailbox by an address."""
    return {
        "accounts": [{"account_id": "acme-1", "name": "Acme Ships"}, {"account_id": "brick-2", "name": "Brick"}],
        "contacts": [
            {"contact_id": ID, "account_id": "acme-1", "name": NAME, "email": ADDRESS, "interests": "chess"},
            {"contact_id": ID, "account_id": "acme-1", "name": NAME, "seniority": 4, "updated_at": BEGIN + DAY},
            {"contact_id": "other-7", "account_id": "acme-1", "name": "Olaf Other", "email": "olaf@acme.example"},
            {"contact_id": "brick-9", "account_id": "brick-2", "name": "Bea", "interests": f"knows {NAME}"},
        ],
        "interactions": [
            message(1, BEGIN, account_id="acme-1", contact_id=ID, text="I am Zenobia", words=3, thread_id="t1"),
            message(2, BEGIN + 60, account_id="acme-1", contact_id=ADDRESS, x_note="Zenobia again", reply_to="m1"),
            message(3, BEGIN + DAY, account_id="acme-1", contact_id="other-7", text=f"{NAME} was ill", reply_to="m1"),
            message(4, BEGIN + DAY, account_id="acme-1", contact_id="other-7", x_note=f"cc {ADDRESS}", x_score=2.5),
            message(5, BEGIN + DAY, account_id="acme-1", kind="mention", actor="client", about_id="m1"),
            message(6, BEGIN + DAY, account_id="brick-2", contact_id="brick-9", related_contact_id=ID),
            message(7, BEGIN + DAY, account_id="brick-2", contact_id="brick-9", text="fine weather", x_note="plain"),
            message(8, BEGIN + 2 * DAY, account_id="acme-1", contact_id="other-7", thread_id=f"about {ADDRESS}"),
        ],
        "deals": [{"deal_id": "d1", "account_id": "acme-1", "opened_at": BEGIN, "owner": "ours", "amount": 5.0}],
        "stage_reviews": [{"account_id": "acme-1", "at": BEGIN, "stage": "contract", "reviewer": f"with {NAME}"}],
    }


REJECTS = [
    Reject("mails of zenobia.quill@acme.example.csv", 3, "at", "soon", "a time"),
    Reject("a.csv", 4, "account_id", "", "required"),
    Reject("a.csv", 5, "email", f"<{ADDRESS}>", "an address"),
    Reject("a.csv", 6, "contact_id", ID, "short"),
]


def gathered(folder: Path, rows: Mapping[str, Sequence[Record]]) -> Gathered:
    found = gather([source(folder, rows)])
    return replace(found, source=f"/exports/{ADDRESS}.mbox", rejects=REJECTS)


def bytes_of(store: Store) -> Iterable[tuple[Path, bytes]]:
    """All files of the store's database, as they lie on the disk."""
    if store.url.get_backend_name() == "sqlite":
        folder = Path(store.url.database or "").parent
        files = list(folder.glob("store.db*"))
    else:
        address = store.url.render_as_string(hide_password=False)
        (row,) = query(address, "SELECT current_setting('data_directory') AS folder")
        # What the log of changes holds until it is overwritten is told in the receipt.
        files = [path for path in Path(row["folder"]).rglob("*") if path.is_file() and "pg_wal" not in path.parts]
    assert files
    for path in files:
        try:
            yield path, path.read_bytes()
        except FileNotFoundError:
            continue  # the server tidies up meanwhile


def settle(store: Store) -> None:
    """Let PostgreSQL do what it does in time: write to its files, and look at values to plan by."""
    if store.url.get_backend_name() == "postgresql":
        address = store.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with closing(psycopg.connect(address, autocommit=True)) as connection:
            connection.execute("ANALYZE")
            connection.execute("CHECKPOINT")


def on_disk(store: Store, pieces: Iterable[bytes]) -> set[bytes]:
    """Which of these bytes stand anywhere in the files."""
    files = [content for _, content in bytes_of(store)]
    return {piece for piece in pieces if any(piece in content for content in files)}


def compressed(store: Store) -> bytes:
    """A piece of the contacts' canonical file: nobody can read it there, but it can be uncompressed."""
    address = store.url.render_as_string(hide_password=False)
    rows = query(address, "SELECT contents FROM canonical_files WHERE name = 'contacts.parquet'")
    return bytes(rows[0]["contents"])[20:84]


def traces(store: Store, words: Iterable[str]) -> set[str]:
    """Which of these words stand in the files, or in anything that the store tells."""
    found = {word.decode() for word in on_disk(store, [word.encode() for word in words])}
    told = [store.tables(), store.tables(known_by=EVER)]
    whole = json.dumps([plain(getattr(one, name)) for one in told for name in TABLES], ensure_ascii=False)
    whole += repr((store.batches(), store.dataset(), store.merges()))
    return found | {word for word in words if word in whole}


@pytest.mark.parametrize("pseudonymise", [False, True])
def test_no_byte_of_a_person_is_left(either: Store, tmp_path: Path, pseudonymise: bool) -> None:
    either.add(gathered(tmp_path / "in", world()), NOW)
    settle(either)
    before = {*(word.encode() for word in TRACES), compressed(either)}
    assert on_disk(either, before) == before
    receipt = forget(either.url.render_as_string(False), Wish(contact=ID, pseudonymise=pseudonymise), NOW + 5, "ann")
    assert traces(either, TRACES) == set()
    assert on_disk(either, before) == set()
    assert not any(trace in json.dumps(receipt) for trace in TRACES)
    rows = {row["interaction_id"]: row for row in plain(either.tables().interactions)}
    others = {name: row for name, row in rows.items() if not name.startswith("erased-")}
    assert set(others) == {"m3", "m4", "m6", "m7", "m8"}
    assert others["m3"] == message(3, BEGIN + DAY, account_id="acme-1", contact_id="other-7")
    assert others["m4"] == message(4, BEGIN + DAY, account_id="acme-1", contact_id="other-7", x_score=2.5)
    assert others["m6"] == message(6, BEGIN + DAY, account_id="brick-2", contact_id="brick-9")
    assert others["m7"] == world()["interactions"][6]
    assert others["m8"] == message(8, BEGIN + 2 * DAY, account_id="acme-1", contact_id="other-7")
    assert len(rows) == (8 if pseudonymise else 5)
    assert plain(either.tables().deals) == world()["deals"]
    contacts = {row["contact_id"]: row for row in plain(either.tables().contacts)}
    assert contacts["other-7"] == world()["contacts"][2]
    assert contacts["brick-9"] == {"contact_id": "brick-9", "account_id": "brick-2", "name": "Bea"}
    held = query(either.url.render_as_string(False), "SELECT file, value FROM rejects ORDER BY row_number")
    assert held == [{"file": "erased", "value": "soon"}, {"file": "a.csv", "value": ""}]


def test_no_byte_is_left_while_others_have_the_store_open(store: Store, tmp_path: Path) -> None:
    """Then SQLite keeps its write-ahead log, where all that was written stands once more."""
    store.add(gathered(tmp_path / "in", world()), NOW)
    with by_itself(store.url) as other:
        assert fetch(other, "SELECT count(*) AS n FROM contacts")["n"].to_pylist() == [4]
        forget(str(store.url.database), Wish(contact=ID), NOW + 5, "ann")
        assert {path.name for path, _ in bytes_of(store)} == {"store.db", "store.db-wal", "store.db-shm"}
        assert on_disk(store, [word.encode() for word in TRACES]) == set()


def test_who_still_reads_what_was_erased_is_told_of(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add(gathered(tmp_path / "in", world()), NOW)
    monkeypatch.setattr("features.sources.store_connection.WAIT_SECONDS", 0)
    with reading(store.url) as other:
        fetch(other, "SELECT count(*) AS n FROM contacts")
        with pytest.raises(StoreError, match="somebody else reads what was erased"):
            forget(str(store.url.database), Wish(contact=ID), NOW + 5, "ann")
    forget(str(store.url.database), Wish(contact=ID), NOW + 9, "ann")
    assert traces(store, TRACES) == set()


def test_a_pseudonym_keeps_what_happened_and_nothing_to_know_it_by(store: Store, tmp_path: Path) -> None:
    store.add(gathered(tmp_path / "in", world()), NOW)
    forget(store.url.render_as_string(False), Wish(contact=ID, pseudonymise=True), NOW + 5, "ann")
    found = store.tables()
    mine = [row for row in plain(found.interactions) if row["interaction_id"].startswith("erased-")]
    first, second, note = sorted(mine, key=lambda row: row["at"])
    assert {name: first[name] for name in ("account_id", "at", "kind", "words")} == {
        "account_id": "acme-1",
        "at": BEGIN,
        "kind": "message",
        "words": 3,
    }
    assert second["reply_to"] == note["about_id"] == first["interaction_id"]
    assert first["thread_id"].startswith("erased-")
    assert not {"text", "x_note", "topic"} & {*first, *second, *note}
    people = {row["contact_id"]: row for row in plain(found.contacts)}
    assert first["contact_id"] in people
    assert {"seniority": 4, "account_id": "acme-1"}.items() <= people[first["contact_id"]].items()
    assert not any({"name", "email", "interests"} & row.keys() for name, row in people.items() if "erased" in name)


@pytest.mark.parametrize("wish", [Wish(contact=ID), Wish(contact=ID, pseudonymise=True), Wish(account="acme-1"),
                                  Wish(before=BEGIN + DAY), Wish(before=BEGIN + DAY, pseudonymise=True)])  # fmt: skip
def test_the_same_source_brings_nothing_back(store: Store, tmp_path: Path, wish: Wish) -> None:
    whole = gathered(tmp_path / "in", world())
    store.add(whole, NOW)
    forget(store.url.render_as_string(False), wish, NOW + 5, "ann")
    after = store.tables()
    again = store.add(whole, NOW + 10)
    assert again.batch is None
    assert sum(count.new + count.updated for count in again.counts.values()) == 0
    assert sum(count.forgotten for count in again.counts.values()) > 0
    assert_same(store.tables(), after)
    # Nor does it together with something new.
    more = {**world(), "interactions": [*world()["interactions"], message(9, BEGIN + 3 * DAY, account_id="brick-2")]}
    added: Accepted = store.add(gathered(tmp_path / "more", more), NOW + 20)
    assert added.counts["interactions"].new == 1
    if wish.before is None:
        assert traces(store, TRACES) == set()
    ids = {row["interaction_id"] for row in plain(store.tables().interactions)}
    assert ids == {row["interaction_id"] for row in plain(after.interactions)} | {"m9"}


def test_who_is_known_by_an_address_is_the_same_person(store: Store, tmp_path: Path) -> None:
    store.add(gathered(tmp_path / "in", world()), NOW)
    forget(store.url.render_as_string(False), Wish(contact=ADDRESS), NOW + 5, "ann")
    assert traces(store, TRACES) == set()


def test_an_address_of_two_contacts_stays_with_the_other(store: Store, tmp_path: Path) -> None:
    contacts = [
        {"contact_id": "one-1111", "account_id": "a", "email": "info@acme.example"},
        {"contact_id": "two-2222", "account_id": "a", "email": "info@acme.example"},
    ]
    rows = [message(1, BEGIN, contact_id="one-1111"), message(2, BEGIN, contact_id="info@acme.example")]
    store.add(gather([source(tmp_path / "in", {"contacts": contacts, "interactions": rows})]), NOW)
    address = store.url.render_as_string(False)
    wish = Wish(contact="one-1111")
    assert outlook(address, wish).notes == ("info@acme.example is the address of 2 contacts and stays with the others",)
    forget(address, wish, NOW + 5, "ann")
    # Now only one has the address, so that it tells who is meant.
    assert plain(store.tables().interactions) == [{**rows[1], "contact_id": "two-2222"}]
    assert plain(store.tables().contacts) == contacts[1:]


def test_an_account_that_is_nothing_but_the_address_goes_too(store: Store, tmp_path: Path) -> None:
    mail = "zenobia@gmail.com"
    rows = [message(1, BEGIN, account_id=mail, contact_id=mail), message(2, BEGIN, related_account_id=mail)]
    contacts = [{"contact_id": mail, "account_id": mail, "email": mail}]
    store.add(gather([source(tmp_path / "in", {"interactions": rows, "contacts": contacts})]), NOW)
    forget(store.url.render_as_string(False), Wish(contact=mail), NOW + 5, "ann")
    assert traces(store, [mail, "zenobia"]) == set()
    assert plain(store.tables().interactions) == [message(2, BEGIN)]


def test_ids_of_contacts_and_accounts_are_not_mixed_up(store: Store, tmp_path: Path) -> None:
    """A CRM counts both from 1."""
    rows = [
        message(1, BEGIN, account_id="12345", contact_id="777", x_size="12345"),
        message(2, BEGIN, account_id="777", contact_id="12345", text="invoice 12345"),
    ]
    store.add(gather([source(tmp_path / "in", {"interactions": rows})]), NOW)
    forget(store.url.render_as_string(False), Wish(contact="12345"), NOW + 5, "ann")
    left = plain(store.tables().interactions)
    assert [(row["interaction_id"], row["account_id"]) for row in left] == [("m1", "12345")]
    assert "777" in store.tables().accounts["account_id"].to_pylist() or len(left) == 1
    assert left[0]["x_size"] == 12345.0


def test_a_row_that_was_corrected_stays_with_whom_it_is_of_now(store: Store, tmp_path: Path) -> None:
    rows = [
        message(1, BEGIN, contact_id=ID),
        message(1, BEGIN, contact_id="other-7", updated_at=BEGIN + 5),
        message(2, BEGIN, contact_id="other-7"),
        message(2, BEGIN, contact_id=ID, updated_at=BEGIN + 5),
    ]
    store.add(gather([source(tmp_path / "in", {"interactions": rows})]), NOW)
    forget(store.url.render_as_string(False), Wish(contact=ID), NOW + 5, "ann")
    assert plain(store.tables().interactions) == [rows[1]]
    assert traces(store, [ID]) == set()


@pytest.mark.parametrize("pseudonymise", [False, True])
def test_no_byte_of_an_account_is_left(either: Store, tmp_path: Path, pseudonymise: bool) -> None:
    rows = world()
    rows["interactions"].append(message(11, BEGIN, account_id="brick-2", related_account_id="acme-1"))
    rows["interactions"].append(message(12, BEGIN, account_id="acme-1", contact_id="brick-9"))
    rows["interactions"].append(message(13, BEGIN, account_id="acme-sub-5"))
    found = gather([source(tmp_path / "in", rows, observed_until_per='"account_id"')])
    either.add(replace(found, rejects=REJECTS), NOW)
    either.merge_accounts("acme-1", ["acme-sub-5"], NOW + 1, "ann")
    address = either.url.render_as_string(False)
    with pytest.raises(StoreError, match="'acme-sub-5' is part of 'acme-1': forget that, or split the merge first"):
        forget(address, Wish(account="acme-sub-5"), NOW + 5, "ann")
    forget(address, Wish(account="acme-1", pseudonymise=pseudonymise), NOW + 5, "ann")
    everything = (*TRACES, "acme-1", "acme-sub-5", "Acme Ships", "other-7", "Olaf Other", "olaf@acme.example")
    assert traces(either, everything) == set()
    tables = either.tables()
    left = [row for row in plain(tables.interactions) if row["account_id"] == "brick-2"]
    assert [row["interaction_id"] for row in left] == ["m11", "m6", "m7"]
    assert tables.contacts.filter([one == "brick-9" for one in tables.contacts["contact_id"].to_pylist()]).num_rows == 1
    assert len(tables.accounts) == (2 if pseudonymise else 1)
    assert len(either.merges()) == (1 if pseudonymise else 0)
    assert len(tables.interactions) == (11 if pseudonymise else 3)


@pytest.mark.parametrize("pseudonymise", [False, True])
def test_retention(store: Store, tmp_path: Path, pseudonymise: bool) -> None:
    rows = world()
    rows["contacts"].append({"contact_id": "never-seen", "account_id": "brick-2"})
    store.add(gathered(tmp_path / "in", rows), NOW)
    address = store.url.render_as_string(False)
    receipt = forget(address, Wish(before=BEGIN + DAY, pseudonymise=pseudonymise), NOW + 5, "ann")
    assert (receipt["forgotten"], receipt["before"]) == ("older than", "2017-07-15T02:40:00Z")
    tables = store.tables()
    recent = [row for row in plain(tables.interactions) if row["at"] >= BEGIN + DAY]
    assert {row["interaction_id"] for row in recent} == {"m3", "m4", "m5", "m6", "m7", "m8"}
    assert not any(row.get("reply_to") or row.get("about_id") for row in recent)
    old = [row for row in plain(tables.interactions) if row["at"] < BEGIN + DAY]
    assert len(old) == (2 if pseudonymise else 0)
    assert not any("text" in row or "x_note" in row for row in old)
    # Whom a later row names stays; who was never there has nothing that is old.
    assert {ID, "other-7", "brick-9", "never-seen"} <= set(tables.contacts["contact_id"].to_pylist())
    assert plain(tables.deals) == rows["deals"]


def test_who_was_not_met_since_goes_and_comes_back_with_a_new_touch(store: Store, tmp_path: Path) -> None:
    rows = {
        "contacts": [{"contact_id": ID, "account_id": "a", "name": NAME}],
        "interactions": [message(1, BEGIN, contact_id=ID), message(2, BEGIN + 9 * DAY)],
    }
    whole = gather([source(tmp_path / "in", rows)])
    store.add(whole, NOW)
    forget(store.url.render_as_string(False), Wish(before=BEGIN + DAY), NOW + 5, "ann")
    assert traces(store, [ID, NAME]) == set()
    assert store.add(whole, NOW + 6).batch is None
    rows["interactions"].append(message(3, BEGIN + 20 * DAY, contact_id=ID))
    store.add(gather([source(tmp_path / "more", rows)]), NOW + 7)
    assert plain(store.tables().contacts) == rows["contacts"]
    assert [row["interaction_id"] for row in plain(store.tables().interactions)] == ["m2", "m3"]


def test_what_would_happen_is_told_and_nothing_done(store: Store, tmp_path: Path) -> None:
    store.add(gathered(tmp_path / "in", world()), NOW)
    before, address = store.tables(), store.url.render_as_string(False)
    told = outlook(address, Wish(contact=ID))
    assert_same(store.tables(), before)
    assert told.accounts == {"acme-1"}
    receipt = forget(address, Wish(contact=ID), NOW + 5, "ann")
    assert receipt["counts"] == {word: number for word, number in told.counts.items() if number}
    assert told.counts["interactions"] == 3
    assert told.counts["contacts"] == 2
    assert told.counts["rejects"] == 2


def test_the_receipt_says_what_was_done_and_names_nobody(either: Store, tmp_path: Path) -> None:
    either.add(gathered(tmp_path / "in", world()), NOW)
    address = either.url.render_as_string(False)
    models = [{"version": "3", "learned": "yes"}]
    receipt = forget(address, Wish(contact=ID), NOW + 5, "ann", models)
    assert receipt["by"] == "ann"
    assert receipt["at"] == "2025-06-15T15:06:45Z"
    assert receipt["models that learned from it"] == models
    assert (receipt["forgotten"], receipt["how"], len(receipt["digest"])) == ("contact", "removed", 32)
    # The same again changes nothing and tells the same.
    again = forget(address, Wish(contact=ID), NOW + 50, "bo")
    assert again == receipt
    assert outlook(address, Wish(contact=ID)).done
    # Another store's key makes another digest.
    other = Store(tmp_path / "other.db", create=True)
    other.add(gathered(tmp_path / "again", world()), NOW)
    assert forget(str(tmp_path / "other.db"), Wish(contact=ID), NOW + 5, "ann")["digest"] != receipt["digest"]


def test_what_is_not_there_cannot_be_forgotten(store: Store, tmp_path: Path) -> None:
    address = store.url.render_as_string(False)
    for wish in (Wish(contact="nobody"), Wish(account="nobody"), Wish(before=5)):
        for call in (lambda wish: outlook(address, wish), lambda wish: forget(address, wish, NOW, "ann")):
            with pytest.raises(StoreError, match="the store holds no"):
                call(wish)
    for wrong in ({}, {"contact": "a", "account": "b"}, {"contact": "a", "before": 5}):
        with pytest.raises(ValueError, match="name one contact, one account or one date"):
            Wish(**wrong)


@pytest.mark.parametrize("step", ["refresh", "add_tombstones", "scrub"])
def test_a_failure_leaves_all_or_nothing(
    either: Store, tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    either.add(gathered(tmp_path / "in", world()), NOW)
    before, address = either.tables(), either.url.render_as_string(False)

    def fail(*_: Any) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(store_forgetting, step, fail)
        with pytest.raises(OSError, match="the disk is full"):
            forget(address, Wish(contact=ID), NOW + 5, "ann")
    if step != "scrub":
        assert_same(either.tables(), before)
        assert query(address, "SELECT * FROM tombstones") == []
    else:
        assert query(address, "SELECT scrubbed_at FROM erasures") == [{"scrubbed_at": None}]
    # The same command does it, or the rest of it.
    forget(address, Wish(contact=ID), NOW + 9, "ann")
    assert traces(either, TRACES) == set()
    assert [row["scrubbed_at"] for row in query(address, "SELECT scrubbed_at FROM erasures")] == [NOW + 9]


def as_psycopg(address: str) -> str:
    return sa.make_url(address).set(drivername="postgresql").render_as_string(hide_password=False)


def test_postgresql_transactions_that_still_see_it_are_told_of(
    postgres_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(postgres_database, create=True)
    store.add(gathered(tmp_path / "in", world()), NOW)
    monkeypatch.setattr(store_scrubbing, "WAIT_SECONDS", 0)
    with psycopg.connect(as_psycopg(postgres_database)) as other:
        other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT 1")
        with pytest.raises(StoreError, match="1 other transactions still see what was erased; end them"):
            forget(postgres_database, Wish(contact=ID), NOW + 5, "ann")
    forget(postgres_database, Wish(contact=ID), NOW + 9, "ann")
    assert traces(store, TRACES) == set()


def test_what_a_postgresql_user_may_not_do_stands_in_the_receipt(postgres_database: str, tmp_path: Path) -> None:
    """Somebody who owns the store's tables, but not the database."""
    with closing(psycopg.connect(as_psycopg(postgres_database), autocommit=True)) as connection:
        name = connection.info.dbname
        connection.execute(f"CREATE ROLE {name}_user LOGIN")
        connection.execute(f"GRANT CREATE ON SCHEMA public TO {name}_user")
    address = sa.make_url(postgres_database).set(username=f"{name}_user").render_as_string(hide_password=False)
    store = Store(address, create=True)
    store.add(gathered(tmp_path / "in", world()), NOW)
    told = forget(address, Wish(contact=ID), NOW + 5, "ann")["not reached"]
    assert any("pg_wal" in line for line in told)
    assert any("next checkpoint" in line for line in told)
    assert any("permission denied" in line and "pg_statistic" in line for line in told)
    with closing(psycopg.connect(as_psycopg(postgres_database), autocommit=True)) as connection:
        connection.execute(f"REASSIGN OWNED BY {name}_user TO CURRENT_USER")
        connection.execute(f"DROP OWNED BY {name}_user")
        connection.execute(f"DROP ROLE {name}_user")


KILLED = """
import sys, time
from features.sources import store_forgetting, store_scrubbing
from features.sources.store_forgetting import Wish, forget

address, step, contact = sys.argv[1:]

def stop(*_):
    print("here", flush=True)
    time.sleep(600)

setattr(store_forgetting, step, stop)
forget(address, Wish(contact=contact), 1, "ann")
"""


@pytest.mark.parametrize("step", ["refresh", "scrub"])
def test_who_is_killed_leaves_all_or_nothing(store: Store, tmp_path: Path, step: str) -> None:
    store.add(gathered(tmp_path / "in", world()), NOW)
    before, address = store.tables(), str(store.url.database)
    command = [sys.executable, "-c", KILLED, address, step, ID]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        process.kill()
    if step == "refresh":
        assert_same(store.tables(), before)
    else:
        assert ID not in store.tables().interactions["contact_id"].to_pylist()
        assert query(f"sqlite:///{address}", "SELECT scrubbed_at FROM erasures") == [{"scrubbed_at": None}]
    forget(address, Wish(contact=ID), NOW + 9, "ann")
    assert traces(store, TRACES) == set()


def test_everything_else_stays_bit_for_bit(store: Store, tmp_path: Path) -> None:
    """What is left is what a store would hold that never saw the account."""
    rows = random_world(3, accounts=4, touches=20)
    store.add(gather([source(tmp_path / "in", rows)]), NOW)
    forget(store.url.render_as_string(False), Wish(account="A1"), NOW + 5, "ann")
    never = {name: [row for row in found if row["account_id"] != "A1"] for name, found in rows.items()}
    gone = {row["interaction_id"] for row in rows["interactions"] if row["account_id"] == "A1"}
    people = {row["contact_id"] for row in rows["contacts"] if row["account_id"] == "A1"}
    for row in never["interactions"]:
        for name in ("reply_to", "about_id"):
            if row.get(name) in gone:
                del row[name]
        if row.get("related_contact_id") in people:
            del row["related_contact_id"]
        if row.get("related_account_id") == "A1":
            del row["related_account_id"]
    other = Store(tmp_path / "other.db", create=True)
    other.add(gather([source(tmp_path / "other", never)]), NOW)
    assert_same(store.tables(), other.tables())
    assert_same(store.tables(known_by=BEGIN + 200 * DAY), other.tables(known_by=BEGIN + 200 * DAY))
