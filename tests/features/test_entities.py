"""Who is who: merged accounts, people who move, people under two ids, events that two systems tell of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.histories.history import History
from features.histories.tables import TABLES, Dataset
from features.matrix import build_matrix, rows_at
from features.sources.declarations import Declarations
from features.sources.entities.duplicates import told_twice
from features.sources.entities.merged import merged_declarations
from features.sources.entities.resolving import Resolved, resolved
from features.sources.files import DUPLICATES_FILE, read_tables
from features.sources.gathering import gather
from features.sources.importing import import_to_folder
from features.sources.parties import Address, Parties, contact_table
from features.sources.readers import SourceError
from features.sources.source import shared_mail_id
from features.sources.store import Accepted, Store
from features.sources.store_connection import StoreError
from tests.features.stores import NOW, Record, assert_same, message, plain, query, source
from tests.features.worlds import BEGIN, random_world

DAY = 86_400
EVER = 4_000_000_000
NOTHING_DECLARED = Declarations(Dataset())

Tables_ = Mapping[str, Sequence[Record]]


def table(name: str, records: Sequence[Record]) -> pa.Table:
    """Checked rows as an import has them."""
    schema = TABLES[name].schema()
    required = [one.name for one in TABLES[name].columns if one.required]
    names = dict.fromkeys([*required, *(one for record in records for one in record)])
    return pa.table({one: pa.array([row.get(one) for row in records], schema.field(one).type) for one in names})


def resolve(world: Tables_, into: Mapping[str, str] | None = None) -> Resolved:
    return resolved({name: table(name, world.get(name, ())) for name in TABLES}, NOTHING_DECLARED, into)


def rows_of(found: Resolved, name: str) -> Sequence[Record]:
    return plain(found.rows[name])


@pytest.fixture
def store(address: str) -> Store:
    return Store(address, create=True)


class Batches:
    def __init__(self, folder: Path, store: Store) -> None:
        self.folder, self.store, self.added = folder, store, 0

    def add(self, world: Tables_, at: int = NOW) -> Accepted:
        self.added += 1
        return self.store.add(gather([source(self.folder / f"in-{self.added}", world)]), at)


@pytest.fixture
def batches(tmp_path: Path, store: Store) -> Batches:
    return Batches(tmp_path, store)


# Merged accounts


TWO: Tables_ = {
    "accounts": [
        {"account_id": "a", "name": "Alpha", "industry": "ships"},
        {"account_id": "b", "name": "Beta", "country": "NO"},
    ],
    "contacts": [{"contact_id": "c", "account_id": "b", "name": "Cleo"}],
    "interactions": [
        message(1, BEGIN, account_id="a"),
        message(2, BEGIN + DAY, account_id="b", contact_id="c"),
        message(3, BEGIN + DAY, account_id="a", kind="advocacy", actor="client", related_account_id="b"),
    ],
    "deals": [{"deal_id": "d", "account_id": "b", "opened_at": BEGIN}],
    "stage_reviews": [{"account_id": "b", "at": BEGIN, "stage": "contract"}],
}


def test_a_merged_account_brings_all_its_rows(batches: Batches) -> None:
    batches.add(TWO)
    batches.store.merge_accounts("a", ["b"], NOW + 5, "ann")
    tables = batches.store.tables()
    for name in TABLES:
        assert set(getattr(tables, name)["account_id"].to_pylist()) == {"a"}
    assert plain(tables.accounts) == [TWO["accounts"][0]]
    assert [row["interaction_id"] for row in plain(tables.interactions)] == ["m1", "m2", "m3"]
    # A referral of a part of itself is none to another account.
    assert tables.interactions["related_account_id"].null_count == 3
    assert_same(batches.store.tables(known_by=EVER), tables)


def test_what_was_known_before_the_decision_is_not_merged(batches: Batches) -> None:
    batches.add(TWO)
    before = batches.store.tables()
    batches.store.merge_accounts("a", ["b"], NOW + 5, "ann")
    assert_same(batches.store.tables(known_by=NOW + 4), before)
    assert set(batches.store.tables(known_by=NOW + 5).deals["account_id"].to_pylist()) == {"a"}


def test_the_stored_rows_stay_as_they_came(batches: Batches, address: str) -> None:
    batches.add(TWO)
    held = {name: query(address, f"SELECT * FROM {name}") for name in TABLES}
    merge = batches.store.merge_accounts("a", ["b"], NOW + 5, "ann")
    assert {name: query(address, f"SELECT * FROM {name}") for name in TABLES} == held
    batches.store.split_accounts(merge.merge_id, NOW + 6, "bo")
    assert {name: query(address, f"SELECT * FROM {name}") for name in TABLES} == held


def test_rows_that_come_after_a_merge_are_merged_too(batches: Batches) -> None:
    batches.add(TWO)
    batches.store.merge_accounts("a", ["b"], NOW + 5, "ann")
    batches.add({"interactions": [message(9, BEGIN, account_id="b")]}, NOW + 10)
    assert set(batches.store.tables().interactions["account_id"].to_pylist()) == {"a"}


def test_the_account_kept_speaks_for_the_whole_else_the_first_that_says_something() -> None:
    world: Tables_ = {
        "accounts": [
            {"account_id": "silent", "name": None},
            {"account_id": "b", "name": "Beta"},
            {"account_id": "b", "name": "Beta & Co", "valid_from": BEGIN},
            {"account_id": "c", "name": "Gamma", "valid_from": BEGIN + 5},
            {"account_id": "other"},
        ]
    }
    into = {"b": "silent", "c": "silent"}
    found = rows_of(resolve(world, into), "accounts")
    assert found == [
        {"account_id": "silent", "name": "Beta"},
        {"account_id": "silent", "name": "Beta & Co", "valid_from": BEGIN},
        {"account_id": "other"},
    ]


def test_merges_add_up_and_are_undone_one_by_one(batches: Batches) -> None:
    batches.add({"interactions": [message(n, BEGIN, account_id=name) for n, name in enumerate("abcd")]})
    store = batches.store

    def accounts() -> dict[str, str]:
        rows = plain(store.tables().interactions)
        return {row["interaction_id"]: row["account_id"] for row in rows}

    first = store.merge_accounts("b", ["a"], NOW + 1, "ann")
    second = store.merge_accounts("c", ["b", "d"], NOW + 2, "ann")
    assert accounts() == {"m0": "c", "m1": "c", "m2": "c", "m3": "c"}
    assert store.merges() == [first, second]
    store.split_accounts(first.merge_id, NOW + 3, "bo")
    assert accounts() == {"m0": "a", "m1": "c", "m2": "c", "m3": "c"}
    store.split_accounts(second.merge_id, NOW + 4, "bo")
    assert accounts() == {"m0": "a", "m1": "b", "m2": "c", "m3": "d"}
    assert store.merges() == []
    third = store.merge_accounts("a", ["b"], NOW + 5, "ann")
    assert third.merge_id not in (first.merge_id, second.merge_id)
    assert [one.accounts for one in store.merges()] == [["b"]]


def test_a_clock_that_went_back_keeps_the_order_of_decisions(batches: Batches) -> None:
    batches.add(TWO)
    merge = batches.store.merge_accounts("a", ["b"], NOW + 5, "ann")
    batches.store.split_accounts(merge.merge_id, NOW - 100, "bo")
    assert set(batches.store.tables(known_by=NOW - 50).deals["account_id"].to_pylist()) == {"b"}
    assert [row["decided_at"] for row in query(str(batches.store.url.render_as_string(False)),
            "SELECT decided_at FROM account_decisions ORDER BY number")] == [NOW + 5, NOW + 5]  # fmt: skip


def test_decisions_that_make_no_sense_are_refused(batches: Batches) -> None:
    batches.add(TWO)
    store = batches.store
    for keep, others in (("a", []), ("a", ["a"])):
        with pytest.raises(StoreError, match="name the account to keep, and then at least one other"):
            store.merge_accounts(keep, others, NOW, "ann")
    with pytest.raises(StoreError, match="the store holds no account 'nobody'"):
        store.merge_accounts("a", ["nobody"], NOW, "ann")
    store.merge_accounts("a", ["b"], NOW, "ann")
    for keep, others in (("b", ["a"]), ("a", ["b"])):
        with pytest.raises(StoreError, match="'b' is part of 'a' already; name that, or split the merge first"):
            store.merge_accounts(keep, others, NOW, "ann")
    with pytest.raises(StoreError, match="there is no merge 7 in force; in force: 1"):
        store.split_accounts(7, NOW, "ann")
    assert len(store.merges()) == 1


def test_a_whole_is_observed_as_long_as_its_longest_part() -> None:
    dataset = Dataset(observed_until_by={"a": 5, "b": 9, "x": 1})
    declared = Declarations(dataset, "account_id", {"b": 3, "a": 4, "x": 2})
    found = merged_declarations(declared, {"b": "a"})
    assert (found.dataset.observed_until_by, found.ends) == ({"a": 9, "x": 1}, {"a": 4, "x": 2})
    by_us = merged_declarations(Declarations(Dataset(), "our_contact_id", {"b": 3}), {"b": "a"})
    assert by_us.ends == {"b": 3}


@settings(max_examples=8)
@given(data=st.data())
def test_a_split_restores_bit_for_bit(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Whatever is merged and split in whatever order: all as before, and every moment is read as it was then."""
    folder = tmp_path_factory.mktemp("split")
    store = Store(folder / "store.db", create=True)
    world = random_world(data.draw(st.integers(0, 10**6)), accounts=4, touches=8)
    store.add(gather([source(folder / "in", world)]), NOW)
    whole = store.tables()
    seen = [(NOW, whole)]
    for step in range(1, data.draw(st.integers(1, 4)) + 1):
        merges = store.merges()
        parts = {part for merge in merges for part in merge.accounts}
        free = [f"A{number}" for number in range(4) if f"A{number}" not in parts]
        if len(free) > 1 and (not merges or data.draw(st.booleans())):
            keep, *others = data.draw(st.permutations(free))[: data.draw(st.integers(2, len(free)))]
            store.merge_accounts(keep, others, NOW + step, "ann")
        else:
            store.split_accounts(data.draw(st.sampled_from(merges)).merge_id, NOW + step, "ann")
        seen.append((NOW + step, store.tables()))
    for merge in data.draw(st.permutations(store.merges())):
        store.split_accounts(merge.merge_id, NOW + 100, "bo")
    assert_same(store.tables(), whole)
    for moment, tables in [*seen, (EVER, whole)]:
        assert_same(store.tables(known_by=moment), tables)


