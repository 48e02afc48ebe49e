"""What of a text is quoted, and which mail answers which."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.sources.mail import quotes, threads
from features.sources.mail.quotes import SHINGLE_WORDS, layers, shingles
from features.sources.mail.threads import Linkable, Links, link, plain_subject

DAY = 86_400
NOW = 1_717_156_800


@pytest.mark.parametrize(
    ("text", "own", "quoted"),
    [
        ("Fine.", "fine", ""),
        ("", "", ""),
        ("> Shall we?\nYes.", "yes", "shall we"),
        ("Yes.\n\nOn 31 May, Ann Berg wrote:\n> Shall we?\n> > Who?\n>> When?", "yes", "shall we"),
        ("Ja.\nAm 31. Mai um 12:00 Uhr\nschrieb Ann Berg:\n> Wollen wir?", "ja", "wollen wir"),
        ("Ann Berg writes:\n| Shall we?\n  | And who?\nYes.", "yes", "shall we|and who"),
        ("AB> Shall we?\nAB> Who?\nYes.", "yes", "shall we|who"),
        ("Yes.\n> On 31 May, Ann Berg <ann@acme.example> wrote:\n>\n> Shall we?", "yes", "shall we"),
        ("Yes.\n-- \nBo\nOurs\n\nOn Monday Ann wrote:\n> Shall we?", "yes", "shall we"),
        ("Yes.\n" + "_" * 47 + "\nTalk mailing list\nhttps://lists.example/talk\n", "yes", ""),
        ("One.\n" + "_" * 47 + "\n" + "Two.\n" * 20, "one " + "two " * 20, ""),
        (
            "Yes.\n\n-----Original Message-----\nFrom: Ann Berg\nSent: Friday\nTo: Bo\nSubject: Offer\n\nShall we?\n"
            "-----Original Message-----\nFrom: Bo\nSent: Friday\nTo: Ann\nSubject: Offer\n\nWho is there?",
            "yes",
            "shall we",
        ),
        (
            "Yes.\n\n----- Original Message -----\nFrom: Ann\nTo: Bo\nSent: Friday\nSubject: Offer\n\n"
            "> Shall we?\n>> Who?",
            "yes",
            "shall we",
        ),
        ("Yes.\n\nFrom: Ann\nSent: Friday\nTo: Bo; Di;\n Ed\nCc: Flo\nSubject: Offer\n\nShall we?", "yes", "shall we"),
        ("Ja.\n\nVon: Ann Berg\nGesendet: Freitag\nAn: Bo\nBetreff: Angebot\n\nWollen wir?", "ja", "wollen wir"),
        ("Yes.\n\n\nAnn Berg\n05/31/2024 12:00 PM\nTo: Bo/Ours\ncc:  \nSubject: Offer\n\nShall we?", "yes", "shall we"),
        (
            "Yes.\n\n---------------------- Forwarded by Bo Lind on 05/31/2024 \n12:39 PM ------\n\nAnn Berg\n"
            "05/30/2024 09:00 PM\nTo: Bo\ncc:\nSubject: Offer\n\nShall we?",
            "yes",
            "shall we",
        ),
        ("Yes.\n> Subject: Offer\n> From: Ann\n> To: Bo\n> Date: Friday\n>\n> Shall we?", "yes", "shall we"),
        (
            "Yes.\n-----Original Message-----\n> From: Ann\n> To: Bo\n> Subject: Offer\n>\n> Shall we?",
            "yes",
            "shall we",
        ),
        (
            "Yes.\n> -----Original Message-----\n> From: Ann\n> To: Bo\n> Subject: Offer\n>\n> Shall we?",
            "yes",
            "shall we",
        ),
        ("    Date: Friday\n    From: Ann Berg\n    Message-ID:  <1@x>\n\n  | Shall we?\n\nYes.", "yes", "shall we"),
        ("To: do\nwash", "to do wash", ""),
        ("From: here\nTo: there\nand back", "from here to there and back", ""),
    ],
)
def test_a_text_is_taken_apart(text: str, own: str, quoted: str) -> None:
    found = layers(text)
    words = [word for block in found.own for word in block]
    assert words == own.split()
    assert [word for block in found.quoted for word in block] == quoted.replace("|", " ").split()
    assert found.words == len(own.split())


def test_wrapping_and_marks_change_no_piece() -> None:
    said = "The offer for the second phase of the project will reach you on Monday"
    wrapped = "> The offer for the second phase\n> of the project will reach\n> you on Monday\n"
    assert shingles(layers(said).own).tolist() == shingles(layers(wrapped).quoted).tolist()
    assert len(shingles(layers(said).own)) == 14 - SHINGLE_WORDS + 1


def test_what_is_quoted_from_the_middle_is_found_again() -> None:
    said = [f"word{n}" for n in range(40)]
    assert set(shingles([said[10:20]]).tolist()) <= set(shingles([said]).tolist())
    assert shingles([["fine", "thanks"]]).tolist() == shingles([["fine", "thanks"]]).tolist()
    assert not set(shingles([["fine", "thanks"]]).tolist()) & set(shingles([["thanks", "fine"]]).tolist())
    assert shingles([]).dtype == shingles([["a"]]).dtype == np.uint32


def test_of_long_texts_the_same_pieces_are_kept_wherever_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    said = [f"word{n}" for n in range(500)]
    everything = shingles([said])
    monkeypatch.setattr(quotes, "MOST_SHINGLES", 50)
    assert shingles([said]).tolist() == sorted(everything.tolist())[:50]


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("Offer", ("offer", False)),
        ("Re: Offer", ("offer", True)),
        ("RE : AW: Offer", ("offer", True)),
        ("Re[3]: Offer", ("offer", True)),
        ("Re(2): Offer", ("offer", True)),
        ("[Team] Re: [Ext]  Offer \t for May", ("offer for may", True)),
        ("Fwd: WG: Offer", ("offer", False)),
        ("回复\uff1aOffer", ("offer", True)),
        ("Regarding: Offer", ("regarding: offer", False)),
        ("Re:", ("", True)),
        ("", ("", False)),
    ],
)
def test_subjects_are_compared_without_prefixes(subject: str, expected: tuple[str, bool]) -> None:
    assert plain_subject(subject) == expected


def letter(
    text: str = "", /, *, name: str, at: int, subject: str = "Offer", by: str = "ann", to: str = "bo"
) -> Linkable:
    """A mail that can be linked by its text; ``at`` in days."""
    found, (plain, answers) = layers(text), plain_subject(subject)
    own, quoted = shingles(found.own), shingles(found.quoted)
    return Linkable((name,), NOW + at * DAY, (), plain, answers, by, frozenset(to.split()), own, quoted, (0,))


def parents(*mails: Linkable) -> dict[str, tuple[str, str]]:
    """Each mail's parent and what told it, by name."""
    links = link(mails)
    named = {-1: "", **{place: mail.ids[0] for place, mail in enumerate(mails)}}
    return {
        mail.ids[0]: (named[parent], told)
        for mail, parent, told in zip(mails, links.parent, links.told_by, strict=True)
        if parent >= 0
    }


