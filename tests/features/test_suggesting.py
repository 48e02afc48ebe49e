"""The proposal of a mapping: what it recognises, what it asks, and that the import takes it."""

from __future__ import annotations

import glob
import tomllib
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from features.sources import suggesting
from features.sources.files import read_tables
from features.sources.gathering import ImportOptions
from features.sources.importing import import_to_folder
from features.sources.readers import SourceError
from features.sources.suggesting import Guess, Suggestion, profile, suggest
from tests.features.crm_exports import Row, export, text

PIPELINE: list[Row] = [
    {
        "Opportunity No": f"O-{number}",
        "Customer": f"K{number % 4}",
        "Stage": ["Closed Won", "Closed Lost", "Negotiation"][number % 3],
        "Date opened": f"{number % 27 + 1}.02.2024",
        "Closing date": "" if number % 3 == 2 else f"{number % 27 + 1}.05.2024",
        "Betrag": f"{number + 1}.{number % 900:03},50 €",
        "Solution": ["Hosting", "Advice"][number % 2],
        "Remarks": f"They said a lot of different things the {number}th time we asked them about it",
    }
    for number in range(40)
]
LOG: list[Row] = [
    {
        "Message ID": f"m{number}",
        "Company": f"k{number % 4}",
        "Sent": f"2024-05-{number % 28 + 1:02} 10:{number % 60:02}",
        "Type": ["E-Mail", "Phone call", "Meeting"][number % 3],
        "Direction": ["Inbound", "Outbound"][number % 2],
        "Body": f"Dear all, this is what I think of it today, for the {number}th time",
    }
    for number in range(40)
]


def lines(suggestion: Suggestion) -> dict[str, str]:
    return {guess.column: guess.line.split(" = ", 1)[1] for guess in suggestion.guesses}


def test_a_pipeline_in_a_local_form(tmp_path: Path) -> None:
    folder = export(tmp_path, {"pipeline.csv": text(PIPELINE, ";")})
    found = suggest(folder / "pipeline.csv")
    assert found.table == "deals"
    assert lines(found) == {
        "deal_id": '"Opportunity No"',
        "account_id": '"Customer"',
        "opened_at": '{ column = "Date opened", format = "%d.%m.%Y" }',
        "outcome": '{ column = "Stage", '
        'values = { "Closed Lost" = "lost", "Closed Won" = "won", "Negotiation" = "open" } }',
        "closed_at": '{ column = "Closing date", format = "%d.%m.%Y" }',
        "amount": '{ column = "Betrag", decimal = "," }',
        "x_solution": '"Solution"',
    }
    assert found.unused == (("Remarks", "free text"),)
    assert (found.rows, found.rejected, found.questions) == (40, 0, ())
    assert "said a lot" not in found.toml()  # what people wrote is not repeated


def test_the_import_takes_the_proposal(tmp_path: Path) -> None:
    folder = export(tmp_path / "in", {"pipeline.csv": text(PIPELINE, ";")})
    suggest(folder / "pipeline.csv").write(tmp_path / "mapping.toml")
    summary = import_to_folder([folder], tmp_path / "out", ImportOptions(tmp_path / "mapping.toml"))
    assert (summary.counts["deals"].kept, summary.rejected) == (40, 0)
    deals = read_tables(tmp_path / "out").deals
    assert sorted(deals["amount"].to_pylist())[:2] == [1000.5, 2001.5]
    assert set(deals["outcome"].to_pylist()) == {"won", "lost", "open"}


def test_a_log_of_interactions_whose_zone_is_asked(tmp_path: Path) -> None:
    folder = export(tmp_path, {"log.csv": text(LOG)})
    found = suggest(folder / "log.csv")
    assert found.table == "interactions"
    assert lines(found) == {
        "interaction_id": '"Message ID"',
        "account_id": '"Company"',
        "at": '"Sent"',
        "kind": '{ column = "Type", values = { "E-Mail" = "message", "Meeting" = "meeting", "Phone call" = "call" } }',
        "actor": '{ column = "Direction", values = { "Inbound" = "client", "Outbound" = "us" } }',
        "text": '"Body"',
    }
    zone, personal = found.questions
    assert zone.startswith("time_zone: the times in 'Sent' tell no offset")
    assert personal == "text: keep what people wrote ('Body')? Without this line it is left out"
    assert found.rejected == 0  # once the zone is declared
    document = tomllib.loads(found.toml())
    assert "time_zone" not in document["interactions"]
    assert "text" not in document["interactions"]["columns"]
    assert tomllib.loads(found.toml("Europe/Oslo"))["interactions"]["time_zone"] == "Europe/Oslo"


def test_a_column_of_personal_text_under_the_canonical_name_is_left_out_too(tmp_path: Path) -> None:
    rows: list[Row] = [{"text" if name == "Body" else name: value for name, value in row.items()} for row in LOG]
    folder = export(tmp_path / "in", {"log [1].csv": text(rows)})
    found = suggest(folder / "log [1].csv")
    assert lines(found)["text"] == '{ constant = "" }'
    (tmp_path / "mapping.toml").write_text(found.toml("UTC"), encoding="utf-8")
    import_to_folder([folder], tmp_path / "out", ImportOptions(tmp_path / "mapping.toml"))
    interactions = read_tables(tmp_path / "out").interactions
    assert (len(interactions), interactions["text"].null_count) == (40, 40)