# People who move


def moving(earlier: dict[str, Any], later: dict[str, Any], **changed: Any) -> list[Record]:
    """A mail as an export tells of it before and after its person moved from "old" to "new"."""
    told = message(1, BEGIN, account_id="old", contact_id="c")
    return [{**told, **earlier}, {**told, "account_id": "new", "updated_at": BEGIN + 99 * DAY, **later, **changed}]


MOVED: list[Record] = [
    {"contact_id": "c", "account_id": "old"},
    {"contact_id": "c", "account_id": "new", "valid_from": BEGIN + 10 * DAY},
]


def test_earlier_touches_stay_with_the_earlier_account() -> None:
    rows = moving({}, {"words": 7})
    found = rows_of(resolve({"contacts": MOVED, "interactions": rows}), "interactions")
    assert found == [rows[0], {**rows[1], "account_id": "old"}]  # what else changed, changed


def test_touches_after_the_move_are_with_the_new_account() -> None:
    rows = moving({"at": BEGIN + 20 * DAY}, {"at": BEGIN + 20 * DAY})
    found = rows_of(resolve({"contacts": MOVED, "interactions": rows}), "interactions")
    assert [row["account_id"] for row in found] == ["old", "new"]


def test_a_move_without_a_date_counts_from_when_it_was_known() -> None:
    contacts = [MOVED[0], {"contact_id": "c", "account_id": "new", "updated_at": BEGIN + 50 * DAY}]
    for at, account in ((BEGIN + 50 * DAY - 1, "old"), (BEGIN + 50 * DAY, "new")):
        rows = moving({"at": at}, {"at": at})
        found = rows_of(resolve({"contacts": contacts, "interactions": rows}), "interactions")
        assert found[1]["account_id"] == account