FIRST = "Shall we talk about the second phase of the project next week, say on Monday morning?"
SECOND = "Monday would be fine with me, but only after ten, as I have to see the dentist before."
THIRD = "Then let us say eleven at your office, and I bring the drafts along with me."


def quoted(text: str, depth: int = 1) -> str:
    return f"{'>' * depth} {text}\n"


def test_the_header_goes_first() -> None:
    first, second = letter(FIRST, name="1", at=0), letter(SECOND, name="2", at=1)
    third = replace(letter(quoted(FIRST) + THIRD, name="3", at=2), parents=("2",))
    assert parents(first, second, third)["3"] == ("2", "header")


def test_where_the_header_names_a_mail_that_is_not_there_the_quote_tells() -> None:
    first = letter(FIRST, name="1", at=0)
    answer = replace(letter(quoted(FIRST) + SECOND, name="2", at=1, subject="Re: Offer"), parents=("gone",))
    assert parents(first, answer) == {"2": ("1", "quote")}
    silent = replace(letter(SECOND, name="3", at=1, subject="Re: Offer", by="bo", to="ann"), parents=("gone",))
    assert parents(first, silent) == {}


def test_a_quote_leads_to_whose_own_words_it_holds() -> None:
    first = letter(FIRST, name="1", at=0)
    second = letter(SECOND + "\n" + quoted(FIRST), name="2", at=1, subject="Other")
    third = letter(THIRD + "\n" + quoted(SECOND) + quoted(FIRST, 2), name="3", at=2, subject="Other")
    fourth = letter("Well.\n" + quoted(FIRST), name="4", at=3, subject="Re: Offer")
    assert parents(first, second, third, fourth) == {"2": ("1", "quote"), "3": ("2", "quote"), "4": ("1", "quote")}


