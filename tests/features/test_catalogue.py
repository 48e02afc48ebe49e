"""The catalogue tells every row of the documented list, and the list of rows and marks is kept here, apart from it."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

import rapport
from features import terminal
from features.catalogue import FAMILIES, WINDOWS, Entry, as_documents, as_markdown, entries, folded
from features.indicators import REGISTRY, Indicator, Mark

PAGE = Path(__file__).parents[2] / "docs" / "indicators.md"

LIST: dict[str, tuple[str, tuple[str, ...]]] = {
    # The gauntlet
    "G1a": ("first attempt response rate", ("first_attempt_response_rate",)),
    "G1b": (
        "reply delay",
        ("reply_delay", "replies_within_day", "replies_within_week", "replies_between", "replies_flagged"),
    ),
    "G1c": ("reply length", ("reply_length_distance", "terse_replies", "mirrored_replies", "rambling_replies")),
    "G1d": ("reinitiation", ("reinitiation_rate",)),
    "G2a": ("commitments kept", ("commitments_kept_rate", "commitments_late_share", "commitments_never_share")),
    "G2b": ("showing up", ("show_up_rate",)),
    "G2c": ("words without action", ("words_without_action",)),
    "G3a": ("channel breadth", ("channel_breadth",)),
    "G3b": (
        "preferred channel",
        (
            "preferred_channel",
            "share_email",
            "share_telephone",
            "share_text",
            "share_video",
            "share_in_person",
            "share_social",
            "share_letter",
        ),
    ),
    "G4a": ("personal topics", ("personal_share",)),
    "G4b": ("emotional openness", ("emotional_share",)),
    "G4c": ("plain speech", ("plain_speech_share",)),
    "G4d": ("who leads into the personal", ("disclosure_led_by_client",)),
    "G5a": ("references given", ("references_given",)),
    "G5b": ("proactive referrals", ("proactive_referrals",)),
    "G6a": ("introductions upward", ("introductions_upward",)),
    "G6b": ("active contacts", ("active_contacts",)),
    "G6c": ("isolation", ("isolation",)),
    "G6d": ("senior access", ("senior_access", "highest_seniority")),
    "G7": ("unprompted endorsements", ("unprompted_endorsements", "continuing")),
    # The depth
    "D1a": ("asking for help", ("help_requests",)),
    "D1b": ("remembered after silence", ("help_after_silence",)),
    "D2": ("advice taken", ("advice_taken_rate", "advice_delay")),
    "D3a": ("referrals", ("referrals",)),
    "D3b": ("referrals thanked", ("referrals_thanked_rate",)),
    "D4": ("fee friction", ("fee_friction",)),
    "D5a": ("forgiveness", ("forgiveness", "back_in_touch")),
    "D5b": ("repeat mistakes", ("repeat_mistakes",)),
    "D6a": ("complex work", ("complex_work_share",)),
    "D6b": ("exposure to seniors", ("exposure_to_seniors",)),
    "D7": ("early involvement", ("early_involvement",)),
    "D8a": ("respect", ("respect",)),
    "D8b": ("supplier talk", ("supplier_talk",)),
    "D8c": ("punctuality", ("minutes_late", "late_share")),
    "D8d": ("last-minute cancellations", ("last_minute_cancellations",)),
    "D8e": ("feedback given", ("feedback_given_rate", "directness")),
    "D8f": ("silence", ("silence", "silence_ratio")),
    "D8g": ("time and flexibility", ("meeting_hours", "reschedules_granted")),
    # The life cycle
    "L1": ("neglect", ("neglect_rate", "longest_failure_run")),
    "L2": ("review meetings", ("review_meeting", "days_to_next_review", "stagnation")),
    "L3": ("competitor mentions", ("competitor_mentions",)),
    "L4": ("strategic role", ("strategic_share", "share_of_wallet")),
    "L5": (
        "contract context",
        (
            "days_to_contract_end",
            "tenure",
            "deals_won",
            "deals_lost",
            "value_against_previous",
            "competitive_share",
            "renewal_open",
        ),
    ),
    "L6": ("attention after the sale", ("attention_after_sale",)),
    # The warmth
    "W1a": ("our response", ("our_response_time", "our_response_rate")),
    "W1b": ("our reliability", ("our_reliability",)),
    "W1c": ("immaculate contacts", ("immaculate_contacts",)),
    "W2a": ("value added", ("value_added_touches", "meetings_followed_up")),
    "W2b": ("personal details remembered", ("personal_details_remembered",)),
    "W3a": ("service consistency", ("response_variation", "promise_variation")),
    "W3b": ("service slip", ("service_slip",)),
    "W4": ("relevance", ("prepared_share",)),
    "W5": ("evenness", ("evenness",)),
    # The pillars
    "P1a": ("shared interests", ("shared_interests",)),
    "P1b": ("two-way balance", ("client_share_of_touches", "client_share_of_words")),
    "P1c": ("body language", ("face_to_face_share", "body_language")),
    "P2a": ("win-win", ("our_share_of_concessions", "margin", "goals_met", "satisfaction")),
    "P2b": ("resentment", ("resentment",)),
    "P2c": ("haste", ("days_to_first_offer", "days_to_close_against_usual")),
    "P3a": ("contact outside sales", ("contact_outside_sales", "outside_against_inside")),
    "P3b": ("small gestures", ("small_gestures",)),
    "P3c": ("ambassadors", ("ambassadors", "attention_in_sales")),
    "P4a": ("revenue concentration", ("revenue", "revenue_rank", "revenue_above", "among_the_vital_few", "potential")),
    "P4b": ("effort alignment", ("effort_alignment",)),
}
"""Every row of the list of documented signals: its id, its name, and the figures that the row asks for."""

DOCUMENTED_MARKS = {
    "G1a.first_attempt_response_rate": Mark(">=", 0.75, documented=True),
    "G1d.reinitiation_rate": Mark(">=", 0.25, documented=True),
    "W4.prepared_share": Mark(">=", 1.0, documented=True),
}
"""The marks that the source documents give."""

OUR_MARKS = {
    "G1b.strong_over_weak": Mark(">", 0),
    "G1c.mirrored_replies": Mark(">=", 0.5),
    "G2a.commitments_kept_rate": Mark(">=", 0.75),
    "G2b.show_up_rate": Mark(">=", 0.9),
    "G2c.words_without_action": Mark("<=", 0.2),
    "G3a.channel_breadth": Mark(">=", 3),
    "G4a.personal_share": Mark(">", 0),
    "G4d.disclosure_led_by_client": Mark(">=", 0.5),
    "G5a.references_given": Mark(">=", 1),
    "G5b.proactive_referrals": Mark(">=", 1),
    "G6a.introductions_upward": Mark(">=", 1),
    "G6b.active_contacts": Mark(">=", 3),
    "G6c.isolation": Mark("<=", 0.7),
    "G7.unprompted_endorsements": Mark(">=", 1),
    "G7.continuing": Mark(">=", 2),
    "D1a.help_requests": Mark(">=", 2),
    "D2.advice_taken_rate": Mark(">=", 0.5),
    "D3a.referrals": Mark(">=", 1),
    "D3b.referrals_thanked_rate": Mark(">=", 1),
    "D4.fee_friction": Mark("<=", 0.1),
    "D5a.forgiveness": Mark(">=", 0.8),
    "D5b.repeat_mistakes": Mark("<=", 0.2),
    "D6a.complex_work_share": Mark(">=", 0.3),
    "D6b.exposure_to_seniors": Mark(">=", 0.2),
    "D7.early_involvement": Mark(">=", 0.3),
    "D8a.respect": Mark(">=", 0.6),
    "D8b.supplier_talk": Mark("<=", 0.02),
    "D8c.minutes_late": Mark("<=", 5),
    "D8c.late_share": Mark("<=", 0.2),
    "D8d.last_minute_cancellations": Mark("<=", 0.05),
    "D8e.feedback_given_rate": Mark(">=", 0.5),
    "D8f.silence_ratio": Mark("<=", 3),
    "W1a.our_response_time": Mark("<=", 24),
    "W1a.our_response_rate": Mark(">=", 0.95),
    "W1b.our_reliability": Mark(">=", 0.9),
    "W1c.immaculate_contacts": Mark(">=", 0.95),
    "W2a.value_added_touches": Mark(">=", 4),
    "W2b.personal_details_remembered": Mark(">=", 2),
    "W3b.service_slip": Mark(">=", 0),
    "W5.evenness": Mark(">=", 0),
    "P1a.shared_interests": Mark(">=", 1),
    "P1b.client_share_of_touches": Mark("between", 0.35, 0.65),
    "P1b.client_share_of_words": Mark("between", 0.35, 0.65),
    "P1c.face_to_face_share": Mark(">=", 0.5),
    "P1c.body_language": Mark(">", 0),
    "P2a.our_share_of_concessions": Mark("between", 0.3, 0.7),
    "P2b.resentment": Mark("<=", 0.1),
    "P2c.days_to_first_offer": Mark(">=", 7),
    "P2c.days_to_close_against_usual": Mark(">=", 0.5),
    "P3a.contact_outside_sales": Mark(">=", 1),
    "P3b.small_gestures": Mark(">=", 6),
    "P3c.ambassadors": Mark(">=", 1),
    "P4b.effort_alignment": Mark("between", 0.5, 2),
    # The list has these in words: no stagnation, no less attention than before the sale, and the mark of G1a.
    "L2.stagnation": Mark("<=", 0),
    "L6.attention_after_sale": Mark(">=", 1),
    "P3c.attention_in_sales": Mark(">=", 0.75),
}
"""The marks that are our own choice."""

KEYS = [
    "id",
    "column",
    "family",
    "signal_name",
    "signal_meaning",
    "name",
    "meaning",
    "formula",
    "unit",
    "window",
    "better",
    "mark",
    "origin",
    "minimum",
    "portfolio",
    "source",
]
"""The keys of the JSON, which others rely upon."""

SOURCES = {"G": "000", "D": "001", "L": "002", "W": "003", "P": "004"}
ENTRIES = entries()
INDICATORS = REGISTRY.in_order()
BY_FIGURE: dict[str, list[Indicator]] = {}
for _indicator in INDICATORS:
    BY_FIGURE.setdefault(f"{_indicator.signal.id}.{_indicator.name}", []).append(_indicator)


def catalogue(form: str) -> str:
    done = CliRunner().invoke(rapport.app, ["catalogue", "--format", form], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_every_row_of_the_list_is_registered_and_every_signal_is_a_row() -> None:
    assert {id: signal.name for id, signal in REGISTRY.signals.items()} == {id: name for id, (name, _) in LIST.items()}
    assert {one.signal.id for one in INDICATORS} == LIST.keys()


@pytest.mark.parametrize("id", LIST)
def test_a_row_has_every_figure_that_it_asks_for(id: str) -> None:
    assert {f"{id}.{figure}" for figure in LIST[id][1]} <= BY_FIGURE.keys()


def test_marks_are_those_of_the_list() -> None:
    registered = {figure: columns[0].mark for figure, columns in BY_FIGURE.items() if columns[0].mark is not None}
    assert registered == {**DOCUMENTED_MARKS, **OUR_MARKS}
    assert {one.column for one in ENTRIES if one.origin == "documented"} == {
        one.column for figure in DOCUMENTED_MARKS for one in BY_FIGURE[figure] if one.window != "trend"
    }


@pytest.mark.parametrize("figure", BY_FIGURE)
def test_a_figure_is_the_same_over_all_its_windows(figure: str) -> None:
    """So that the page can tell all its columns in one row."""
    first = BY_FIGURE[figure][0]
    assert first.window != "trend"
    for one in BY_FIGURE[figure][1:]:
        if one.window == "trend":
            assert one.mark is None
            assert one.better in (first.better, None)
            assert (one.minimum, one.evidence_unit) == (first.minimum, first.evidence_unit)
        else:
            assert replace(one, column=first.column, window=first.window, compute=first.compute) == first


def test_texts_can_be_read_without_a_manual() -> None:
    for signal in REGISTRY.signals.values():
        assert signal.source == SOURCES[signal.id[0]]
        assert re.fullmatch(r"[a-z][a-z -]+", signal.name), signal.id
    for text in [one.meaning for one in INDICATORS] + [signal.meaning for signal in REGISTRY.signals.values()]:
        assert re.fullmatch(r"[A-Z][^_`]+[^.\s_`]", text), text  # a sentence without its full stop, and without code
        assert not re.search(r"\b[GDLWP]\d", text), text  # nor a reference to another row
    for indicator in INDICATORS:
        assert indicator.formula.strip()
        assert not indicator.formula.endswith(".")
        assert indicator.unit.strip()


def test_entries_are_the_columns_in_order() -> None:
    assert [one.column for one in ENTRIES] == [one.column for one in INDICATORS]
    assert {one.column for one in ENTRIES} == REGISTRY.indicators.keys()
    assert [family.name for family in FAMILIES.values()] == list(dict.fromkeys(one.family for one in ENTRIES))
    assert entries(()) == []


def test_an_entry_says_all_of_an_indicator() -> None:
    (entry,) = [one for one in ENTRIES if one.column == "G1a.first_attempt_response_rate.365d"]
    signal = REGISTRY.signals["G1a"]
    assert entry == Entry(
        id="G1a",
        column="G1a.first_attempt_response_rate.365d",
        family="gauntlet",
        signal_name="first attempt response rate",
        signal_meaning=signal.meaning,
        name="first_attempt_response_rate",
        meaning="Share of our first attempts that the client answered before we tried again",
        formula="outreaches answered at the first attempt / outreaches decided",
        unit="share",
        window="365d",
        better="up",
        mark=">= 0.75",
        origin="documented",
        minimum="5 observations",
        portfolio=False,
        source="000",
    )
    by_column = {one.column: one for one in ENTRIES}
    assert by_column["L5.tenure.now"].better == "context"
    assert by_column["G3b.share_email.all"].better == "informative"
    assert by_column["L5.tenure.now"].minimum == "1 deal"
    unmarked = by_column["G1a.first_attempt_response_rate.trend"]
    assert (unmarked.mark, unmarked.origin) == ("", "")
    assert {one.id for one in ENTRIES if one.portfolio} == {"W5", "P2c", "P4a", "P4b"}


def test_windows_of_a_figure_are_folded_into_one_row() -> None:
    rows = folded(ENTRIES)
    assert [f"{row.first.id}.{row.first.name}" for row in rows] == list(BY_FIGURE)
    assert sorted(f"{row.first.id}.{row.first.name}.{window}" for row in rows for window in row.windows) == sorted(
        one.column for one in ENTRIES
    )
    by_name = {row.first.name: row for row in rows}
    assert by_name["references_given"].windows == ("90d", "365d", "730d", "all", "trend")
    assert by_name["references_given"].mark == ">= 1 (ours)"
    assert by_name["silence"].windows == ("now",)
    assert by_name["silence"].mark == ""


def test_the_json_has_every_column_under_stable_keys() -> None:
    rows = json.loads(catalogue("json"))
    assert rows == as_documents(ENTRIES)
    assert all(list(row) == KEYS for row in rows)
    assert {row["id"] for row in rows} == LIST.keys()
    assert {row["window"] for row in rows} == WINDOWS.keys()


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_and_breaks_no_name(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "WIDE", width)
    lines = catalogue("table").splitlines()
    assert max(map(len, lines)) <= width
    names = [line.split()[0] for line in lines if line.startswith(" ") and line[1:2].strip()]
    told = [name for name in names if re.fullmatch(r"[GDLWP]\d[a-z]?(\.[a-z_]+)?", name)]
    expected = []
    for id in LIST:
        expected += [id, *(figure for figure in BY_FIGURE if figure.startswith(f"{id}."))]
    assert told == expected
    text = " ".join(" ".join(lines).split())
    assert all(f"{family.name.capitalize()} (source " in text for family in FAMILIES.values())


def test_the_page_of_the_indicators_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == catalogue("markdown") == as_markdown(ENTRIES)


def test_the_page_has_a_section_for_each_signal_and_a_row_for_each_figure() -> None:
    page = as_markdown(ENTRIES)
    headings = re.findall(r"^### (\S+) (.+)$", page, re.MULTILINE)
    assert [id for id, _ in headings] == list(LIST)
    assert all(title[0].isupper() for _, title in headings)
    for id, part in zip(LIST, re.split(r"^### ", page, flags=re.MULTILINE)[1:], strict=True):
        told = re.findall(r"^\| `([a-z_]+)`", part.split("\n## ")[0], re.MULTILINE)
        assert [f"{id}.{name}" for name in told] == [figure for figure in BY_FIGURE if figure.startswith(f"{id}.")]
    keys = page.split("## Keys of the JSON")[1]
    assert re.findall(r"^\| `(\w+)`", keys, re.MULTILINE) == KEYS == [field.name for field in fields(Entry)]
    cells = {len(re.findall(r"(?<!\\)\|", line)) for line in page.splitlines() if line.startswith("|")}
    assert cells == {3, 9}  # no bar in a text breaks a row