def test_any_other_change_of_account_is_a_correction() -> None:
    corrected = moving({"contact_id": None}, {"contact_id": None})
    elsewhere = moving({}, {"account_id": "third"})
    never_there = moving({"account_id": "third"}, {})
    for rows in (corrected, elsewhere, never_there):
        told = [{name: value for name, value in row.items() if value is not None} for row in rows]
        assert rows_of(resolve({"contacts": MOVED, "interactions": rows}), "interactions") == told


def test_a_second_export_after_a_move_moves_nothing_back_in_time(batches: Batches) -> None:
    """As a CRM has it: a person's account is that of today, and so is that of every mail logged with the person."""
    contact = {"contact_id": "c", "account_id": "old", "recorded_at": BEGIN - DAY}
    mail = message(1, BEGIN, account_id="old", contact_id="c", recorded_at=BEGIN)
    batches.add({"contacts": [contact], "interactions": [mail]}, BEGIN + 5 * DAY)
    later = message(2, BEGIN + 40 * DAY, account_id="new", contact_id="c", recorded_at=BEGIN + 40 * DAY)
    moved = {**contact, "account_id": "new"}
    batches.add({"contacts": [moved], "interactions": [{**mail, "account_id": "new"}, later]}, BEGIN + 50 * DAY)
    tables = batches.store.tables()
    assert {row["interaction_id"]: row["account_id"] for row in plain(tables.interactions)} == {
        "m1": "old",
        "m2": "new",
    }
    assert [row["account_id"] for row in plain(tables.contacts)] == ["new", "old"]
    assert_same(batches.store.tables(known_by=EVER), tables)
    then = batches.store.tables(known_by=BEGIN + 49 * DAY)
    assert set(then.interactions["account_id"].to_pylist()) == {"old", "new"}
    assert then.contacts["account_id"].to_pylist()[-1] == "old"