def test_dates_that_may_be_read_in_two_ways_are_asked_and_not_guessed(tmp_path: Path) -> None:
    rows: list[Row] = [{**row, "Date opened": "03/04/2024", "Closing date": ""} for row in PIPELINE]
    found = suggest(export(tmp_path, {"deals.csv": text(rows, ";")}) / "deals.csv")
    question = next(one for one in found.questions if one.startswith("opened_at"))
    assert "'03/04/2024' may be day first or month first (write '%m/%d/%Y' or '%d/%m/%Y')" in question
    assert "opened_at" not in tomllib.loads(found.toml())["deals"]["columns"]
    assert found.rejected == 40
    assert found.wrong[0].startswith("40 rows: opened_at: a required value")


def test_what_is_missing_is_asked(tmp_path: Path) -> None:
    rows: list[Row] = [{"Customer": f"k{number}", "When": f"2024-05-{number + 1:02}"} for number in range(20)]
    found = suggest(export(tmp_path, {"visits.csv": text(rows)}) / "visits.csv", table="interactions")
    assert [one.split(":")[0] for one in found.questions] == ["kind", "actor"]
    assert lines(found)["interaction_id"] == "{ content = true }"


def test_values_that_are_not_understood_are_listed(tmp_path: Path) -> None:
    rows: list[Row] = [{**row, "Stage": ["Closed Won", "Kaput"][place % 2]} for place, row in enumerate(PIPELINE)]
    found = suggest(export(tmp_path, {"deals.csv": text(rows, ";")}) / "deals.csv")
    outcome = next(guess for guess in found.guesses if guess.column == "outcome")
    assert outcome.confidence == "guess"
    assert "not understood: Kaput; allowed are won, lost, open" in outcome.why


def test_a_workbook_and_its_sheet(tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.create_sheet("2024")
    sheet.append(list(PIPELINE[0]))
    for row in PIPELINE:
        sheet.append(list(row.values()))
    book.save(tmp_path / "book.xlsx")
    found = suggest(tmp_path / "book.xlsx", sheet="2024")
    assert found.table == "deals"
    assert tomllib.loads(found.toml())["deals"]["sheet"] == "2024"


def test_an_export_of_a_crm_is_told(tmp_path: Path) -> None:
    rows: list[Row] = [
        {"Id": "1", "AccountId": "2", "StageName": "Closed Won", "CloseDate": "2024-05-01", "CreatedDate": "2024-04-01"}
    ]
    found = suggest(export(tmp_path, {"x.csv": rows}) / "x.csv")
    assert found.crm == "Salesforce (opportunity)"
    assert "takes it as it is, without a mapping" in found.toml()


def test_files_that_resemble_nothing(tmp_path: Path) -> None:
    folder = export(tmp_path, {"a.csv": "foo,bar\n1,2\n", "empty.csv": "deal_id,account_id\n"})
    with pytest.raises(SourceError, match=r"a\.csv: resembles no table of accounts, .*; its columns are: foo, bar"):
        suggest(folder / "a.csv")
    with pytest.raises(SourceError, match="holds no rows"):
        suggest(folder / "empty.csv")
    with pytest.raises(SourceError, match="there is no such table; there are accounts"):
        suggest(folder / "a.csv", table="invoices")


def test_a_proposal_never_replaces_a_file(tmp_path: Path) -> None:
    folder = export(tmp_path, {"pipeline.csv": text(PIPELINE, ";")})
    found = suggest(folder / "pipeline.csv")
    with pytest.raises(SourceError, match=r"pipeline.csv: exists; name a new file"):
        found.write(folder / "pipeline.csv")
    assert [file.name for file in folder.iterdir()] == ["pipeline.csv"]


PROFILES = [
    ("sent", ["2024-05-01T10:00:00Z", "2024-05-02"], ("time", "", False, "")),
    ("sent", ["2024-05-01 10:00", ""], ("time", "", True, "")),
    ("sent_at", ["1714550400", "1714636800"], ("time", "unix", False, "")),
    ("sent_at", ["1714550400000"], ("time", "unix_ms", False, "")),
    ("number", ["1714550400", "1714636800"], ("number", "", False, "")),
    ("day", ["5/3/24 2:05 PM", "5/30/24 2:05 AM"], ("time", "%m/%d/%y %I:%M %p", True, "")),
    ("sum", ["1,234.50", "7"], ("number", "", False, ".")),
    ("sum", ["EUR 12", "EUR 13"], ("number", "", False, ".")),
    ("mail", ["ada@north.example", "bo@south.example"], ("email", "", False, "")),
    ("flag", ["yes", "No", "yes"], ("truth", "", False, "")),
    ("tier", ["gold", "tin"] * 9, ("category", "", False, "")),
    ("code", [f"K-{number}" for number in range(99)], ("id", "", False, "")),
    ("note", [f"a note of {number} words" for number in range(99)], ("text", "", False, "")),
    ("void", ["", ""], ("empty", "", False, "")),
]


@pytest.mark.parametrize(("name", "values", "expected"), PROFILES)
def test_profiles(name: str, values: list[str], expected: tuple[str, str, bool, str]) -> None:
    found = profile(name, pa.array(values))
    assert (found.kind, found.format, found.zoneless, found.decimal) == expected


@pytest.mark.parametrize("value", ["1,234", "03/04/2024"])
def test_profiles_of_what_is_unclear(value: str) -> None:
    assert "may be" in profile("x", pa.array([value])).unclear


@given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=5, unique=True), st.text(max_size=20))
def test_any_names_and_values_make_a_valid_file(columns: list[str], value: str) -> None:
    guesses = tuple(
        Guess(f"x_{place}", f"x_{place} = {suggesting._quoted(name)}", 0.4, f"holds {value}")
        for place, name in enumerate(columns)
    )
    made = Suggestion(value, "accounts", guesses, ((value, "free text"),), 1, 1, (value,), questions=(value,))
    document = tomllib.loads(made.toml())
    assert document["accounts"]["files"] == glob.escape(value)
    assert list(document["accounts"]["columns"].values()) == columns
