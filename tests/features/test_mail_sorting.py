"""Who is who in a mail, and which mails nobody wrote to anybody."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from features.sources.mail.messages import read_fields
from features.sources.mail.sorting import kept_apart
from features.sources.parties import Address, Parties, Person, Side, contact_table, is_free, registered
from features.sources.readers import SourceError
from tests.features.mail_samples import mail

BO, ANN, CARL = Address("bo@ours.example"), Address("ann@acme.example"), Address("carl@other.example")
US = Parties(["ours.example"], {})


def sorted_as(fields: Mapping[str, str], file: str = "inbox", parties: Parties = US) -> tuple[str, str] | None:
    header = read_fields(mail(**fields))
    return kept_apart(header, header.addresses("from")[0].address, file, parties)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"Subject": "Out of office hours support"}, None),
        ({"Subject": "Re: Automatic reply: Offer"}, None),
        ({"Feedback_ID": "a helpdesk's"}, None),
        ({"Auto_Submitted": "no"}, None),
        ({"Precedence": "first-class"}, None),
        ({"List_Post": "NO"}, None),
        ({"X_Spam_Status": "No, score=0.1"}, None),
        ({"Auto_Submitted": "auto-replied (vacation)"}, ("automatic mail", "Auto-Submitted")),
        ({"Auto_Submitted": "auto-generated"}, ("automatic mail", "Auto-Submitted")),
        ({"X_Autoreply": "yes"}, ("automatic mail", "x-autoreply")),
        ({"Precedence": "auto_reply"}, ("automatic mail", "Precedence")),
        ({"Subject": "Automatic reply: Offer"}, ("automatic mail", "its subject")),
        ({"Subject": "=?utf-8?Q?R=C3=A9ponse_automatique_?= : Offer"}, ("automatic mail", "its subject")),
        ({"Subject": "Out of Office: Offer"}, ("automatic mail", "its subject")),
        ({"Subject": "Out of Office AutoReply: Offer"}, ("automatic mail", "its subject")),
        ({"Subject": "out of the office"}, ("automatic mail", "its subject")),
        ({"Subject": "Abwesenheitsnotiz: Offer"}, ("automatic mail", "its subject")),
        ({"From": "no-reply@acme.example"}, ("automatic mail", "the sender's name")),
        ({"From": "do_not_reply-17@acme.example"}, ("automatic mail", "the sender's name")),
        ({"Content_Type": "text/calendar; method=REPLY"}, ("calendar invitation", "text/calendar")),
        ({"Content_Class": "urn:content-classes:calendarmessage"}, ("calendar invitation", "text/calendar")),
        ({"Content_Type": "multipart/report; report-type=delivery-status"}, ("delivery report", "multipart/report")),
        ({"From": "MAILER-DAEMON@acme.example"}, ("delivery report", "the sender's name")),
        ({"Return_Path": "<>", "Subject": "Undeliverable: Offer"}, ("delivery report", "its subject")),
        ({"Subject": "Undeliverable: Offer"}, None),
        ({"List_Id": "Talk <talk.lists.example>", "List_Post": "<mailto:talk@lists.example>"}, ("list", "list-post")),
        ({"X_Mailing_List": "talk@lists.example"}, ("list", "x-mailing-list")),
        ({"Precedence": "list"}, ("list", "Precedence")),
        ({"Sender": "talk-bounces@lists.example"}, ("list", "Sender")),
        ({"Sender": "owner-talk@lists.example"}, ("list", "Sender")),
        ({"Sender": "assistant@acme.example"}, None),
        ({"List_Unsubscribe": "<https://acme.example/leave>"}, ("newsletter", "list-unsubscribe")),
        ({"List_Id": "<1234.mailer.example>"}, ("newsletter", "list-id")),
        ({"Precedence": "bulk"}, ("newsletter", "Precedence")),
        ({"From": "newsletter@acme.example"}, ("newsletter", "the sender's name")),
        ({"X_Spam_Flag": "YES"}, ("spam", "X-Spam-Flag")),
        ({"X_Gmail_Labels": "Inbox,Spam"}, ("spam", "X-Gmail-Labels")),
        ({"X_Gmail_Labels": "Drafts"}, ("draft", "a draft's flag")),
    ],
)
def test_mails_that_nobody_wrote_to_anybody_are_told(
    fields: Mapping[str, str], expected: tuple[str, str] | None
) -> None:
    assert sorted_as(fields) == expected


@pytest.mark.parametrize(
    "fields",
    [
        {
            "List_Id": "Sales <sales.ours.example>",
            "List_Unsubscribe": "<mailto:x@groups.example>",
            "Precedence": "list",
        },
        {"List_Post": "<https://groups.example/x>, <mailto:sales@ours.example>", "Precedence": "bulk"},
        {"X_BeenThere": "sales@mail.ours.example", "Sender": "sales-bounces@ours.example"},
    ],
)
def test_a_list_of_our_own_is_a_way_to_reach_us(fields: Mapping[str, str]) -> None:
    assert sorted_as(fields) is None
    assert sorted_as(fields, parties=Parties(["else.example"], {})) is not None


def test_a_draft_in_a_maildir_is_told_by_its_name() -> None:
    assert sorted_as({}, "box/cur/1717.M1.host:2,DS") == ("draft", "a draft's flag")
    assert sorted_as({}, "box/cur/1717.M1.host:2,S") is None


def test_what_a_client_writes_is_the_clients_whoever_else_it_reaches() -> None:
    assert US.sides(ANN, [CARL, BO], []) == [
        Side("acme.example", "client", "ann@acme.example", "ann@acme.example", "bo@ours.example")
    ]


def test_what_we_write_is_one_interaction_for_each_account() -> None:
    second = Address("amy@acme.example")
    assert US.sides(BO, [Address("di@ours.example"), ANN, CARL, second], []) == [
        Side("acme.example", "us", "ann@acme.example", "ann@acme.example", "bo@ours.example"),
        Side("other.example", "us", "carl@other.example", "carl@other.example", "bo@ours.example"),
    ]


def test_mail_that_is_not_between_us_and_a_client_says_why() -> None:
    assert US.sides(BO, [Address("di@ours.example"), Address("x@sub.ours.example")], []) == "internal"
    assert US.sides(BO, [], []) == "to nobody named"
    assert US.sides(ANN, [CARL], []) == "not to us"
    assert US.sides(ANN, [], []) == "not to us"


def test_the_mailbox_that_a_mail_reached_tells_that_it_was_to_us() -> None:
    assert US.sides(ANN, [CARL], [BO]) == [
        Side("acme.example", "client", "ann@acme.example", "ann@acme.example", "bo@ours.example")
    ]
    assert US.sides(BO, [], [ANN]) == "to nobody named"


def test_people_belong_to_the_registered_domain_or_at_free_providers_to_themselves() -> None:
    assert US.person("ann@sales.acme.co.uk") == Person("ann@sales.acme.co.uk", "acme.co.uk")
    assert US.person("ann@gmail.com") == Person("ann@gmail.com", "ann@gmail.com")
    assert US.person("bo@mail.ours.example") is None
    assert US.person("bo@notours.example") == Person("bo@notours.example", "notours.example")


def test_our_own_address_at_a_free_provider_is_ours() -> None:
    parties = Parties(["@ours.example", " Bo@gmail.com "], {})
    assert parties.person("bo@gmail.com") is None
    assert parties.person("ann@gmail.com") is not None


def test_the_contact_table_goes_first_by_address_then_by_domain() -> None:
    table = {
        "ann@gmail.com": Person("C-7", "acme", True),
        "acme.example": Person("acme.example", "acme", True),
        "x@ours.example": Person("C-8", "acme", True),
    }
    parties = Parties(["ours.example"], table)
    assert parties.person("ann@gmail.com") == Person("C-7", "acme", True)
    assert parties.person("di@uk.acme.example") == Person("di@uk.acme.example", "acme")
    assert parties.person("x@ours.example") == Person("C-8", "acme", True)
    assert parties.sides(BO, [Address("di@acme.example"), Address("ann@gmail.com")], []) == [
        Side("acme", "us", "di@acme.example", "di@acme.example", "bo@ours.example")
    ]


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("acme.example", "acme.example"),
        ("a.b.acme.example", "acme.example"),
        ("acme.co.uk", "acme.co.uk"),
        ("mail.acme.com.au", "acme.com.au"),
        ("co.uk", "co.uk"),
        ("localhost", "localhost"),
    ],
)
def test_registered_domains(domain: str, expected: str) -> None:
    assert registered(domain) == expected


@pytest.mark.parametrize("domain", ["gmail.com", "gmx.de", "gmx.co.uk", "yahoo.com.br", "mail.yahoo.fr", "t-online.de"])
def test_free_providers_are_known(domain: str) -> None:
    assert is_free(domain)


@pytest.mark.parametrize("domain", ["acme.example", "gmail.acme.example", "gmail", "hotmailing.example", "live"])
def test_others_are_none(domain: str) -> None:
    assert not is_free(domain)


def test_a_contact_table_is_read_from_any_kind_of_file(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("email,account_id,contact_id,note\n Ann@Gmail.com ,acme,C-7,x\n@acme.example,acme,,\n", "utf-8")
    assert contact_table(path) == {
        "ann@gmail.com": Person("C-7", "acme", True),
        "acme.example": Person("acme.example", "acme", True),
    }


def test_a_contact_table_without_what_it_needs_is_turned_away(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("mail,account_id\nann@gmail.com,acme\n", "utf-8")
    with pytest.raises(SourceError, match="has no column email; a contact table has email and account_id"):
        contact_table(path)
    path.write_text("email,account_id\nann@gmail.com,acme\nbo@gmail.com,\n", "utf-8")
    with pytest.raises(SourceError, match="row 2: needs both email and account_id"):
        contact_table(path)