def test_a_quote_of_which_too_little_is_found_leads_nowhere() -> None:
    first = letter(FIRST, name="1", at=0)
    other = " ".join(f"something{n}" for n in range(60))
    assert parents(first, letter(quoted(FIRST + " " + other), name="2", at=1)) == {}


def test_words_that_many_mails_hold_tell_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "MOST_SHARED", 2)
    notice = "This mail is meant only for those to whom it is addressed and nobody else at all."
    mails = [letter(f"{notice}\nAbout matter number {n} we should talk soon.", name=f"{n}", at=n) for n in range(4)]
    answer = letter(quoted(notice) + quoted("About matter number 1 we should talk soon."), name="9", at=9)
    assert parents(*mails, answer) == {"9": ("1", "quote")}
    assert parents(*mails, letter(quoted(notice), name="9", at=9)) == {}


def test_few_quoted_words_need_the_same_subject() -> None:
    first = letter("Thanks a lot!", name="1", at=0)
    assert parents(first, letter(quoted("Thanks a lot!"), name="2", at=1, subject="Re: Offer")) == {"2": ("1", "quote")}
    assert parents(first, letter(quoted("Thanks a lot!"), name="2", at=1, subject="Re: Other")) == {}


def test_a_quote_without_marks_is_found_among_mails_of_the_same_subject() -> None:
    first = letter(FIRST, name="1", at=0)
    answer = letter(f"--] {FIRST}\n{SECOND}", name="2", at=1, subject="Re: Offer", to="all")
    assert parents(first, answer) == {"2": ("1", "text")}
    assert parents(first, replace(answer, subject="other")) == {}
    assert parents(first, replace(answer, answers=False)) == {}


def test_an_answer_without_a_quote_goes_to_the_latest_mail_of_whom_it_addresses() -> None:
    first, second = letter(FIRST, name="1", at=0, by="ann"), letter(SECOND, name="2", at=1, by="ann")
    own, third = letter(THIRD, name="3", at=2, by="bo"), letter(THIRD, name="4", at=3, by="carl")
    answer = letter("Agreed.", name="5", at=4, subject="Re: Offer", by="bo", to="ann bo")
    assert parents(first, second, own, third, answer) == {"5": ("2", "subject")}
    assert parents(first, second, own, third, replace(answer, answers=False)) == {}
    assert parents(first, second, own, third, replace(answer, subject="")) == {}


@pytest.mark.parametrize(
    ("text", "subject", "days", "linked"),
    [
        (quoted(FIRST), "Re: Offer", 90, True),
        (quoted(FIRST), "Re: Offer", 91, False),
        ("Agreed.", "Re: Offer", 30, True),
        ("Agreed.", "Re: Offer", 31, False),
        (quoted(FIRST), "Re: Offer", -1, False),
    ],
)
def test_what_lies_too_far_back_or_ahead_is_not_answered(text: str, subject: str, days: int, linked: bool) -> None:
    first = letter(FIRST, name="1", at=0)
    answer = letter(text, name="2", at=days, subject=subject, by="bo", to="ann")
    assert ("2" in parents(first, answer)) == linked


def test_mails_of_different_accounts_do_not_answer_each_other() -> None:
    first = letter(FIRST, name="1", at=0)
    answers = [letter(text, name="2", at=1, subject="Re: Offer", by="bo", to="ann") for text in (quoted(FIRST), "Yes.")]
    for answer in answers:
        assert parents(first, answer)
        assert not parents(first, replace(answer, scopes=(1,)))
        assert parents(first, replace(answer, scopes=(1, 0)))


def rooted(*mails: Linkable) -> list[str]:
    return link(mails).root


def named(name: str, *above: str, at: int = 0) -> Linkable:
    return replace(letter(name=name, at=at, subject=name), parents=above)