def test_a_contact_table_says_where_somebody_was_when(tmp_path: Path) -> None:
    listed = tmp_path / "people.csv"
    listed.write_text(
        "email,account_id,contact_id,valid_from\nann@gmail.com,new,7,2024-06-01\nann@gmail.com,old,7,\n"
        "acme.example,whole,,2024-06-01\nacme.example,acme,,2020-01-01\n"
    )
    parties = Parties(["ours.example"], contact_table(listed))
    june = 1_717_200_000
    for address, before, since in (("ann@gmail.com", "old", "new"), ("bo@sub.acme.example", "acme", "whole")):
        told = [parties.person(address, at) for at in (0, june - 1, june, None)]
        assert [one and one.account_id for one in told] == [before, before, since, since]
    ours, ann = Address("me@ours.example"), Address("ann@gmail.com")
    for at, account in ((june - 1, "old"), (june, "new")):
        for sides in (parties.sides(ann, [ours], [], at), parties.sides(ours, [ann], [], at)):
            assert [side.account_id for side in sides if not isinstance(side, str)] == [account]
    listed.write_text("email,account_id,valid_from\nann@gmail.com,new,soon\n")
    with pytest.raises(SourceError, match="row 1: valid_from 'soon' is not"):
        contact_table(listed)


# People under two ids


LISTED: list[Record] = [{"contact_id": "003", "account_id": "a", "email": "Ann@Acme.example", "name": "Ann"}]
BY_ADDRESS: Record = {"contact_id": "ann@acme.example", "account_id": "a", "email": "ann@acme.example"}


def test_who_is_known_by_an_address_is_the_contact_that_has_it() -> None:
    rows = [
        message(1, BEGIN, contact_id="ann@acme.example"),
        message(2, BEGIN, contact_id="003"),
        message(3, BEGIN, contact_id="bo@acme.example"),
        message(4, BEGIN, account_id="b", contact_id="ann@acme.example"),
        message(5, BEGIN, kind="introduction", related_contact_id="ann@acme.example"),
    ]
    found = resolve({"contacts": [*LISTED, BY_ADDRESS], "interactions": rows})
    assert rows_of(found, "contacts") == LISTED
    people = [row.get("contact_id") for row in rows_of(found, "interactions")]
    assert people == ["003", "003", "bo@acme.example", "ann@acme.example", None]
    assert rows_of(found, "interactions")[4]["related_contact_id"] == "003"


def test_an_address_of_several_contacts_tells_nothing() -> None:
    contacts = [*LISTED, {**LISTED[0], "contact_id": "004"}, BY_ADDRESS]
    rows = [message(1, BEGIN, contact_id="ann@acme.example")]
    found = resolve({"contacts": contacts, "interactions": rows})
    assert rows_of(found, "interactions") == rows
    assert rows_of(found, "contacts") == contacts


# Events that two systems tell of


def told(number: int, at: int, by: str, **more: Any) -> Record:
    return message(number, at, **{"source": by, "contact_id": "c", "actor": "client", **more})


def left_out(*rows: Record) -> dict[str, tuple[str, str]]:
    """By id of what is left out: what counts, and why."""
    found = told_twice(table("interactions", rows)).to_pylist()
    return {row["interaction_id"]: (row["kept_id"], row["because"]) for row in found}


SAME_ID = "same id in both"
SAME_MINUTE = "same account, person, side and minute"
SAME_START = "same account and start, nobody else"


