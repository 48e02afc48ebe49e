"""Where mails lie: mbox, maildir, folders and archives, told by content, and what is damaged or hostile about them."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from features.sources import archives
from features.sources.mail import containers
from features.sources.mail.containers import Piece, Pieces, holds_mail
from tests.features.mail_samples import ENVELOPE, mail, put

ONE, TWO = mail("First.\n", Message_ID="<1@acme.example>"), mail("Second.\n", Message_ID="<2@acme.example>")
MBOX = ENVELOPE + ONE + b"\n" + ENVELOPE + TWO


def zipped(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def tarred(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def pieces_of(path: Path) -> tuple[list[Piece], Pieces]:
    pieces = Pieces(path)
    return list(pieces), pieces


def bodies(path: Path) -> list[bytes]:
    return [piece.content.partition(b"\n\n")[2].strip() for piece in Pieces(path)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("box", MBOX),
        ("box.mbox", MBOX.replace(b"\n", b"\r\n")),
        ("box.gz", gzip.compress(MBOX)),
        ("box.zip", zipped({"mail/box": MBOX})),
        ("singles.zip", zipped({"b.eml": TWO, "a.eml": ONE})),
        ("singles.tar", tarred({"cur/a:2,S": ONE, "cur/b:2,": TWO})),
        ("singles.tgz", gzip.compress(tarred({"1.": ONE, "2.": TWO}))),
        ("nested.zip", zipped({"inner.zip": zipped({"box": MBOX})})),
        ("tar-in-a.zip", zipped({"inner.tar.gz": gzip.compress(tarred({"box": MBOX}))})),
    ],
)
def test_the_same_mails_come_out_of_whatever_they_lie_in(tmp_path: Path, name: str, content: bytes) -> None:
    path = put(tmp_path, {name: content}) / name
    read, pieces = pieces_of(path)
    texts = [piece.content.replace(b"\r\n", b"\n").partition(b"\n\n")[2].strip() for piece in read]
    assert texts == [b"First.", b"Second."]
    assert holds_mail(path)
    assert not pieces.rejects
    assert not pieces.others
    assert [0 <= piece.share <= 1 for piece in read] == [True, True]


def test_a_maildir_and_folders_of_single_mails_are_read_in_the_order_of_names(tmp_path: Path) -> None:
    put(tmp_path, {"cur/2:2,S": TWO, "cur/1:2,S": ONE, "new/3": ONE, ".Sent/cur/4": TWO, "notes.txt": b"shopping\n"})
    read, pieces = pieces_of(tmp_path)
    assert [(piece.file, piece.number) for piece in read] == [
        (".Sent/cur/4", 1),
        ("cur/1:2,S", 1),
        ("cur/2:2,S", 1),
        ("new/3", 1),
    ]
    assert pieces.others == ["notes.txt"]
    shares = [piece.share for piece in read]
    assert shares == sorted(shares)
    assert shares[-1] <= 1


def test_lines_in_a_text_that_begin_with_from_end_no_message(tmp_path: Path) -> None:
    text = b"Hello,\n\nFrom Monday on I am away.\nFrom 12:30 in 2024 too.\n>From here on.\n>>From there.\n"
    path = put(tmp_path, {"box": ENVELOPE + mail(text) + b"\n" + ENVELOPE + TWO}) / "box"
    assert bodies(path) == [
        b"Hello,\n\nFrom Monday on I am away.\nFrom 12:30 in 2024 too.\nFrom here on.\n>From there.",
        b"Second.",
    ]


@pytest.mark.parametrize("line", [b"From - Fri May 31 14:00:00 2024\n", b"From \n", b"From -\n"])
def test_separators_as_desktop_programs_write_them(tmp_path: Path, line: bytes) -> None:
    path = put(tmp_path, {"Inbox": line + ONE + b"\n" + line + TWO}) / "Inbox"
    assert bodies(path) == [b"First.", b"Second."]


def test_an_empty_line_without_a_header_after_it_is_no_separator(tmp_path: Path) -> None:
    path = put(tmp_path, {"box": ENVELOPE + mail("One.\n\nFrom \nTwo.\n")}) / "box"
    assert bodies(path) == [b"One.\n\nFrom \nTwo."]


def test_of_a_long_message_only_the_beginning_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "MESSAGE_BYTES", 50_000)
    long = mail("attached\n" * 20_000)
    put(tmp_path, {"box": ENVELOPE + long + b"\n" + ENVELOPE + TWO, "single": long})
    sizes = {(piece.file, piece.number): len(piece.content) for piece in Pieces(tmp_path)}
    assert sizes == {("box", 1): 50_000, ("box", 2): len(ENVELOPE + TWO), ("single", 1): 50_000}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("accounts.csv", b"account_id,name\na1,Acme\n"),
        ("meeting.ics", b"BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nSUMMARY:Review\nEND:VEVENT\nEND:VCALENDAR\n"),
        ("rows.jsonl", b'{"from": "ann@acme.example", "to": "bo@ours.example"}\n'),
        ("memo.txt", b"A memo.\nFrom: Ann\nTo: Bo\nSubject: lunch\n"),
        ("settings.yaml", b"version: 1\ndate: 2024-01-01\n"),
        ("empty", b""),
        ("tables.zip", zipped({"Account.csv": b"Id,Name\n1,Acme\n", "Contact.csv": b"Id,Email\n1,a@acme.example\n"})),
    ],
)
def test_what_is_no_mail_is_not_taken_for_it(tmp_path: Path, name: str, content: bytes) -> None:
    path = put(tmp_path, {name: content}) / name
    assert not holds_mail(path)
    assert not holds_mail(tmp_path)
    assert not list(Pieces(path))


def test_mail_is_told_by_its_content_under_any_name(tmp_path: Path) -> None:
    assert holds_mail(put(tmp_path, {"export.csv": ONE}) / "export.csv")
    assert holds_mail(put(tmp_path, {"archive.txt": zipped({"x": MBOX})}) / "archive.txt")


def test_archives_too_deep_within_one_another_are_turned_away(tmp_path: Path) -> None:
    content = MBOX
    for _ in range(archives.DEEPEST + 1):
        content = zipped({"inner": content})
    read, pieces = pieces_of(put(tmp_path, {"deep.zip": content}) / "deep.zip")
    assert not read
    assert [reject.value for reject in pieces.rejects] == ["lies more than 3 archives deep"]


def test_an_archive_that_expands_beyond_reason_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "FREE_EXPANSION", 100_000)
    monkeypatch.setattr(archives, "LARGEST_EXPANSION", 10)
    bomb = zipped({"a.eml": ONE, "b.mbox": ENVELOPE + ONE + b"\0" * 5_000_000, **{f"c{n}.eml": TWO for n in range(50)}})
    read, pieces = pieces_of(put(tmp_path, {"bomb.zip": bomb, "good.eml": TWO}))
    assert [piece.file for piece in read] == ["bomb.zip/a.eml", "good.eml"]
    assert [(reject.file, reject.value) for reject in pieces.rejects] == [
        ("bomb.zip", "expands to more than 10 times its size")
    ]


@pytest.mark.parametrize(
    "packed", [gzip.compress(MBOX * 500), gzip.compress(tarred({f"{n}": TWO for n in range(500)}))]
)
def test_what_comes_before_the_damage_is_read(tmp_path: Path, packed: bytes) -> None:
    read, pieces = pieces_of(put(tmp_path, {"half.gz": packed[: len(packed) // 2]}) / "half.gz")
    assert read
    assert len(pieces.rejects) == 1
    assert pieces.rejects[0].allowed == "a file that can be read to its end"


def test_an_archive_with_a_password_is_turned_away(tmp_path: Path) -> None:
    content = bytearray(zipped({"box": MBOX}))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + offset] |= 1
    read, pieces = pieces_of(put(tmp_path, {"locked.zip": bytes(content)}) / "locked.zip")
    assert not read
    assert "password" in pieces.rejects[0].value


def test_formats_of_outlook_are_named(tmp_path: Path) -> None:
    put(tmp_path, {"all.pst": b"!BDN" + bytes(600), "one.msg": b"\xd0\xcf\x11\xe0" + bytes(600)})
    read, pieces = pieces_of(tmp_path)
    assert not read
    assert {(reject.file, reject.value) for reject in pieces.rejects} == {
        ("all.pst", "an Outlook data file"),
        ("one.msg", "an Outlook message"),
    }
    assert {reject.allowed for reject in pieces.rejects} == {"export the mails as mbox or .eml files"}


def test_links_out_of_an_archive_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(ONE)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("leak.eml")
        entry.type, entry.linkname = tarfile.SYMTYPE, str(tmp_path / "secret")
        archive.addfile(entry)
    path = put(tmp_path / "in", {"links.tar": packed.getvalue()}) / "links.tar"
    assert not list(Pieces(path))


def test_names_of_files_in_any_charset_can_be_told(tmp_path: Path) -> None:
    put(tmp_path, {"a.tar": tarred({"gr\udcfc\udcdfe.eml": ONE, "\udcff.txt": b"milk"})})
    read, pieces = pieces_of(tmp_path)
    assert [piece.file for piece in read] == ["a.tar/gr??e.eml"]
    assert pieces.others == ["a.tar/?.txt"]