def test_a_conversation_is_known_by_its_first_mail() -> None:
    first = letter(FIRST, name="1", at=0)
    second = letter(quoted(FIRST) + SECOND, name="2", at=1)
    third = letter(quoted(SECOND) + THIRD, name="3", at=2)
    assert rooted(first, second, third, named("4")) == ["1", "1", "1", "4"]


def test_mails_that_are_not_there_hold_a_conversation_together() -> None:
    assert rooted(named("3", "1", "2"), named("4", "2"), named("5", "1")) == ["1", "1", "1"]
    assert rooted(named("2", "1"), named("3", "1", "2")) == ["1", "1"]
    assert rooted(named("3", "2")) == ["2"]


def test_mails_in_a_ring_are_one_conversation() -> None:
    ring = [named("b", "c"), named("a", "b"), named("c", "a"), named("d", "c")]
    assert rooted(*ring) == ["a", "a", "a", "a"]
    assert rooted(named("a", "a")) == ["a"]


def test_a_mail_with_several_ids_is_found_by_each() -> None:
    first = replace(named("x1"), ids=("x1", "x2"))
    assert rooted(first, named("2", "x1"), named("3", "x2", at=1)) == ["x1", "x1", "x1"]


WORDS = st.lists(st.integers(0, 5), max_size=9).map(lambda words: " ".join(f"w{word}" for word in words))


@st.composite
def worlds(draw: st.DrawFn) -> list[Linkable]:
    mails = []
    for place in range(draw(st.integers(0, 8))):
        text = draw(WORDS) + "\n" + "".join(quoted(draw(WORDS)) for _ in range(draw(st.integers(0, 2))))
        at, subject = draw(st.integers(0, 100)), draw(st.sampled_from(["Re: A", "A", "Re: B", ""]))
        mail = letter(text, name=f"{place}", at=at, subject=subject, by=draw(st.sampled_from("xy")), to="x y")
        above = draw(st.lists(st.sampled_from("0123456789"), max_size=2, unique=True))
        scopes = tuple(draw(st.lists(st.integers(0, 1), min_size=1, max_size=2, unique=True)))
        mails.append(replace(mail, parents=tuple(above), scopes=scopes))
    return mails


def slow_quoted(mails: list[Linkable], mail: Linkable) -> str:
    """The mail that one quotes, by the rule in words: "" if none is."""

    def key(one: Linkable) -> tuple[int, tuple[str, ...]]:
        return one.at, one.ids

    best: tuple[float, bool, tuple[int, tuple[str, ...]], str] = (0.0, False, (0, ()), "")
    for scope in mail.scopes:
        among = [one for one in mails if scope in one.scopes]
        telling = [
            piece
            for piece in mail.quoted.tolist()
            if sum(piece in one.own.tolist() for one in among) <= threads.MOST_SHARED
        ]
        for one in among:
            near = mail.at - threads.QUOTED_WITHIN <= one.at
            same = one.subject == mail.subject
            if key(one) < key(mail) and near and telling and (same or len(mail.quoted) >= threads.FEW_PIECES):
                held = sum(piece in one.own.tolist() for piece in telling) / len(telling)
                best = max(best, (held, same, key(one), one.ids[0]))
    return best[3] if best[0] >= threads.QUOTED_SHARE else ""


@given(worlds(), st.randoms(use_true_random=False))
def test_linking_follows_its_rule_whatever_the_order(mails: list[Linkable], chance: random.Random) -> None:
    names = [mail.ids[0] for mail in mails]
    links = link(mails)
    for mail, parent, told in zip(mails, links.parent, links.told_by, strict=True):
        if told in ("", "quote"):
            assert slow_quoted(mails, mail) == (names[parent] if told else "")
        if told == "header":
            assert names[parent] == mail.parents[-1]
    shuffled = list(mails)
    chance.shuffle(shuffled)
    again = link(shuffled)

    def told_of(one: Links, among: list[Linkable]) -> dict[str, tuple[str, str, str]]:
        return {
            mail.ids[0]: (among[parent].ids[0] if parent >= 0 else "", told, root)
            for mail, parent, told, root in zip(among, one.parent, one.told_by, one.root, strict=True)
        }

    assert told_of(again, shuffled) == told_of(links, mails)