def test_a_mail_in_a_mailbox_and_in_a_crm_counts_once_as_the_mailbox_has_it() -> None:
    crm, box = told(1, BEGIN, "CRM export"), told(2, BEGIN + 59, "mail", words=9)
    for rows in ((crm, box), (box, crm)):
        assert left_out(*rows) == {"m1": ("m2", SAME_MINUTE)}
    # By its id it is the same whatever else differs.
    crm, box = ({**row, "shared_id": "message-1"} for row in (crm, box))
    assert left_out({**crm, "at": BEGIN - 7 * DAY, "contact_id": "z", "actor": "us"}, box) == {"m1": ("m2", SAME_ID)}


@pytest.mark.parametrize(
    "other",
    [
        {"at": BEGIN + 60},
        {"account_id": "b"},
        {"contact_id": "d"},
        {"contact_id": None},
        {"actor": "us"},
        {"channel": "chat"},
        {"kind": "call"},
        {"source": "mail"},
        {"source": None},
        {"shared_id": "message-2"},
    ],
)
def test_mails_that_are_not_surely_the_same_stay_two(other: dict[str, Any]) -> None:
    box = told(1, BEGIN, "mail", channel="email", shared_id="message-1")
    assert left_out(box, {**told(2, BEGIN, "CRM export", channel="email"), **other}) == {}
    assert left_out(box, told(2, BEGIN, "CRM export", channel="email")) == {"m2": ("m1", SAME_MINUTE)}


def test_of_several_mails_within_a_minute_each_has_one_counterpart() -> None:
    box = [told(1, BEGIN, "mail"), told(2, BEGIN + 20, "mail"), told(3, BEGIN + 40, "mail")]
    crm = [told(11, BEGIN + 21, "CRM export"), told(12, BEGIN + 1, "CRM export")]
    assert left_out(*box, *crm) == {"m11": ("m2", SAME_MINUTE), "m12": ("m1", SAME_MINUTE)}


def test_three_systems_that_tell_of_one_mail() -> None:
    rows = [told(1, BEGIN, "mail"), told(2, BEGIN + 3, "CRM export"), told(3, BEGIN + 5, "help desk")]
    assert left_out(*rows) == {"m2": ("m1", SAME_MINUTE), "m3": ("m1", SAME_MINUTE)}
    known = [{**rows[0], "shared_id": "x"}, {**rows[1], "shared_id": "x"}, rows[2]]
    assert left_out(*known) == {"m2": ("m1", SAME_ID), "m3": ("m1", SAME_MINUTE)}


def test_a_meeting_counts_as_noted_by_who_knows_what_became_of_it() -> None:
    calendar = told(1, BEGIN, "calendar", kind="meeting", actor="us")
    crm = told(2, BEGIN, "CRM export", kind="meeting", actor="client", contact_id=None)
    assert left_out(calendar, crm) == {"m2": ("m1", SAME_START)}
    assert left_out({**calendar, "outcome": "held"}, crm) == {"m2": ("m1", SAME_START)}
    assert left_out({**calendar, "outcome": "held"}, {**crm, "outcome": "no_show"}) == {"m1": ("m2", SAME_START)}
    assert left_out(calendar, {**crm, "contact_id": "other"}) == {}


def test_only_the_latest_version_of_a_row_tells_what_it_is() -> None:
    moved = told(2, BEGIN + DAY, "CRM export", updated_at=BEGIN + 2 * DAY)
    assert left_out(told(1, BEGIN, "mail"), told(2, BEGIN, "CRM export"), moved) == {}


def test_what_names_a_row_left_out_names_the_one_that_counts(batches: Batches, tmp_path: Path) -> None:
    rows = [
        told(1, BEGIN, "mail"),
        told(2, BEGIN, "CRM export", updated_at=BEGIN + 5),
        told(2, BEGIN, "CRM export", words=3, updated_at=BEGIN + 9),
        told(3, BEGIN + DAY, "CRM export", actor="us", reply_to="m2", about_id="m2"),
    ]
    accepted = batches.add({"interactions": rows})
    store = batches.store
    found = plain(store.tables().interactions)
    assert [row["interaction_id"] for row in found] == ["m1", "m3"]
    assert (found[1]["reply_to"], found[1]["about_id"]) == ("m1", "m1")
    note = f"interactions: 1 are told of twice: mail counts, not CRM export ({SAME_MINUTE})"
    assert note in accepted.notes
    listed = store.duplicates().to_pylist()
    assert listed == [
        {
            "interaction_id": "m2",
            "source": "CRM export",
            "kept_id": "m1",
            "kept_source": "mail",
            "because": SAME_MINUTE,
        }
    ]
    assert_same(store.tables(known_by=EVER), store.tables())
    # A folder leaves out the same, and says so.
    summary = import_to_folder([tmp_path / "in-1"], tmp_path / "out")
    assert_same(read_tables(tmp_path / "out"), store.tables())
    assert note in summary.notes
    assert "m2" in (tmp_path / "out" / DUPLICATES_FILE).read_text()


