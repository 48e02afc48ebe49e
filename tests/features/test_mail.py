"""Whole mailboxes: each message is imported, kept apart, a copy of another, or rejected with the reason."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.histories.batch_checks import check_batch
from features.histories.tables import TABLES
from features.sources.mail import MailOptions, read, recognises
from features.sources.parties import contact_table
from features.sources.readers import SourceError
from features.sources.source import FILE, ROW, Found, shared_mail_id
from tests.features.mail_samples import ENVELOPE, WRITTEN_AT, mail, ours, put

OURS = MailOptions(frozenset({"ours.example"}))

ASKED = "Could you send us the offer for the second phase of the project this week?"
SENT = "Here it is, with the two options that we talked about on the telephone."


def found_in(folder: Path, mails: Mapping[str, bytes], options: MailOptions = OURS) -> Found:
    """What the mails of a folder give; every message is accounted for, and every row passes the door."""
    found = read(put(folder, mails), options)
    counts = dict(found.counts)
    assert counts.pop("read") == sum(counts.values())
    for name, table in found.tables.items():
        plain = table.drop_columns([own for own in (FILE, ROW) if own in table.column_names])
        columns = {column: plain[column].combine_chunks() for column in plain.column_names}
        good, _, rejects = check_batch(TABLES[name], columns, "mail", np.arange(1, len(plain) + 1))
        assert not rejects
        assert len(good) == len(plain)
    return found


def rows(found: Found, table: str = "interactions") -> list[dict[str, Any]]:
    """The rows of a table without what is unknown and where it lay."""
    kept = [
        {name: value for name, value in row.items() if value is not None} for row in found.tables[table].to_pylist()
    ]
    return [{name: value for name, value in row.items() if name not in (FILE, ROW)} for row in kept]


def kept_apart(found: Found) -> dict[str, int]:
    """What did not become an interaction, and how often."""
    return {word: times for word, times in found.counts.items() if word not in ("read", "imported") and times}


def conversation() -> dict[str, bytes]:
    """The client asks, we answer with a copy for another client, and the client thanks."""
    asked = mail(ASKED + "\n-- \nAnn Berg\n", Message_ID="<1@acme.example>")
    sent = ours(
        f"{SENT}\n\nOn Friday, Ann Berg wrote:\n> {ASKED}\n",
        Message_ID="<2@ours.example>",
        In_Reply_To="<1@acme.example>",
        Cc="carl@gmail.com, di@ours.example",
        Date="Fri, 31 May 2024 15:00:00 +0200",
        Subject="Re: Offer",
    )
    thanks = mail(
        f"Many thanks.\n\n-----Original Message-----\nFrom: Bo\nSent: Friday\nSubject: Re: Offer\n\n{SENT}\n",
        Message_ID="<3@acme.example>",
        Date="Fri, 31 May 2024 16:00:00 +0200",
        Subject="AW: Offer",
        To="bo@ours.example, ed@ours.example",
        Cc="Amy <amy@acme.example>",
    )
    return {"inbox/1": asked, "sent/1": sent, "inbox/2": thanks}


def test_a_conversation_becomes_interactions_and_contacts(tmp_path: Path) -> None:
    found = found_in(tmp_path, conversation())
    asked, to_ann, to_carl, thanks = rows(found)
    shared = [row.pop("shared_id") for row in (asked, to_ann, to_carl, thanks)]
    assert shared == [shared_mail_id(f"{one}.example") for one in ("1@acme", "2@ours", "2@ours", "3@acme")]
    common = {"kind": "message", "channel": "email", "thread_id": asked["thread_id"]}
    acme = {
        **common,
        "account_id": "acme.example",
        "contact_id": "ann@acme.example",
        "our_contact_id": "bo@ours.example",
    }
    ids = [row["interaction_id"] for row in (asked, to_ann, to_carl, thanks)]
    assert asked == {**acme, "interaction_id": ids[0], "at": "2024-05-31T12:00:00Z", "actor": "client", "words": "15"}
    to_us = {"at": "2024-05-31T13:00:00Z", "actor": "us", "words": "14"}
    assert to_ann == {**acme, **to_us, "interaction_id": ids[1], "reply_to": ids[0]}
    carl = {"account_id": "carl@gmail.com", "contact_id": "carl@gmail.com", "our_contact_id": "bo@ours.example"}
    assert to_carl == {**common, **to_us, **carl, "interaction_id": ids[2]}
    last = {"at": "2024-05-31T14:00:00Z", "actor": "client", "words": "2"}
    assert thanks == {**acme, **last, "interaction_id": ids[3], "reply_to": ids[1]}
    assert len(set(ids)) == 4
    assert rows(found, "contacts") == [
        {"contact_id": "amy@acme.example", "account_id": "acme.example", "email": "amy@acme.example", "name": "Amy"},
        {
            "contact_id": "ann@acme.example",
            "account_id": "acme.example",
            "email": "ann@acme.example",
            "name": "Ann Berg",
        },
        {"contact_id": "carl@gmail.com", "account_id": "carl@gmail.com", "email": "carl@gmail.com"},
    ]
    assert found.counts == {"read": 3, "imported": 3, "duplicate": 0, "rejected": 0}
    assert found.notes == ["mail: answers linked by header (1), quote (1)"]


def test_reading_again_gives_the_same(tmp_path: Path) -> None:
    first = found_in(tmp_path, conversation())
    assert read(tmp_path, OURS).tables == first.tables


def test_rows_carry_the_place_of_their_mail(tmp_path: Path) -> None:
    box = (
        ENVELOPE
        + mail(Message_ID="<1@x>")
        + b"\n"
        + ENVELOPE
        + mail(Message_ID="<2@x>", Date="Fri, 31 May 2024 15:00 +0000")
    )
    table = found_in(tmp_path, {"box": box}).tables["interactions"]
    assert list(zip(table[FILE].to_pylist(), table[ROW].to_pylist(), strict=True)) == [("box", 1), ("box", 2)]


def test_what_was_written_is_dropped_unless_it_is_asked_for(tmp_path: Path) -> None:
    secret = mail("The password is swordfish.\n> quoted haddock\n", Subject="About halibut", X_Note="herring")
    found = found_in(tmp_path, {"1": secret})
    everything = repr((found, [table.to_pylist() for table in found.tables.values()]))
    for word in ("swordfish", "haddock", "halibut", "herring"):
        assert word not in everything
    kept = found_in(tmp_path, {"1": secret}, MailOptions(frozenset({"ours.example"}), keep_text=True))
    assert [row["text"] for row in rows(kept)] == ["The password is swordfish.\n> quoted haddock\n"]


@pytest.mark.parametrize(
    ("copies", "imported"),
    [
        ([mail(Message_ID="<1@x>"), mail(Message_ID="<1@x>")], 1),
        ([mail(Message_ID="<1@x>"), mail("Good morning.\n\nlist footer", Message_ID="<1@x>")], 1),
        ([mail(Message_ID="<1@x>"), mail(Message_ID="<2@x>")], 1),
        ([mail(), mail()], 1),
        ([mail(Message_ID="<1@x>"), mail()], 1),
        ([mail("a", Message_ID="<1@x>"), mail("b", Message_ID="<2@x>"), mail("b", Message_ID="<1@x>")], 1),
        ([mail("a", Message_ID="<1@x>"), mail("b", Message_ID="<2@x>")], 2),
        ([mail("a"), mail("b")], 2),
    ],
)
def test_a_mail_in_several_folders_counts_once_whatever_the_order(
    tmp_path: Path, copies: list[bytes], imported: int
) -> None:
    forward = found_in(tmp_path / "a", {f"folder{n}/1": one for n, one in enumerate(copies)})
    backward = found_in(tmp_path / "b", {f"folder{n}/1": one for n, one in enumerate(reversed(copies))})
    assert forward.counts["imported"] == imported
    assert forward.counts["duplicate"] == len(copies) - imported
    assert rows(forward) == rows(backward)


def test_the_copy_that_was_written_to_us_stands_for_the_one_that_came_over_a_list(tmp_path: Path) -> None:
    direct = mail(Message_ID="<1@x>", Cc="talk@lists.example")
    over = mail(
        Message_ID="<1@x>", Cc="talk@lists.example", List_Id="<talk.lists.example>", List_Post="<mailto:t@l.example>"
    )
    for names in (("1", "2"), ("2", "1")):
        found = found_in(tmp_path / names[0], dict(zip(names, (direct, over), strict=True)))
        assert (found.counts["imported"], kept_apart(found)) == (1, {"duplicate": 1})


def test_the_copy_that_names_most_addressees_stands_for_all(tmp_path: Path) -> None:
    received, sent = ours(Message_ID="<1@x>"), ours(Message_ID="<1@x>", Bcc="carl@other.example")
    for names in (("1", "2"), ("2", "1")):
        found = found_in(tmp_path / names[0], dict(zip(names, (received, sent), strict=True)))
        assert [row["account_id"] for row in rows(found)] == ["acme.example", "other.example"]


def test_an_answer_to_any_of_the_ids_of_a_mail_is_linked(tmp_path: Path) -> None:
    copies = {"1": mail(ASKED, Message_ID="<1@x>"), "2": mail(ASKED, Message_ID="<2@x>")}
    answers = {
        f"a{n}": ours(f"Answer {n}", In_Reply_To=f"<{n}@x>", Date=f"Sat, {n} Jun 2024 12:00 +0000") for n in (1, 2)
    }
    asked, first, second = rows(found_in(tmp_path, copies | answers))
    assert first["reply_to"] == second["reply_to"] == asked["interaction_id"]
    assert first["thread_id"] == second["thread_id"] == asked["thread_id"]


def test_what_is_not_between_us_and_clients_is_kept_apart_and_told(tmp_path: Path) -> None:
    mails = {
        "internal": ours("a", To="di@ours.example"),
        "nobody": ours("b", To="undisclosed-recipients:;"),
        "stranger": mail("c", To="carl@old.example"),
        "vacation": mail("d", Auto_Submitted="auto-replied"),
        "list": mail("e", List_Post="<mailto:talk@lists.example>"),
        "news1": mail("f", List_Unsubscribe="<https://acme.example>"),
        "news2": mail("To leave, click here to unsubscribe.", From="offers@shop.example"),
        "bounce": mail("g", From="mailer-daemon@acme.example"),
        "meeting": mail(
            "--b\nContent-Type: text/calendar\n\nBEGIN:VCALENDAR\n--b--", Content_Type="multipart/mixed; boundary=b"
        ),
        "spam": mail("h", X_Spam_Flag="YES"),
        "draft:2,D": ours("i"),
        "good": mail("j"),
        "notes.txt": b"milk\n",
    }
    found = found_in(tmp_path, mails)
    assert kept_apart(found) == {
        "internal": 1,
        "to nobody named": 1,
        "not to us": 1,
        "automatic mail": 1,
        "list": 1,
        "newsletter": 2,
        "delivery report": 1,
        "calendar invitation": 1,
        "spam": 1,
        "draft": 1,
    }
    assert [row["account_id"] for row in rows(found)] == ["acme.example"]
    assert "mail: newsletter, told by list-unsubscribe (1), its words (1)" in found.notes
    assert "mail: of those not to us 1 went to old.example; if it is one of yours, name it, too" in found.notes
    assert found.others == ["notes.txt"]


def test_an_answer_that_speaks_of_leaving_a_mailing_is_none(tmp_path: Path) -> None:
    asked = ours("Do you read our news?", Message_ID="<1@x>")
    answer = mail("Please unsubscribe me.", In_Reply_To="<1@x>")
    assert found_in(tmp_path, {"1": asked, "2": answer}).counts["imported"] == 2


def test_what_cannot_be_taken_over_is_rejected_with_the_reason(tmp_path: Path) -> None:
    mails = {
        "box": ENVELOPE
        + mail()
        + b"\n"
        + ENVELOPE.replace(b"2024", b"1980")
        + mail(Date="Tue, 1 Jan 1980 00:00 +0000"),
        "unsigned.eml": mail(From="Ann Berg"),
        "empty.eml": b"",
        "late.eml": mail(Date="Mon, 1 Jan 2029 00:00:00 +0000"),
        "half.gz": gzip.compress(mail())[:20],
    }
    found = found_in(tmp_path, mails, MailOptions(frozenset({"ours.example"}), until=WRITTEN_AT))
    date = "a date from 1990 on that is not to come, or a Received header that tells one"
    writer = "the writer's address, such as ann@example.org"
    assert [(one.file, one.row, one.column, one.value, one.allowed) for one in found.rejects[:4]] == [
        ("box", 2, "Date", "Tue, 1 Jan 1980 00:00 +0000", date),
        ("empty.eml", 1, "From", "", writer),
        ("late.eml", 1, "Date", "Mon, 1 Jan 2029 00:00:00 +0000", date),
        ("unsigned.eml", 1, "From", "Ann Berg", writer),
    ]
    assert [one.file for one in found.rejects[4:]] == ["half.gz"]
    assert (found.counts["imported"], found.counts["rejected"]) == (1, 4)


def test_repaired_dates_are_told(tmp_path: Path) -> None:
    received = "by mx.ours.example; Fri, 31 May 2024 14:00:20 +0200"
    found = found_in(tmp_path, {"1": mail(Date="Thu, 31 May 2046 14:00:00 +0200", Received=received)})
    assert [row["at"] for row in rows(found)] == ["2024-05-31T12:00:20Z"]
    assert found.notes == ["mail: 1 wrong dates replaced by the time a server received the mail"]


def test_the_contact_table_decides_on_accounts(tmp_path: Path) -> None:
    table = tmp_path / "people.csv"
    table.write_text("email,account_id,contact_id\nann@acme.example,acme,C-7\nacme.example,acme,\n", "utf-8")
    options = MailOptions(frozenset({"ours.example"}), contact_table(table))
    mails = {"1": mail(), "2": mail("Other.", From="Amy <amy@uk.acme.example>")}
    found = found_in(tmp_path / "mails", mails, options)
    assert {(row["account_id"], row["contact_id"]) for row in rows(found)} == {
        ("acme", "C-7"),
        ("acme", "amy@uk.acme.example"),
    }
    assert [row["contact_id"] for row in rows(found, "contacts")] == ["amy@uk.acme.example"]


def test_a_change_of_accounts_leaves_the_ids_of_interactions(tmp_path: Path) -> None:
    table = tmp_path / "people.csv"
    table.write_text("email,account_id\nacme.example,acme\n", "utf-8")
    by_domain = found_in(tmp_path / "mails", conversation())
    by_table = found_in(tmp_path / "mails", conversation(), MailOptions(OURS.our_domains, contact_table(table)))
    assert [row["interaction_id"] for row in rows(by_table)] == [row["interaction_id"] for row in rows(by_domain)]
    assert {row["account_id"] for row in rows(by_table)} == {"acme", "carl@gmail.com"}


def test_without_knowing_who_we_are_nothing_is_read(tmp_path: Path) -> None:
    put(tmp_path, conversation())
    with pytest.raises(
        SourceError, match=r"--our-domain; the most frequent are acme\.example, ours\.example, gmail\.com"
    ):
        read(tmp_path, MailOptions())


def test_an_empty_mailbox_gives_empty_tables(tmp_path: Path) -> None:
    found = found_in(tmp_path, {"notes.txt": b"milk\n"})
    assert [len(table) for table in found.tables.values()] == [0, 0]
    assert not recognises(tmp_path)


def test_progress_goes_from_reading_to_linking(tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    read(put(tmp_path, conversation()), OURS, lambda step, share: told.append((step, share)))
    assert [step for step, _ in told] == ["reading mails", "linking mails", "linking mails"]
    assert all(0 <= share <= 1 for _, share in told)


PARTS = st.sampled_from(
    [
        *(mail(), mail(Message_ID="<1@x>"), ours(In_Reply_To="<1@x>"), mail(Date="x"), mail(From=None), ours(To=None)),
        *(mail(List_Id="<a.b>"), mail(Subject="=?x?"), mail(Content_Type="multipart/mixed; boundary=b"), ENVELOPE),
        *(
            b"From \n",
            b"PK\x03\x04",
            b"\x1f\x8b",
            b"\n\n",
            b"> quoted\n",
            b"\xff\x00",
            b"<html>",
            b"--b\n",
            gzip.compress(mail()),
        ),
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.lists(PARTS | st.binary(max_size=6), max_size=6).map(b"".join), max_size=4))
def test_no_mailbox_makes_reading_fail_and_none_of_its_messages_is_lost(tmp_path: Path, files: list[bytes]) -> None:
    folder = tmp_path / str(len(list(tmp_path.iterdir())))
    folder.mkdir()
    found = found_in(folder, {f"{place}.eml": content for place, content in enumerate(files)})
    assert isinstance(found.tables["interactions"], pa.Table)
    recognises(folder)
