"""One message → its fields, addresses, dates and text, whatever is broken about it."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.sources.mail.dates import NoDate, moment_of, written_at
from features.sources.mail.messages import (
    Fields,
    content_digest,
    decoded,
    read_body,
    read_fields,
    text_of_bytes,
)
from features.sources.parties import Address
from tests.features.mail_samples import ENVELOPE, WRITTEN, WRITTEN_AT, mail

HTML = "Content-Type: text/html; charset=utf-8\n\n"


def fields_of(**fields: str | None) -> Fields:
    return read_fields(mail(**fields))


def multipart(*parts: str, kind: str = "mixed") -> bytes:
    body = "".join(f"--b\n{part}\n" for part in parts) + "--b--\n"
    return mail(body, Content_Type=f'multipart/{kind}; boundary="b"')


def test_fields_are_read_with_folds_and_in_any_capitals() -> None:
    fields = read_fields(ENVELOPE + b"FROM: Ann\n <ann@acme.example>\nsubject: One\n\tline\n\nBody: no field\n")
    assert fields.addresses("from") == [Address("ann@acme.example", "Ann")]
    assert fields.first("subject") == "One line"
    assert fields.envelope.startswith("From ann@acme.example")
    assert "body" not in fields
    assert fields.first("cc") == ""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ann@acme.example", [Address("ann@acme.example")]),
        ("Ann.Berg@ACME.example", [Address("ann.berg@acme.example")]),
        ('"Berg, Ann" <ann@acme.example>', [Address("ann@acme.example", "Berg, Ann")]),
        ("'ann@acme.example'", [Address("ann@acme.example")]),
        ("ann@acme.example (Ann Berg)", [Address("ann@acme.example", "Ann Berg")]),
        ("ann at acme.example (Ann Berg)", [Address("ann@acme.example", "Ann Berg")]),
        ("k..ann@acme.example, o'bo@acme.example", [Address("k..ann@acme.example"), Address("o'bo@acme.example")]),
        ("=?iso-8859-1?Q?J=F6rg?= <j@acme.example>", [Address("j@acme.example", "Jörg")]),
        ("Jörg <j@acme.example>", [Address("j@acme.example", "Jörg")]),
        ("undisclosed-recipients:;", []),
        ("Team: ann@acme.example, bo@acme.example;", [Address("ann@acme.example"), Address("bo@acme.example")]),
        ("ann@acme.example, Ann <ANN@acme.example>", [Address("ann@acme.example")]),
        ("Ann Berg", []),
        ("@", []),
        ("", []),
        ("(" * 20_000, []),
        ("x" * 300 + "@acme.example", []),
    ],
)
def test_addresses_are_found_in_all_common_forms(value: str, expected: list[Address]) -> None:
    assert fields_of(To=value).addresses("to") == expected


def test_bare_bytes_in_a_header_are_read() -> None:
    latin = read_fields(b"From: J\xf6rg <j@acme.example>\nSubject: Gr\xfc\xdfe\n\n")
    assert latin.addresses("from") == [Address("j@acme.example", "Jörg")]
    assert latin.first("subject") == "Grüße"
    assert read_fields("Subject: Grüße\n\n".encode()).first("subject") == "Grüße"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("=?utf-8?B?R3LDvMOfZQ==?=", "Grüße"),
        ("=?utf-8?Q?Gr=C3=BC?= =?utf-8?Q?=C3=9Fe?=", "Grüße"),
        ("=?x-unknown?Q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        ("=?utf-8?B?not base64!?=", "=?utf-8?B?not base64!?="),
        ("Offer =?us-ascii?Q?caf=E9?=", "Offer café"),
        ("plain", "plain"),
    ],
)
def test_encoded_words_are_decoded_or_left(value: str, expected: str) -> None:
    assert decoded(value) == expected


@pytest.mark.parametrize(
    ("data", "charset", "expected"),
    [
        (b"caf\xe9", "us-ascii", "café"),
        (b"caf\xc3\xa9", "us-ascii", "café"),
        (b"\x93quoted\x94", "iso-8859-1", "“quoted”"),
        ("你好".encode("gb18030"), "GB2312", "你好"),
        ("привет".encode("koi8-r"), "koi8-r", "привет"),
        (b"a\x81b", "windows-1252", "a�b"),
        (b"plain", "unicode_escape", "plain"),
        (b"plain", "base64", "plain"),
        (b"plain", "no\0such", "plain"),
    ],
)
def test_text_survives_broken_charsets(data: bytes, charset: str, expected: str) -> None:
    assert text_of_bytes(data, charset) == expected


@pytest.mark.parametrize(
    ("in_reply_to", "references", "expected"),
    [
        (None, None, ()),
        ("<p@x>", None, ("p@x",)),
        (None, "<a@x> <b@x>\n <p@x>", ("a@x", "b@x", "p@x")),
        ("<p@x>", "<a@x> <p@x>", ("a@x", "p@x")),
        ("<p@x>", "<a@x>", ("a@x", "p@x")),
        ("<p@x>", "<a@x> <p@x> <later@x>", ("a@x", "p@x")),
        ('Message from Ann <ann@acme.example> of "Friday" <p@x>', None, ("p@x",)),
        ("<p@x> from Ann <ann@acme.example>", "<p@x>", ("p@x",)),
        ("Your message of Friday", None, ()),
    ],
)
def test_the_nearest_parent_stands_last(
    in_reply_to: str | None, references: str | None, expected: tuple[str, ...]
) -> None:
    assert fields_of(In_Reply_To=in_reply_to, References=references).parents() == expected


def at(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp())  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (WRITTEN, WRITTEN_AT),
        ("31 May 2024 12:00 GMT", WRITTEN_AT),
        ("Fri, 31 May 24 08:00:00 EDT", WRITTEN_AT),
        ("Fri May 31 12:00:00 2024", WRITTEN_AT),
        ("Fri, 31 May 2024 12:00:00", WRITTEN_AT),
        ("Fri, 31 May 2024 14:00:00 +0200 (CEST)", WRITTEN_AT),
        ("2024-05-31 12:00:00", WRITTEN_AT),
        ("2024-05-31T14:00:00+02:00", WRITTEN_AT),
        ("Fri, 31 May 2024 12:00:00 +9999", WRITTEN_AT),
        ("Fri, 31 May 2024 11:59:60 +0000", WRITTEN_AT - 1),
        ("Fri, 31 Mai 2024 12:00:00 +0000", None),
        ("Fri, 31 Jun 2024 12:00:00 +0000", None),
        ("Fri, 31 May 2024 25:00:00 +0000", None),
        ("yesterday", None),
        ("", None),
        ("9" * 10_000, None),
    ],
)
def test_dates_are_read_in_all_common_forms(text: str, expected: int | None) -> None:
    assert moment_of(text) == expected


RECEIVED = [
    "from b by c; Fri, 31 May 2024 14:00:20 +0200",
    "from a by b (x; y); Fri, 31 May 2024 12:00:10 +0000",
    "from somewhere; no date",
]


@pytest.mark.parametrize(
    ("date", "received", "envelope", "expected"),
    [
        (WRITTEN, RECEIVED, "", (WRITTEN_AT, False)),
        (WRITTEN, [], "", (WRITTEN_AT, False)),
        ("Tue, 1 Jan 1980 00:00:00 +0000", RECEIVED, "", (WRITTEN_AT + 10, True)),
        ("Thu, 1 Jan 1970 00:00:00 +0000", RECEIVED, "", (WRITTEN_AT + 10, True)),
        ("Wed, 31 May 2028 12:00:00 +0000", RECEIVED, "", (WRITTEN_AT + 10, True)),
        ("Sat, 1 Jun 2024 11:00:00 +0000", RECEIVED, "", (at(2024, 6, 1, 11), False)),
        ("Sun, 2 Jun 2024 13:00:00 +0000", RECEIVED, "", (WRITTEN_AT + 10, True)),
        ("Fri, 3 May 2024 12:00:00 +0000", RECEIVED, "", (at(2024, 5, 3, 12), False)),
        ("Mon, 1 Apr 2024 12:00:00 +0000", RECEIVED, "", (WRITTEN_AT + 10, True)),
        ("", RECEIVED, "", (WRITTEN_AT + 10, True)),
        ("", [], "From ann@acme.example Fri May 31 12:00:00 2024", (WRITTEN_AT, True)),
        ("", RECEIVED, "From ann@acme.example Mon Jun  3 12:00:00 2024", (WRITTEN_AT + 10, True)),
        (WRITTEN, ["by us; Tue, 1 Jan 1980 00:00:00 +0000"], "", (WRITTEN_AT, False)),
    ],
)
def test_a_wrong_date_is_replaced_by_when_servers_received_the_mail(
    date: str, received: list[str], envelope: str, expected: tuple[int, bool]
) -> None:
    assert written_at(date, received, envelope, None) == expected


def test_without_any_date_that_can_be_the_mail_is_refused() -> None:
    for date in ("Tue, 1 Jan 1980 00:00:00 +0000", "", "soon"):
        with pytest.raises(NoDate, match="from 1990 on"):
            written_at(date, [], "", None)


def test_what_was_written_after_the_end_is_refused() -> None:
    assert written_at(WRITTEN, [], "", WRITTEN_AT - 86_400) == (WRITTEN_AT, False)
    with pytest.raises(NoDate):
        written_at(WRITTEN, [], "", WRITTEN_AT - 86_401)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (mail("Plain.\n"), "Plain."),
        (mail(b"caf\xe9", Content_Type="text/plain; charset=iso-8859-1"), "café"),
        (mail(b"caf\xe9", Content_Type='text/plain; charset="no-such"'), "café"),
        (mail("caf=C3=A9=\n s", Content_Transfer_Encoding="QUOTED-PRINTABLE"), "café s"),
        (mail(base64.b64encode("café".encode()), Content_Transfer_Encoding="base64"), "café"),
        (mail("plain\n", Content_Transfer_Encoding="x-unknown"), "plain"),
        (mail("a\0b"), "ab"),
        (multipart("Content-Type: text/plain\n\nOne.", HTML + "<p>Two."), "One."),
        (multipart(HTML + "<p>Two.", "Content-Type: text/plain\n\nOne.", kind="alternative"), "One."),
        (multipart("Content-Type: text/plain\n\n \n", HTML + "<p>Two."), "Two."),
        (multipart("Content-Type: text/plain\nContent-Disposition: attachment\n\nlog", HTML + "Two."), "Two."),
        (multipart("Content-Type: message/rfc822\n\nSubject: x\n\nForwarded.", "Content-Type: image/png\n\nxx"), ""),
        (mail("no parts at all", Content_Type="multipart/mixed"), ""),
        (mail("x", Content_Type="application/pdf"), ""),
    ],
)
def test_the_text_of_a_mail_is_found(content: bytes, expected: str) -> None:
    assert read_body(content).text.strip() == expected


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>One &amp; two<br>three</p><div>four</div>", ["One & two", "three", "four"]),
        ("<style>p {}</style><title>x</title><script>y</script>One", ["One"]),
        ("Yes.<blockquote>We?<blockquote>Who?</blockquote>I</blockquote>So", ["Yes.", "> We?", ">> Who?", "> I", "So"]),
        ("One <![if foo]> two", ["One two"]),
        ("a < b and c", ["a < b and c"]),
        ("</blockquote></style>One", ["One"]),
    ],
)
def test_html_becomes_lines_with_quotes_marked(html: str, expected: list[str]) -> None:
    text = read_body(mail(html, Content_Type="text/html; charset=utf-8")).text
    assert [" ".join(line.split()) for line in text.splitlines()] == expected


def test_a_calendar_is_told_wherever_it_lies() -> None:
    calendar = "Content-Type: text/calendar; method=REQUEST\n\nBEGIN:VCALENDAR"
    assert read_body(multipart("Content-Type: text/plain\n\nCome.", calendar)).calendar
    assert not read_body(multipart("Content-Type: text/plain\n\nCome.")).calendar


def test_parts_within_parts_without_end_do_no_harm() -> None:
    nested = "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n' for n in range(3_000))
    assert read_body(mail(nested, Content_Type="multipart/mixed; boundary=x")).text == ""
    assert read_body(nested.encode()).text == ""


def test_copies_share_what_they_say_and_not_how_they_were_delivered() -> None:
    def digest(content: bytes) -> bytes:
        return content_digest(content, read_fields(content))

    sent = mail("One.\n\nTwo.\n", Message_ID="<1@x>")
    assert digest(mail("One.\r\n\r\nTwo.\r\n\n", Message_ID="<2@x>", Received="by us", Bcc="x@x.example")) == digest(
        sent
    )
    assert digest(mail("One.\n\nTwo.\n", Subject="Offer\n 2")) == digest(mail("One.\n\nTwo.\n", Subject="Offer 2"))
    for other in (mail("One.\n\nThree.\n"), mail("One.\n\nTwo.\n", Subject="Other"), mail("One.\n\nTwo.\n", Date="x")):
        assert digest(other) != digest(sent)


PIECES = st.sampled_from(
    [
        *(
            b"From: ",
            b"To: ",
            b"Subject: ",
            b"Date: ",
            b"Received: ;",
            b"Content-Type: ",
            b"Message-ID: ",
            b"\n",
            b"\n\n",
        ),
        *(
            b"\r\n",
            b"\t",
            b"ann@acme.example",
            b"<",
            b">",
            b'"',
            b"(",
            b",",
            b";",
            b"=?utf-8?B?",
            b"?=",
            b"=?x?q?=E9?=",
        ),
        *(
            b"multipart/mixed; boundary=b",
            b"\n--b\n",
            b"text/html; charset=",
            b"utf-7",
            b"idna",
            b"<![",
            b"<!--",
            b"&#x0;",
        ),
        *(
            b"Content-Transfer-Encoding: base64\n",
            b"Content-Transfer-Encoding: x-uuencode\n\nbegin 6 a\n",
            b"\x00",
            b"\xff",
        ),
        *(b"Mon, 1 Jan 2024 99:99 +0000", b"charset*=x'y'z%FF", b"filename*0=", b"<blockquote>", b"message/rfc822\n\n"),
    ]
)


@given(st.lists(PIECES | st.binary(max_size=8), max_size=40).map(b"".join))
def test_nothing_that_may_lie_in_a_mailbox_makes_reading_fail(content: bytes) -> None:
    fields = read_fields(content)
    for address in fields.addresses("from", "to"):
        address.address.encode()
        assert 0 < len(address.address) <= 200
    moment_of(fields.first("date"))
    decoded(fields.first("subject")).encode()
    fields.parents()
    content_digest(content, fields)
    read_body(content).text.encode()