def test_a_crm_and_a_mailbox_that_tell_of_the_same_people_and_mails(batches: Batches) -> None:
    """The mailbox knows a domain and addresses, the CRM ids; one merge makes them one."""
    crm: Tables_ = {
        "accounts": [{"account_id": "001", "name": "Acme"}],
        "contacts": [{"contact_id": "003", "account_id": "001", "email": "ann@acme.example"}],
        "interactions": [told(1, BEGIN + 30, "CRM export", account_id="001", contact_id="003")],
    }
    box: Tables_ = {
        "interactions": [told(2, BEGIN, "mail", account_id="acme.example", contact_id="ann@acme.example")],
    }
    batches.add(crm)
    batches.add(box, NOW + 1)
    store = batches.store
    before = store.tables()
    assert len(before.interactions) == 2
    merge = store.merge_accounts("001", ["acme.example"], NOW + 2, "ann")
    tables = store.tables()
    assert plain(tables.interactions) == [{**box["interactions"][0], "account_id": "001", "contact_id": "003"}]
    assert plain(tables.accounts) == [*crm["accounts"]]
    store.split_accounts(merge.merge_id, NOW + 3, "ann")
    assert_same(store.tables(), before)
    assert len(store.duplicates()) == 0


def test_importers_name_their_system_and_the_id_that_others_know(tmp_path: Path) -> None:
    from features.sources.gathering import ImportOptions

    mail = tmp_path / "mail" / "1.eml"
    mail.parent.mkdir()
    mail.write_text(
        "Message-ID: <1@acme.example>\nFrom: ann@acme.example\nTo: bo@ours.example\n"
        "Date: Fri, 31 May 2024 14:00:00 +0000\nSubject: Offer\n\nMay we have an offer, please?\n"
    )
    crm = tmp_path / "crm"
    crm.mkdir()
    (crm / "accounts.csv").write_text("Id,Name,Industry\n001000000000001AAA,Acme,Ships\n")
    (crm / "contacts.csv").write_text(
        "Id,AccountId,LastName,Email\n003000000000001AAA,001000000000001AAA,Berg,ann@acme.example\n"
    )
    (crm / "mails.csv").write_text(
        "Id,MessageDate,Incoming,FromAddress,ToAddress,MessageIdentifier,RelatedToId\n"
        "02s000000000001AAA,2024-05-31T14:00:00Z,true,ann@acme.example,bo@ours.example,<1@acme.example>,"
        "001000000000001AAA\n"
    )
    options = ImportOptions(our_domains=frozenset({"ours.example"}))
    gathered = gather([mail.parent, crm], options)
    rows = gathered.rows["interactions"].to_pylist()
    assert {row["source"] for row in rows} == {"mail", "CRM export"}
    assert {row["shared_id"] for row in rows} == {shared_mail_id("1@acme.example")}


def test_a_matrix_of_merged_accounts(batches: Batches) -> None:
    """Merged accounts give the figures of one account that always had all the rows."""
    world = random_world(4, accounts=2, touches=30)
    batches.add(world)
    batches.store.merge_accounts("A0", ["A1"], NOW + 1, "ann")
    one: dict[str, list[Record]] = {
        name: [{**row, "account_id": "A0"} for row in rows if name != "accounts" or row["account_id"] == "A0"]
        for name, rows in world.items()
    }
    other = Store(batches.folder / "one.db", create=True)
    other.add(gather([source(batches.folder / "one", one)]), NOW)
    matrices = []
    for tables in (batches.store.tables(), other.tables()):
        history = History.from_tables(tables)
        matrices.append(build_matrix(history, rows_at(history, pa.array([BEGIN + 300 * DAY]).to_numpy())))
    assert matrices[0].account_ids == matrices[1].account_ids == ["A0"]
    assert matrices[0].values.tobytes() == matrices[1].values.tobytes()
